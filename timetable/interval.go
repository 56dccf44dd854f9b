package timetable

import (
	"fmt"
	"time"

	"dagwright/dag"
)

// maxSteps bounds how many ticks are stepped over where the clock has changed:
// a few hours of seconds.
const maxSteps = 4 * 3600

// intervalNext is Airflow's CronDataIntervalTimetable.next_dagrun_info: the
// start of the next interval, or false when none is ever due. last is the
// previous run's interval or zero.
func (k *ticks) intervalNext(last dag.DataInterval, b Bounds, now time.Time) (time.Time, bool, error) {
	earliest, err := k.earliestStart(b, now)
	if err != nil {
		return earliest, false, err
	}
	if last.Start.IsZero() {
		return earliest, !earliest.IsZero(), nil
	}
	start, err := k.alignPrev(last.End)
	if err != nil {
		return start, false, err
	}
	start = latest(start, earliest)
	if start.After(last.Start) {
		return start, true, nil
	}
	start, err = k.advance(start, last.Start)
	return start, err == nil, err
}

// advance steps on from start to the first tick after last. A changed schedule
// can lead back to the previous run's start or before it, and so can a change
// of the clock by half an hour. Airflow steps once and then fails for good.
func (k *ticks) advance(start, last time.Time) (time.Time, error) {
	for range maxSteps {
		var err error
		if start, err = k.next(start); err != nil || start.After(last) {
			return start, err
		}
	}
	return start, fmt.Errorf("schedule %q: next interval does not start after %s", k.text, last.UTC().Format(time.RFC3339))
}

// earliestStart is the first interval start that is wanted; zero when there is
// no limit.
func (k *ticks) earliestStart(b Bounds, now time.Time) (time.Time, error) {
	if !b.Catchup {
		return k.skipToLatest(b.Start, now)
	}
	if b.Start.IsZero() {
		return time.Time{}, nil
	}
	return k.alignNext(b.Start)
}

// skipToLatest returns the start of the latest complete interval, or the first
// tick from earliest on when that is later.
func (k *ticks) skipToLatest(earliest, now time.Time) (time.Time, error) {
	start, err := k.latestComplete(now)
	if err != nil || earliest.IsZero() {
		return start, err
	}
	first, err := k.alignNext(earliest)
	return latest(start, first), err
}

// latestComplete is the start of the latest complete interval; of the first one where the
// schedule's years are to come.
func (k *ticks) latestComplete(now time.Time) (time.Time, error) {
	// An hourly schedule on few days can, after a change of the clock, find a
	// previous tick that lies hours too early; Airflow fails there with
	// "next schedule shouldn't be earlier". Stepping on finds the interval.
	start, err := k.prev(now)
	if k.outsideYears(err) {
		return k.alignNext(now)
	}
	for range maxSteps {
		if err != nil {
			return start, err
		}
		end, err := k.next(start)
		switch {
		case k.outsideYears(err), err == nil && end.After(now) && !sameMoment(end, now):
			return k.prevInYears(start)
		case err != nil:
			return end, err
		case sameMoment(end, now):
			return start, nil
		}
		start = end
	}
	return start, fmt.Errorf("schedule %q: no complete interval found before %s", k.text, now.UTC().Format(time.RFC3339))
}

// prevInYears is the tick before a tick, or that one where the schedule's years begin with it.
func (k *ticks) prevInYears(tick time.Time) (time.Time, error) {
	before, err := k.prev(tick)
	if k.outsideYears(err) {
		return tick, nil
	}
	return before, err
}

// lastComplete is the interval of a manual run: the last complete one.
func (k *ticks) lastComplete(at time.Time) (dag.DataInterval, error) {
	end, err := k.alignPrev(at)
	if err != nil {
		return dag.DataInterval{}, err
	}
	start, err := k.prev(end)
	return dag.DataInterval{Start: start, End: end}, err
}

func (k *ticks) intervalRun(start time.Time) (Run, error) {
	end, err := k.next(start)
	return Run{LogicalDate: start, Interval: dag.DataInterval{Start: start, End: end}, RunAfter: end}, err
}
