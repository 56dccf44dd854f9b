package dag

import (
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
	r.faults.addAt(n, "must be a cron expression in quotes, a preset such as \"@daily\", none, or a timetable object, not %s", n.shape())
	return Schedule{}, false
}

func (r reader) readCron(n *node, kind ScheduleKind, zone *time.Location) (Schedule, bool) {
	expr, ok := r.readText(n)
	if !ok {
		return Schedule{}, false
	}
	switch strings.ToLower(strings.TrimSpace(expr)) {
	case "":
		r.faults.addAt(n, "the schedule is empty; write none for a DAG that runs only when asked")
		return Schedule{}, false
	case "none", "null":
		return Schedule{Kind: ScheduleNone}, true
	case "@once":
		return Schedule{Kind: ScheduleOnce}, true
	case "@continuous":
		return Schedule{Kind: ScheduleContinuous}, true
	}
	if len(expr) > maxCron {
		r.faults.addAt(n, "the cron expression is longer than %d bytes", maxCron)
		return Schedule{}, false
	}
	return Schedule{Kind: kind, Expr: expr, Timezone: zone.String()}, true
}

func (r reader) readTimetable(n *node, zone *time.Location) (Schedule, bool) {
	o, ok := r.takeApart(n)
	if !ok {
		return Schedule{}, false
	}
	kind, ok := timetableKinds[o.class]
	if !ok {
		r.faults.addAt(n.get(typeKey), "%s is no timetable that dagwright has; use CronTriggerTimetable or CronDataIntervalTimetable of airflow.sdk", clip(o.class))
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
			r.faults.addAt(n, "not supported by dagwright: a timetable's interval, remove it (CronDataIntervalTimetable has one)")
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
