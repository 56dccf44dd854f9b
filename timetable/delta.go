package timetable

import (
	"time"

	"dagwright/dag"
)

// nextDelta is Airflow's DeltaTriggerTimetable.next_dagrun_info: the first run at the start
// date, or now when that has passed and nothing is to be caught up on, and each further one
// a step later. last is the previous run's tick or zero.
//
// After missed runs Airflow makes the next one now and counts on from there; here the runs
// stay in step with the last one, so that the same moment gives the same answer however
// often it is asked for.
func nextDelta(every dag.Delta, last time.Time, b Bounds, now time.Time) time.Time {
	switch {
	case last.IsZero() && b.Catchup && !b.Start.IsZero():
		return b.Start
	case last.IsZero():
		return latest(b.Start, now)
	case b.Catchup:
		return every.After(last)
	}
	return latest(deltaUpTo(every, every.After(last), now), b.Start)
}

// deltaUpTo steps on from tick to the last tick that is not after limit.
func deltaUpTo(every dag.Delta, tick, limit time.Time) time.Time {
	if every.Months == 0 && limit.After(tick) {
		return tick.Add(limit.Sub(tick) / every.Duration * every.Duration)
	}
	for { // a step is some four weeks at least
		next := every.After(tick)
		if next.After(limit) {
			return tick
		}
		tick = next
	}
}

// deltaFrom returns the first tick after after of a schedule that begins at start; without
// a start, after itself is where it begins.
func deltaFrom(every dag.Delta, start, after time.Time) time.Time {
	switch {
	case start.IsZero():
		return every.After(after)
	case start.After(after):
		return start
	}
	return every.After(deltaUpTo(every, start, after))
}
