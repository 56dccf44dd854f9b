package auth_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/store"
)

func TestIdentity(t *testing.T) {
	t.Parallel()
	risk := store.Scope{Any: []store.Selection{{Projects: []string{"gbc/risk"}}}}
	for name, tt := range map[string]struct {
		identity       auth.Identity
		view, operate  store.Scope
		role, instance dag.Role
	}{
		"nobody": {},
		"everybody": {
			identity: auth.Everybody(), view: store.Scope{All: true}, operate: store.Scope{All: true},
			role: dag.RoleAdmin, instance: dag.RoleAdmin,
		},
		"views all, operates a team's": {
			identity: auth.Identity{Grants: []auth.Grant{{Role: dag.RoleViewer, Scope: store.Scope{All: true}},
				{Role: dag.RoleOperator, Scope: risk}}},
			view: store.Scope{All: true, Any: risk.Any}, operate: risk,
			role: dag.RoleOperator, instance: dag.RoleViewer,
		},
		"a grant of none": {
			identity: auth.Identity{Grants: []auth.Grant{{Role: dag.RoleNone, Scope: store.Scope{All: true}}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := auth.From(auth.With(t.Context(), tt.identity))
			if diff := cmp.Diff([]store.Scope{tt.view, tt.operate},
				[]store.Scope{i.Scope(dag.RoleViewer), i.Scope(dag.RoleOperator)}); diff != "" {
				t.Errorf("scopes (-want +got):\n%s", diff)
			}
			if i.Role() != tt.role || i.InstanceRole() != tt.instance {
				t.Errorf("roles = %v, %v; want %v, %v", i.Role(), i.InstanceRole(), tt.role, tt.instance)
			}
		})
	}
	if got := auth.From(t.Context()); got.Role() != dag.RoleNone {
		t.Errorf("a context without identity has the role %v", got.Role())
	}
}
