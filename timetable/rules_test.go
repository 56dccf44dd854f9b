package timetable_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/timetable"
)

// next is what Next should give: the interval's ends as "start end" in UTC.
const short = "01-02 15:04"

func span(r timetable.Run) string {
	s := r.Interval.Start.UTC().Format(short) + " > " + r.Interval.End.UTC().Format(short)
	if !r.RunAfter.Equal(r.Interval.End) {
		s += " after " + r.RunAfter.UTC().Format(short)
	}
	return s
}

// All times are in June 2025 (UTC); now is 2025-06-10 10:07:30.
func TestNext(t *testing.T) {
	t.Parallel()
	const trigger, interval = dag.ScheduleCronTrigger, dag.ScheduleCronInterval
	now := time.Date(2025, 6, 10, 10, 7, 30, 0, time.UTC)
	tests := []struct {
		why              string
		kind             dag.ScheduleKind
		expr             string
		last, start, end string
		catchup          bool
		want             string // "" is none
	}{
		{"the latest past tick of a start long ago", trigger, "@daily", "", "2025-01-01", "", false,
			"06-10 00:00 > 06-10 00:00"},
		{"missed runs but the latest are skipped", trigger, "@daily", "2025-06-01", "2025-01-01", "", false,
			"06-10 00:00 > 06-10 00:00"},
		{"then the one after it", trigger, "@daily", "2025-06-10", "2025-01-01", "", false, "06-11 00:00 > 06-11 00:00"},
		{"a start in the future", trigger, "@daily", "", "2025-06-20 12:00", "", false, "06-21 00:00 > 06-21 00:00"},
		{"no start: wait for the next tick", trigger, "@daily", "", "", "", false, "06-11 00:00 > 06-11 00:00"},
		{"no start: a tick at most five minutes ago counts", trigger, "4/10 * * * *", "", "", "", false,
			"06-10 10:04 > 06-10 10:04"},
		{"no start: so does one a tenth of the way ago", trigger, "0 9 * * *", "", "", "", false,
			"06-10 09:00 > 06-10 09:00"},
		{"no start: 7.5 of 60 minutes are too many", trigger, "@hourly", "", "", "", false, "06-10 11:00 > 06-10 11:00"},
		{"no start, with catchup: the same", trigger, "@hourly", "", "", "", true, "06-10 11:00 > 06-10 11:00"},
		{"no start, but a run", trigger, "@hourly", "2025-06-10 03:00", "", "", false, "06-10 10:00 > 06-10 10:00"},
		{"every missed run with catchup", trigger, "@daily", "2025-06-01", "2025-01-01", "", true,
			"06-02 00:00 > 06-02 00:00"},
		{"with catchup from the start on", trigger, "@daily", "", "2025-01-01 00:01", "", true, "01-02 00:00 > 01-02 00:00"},
		{"the end counts", trigger, "@daily", "2025-06-01", "2025-01-01", "2025-06-02", true, "06-02 00:00 > 06-02 00:00"},
		{"after the end there is none", trigger, "@daily", "2025-06-02", "2025-01-01", "2025-06-02", true, ""},
		{"nor one that was skipped up to now", trigger, "@daily", "", "2025-01-01", "2025-06-02", false, ""},
		{"a last run off the grid", trigger, "@hourly", "2025-06-10 10:03", "2025-01-01", "", true,
			"06-10 11:00 > 06-10 11:00"},

		{"the latest complete interval", interval, "@daily", "", "2025-01-01", "", false, "06-09 00:00 > 06-10 00:00"},
		{"also without a start", interval, "@daily", "", "", "", false, "06-09 00:00 > 06-10 00:00"},
		{"missed intervals but the latest are skipped", interval, "@daily", "2025-06-01", "2025-01-01", "", false,
			"06-09 00:00 > 06-10 00:00"},
		{"then the one that is going on", interval, "@daily", "2025-06-09", "2025-01-01", "", false,
			"06-10 00:00 > 06-11 00:00"},
		{"a start in the future", interval, "@daily", "", "2025-06-20 12:00", "", false, "06-21 00:00 > 06-22 00:00"},
		{"every interval with catchup", interval, "@daily", "2025-06-01", "2025-01-01", "", true,
			"06-02 00:00 > 06-03 00:00"},
		{"the first one with catchup", interval, "@daily", "", "2025-01-01 00:01", "", true, "01-02 00:00 > 01-03 00:00"},
		{"with catchup but neither start nor run there is none", interval, "@daily", "", "", "", true, ""},
		{"the end limits the interval's start", interval, "@daily", "2025-06-01", "2025-01-01", "2025-06-02", true,
			"06-02 00:00 > 06-03 00:00"},
		{"after the end there is none", interval, "@daily", "2025-06-02", "2025-01-01", "2025-06-02", true, ""},
		{"a coarser schedule does not repeat the last start", interval, "@weekly", "2025-06-08", "2025-01-01", "", true,
			"06-15 00:00 > 06-22 00:00"},
	}
	for _, tc := range tests {
		t.Run(string(tc.kind)+" "+tc.why, func(t *testing.T) {
			t.Parallel()
			b := timetable.Bounds{Start: local(t, "UTC", tc.start), End: local(t, "UTC", tc.end), Catchup: tc.catchup}
			run, ok, err := parse(t, tc.kind, tc.expr, "UTC").Next(local(t, "UTC", tc.last), b, now)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if ok {
				got = span(run)
			}
			if got != tc.want {
				t.Errorf("Next = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestNowOnBoundary(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 6, 10, 0, 0, 0, 0, time.UTC)
	b := timetable.Bounds{Start: now.AddDate(0, -1, 0)}
	for kind, want := range map[dag.ScheduleKind]string{
		dag.ScheduleCronTrigger:  "06-10 00:00 > 06-10 00:00",
		dag.ScheduleCronInterval: "06-09 00:00 > 06-10 00:00",
	} {
		run, ok, err := parse(t, kind, "@daily", "UTC").Next(time.Time{}, b, now)
		if err != nil || !ok || span(run) != want {
			t.Errorf("%s: Next = %q, %v, %v, want %q", kind, span(run), ok, err, want)
		}
	}
}

// Airflow itself fails here: the elapsed-hours rule leads back too far over
// the change of the clock at the end of March.
func TestLatestIntervalOfHourlyOnFewDays(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 10, 1, 0, 0, 0, 0, time.UTC)
	tt := parse(t, dag.ScheduleCronInterval, "0 * 1 3 *", "Europe/Paris")
	run, ok, err := tt.Next(time.Time{}, timetable.Bounds{}, now)
	if err != nil || !ok || run.RunAfter.After(now) {
		t.Fatalf("Next = %+v, %v, %v, want a complete interval", run, ok, err)
	}
	if want := time.Date(2025, 3, 1, 22, 0, 0, 0, time.UTC); !run.RunAfter.Equal(want) {
		t.Errorf("run after %v, want %v, the last tick of 2025-03-01", run.RunAfter, want)
	}
}

func TestManual(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 6, 10, 10, 7, 30, 123456789, time.UTC)
	exact := dag.DataInterval{Start: at, End: at}
	daily := dag.DataInterval{Start: time.Date(2025, 6, 9, 0, 0, 0, 0, time.UTC),
		End: time.Date(2025, 6, 10, 0, 0, 0, 0, time.UTC)}
	tests := []struct {
		name string
		kind dag.ScheduleKind
		expr string
		at   time.Time
		want dag.DataInterval
	}{
		{"trigger", dag.ScheduleCronTrigger, "@daily", at, exact},
		{"none", dag.ScheduleNone, "", at, exact},
		{"once", dag.ScheduleOnce, "", at, exact},
		{"continuous", dag.ScheduleContinuous, "", at, exact},
		{"last complete interval", dag.ScheduleCronInterval, "@daily", at, daily},
		{"on the boundary the one that ends there", dag.ScheduleCronInterval, "@daily", daily.End, daily},
		{"no interval at all", dag.ScheduleCronInterval, "0 0 30 2 *", at, exact},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, parse(t, tc.kind, tc.expr, "UTC").Manual(tc.at)); diff != "" {
				t.Errorf("Manual (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNone(t *testing.T) {
	t.Parallel()
	tt := parse(t, dag.ScheduleNone, "", "")
	if _, ok, err := tt.Next(time.Time{}, timetable.Bounds{Catchup: true}, time.Now()); ok || err != nil {
		t.Errorf("Next = %v, %v, want none", ok, err)
	}
	if runs, err := tt.Upcoming(time.Time{}, timetable.Bounds{}, 3); len(runs) != 0 || err != nil {
		t.Errorf("Upcoming = %v, %v, want none", runs, err)
	}
}

func TestOnce(t *testing.T) {
	t.Parallel()
	tt := parse(t, dag.ScheduleOnce, "", "")
	now := time.Date(2025, 6, 10, 0, 0, 0, 0, time.UTC)
	start := now.AddDate(-1, 0, 0)
	run, ok, err := tt.Next(time.Time{}, timetable.Bounds{Start: start}, now)
	if err != nil || !ok || !run.LogicalDate.Equal(start) || !run.RunAfter.Equal(start) {
		t.Errorf("first = %+v, %v, %v, want the start date", run, ok, err)
	}
	if run, ok, _ := tt.Next(time.Time{}, timetable.Bounds{}, now); !ok || !run.LogicalDate.Equal(now) {
		t.Errorf("without a start = %+v, %v, want now", run, ok)
	}
	if _, ok, _ := tt.Next(start, timetable.Bounds{Start: start}, now); ok {
		t.Error("a second run, want none")
	}
	if _, ok, _ := tt.Next(time.Time{}, timetable.Bounds{Start: now, End: start}, now); ok {
		t.Error("a run after the end, want none")
	}
	if runs, err := tt.Upcoming(time.Time{}, timetable.Bounds{Start: start}, 3); len(runs) != 1 || err != nil {
		t.Errorf("Upcoming = %v, %v, want the one", runs, err)
	}
}

func TestContinuous(t *testing.T) {
	t.Parallel()
	tt := parse(t, dag.ScheduleContinuous, "", "")
	now := time.Date(2025, 6, 10, 0, 0, 0, 0, time.UTC)
	b := timetable.Bounds{Start: now.Add(-time.Hour)}
	first, ok, err := tt.Next(time.Time{}, b, now)
	if err != nil || !ok || !first.RunAfter.Equal(now) || !first.Interval.Start.Equal(b.Start) {
		t.Fatalf("first = %+v, %v, %v, want now about the time since the start", first, ok, err)
	}
	second, ok, err := tt.Next(first.LogicalDate, b, now.Add(time.Minute))
	if err != nil || !ok || !second.RunAfter.Equal(now.Add(time.Minute)) ||
		!second.Interval.Start.Equal(first.Interval.End) {
		t.Fatalf("second = %+v, %v, %v, want at once about the time since the first", second, ok, err)
	}
	again, ok, err := tt.Next(second.LogicalDate, b, now.Add(time.Minute))
	if err != nil || !ok || !again.LogicalDate.After(second.LogicalDate) {
		t.Errorf("in the same moment = %+v, %v, %v, want a later logical date", again, ok, err)
	}
	future, ok, _ := tt.Next(time.Time{}, timetable.Bounds{Start: now.Add(time.Hour)}, now)
	if !ok || !future.RunAfter.Equal(now.Add(time.Hour)) {
		t.Errorf("with a future start = %+v, %v, want it at the start", future, ok)
	}
	if _, ok, _ := tt.Next(second.LogicalDate, timetable.Bounds{End: now}, now.Add(time.Hour)); ok {
		t.Error("a run after the end, want none")
	}
}

func TestUpcomingAfter(t *testing.T) {
	t.Parallel()
	start := local(t, "UTC", "2025-06-01")
	tests := []struct {
		why        string
		kind       dag.ScheduleKind
		after, end string
		n          int
		want       []string
	}{
		{"strictly after a tick", dag.ScheduleCronTrigger, "2025-06-10", "", 2,
			[]string{"06-11 00:00 > 06-11 00:00", "06-12 00:00 > 06-12 00:00"}},
		{"before the start", dag.ScheduleCronTrigger, "2025-01-10", "", 1, []string{"06-01 00:00 > 06-01 00:00"}},
		{"until the end", dag.ScheduleCronTrigger, "2025-06-10", "2025-06-11", 5, []string{"06-11 00:00 > 06-11 00:00"}},
		{"an interval that ends after", dag.ScheduleCronInterval, "2025-06-10 08:00", "", 2,
			[]string{"06-10 00:00 > 06-11 00:00", "06-11 00:00 > 06-12 00:00"}},
		{"not one that ends then", dag.ScheduleCronInterval, "2025-06-10", "", 1, []string{"06-10 00:00 > 06-11 00:00"}},
		{"none wanted", dag.ScheduleCronTrigger, "2025-06-10", "", 0, nil},
	}
	for _, tc := range tests {
		t.Run(tc.why, func(t *testing.T) {
			t.Parallel()
			b := timetable.Bounds{Start: start, End: local(t, "UTC", tc.end)}
			runs, err := parse(t, tc.kind, "@daily", "UTC").Upcoming(local(t, "UTC", tc.after), b, tc.n)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range runs {
				got = append(got, span(r))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Upcoming (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := parse(t, dag.ScheduleCronTrigger, "@daily", "").Upcoming(time.Time{}, timetable.Bounds{},
		1); !errors.Is(err, dag.ErrInvalid) {
		t.Errorf("without start and after: %v, want an invalid error", err)
	}
}

// TestManualWhereTheClockChanges asks for runs beside a gap and inside of a fold: the
// interval has a length, and has ended. The rule is that of apache/airflow#70089.
func TestManualWhereTheClockChanges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ why, expr, zone, at, start, end string }{
		{"after a tick that was moved out of a gap", "0 2 * * *", "America/New_York", "2024-03-10T07:30:00Z",
			"2024-03-09T07:00:00Z", "2024-03-10T07:00:00Z"},
		{"on that tick", "0 2 * * *", "America/New_York", "2024-03-10T07:00:00Z", "2024-03-09T07:00:00Z",
			"2024-03-10T07:00:00Z"},
		{"before it", "0 2 * * *", "America/New_York", "2024-03-10T06:59:00Z", "2024-03-08T07:00:00Z",
			"2024-03-09T07:00:00Z"},
		{"the next day", "0 2 * * *", "America/New_York", "2024-03-11T06:30:00Z", "2024-03-10T07:00:00Z",
			"2024-03-11T06:00:00Z"},
		{"inside of a gap's shadow", "30 2 * * *", "Europe/Zurich", "2024-03-31T01:45:00Z", "2024-03-30T01:30:00Z",
			"2024-03-31T01:30:00Z"},
		{"between the two times of a fold", "0 1 * * *", "America/New_York", "2024-11-03T05:30:00Z", "2024-11-01T05:00:00Z",
			"2024-11-02T05:00:00Z"},
		{"after a fold", "0 1 * * *", "America/New_York", "2024-11-03T06:30:00Z", "2024-11-02T05:00:00Z",
			"2024-11-03T06:00:00Z"},
		{"half an hour's gap", "15 2 * * *", "Australia/Lord_Howe", "2025-10-04T16:00:00Z", "2025-10-03T15:45:00Z",
			"2025-10-04T15:45:00Z"},
		{"south of the equator", "0 2 * * *", "Australia/Sydney", "2024-10-05T16:30:00Z", "2024-10-04T16:00:00Z",
			"2024-10-05T16:00:00Z"},
	} {
		got := parse(t, dag.ScheduleCronInterval, tt.expr, tt.zone).Manual(moment(t, tt.at))
		if want := (dag.DataInterval{Start: moment(t, tt.start), End: moment(t, tt.end)}); got != want {
			t.Errorf("%s: %v, want %v", tt.why, got, want)
		}
	}
	for _, z := range oddZones {
		for _, expr := range []string{"30 2 * * *", "0 0 * * *", "45 1 * * *", "0 */2 * * *", "*/20 2 * * *",
			"0 1,2,3 * * *"} {
			tt := parse(t, dag.ScheduleCronInterval, expr, z.zone)
			for at := time.Date(z.year, 1, 1, 0, 7, 0, 0, time.UTC); at.Year() == z.year; at = at.Add(97 * time.Minute) {
				if i := tt.Manual(at); !i.Start.Before(i.End) || i.End.After(at) {
					t.Fatalf("%q in %s at %v: interval %v", expr, z.zone, at, i)
				}
			}
		}
	}
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	m, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
