package auth

import (
	"context"
	"fmt"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// Allow returns the question that pages and the API ask before they answer a
// request: whether the identity of its context has a right over a DAG, or over none
// in particular when id is empty. The error is dag.ErrForbidden for what the person
// may see and not do, and dag.ErrNotFound, in the words in which the store says
// that there is no such DAG, for what the person may not see.
//
// Taking over what a former owner of an id left is between two teams: it needs its
// role over every DAG.
//
// Replaying a push names no DAG. It is open to whoever has its role over any DAG,
// and the request sees no more than those DAGs from then on: the store then does
// not find the pushes of others.
func Allow(s *store.Store) func(c echo.Context, right dag.Right, id dag.ID) error {
	return func(c echo.Context, right dag.Right, id dag.ID) error {
		ctx := c.Request().Context()
		if id != "" {
			if err := allowOver(ctx, s, right, id); err != nil || right != dag.RightTakeOver {
				return err
			}
		}
		if err := allowAny(From(ctx), right); err != nil {
			return err
		}
		if right == dag.RightReplay {
			c.SetRequest(c.Request().WithContext(store.WithScope(ctx, From(ctx).Scope(right.Needs()))))
		}
		return nil
	}
}

// allowOver is for rights over one DAG.
func allowOver(ctx context.Context, s *store.Store, right dag.Right, id dag.ID) error {
	i := From(ctx)
	may, err := s.Visible(store.WithScope(ctx, i.Scope(right.Needs())), id)
	if err != nil || may {
		return err
	}
	sees, err := s.Visible(store.WithScope(ctx, i.Scope(dag.RoleViewer)), id)
	if err != nil {
		return err
	}
	if !sees {
		return store.ErrNoDAG(id)
	}
	return forbidden(right)
}

// allowAny is for rights over no DAG. Lists show what one may see, and settings are
// one's own: a role over any DAG will do. The rest is about the whole instance.
func allowAny(i Identity, right dag.Right) error {
	role := i.InstanceRole()
	switch right {
	case dag.RightRead, dag.RightSettings, dag.RightReplay:
		role = i.Role()
	}
	if role < right.Needs() {
		return forbidden(right)
	}
	return nil
}

func forbidden(right dag.Right) error {
	return fmt.Errorf("this needs the role %s: %w", right.Needs(), dag.ErrForbidden)
}
