package timetable_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/timetable"
)

// The schedules that only an object of a spec can name. All times are in 2025 (UTC); now is
// 2025-06-10 10:07:30. The answers are those of Airflow 3.3.2, except for the one that says so.
func TestNextOfObjects(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 6, 10, 10, 7, 30, 0, time.UTC)
	cron := func(expr string) dag.Schedule {
		return dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: expr, Timezone: "UTC"}
	}
	with := func(s dag.Schedule, interval, late time.Duration) dag.Schedule {
		s.Interval, s.Late = interval, late
		return s
	}
	delta := func(months int, d time.Duration) dag.Schedule {
		return dag.Schedule{Kind: dag.ScheduleDelta, Every: dag.Delta{Months: months, Duration: d}}
	}
	const always, day = 100 * 365 * 24 * time.Hour, 24 * time.Hour
	several := cron("0 6 * * *\n30 9 * * *\n0 12 * * *")
	tests := []struct {
		why              string
		schedule         dag.Schedule
		last, start, end string
		catchup          bool
		want             string // "" is none
	}{
		{"the latest of several that has passed", several, "", "2025-01-01", "", false, "06-10 09:30 > 06-10 09:30"},
		{"the first of several to come", several, "2025-06-10 09:30", "2025-01-01", "", false, "06-10 12:00 > 06-10 12:00"},
		{"the next of several with catchup", several, "2025-06-01 06:00", "2025-01-01", "", true, "06-01 09:30 > 06-01 09:30"},
		{"the first of several with catchup", several, "", "2025-06-01 07:00", "", true, "06-01 09:30 > 06-01 09:30"},
		{"two at once are one run", cron("0 6 * * *\n0 6 * * 1"), "2025-06-09 06:00", "2025-01-01", "", true,
			"06-10 06:00 > 06-10 06:00"},
		{"one of several that is over", cron("0 6 * * * 0 2024\n0 9 * * *"), "2025-06-09 09:00", "2024-01-01", "", true,
			"06-10 09:00 > 06-10 09:00"},
		{"several have ended", several, "2025-06-01 12:00", "2025-01-01", "2025-06-01 13:00", true, ""},

		{"an interval before the tick", with(cron("@daily"), day, 0), "2025-06-08", "2025-01-01", "", true,
			"06-09 00:00 > 06-10 00:00"},
		{"an interval, the first run", with(cron("@daily"), day, 0), "", "2025-06-01", "", true, "05-31 00:00 > 06-01 00:00"},
		{"an interval longer than a step", with(cron("@daily"), 3*day, 0), "2025-06-05", "2025-01-01", "", true,
			"06-06 00:00 > 06-09 00:00"},
		{"an interval without catchup", with(cron("@daily"), day, 0), "2025-06-01", "2025-01-01", "", false,
			"06-09 00:00 > 06-10 00:00"},

		{"run_immediately: true", with(cron("@daily"), 0, always), "", "", "", false, "06-10 00:00 > 06-10 00:00"},
		{"run_immediately: no time", with(cron("4/10 * * * *"), 0, -1), "", "", "", false, "06-10 10:14 > 06-10 10:14"},
		{"run_immediately: time enough", with(cron("@daily"), 0, 11*time.Hour), "", "", "", false, "06-10 00:00 > 06-10 00:00"},
		{"run_immediately: too little time", with(cron("@daily"), 0, 9*time.Hour), "", "", "", false,
			"06-11 00:00 > 06-11 00:00"},
		{"run_immediately means nothing once there is a run", with(cron("@hourly"), 0, -1), "2025-06-10 03:00", "", "", false,
			"06-10 10:00 > 06-10 10:00"},

		{"a step after the last", delta(0, 6*time.Hour), "2025-06-10 08:15", "2025-01-01", "", false,
			"06-10 14:15 > 06-10 14:15"},
		{"the first at the start", delta(0, 6*time.Hour), "", "2025-06-01 01:00", "", true, "06-01 01:00 > 06-01 01:00"},
		{"the first now", delta(0, 6*time.Hour), "", "2025-06-01 01:00", "", false, "06-10 10:07 > 06-10 10:07"},
		{"the first of no start, now", delta(0, 6*time.Hour), "", "", "", true, "06-10 10:07 > 06-10 10:07"},
		{"each step with catchup", delta(0, 6*time.Hour), "2025-06-01 01:00", "2025-06-01 01:00", "", true,
			"06-01 07:00 > 06-01 07:00"},
		{"in step after missed runs, unlike in Airflow", delta(0, 6*time.Hour), "2025-06-01 01:00", "", "", false,
			"06-10 07:00 > 06-10 07:00"},
		{"a month", delta(1, 0), "2025-05-31 06:00", "2025-01-01", "", true, "06-30 06:00 > 06-30 06:00"},
		{"a month and a day", delta(1, day), "2025-05-31 06:00", "2025-01-01", "", true, "07-01 06:00 > 07-01 06:00"},
		{"a year from a leap day", delta(12, 0), "2024-02-29", "2024-01-01", "", true, "02-28 00:00 > 02-28 00:00"},
		{"a step with an interval", with(delta(0, day), time.Hour, 0), "2025-06-08 23:00", "2025-01-01", "", true,
			"06-09 23:00 > 06-10 00:00"},
		{"steps have ended", delta(0, day), "2025-06-01", "2025-01-01", "2025-06-01 23:00", true, ""},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			t.Parallel()
			tt, err := timetable.Parse(test.schedule)
			if err != nil {
				t.Fatal(err)
			}
			b := timetable.Bounds{Start: local(t, "UTC", test.start), End: local(t, "UTC", test.end), Catchup: test.catchup}
			run, ok, err := tt.Next(local(t, "UTC", test.last), b, now)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if ok {
				got = span(run)
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestUpcomingOfObjects(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 6, 10, 10, 7, 30, 0, time.UTC)
	for _, c := range []struct {
		name     string
		schedule dag.Schedule
		start    string
		want     []string
	}{
		{"several", dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 6 * * *\n0 18 * * *"}, "",
			[]string{"06-10 18:00", "06-11 06:00", "06-11 18:00"}},
		{"a step from a start long ago", dag.Schedule{Kind: dag.ScheduleDelta, Every: dag.Delta{Duration: 7 * time.Hour}},
			"2025-06-01 00:00", []string{"06-10 15:00", "06-10 22:00", "06-11 05:00"}},
		{"months from a start long ago", dag.Schedule{Kind: dag.ScheduleDelta, Every: dag.Delta{Months: 1}},
			"2020-01-31 00:00", []string{"06-28 00:00", "07-28 00:00", "08-28 00:00"}},
		{"a step from a start to come", dag.Schedule{Kind: dag.ScheduleDelta, Every: dag.Delta{Duration: time.Hour}},
			"2025-07-01 00:30", []string{"07-01 00:30", "07-01 01:30", "07-01 02:30"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tt, err := timetable.Parse(c.schedule)
			if err != nil {
				t.Fatal(err)
			}
			runs, err := tt.Upcoming(now, timetable.Bounds{Start: local(t, "UTC", c.start)}, 3)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range runs {
				got = append(got, r.RunAfter.UTC().Format(short))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("runs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWordsOfObjects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schedule dag.Schedule
		want     string
	}{
		{dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 6 * * *\n0 9 * * 1"}, "At 06:00, At 09:00, only on Monday"},
		{dag.Schedule{Kind: dag.ScheduleDelta, Every: dag.Delta{Duration: 24 * time.Hour}}, "Every day"},
		{dag.Schedule{Kind: dag.ScheduleDelta, Every: dag.Delta{Duration: 14 * 24 * time.Hour}}, "Every 2 weeks"},
		{dag.Schedule{Kind: dag.ScheduleDelta, Every: dag.Delta{Duration: 30 * time.Hour}}, "Every 30 hours"},
		{dag.Schedule{Kind: dag.ScheduleDelta, Every: dag.Delta{Duration: 90 * time.Second}}, "Every 90 seconds"},
		{dag.Schedule{Kind: dag.ScheduleDelta, Every: dag.Delta{Months: 3}}, "Every 3 months"},
		{dag.Schedule{Kind: dag.ScheduleDelta, Every: dag.Delta{Months: 12, Duration: time.Hour}}, "Every 1 year and 1 hour"},
	} {
		tt, err := timetable.Parse(c.schedule)
		if err != nil {
			t.Fatal(err)
		}
		if got := tt.Description(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.schedule, got, c.want)
		}
	}
}

// A wrong expression among several is named.
func TestParseNamesTheExpression(t *testing.T) {
	t.Parallel()
	_, err := timetable.Parse(dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 6 * * *\n61 6 * * *"})
	const want = `expression "61 6 * * *": minute field "61": 61 is out of range 0-59`
	if err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if _, err := timetable.Parse(dag.Schedule{Kind: dag.ScheduleDelta}); err == nil {
		t.Error("a step of no time is accepted")
	}
	if got := (dag.Schedule{Expr: "a\nb"}).Exprs(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("Exprs() = %q", got)
	}
}
