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
	half := auth.Identity{Grants: []auth.Grant{{Role: dag.RoleOperator, Scope: tagged("mine")}, {Role: dag.RoleViewer, Scope: tagged("seen")}}}
	admin := auth.Identity{Grants: []auth.Grant{{Role: dag.RoleAdmin, Scope: tagged("mine")}}}
	ask := func(i auth.Identity, act dag.Act, id dag.ID) error {
		r := httptest.NewRequestWithContext(auth.With(t.Context(), i), http.MethodPost, "/", nil)
		return auth.Allow(s)(echo.New().NewContext(r, httptest.NewRecorder()), act, id)
	}
	for _, c := range []struct {
		name     string
		identity auth.Identity
		act      dag.Act
		id       dag.ID
		want     error
	}{
		{"act upon one's own", half, dag.ActTrigger, "mine", nil},
		{"more than one's role", half, dag.ActDelete, "mine", dag.ErrForbidden},
		{"read what one sees", half, dag.ActRead, "seen", nil},
		{"act upon what one sees", half, dag.ActTrigger, "seen", dag.ErrForbidden},
		{"read what is hidden", half, dag.ActRead, "hidden", dag.ErrNotFound},
		{"act upon what is hidden", half, dag.ActDelete, "hidden", dag.ErrNotFound},
		{"lists", half, dag.ActRead, "", nil},
		{"settings", half, dag.ActSettings, "", nil},
		{"push", half, dag.ActReplay, "", nil},
		{"the fleet", half, dag.ActRerender, "", dag.ErrForbidden},
		{"take over, as admin of the DAG", admin, dag.ActTakeOver, "mine", dag.ErrForbidden},
		{"take over what is hidden", admin, dag.ActTakeOver, "hidden", dag.ErrNotFound},
		{"take over, as admin of every DAG", auth.Everybody(), dag.ActTakeOver, "mine", nil},
		{"an act that nobody knows", half, "new", "mine", dag.ErrForbidden},
		{"an act that nobody knows upon nothing", half, "new", "", dag.ErrForbidden},
		{"nobody reads", auth.Identity{}, dag.ActRead, "", dag.ErrForbidden},
		{"nobody sets", auth.Identity{}, dag.ActSettings, "", dag.ErrForbidden},
		{"nobody reads a DAG", auth.Identity{}, dag.ActRead, "mine", dag.ErrNotFound},
		{"everybody where there is no sign-in", auth.Everybody(), dag.ActRerender, "", nil},
		{"everybody upon a DAG", auth.Everybody(), dag.ActDelete, "hidden", nil},
		{"everybody upon no such DAG", auth.Everybody(), dag.ActRead, "absent", dag.ErrNotFound},
	} {
		if err := ask(c.identity, c.act, c.id); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	hidden, absent := ask(half, dag.ActTrigger, "hidden"), ask(half, dag.ActTrigger, "absent")
	if got := strings.ReplaceAll(hidden.Error(), "hidden", "absent"); got != absent.Error() {
		t.Errorf("a hidden DAG is refused with %q, one that there is not with %q", hidden, absent)
	}
}
