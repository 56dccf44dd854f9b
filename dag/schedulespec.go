package dag

import (
	"fmt"
	"strings"
	"time"
)

// timetableKinds are the timetables that a schedule object may name. Airflow
// has each in its own module and, for authors, in airflow.sdk.
var timetableKinds = map[string]ScheduleKind{
	"airflow.timetables.trigger.CronTriggerTimetable":       ScheduleCronTrigger,
	"airflow.sdk.CronTriggerTimetable":                      ScheduleCronTrigger,
	"airflow.timetables.interval.CronDataIntervalTimetable": ScheduleCronInterval,
	"airflow.sdk.CronDataIntervalTimetable":                 ScheduleCronInterval,
	"airflow.timetables.simple.NullTimetable":               ScheduleNone,
	"airflow.timetables.simple.OnceTimetable":               ScheduleOnce,
	"airflow.timetables.simple.ContinuousTimetable":         ScheduleContinuous,
}

// maxCron bounds a cron expression, in bytes.
const maxCron = 1000

// readSchedule reads a DAG's schedule; zone is the DAG's. Whether a cron
// expression is right is not looked at: see [Parser.CheckSchedule].
func (r reader) readSchedule(n *node, zone *time.Location) (Schedule, bool) {
	switch {
	case n == nil || n.kind == nullKind:
		return Schedule{Kind: ScheduleNone}, true
	case n.kind == textKind:
		return r.readCron(n, ScheduleCronTrigger, zone)
	case typeName(n) != "":
		return r.readTimetable(n, zone)
	}
	r.faults.addAt(n,
		"must be a cron expression in quotes, a preset such as \"@daily\", none, or a timetable object, not %s", n.shape())
	return Schedule{}, false
}

func (r reader) readCron(n *node, kind ScheduleKind, zone *time.Location) (Schedule, bool) {
	text, ok := r.readText(n)
	if !ok {
		return Schedule{}, false
	}
	s, err := ParseSchedule(text, zone)
	if err != nil {
		r.faults.addAt(n, "%s", reasonOf(err))
		return Schedule{}, false
	}
	if s.Expr != "" {
		s.Kind = kind
	}
	return s, true
}

// ParseSchedule returns the schedule that a text stands for in a spec: none,
// @once, @continuous, or else a cron expression or preset, which is meant in
// zone and not looked into. The error is an [ErrInvalid].
func ParseSchedule(text string, zone *time.Location) (Schedule, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "":
		return Schedule{}, fmt.Errorf("the schedule is empty; write none for a DAG that runs only when asked: %w", ErrInvalid)
	case "none", "null":
		return Schedule{Kind: ScheduleNone}, nil
	case "@once":
		return Schedule{Kind: ScheduleOnce}, nil
	case "@continuous":
		return Schedule{Kind: ScheduleContinuous}, nil
	}
	if len(text) > maxCron {
		return Schedule{}, fmt.Errorf("the cron expression is longer than %d bytes: %w", maxCron, ErrInvalid)
	}
	return Schedule{Kind: ScheduleCronTrigger, Expr: text, Timezone: zone.String()}, nil
}

func (r reader) readTimetable(n *node, zone *time.Location) (Schedule, bool) {
	o, ok := r.takeApart(n)
	if !ok {
		return Schedule{}, false
	}
	kind, ok := timetableKinds[o.class]
	if !ok {
		r.faults.addAt(n.get(typeKey),
			"%s is not a timetable that dagwright has; use CronTriggerTimetable or CronDataIntervalTimetable of airflow.sdk",
			clip(o.class))
		return Schedule{}, false
	}
	if kind != ScheduleCronTrigger && kind != ScheduleCronInterval {
		_, ok := r.keywords(o, nil)
		return Schedule{Kind: kind}, ok
	}
	kw, ok := r.keywords(o, []string{"cron", "timezone"}, "interval", "run_immediately")
	if !ok || !r.checkTimetableExtras(kw) {
		return Schedule{}, false
	}
	if kw["timezone"] != nil {
		if zone, ok = r.readZone(kw["timezone"]); !ok {
			return Schedule{}, false
		}
	}
	if kw["cron"] == nil {
		r.faults.addAt(n, "%s needs cron", o.class)
		return Schedule{}, false
	}
	return r.readCron(kw["cron"], kind, zone)
}

// checkTimetableExtras refuses arguments that would change the runs.
func (r reader) checkTimetableExtras(kw map[string]*node) bool {
	if n := kw["interval"]; n != nil && n.kind != nullKind {
		if d, ok := r.readDuration(n); !ok || d != 0 {
			r.faults.addAt(n,
				"not supported by dagwright: a timetable's interval, remove it (CronDataIntervalTimetable has one)")
			return false
		}
	}
	if n := kw["run_immediately"]; n != nil && n.kind != nullKind {
		if now, ok := r.readBool(n); !ok || now {
			r.faults.addAt(n, "not supported by dagwright: run_immediately, remove it")
			return false
		}
	}
	return true
}
