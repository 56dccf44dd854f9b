package dag

import (
	"fmt"
	"strings"
	"time"
)

// timetableKinds are the timetables that a schedule object may name. Airflow
// has each in its own module and, for authors, in airflow.sdk.
var timetableKinds = map[string]ScheduleKind{
	"airflow.timetables.trigger.CronTriggerTimetable":         ScheduleCronTrigger,
	"airflow.sdk.CronTriggerTimetable":                        ScheduleCronTrigger,
	"airflow.timetables.interval.CronDataIntervalTimetable":   ScheduleCronInterval,
	"airflow.sdk.CronDataIntervalTimetable":                   ScheduleCronInterval,
	"airflow.timetables.trigger.MultipleCronTriggerTimetable": ScheduleCronTrigger,
	"airflow.sdk.MultipleCronTriggerTimetable":                ScheduleCronTrigger,
	"airflow.timetables.trigger.DeltaTriggerTimetable":        ScheduleDelta,
	"airflow.sdk.DeltaTriggerTimetable":                       ScheduleDelta,
	"airflow.timetables.simple.NullTimetable":                 ScheduleNone,
	"airflow.timetables.simple.OnceTimetable":                 ScheduleOnce,
	"airflow.timetables.simple.ContinuousTimetable":           ScheduleContinuous,
}

// multipleCrons are those of several cron expressions.
var multipleCrons = map[string]bool{
	"airflow.timetables.trigger.MultipleCronTriggerTimetable": true,
	"airflow.sdk.MultipleCronTriggerTimetable":                true,
}

// timetableNames lists the timetables for messages.
var timetableNames = []string{
	"airflow.sdk.CronTriggerTimetable", "airflow.sdk.MultipleCronTriggerTimetable", "airflow.sdk.DeltaTriggerTimetable",
	"airflow.sdk.CronDataIntervalTimetable",
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
	case isAssets(n):
		r.faults.addAt(n, "not supported by dagwright: a schedule by assets; write a cron expression or, for several, "+
			"{%s: airflow.sdk.MultipleCronTriggerTimetable, %s: [\"0 6 * * *\", …], timezone: UTC}", typeKey, argsKey)
		return Schedule{}, false
	case typeName(n) != "":
		return r.readTimetable(n, zone)
	}
	r.faults.addAt(n,
		"must be a cron expression in quotes, a preset such as \"@daily\", none, or a timetable object, not %s", n.shape())
	return Schedule{}, false
}

// isAssets reports whether a schedule names assets, as Airflow's are: a list, an
// expression or an object of them.
func isAssets(n *node) bool {
	if n.kind == listKind {
		return true
	}
	for _, p := range n.pairs {
		if reservedKeys[p.key] || p.key == "datasets" || p.key == "assets" {
			return true
		}
	}
	class := typeName(n)
	return strings.Contains(class, ".Asset") || strings.Contains(class, ".Dataset")
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
	if strings.ContainsAny(text, "\r\n") {
		text = strings.Join(strings.Fields(text), " ") // a line is one expression
	}
	return Schedule{Kind: ScheduleCronTrigger, Expr: text, Timezone: zone.String()}, nil
}

// maxCrons bounds the expressions of one schedule: each is searched when the next run is
// sought.
const maxCrons = 20

// ParseSchedules returns the schedule that several texts stand for together, each a cron
// expression or a preset of one, meant in zone and not looked into: it runs whenever one
// of them does. A single text may be all that [ParseSchedule] takes. The error is an
// [ErrInvalid].
func ParseSchedules(texts []string, zone *time.Location) (Schedule, error) {
	switch {
	case len(texts) == 1:
		return ParseSchedule(texts[0], zone)
	case len(texts) == 0:
		return Schedule{}, fmt.Errorf("the schedule has no cron expression: %w", ErrInvalid)
	case len(texts) > maxCrons:
		return Schedule{}, fmt.Errorf("%d cron expressions are too many; %d is the limit: %w", len(texts), maxCrons,
			ErrInvalid)
	}
	all := make([]string, len(texts))
	for i, text := range texts {
		s, err := ParseSchedule(text, zone)
		if err == nil && s.Kind != ScheduleCronTrigger {
			err = fmt.Errorf("%s cannot stand beside a cron expression: %w", clip(text), ErrInvalid)
		}
		if err != nil {
			return Schedule{}, err
		}
		all[i] = s.Expr
	}
	return Schedule{Kind: ScheduleCronTrigger, Expr: strings.Join(all, "\n"), Timezone: zone.String()}, nil
}

func (r reader) readTimetable(n *node, zone *time.Location) (Schedule, bool) {
	o, ok := r.takeApart(n)
	if !ok {
		return Schedule{}, false
	}
	if deltaTypes[o.class] {
		return r.readEvery(n)
	}
	kind, ok := timetableKinds[o.class]
	switch {
	case !ok:
		r.faults.addAt(n.get(typeKey), "%s is not a timetable that dagwright has; known are %s%s", clip(o.class),
			strings.Join(timetableNames, ", "), didYouMean(o.class, timetableNames))
		return Schedule{}, false
	case kind == ScheduleDelta:
		return r.readDeltaTimetable(o)
	case multipleCrons[o.class]:
		return r.readMultiple(o, zone)
	case kind == ScheduleCronTrigger:
		return r.readCronTimetable(o, kind, zone, "interval", "run_immediately")
	case kind == ScheduleCronInterval:
		return r.readCronTimetable(o, kind, zone)
	}
	_, ok = r.keywords(o, nil)
	return Schedule{Kind: kind}, ok
}

