package store

import (
	"context"
	"fmt"

	"dagwright/dag"
)

// ErrRunning is the conflict of a run that is to be deleted and is running.
var ErrRunning = fmt.Errorf("%w", dag.ErrConflict)

// DeleteRun removes a run with its task instances; their logs, which lie under the place
// that it returns (dag.Run.Place), are the caller's.
// A scheduled run that was deleted is not made again. The error is
// dag.ErrNotFound for an unknown run, and dag.ErrConflict while it runs (also ErrRunning) or
// attempts of it are being stopped.
func (s *Store) DeleteRun(ctx context.Context, by Actor, id dag.ID, run dag.RunID) (place dag.ID, err error) {
	return act(ctx, s, by, "DeleteRun", []any{id, run}, func(t *tx) (dag.ID, error) {
		d, err := lockDAG(t, id)
		if err != nil {
			return "", err
		}
		r, err := findRun(t, id, run)
		if err != nil {
			return "", err
		}
		if r.State == dag.RunRunning {
			return "", fmt.Errorf("run %q of DAG %q is running: %w", run, id, ErrRunning)
		}
		if r.stopping {
			return "", fmt.Errorf("attempts of run %q are still being stopped; try again in a moment: %w", run, dag.ErrConflict)
		}
		if _, err := t.exec(`DELETE FROM dag_run WHERE id = $1`, r.pk); err != nil {
			return "", fmt.Errorf("delete run %q of DAG %q: %w", run, id, err)
		}
		if err := completeBackfill(t, r.backfill); err != nil {
			return "", err
		}
		l := newLedger(t)
		if err := l.deleted(d, r); err != nil {
			return "", err
		}
		if err := l.flush(); err != nil {
			return "", err
		}
		// A run slot may have become free.
		t.announce(Change{Kind: ChangeDAG, DAG: id})
		return r.Place(), record(t, AuditEntry{By: by, Event: "delete_run", DAG: id, Run: run})
	})
}
