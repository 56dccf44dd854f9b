package store

import (
	"context"
	"fmt"
	"time"

	"dagwright/dag"
)

// Reprocess says what a backfill does with a date for which there is a run.
type Reprocess string

// What there is. A run that has not ended is left alone by all of them.
const (
	ReprocessNone      Reprocess = "none"
	ReprocessFailed    Reprocess = "failed"    // failed runs are cleared
	ReprocessCompleted Reprocess = "completed" // failed and successful runs are
)

// Backfill is the runs of a past range, asked for by a person. It has run slots of
// its own beside the DAG's.
type Backfill struct {
	ID       int64
	DAG      dag.ID
	From, To time.Time // logical dates
	Conf     map[string]any
	// Backwards starts the newest run first.
	Backwards     bool
	Reprocess     Reprocess
	MaxActiveRuns int
	// Paused starts no more runs; running ones continue.
	Paused               bool
	User                 string
	CreatedAt, UpdatedAt time.Time
	CompletedAt          time.Time // zero until its last run has ended, or it was cancelled
}

// BackfillRequest asks for a backfill. Dates are its runs, the oldest first, given
// by the caller's timetable.
type BackfillRequest struct {
	DAG           dag.ID
	From, To      time.Time
	Dates         []NextRun
	Conf          map[string]any
	Backwards     bool
	Reprocess     Reprocess
	MaxActiveRuns int
	By            Actor
}

const backfillColumns = `b.id, b.dag_id, b.from_date, b.to_date, b.conf, b.backwards, b.reprocess, b.max_active_runs, b.is_paused,
	b.user_name, b.created_at, b.updated_at, b.completed_at`

func scanBackfill(r scanner) (b Backfill, err error) {
	var conf string
	err = r.Scan(&b.ID, &b.DAG, at(&b.From), at(&b.To), &conf, &b.Backwards, &b.Reprocess, &b.MaxActiveRuns, &b.Paused,
		&b.User, at(&b.CreatedAt), at(&b.UpdatedAt), at(&b.CompletedAt))
	if err != nil {
		return b, err
	}
	b.Conf, err = decodeConf(conf)
	return b, err
}

// Backfills lists a DAG's backfills, the oldest first, and how many there are.
func (s *Store) Backfills(ctx context.Context, id dag.ID, limit, offset int) (list []Backfill, total int, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		where := func() *where {
			w := &where{}
			w.add("b.dag_id = ?", id)
			t.scopeOwned(w, "b.dag_id")
			return w
		}
		w := where()
		if _, err := t.row(`SELECT COUNT(*) FROM backfill b`+w.String(), w.args, &total); err != nil {
			return fmt.Errorf("count backfills: %w", err)
		}
		w = where()
		rows, err := t.query(`SELECT `+backfillColumns+` FROM backfill b`+w.String()+` ORDER BY b.id`+w.page(limit, offset),
			w.args...)
		list, err = collect(rows, err, scanBackfill)
		return err
	})
	return list, total, err
}

// Backfill returns one backfill, or dag.ErrNotFound.
func (s *Store) Backfill(ctx context.Context, id int64) (b Backfill, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		b, err = findBackfill(t, id)
		return err
	})
	return b, err
}

func findBackfill(t *tx, id int64) (Backfill, error) {
	w := &where{}
	w.add("b.id = ?", id)
	t.scopeOwned(w, "b.dag_id")
	rows, err := t.query(`SELECT `+backfillColumns+` FROM backfill b`+w.String(), w.args...)
	found, err := collect(rows, err, scanBackfill)
	if err != nil {
		return Backfill{}, fmt.Errorf("read backfill: %w", err)
	}
	if len(found) == 0 {
		return Backfill{}, fmt.Errorf("backfill %d does not exist: %w", id, dag.ErrNotFound)
	}
	return found[0], nil
}

// activeBackfills reads the backfills of DAGs that are not completed. A DAG has one at
// most.
func activeBackfills(t *tx, ids []dag.ID) (map[dag.ID]*BackfillState, error) {
	found := map[dag.ID]*BackfillState{}
	for _, part := range chunks(ids) {
		var args []any
		rows, err := t.query(`SELECT b.dag_id, b.id, b.is_paused, b.backwards, b.max_active_runs,
				(SELECT COUNT(*) FROM dag_run r WHERE r.backfill = b.id AND r.state = 'queued')
			FROM backfill b WHERE b.completed_at = 0 AND b.dag_id IN `+list(&args, part), args...)
		err = each(rows, err, func(r scanner) error {
			var id dag.ID
			b := &BackfillState{}
			err := r.Scan(&id, &b.ID, &b.Paused, &b.Backwards, &b.MaxActiveRuns, &b.Queued)
			found[id] = b
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read backfills: %w", err)
		}
	}
	return found, nil
}

// backfillRuns reads the first queued runs of a backfill.
func backfillRuns(t *tx, b *BackfillState, limit int) ([]*stepRun, error) {
	direction := "ASC"
	if b.Backwards {
		direction = "DESC"
	}
	rows, err := t.query(`SELECT `+runColumns+` FROM dag_run r WHERE r.backfill = $1 AND r.state = 'queued'
		ORDER BY r.run_after `+direction+` LIMIT $2`, b.ID, limit)
	runs, err := collect(rows, err, scanStepRun)
	if err != nil {
		return nil, fmt.Errorf("read queued runs of backfill %d: %w", b.ID, err)
	}
	return runs, nil
}

// completeBackfill writes that a backfill is complete once none of its runs is
// left to end; 0 means no backfill.
func completeBackfill(t *tx, id int64) error {
	if id == 0 {
		return nil
	}
	_, err := t.exec(
		`UPDATE backfill SET completed_at = $2, updated_at = $2 WHERE id = $1 AND completed_at = 0 AND NOT EXISTS (
		SELECT 1 FROM dag_run r WHERE r.backfill = $1 AND r.state IN ('queued', 'running'))`, id, t.now)
	if err != nil {
		return fmt.Errorf("complete backfill %d: %w", id, err)
	}
	return nil
}
