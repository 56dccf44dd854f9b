package ui

import (
	"strings"
	"time"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/timetable"
)

// upcomingRuns is how many of the next runs are shown.
const upcomingRuns = 5

// UpcomingRun is when a run will start: in the reader's zone, and in the
// schedule's where that is another.
type UpcomingRun struct {
	TimeView
	Zoned string
}

// ScheduleView is what a pointer resting on a schedule reveals.
type ScheduleView struct {
	Expr     string // as in the spec, or what stands for it
	Words    string
	Timezone string
	DSTNote  string
	Upcoming []UpcomingRun // none of an archived DAG
	// Paused says that the upcoming runs will not start by themselves.
	Paused bool
}

func scheduleView(rd *reader, row store.DAGRow) ScheduleView {
	v := ScheduleView{Expr: row.Schedule.Summary(), Timezone: row.Schedule.Timezone, Paused: row.Paused}
	if row.Schedule.Kind == dag.ScheduleNone {
		v.Expr, v.Words = rd.t("None"), rd.t("Runs only when it is triggered.")
		return v
	}
	table, err := timetable.Parse(row.Schedule)
	if err != nil {
		v.Words = rd.t("This schedule cannot be read: %s", rd.words(err))
		return v
	}
	words := table.Descriptions()
	for i := range words {
		words[i] = rd.scheduleWords(words[i])
	}
	v.Words, v.DSTNote = strings.Join(words, "; "), rd.dstNote(table)
	start := row.StartDate
	if row.Schedule.Kind == dag.ScheduleDelta && !row.Next.RunAfter.IsZero() {
		start = row.Next.RunAfter // its runs count from the next one
	}
	if row.Archived || row.Schedule.Kind == dag.ScheduleDelta && start.IsZero() {
		return v
	}
	// An error here means that no run follows, which the empty list says too.
	runs, _ := table.Upcoming(rd.now, timetable.Bounds{Start: start, End: row.EndDate, Catchup: row.Catchup}, upcomingRuns)
	for _, r := range runs {
		v.Upcoming = append(v.Upcoming, rd.upcoming(r.RunAfter, v.Timezone))
	}
	return v
}

func (rd *reader) upcoming(t time.Time, zone string) UpcomingRun {
	u := UpcomingRun{TimeView: rd.time(t, zone)}
	loc, err := rd.zones.load(zone)
	if local, shown := rd.in(t, zone); err == nil && t.In(loc).Format(timeLayout) != local.Format(timeLayout) {
		u.Text += " " + shown
		u.Zoned = t.In(loc).Format("15:04 ") + zone
	}
	return u
}

func (rd *reader) dstNote(table *timetable.Timetable) string {
	note := table.DSTNote(rd.now)
	if note == "" {
		return ""
	}
	return rd.scheduleWords(note)
}
