package timetable_test

import (
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/timetable"
)

// oddZones change their clocks in every way that has been thought of.
var oddZones = []struct {
	zone string
	year int
}{
	{"Europe/Paris", 2025}, {"Europe/Dublin", 2025}, {"America/Chicago", 2025}, {"America/Havana", 2025},
	{"America/Santiago", 2025}, {"America/Sao_Paulo", 2017}, {"America/Scoresbysund", 2024}, {"America/Caracas", 2016},
	{"Atlantic/Azores", 2025}, {"Africa/Casablanca", 2025}, {"Africa/El_Aaiun", 2024}, {"Africa/Cairo", 2024},
	{"Asia/Beirut", 2025}, {"Asia/Gaza", 2025}, {"Asia/Tehran", 2022}, {"Asia/Pyongyang", 2018}, {"Asia/Kathmandu", 1986},
	{"Australia/Lord_Howe", 2025}, {"Antarctica/Troll", 2025}, {"Pacific/Apia", 2011}, {"Pacific/Kwajalein", 1993},
	{"Europe/Moscow", 2011}, {"Europe/Istanbul", 2016}, {"UTC", 2025},
}

// TestYearInOddZones walks a year and more in every zone: runs only go
// forward, none is made up, and none is lost but to a gap.
func TestYearInOddZones(t *testing.T) {
	t.Parallel()
	for _, z := range oddZones {
		t.Run(z.zone, func(t *testing.T) {
			t.Parallel()
			loc := location(t, z.zone)
			for _, expr := range []string{"30 2 * * *", "0 0 * * *", "45 1 * * *", "0 */2 * * *", "30 23 * * *"} {
				checkWallClock(t, parse(t, dag.ScheduleCronTrigger, expr, z.zone), expr, loc, z.year)
			}
			for _, expr := range []string{"0 * * * *", "*/30 * * * *", "15 */1 * * *"} {
				checkElapsed(t, parse(t, dag.ScheduleCronTrigger, expr, z.zone), expr, loc, z.year)
			}
		})
	}
}

// checkWallClock: each run's wall time is one that the same expression names
// in UTC, or lies in the shadow of a gap; each named wall time has one run at
// most.
func checkWallClock(t *testing.T, tt *timetable.Timetable, expr string, loc *time.Location, year int) {
	t.Helper()
	plain := parse(t, dag.ScheduleCronTrigger, expr, "UTC")
	start := time.Date(year, 1, 1, 0, 0, 0, 0, loc)
	end := time.Date(year+1, 1, 2, 0, 0, 0, 0, loc)
	named := map[string]bool{}
	for _, r := range walk(t, plain, wallAsUTC(start).AddDate(0, 0, -1), wallAsUTC(end)) {
		named[r.Format(time.DateTime)] = true
	}
	seen := map[string]bool{}
	for _, r := range walk(t, tt, start, end) {
		wall := wallAsUTC(r.In(loc)).Format(time.DateTime)
		if seen[wall] {
			t.Errorf("%q ran twice at %s", expr, wall)
		}
		seen[wall] = true
		if !named[wall] && !afterGap(r, loc) {
			t.Errorf("%q ran at %s, which it does not name", expr, wall)
		}
		if again := wallAsUTC(r.Add(time.Hour).In(loc)).Format(time.DateTime); again == wall {
			t.Errorf("%q ran at the first %s, want the second", expr, wall)
		}
	}
	for wall := range named {
		at, err := time.ParseInLocation(time.DateTime, wall, loc)
		if err != nil {
			t.Fatal(err)
		}
		exists := wallAsUTC(at).Format(time.DateTime) == wall
		if exists && !at.Before(start) && at.Before(end) && !seen[wall] && !afterGap(at, loc) {
			t.Errorf("%q did not run at %s", expr, wall)
		}
	}
}

// checkElapsed: an hourly schedule runs in even steps of real time, so in both
// hours of a fold, but where a change of the clock is not a multiple of a step.
func checkElapsed(t *testing.T, tt *timetable.Timetable, expr string, loc *time.Location, year int) {
	t.Helper()
	start := time.Date(year, 1, 1, 0, 0, 0, 0, loc)
	runs := walk(t, tt, start, start.AddDate(1, 0, 1))
	step := runs[1].Sub(runs[0])
	for i := 1; i < len(runs); i++ {
		if got := runs[i].Sub(runs[i-1]); got != step && !nearChange(runs[i], loc) {
			t.Errorf("%q: %v between %v and %v, want %v", expr, got, runs[i-1], runs[i], step)
		} else if got > 2*step {
			t.Errorf("%q: %v between %v and %v, want no hole", expr, got, runs[i-1], runs[i])
		}
	}
}

// walk lists the runs of a trigger timetable and checks that they go forward.
func walk(t *testing.T, tt *timetable.Timetable, from, to time.Time) []time.Time {
	t.Helper()
	var runs []time.Time
	var last time.Time
	for {
		r, ok, err := tt.Next(last, timetable.Bounds{Start: from, Catchup: true}, from)
		if err != nil || !ok {
			t.Fatalf("Next(%v) = %v, %v", last, ok, err)
		}
		if !last.IsZero() && !r.LogicalDate.After(last) || r.LogicalDate.Before(from) {
			t.Fatalf("run at %v follows %v, want it later", r.LogicalDate, last)
		}
		if r.LogicalDate.After(to) {
			return runs
		}
		last = r.LogicalDate
		runs = append(runs, last)
	}
}

func wallAsUTC(at time.Time) time.Time {
	return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
}

