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
// are; whether an act is allowed is asked for once more when it is done (Allow).
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

// mayHere reports whether the reader may do an act that is upon no DAG.
func mayHere(c echo.Context, act dag.Act) bool {
	who, known := reads(c.Request().Context())
	return !known || who.InstanceRole() >= act.Needs()
}

// needFile are the acts that are not possible once the DAG's file is gone.
var needFile = []dag.Act{dag.ActPause, dag.ActTrigger, dag.ActClear, dag.ActMarkTask, dag.ActCancel, dag.ActBackfill, dag.ActPromote}

// Can reports whether the reader may do an act to the DAG, and it is possible.
func (v DAGRowView) Can(act dag.Act) bool {
	switch {
	case act == dag.ActRestore && (!v.Archived || v.ID.Former()), v.Archived && slices.Contains(needFile, act):
		return false
	}
	return v.Role >= act.Needs()
}
