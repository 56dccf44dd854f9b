package store

import (
	"errors"
	"fmt"

	"dagwright/dag"
)

// specOr is spec for those who show many DAGs: in place of a definition that cannot be
// read it returns one without tasks, and readable is false.
func (s *Store) specOr(t *tx, k specKey) (spec *dag.DAG, readable bool, err error) {
	spec, err = s.spec(t, k)
	if errors.Is(err, errUnreadable) {
		return &dag.DAG{ID: k.dag, Timezone: "UTC", Schedule: dag.Schedule{Kind: dag.ScheduleNone}}, false, nil
	}
	return spec, err == nil, err
}

// spec returns one definition, from the cache or the database.
func (s *Store) spec(t *tx, k specKey) (*dag.DAG, error) {
	if spec, ok := s.specs.find(k); ok {
		return spec, nil
	}
	var definition string
	found, err := t.row(`SELECT definition FROM dag_version WHERE dag_id = $1 AND version = $2`,
		[]any{k.dag, k.version}, &definition)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("DAG %.250q has no version %d: %w", k.dag, k.version, missingVersion{})
	}
	return s.specs.parse(k, definition)
}

// loadSpecs brings the definitions of DAGs and their runs into the cache, on PostgreSQL
// in one query.
func (s *Store) loadSpecs(a *advance, f facts) error {
	if !a.t.locks {
		return nil
	}
	missing := map[specKey]bool{}
	want := func(k specKey) {
		if _, ok := s.specs.find(k); !ok {
			missing[k] = true
		}
	}
	for id, d := range a.dags {
		want(d.key(d.version))
		for _, runs := range [][]*stepRun{a.live[id].runs, f.waiting[id], f.filling[id]} {
			for _, r := range runs {
				if r.spec == nil {
					want(d.key(r.Version))
				}
			}
		}
	}
	var rows [][]any
	for k := range missing {
		rows = append(rows, []any{k.dag, k.version})
	}
	return a.t.bulkRows(definitions, rows, func(row scanner) error {
		var k specKey
		var definition string
		if err := row.Scan(&k.dag, &k.version, &definition); err != nil {
			return err
		}
		// One that cannot be read is met again, and told, where it is needed.
		_, _ = s.specs.parse(a.dags[k.dag].key(k.version), definition)
		return nil
	})
}

var definitions = &bulk{columns: 2, numbers: []bool{false, true}, postgres: `SELECT dag_id, version, definition
	FROM unnest($1::text[], $2::bigint[]) AS v (c1, c2) JOIN dag_version ON dag_id = v.c1 AND version = v.c2`}

// missingVersion is dag.ErrNotFound, in its words, and errUnreadable as well.
type missingVersion struct{}

func (missingVersion) Error() string   { return dag.ErrNotFound.Error() }
func (missingVersion) Unwrap() []error { return []error{dag.ErrNotFound, errUnreadable} }
