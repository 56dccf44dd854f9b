package store

import (
	"context"
	"fmt"

	"dagwright/dag"
)

// Scope is the set of DAGs, with all that belongs to them, that reads with a
// context of WithScope can see. The zero Scope has none.
type Scope struct {
	// All has every DAG; Any is then not looked at.
	All bool
	// Any has the DAGs that at least one selection has.
	Any []Selection
}

// Selection selects DAGs. A DAG must match every field that is not empty, and
// any one value of that field. The zero Selection has every DAG.
type Selection struct {
	// DAGs are ids in which "*" stands for any text.
	DAGs   []string
	Owners []string
	Tags   []string
	// Labels are "key=value" of the labels that all of the DAG's tasks have.
	Labels []string
	// Projects are GitLab paths: of the model's project, or of a group above it.
	Projects []string
}

type scopeKey struct{}

// WithScope returns a context whose reads see only the DAGs of the scope, and
// what belongs to them. What it does not have answers as if it did not exist.
func WithScope(ctx context.Context, s Scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

// ScopeOf is the context's scope. Without one it is everything: the actors of the
// instance itself have none, and every request of a person must be given one.
func ScopeOf(ctx context.Context) Scope {
	if s, ok := ctx.Value(scopeKey{}).(Scope); ok {
		return s
	}
	return Scope{All: true}
}

// Visible reports whether there is such a DAG, archived ones too, in the
// context's scope.
func (s *Store) Visible(ctx context.Context, id dag.ID) (visible bool, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		visible, err = t.sees(id)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look for DAG %.250q: %w", id, err)
	}
	return visible, nil
}
