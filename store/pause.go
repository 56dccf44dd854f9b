package store

import (
	"context"
	"fmt"
	"slices"

	"dagwright/dag"
)

// PauseAll pauses or un-pauses several DAGs in one transaction and returns those
// that changed. Unknown and archived ones, and those that are so already, are
// left out.
func (s *Store) PauseAll(ctx context.Context, by Actor, ids []dag.ID, paused bool) ([]dag.ID, error) {
	sorted := slices.Clone(ids)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	return act(ctx, s, by, "PauseAll", []any{sorted, paused}, func(t *tx) (changed []dag.ID, err error) {
		dags, err := lockDAGs(t, sorted)
		if err != nil {
			return nil, fmt.Errorf("read DAGs: %w", err)
		}
		for _, id := range sorted {
			d := dags[id]
			if d == nil || d.archived || d.paused == paused {
				continue
			}
			if err := d.setPaused(t, by, paused); err != nil {
				return nil, err
			}
			if err := d.save(t); err != nil {
				return nil, fmt.Errorf("write DAG %q: %w", id, err)
			}
			changed = append(changed, id)
		}
		return changed, nil
	})
}
