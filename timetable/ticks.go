package timetable

import (
	"errors"
	"fmt"
	"time"
)

// errNoDate is what an expression such as "0 0 30 2 *" ends in.
var errNoDate = errors.New("no such date")

// ticks is the sequence of moments at which a cron schedule fires in its zone.
//
// The methods are those of Airflow's CronMixin.
type ticks struct {
	text string
	expr *expression
	zone zone
	// late is how late the first run may be, as in dag.Schedule.
	late time.Duration
}

// next returns the first tick after t.
func (k *ticks) next(t time.Time) (time.Time, error) {
	offset := k.zone.offset(t)
	wall, ok := k.expr.next(t.Unix() + int64(offset))
	if !ok {
		return time.Time{}, k.noDate("after", t)
	}
	return k.moment(wall, offset), nil
}

// prev returns the last tick before t. Where the clock was put forward, the time before
// it on the wall can be one that was skipped, and whose moment is t or later; where it
// was put back, one whose second occurrence is later. Then the one before it counts, as
// in Airflow since apache/airflow#70089, which is not in 3.3.2.
func (k *ticks) prev(t time.Time) (time.Time, error) {
	offset := k.zone.offset(t)
	from := t.Unix() + int64(offset)
	// Airflow counts in microseconds.
	if t.Nanosecond() < int(time.Microsecond) {
		from--
	}
	for range maxSteps {
		wall, ok := k.expr.prev(from)
		if !ok {
			return time.Time{}, k.noDate("before", t)
		}
		if m := k.moment(wall, offset); m.Before(t.Truncate(time.Microsecond)) {
			return m, nil
		}
		from = wall - 1
	}
	return time.Time{}, k.noDate("before", t)
}

// moment is when a tick falls that was found from a moment with the given
// offset. With "*" as hour Airflow adds the elapsed time to that moment, which
// is the same as keeping its offset: so both hours of a fold get their runs.
func (k *ticks) moment(wall int64, offset int) time.Time {
	if k.expr.everyHour {
		return time.Unix(wall-int64(offset), 0).UTC()
	}
	return k.zone.moment(wall)
}

// outsideYears reports whether an error is that a schedule of certain years has no tick on
// one side of a time: those years are all past, or all to come. Airflow fails there, so that
// it never makes the first run of a schedule whose years are to come.
func (k *ticks) outsideYears(err error) bool {
	return errors.Is(err, errNoDate) && !k.expr.everyYear
}

func (k *ticks) noDate(where string, t time.Time) error {
	return fmt.Errorf("schedule %q: %w: nothing matches in the %d years %s %s",
		k.text, errNoDate, searchYears, where, t.UTC().Format(time.RFC3339))
}

// alignNext returns t when it is a tick, else the next tick.
func (k *ticks) alignNext(t time.Time) (time.Time, error) {
	next, err := k.next(t)
	if k.outsideYears(err) && k.isTick(t) {
		return t, nil
	}
	if err != nil {
		return next, err
	}
	back, err := k.prev(next)
	switch {
	case err == nil && sameMoment(back, t):
		return back, nil
	case k.outsideYears(err):
		return next, nil
	}
	return next, err
}

// alignPrev returns t when it is a tick, else the last tick before it.
func (k *ticks) alignPrev(t time.Time) (time.Time, error) {
	prev, err := k.prev(t)
	if k.outsideYears(err) && k.isTick(t) {
		return t, nil
	}
	if err != nil {
		return prev, err
	}
	forth, err := k.next(prev)
	switch {
	case err == nil && sameMoment(forth, t):
		return forth, nil
	case k.outsideYears(err):
		return prev, nil
	}
	return prev, err
}

func (k *ticks) isTick(t time.Time) bool {
	last, err := k.prev(t.Add(time.Microsecond))
	return err == nil && sameMoment(last, t)
}

// sameMoment compares to the microsecond, as Airflow's clock does.
func sameMoment(a, b time.Time) bool {
	return a.Truncate(time.Microsecond).Equal(b.Truncate(time.Microsecond))
}

func latest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.After(first) {
			first = t
		}
	}
	return first
}
