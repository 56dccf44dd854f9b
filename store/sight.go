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
	store    *Store
	dags     map[dag.ID]bool
	projects map[string]bool
}

// Sight returns a Sight that has seen nothing yet.
func (s *Store) Sight() *Sight {
	return &Sight{store: s, dags: map[dag.ID]bool{}, projects: map[string]bool{}}
}

// Sees reports whether the context's scope has what changed. A change that
// takes a DAG out of the scope is told once more. Changes that belong to no DAG
// and no project are for scopes that have everything.
func (v *Sight) Sees(ctx context.Context, c Change) (bool, error) {
	if ScopeOf(ctx).All {
		return true, nil
	}
	// A refused push may name the DAG of another project.
	if c.DAG != "" && !(c.Kind == ChangePush && c.State == string(PushRefused)) {
		return v.seesDAG(ctx, c)
	}
	if c.Project != "" {
		return v.seesProject(ctx, c.Project)
	}
	return false, nil
}

func (v *Sight) seesDAG(ctx context.Context, c Change) (bool, error) {
	before, known := v.dags[c.DAG]
	if known && c.Kind != ChangeDAG {
		return before, nil
	}
	clear(v.projects) // this DAG may be why one is seen
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

// seesProject reports whether the scope has a project's path, or a DAG of it.
func (v *Sight) seesProject(ctx context.Context, project string) (seen bool, err error) {
	if seen, known := v.projects[project]; known {
		return seen, nil
	}
	err = v.store.db.read(ctx, func(t *tx) error {
		w := &where{}
		from := w.number("CAST(? AS TEXT)", project)
		w.conds = append(w.conds, t.nameCond(w, "''", "p.project")+
			" OR EXISTS (SELECT 1 FROM dag d WHERE d.project = p.project AND "+t.dagCond(w)+")")
		var one int
		seen, err = t.row(`SELECT 1 FROM (SELECT `+from+` AS project) p`+w.String(), w.args, &one)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look for project %.250q: %w", project, err)
	}
	if len(v.projects) >= maxSight {
		clear(v.projects)
	}
	v.projects[project] = seen
	return seen, nil
}
