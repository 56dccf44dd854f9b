package dag

import (
	"math"
	"strings"
	"time"
)

// maxDuration bounds every duration of a spec, well below where int64
// nanoseconds end.
const maxDuration = 100 * 365 * 24 * time.Hour

// durationUnits are timedelta's arguments in the order of its positions.
var durationUnits = []string{"days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks"}

var unitSeconds = map[string]float64{
	"days": 86400, "seconds": 1, "microseconds": 1e-6, "milliseconds": 1e-3,
	"minutes": 60, "hours": 3600, "weeks": 7 * 86400,
}

// readDuration reads a number of seconds or a timedelta object; it may not be
// negative.
func (r reader) readDuration(n *node) (time.Duration, bool) {
	if seconds, ok := plainFloat(n); ok {
		return r.duration(n, seconds)
	}
	if class := typeName(n); class == timedeltaType || class == pendulumDurationType {
		o, ok := r.takeApart(n)
		if !ok {
			return 0, false
		}
		return r.readTimedelta(o)
	}
	r.faults.addAt(n, "must be a number of seconds or {%s: %s, minutes: …}, not %s", typeKey, timedeltaType, n.shape())
	return 0, false
}

func (r reader) readTimedelta(o object) (time.Duration, bool) {
	kw, ok := r.keywords(o, durationUnits)
	if !ok {
		return 0, false
	}
	return r.readUnits(o.node, kw)
}

// readUnits adds up the units of a duration.
func (r reader) readUnits(at *node, kw map[string]*node) (time.Duration, bool) {
	sum := 0.0
	for _, unit := range durationUnits {
		n := kw[unit]
		if n == nil {
			continue
		}
		v, ok := plainFloat(n)
		if !ok {
			r.faults.addAt(n, "must be a number, not %s", n.shape())
			return 0, false
		}
		sum += v * unitSeconds[unit]
	}
	return r.duration(at, sum)
}

func (r reader) duration(n *node, seconds float64) (time.Duration, bool) {
	if seconds < 0 || seconds > maxDuration.Seconds() {
		r.faults.addAt(n, "must be between 0 and 100 years")
		return 0, false
	}
	return time.Duration(math.Round(seconds*1e6)) * time.Microsecond, true
}

// deltaTypes are the classes of a step on the calendar.
var deltaTypes = map[string]bool{timedeltaType: true, pendulumDurationType: true, relativedeltaType: true}

// relativeUnits are relativedelta's arguments that move a date on; the others set a part of it.
var relativeUnits = []string{"years", "months", "days", "weeks", "hours", "minutes", "seconds", "microseconds"}

// readDelta reads a timedelta, or a relativedelta of units that move a date on. It may
// not be negative.
func (r reader) readDelta(n *node) (Delta, bool) {
	if typeName(n) != relativedeltaType {
		d, ok := r.readDuration(n)
		return Delta{Duration: d}, ok
	}
	o, ok := r.takeApart(n)
	if !ok {
		return Delta{}, false
	}
	if len(o.args) > 0 {
		r.faults.addAt(n.get(argsKey), "%s takes its units by name, as in months: 1", relativedeltaType)
		return Delta{}, false
	}
	kw, ok := r.keywords(o, nil, relativeUnits...)
	if !ok {
		return Delta{}, false
	}
	const maxMonths = 100 * 12
	months := 0
	for unit, length := range map[string]int{"years": 12, "months": 1} {
		if kw[unit] == nil {
			continue
		}
		count, good := r.readInt(kw[unit], 0)
		if good && count > maxMonths/length {
			r.faults.addAt(kw[unit], "must be between 0 and 100 years")
			good = false
		}
		months, ok = months+count*length, ok && good
	}
	if !ok {
		return Delta{}, false
	}
	d, ok := r.readUnits(o.node, kw)
	return Delta{Months: months, Duration: d}, ok
}

// zoneTypes are the classes that stand for a time zone by its name.
var zoneTypes = []string{"pendulum.timezone", "pendulum.tz.timezone", "pendulum.tz.timezone.Timezone",
	"pendulum.timezone.Timezone", "pendulum.Timezone", "zoneinfo.ZoneInfo"}

// zoneName gives the name of a time zone, which may stand in an object of its class.
func (r reader) zoneName(n *node) (*node, bool) {
	class := typeName(n)
	if class == "" {
		return n, true
	}
	if !contains(zoneTypes, class) {
		r.faults.addAt(n.get(typeKey), "%s is not a time zone; write its name, such as UTC or Europe/Moscow", clip(class))
		return nil, false
	}
	o, ok := r.takeApart(n)
	if !ok {
		return nil, false
	}
	name := "name"
	if class == "zoneinfo.ZoneInfo" || strings.HasSuffix(class, ".Timezone") {
		name = "key"
	}
	kw, ok := r.keywords(o, []string{name})
	if ok && kw[name] == nil {
		r.faults.addAt(n, "%s needs a %s", class, name)
		return nil, false
	}
	return kw[name], ok
}

// readZone reads an IANA time zone: its name, or an object of its name.
func (r reader) readZone(n *node) (*time.Location, bool) {
	n, ok := r.zoneName(n)
	if !ok {
		return nil, false
	}
	name, ok := r.readText(n)
	if !ok {
		return nil, false
	}
	// LoadLocation takes "" as UTC and "Local" as this machine's zone; neither
	// says what the author meant.
	if name == "" || strings.EqualFold(name, "local") {
		r.faults.addAt(n, "%s is not a time zone; write its IANA name, such as UTC or Europe/Moscow", clip(name))
		return nil, false
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		r.faults.addAt(n, "unknown time zone %s; write its IANA name, such as UTC or Europe/Moscow", clip(name))
		return nil, false
	}
	return zone, true
}

