package scheduler

import (
	"time"

	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
)

// timedOut ends a run that has taken longer than its dagrun_timeout and
// reports whether it did. Tasks that have not started are skipped, as Airflow
// does; attempts that run are stopped.
func (d *dagPlan) timedOut(run *store.RunDetail) bool {
	limit := run.Spec.RunTimeout
	if limit <= 0 {
		return false
	}
	end := run.StartedAt.Add(limit)
	if d.now.Before(end) {
		d.wakeAt(end)
		return false
	}
	why := reason.New(reason.RunTimeout, limit)
	for i := range run.Tasks {
		if ti := &run.Tasks[i]; !ti.State.Ended() && !ti.State.Active() {
			d.update(ti, func(ti *dag.TaskInstance) { ti.SkipWithRun(why, d.now) })
		}
	}
	d.endRun(run, dag.RunFailed, why)
	d.stopLeftovers(run)
	return true
}

// stopLeftovers stops the attempts of a run that has ended.
func (d *dagPlan) stopLeftovers(run *store.RunDetail) {
	for i := range run.Tasks {
		if ti := &run.Tasks[i]; ti.State.Active() {
			d.stop(ti, reason.New(reason.RunEnded, run.State))
		}
	}
}

// watchTimeouts stops the attempts that run longer than their
// execution_timeout.
func (d *dagPlan) watchTimeouts(run *store.RunDetail) {
	for i := range run.Tasks {
		ti := &run.Tasks[i]
		task, ok := run.Spec.Task(ti.Task)
		if !ok || ti.State != dag.TaskRunning || task.ExecutionTimeout <= 0 {
			continue
		}
		end := ti.StartedAt.Add(task.ExecutionTimeout)
		if d.now.Before(end) {
			d.wakeAt(end)
			continue
		}
		d.stop(ti, reason.New(reason.Stopped, reason.New(reason.TaskTimeout, task.ExecutionTimeout)))
	}
}

// stopAgain is how long after a stop the attempt is checked again.
const stopAgain = time.Minute

// stop asks for the end of an attempt and writes down why, so that its end is
// explained. An attempt that is being stopped already is stopped again, which
// does no harm and covers a wish that was lost in a crash or that the executor
// could not carry out.
func (d *dagPlan) stop(ti *dag.TaskInstance, why reason.Reason) {
	if !ti.Stopping {
		d.update(ti, func(ti *dag.TaskInstance) { ti.Stopping, ti.Reason = true, why })
	}
	d.wakeAt(d.now.Add(stopAgain))
	d.stops = append(d.stops, ti.Key())
}
