package timetable_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones must not depend on the machine

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/timetable"
)

// layout shows local time, so that a change of the clock can be seen.
const layout = "2006-01-02 15:04:05 -07:00"

func parse(t testing.TB, kind dag.ScheduleKind, expr, zone string) *timetable.Timetable {
	t.Helper()
	tt, err := timetable.Parse(dag.Schedule{Kind: kind, Expr: expr, Timezone: zone})
	if err != nil {
		t.Fatalf("Parse(%q, %q): %v", expr, zone, err)
	}
	return tt
}

func location(t testing.TB, zone string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// local reads "2025-03-29" or "2025-03-29 10:00" in a zone; "" is not a time.
func local(t testing.TB, zone, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	for _, l := range []string{time.DateOnly, "2006-01-02 15:04", time.DateTime, layout} {
		if at, err := time.ParseInLocation(l, text, location(t, zone)); err == nil {
			return at
		}
	}
	t.Fatalf("bad time %q", text)
	return time.Time{}
}

func TestTicks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		why, expr, zone, start string
		want                   []string
	}{
		{"a skipped time moves forward by the gap", "30 2 * * *", "Europe/Paris", "2025-03-29",
			[]string{"2025-03-29 02:30:00 +01:00", "2025-03-30 03:30:00 +02:00", "2025-03-31 02:30:00 +02:00"}},
		{"the gap's first moment moves too", "0 2 * * *", "Europe/Paris", "2025-03-30",
			[]string{"2025-03-30 03:00:00 +02:00", "2025-03-31 02:00:00 +02:00"}},
		{"after 02:00 became 03:00 the search goes on from there", "*/20 2 * * *", "Europe/Paris", "2025-03-30",
			[]string{"2025-03-30 03:00:00 +02:00", "2025-03-31 02:00:00 +02:00", "2025-03-31 02:20:00 +02:00"}},
		{"a moved run and a regular one at the same time are one", "30 2,3 * * *", "Europe/Paris", "2025-03-30",
			[]string{"2025-03-30 03:30:00 +02:00", "2025-03-31 02:30:00 +02:00", "2025-03-31 03:30:00 +02:00"}},
		{"a time that comes twice runs once, the second time", "15 2 * * *", "Europe/Paris", "2025-10-26",
			[]string{"2025-10-26 02:15:00 +01:00", "2025-10-27 02:15:00 +01:00"}},
		{"hourly runs in both hours of a fold", "0 * * * *", "Europe/Paris", "2025-10-26 01:00",
			[]string{"2025-10-26 01:00:00 +02:00", "2025-10-26 02:00:00 +02:00", "2025-10-26 02:00:00 +01:00",
				"2025-10-26 03:00:00 +01:00"}},
		{"0-23 comes down to *", "0 0-23 * * *", "Europe/Paris", "2025-10-26 01:00",
			[]string{"2025-10-26 01:00:00 +02:00", "2025-10-26 02:00:00 +02:00", "2025-10-26 02:00:00 +01:00"}},
		{"a list with * in it does not", "0 *,5 * * *", "Europe/Paris", "2025-10-26 01:00",
			[]string{"2025-10-26 01:00:00 +02:00", "2025-10-26 02:00:00 +01:00", "2025-10-26 03:00:00 +01:00"}},
		{"hourly passes over a gap", "0 * * * *", "Europe/Paris", "2025-03-30 01:00",
			[]string{"2025-03-30 01:00:00 +01:00", "2025-03-30 03:00:00 +02:00", "2025-03-30 04:00:00 +02:00"}},
		{"with * as hour the elapsed time counts, also over a month and a change of the clock", "0 * 1 * *", "Europe/Paris",
			"2025-03-01 22:30",
			[]string{"2025-03-01 23:00:00 +01:00", "2025-04-01 01:00:00 +02:00", "2025-04-01 02:00:00 +02:00"}},
		{"half an hour's gap", "15 2 * * *", "Australia/Lord_Howe", "2025-10-05",
			[]string{"2025-10-05 02:45:00 +11:00", "2025-10-06 02:15:00 +11:00"}},
		{"half an hour's fold", "45 1 * * *", "Australia/Lord_Howe", "2025-04-06",
			[]string{"2025-04-06 01:45:00 +10:30", "2025-04-07 01:45:00 +10:30"}},
		{"two hours' gap, from 01:00 to 03:00", "30 2 * * *", "Antarctica/Troll", "2025-03-30",
			[]string{"2025-03-30 04:30:00 +02:00", "2025-03-31 02:30:00 +02:00"}},
		{"a whole day's gap", "0 12 * * *", "Pacific/Apia", "2011-12-29",
			[]string{"2011-12-29 12:00:00 -10:00", "2011-12-31 12:00:00 +14:00", "2012-01-01 12:00:00 +14:00"}},
		{"after Ramadan", "30 2 * * *", "Africa/Casablanca", "2025-04-05",
			[]string{"2025-04-05 02:30:00 +00:00", "2025-04-06 03:30:00 +01:00"}},
		{"a start on the last tick before a gap counts", "0 0 * * *", "Africa/Cairo", "2025-04-24",
			[]string{"2025-04-24 00:00:00 +02:00", "2025-04-25 01:00:00 +03:00", "2025-04-26 00:00:00 +03:00"}},
		{"midnight gap in Egypt", "0 0 * * *", "Africa/Cairo", "2025-04-23 12:00",
			[]string{"2025-04-24 00:00:00 +02:00", "2025-04-25 01:00:00 +03:00", "2025-04-26 00:00:00 +03:00"}},
		{"midnight gap in Lebanon", "@daily", "Asia/Beirut", "2025-03-28 12:00",
			[]string{"2025-03-29 00:00:00 +02:00", "2025-03-30 01:00:00 +03:00", "2025-03-31 00:00:00 +03:00"}},
		{"midnight gap in Brazil", "0 0 * * *", "America/Sao_Paulo", "2017-10-13 12:00",
			[]string{"2017-10-14 00:00:00 -03:00", "2017-10-15 01:00:00 -02:00", "2017-10-16 00:00:00 -02:00"}},
		{"midnight fold in Brazil", "30 23 * * *", "America/Sao_Paulo", "2018-02-17",
			[]string{"2018-02-17 23:30:00 -03:00", "2018-02-18 23:30:00 -03:00"}},
		{"gap just after midnight", "30 0 * * *", "Atlantic/Azores", "2025-03-30",
			[]string{"2025-03-30 01:30:00 +00:00", "2025-03-31 00:30:00 +00:00"}},
		{"Irish winter time is the one that counts as daylight saving", "30 1 * * *", "Europe/Dublin", "2025-10-25",
			[]string{"2025-10-25 01:30:00 +01:00", "2025-10-26 01:30:00 +00:00"}},

		{"months without a 31st are passed over", "0 0 31 * *", "UTC", "2025-02-01",
			[]string{"2025-03-31 00:00:00 +00:00", "2025-05-31 00:00:00 +00:00"}},
		{"L is the last day", "0 0 L 2 *", "UTC", "2023-01-01",
			[]string{"2023-02-28 00:00:00 +00:00", "2024-02-29 00:00:00 +00:00"}},
		{"L in a list and a range up to L", "0 0 1,28-l * *", "UTC", "2025-02-20",
			[]string{"2025-02-28 00:00:00 +00:00", "2025-03-01 00:00:00 +00:00", "2025-03-28 00:00:00 +00:00"}},
		{"2100 has no leap day", "0 0 29 2 *", "UTC", "2096-03-01", []string{"2104-02-29 00:00:00 +00:00"}},
		{"the 15th of February and of March 2025 are Saturdays", "0 9 15W * *", "UTC", "2025-02-01",
			[]string{"2025-02-14 09:00:00 +00:00", "2025-03-14 09:00:00 +00:00"}},
		{"a Saturday the 1st moves to Monday, not into another month", "0 9 1w * *", "UTC", "2025-02-01",
			[]string{"2025-02-03 09:00:00 +00:00", "2025-03-03 09:00:00 +00:00"}},
		{"W31 in short months means their last day; Sunday the 31st moves back", "0 9 W31 * *", "UTC", "2025-02-01",
			[]string{"2025-02-28 09:00:00 +00:00", "2025-03-31 09:00:00 +00:00", "2025-04-30 09:00:00 +00:00",
				"2025-05-30 09:00:00 +00:00"}},
		{"third Friday", "0 9 * * 5#3", "UTC", "2025-01-01",
			[]string{"2025-01-17 09:00:00 +00:00", "2025-02-21 09:00:00 +00:00"}},
		{"months without a fifth Friday are passed over", "0 9 * * fri#5", "UTC", "2025-01-01",
			[]string{"2025-01-31 09:00:00 +00:00", "2025-05-30 09:00:00 +00:00"}},
		{"first Monday to Wednesday", "0 9 * * mon-wed#1", "UTC", "2025-09-01",
			[]string{"2025-09-01 09:00:00 +00:00", "2025-09-02 09:00:00 +00:00", "2025-09-03 09:00:00 +00:00",
				"2025-10-01 09:00:00 +00:00"}},
		{"last Monday", "0 9 * * L1", "UTC", "2025-01-01",
			[]string{"2025-01-27 09:00:00 +00:00", "2025-02-24 09:00:00 +00:00"}},
		{"7 is Sunday in L7 too", "0 9 * * L7", "UTC", "2025-01-01", []string{"2025-01-26 09:00:00 +00:00"}},
		{"two restricted day fields are joined by OR", "0 0 13 * fri", "UTC", "2025-06-07",
			[]string{"2025-06-13 00:00:00 +00:00", "2025-06-20 00:00:00 +00:00", "2025-06-27 00:00:00 +00:00",
				"2025-07-04 00:00:00 +00:00", "2025-07-11 00:00:00 +00:00", "2025-07-13 00:00:00 +00:00"}},
		{"*/10 restricts the day", "0 0 */10 * mon", "UTC", "2025-06-01",
			[]string{"2025-06-01 00:00:00 +00:00", "2025-06-02 00:00:00 +00:00", "2025-06-09 00:00:00 +00:00",
				"2025-06-11 00:00:00 +00:00"}},
		{"? does not restrict", "0 0 ? * mon", "UTC", "2025-06-01",
			[]string{"2025-06-02 00:00:00 +00:00", "2025-06-09 00:00:00 +00:00"}},
		{"1-31 written out restricts, when the other has no star", "0 0 1-31 * mon", "UTC", "2025-06-03",
			[]string{"2025-06-03 00:00:00 +00:00", "2025-06-04 00:00:00 +00:00"}},
		{"1-31 is a star, when the other has one", "0 0 1-31 * */2", "UTC", "2025-06-01",
			[]string{"2025-06-01 00:00:00 +00:00", "2025-06-03 00:00:00 +00:00", "2025-06-05 00:00:00 +00:00"}},

		{"hours around midnight", "0 22-2 * * *", "UTC", "2025-06-01 01:30",
			[]string{"2025-06-01 02:00:00 +00:00", "2025-06-01 22:00:00 +00:00", "2025-06-01 23:00:00 +00:00",
				"2025-06-02 00:00:00 +00:00"}},
		{"weekdays around the week's end", "0 6 * * FRI-MON", "UTC", "2025-06-05",
			[]string{"2025-06-06 06:00:00 +00:00", "2025-06-07 06:00:00 +00:00", "2025-06-08 06:00:00 +00:00",
				"2025-06-09 06:00:00 +00:00", "2025-06-13 06:00:00 +00:00"}},
		{"months around the year's end", "0 0 1 nov-Jan *", "UTC", "2025-06-05",
			[]string{"2025-11-01 00:00:00 +00:00", "2025-12-01 00:00:00 +00:00", "2026-01-01 00:00:00 +00:00",
				"2026-11-01 00:00:00 +00:00"}},
		{"a step over the end goes on as croniter has it", "50-10/15 * * * *", "UTC", "2025-06-01",
			[]string{"2025-06-01 00:06:00 +00:00", "2025-06-01 00:50:00 +00:00", "2025-06-01 01:06:00 +00:00"}},
		{"a range of one is the whole field", "5-5 0 * * *", "UTC", "2025-06-01",
			[]string{"2025-06-01 00:00:00 +00:00", "2025-06-01 00:01:00 +00:00"}},
		{"0-7 is every weekday", "0 6 * * 0-7", "UTC", "2025-06-01",
			[]string{"2025-06-01 06:00:00 +00:00", "2025-06-02 06:00:00 +00:00"}},
		{"a start at the field's end with a step is one value", "59/15 * * * *", "UTC", "2025-06-01",
			[]string{"2025-06-01 00:59:00 +00:00", "2025-06-01 01:59:00 +00:00"}},
		{"a step longer than the field is its first value", "*/90 * * * *", "UTC", "2025-06-01",
			[]string{"2025-06-01 00:00:00 +00:00", "2025-06-01 01:00:00 +00:00"}},
		{"so is one of any length", "*/99999999999999999999 * * * *", "UTC", "2025-06-01 00:01",
			[]string{"2025-06-01 01:00:00 +00:00"}},
		{"a step starts over each hour", "*/25 * * * *", "UTC", "2025-06-01 00:30",
			[]string{"2025-06-01 00:50:00 +00:00", "2025-06-01 01:00:00 +00:00"}},
		{"seconds come sixth", "0 12 * * * */30", "UTC", "2025-06-01",
			[]string{"2025-06-01 12:00:00 +00:00", "2025-06-01 12:00:30 +00:00", "2025-06-02 12:00:00 +00:00"}},
		{"years come seventh", "0 0 1 1 * 0 2020/5", "UTC", "2025-06-01",
			[]string{"2030-01-01 00:00:00 +00:00", "2035-01-01 00:00:00 +00:00"}},
		{"quarters", "@quarterly", "UTC", "2025-05-01", []string{"2025-07-01 00:00:00 +00:00", "2025-10-01 00:00:00 +00:00"}},
		{"weeks begin on Sunday", "@weekly", "UTC", "2025-06-02", []string{"2025-06-08 00:00:00 +00:00"}},
		{"months", "@monthly", "UTC", "2025-06-02", []string{"2025-07-01 00:00:00 +00:00"}},
		{"years", "@Yearly", "UTC", "2025-06-02", []string{"2026-01-01 00:00:00 +00:00"}},
		{"years by their other name", "@annually", "UTC", "2025-06-02", []string{"2026-01-01 00:00:00 +00:00"}},
		{"midnight", "@midnight", "Asia/Kathmandu", "2025-06-02", []string{"2025-06-02 00:00:00 +05:45"}},
		{"a start on a tick counts", "@hourly", "UTC", "2025-06-02 10:00", []string{"2025-06-02 10:00:00 +00:00"}},
		{"a start just after one does not", "@hourly", "UTC", "2025-06-02 10:00:01", []string{"2025-06-02 11:00:00 +00:00"}},
	}
	for _, tc := range tests {
		t.Run(tc.why, func(t *testing.T) {
			t.Parallel()
			tt := parse(t, dag.ScheduleCronTrigger, tc.expr, tc.zone)
			bounds := timetable.Bounds{Start: local(t, tc.zone, tc.start), Catchup: true}
			runs, err := tt.Upcoming(time.Time{}, bounds, len(tc.want))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range runs {
				if r.RunAfter != r.LogicalDate || r.Interval != (dag.DataInterval{Start: r.LogicalDate, End: r.LogicalDate}) {
					t.Errorf("run %+v: want all times alike", r)
				}
				got = append(got, r.RunAfter.In(location(t, tc.zone)).Format(layout))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", tc.expr, diff)
			}
			if diff := cmp.Diff(runs, byNext(t, tt, bounds, len(runs))); diff != "" {
				t.Errorf("Next differs from Upcoming (-upcoming +next):\n%s", diff)
			}
		})
	}
}

