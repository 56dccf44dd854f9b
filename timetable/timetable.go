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
	"fmt"
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
	kind  dag.ScheduleKind
	ticks ticks // of the two cron kinds
}

// Parse checks a schedule's expression and zone. The error says what is wrong
// and what would be right, and matches dag.ErrInvalid. No zone means UTC. An
// expression that can be read but names no date, such as "0 0 30 2 *", is
// accepted as in Airflow and fails when a run is computed.
func Parse(s dag.Schedule) (*Timetable, error) {
	switch s.Kind {
	case dag.ScheduleNone, dag.ScheduleOnce, dag.ScheduleContinuous:
		return &Timetable{kind: s.Kind}, nil
	case dag.ScheduleCronTrigger, dag.ScheduleCronInterval:
	default:
		return nil, fmt.Errorf("schedule kind %q is unknown: want %s, %s, %s, %s or %s: %w", s.Kind, dag.ScheduleNone,
			dag.ScheduleOnce, dag.ScheduleContinuous, dag.ScheduleCronTrigger, dag.ScheduleCronInterval, dag.ErrInvalid)
	}
	expr, err := parseExpression(s.Expr)
	if err != nil {
		return nil, fault{err}
	}
	loc, err := loadZone(s.Timezone)
	if err != nil {
		return nil, fault{err}
	}
	return &Timetable{kind: s.Kind, ticks: ticks{text: s.Expr, expr: expr, zone: zone{loc}}}, nil
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
	var interval dag.DataInterval
	if t.kind == dag.ScheduleCronInterval && !last.IsZero() {
		end, err := t.ticks.next(last)
		if t.ticks.outsideYears(err) {
			return Run{}, false, nil
		}
		if err != nil {
			return Run{}, false, fmt.Errorf("compute next run: %w", err)
		}
		interval = dag.DataInterval{Start: last, End: end}
	} else if !last.IsZero() {
		interval = dag.DataInterval{Start: last, End: last}
	}
	run, ok, err := t.following(interval, b, now)
	if err != nil {
		return Run{}, false, fmt.Errorf("compute next run: %w", err)
	}
	if !ok {
		return Run{}, false, nil
	}
	if !last.IsZero() && !run.LogicalDate.After(last) {
		return Run{}, false, fmt.Errorf("compute next run: schedule %q does not advance past %s", t.ticks.text,
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
	}
	if !t.isCron() {
		return Run{}, false, nil
	}
	run, ok, err := t.followingTick(last, b, now)
	if t.ticks.outsideYears(err) {
		return Run{}, false, nil // its years are over
	}
	return run, ok, err
}

// followingTick is following for the two cron kinds.
func (t *Timetable) followingTick(last dag.DataInterval, b Bounds, now time.Time) (Run, bool, error) {
	if t.kind == dag.ScheduleCronTrigger {
		tick, err := t.ticks.triggerNext(last.End, b, now)
		return tickRun(tick), err == nil && !b.ended(tick), err
	}
	start, ok, err := t.ticks.intervalNext(last, b, now)
	if err != nil || !ok || b.ended(start) {
		return Run{}, false, err
	}
	run, err := t.ticks.intervalRun(start)
	return run, err == nil, err
}

// Upcoming returns the next n runs as with catchup: those whose RunAfter is
// strictly after after, or, when after is zero, from the first one at b.Start
// on (a start on a tick counts). Fewer come back when b.End cuts them off, when
// the schedule is none, or @continuous, whose runs cannot be foretold. The
// error, which matches dag.ErrInvalid, says that neither after nor b.Start is
// given; another that the schedule names no date. A schedule whose years are over has none.
func (t *Timetable) Upcoming(after time.Time, b Bounds, n int) ([]Run, error) {
	if after.IsZero() && b.Start.IsZero() && t.isCron() {
		return nil, fmt.Errorf("list runs: %w: neither a start date nor a time after which is given", dag.ErrInvalid)
	}
	b.Catchup = true
	if t.kind == dag.ScheduleOnce && !b.Start.IsZero() && b.Start.After(after) && !b.ended(b.Start) && n > 0 {
		return []Run{tickRun(b.Start)}, nil
	}
	if !t.isCron() || n <= 0 {
		return nil, nil
	}
	b, err := t.startAfter(after, b)
	if t.ticks.outsideYears(err) {
		return nil, nil
	}
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

func (t *Timetable) isCron() bool {
	return t.kind == dag.ScheduleCronTrigger || t.kind == dag.ScheduleCronInterval
}

// startAfter moves b.Start to the tick whose run is the first that can be due
// after after.
func (t *Timetable) startAfter(after time.Time, b Bounds) (Bounds, error) {
	if after.IsZero() {
		return b, nil
	}
	first, err := t.ticks.next(after)
	if err == nil && t.kind == dag.ScheduleCronInterval {
		first, err = t.ticks.prevInYears(first)
	}
	if err != nil {
		return b, err
	}
	b.Start = latest(b.Start, first)
	return b, nil
}

// Manual returns the data interval of a run that somebody asks for at the
// given logical date: that moment alone, or with data intervals the last
// complete one before it.
func (t *Timetable) Manual(logical time.Time) dag.DataInterval {
	if t.kind == dag.ScheduleCronInterval {
		if interval, err := t.ticks.lastComplete(logical); err == nil {
			return interval
		}
	}
	return dag.DataInterval{Start: logical, End: logical}
}
