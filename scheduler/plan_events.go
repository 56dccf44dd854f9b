package scheduler

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
)

// applyEvents takes the attempts' reports into the task instances. A report of
// an earlier try, or about an attempt that has ended already, changes nothing;
// but if that attempt lives, nobody wants it, and it is stopped.
func (d *dagPlan) applyEvents(events []dag.AttemptEvent) {
	for _, e := range events {
		run, ti := d.active(e.Key)
		if run != nil {
			run.Edition = 0 // it has news, and is no more what the store knows
		}
		switch {
		case ti == nil:
			d.stopOrphan(e)
		case e.Phase == dag.AttemptWaiting:
			d.attemptWaiting(ti, e)
		case e.Phase == dag.AttemptStarted:
			d.attemptStarted(ti, e)
		default:
			d.attemptEnded(run, ti, e)
		}
	}
}

// active returns the task instance whose present try is the attempt, and its
// run; nil when the store is done with the attempt.
func (d *dagPlan) active(k dag.AttemptKey) (*store.RunDetail, *dag.TaskInstance) {
	run := d.run(k.Run)
	if run == nil || run.Epoch != k.Epoch {
		return nil, nil
	}
	ti := instance(run, k.Task)
	if ti == nil || ti.Try != k.Try || !ti.State.Active() {
		return nil, nil
	}
	return run, ti
}

// stopOrphan stops an attempt that lives though the store is done with it: one
// that was started late, after its start had been given up.
func (p *plan) stopOrphan(e dag.AttemptEvent) {
	if e.Phase != dag.AttemptEnded {
		p.stops = append(p.stops, e.Key)
	}
}

// attemptWaiting notes what an attempt waits for, so that the pages can tell.
func (d *dagPlan) attemptWaiting(ti *dag.TaskInstance, e dag.AttemptEvent) {
	if ti.State != dag.TaskQueued || ti.Stopping || ti.Reason == e.Reason && ti.Hostname == e.Hostname {
		return
	}
	d.update(ti, func(ti *dag.TaskInstance) { ti.Reason, ti.Hostname = e.Reason, e.Hostname })
}

func (d *dagPlan) run(id dag.RunID) *store.RunDetail {
	for i := range d.state.Runs {
		if d.state.Runs[i].ID == id {
			return &d.state.Runs[i]
		}
	}
	return nil
}

func instance(run *store.RunDetail, id dag.TaskID) *dag.TaskInstance {
	for i := range run.Tasks {
		if run.Tasks[i].Task == id {
			return &run.Tasks[i]
		}
	}
	return nil
}

func (d *dagPlan) attemptStarted(ti *dag.TaskInstance, e dag.AttemptEvent) {
	if ti.State != dag.TaskQueued {
		return
	}
	d.update(ti, func(ti *dag.TaskInstance) {
		ti.State = dag.TaskRunning
		ti.StartedAt = later(e.At, ti.QueuedAt)
		ti.Hostname, ti.PID = e.Hostname, e.PID
		if !ti.Stopping {
			ti.Reason = reason.Reason{} // it had told what the attempt waited for
		}
	})
}

// later returns the later of two times. Kubernetes reports whole seconds, so a
// container seems to start before its task was queued.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func (d *dagPlan) attemptEnded(run *store.RunDetail, ti *dag.TaskInstance, e dag.AttemptEvent) {
	d.free++
	d.update(ti, func(ti *dag.TaskInstance) {
		if ti.StartedAt.IsZero() {
			ti.StartedAt = later(e.At, ti.QueuedAt)
		}
		if ti.PID == 0 {
			ti.Hostname, ti.PID = e.Hostname, e.PID
		}
		ti.EndedAt = later(e.At, ti.StartedAt)
		ti.ExitCode, ti.HasExitCode = e.ExitCode, !e.Lost
		d.conclude(run, ti, e)
		ti.Stopping = false
	})
}

// conclude gives a task instance the state that its attempt's end means.
func (d *dagPlan) conclude(run *store.RunDetail, ti *dag.TaskInstance, e dag.AttemptEvent) {
	switch {
	case ti.Wish != dag.WishNone:
		grant(run, ti, e)
	case e.Succeeded():
		ti.State, ti.Reason = dag.TaskSuccess, reason.Reason{}
	case skips(run, ti.Task, e):
		ti.State, ti.Reason = dag.TaskSkipped, reason.New(reason.ExitCodeSkips, e.ExitCode)
	default:
		ti.Reason = failure(ti, e)
		d.failedState(run, ti, e)
	}
}

// skips reports whether an attempt ended with an exit code that skips the task
// (skip_on_exit_code, a number or a list of them).
func skips(run *store.RunDetail, id dag.TaskID, e dag.AttemptEvent) bool {
	task, ok := run.Spec.Task(id)
	if !ok || e.Lost || e.Stopped {
		return false
	}
	codes, ok := task.Pod["skip_on_exit_code"].([]any)
	if !ok {
		codes = []any{task.Pod["skip_on_exit_code"]}
	}
	return slices.ContainsFunc(codes, func(code any) bool {
		return code != nil && fmt.Sprint(code) == strconv.Itoa(e.ExitCode)
	})
}

// failure says why an attempt failed. A reason given when the attempt was
// stopped (a time-out) says more than the signal that ended it.
func failure(ti *dag.TaskInstance, e dag.AttemptEvent) reason.Reason {
	if ti.Stopping {
		return ti.Reason
	}
	return cmp.Or(e.Reason, reason.New(reason.ExitCode, e.ExitCode))
}

// failedState chooses between failed and up_for_retry. A lost attempt is the
// infrastructure's fault: it is tried again at once and uses up no retry, up
// to maxLost times. After a final failure there is no other try.
func (d *dagPlan) failedState(run *store.RunDetail, ti *dag.TaskInstance, e dag.AttemptEvent) {
	ti.State = dag.TaskFailed
	task, ok := run.Spec.Task(ti.Task)
	if !ok || run.State.Ended() {
		return
	}
	switch {
	case e.Final:
	case e.Lost && ti.Lost < d.maxLost:
		ti.Lost++
		ti.State, ti.RetryAt = dag.TaskUpForRetry, d.now
	case ti.Try < ti.MostTries():
		ti.State = dag.TaskUpForRetry
		ti.RetryAt = d.now.Add(dag.RetryDelay(task, run.DAG, run.ID, ti.Try))
	}
}