// byNext makes the runs one after the other, as a scheduler does.
func byNext(t *testing.T, tt *timetable.Timetable, b timetable.Bounds, n int) []timetable.Run {
	t.Helper()
	var runs []timetable.Run
	var last time.Time
	for range n {
		r, ok, err := tt.Next(last, b, time.Time{})
		if err != nil || !ok {
			t.Fatalf("Next(%v) = %v, %v", last, ok, err)
		}
		runs = append(runs, r)
		last = r.LogicalDate
	}
	return runs
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ why, expr, want string }{
		{"above the field", "60 * * * *", `minute field "60": 60 is out of range 0-59`},
		{"below the field", "0 0 0 * *", `day-of-month field "0": 0 is out of range 1-31`},
		{"far above", "0 99999999999999999999 * * *", `99999999999999999999 is out of range 0-23`},
		{"in a list", "0 0 1,32 * *", `day-of-month field "1,32": 32 is out of range 1-31`},
		{"weekday", "0 0 * * 8", `day-of-week field "8": 8 is out of range 0-7`},
		{"month name", "0 0 * foo *", `month field "foo": "foo" is not understood; want 1-12 or jan-dec`},
		{"second", "0 0 * * * 60", `second field "60": 60 is out of range 0-59`},
		{"year", "0 0 * * * 0 1969", `year field "1969": 1969 is out of range 1970-2099`},
		{"sign", "+5 * * * *", `minute field "+5": "+5" is not understood`},
		{"open range", "5- * * * *", `"5-" is not understood`},
		{"star range", "*-5 * * * *", `"*-5" is not understood`},
		{"empty entry", "1,,2 * * * *", `minute field "1,,2": empty entry`},
		{"no step", "*/0 * * * *", `step in "*/0": 0 is out of range: want 1 or more`},
		{"? elsewhere", "? * * * *", `"?" is allowed only in the day-of-month and day-of-week fields`},
		{"? with more", "0 0 ?,1 * *", `"?" must stand alone`},
		{"L elsewhere", "0 0 * L *", `month field "l": "l" is not understood`},
		{"W in a list", "0 0 15W,1 * *", `"15w" must stand alone`},
		{"W out of range", "0 0 32W * *", `32 is out of range 1-31`},
		{"sixth Friday", "0 0 * * 5#6", `6 in "5#6" is out of range 1-5`},
		{"mixed weekdays", "0 0 * * 1,5#2", `plain weekdays cannot be mixed`},
		{"hashed", "H 2 * * *", `minute field "h": hashed values (Jenkins' H) are not supported`},
		{"random", "R(0-30) 2 * * *", `random values (R) are not supported, because a schedule must be the same each time`},
		{"four fields", "* * * *", "has 4 fields: want 5"},
		{"eight fields", "* * * * * * * *", "has 8 fields: want 5"},
		{"nothing", "", "has 0 fields"},
		{"unknown preset", "@every 5m", `preset "@every 5m" is unknown: want @hourly`},
		{"another timetable", "@once", `preset "@once" is unknown`},
		{"too long", strings.Repeat("1,", 125) + "1 * * * *", "is too long: at most 250 are allowed"},
		{"a space that is none for cron", "0\u00a00 * * *", "has 4 fields"},
	}
	for _, tc := range tests {
		t.Run(tc.why, func(t *testing.T) {
			t.Parallel()
			_, err := timetable.Parse(dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: tc.expr})
			if !errors.Is(err, dag.ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Parse(%q) = %v, want an invalid error with %q", tc.expr, err, tc.want)
			}
		})
	}
	for _, zone := range []string{"Mars/Olympus", "Local", "../etc/passwd"} {
		if _, err := timetable.Parse(dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "@daily",
			Timezone: zone}); !errors.Is(err, dag.ErrInvalid) {
			t.Errorf("zone %q: %v, want an invalid error", zone, err)
		}
	}
	if _, err := timetable.Parse(dag.Schedule{Kind: "weekly"}); !errors.Is(err, dag.ErrInvalid) {
		t.Errorf("unknown kind: %v, want an invalid error", err)
	}
}

func TestNoDateFailsWhenComputed(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, expr := range []string{"0 0 30 2 *", "0 0 31 4,6 *", "0 0 15W * sat", "0 0 31 * mon#1"} {
		for _, kind := range []dag.ScheduleKind{dag.ScheduleCronTrigger, dag.ScheduleCronInterval} {
			tt := parse(t, kind, expr, "UTC")
			_, ok, err := tt.Next(time.Time{}, timetable.Bounds{Start: start, Catchup: true}, start)
			if ok || err == nil || !strings.Contains(err.Error(), "no such date: nothing matches in the 50 years") {
				t.Errorf("%s %q: ok=%v, err=%v, want an error that says there is no date", kind, expr, ok, err)
			}
		}
	}
}
