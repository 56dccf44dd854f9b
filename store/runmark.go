package store

import (
	"context"
	"fmt"

	"dagwright/dag"
	"dagwright/reason"
)

// SetRunState ends a run by hand as success or failed: its waiting tasks are
// skipped, and its running attempts are stopped by the scheduler, which then
// writes their end. One that has ended gets the other state and keeps its end. The
// error is dag.ErrConflict when the run has that state, or attempts of it are still
// being stopped, and dag.ErrInvalid for another state.
func (s *Store) SetRunState(ctx context.Context, by Actor, id dag.ID, run dag.RunID, state dag.RunState) error {
	if !state.Ended() {
		return fmt.Errorf("a run can be marked success or failed, not %.60q: %w", state, dag.ErrInvalid)
	}
	return s.plainAct(ctx, by, "SetRunState", []any{id, run, state}, func(t *tx) error {
		d, err := lockDAG(t, id)
		if err != nil {
			return err
		}
		r, err := findRun(t, id, run)
		if err != nil {
			return err
		}
		if r.stopping {
			return fmt.Errorf("attempts of run %q are still being stopped; try again in a moment: %w", run, dag.ErrConflict)
		}
		if r.State == state {
			return fmt.Errorf("run %q of DAG %q has ended as %s: %w", run, id, r.State, dag.ErrConflict)
		}
		ofRun, ofTasks := reason.RunMarkedSuccess, reason.WithRunSuccess
		if state == dag.RunFailed {
			ofRun, ofTasks = reason.RunMarkedFailed, reason.WithRunFailed
		}
		if err := s.skipWaiting(t, d, r, reason.New(ofTasks, by.name())); err != nil {
			return err
		}
		if err := markRun(t, d, r, state, reason.New(ofRun, by.name())); err != nil {
			return err
		}
		return record(t, AuditEntry{By: by, Event: "mark_" + string(state), DAG: id, Run: run})
	})
}

func markRun(t *tx, d *dagRecord, r *runRecord, state dag.RunState, why reason.Reason) error {
	from := r.State
	if !from.Ended() {
		r.EndedAt = t.now
	}
	r.State, r.Reason = state, why
	ended, err := endRun(t, r, from)
	if err != nil {
		return err
	}
	if !ended {
		return fmt.Errorf("run %q of DAG %q has changed: %w", r.ID, r.DAG, dag.ErrConflict)
	}
	l := newLedger(t)
	l.moved(d, r, from)
	return l.flush()
}

// endRun writes a run's end, if it is in state from, and notes whether
// attempts of it are left to be stopped.
func endRun(t *tx, r *runRecord, from dag.RunState) (bool, error) {
	n, err := t.exec(`UPDATE dag_run SET state = $2, end_date = $3, reason_code = $4, reason_args = $5, cleared = 0,
			stopping = CASE WHEN EXISTS (
			SELECT 1 FROM task_instance WHERE dag_run = $1 AND state IN ('queued', 'running')) THEN 1 ELSE 0 END
		WHERE id = $1 AND state = $6`, r.pk, r.State, r.EndedAt, r.Reason.Code, r.Reason.Args, from)
	if err != nil {
		return false, fmt.Errorf("end run %q of DAG %q: %w", r.ID, r.DAG, err)
	}
	if n == 0 {
		return false, nil
	}
	return true, completeBackfill(t, r.backfill)
}

// skipWaiting skips the task instances that have not ended and hold no slot. A
// run that has not started gets its task instances now.
func (s *Store) skipWaiting(t *tx, d *dagRecord, r *runRecord, why reason.Reason) error {
	spec, err := s.specOfRun(t, d, r)
	if err != nil {
		return err
	}
	tasks, err := tasksOf(t, r, spec)
	if err != nil {
		return err
	}
	var fresh []dag.TaskInstance
	for _, ti := range tasks {
		if ti.State.Ended() || ti.State.Active() {
			continue
		}
		before := ti
		ti.SkipWithRun(why, t.now)
		t.announce(taskChange(ti))
		if r.State == dag.RunQueued && !r.Cleared {
			fresh = append(fresh, ti)
			continue
		}
		if err := keepEndedTry(t, r, before); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE task_instance SET state = $3, reason_code = $4, reason_args = $5, end_date = $6,
			skipped_with_run = 1 WHERE dag_run = $1 AND task_id = $2`, r.pk, ti.Task, ti.State, ti.Reason.Code, ti.Reason.Args,
			ti.EndedAt)
		if err != nil {
			return fmt.Errorf("skip task %q: %w", ti.Task, err)
		}
	}
	return insertTasks(t, r.pk, fresh)
}