// momentLayouts are the dates that a spec may write, without an offset.
var momentLayouts = []string{
	"2006-01-02",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	"2006-1-2",
	"2006-1-2 15:04:05",
	"20060102",
}

// readMoment reads a wall-clock date and time as if it were in UTC: its zone is not
// known here. As in dag-factory an offset in it is dropped: the DAG's timezone counts.
func (r reader) readMoment(n *node) (time.Time, bool) {
	switch typeName(n) {
	case datetimeType, dateType, pendulumType:
		return r.readDatetime(n)
	}
	if n.kind != textKind && n.kind != timeKind && n.kind != intKind {
		r.faults.addAt(n, "must be a date such as \"2026-01-31\" or \"2026-01-31T05:00:00\", not %s", n.shape())
		return time.Time{}, false
	}
	text := dropOffset(strings.TrimSpace(n.text))
	for _, layout := range momentLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			r.noteMoment(n, layout)
			return r.checkYear(n, t)
		}
	}
	if isRelative(text) {
		r.faults.addAt(n, "%s is relative to today and changes every day; write a date such as \"2026-01-31\"", clip(n.text))
	} else {
		r.faults.addAt(n, "%s is not a date; write one such as \"2026-01-31\" or \"2026-01-31T05:00:00\"", clip(n.text))
	}
	return time.Time{}, false
}

// noteMoment notes a date whose form Airflow does not read.
func (r reader) noteMoment(n *node, layout string) {
	switch {
	case layout == "2006-1-2", layout == "2006-1-2 15:04:05" && n.quoted:
		r.faults.airflow(n, "months and days have two digits, as in \"2026-01-31\"")
	case n.kind == intKind:
		r.faults.airflow(n, "it is a number; put the date in quotes")
	}
}

// checkYear keeps dates where databases, JSON and cron can handle them.
func (r reader) checkYear(n *node, t time.Time) (time.Time, bool) {
	if t.Year() < 1900 || t.Year() > 2200 {
		r.faults.addAt(n, "the year must be from 1900 to 2200")
		return time.Time{}, false
	}
	return t, true
}

// dropOffset cuts "Z", "+03:00" or " -0500" from the end of a date with a time.
func dropOffset(s string) string {
	if len(s) <= len("2006-01-02") || !strings.Contains(s, ":") {
		return s
	}
	if last := s[len(s)-1]; last == 'Z' || last == 'z' {
		return strings.TrimSpace(s[:len(s)-1])
	}
	if i := strings.LastIndexAny(s, "+-"); i > len("2006-01-02") {
		return strings.TrimSpace(s[:i])
	}
	return s
}

func isRelative(s string) bool {
	s = strings.TrimSpace(strings.TrimSuffix(strings.ToLower(s), "ago"))
	for _, unit := range []string{"day", "hour", "minute", "second", "week", "month", "year"} {
		if strings.HasSuffix(strings.TrimSuffix(s, "s"), unit) {
			return true
		}
	}
	return false
}

var datetimeArguments = []string{"year", "month", "day", "hour", "minute", "second", "microsecond"}

func (r reader) readDatetime(n *node) (time.Time, bool) {
	o, ok := r.takeApart(n)
	if !ok {
		return time.Time{}, false
	}
	kw, ok := r.keywords(o, datetimeArguments, "tz", "tzinfo", "fold")
	if !ok {
		return time.Time{}, false
	}
	values := [7]int{1: 1, 2: 1}
	for i, name := range datetimeArguments {
		if kw[name] == nil {
			if i < 3 && (i == 0 || o.class != pendulumType) {
				r.faults.addAt(n, "%s needs a %s", o.class, name)
				return time.Time{}, false
			}
			continue
		}
		if values[i], ok = r.readInt(kw[name], 0); !ok {
			return time.Time{}, false
		}
	}
	t := time.Date(values[0], time.Month(values[1]), values[2], values[3], values[4], values[5], values[6]*1000, time.UTC)
	if t.Year() != values[0] || t.Month() != time.Month(values[1]) || t.Day() != values[2] || values[3] > 23 ||
		values[4] > 59 || values[5] > 59 || values[6] > 999_999 {
		r.faults.addAt(n, "there is no such date or time")
		return time.Time{}, false
	}
	return r.checkYear(n, t)
}

// inZone gives the instant at which the clocks of a zone show the wall time. One
// that they show twice is the first, as Python takes it (fold=0); one that they
// skip is read with the offset before the change.
func inZone(wall time.Time, zone *time.Location) time.Time {
	if wall.IsZero() {
		return wall
	}
	instant := func(around time.Duration) time.Time {
		_, offset := wall.Add(around).In(zone).Zone()
		return wall.Add(-time.Duration(offset) * time.Second).In(zone)
	}
	shows := func(t time.Time) bool {
		_, offset := t.Zone()
		return t.Add(time.Duration(offset) * time.Second).Equal(wall)
	}
	before, after := instant(-24*time.Hour), instant(24*time.Hour)
	if !shows(before) && shows(after) {
		return after
	}
	return before
}
