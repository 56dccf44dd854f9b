package store

import (
	"context"
	"fmt"

	"dagwright/dag"
)

// maxSight bounds what a Sight remembers.
const maxSight = 20_000

// Sight tells which changes somebody may hear of. It remembers what it found of
// a DAG or project until that changes, so that a change costs no query as a rule,
// and none at all for a scope that has everything. It belongs to one goroutine.
type Sight struct {
	store  *Store
	dags   map[dag.ID]bool
	pushes map[pushSight]bool
}

// pushSight is what a scope asks of a push, or of a file with an import error.
type pushSight struct {
	dag     dag.ID // "" for one that is refused, which may name the DAG of another project
	project string
}

// Sight returns a Sight that has seen nothing yet.
func (s *Store) Sight() *Sight {
	return &Sight{store: s, dags: map[dag.ID]bool{}, pushes: map[pushSight]bool{}}
}

// Forget clears the cache. Callers use it after they missed changes.
func (v *Sight) Forget() {
	clear(v.dags)
	clear(v.pushes)
}

// Sees reports whether the context's scope has what changed. A change that
// takes a DAG out of the scope is the last one seen. Changes that belong to no DAG
// and no project are for scopes that have everything.
func (v *Sight) Sees(ctx context.Context, c Change) (bool, error) {
	if ScopeOf(ctx).All {
		return true, nil
	}
	if c.Project != "" {
		p := pushSight{c.DAG, c.Project}
		if c.State == string(PushRefused) {
			p.dag = ""
		}
		return v.seesPush(ctx, p)
	}
	if c.DAG != "" {
		return v.seesDAG(ctx, c)
	}
	return false, nil
}

func (v *Sight) seesDAG(ctx context.Context, c Change) (bool, error) {
	before, known := v.dags[c.DAG]
	if known && c.Kind != ChangeDAG {
		return before, nil
	}
	clear(v.pushes) // this DAG may be why one is seen
	now, err := v.store.Visible(ctx, c.DAG)
	if err != nil {
		return false, err
	}
	if len(v.dags) >= maxSight {
		clear(v.dags)
	}
	v.dags[c.DAG] = now
	return now || before, nil
}

// seesPush reports whether the scope has a project's path, or a DAG of it, or, by its
// name, the DAG of a push.
func (v *Sight) seesPush(ctx context.Context, p pushSight) (seen bool, err error) {
	if seen, known := v.pushes[p]; known {
		return seen, nil
	}
	err = v.store.db.read(ctx, func(t *tx) error {
		w := &where{}
		from := w.number("CAST(? AS TEXT) AS dag_id, CAST(? AS TEXT) AS project", p.dag, p.project)
		w.conds = append(w.conds, t.nameCond(w, "p.dag_id", "p.project")+
			" OR EXISTS (SELECT 1 FROM dag d WHERE d.project = p.project AND "+t.dagCond(w)+")")
		var one int
		seen, err = t.row(`SELECT 1 FROM (SELECT `+from+`) p`+w.String(), w.args, &one)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look for project %.250q: %w", p.project, err)
	}
	if len(v.pushes) >= maxSight {
		clear(v.pushes)
	}
	v.pushes[p] = seen
	return seen, nil
}
