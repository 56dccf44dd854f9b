package timetable

import (
	"time"

	"dagwright/dag"
)

// nextOnce is Airflow's OnceTimetable: one run at the start date, or now when
// there is none, whatever catchup says.
func nextOnce(last time.Time, b Bounds, now time.Time) (Run, bool) {
	if !last.IsZero() {
		return Run{}, false
	}
	at := b.Start
	if at.IsZero() {
		at = now
	}
	return tickRun(at), !b.ended(at)
}

// nextContinuous is Airflow's ContinuousTimetable: a run as soon as the
// previous one has ended, about the time since that one's interval. The caller
// sees to it that only one is active. The logical date is the interval's end,
// so that it is unique though only the last logical date is known here.
func nextContinuous(last time.Time, b Bounds, now time.Time) (Run, bool) {
	at := latest(now, b.Start, last)
	since := latest(b.Start, last)
	if since.IsZero() {
		since = at
	}
	if at.Equal(last) {
		at = at.Add(time.Microsecond)
	}
	run := Run{LogicalDate: at, Interval: dag.DataInterval{Start: since, End: at}, RunAfter: at}
	return run, !b.ended(at)
}
