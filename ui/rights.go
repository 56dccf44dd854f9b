package ui

import (
	"context"
	"fmt"
	"slices"

	"github.com/labstack/echo/v4"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/store"
)

// roles are the reader's roles over DAGs. Pages show by them which acts there
// are; the right to an act is checked once more when it is done (Allow).
// It costs one query for each role that the reader has over some DAGs and not
// over all.
func (s *server) roles(ctx context.Context, ids ...dag.ID) (map[dag.ID]dag.Role, error) {
	roles := make(map[dag.ID]dag.Role, len(ids))
	who, known := reads(ctx)
	for _, id := range ids {
		if roles[id] = who.InstanceRole(); !known {
			roles[id] = dag.RoleAdmin
		}
	}
	if len(ids) == 0 || !known {
		return roles, nil
	}
	for _, role := range []dag.Role{dag.RoleOperator, dag.RoleAdmin} {
		scope := who.Scope(role)
		if scope.All || len(scope.Any) == 0 {
			continue
		}
		rows, _, err := s.Store.DAGs(store.WithScope(ctx, scope), store.DAGFilter{IDs: ids, Archived: true, Limit: len(ids)})
		if err != nil {
			return nil, fmt.Errorf("look for the DAGs that the reader is %s of: %w", role, err)
		}
		for _, row := range rows {
			roles[row.ID] = max(roles[row.ID], role)
		}
	}
	return roles, nil
}

// reads is who reads a page; not known where the instance asks nobody.
func reads(ctx context.Context) (who auth.Identity, known bool) {
	who = auth.From(ctx)
	return who, who.Name != "" || len(who.Grants) > 0
}

// roleWords says what somebody may do, and whether to every DAG.
func (rd *reader) roleWords(who auth.Identity) string {
	role := who.Role()
	switch {
	case role == dag.RoleNone:
		return ""
	case who.InstanceRole() == role:
		return rd.t("%s of all DAGs", rd.t(role.String()))
	}
	return rd.t("%s of some DAGs", rd.t(role.String()))
}

// mayHere reports whether the reader has a right that is about no single DAG.
func mayHere(c echo.Context, right dag.Right) bool {
	who, known := reads(c.Request().Context())
	return !known || who.InstanceRole() >= right.Needs()
}

// needFile are the rights to what is not possible once the DAG's file is gone.
var needFile = []dag.Right{dag.RightPause, dag.RightTrigger, dag.RightClear, dag.RightMarkTask, dag.RightCancel,
	dag.RightBackfill, dag.RightPromote}

// Can reports whether the reader has a right over the DAG, and what it is to is possible.
func (v DAGRowView) Can(right dag.Right) bool {
	switch {
	case right == dag.RightRestore && (!v.Archived || v.ID.Former()), v.Archived && slices.Contains(needFile, right):
		return false
	}
	return v.Role >= right.Needs()
}
