package scheduler

import (
	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
)

// stopForWishes stops the attempts of which somebody wants something else than
// their own end.
func (d *dagPlan) stopForWishes(run *store.RunDetail) {
	for i := range run.Tasks {
		if ti := &run.Tasks[i]; ti.State.Active() && ti.Wish != dag.WishNone {
			d.stop(ti, ti.Reason)
		}
	}
}

// grant does what was wished of an attempt, now that it has ended. A wish to
// run once more that comes after the run's own end fails the task instead.
func grant(run *store.RunDetail, ti *dag.TaskInstance, e dag.AttemptEvent) {
	wish := ti.Wish
	ti.Wish = dag.WishNone
	switch {
	case wish == dag.WishSuccess:
		ti.State = dag.TaskSuccess
	case wish == dag.WishSkipped:
		ti.State = dag.TaskSkipped
	case wish == dag.WishCancel && e.Succeeded():
		ti.State, ti.Reason = dag.TaskSuccess, reason.Reason{}
	case wish == dag.WishClear && !run.State.Ended():
		// It is due at once. Its next try keeps this one as history.
		ti.State, ti.RetryAt = dag.TaskUpForRetry, e.At
	default:
		ti.State = dag.TaskFailed
	}
}
