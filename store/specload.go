package store

import (
	"fmt"

	"dagwright/dag"
)

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
		return nil, fmt.Errorf("DAG %.250q has no version %d: %w", k.dag, k.version, dag.ErrNotFound)
	}
	return s.specs.parse(k, definition)
}
