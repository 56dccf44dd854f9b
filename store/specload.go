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

// missingVersion is dag.ErrNotFound, in its words, and errUnreadable as well.
type missingVersion struct{}

func (missingVersion) Error() string   { return dag.ErrNotFound.Error() }
func (missingVersion) Unwrap() []error { return []error{dag.ErrNotFound, errUnreadable} }
