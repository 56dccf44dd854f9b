// Package timetable turns a DAG's schedule into logical dates and data
// intervals, as Airflow 3.3.2 does, also across changes of daylight saving time
// (except for one corrected rule, see ticks.prev). It is pure: the time is always given.
//
// A cron expression is read by croniter's rules, which are richer than those
// of package cron, and searched on the naive wall clock (expression, search).
// The wall-clock times then become moments in the schedule's zone (ticks,
// zone), and Airflow's two cron timetables choose among them (trigger,
// interval).
package timetable

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"dagwright/dag"
)

// Run is one scheduled run that a timetable calls for. All its times are UTC
// but those that come straight from the caller's bounds.
type Run struct {
	LogicalDate time.Time
	Interval    dag.DataInterval
	// RunAfter is the earliest time at which the run may be created.
	RunAfter time.Time
}

// Timetable yields the runs of one schedule. It is immutable and safe for
// concurrent use.
type Timetable struct {
	kind dag.ScheduleKind
	// crons are those of the two cron kinds; several of ScheduleCronTrigger alone.
	crons []*ticks
	every dag.Delta // of ScheduleDelta
	// interval and late are those of the schedule.
	interval, late time.Duration
}

// Parse checks a schedule's expression and zone. The error says what is wrong
// and what would be right, and matches dag.ErrInvalid. No zone means UTC. An
// expression that can be read but names no date, such as "0 0 30 2 *", is
// accepted as in Airflow and fails when a run is computed.
func Parse(s dag.Schedule) (*Timetable, error) {
	t := &Timetable{kind: s.Kind, every: s.Every, interval: s.Interval, late: s.Late}
	switch s.Kind {
	case dag.ScheduleNone, dag.ScheduleOnce, dag.ScheduleContinuous:
		return t, nil
	case dag.ScheduleDelta:
		if s.Every.Months < 0 || s.Every.Duration < 0 || s.Every == (dag.Delta{}) {
			return nil, fault{errors.New("the time from one run to the next must be positive")}
		}
		return t, nil
	case dag.ScheduleCronTrigger, dag.ScheduleCronInterval:
		if err := t.readCrons(s); err != nil {
			return nil, err
		}
		return t, nil
	}
	return nil, fmt.Errorf("schedule kind %q is unknown: want %s, %s, %s, %s, %s or %s: %w", s.Kind, dag.ScheduleNone,
		dag.ScheduleOnce, dag.ScheduleContinuous, dag.ScheduleCronTrigger, dag.ScheduleCronInterval, dag.ScheduleDelta,
		dag.ErrInvalid)
}

func (t *Timetable) readCrons(s dag.Schedule) error {
	loc, zoneErr := loadZone(s.Timezone)
	exprs := s.Exprs()
	if len(exprs) == 0 || s.Kind == dag.ScheduleCronInterval {
		exprs = []string{s.Expr}
	}
	for _, text := range exprs {
		expr, err := parseExpression(text)
		if err != nil && len(exprs) > 1 {
			err = fmt.Errorf("expression %q: %w", text, err)
		}
		if err := cmp.Or(err, zoneErr); err != nil {
			return fault{err}
		}
		t.crons = append(t.crons, &ticks{text: text, expr: expr, zone: zone{loc}, late: s.Late})
	}
	return nil
}

// fault is what is wrong with a schedule: which field or zone, and what would be right.
// It matches dag.ErrInvalid.
type fault struct{ error }

func (f fault) Unwrap() []error { return []error{dag.ErrInvalid, f.error} }

func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("time zone %q is unknown: want an IANA name such as Europe/Berlin", name)
	}
	return loc, nil
}

// Bounds limits the logical dates of scheduled runs, both ends inclusive; zero
// times do not limit. With Catchup every missed run is wanted, without it only
// the latest one.
type Bounds struct {
	Start, End time.Time
	Catchup    bool
}

func (b Bounds) ended(t time.Time) bool { return !b.End.IsZero() && t.After(b.End) }

// Next returns the run that follows the one whose logical date is last (zero:
// no run yet) and false when there is none, ever. now matters only without
// catchup or start date: missed runs are skipped except for the latest one, by
// Airflow's rules for catchup=False. The run's logical date is always after
// last. The error says that the schedule names no date in the next 50 years; one of certain
// years, in its seventh field, has no next run after the last of them.
//
// With @continuous the caller asks when the previous run has ended; last is
// that run's logical date, and the new run is due at once.
func (t *Timetable) Next(last time.Time, b Bounds, now time.Time) (Run, bool, error) {
	interval := dag.DataInterval{Start: last, End: last.Add(t.interval)}
	if last.IsZero() {
		interval = dag.DataInterval{}
	} else if t.kind == dag.ScheduleCronInterval {
		end, err := t.crons[0].next(last)
		if t.crons[0].outsideYears(err) {
			return Run{}, false, nil
		}
		if err != nil {
			return Run{}, false, fmt.Errorf("compute next run: %w", err)
		}
		interval.End = end
	}
	run, ok, err := t.following(interval, b, now)
	if err != nil {
		return Run{}, false, fmt.Errorf("compute next run: %w", err)
	}
	if !ok {
		return Run{}, false, nil
	}
	if !last.IsZero() && !run.LogicalDate.After(last) {
		return Run{}, false, fmt.Errorf("compute next run: schedule %q does not advance past %s", t.text(),
			last.UTC().Format(time.RFC3339))
	}
	return run, true, nil
}

