package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"dagwright/dag"
	"dagwright/reason"
)

// MarkTask ends a task instance by hand as success, failed or skipped. An active
// attempt is stopped first. After a success, tasks that had failed only for it
// get their turn, and a run that has ended goes on, to be judged again. The error
// is dag.ErrNotFound for an unknown run or task, dag.ErrInvalid for another
// state, and dag.ErrConflict when the task has that state already, the run has
// not started, the DAG is archived or attempts of the ended run are still being
// stopped.
func (s *Store) MarkTask(ctx context.Context, by Actor, key dag.AttemptKey, state dag.TaskState) error {
	_, err := s.MarkTasks(ctx, Mark{DAG: key.DAG, Runs: []dag.RunID{key.Run}, Task: key.Task, State: state, By: by})
	return err
}

// Mark asks for a task to be ended by hand in some runs.
type Mark struct {
	DAG  dag.ID
	Runs []dag.RunID
	Task dag.TaskID
	// Upstream adds everything that comes before Task, and Downstream everything
	// that comes after it.
	Upstream, Downstream bool
	State                dag.TaskState
	// Range says between which times Runs were chosen, "" for runs that were named, as
	// in Clear.
	Range string
	By    Actor
}

// ErrMarked is the conflict of a task that has the state already that it was to be
// marked with.
var ErrMarked = fmt.Errorf("%w", dag.ErrConflict)

// MarkTasks is MarkTask for several tasks or runs, all or none of them, and
// returns the task instances that had another state, as they are now: an active
// one is still being stopped.
func (s *Store) MarkTasks(ctx context.Context, m Mark) ([]dag.TaskInstance, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	asked := m
	asked.Runs = named(m.Runs, m.Range)
	return act(ctx, s, m.By, "MarkTasks", []any{asked}, func(t *tx) (marked []dag.TaskInstance, err error) {
		for _, run := range m.Runs {
			found, err := s.markRunTasks(t, m, run)
			if err != nil {
				return nil, err
			}
			marked = append(marked, found...)
		}
		if len(marked) == 0 {
			return nil, fmt.Errorf("task %q is %s already: %w", m.Task, m.State, ErrMarked)
		}
		return marked, nil
	})
}

// MarkChoice returns the task instances that MarkTasks would end.
func (s *Store) MarkChoice(ctx context.Context, m Mark) (chosen []dag.TaskInstance, err error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	err = s.db.read(ctx, func(t *tx) error {
		chosen = nil
		for _, run := range m.Runs {
			r, spec, err := s.runWithSpec(t, m.DAG, run)
			if err != nil {
				return err
			}
			tasks, err := tasksOf(t, r, spec)
			if err != nil {
				return err
			}
			found, err := m.choose(r, spec, tasks)
			if err != nil {
				return err
			}
			chosen = append(chosen, found...)
		}
		return nil
	})
	return chosen, err
}

// taskMarked are the reasons of tasks that were marked, by their new state.
var taskMarked = map[dag.TaskState]reason.Code{
	dag.TaskSuccess: reason.TaskMarkedSuccess,
	dag.TaskFailed:  reason.TaskMarkedFailed,
	dag.TaskSkipped: reason.TaskMarkedSkipped,
}

func (m Mark) check() error {
	switch dag.TaskWish(m.State) {
	case dag.WishSuccess, dag.WishFailed, dag.WishSkipped:
		return nil
	}
	return fmt.Errorf("a task can be marked success, failed or skipped, not %.60q: %w", m.State, dag.ErrInvalid)
}

// choose keeps the task instances that the mark is for and that have another
// state.
func (m Mark) choose(r *runRecord, spec *dag.DAG, tasks []dag.TaskInstance) ([]dag.TaskInstance, error) {
	if _, err := oneTask(r, tasks, m.Task); err != nil {
		return nil, err
	}
	wanted := map[dag.TaskID]bool{m.Task: true}
	addRelatives(spec, wanted, m.Upstream, m.Downstream)
	return slices.DeleteFunc(slices.Clone(tasks),
		func(ti dag.TaskInstance) bool { return !wanted[ti.Task] || ti.State == m.State }), nil
}

// markRunTasks ends the tasks of one run and returns them as they are then.
func (s *Store) markRunTasks(t *tx, m Mark, run dag.RunID) ([]dag.TaskInstance, error) {
	a, err := s.openAct(t, m.By, m.DAG, run)
	if err != nil {
		return nil, err
	}
	chosen, err := m.choose(a.run, a.spec, a.tasks)
	if err != nil || len(chosen) == 0 {
		return nil, err
	}
	if a.run.State == dag.RunQueued {
		return nil, fmt.Errorf("run %q has not started; mark the run instead: %w", run, dag.ErrConflict)
	}
	why := reason.New(taskMarked[m.State], m.By.name())
	marked := map[dag.TaskID]bool{}
	for _, ti := range chosen {
		marked[ti.Task] = true
		if ti.State.Active() {
			err = a.wish(ti, dag.TaskWish(m.State), why)
		} else {
			err = a.mark(ti, m.State, why)
		}
		if err != nil {
			return nil, err
		}
		entry := AuditEntry{By: m.By, Event: "mark_task_" + string(m.State), DAG: m.DAG, Run: run, Task: ti.Task}
		if err := record(t, entry); err != nil {
			return nil, err
		}
	}
	if m.State != dag.TaskFailed {
		if err := a.reviveDownstream(marked); err != nil {
			return nil, err
		}
	}
	return s.reread(t, chosen)
}

// CancelTask stops the active attempt of a task instance, which then has failed
// and is not tried again. Cancelling it once more changes nothing. The error is dag.ErrConflict when none is active.
func (s *Store) CancelTask(ctx context.Context, by Actor, key dag.AttemptKey) error {
	return s.plainAct(ctx, by, "CancelTask", []any{key}, func(t *tx) error {
		a, ti, err := s.openTaskAct(t, by, key)
		if err != nil {
			return err
		}
		if !ti.State.Active() {
			return fmt.Errorf("task %q does not run: %w", ti.Task, dag.ErrConflict)
		}
		if ti.Wish == dag.WishCancel {
			return nil
		}
		if err := a.wish(ti, dag.WishCancel, reason.New(reason.Cancelled, by.name())); err != nil {
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
func (a *taskAct) mark(ti dag.TaskInstance, state dag.TaskState, why reason.Reason) error {
	if err := keepEndedTry(a.t, a.run, ti); err != nil {
		return err
	}
	// A task that has run keeps its times: they say how long it ran. One that has not was over in no time.
	if ti.StartedAt.IsZero() {
		ti.StartedAt, ti.EndedAt = a.t.now, a.t.now
	}
	if ti.EndedAt.IsZero() {
		ti.EndedAt = a.t.now
	}
	if ti.EndedAt.Before(ti.StartedAt) { // another clock said when it started
		ti.EndedAt = ti.StartedAt
	}
	ti.State, ti.SkippedWithRun, ti.Reason, ti.RetryAt = state, false, why, time.Time{}
	if err := a.write(ti); err != nil {
		return err
	}
	return a.requeue()
}

// reviveDownstream resets the tasks after marked ones that were given up.
func (a *taskAct) reviveDownstream(marked map[dag.TaskID]bool) error {
	after := maps.Clone(marked)
	addDownstream(a.spec, after)
	for _, ti := range a.tasks {
		if after[ti.Task] && !marked[ti.Task] && ti.GivenUp() {
			if err := a.clear(ti); err != nil {
				return err
			}
		}
	}
	return nil
}
