package dag_test

import (
	"errors"
	"testing"

	"dagwright/dag"
)

func TestParseRole(t *testing.T) {
	t.Parallel()
	for _, want := range []dag.Role{dag.RoleNone, dag.RoleViewer, dag.RoleOperator, dag.RoleAdmin} {
		if got, err := dag.ParseRole(want.String()); err != nil || got != want {
			t.Errorf("ParseRole(%q) = %v, %v; want %v", want.String(), got, err, want)
		}
	}
	if _, err := dag.ParseRole("root"); !errors.Is(err, dag.ErrInvalid) {
		t.Errorf("ParseRole(root) = %v; want ErrInvalid", err)
	}
}

func TestActNeeds(t *testing.T) {
	t.Parallel()
	for act, want := range map[dag.Act]dag.Role{
		dag.ActRead:      dag.RoleViewer,
		dag.ActTrigger:   dag.RoleOperator,
		dag.ActDelete:    dag.RoleAdmin,
		dag.Act("other"): dag.RoleAdmin,
	} {
		if got := act.Needs(); got != want {
			t.Errorf("%s needs %v; want %v", act, got, want)
		}
	}
}
