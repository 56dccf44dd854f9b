package store

import (
	"context"
	"fmt"
	"time"
)

// Figures are counts over the whole database.
type Figures struct {
	// Runs and Tasks are those that have not ended and those that hold a slot, by state.
	Runs, Tasks map[string]int
	// ActiveDAGs, PausedDAGs and ArchivedDAGs are apart: an archived one is not counted as
	// paused.
	ActiveDAGs, PausedDAGs, ArchivedDAGs int
	// PendingPushes wait for the generator, the first of them since OldestPush.
	PendingPushes int
	OldestPush    time.Time
	// BrokenFiles have import errors; RepositoryFault says that the DAG repository as a
	// whole cannot be read.
	BrokenFiles     int
	RepositoryFault bool
	// Due is since when the scheduled run is due that is due longest and not made, zero when
	// none is.
	Due time.Time
}

// Figures counts what there is, in one read that costs as much as there are DAGs and
// things that have not ended, whatever the history.
func (s *Store) Figures(ctx context.Context) (f Figures, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		f = Figures{}
		if f.Runs, err = countStates(t, `SELECT state, CAST(SUM(n) AS BIGINT) FROM dag_run_count
			WHERE state IN ('queued', 'running') AND n > 0 GROUP BY state`); err != nil {
			return fmt.Errorf("count runs: %w", err)
		}
		if f.Tasks, err = countStates(t, `SELECT state, COUNT(*) FROM task_instance
			WHERE state IN ('queued', 'running') GROUP BY state`); err != nil {
			return fmt.Errorf("count task instances: %w", err)
		}
		return readFigures(t, &f)
	})
	return f, err
}

func countStates(t *tx, query string) (map[string]int, error) {
	counts := map[string]int{"queued": 0, "running": 0}
	rows, err := t.query(query)
	return counts, each(rows, err, func(r scanner) error {
		var state string
		var n int
		if err := r.Scan(&state, &n); err != nil {
			return err
		}
		counts[state] = n
		return nil
	})
}

func readFigures(t *tx, f *Figures) error {
	var all, errors int
	if _, err := t.row(`SELECT COUNT(*), COALESCE(SUM(is_archived), 0),
			COALESCE(SUM(CASE WHEN is_archived = 0 AND is_paused = 1 THEN 1 ELSE 0 END), 0),
			COALESCE(MIN(CASE WHEN is_archived = 0 AND is_paused = 0 AND next_run_after BETWEEN 1 AND $1
				THEN next_run_after END), 0) FROM dag`, []any{t.now},
		&all, &f.ArchivedDAGs, &f.PausedDAGs, at(&f.Due)); err != nil {
		return fmt.Errorf("count DAGs: %w", err)
	}
	f.ActiveDAGs = all - f.ArchivedDAGs - f.PausedDAGs
	if _, err := t.row(`SELECT COUNT(*), COALESCE(MIN(received_at), 0) FROM push WHERE state = 'pending'`, nil,
		&f.PendingPushes, at(&f.OldestPush)); err != nil {
		return fmt.Errorf("count pushes: %w", err)
	}
	if _, err := t.row(`SELECT COUNT(*), COALESCE(SUM(CASE WHEN path = $1 THEN 1 ELSE 0 END), 0) FROM import_error`,
		[]any{RepositoryPath}, &all, &errors); err != nil {
		return fmt.Errorf("count import errors: %w", err)
	}
	f.BrokenFiles, f.RepositoryFault = all-errors, errors > 0
	return nil
}

// recentPushes bounds how far DeliveredPushes looks back.
const recentPushes = 5000

// DeliveredPushes returns when the pushes were received whose rendered specs were committed
// to the DAG repository within a time, from exclusive to inclusive, among the newest 5,000.
func (s *Store) DeliveredPushes(ctx context.Context, from, to time.Time) (received []time.Time, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		rows, err := t.query(`SELECT received_at FROM
			(SELECT received_at, finished_at, state FROM push ORDER BY id DESC LIMIT $1) AS recent
			WHERE state = 'rendered' AND finished_at > $2 AND finished_at <= $3`, recentPushes, from, to)
		received, err = collect(rows, err, func(r scanner) (received time.Time, err error) {
			err = r.Scan(at(&received))
			return received, err
		})
		return err
	})
	return received, err
}
