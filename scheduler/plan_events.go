package scheduler

import (
	"fmt"
	"slices"
	"strconv"

	"dagwright/dag"
	"dagwright/store"
)

// applyEvents takes the attempts' reports into the task instances. A report of
// an earlier try, or about an attempt that has ended already, changes nothing.
func (d *dagPlan) applyEvents(events []dag.AttemptEvent) {
	for _, e := range events {
		run := d.run(e.Key.Run)
		if run == nil {
			continue
		}
		ti := instance(run, e.Key.Task)
		if ti == nil || ti.Try != e.Key.Try || !ti.State.Active() {
			continue
		}
		if e.Phase == dag.AttemptStarted {
			d.attemptStarted(ti, e)
		} else {
			d.attemptEnded(run, ti, e)
		}
	}
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
		ti.StartedAt = e.At
		ti.Hostname, ti.PID = e.Hostname, e.PID
	})
}

func (d *dagPlan) attemptEnded(run *store.RunDetail, ti *dag.TaskInstance, e dag.AttemptEvent) {
	d.free++
	d.update(ti, func(ti *dag.TaskInstance) {
		if ti.StartedAt.IsZero() {
			ti.StartedAt = e.At
		}
		if ti.PID == 0 {
			ti.Hostname, ti.PID = e.Hostname, e.PID
		}
		ti.EndedAt = e.At
		ti.ExitCode, ti.HasExitCode = e.ExitCode, !e.Lost
		if e.Succeeded() {
			ti.State, ti.Reason = dag.TaskSuccess, ""
			return
		}
		if skips(run, ti.Task, e) {
			ti.State, ti.Reason = dag.TaskSkipped, fmt.Sprintf("exit code %d is a skip_on_exit_code", e.ExitCode)
			return
		}
		ti.Reason = failure(ti.Reason, e)
		d.failedState(run, ti, e)
	})
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
func failure(stopReason string, e dag.AttemptEvent) string {
	switch {
	case stopReason != "":
		return stopReason
	case e.Reason != "":
		return e.Reason
	}
	return fmt.Sprintf("exit code %d", e.ExitCode)
}

// failedState chooses between failed and up_for_retry. A lost attempt is the
// infrastructure's fault: it is tried again at once and uses up no retry, up
// to maxLost times.
func (d *dagPlan) failedState(run *store.RunDetail, ti *dag.TaskInstance, e dag.AttemptEvent) {
	ti.State = dag.TaskFailed
	task, ok := run.Spec.Task(ti.Task)
	if !ok || run.State.Ended() {
		return
	}
	switch lost := ti.MaxTries - (task.Retries + 1); {
	case e.Lost && lost < d.maxLost:
		ti.MaxTries++
		ti.State, ti.RetryAt = dag.TaskUpForRetry, d.now
	case ti.Try < ti.MaxTries:
		ti.State = dag.TaskUpForRetry
		ti.RetryAt = d.now.Add(dag.RetryDelay(task, run.DAG, run.ID, ti.Try))
	}
}