// following returns the run after the one with the given interval.
func (t *Timetable) following(last dag.DataInterval, b Bounds, now time.Time) (Run, bool, error) {
	switch t.kind {
	case dag.ScheduleOnce:
		run, ok := nextOnce(last.Start, b, now)
		return run, ok, nil
	case dag.ScheduleContinuous:
		run, ok := nextContinuous(last.End, b, now)
		return run, ok, nil
	case dag.ScheduleDelta:
		tick := nextDelta(t.every, last.End, b, now)
		return t.triggerRun(tick), !b.ended(tick), nil
	case dag.ScheduleCronTrigger:
		return t.followingTick(last.End, b, now)
	case dag.ScheduleCronInterval:
		return t.followingInterval(last, b, now)
	}
	return Run{}, false, nil
}

// followingTick is following for cron expressions that trigger runs. Of several, the tick
// counts that comes first or, without catchup, the latest one that has passed: so Airflow's
// MultipleCronTriggerTimetable chooses.
func (t *Timetable) followingTick(last time.Time, b Bounds, now time.Time) (Run, bool, error) {
	var best time.Time
	for _, k := range t.crons {
		tick, err := k.triggerNext(last, b, now)
		switch {
		case k.outsideYears(err):
			continue // its years are over
		case err != nil:
			return Run{}, false, err
		case b.ended(tick):
			continue
		}
		if best.IsZero() || sooner(tick, best, b, now) {
			best = tick
		}
	}
	return t.triggerRun(best), !best.IsZero(), nil
}

// sooner reports whether the run of tick a comes before that of tick b.
func sooner(a, b time.Time, bounds Bounds, now time.Time) bool {
	if aPast := !a.After(now); !bounds.Catchup && (aPast || !b.After(now)) {
		return aPast && (b.After(now) || a.After(b))
	}
	return a.Before(b)
}

// triggerRun is the run of a tick, whose interval ends with it.
func (t *Timetable) triggerRun(tick time.Time) Run {
	run := tickRun(tick)
	run.LogicalDate = tick.Add(-t.interval)
	run.Interval.Start = run.LogicalDate
	return run
}

func (t *Timetable) followingInterval(last dag.DataInterval, b Bounds, now time.Time) (Run, bool, error) {
	k := t.crons[0]
	start, ok, err := k.intervalNext(last, b, now)
	var run Run
	if err == nil && ok && !b.ended(start) {
		run, err = k.intervalRun(start)
	}
	if k.outsideYears(err) {
		return Run{}, false, nil // its years are over
	}
	return run, err == nil && ok && !b.ended(start), err
}

// text is the schedule for messages.
func (t *Timetable) text() string {
	texts := make([]string, len(t.crons))
	for i, k := range t.crons {
		texts[i] = k.text
	}
	if t.kind == dag.ScheduleDelta {
		return t.every.String()
	}
	return strings.Join(texts, ", ")
}

// Upcoming returns the next n runs as with catchup: those whose RunAfter is
// strictly after after, or, when after is zero, from the first one at b.Start
// on (a start on a tick counts). Fewer come back when b.End cuts them off, when
// the schedule is none, or @continuous, whose runs cannot be foretold. The
// error, which matches dag.ErrInvalid, says that neither after nor b.Start is
// given; another that the schedule names no date. A schedule whose years are over has none.
func (t *Timetable) Upcoming(after time.Time, b Bounds, n int) ([]Run, error) {
	if after.IsZero() && b.Start.IsZero() && t.isPeriodic() {
		return nil, fmt.Errorf("list runs: %w: neither a start date nor a time after which is given", dag.ErrInvalid)
	}
	b.Catchup = true
	if t.kind == dag.ScheduleOnce && !b.Start.IsZero() && b.Start.After(after) && !b.ended(b.Start) && n > 0 {
		return []Run{tickRun(b.Start)}, nil
	}
	if !t.isPeriodic() || n <= 0 {
		return nil, nil
	}
	b, err := t.startAfter(after, b)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var runs []Run
	var last dag.DataInterval
	for len(runs) < n {
		run, ok, err := t.following(last, b, after)
		if err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
		if !ok {
			return runs, nil
		}
		last = run.Interval
		if !run.RunAfter.After(after) {
			continue
		}
		runs = append(runs, run)
	}
	return runs, nil
}

func (t *Timetable) isPeriodic() bool { return dag.Schedule{Kind: t.kind}.Periodic() }

// startAfter moves b.Start to the tick whose run is the first that can be due
// after after. A cron schedule whose years are over has no such tick, and any start will do.
func (t *Timetable) startAfter(after time.Time, b Bounds) (Bounds, error) {
	switch {
	case after.IsZero():
		return b, nil
	case t.kind == dag.ScheduleDelta:
		b.Start = deltaFrom(t.every, b.Start, after)
		return b, nil
	case t.kind == dag.ScheduleCronTrigger:
		// A tick at the start would be a run that is not after it.
		b.Start = latest(b.Start, after.Add(time.Microsecond))
		return b, nil
	}
	k := t.crons[0]
	first, err := k.next(after)
	if err == nil {
		first, err = k.prevInYears(first)
	}
	if k.outsideYears(err) {
		first, err = after, nil
	}
	b.Start = latest(b.Start, first)
	return b, err
}

// Manual returns the data interval of a run that somebody asks for at the
// given logical date: that moment alone, the schedule's interval up to it, or with data
// intervals the last complete one before it.
func (t *Timetable) Manual(logical time.Time) dag.DataInterval {
	if t.kind == dag.ScheduleCronInterval {
		if interval, err := t.crons[0].lastComplete(logical); err == nil {
			return interval
		}
	}
	return dag.DataInterval{Start: logical.Add(-t.interval), End: logical}
}
