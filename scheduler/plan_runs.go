package scheduler

import (
	"slices"
	"time"

	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
)

// advanceRun takes a running run one step further: tasks that can be decided
// without running are, ready ones are queued, and the run ends when nothing
// is left.
func (d *dagPlan) advanceRun(run *store.RunDetail) {
	if d.timedOut(run) {
		return
	}
	d.settle(run)
	d.queueTasks(run)
	d.watchTimeouts(run)
	d.stopForWishes(run)
	if state, done := dag.Outcome(run.Spec, states(run)); done {
		d.endRun(run, state, failedTasks(run))
	}
}

func states(run *store.RunDetail) map[dag.TaskID]dag.TaskState {
	m := make(map[dag.TaskID]dag.TaskState, len(run.Tasks))
	for _, ti := range run.Tasks {
		m[ti.Task] = ti.State
	}
	return m
}

func failedTasks(run *store.RunDetail) reason.Reason {
	for _, ti := range run.Tasks {
		if ti.State == dag.TaskFailed {
			return reason.New(reason.TaskFailed, ti.Task, ti.Reason)
		}
	}
	return reason.Reason{}
}

func (d *dagPlan) endRun(run *store.RunDetail, state dag.RunState, why reason.Reason) {
	if state == dag.RunSuccess {
		why = reason.Reason{}
	}
	d.add(store.EndRun{DAG: run.DAG, Run: run.ID, From: run.State, State: state, At: d.now, Reason: why})
	run.State = state
	*d.slots(run)--
}

// settle gives a final state to the tasks that can be decided without running: those whose
// trigger rule says that they will never run, and those that run nothing. One leads to the other.
func (d *dagPlan) settle(run *store.RunDetail) {
	d.settleRules(run)
	for d.passEmpty(run) {
		d.settleRules(run)
	}
}

// passEmpty makes the empty tasks whose turn has come a success, as Airflow's scheduler does,
// and reports whether there was one.
func (d *dagPlan) passEmpty(run *store.RunDetail) (passed bool) {
	if !slices.ContainsFunc(run.Spec.Tasks, func(t dag.Task) bool { return t.Empty() }) {
		return false
	}
	now := states(run)
	for _, id := range dag.Order(run.Spec) {
		task, _ := run.Spec.Task(id)
		ti := instance(run, id)
		if ti == nil || !task.Empty() || ti.State != dag.TaskNone || !dag.MayStart(run.Spec, id, now) {
			continue
		}
		d.update(ti, func(ti *dag.TaskInstance) {
			ti.State, ti.StartedAt, ti.EndedAt = dag.TaskSuccess, d.now, d.now
		})
		now[id], passed = dag.TaskSuccess, true
	}
	return passed
}

func (d *dagPlan) settleRules(run *store.RunDetail) {
	for _, s := range dag.Settle(run.Spec, states(run)) {
		d.update(instance(run, s.Task), func(ti *dag.TaskInstance) {
			ti.State, ti.Reason = s.State, s.Reason
			ti.StartedAt, ti.EndedAt = d.now, d.now
		})
	}
}

// queueTasks hands ready tasks to the executor, the most important first, as
// far as the run's and the instance's slots reach.
func (d *dagPlan) queueTasks(run *store.RunDetail) {
	slots := run.Spec.MaxActiveTasks
	for _, ti := range run.Tasks {
		if ti.State.Active() {
			slots--
		}
	}
	for _, ti := range d.readyTasks(run) {
		if d.free <= 0 {
			d.waits, d.hungry = true, true
			return
		}
		if slots <= 0 {
			return
		}
		d.update(ti, func(ti *dag.TaskInstance) { queue(ti, d.now) })
		slots--
		d.free--
	}
}

// queue makes a task instance the start of its next try.
func queue(ti *dag.TaskInstance, now time.Time) {
	*ti = dag.TaskInstance{
		DAG: ti.DAG, Run: ti.Run, Task: ti.Task, Epoch: ti.Epoch,
		State: dag.TaskQueued, Try: ti.Try + 1, MaxTries: ti.MaxTries, Lost: ti.Lost, QueuedAt: now,
	}
}

// readyTasks lists the task instances that may be queued now, by priority
// weight and then in topological order. Retries that are not due yet set the
// DAG's timer.
func (d *dagPlan) readyTasks(run *store.RunDetail) []*dag.TaskInstance {
	var ready []*dag.TaskInstance
	now := states(run)
	for _, id := range dag.Order(run.Spec) {
		ti := instance(run, id)
		switch {
		case ti == nil:
		case ti.State == dag.TaskUpForRetry && ti.RetryAt.After(d.now):
			d.wakeAt(ti.RetryAt)
		case ti.State == dag.TaskUpForRetry:
			ready = append(ready, ti)
		case ti.State == dag.TaskNone:
			if dag.MayStart(run.Spec, id, now) {
				ready = append(ready, ti)
			}
		}
	}
	slices.SortStableFunc(ready, func(a, b *dag.TaskInstance) int {
		return weight(run, b) - weight(run, a)
	})
	return ready
}

func weight(run *store.RunDetail, ti *dag.TaskInstance) int {
	if task, ok := run.Spec.Task(ti.Task); ok {
		return task.PriorityWeight
	}
	return 0
}

// startRuns moves queued runs to running while the DAG has free run slots and
// the instance has a slot for a task of theirs.
func (d *dagPlan) startRuns() {
	for i := range d.state.Runs {
		run := &d.state.Runs[i]
		if run.State != dag.RunQueued || run.InBackfill {
			continue
		}
		if run.RunAfter.After(d.now) {
			d.wakeAt(run.RunAfter)
			continue
		}
		if d.running >= d.state.DAG.MaxActiveRuns {
			return
		}
		if d.free <= 0 {
			d.waits = true
			return
		}
		d.startRun(run)
	}
	if d.started > 0 && d.state.Queued > d.started && d.running < d.state.DAG.MaxActiveRuns {
		d.again = append(d.again, d.id())
	}
}

// startRun writes the run's task instances in the state that they have after
// this step, so that a run which can start at once costs one write.
func (d *dagPlan) startRun(run *store.RunDetail) {
	run.State, run.StartedAt = dag.RunRunning, d.now
	if !run.Cleared {
		run.Tasks = make([]dag.TaskInstance, len(run.Spec.Tasks))
		for i, task := range run.Spec.Tasks {
			run.Tasks[i] = dag.TaskInstance{DAG: run.DAG, Run: run.ID, Task: task.ID, MaxTries: task.Retries + 1,
				Epoch: run.Epoch}
		}
	}
	run.Cleared = false
	at := len(d.actions)
	d.add(store.StartRun{DAG: run.DAG, Run: run.ID, At: d.now})
	*d.slots(run)++
	if run.InBackfill {
		d.backfilled++
	} else {
		d.started++
	}
	d.advanceRun(run)
	d.foldUpdates(at, run)
}

// foldUpdates replaces the task updates that follow the StartRun at index at
// by that action's own list of task instances.
func (d *dagPlan) foldUpdates(at int, run *store.RunDetail) {
	start := d.actions[at].(store.StartRun)
	start.Tasks = slices.Clone(run.Tasks)
	kept := []store.Action{start}
	for _, a := range d.actions[at+1:] {
		if _, ok := a.(store.UpdateTask); !ok {
			kept = append(kept, a)
		}
	}
	d.actions = append(d.actions[:at], kept...)
}
