package timetable

import (
	"time"

	"dagwright/dag"
)

// firstRunWindow is the least lateness at which a trigger timetable without a
// start date still makes the run of the past tick.
const firstRunWindow = 5 * time.Minute

// triggerNext is Airflow's CronTriggerTimetable.next_dagrun_info. last is the
// previous run's tick or zero.
func (k *ticks) triggerNext(last time.Time, b Bounds, now time.Time) (time.Time, error) {
	if b.Catchup {
		switch {
		case !last.IsZero():
			return k.next(last)
		case b.Start.IsZero():
			return k.firstRun(now)
		}
		return k.alignNext(b.Start)
	}
	tick, err := k.alignPrev(now)
	if err != nil && !k.outsideYears(err) {
		return tick, err
	}
	if !last.IsZero() || b.Start.IsZero() {
		after, err := k.afterLast(last, now)
		if err != nil {
			return tick, err
		}
		tick = latest(tick, after)
	}
	if b.Start.IsZero() {
		return tick, nil
	}
	first, err := k.alignNext(b.Start)
	return latest(tick, first), err
}

func (k *ticks) afterLast(last, now time.Time) (time.Time, error) {
	if last.IsZero() {
		return k.firstRun(now)
	}
	return k.next(last)
}

// firstRun is the first tick of a schedule without a start date: the next one,
// or the past one when it is at most a tenth of the way to the next, or five
// minutes, ago (Airflow's _calc_first_run; its run_immediately=False behaves so
// too, in spite of its documentation). A schedule may give the time itself.
func (k *ticks) firstRun(now time.Time) (time.Time, error) {
	past, err := k.alignPrev(now)
	if k.outsideYears(err) {
		return k.next(now)
	}
	if err != nil {
		return past, err
	}
	next, err := k.alignNext(now)
	if err != nil {
		return next, err
	}
	late := k.late
	if late == 0 {
		late = max(next.Sub(past)/10, firstRunWindow)
	}
	if now.Sub(past) <= late {
		return past, nil
	}
	return next, nil
}

func tickRun(t time.Time) Run {
	return Run{LogicalDate: t, Interval: dag.DataInterval{Start: t, End: t}, RunAfter: t}
}
