package store

import (
	"fmt"

	"dagwright/dag"
	"dagwright/reason"
)

// taskAct is an act of a person on task instances of one run, in a transaction
// that holds the DAG's lock: the scheduler decides either before or after it.
type taskAct struct {
	t     *tx
	by    Actor
	dag   *dagRecord
	run   *runRecord
	spec  *dag.DAG // of the run's version
	tasks []dag.TaskInstance
}

// openAct locks the DAG and reads the run. It refuses runs on which nobody can
// act.
func (s *Store) openAct(t *tx, by Actor, id dag.ID, run dag.RunID) (*taskAct, error) {
	d, err := lockDAG(t, id)
	if err != nil {
		return nil, err
	}
	r, err := findRun(t, id, run)
	if err != nil {
		return nil, err
	}
	if d.archived {
		return nil, ErrArchived(id)
	}
	if r.stopping {
		return nil, fmt.Errorf("attempts of run %q are still being stopped; try again in a moment: %w", run, dag.ErrConflict)
	}
	spec, err := s.specOfRun(t, d, r)
	if err != nil {
		return nil, err
	}
	tasks, err := tasksOf(t, r, spec)
	if err != nil {
		return nil, err
	}
	// The scheduler looks at a DAG when it changes; at its own changes of tasks it
	// need not look again.
	t.announce(Change{Kind: ChangeDAG, DAG: id})
	return &taskAct{t: t, by: by, dag: d, run: r, spec: spec, tasks: tasks}, nil
}

func (a *taskAct) task(id dag.TaskID) (dag.TaskInstance, error) { return oneTask(a.run, a.tasks, id) }

// clear resets a task instance, or, while an attempt is active, wishes for it.
func (a *taskAct) clear(ti dag.TaskInstance) error {
	task, ok := a.spec.Task(ti.Task)
	if !ok {
		return nil
	}
	tries := ti.Try + task.Retries + 1
	if ti.State.Active() {
		ti.MaxTries, ti.Lost = tries, 0
		return a.wish(ti, dag.WishClear, reason.New(reason.Cleared, a.by.name()))
	}
	if ti.Try > 0 {
		if err := keepTry(a.t, a.run, ti.Task, ti.State, ti.Try); err != nil {
			return err
		}
	}
	return a.write(dag.TaskInstance{DAG: ti.DAG, Run: ti.Run, Task: ti.Task, Try: ti.Try, MaxTries: tries})
}

// wish notes what happens to an active task instance, and who asked for it. The
// scheduler stops its attempt.
func (a *taskAct) wish(ti dag.TaskInstance, wish dag.TaskWish, why reason.Reason) error {
	ti.Wish, ti.Stopping, ti.Reason = wish, true, reason.New(reason.Stopped, why)
	return a.write(ti)
}

// write replaces a task instance.
func (a *taskAct) write(ti dag.TaskInstance) error {
	_, err := a.t.exec(setTask, taskArgs(a.run.pk, ti)...)
	if err != nil {
		return fmt.Errorf("write task %q of run %q of DAG %q: %w", ti.Task, a.run.ID, a.run.DAG, err)
	}
	a.t.announce(taskChange(ti))
	return nil
}

// requeue lets a run that has ended go on. It waits for its turn like any other
// queued run, so that max_active_runs holds.
func (a *taskAct) requeue() error {
	r := a.run
	if !r.State.Ended() {
		return nil
	}
	from := r.State
	r.State, r.Cleared, r.Reason, r.QueuedAt = dag.RunQueued, true, reason.Reason{}, a.t.now
	_, err := a.t.exec(`UPDATE dag_run SET state = 'queued', cleared = 1, queued_at = $2, end_date = 0,
			reason_code = '', reason_args = '' WHERE id = $1`, r.pk, r.QueuedAt)
	if err != nil {
		return fmt.Errorf("queue run %q of DAG %q again: %w", r.ID, r.DAG, err)
	}
	l := newLedger(a.t)
	l.moved(a.dag, r, from)
	return l.flush()
}
