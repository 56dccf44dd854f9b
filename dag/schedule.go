package dag

import (
	"fmt"
	"strings"
	"time"
)

// ScheduleKind says which of Airflow's timetables a schedule is.
type ScheduleKind string

// The timetables that a spec can name. A plain cron string or preset is
// ScheduleCronTrigger, and a plain timedelta ScheduleDelta, as in Airflow 3
// ([scheduler] create_cron_data_intervals and create_delta_data_intervals are
// off by default there).
const (
	ScheduleNone         ScheduleKind = "none"          // only manual runs
	ScheduleOnce         ScheduleKind = "once"          // @once
	ScheduleContinuous   ScheduleKind = "continuous"    // @continuous
	ScheduleCronTrigger  ScheduleKind = "cron_trigger"  // CronTriggerTimetable, MultipleCronTriggerTimetable
	ScheduleCronInterval ScheduleKind = "cron_interval" // CronDataIntervalTimetable
	ScheduleDelta        ScheduleKind = "delta"         // DeltaTriggerTimetable
)

// Schedule is when a DAG runs by itself. It is comparable.
type Schedule struct {
	Kind ScheduleKind `json:"kind"`
	// Expr holds the cron expression or preset of the two cron kinds. ScheduleCronTrigger
	// may have several, one a line: see [Schedule.Exprs].
	Expr string `json:"expr,omitempty"`
	// Timezone is the IANA zone in which the expressions are read.
	Timezone string `json:"timezone,omitempty"`
	// Every is the time from one run to the next, of ScheduleDelta alone.
	Every Delta `json:"every,omitzero"`
	// Interval is how long before its tick the data interval of a run begins
	// (interval of Airflow's trigger timetables); usually zero. The beginning is the logical date.
	Interval time.Duration `json:"interval,omitempty"`
	// Late is how long after a tick a DAG without a start date may still begin with the
	// run of that tick (run_immediately of CronTriggerTimetable). Zero leaves it to the
	// rule for DAGs that do not say; a negative one means never.
	Late time.Duration `json:"late,omitempty"`
}

// Exprs returns the cron expressions of a schedule, none of a kind without them.
func (s Schedule) Exprs() []string {
	if s.Expr == "" {
		return nil
	}
	return strings.Split(s.Expr, "\n")
}

// Periodic reports whether the schedule's runs follow each other in time, so that those of
// a range of dates can be listed, as a backfill does.
func (s Schedule) Periodic() bool {
	return s.Kind == ScheduleCronTrigger || s.Kind == ScheduleCronInterval || s.Kind == ScheduleDelta
}

// Summary is the schedule on one line, as Airflow writes it: the expressions, the time from
// one run to the next, or a preset; "" when there is none.
func (s Schedule) Summary() string {
	switch s.Kind {
	case ScheduleNone:
		return ""
	case ScheduleOnce:
		return "@once"
	case ScheduleContinuous:
		return "@continuous"
	case ScheduleDelta:
		return s.Every.String()
	}
	return strings.Join(s.Exprs(), ", ")
}

// Delta is a step on the calendar: months, then a duration. Airflow has timedelta for the
// latter and dateutil's relativedelta for both.
type Delta struct {
	Months   int           `json:"months,omitempty"`
	Duration time.Duration `json:"duration,omitempty"`
}

// After returns the moment one step after t, in UTC, as Airflow counts. In a month that is
// too short for the day, the step ends on its last day.
func (d Delta) After(t time.Time) time.Time {
	t = t.UTC()
	if d.Months != 0 {
		year, month, day := t.Date()
		first := time.Date(year, month+time.Month(d.Months), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		last := first.AddDate(0, 1, -1).Day()
		t = first.AddDate(0, 0, min(day, last)-1)
	}
	return t.Add(d.Duration)
}

// String is what Python's str gives for such a step.
func (d Delta) String() string {
	const day = 24 * time.Hour
	days, rest := d.Duration/day, d.Duration%day
	hours, minutes, seconds := rest/time.Hour, rest%time.Hour/time.Minute, rest%time.Minute/time.Second
	if d.Months == 0 {
		clock := fmt.Sprintf("%d:%02d:%02d", hours, minutes, seconds)
		switch days {
		case 0:
			return clock
		case 1:
			return "1 day, " + clock
		}
		return fmt.Sprintf("%d days, %s", days, clock)
	}
	var parts []string
	for _, p := range []struct {
		name  string
		value int64
	}{
		{"years", int64(d.Months / 12)}, {"months", int64(d.Months % 12)}, {"days", int64(days)}, {"hours", int64(hours)},
		{"minutes", int64(minutes)}, {"seconds", int64(seconds)},
	} {
		if p.value != 0 {
			parts = append(parts, fmt.Sprintf("%s=+%d", p.name, p.value))
		}
	}
	return "relativedelta(" + strings.Join(parts, ", ") + ")"
}
