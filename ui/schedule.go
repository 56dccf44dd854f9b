package ui

import (
	"time"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/timetable"
)

// upcomingRuns is how many of the next runs are shown.
const upcomingRuns = 5

// ScheduleView is what a pointer resting on a schedule reveals.
type ScheduleView struct {
	Expr     string // as in the spec, or what stands for it
	Words    string
	Timezone string
	DSTNote  string
	Upcoming []TimeView
	// Paused says that the upcoming runs will not start by themselves.
	Paused bool
}

func scheduleView(row store.DAGRow, now time.Time) ScheduleView {
	v := ScheduleView{Expr: row.Schedule.Expr, Timezone: row.Schedule.Timezone, Paused: row.Paused}
	switch row.Schedule.Kind {
	case dag.ScheduleNone:
		v.Expr, v.Words = "None", "Runs only when it is triggered."
		return v
	case dag.ScheduleOnce:
		v.Expr = "@once"
	case dag.ScheduleContinuous:
		v.Expr = "@continuous"
	}
	table, err := timetable.Parse(row.Schedule)
	if err != nil {
		v.Words = "This schedule cannot be read: " + err.Error()
		return v
	}
	v.Words, v.DSTNote = table.Description(), table.DSTNote(now)
	// An error here means that no run follows, which the empty list says too.
	runs, _ := table.Upcoming(now, timetable.Bounds{Start: row.StartDate, End: row.EndDate, Catchup: row.Catchup}, upcomingRuns)
	for _, r := range runs {
		v.Upcoming = append(v.Upcoming, showTime(r.RunAfter, v.Timezone))
	}
	return v
}