// readCronTimetable reads a timetable of one cron expression, which the core calls cron and
// airflow.sdk expression; either name is read of both.
func (r reader) readCronTimetable(o object, kind ScheduleKind, zone *time.Location, further ...string) (Schedule, bool) {
	name, other := "cron", "expression"
	if strings.HasPrefix(o.class, "airflow.sdk.") {
		name, other = other, name
	}
	kw, ok := r.keywords(o, []string{name, "timezone"}, append(further, other)...)
	if !ok {
		return Schedule{}, false
	}
	if n := kw[other]; n != nil && kw[name] == nil {
		r.faults.airflow(n, "%s calls it %s", o.class, name)
		kw[name] = n
	}
	if kw[name] == nil {
		r.faults.addAt(o.node, "%s needs %s", o.class, name)
		return Schedule{}, false
	}
	if len(o.args) > 1 && kind == ScheduleCronTrigger && name == "cron" {
		r.faults.airflow(o.args[1], "%s takes its timezone by name alone", o.class)
	}
	zone, ok = r.readZoneArgument(kw, zone)
	s, good := r.readCron(kw[name], kind, zone)
	return s, r.readTriggerExtras(&s, kw) && ok && good
}

// readMultiple reads MultipleCronTriggerTimetable, whose positional arguments are
// expressions.
func (r reader) readMultiple(o object, zone *time.Location) (Schedule, bool) {
	at := o.node.get(argsKey)
	crons := o.args
	o.args = nil
	kw, ok := r.keywords(o, nil, "timezone", "interval", "run_immediately")
	if ok && len(crons) == 0 {
		r.faults.addAt(o.node, "%s needs cron expressions, as in %s: [\"0 6 * * *\", \"0 18 * * 1-5\"]", o.class, argsKey)
		ok = false
	}
	if !ok {
		return Schedule{}, false
	}
	zone, ok = r.readZoneArgument(kw, zone)
	texts := make([]string, len(crons))
	for i, n := range crons {
		text, good := r.readText(n)
		texts[i], ok = text, ok && good
	}
	if !ok {
		return Schedule{}, false
	}
	s, err := ParseSchedules(texts, zone)
	if err == nil && s.Kind != ScheduleCronTrigger {
		err = fmt.Errorf("%s is not a cron expression", clip(texts[0]))
	}
	if err != nil {
		r.faults.addAt(at, "%s", reasonOf(err))
		return Schedule{}, false
	}
	return s, r.readTriggerExtras(&s, kw)
}

func (r reader) readZoneArgument(kw map[string]*node, zone *time.Location) (*time.Location, bool) {
	if kw["timezone"] == nil {
		return zone, true
	}
	named, ok := r.readZone(kw["timezone"])
	if !ok {
		return zone, false
	}
	return named, true
}

// readTriggerExtras reads interval and run_immediately of a trigger timetable.
func (r reader) readTriggerExtras(s *Schedule, kw map[string]*node) bool {
	good := true
	if n := kw["interval"]; n != nil && n.kind != nullKind {
		s.Interval, good = r.readInterval(n)
	}
	n := kw["run_immediately"]
	if n == nil || n.kind == nullKind {
		return good
	}
	if n.kind == mapKind {
		late, ok := r.readDuration(n)
		if s.Late = late; late == 0 {
			s.Late = -1 // not even a tick that has just passed
		}
		return good && ok
	}
	now, ok := r.readBool(n)
	if now {
		s.Late = maxDuration
	}
	return good && ok
}

// readInterval reads the length of a data interval. One of months has no length that a
// logical date could be counted back by.
func (r reader) readInterval(n *node) (time.Duration, bool) {
	if typeName(n) != relativedeltaType {
		return r.readDuration(n)
	}
	d, ok := r.readDelta(n)
	if ok && d.Months != 0 {
		r.faults.addAt(n, "not supported by dagwright: an interval of months or years; write days")
		return 0, false
	}
	return d.Duration, ok
}

// readDeltaTimetable reads DeltaTriggerTimetable.
func (r reader) readDeltaTimetable(o object) (Schedule, bool) {
	kw, ok := r.keywords(o, []string{"delta"}, "interval")
	switch {
	case !ok:
		return Schedule{}, false
	case kw["delta"] == nil:
		r.faults.addAt(o.node, "%s needs delta", o.class)
		return Schedule{}, false
	}
	s, good := r.readEvery(kw["delta"])
	return s, r.readTriggerExtras(&s, kw) && good
}

// minStep is the least time between two runs.
const minStep = time.Second

// readEvery reads the time from one run to the next, a whole number of seconds.
func (r reader) readEvery(n *node) (Schedule, bool) {
	d, ok := r.readDelta(n)
	if ok && (d.Months == 0 && d.Duration < minStep || d.Duration%time.Second != 0) {
		r.faults.addAt(n, "the time from one run to the next must be whole seconds, at least one")
		ok = false
	}
	return Schedule{Kind: ScheduleDelta, Every: d, Timezone: time.UTC.String()}, ok
}
