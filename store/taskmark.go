package store

import (
	"context"
	"fmt"

	"dagwright/dag"
)

// MarkTask ends a task instance by hand as success or failed. An active attempt
// is stopped first. After a success, tasks that had failed only for it get
// their turn, and a run that has ended goes on, to be judged anew. The error is
// dag.ErrNotFound for an unknown run or task, dag.ErrInvalid for another state,
// and dag.ErrConflict when the task has that state already, the run has not
// started, the DAG is archived or attempts of the ended run are still being
// stopped.
func (s *Store) MarkTask(ctx context.Context, by Actor, key dag.AttemptKey, state dag.TaskState) error {
	wish := dag.TaskWish(state)
	if wish != dag.WishSuccess && wish != dag.WishFailed {
		return fmt.Errorf("a task can be marked success or failed, not %.60q: %w", state, dag.ErrInvalid)
	}
	return s.db.write(ctx, func(t *tx) error {
		a, ti, err := s.openTaskAct(t, by, key)
		if err != nil {
			return err
		}
		switch reason := fmt.Sprintf("marked %s by %s", state, by.name()); {
		case ti.State == state:
			return fmt.Errorf("task %q is %s already: %w", ti.Task, state, dag.ErrConflict)
		case a.run.State == dag.RunQueued:
			return fmt.Errorf("run %q has not started; mark the run instead: %w", a.run.ID, dag.ErrConflict)
		case ti.State.Active():
			err = a.wish(ti, wish, "stopped: "+reason)
		default:
			err = a.mark(ti, state, reason)
		}
		if err != nil {
			return err
		}
		return record(t, AuditEntry{By: by, Event: "mark_task_" + string(state), DAG: key.DAG, Run: key.Run, Task: key.Task})
	})
}

// CancelTask stops the active attempt of a task instance, which then has failed
// and is not tried again. The error is dag.ErrConflict when none is active.
func (s *Store) CancelTask(ctx context.Context, by Actor, key dag.AttemptKey) error {
	return s.db.write(ctx, func(t *tx) error {
		a, ti, err := s.openTaskAct(t, by, key)
		if err != nil {
			return err
		}
		if !ti.State.Active() {
			return fmt.Errorf("task %q does not run: %w", ti.Task, dag.ErrConflict)
		}
		if err := a.wish(ti, dag.WishCancel, "stopped: cancelled by "+by.name()); err != nil {
			return err
		}
		return record(t, AuditEntry{By: by, Event: "cancel", DAG: key.DAG, Run: key.Run, Task: key.Task})
	})
}

// openTaskAct is openAct for one task; key.Try is not looked at.
func (s *Store) openTaskAct(t *tx, by Actor, key dag.AttemptKey) (*taskAct, dag.TaskInstance, error) {
	a, err := s.openAct(t, by, key.DAG, key.Run)
	if err != nil {
		return nil, dag.TaskInstance{}, err
	}
	ti, err := a.task(key.Task)
	return a, ti, err
}

// mark writes the state of a task instance that holds no slot.
func (a *taskAct) mark(ti dag.TaskInstance, state dag.TaskState, reason string) error {
	ti.State, ti.Reason, ti.EndedAt = state, reason, a.t.now
	if ti.StartedAt.IsZero() {
		ti.StartedAt = a.t.now
	}
	if err := a.write(ti); err != nil {
		return err
	}
	if state == dag.TaskSuccess {
		if err := a.reviveDownstream(ti.Task); err != nil {
			return err
		}
	}
	return a.requeue()
}

// reviveDownstream resets the tasks after one that were given up because
// something before them had failed.
func (a *taskAct) reviveDownstream(id dag.TaskID) error {
	after := map[dag.TaskID]bool{id: true}
	addDownstream(a.spec, after)
	for _, ti := range a.tasks {
		if after[ti.Task] && ti.State == dag.TaskUpstreamFailed {
			if err := a.clear(ti); err != nil {
				return err
			}
		}
	}
	return nil
}
