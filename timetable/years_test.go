package timetable_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/timetable"
)

// TestYearsOfSchedule asks in June 2026 for the runs of schedules that name years.
func TestYearsOfSchedule(t *testing.T) {
	t.Parallel()
	const trigger, interval = dag.ScheduleCronTrigger, dag.ScheduleCronInterval
	june := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		kind dag.ScheduleKind
		expr string
		want []int // years of the logical dates
	}{
		{trigger, "0 0 1 1 * 0 2027", []int{2027}},
		{trigger, "0 0 1 1 * 0 2027-2028", []int{2027, 2028}},
		{trigger, "0 0 1 6 * 0 2026", []int{2026}}, // begins with its only date
		{trigger, "0 0 1 1 * 0 2020", nil},
		{interval, "0 0 1 1 * 0 2027-2029", []int{2027, 2028}},
		{interval, "0 0 1 1 * 0 2027", nil}, // its one interval has no end
		{interval, "0 0 1 1 * 0 2020-2022", nil},
	} {
		tt := parse(t, test.kind, test.expr, "UTC")
		upcoming, err := tt.Upcoming(time.Time{}, timetable.Bounds{Start: june}, 5)
		if err != nil {
			t.Errorf("%s %q: %v", test.kind, test.expr, err)
		}
		if diff := cmp.Diff(test.want, yearsOf(upcoming)); diff != "" {
			t.Errorf("%s %q, upcoming (-want +got):\n%s", test.kind, test.expr, diff)
		}
		after, err := tt.Upcoming(june.Add(-time.Second), timetable.Bounds{}, 5)
		if diff := cmp.Diff(test.want, yearsOf(after)); err != nil || diff != "" {
			t.Errorf("%s %q, after a time: %v (-want +got):\n%s", test.kind, test.expr, err, diff)
		}
		for _, b := range []timetable.Bounds{{Start: june}, {Start: june, Catchup: true}} {
			if diff := cmp.Diff(test.want, yearsOf(inTurn(t, tt, b, june))); diff != "" {
				t.Errorf("%s %q, %+v (-want +got):\n%s", test.kind, test.expr, b, diff)
			}
		}
	}
}

// TestYearsWithoutStart has a schedule of years that are to come, and no start date.
func TestYearsWithoutStart(t *testing.T) {
	t.Parallel()
	june := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for kind, want := range map[dag.ScheduleKind][]int{
		dag.ScheduleCronTrigger: {2027, 2028, 2029}, dag.ScheduleCronInterval: {2027, 2028},
	} {
		runs := inTurn(t, parse(t, kind, "0 0 1 1 * 0 2027-2029", "UTC"), timetable.Bounds{}, june)
		if diff := cmp.Diff(want, yearsOf(runs)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

// inTurn are the runs from a time on, each of which is asked for when the one before is due.
func inTurn(t *testing.T, tt *timetable.Timetable, b timetable.Bounds, now time.Time) (runs []timetable.Run) {
	t.Helper()
	for last := (time.Time{}); ; {
		run, ok, err := tt.Next(last, b, now)
		if err != nil {
			t.Errorf("after %s: %v", last, err)
		}
		if !ok || err != nil {
			return runs
		}
		runs = append(runs, run)
		now, last = run.RunAfter, run.LogicalDate
	}
}

func yearsOf(runs []timetable.Run) (years []int) {
	for _, r := range runs {
		years = append(years, r.LogicalDate.Year())
	}
	return years
}