// afterGap reports whether the clock jumped forward in the time before at that
// is as long as the jump.
func afterGap(at time.Time, loc *time.Location) bool {
	start, _ := at.In(loc).ZoneBounds()
	if start.IsZero() {
		return false
	}
	_, before := start.Add(-time.Second).In(loc).Zone()
	_, after := start.In(loc).Zone()
	jump := time.Duration(after-before) * time.Second
	return jump > 0 && at.Sub(start) < jump
}

func nearChange(at time.Time, loc *time.Location) bool {
	start, end := at.In(loc).ZoneBounds()
	const near = 26 * time.Hour
	return !start.IsZero() && at.Sub(start) < near || !end.IsZero() && end.Sub(at) < near
}

// TestEveryHourOfFold counts the runs of a day of 25 hours and of one of 23.
func TestEveryHourOfFold(t *testing.T) {
	t.Parallel()
	tt := parse(t, dag.ScheduleCronTrigger, "0 * * * *", "America/Chicago")
	for day, want := range map[string]int{"2025-11-02": 25, "2025-03-09": 23, "2025-06-01": 24} {
		from := local(t, "America/Chicago", day)
		if got := len(walk(t, tt, from, from.AddDate(0, 0, 1).Add(-time.Second))); got != want {
			t.Errorf("%s has %d runs, want %d", day, got, want)
		}
	}
}

// TestIntervalsTouch: data intervals leave nothing out and do not overlap, but
// on the days around a change of the clock, where Airflow's can.
func TestIntervalsTouch(t *testing.T) {
	t.Parallel()
	for _, z := range oddZones {
		start, loc := time.Date(z.year, 1, 1, 0, 0, 0, 0, time.UTC), location(t, z.zone)
		for _, expr := range []string{"30 2 * * *", "0 * * * *", "*/20 0-3 * * *"} {
			runs, err := parse(t, dag.ScheduleCronInterval, expr, z.zone).Upcoming(time.Time{},
				timetable.Bounds{Start: start}, 5000)
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range runs {
				if !r.Interval.End.After(r.Interval.Start) || !r.RunAfter.Equal(r.Interval.End) ||
					!r.LogicalDate.Equal(r.Interval.Start) {
					t.Errorf("%s %q: odd run %+v", z.zone, expr, r)
				}
				if i > 0 && !r.LogicalDate.After(runs[i-1].LogicalDate) {
					t.Errorf("%s %q: %v follows %v", z.zone, expr, r.LogicalDate, runs[i-1].LogicalDate)
				}
				if i > 0 && !r.Interval.Start.Equal(runs[i-1].Interval.End) && !nearChange(r.LogicalDate, loc) {
					t.Errorf("%s %q: %v follows an interval that ends at %v", z.zone, expr, r.Interval.Start, runs[i-1].Interval.End)
				}
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"30 2 * * *", "*/15 * * * *", "0 0 29 2 *", "0 0 15W * fri", "0 9 * * mon-fri#2", "5 4 L,1-l/2 feb-nov L5",
		"50-10/15 22-2 * * FRI-MON", "0 0 1 1 * */7 2030/3", "@quarterly", "? ? ? ? ?", "h * * * *",
		"*/99999999999 5-5 0-0 * 0-7",
	} {
		f.Add(s, "Europe/Paris", int64(1743292800))
	}
	f.Add("0 0 * * *", "Pacific/Apia", int64(1325000000))
	f.Add("* * 1 * * *", "Antarctica/Troll", int64(-4000000000))
	f.Fuzz(func(t *testing.T, expr, zone string, at int64) {
		for _, kind := range []dag.ScheduleKind{dag.ScheduleCronTrigger, dag.ScheduleCronInterval} {
			tt, err := timetable.Parse(dag.Schedule{Kind: kind, Expr: expr, Timezone: zone})
			if err != nil {
				return
			}
			_ = tt.Description()
			now := time.Unix(at%(1<<33), at%1e9).UTC()
			_ = tt.DSTNote(now)
			_ = tt.Manual(now)
			for _, b := range []timetable.Bounds{{Start: now, Catchup: true}, {Start: now}, {}} {
				var last time.Time
				for range 5 {
					r, ok, err := tt.Next(last, b, now)
					if err != nil || !ok {
						break
					}
					if !last.IsZero() && !r.LogicalDate.After(last) {
						t.Fatalf("%s %q in %q: %v follows %v", kind, expr, zone, r.LogicalDate, last)
					}
					last = r.LogicalDate
				}
			}
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, bm := range []struct{ name, expr, zone string }{
		{"daily", "30 2 * * *", "Europe/Berlin"},
		{"quarter-hourly", "*/15 * * * *", "Europe/Berlin"},
		{"leap-day", "0 0 29 2 *", "UTC"},
		{"dom-or-dow", "0 0 13 * 5", "America/New_York"},
		{"last-friday", "0 0 * * L5", "Australia/Lord_Howe"},
		{"no-date", "0 0 30 2 *", "UTC"},
		{"no-date-split", "0 0 15W * sat", "UTC"},
	} {
		for _, catchup := range []bool{true, false} {
			name := bm.name + "/catchup"
			if !catchup {
				name = bm.name + "/latest"
			}
			b.Run(name, func(b *testing.B) {
				tt := parse(b, dag.ScheduleCronTrigger, bm.expr, bm.zone)
				now := time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)
				bounds := timetable.Bounds{Start: now.AddDate(-1, 0, 0), Catchup: catchup}
				b.ReportAllocs()
				for b.Loop() {
					// An expression without a date is timed as well.
					_, _, _ = tt.Next(now, bounds, now)
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	s := dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "*/15 6-22 * * mon-fri", Timezone: "Europe/Berlin"}
	for b.Loop() {
		if _, err := timetable.Parse(s); err != nil {
			b.Fatal(err)
		}
	}
}
