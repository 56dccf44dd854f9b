package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dagwright/dag"
	"dagwright/reason"
)

// BackfillChoice returns the dates of a request for which CreateBackfill would make
// a run, or clear one. It refuses what that refuses for its conf, limit or reprocess.
func (s *Store) BackfillChoice(ctx context.Context, req BackfillRequest) (chosen []NextRun, err error) {
	if _, err := req.check(); err != nil {
		return nil, err
	}
	err = s.db.read(ctx, func(t *tx) error {
		chosen = nil
		if _, err := findDAG(t, req.DAG); err != nil {
			return err
		}
		for _, date := range req.Dates {
			run, err := runOfDate(t, req.DAG, date.LogicalDate)
			if err != nil {
				return err
			}
			if run == nil || req.clears(run) {
				chosen = append(chosen, date)
			}
		}
		return nil
	})
	return chosen, err
}

// clears reports whether a run that exists is run once more.
func (req BackfillRequest) clears(r *runRecord) bool {
	switch {
	case !r.State.Ended() || r.stopping:
		return false
	case r.State == dag.RunFailed:
		return req.Reprocess == ReprocessFailed || req.Reprocess == ReprocessCompleted
	default:
		return req.Reprocess == ReprocessCompleted
	}
}

// runOfDate is a DAG's run for a logical date, nil when there is none.
func runOfDate(t *tx, id dag.ID, date time.Time) (*runRecord, error) {
	rows, err := t.query(`SELECT `+runColumns+` FROM dag_run r WHERE r.dag_id = $1 AND r.logical_date = $2`, id, date)
	found, err := collect(rows, err, scanRun)
	if err != nil {
		return nil, fmt.Errorf("read run: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return found[0], nil
}

// CreateBackfill makes the runs of a backfill, all of them queued; the scheduler
// starts them as its run slots allow. The error is dag.ErrNotFound for an unknown
// DAG, dag.ErrInvalid for a wrong conf, limit or reprocess, and dag.ErrConflict when
// the DAG is archived or has a backfill that is not completed.
func (s *Store) CreateBackfill(ctx context.Context, req BackfillRequest) (b Backfill, err error) {
	conf, err := req.check()
	if err != nil {
		return b, err
	}
	asked := req
	asked.Dates = nil // they follow from the range and the time: a repeat may come later
	id, err := act(ctx, s, req.By, "CreateBackfill", []any{asked}, func(t *tx) (int64, error) {
		b, err = s.createBackfill(t, req, conf)
		return b.ID, err
	})
	switch {
	case err != nil:
		return Backfill{}, err
	case b.ID == id:
		return b, nil
	}
	return s.Backfill(ctx, id) // it was created before
}

func (s *Store) createBackfill(t *tx, req BackfillRequest, conf string) (b Backfill, err error) {
	d, err := lockDAG(t, req.DAG)
	if err != nil {
		return b, err
	}
	if d.archived {
		return b, ErrArchived(d.id)
	}
	unfinished, err := activeBackfills(t, []dag.ID{d.id})
	if err != nil {
		return b, err
	}
	if active := unfinished[d.id]; active != nil {
		return b, fmt.Errorf("DAG %q has a backfill that is not completed, %d: %w", d.id, active.ID, dag.ErrConflict)
	}
	var id int64
	_, err = t.row(
		`INSERT INTO backfill (dag_id, from_date, to_date, conf, backwards, reprocess, max_active_runs, user_name, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) RETURNING id`,
		[]any{d.id, req.From, req.To, conf, req.Backwards, req.Reprocess, req.MaxActiveRuns, req.By.name(), t.now}, &id)
	if err != nil {
		return b, fmt.Errorf("write backfill: %w", err)
	}
	if err := s.addBackfillRuns(t, req, id); err != nil {
		return b, err
	}
	if err := completeBackfill(t, id); err != nil {
		return b, err
	}
	t.announce(Change{Kind: ChangeDAG, DAG: d.id})
	if err := record(t,
		AuditEntry{By: req.By, Event: "backfill", DAG: d.id, Extra: fmt.Sprintf(`{"backfill_id": %d}`, id)}); err != nil {
		return b, err
	}
	return findBackfill(t, id)
}

// check checks what needs no look at the DAG, and encodes the conf.
func (req BackfillRequest) check() (conf string, err error) {
	if req.MaxActiveRuns < 1 {
		return "", fmt.Errorf("max_active_runs %d: want 1 or more: %w", req.MaxActiveRuns, dag.ErrInvalid)
	}
	switch req.Reprocess {
	case ReprocessNone, ReprocessFailed, ReprocessCompleted:
	default:
		return "", fmt.Errorf("reprocess behaviour %.60q: want none, failed or completed: %w", req.Reprocess, dag.ErrInvalid)
	}
	if err := dag.CheckConf(req.Conf); err != nil {
		return "", err
	}
	return encodeConf(req.Conf)
}

// addBackfillRuns clears the runs that there are, as the request says, and makes one
// for each other date.
func (s *Store) addBackfillRuns(t *tx, req BackfillRequest, id int64) error {
	for _, date := range req.Dates {
		if err := s.clearForBackfill(t, req, date.LogicalDate, id); err != nil {
			return err
		}
	}
	d, err := lockDAG(t, req.DAG) // as the clears left it
	if err != nil {
		return err
	}
	l := newLedger(t)
	for _, date := range req.Dates {
		r := dag.Run{
			DAG: d.id, ID: dag.BackfillRunID(date.RunAfter), Epoch: d.epoch, Type: dag.RunBackfill, State: dag.RunQueued,
			Version:     d.version,
			LogicalDate: date.LogicalDate, Interval: date.Interval, RunAfter: date.RunAfter, QueuedAt: t.now,
			Conf: req.Conf, TriggeredBy: "backfill", User: cleanText(req.By.name()),
		}
		pk, err := insertRun(t, r, "")
		if err != nil {
			return err
		}
		if pk == 0 {
			continue // there is one
		}
		l.created(d, &runRecord{pk: pk, Run: r})
		if err := joinBackfill(t, pk, id); err != nil {
			return err
		}
	}
	return l.flush()
}

// joinBackfill makes a run one of the backfill's.
func joinBackfill(t *tx, run, id int64) error {
	_, err := t.exec(`UPDATE dag_run SET backfill = $2, run_type = 'backfill', triggered_by = 'backfill' WHERE id = $1`,
		run, id)
	if err != nil {
		return fmt.Errorf("note runs of backfill %d: %w", id, err)
	}
	return nil
}

// clearForBackfill has the run of a date, if there is one that the request is for,
// run once more as one of the backfill's.
func (s *Store) clearForBackfill(t *tx, req BackfillRequest, date time.Time, id int64) error {
	r, err := runOfDate(t, req.DAG, date)
	if err != nil || r == nil || !req.clears(r) {
		return err
	}
	if _, err := s.clearRun(t, Clear{DAG: req.DAG, Run: r.ID, By: req.By}); err != nil {
		return err
	}
	if len(req.Conf) > 0 {
		conf, err := encodeConf(req.Conf)
		if err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE dag_run SET conf = $2 WHERE id = $1`, r.pk, conf); err != nil {
			return fmt.Errorf("write conf of run %q: %w", r.ID, err)
		}
	}
	return joinBackfill(t, r.pk, id)
}

// ErrCompleted says that a backfill is complete, so that nothing can be done to it.
var ErrCompleted = errors.New("the backfill is completed")

// PauseBackfill pauses a backfill, which then starts no more runs, or resumes it. The
// error is dag.ErrNotFound, or dag.ErrConflict and ErrCompleted for one that is
// completed.
func (s *Store) PauseBackfill(ctx context.Context, by Actor, id int64, paused bool) (Backfill, error) {
	event := "pause_backfill"
	if !paused {
		event = "unpause_backfill"
	}
	return s.onBackfill(ctx, by, id, event, func(t *tx, _ *dagRecord, b Backfill) error {
		_, err := t.exec(`UPDATE backfill SET is_paused = $2, updated_at = $3 WHERE id = $1`, b.ID, paused, t.now)
		return err
	})
}

// CancelBackfill ends a backfill: its queued runs fail, and running ones continue.
// The errors are those of PauseBackfill.
func (s *Store) CancelBackfill(ctx context.Context, by Actor, id int64) (Backfill, error) {
	return s.onBackfill(ctx, by, id, "cancel_backfill", func(t *tx, d *dagRecord, b Backfill) error {
		rows, err := t.query(`SELECT `+runColumns+
			` FROM dag_run r WHERE r.backfill = $1 AND r.state = 'queued' ORDER BY r.id`, b.ID)
		queued, err := collect(rows, err, scanRun)
		if err != nil {
			return err
		}
		why := reason.New(reason.BackfillCancelled, by.name())
		for _, r := range queued {
			if err := s.skipWaiting(t, d, r, why); err != nil {
				return err
			}
			if err := markRun(t, d, r, dag.RunFailed, why); err != nil {
				return err
			}
		}
		_, err = t.exec(`UPDATE backfill SET is_paused = 1, completed_at = $2, updated_at = $2 WHERE id = $1`, b.ID, t.now)
		return err
	})
}

// onBackfill does something to a backfill that is not completed, and returns it as
// it is then.
func (s *Store) onBackfill(ctx context.Context, by Actor, id int64, event string,
	do func(*tx, *dagRecord, Backfill) error) (b Backfill, err error) {
	err = s.plainAct(ctx, by, event, []any{id}, func(t *tx) error {
		if b, err = findBackfill(t, id); err != nil {
			return err
		}
		d, err := lockDAG(t, b.DAG)
		if err != nil {
			return err
		}
		if b, err = findBackfill(t, id); err != nil { // as it is under the lock
			return err
		}
		if !b.CompletedAt.IsZero() {
			return fmt.Errorf("backfill %d: %w: %w", id, ErrCompleted, dag.ErrConflict)
		}
		if err := do(t, d, b); err != nil {
			return fmt.Errorf("%s %d: %w", event, id, err)
		}
		t.announce(Change{Kind: ChangeDAG, DAG: b.DAG})
		if err := record(t,
			AuditEntry{By: by, Event: event, DAG: b.DAG, Extra: fmt.Sprintf(`{"backfill_id": %d}`, id)}); err != nil {
			return err
		}
		b, err = findBackfill(t, id)
		return err
	})
	switch {
	case err != nil:
		return Backfill{}, err
	case b.ID == id:
		return b, nil
	}
	return s.Backfill(ctx, id) // it was done before
}
