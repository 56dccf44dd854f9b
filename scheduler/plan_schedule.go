package scheduler

import (
	"time"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/timetable"
)

// scheduleRun creates the DAG's next scheduled run when it is due, or sets the
// timer for it.
//
// The next run is always computed from the newest scheduled run, never kept as
// state of its own, so a changed schedule counts at once. A DAG whose run
// slots are all taken creates none until one is free (as Airflow), and a
// paused time is not made up for unless the DAG catches up.
func (d *dagPlan) scheduleRun() {
	next, ok := d.nextRun()
	if !ok {
		d.setNext(timetable.Run{})
		return
	}
	if next.RunAfter.After(d.now) {
		d.setNext(next)
		d.wakeAt(next.RunAfter)
		return
	}
	// Runs that this step started were queued in the snapshot.
	if queued := d.state.Queued - d.started; d.running+queued >= d.state.DAG.MaxActiveRuns {
		d.setNext(next)
		return
	}
	d.createRun(next)
}

func (d *dagPlan) createRun(next timetable.Run) {
	run := dag.Run{
		DAG:         d.id(),
		ID:          dag.ScheduledRunID(next.RunAfter),
		Type:        dag.RunScheduled,
		State:       dag.RunQueued,
		Version:     d.state.Version,
		LogicalDate: next.LogicalDate,
		Interval:    next.Interval,
		RunAfter:    next.RunAfter,
		QueuedAt:    d.now,
		TriggeredBy: "timetable",
	}
	d.state.LastScheduled = next.LogicalDate
	following, _ := d.nextRun()
	d.add(store.CreateRun{Run: run, Next: nextRun(following)})
	d.again = append(d.again, d.id())
}

func (d *dagPlan) setNext(next timetable.Run) {
	if n := nextRun(next); n != d.state.Next {
		d.add(store.SetNext{DAG: d.id(), Next: n})
		d.state.Next = n
	}
}

func nextRun(r timetable.Run) store.NextRun {
	return store.NextRun{LogicalDate: r.LogicalDate, Interval: r.Interval, RunAfter: r.RunAfter}
}

// nextRun returns the scheduled run that follows the newest one, and whether
// there is one. A paused DAG has none.
func (d *dagPlan) nextRun() (timetable.Run, bool) {
	tt := d.timetables[d.id()]
	if tt == nil || d.state.Paused || d.state.Archived {
		return timetable.Run{}, false
	}
	if d.state.DAG.Schedule.Kind == dag.ScheduleContinuous && d.running+d.state.Queued > 0 {
		return timetable.Run{}, false
	}
	bounds := timetable.Bounds{Start: d.state.DAG.StartDate, End: d.state.DAG.EndDate, Catchup: d.state.DAG.Catchup}
	schedule, last, now := d.state.DAG.Schedule, d.lastDate(), d.now
	// A schedule can say itself whether its first run may be one that has passed.
	mayBeLate := schedule.Late != 0 && last.IsZero() && bounds.Start.IsZero()
	if bounds.Start.IsZero() && !mayBeLate {
		bounds.Start = d.state.UnpausedAt
	}
	if schedule.Kind == dag.ScheduleDelta && last.IsZero() && !d.state.UnpausedAt.IsZero() {
		now = d.state.UnpausedAt // the moment from which it counts; the answer must stay the same
	}
	next, ok, err := tt.Next(last, bounds, now)
	// Without catchup the timetable offers the latest missed run; one that
	// fell into the time before the DAG was un-paused is passed over.
	for n := 0; err == nil && ok && !bounds.Catchup && !mayBeLate && n < 3 && d.beforeUnpause(next); n++ {
		next, ok, err = tt.Next(next.LogicalDate, bounds, now)
	}
	if err != nil || !ok {
		return timetable.Run{}, false
	}
	return next, true
}

func (d *dagPlan) beforeUnpause(next timetable.Run) bool {
	return d.state.DAG.Schedule.Kind != dag.ScheduleOnce && next.RunAfter.Before(d.state.UnpausedAt)
}

// lastDate is the logical date after which the next scheduled run is sought.
func (d *dagPlan) lastDate() time.Time {
	last := d.state.LastScheduled
	if t := d.taken[d.id()]; t.After(last) {
		return t
	}
	return last
}
