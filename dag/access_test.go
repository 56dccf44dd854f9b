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

func TestRightNeeds(t *testing.T) {
	t.Parallel()
	for right, want := range map[dag.Right]dag.Role{
		dag.RightRead:      dag.RoleViewer,
		dag.RightTrigger:   dag.RoleOperator,
		dag.RightDelete:    dag.RoleAdmin,
		dag.Right("other"): dag.RoleAdmin,
	} {
		if got := right.Needs(); got != want {
			t.Errorf("%s needs %v; want %v", right, got, want)
		}
	}
}
