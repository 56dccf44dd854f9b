package auth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/store"
	"dagwright/store/storetest"
)

// TestAllow asks about a DAG that one may act upon, one that one may see, one that
// is hidden and one that there is not: the last two must sound alike.
func TestAllow(t *testing.T) {
	t.Parallel()
	s := storetest.OpenTest(t)
	var files []store.SpecFile
	for _, id := range []dag.ID{"mine", "seen", "hidden"} {
		d := &dag.DAG{ID: id, Tags: []string{string(id)}, Tasks: []dag.Task{{ID: "t"}}}
		files = append(files, store.SpecFile{Path: string(id) + ".yaml", Blob: "b", DAGs: []*dag.DAG{d}})
	}
	if _, err := s.SaveDAGs(t.Context(), store.Sync{Commit: "c", Changed: files}); err != nil {
		t.Fatal(err)
	}
	tagged := func(tags ...string) store.Scope { return store.Scope{Any: []store.Selection{{Tags: tags}}} }
	half := auth.Identity{Grants: []auth.Grant{{Role: dag.RoleOperator, Scope: tagged("mine")},
		{Role: dag.RoleViewer, Scope: tagged("seen")}}}
	admin := auth.Identity{Grants: []auth.Grant{{Role: dag.RoleAdmin, Scope: tagged("mine")}}}
	ask := func(i auth.Identity, right dag.Right, id dag.ID) error {
		r := httptest.NewRequestWithContext(auth.With(t.Context(), i), http.MethodPost, "/", nil)
		return auth.Allow(s)(echo.New().NewContext(r, httptest.NewRecorder()), right, id)
	}
	for _, c := range []struct {
		name     string
		identity auth.Identity
		right    dag.Right
		id       dag.ID
		want     error
	}{
		{"act upon one's own", half, dag.RightTrigger, "mine", nil},
		{"more than one's role", half, dag.RightDelete, "mine", dag.ErrForbidden},
		{"read what one sees", half, dag.RightRead, "seen", nil},
		{"act upon what one sees", half, dag.RightTrigger, "seen", dag.ErrForbidden},
		{"read what is hidden", half, dag.RightRead, "hidden", dag.ErrNotFound},
		{"act upon what is hidden", half, dag.RightDelete, "hidden", dag.ErrNotFound},
		{"lists", half, dag.RightRead, "", nil},
		{"settings", half, dag.RightSettings, "", nil},
		{"push", half, dag.RightReplay, "", nil},
		{"the fleet", half, dag.RightRerender, "", dag.ErrForbidden},
		{"take over, as admin of the DAG", admin, dag.RightTakeOver, "mine", dag.ErrForbidden},
		{"take over what is hidden", admin, dag.RightTakeOver, "hidden", dag.ErrNotFound},
		{"take over, as admin of every DAG", auth.Everybody(), dag.RightTakeOver, "mine", nil},
		{"a right that nobody knows", half, "new", "mine", dag.ErrForbidden},
		{"a right that nobody knows upon nothing", half, "new", "", dag.ErrForbidden},
		{"nobody reads", auth.Identity{}, dag.RightRead, "", dag.ErrForbidden},
		{"nobody sets", auth.Identity{}, dag.RightSettings, "", dag.ErrForbidden},
		{"nobody reads a DAG", auth.Identity{}, dag.RightRead, "mine", dag.ErrNotFound},
		{"everybody where there is no sign-in", auth.Everybody(), dag.RightRerender, "", nil},
		{"everybody upon a DAG", auth.Everybody(), dag.RightDelete, "hidden", nil},
		{"everybody upon no such DAG", auth.Everybody(), dag.RightRead, "absent", dag.ErrNotFound},
	} {
		if err := ask(c.identity, c.right, c.id); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	hidden, absent := ask(half, dag.RightTrigger, "hidden"), ask(half, dag.RightTrigger, "absent")
	if got := strings.ReplaceAll(hidden.Error(), "hidden", "absent"); got != absent.Error() {
		t.Errorf("a hidden DAG is refused with %q, one that there is not with %q", hidden, absent)
	}
}
