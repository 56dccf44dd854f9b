package macro

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// moment is a datetime with a zone, as pendulum's DateTime. Its precision is a
// microsecond.
type moment struct{ t time.Time }

// span is a timedelta. between marks the difference of two moments, which in
// pendulum is an Interval with another text.
type span struct {
	d       time.Duration
	between bool
}

// isoformat is Python's; separator stands between date and time.
func (m moment) isoformat(separator string) string {
	layout := "2006-01-02" + separator + "15:04:05"
	if m.t.Nanosecond()/1000 != 0 {
		layout += ".000000"
	}
	return m.t.Format(layout) + offset(m.t, ":")
}

// offset writes a zone's offset: +03:00, with seconds where there are some.
func offset(t time.Time, colon string) string {
	_, seconds := t.Zone()
	sign := "+"
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	s := fmt.Sprintf("%s%02d%s%02d", sign, seconds/3600, colon, seconds/60%60)
	if seconds%60 != 0 {
		s += fmt.Sprintf("%s%02d", colon, seconds%60)
	}
	return s
}

func (m moment) repr() string {
	t := m.t
	s := fmt.Sprintf("DateTime(%d, %d, %d, %d, %d, %d", t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second())
	if us := t.Nanosecond() / 1000; us != 0 {
		s += fmt.Sprintf(", %d", us)
	}
	return s + fmt.Sprintf(", tzinfo=Timezone('%s'))", t.Location())
}

// attribute finds what a template may ask of a moment.
func (m moment) attribute(name string) (any, bool) {
	if v, ok := m.part(name); ok {
		return v, true
	}
	call, ok := momentMethods[name]
	if !ok {
		return nil, false
	}
	return &function{name: name, call: func(e *evaluation, a arguments) (any, error) {
		v, err := call(e, m, a)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return v, nil
	}}, true
}

func (m moment) part(name string) (any, bool) {
	t := m.t
	switch name {
	case "year":
		return int64(t.Year()), true
	case "month":
		return int64(t.Month()), true
	case "day":
		return int64(t.Day()), true
	case "hour":
		return int64(t.Hour()), true
	case "minute":
		return int64(t.Minute()), true
	case "second":
		return int64(t.Second()), true
	case "microsecond":
		return int64(t.Nanosecond() / 1000), true
	case "day_of_week":
		return isoWeekday(t) - 1, true
	case "day_of_year":
		return int64(t.YearDay()), true
	case "week_of_year":
		_, week := t.ISOWeek()
		return int64(week), true
	case "quarter":
		return int64(t.Month()-1)/3 + 1, true
	case "days_in_month":
		return int64(daysIn(t.Year(), t.Month())), true
	case "int_timestamp":
		return t.Unix(), true
	case "timezone_name":
		return t.Location().String(), true
	}
	return nil, false
}

type momentFunc func(e *evaluation, m moment, a arguments) (any, error)

var momentMethods = map[string]momentFunc{
	"add":                func(_ *evaluation, m moment, a arguments) (any, error) { return m.add(a, 1) },
	"subtract":           func(_ *evaluation, m moment, a arguments) (any, error) { return m.add(a, -1) },
	"date":               noArguments(func(m moment) any { return m.t.Format("2006-01-02") }),
	"end_of":             func(_ *evaluation, m moment, a arguments) (any, error) { return m.bound(a, true) },
	"format":             formatMethod,
	"in_timezone":        inTimezone,
	"in_tz":              inTimezone,
	"isoformat":          noArguments(func(m moment) any { return m.isoformat("T") }),
	"isoweekday":         noArguments(func(m moment) any { return isoWeekday(m.t) }),
	"start_of":           func(_ *evaluation, m moment, a arguments) (any, error) { return m.bound(a, false) },
	"strftime":           strftimeMethod,
	"timestamp":          noArguments(func(m moment) any { return float64(m.t.UnixMicro()) / 1e6 }),
	"to_date_string":     noArguments(func(m moment) any { return m.t.Format("2006-01-02") }),
	"to_datetime_string": noArguments(func(m moment) any { return m.t.Format("2006-01-02 15:04:05") }),
	"to_iso8601_string":  noArguments(func(m moment) any { return strings.Replace(m.isoformat("T"), "+00:00", "Z", 1) }),
	"to_time_string":     noArguments(func(m moment) any { return m.t.Format("15:04:05") }),
	"weekday":            noArguments(func(m moment) any { return isoWeekday(m.t) - 1 }),
}

func noArguments(f func(moment) any) momentFunc {
	return func(_ *evaluation, m moment, a arguments) (any, error) {
		_, err := a.take("it")
		return f(m), err
	}
}

func strftimeMethod(e *evaluation, m moment, a arguments) (any, error) {
	return formatWith(m, a, e.strftime)
}

func formatMethod(e *evaluation, m moment, a arguments) (any, error) {
	return formatWith(m, a, e.pendulumFormat)
}

func formatWith(m moment, a arguments, write func(time.Time, string) (string, error)) (any, error) {
	args, err := a.take("it", "format!")
	if err != nil {
		return nil, err
	}
	layout, err := stringOr(args[0], "")
	if err != nil {
		return nil, err
	}
	return write(m.t, layout)
}

func inTimezone(e *evaluation, m moment, a arguments) (any, error) {
	args, err := a.take("it", "tz!")
	if err != nil {
		return nil, err
	}
	name, err := stringOr(args[0], "")
	if err != nil {
		return nil, err
	}
	zone, err := e.zone(name)
	return moment{m.t.In(zone)}, err
}

// zones holds those that were asked for, so that none is read twice. There are
// about 600 of them.
var zones sync.Map // name → *time.Location

// zoneWork is what a zone costs to read.
const zoneWork = 1 << 15

func (b *budget) zone(name string) (*time.Location, error) {
	if err := b.touch(zoneWork); err != nil {
		return time.UTC, err
	}
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location), nil
	}
	if name == "" || name == "Local" {
		return time.UTC, errors.New(`expected a zone such as "Europe/Moscow"`)
	}
	if len(name) > maxName {
		return time.UTC, fmt.Errorf("there is no time zone %q", clip(name, 40))
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC, fmt.Errorf("there is no time zone %q", clip(name, 40))
	}
	zones.Store(strings.Clone(name), loc)
	return loc, nil
}

// The years that Python's datetime knows.
const minYear, maxYear = 1, 9999

// add moves a moment as pendulum does: when years, months, weeks or days are
// among the units, the clock on the wall is moved; else the time that passes.
func (m moment) add(a arguments, sign int64) (any, error) {
	args, err := a.take("it", "years", "months", "weeks", "days", "hours", "minutes", "seconds", "microseconds")
	if err != nil {
		return nil, err
	}
	var n [8]int64
	for i, v := range args {
		if n[i], err = intOr(v, 0); err != nil {
			return nil, err
		}
		if max(n[i], -n[i]) > 1e9 && i < 6 || max(n[i], -n[i]) > 1e15 || n[i] == math.MinInt64 {
			return nil, errRange
		}
		n[i] *= sign
	}
	calendar := n[0] != 0 || n[1] != 0 || n[2] != 0 || n[3] != 0
	t := m.t.UTC()
	if calendar {
		t = wall(m.t)
	}
	if t, err = addCalendar(t, n); err != nil {
		return nil, err
	}
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second, time.Microsecond} {
		if t, err = shift(t, n[4+i], unit); err != nil {
			return nil, err
		}
	}
	if calendar {
		return moment{onWall(t, m.t.Location())}, nil
	}
	return moment{t.In(m.t.Location())}, nil
}

// addCalendar adds years, months, weeks and days; the day is cut to the
// month's last.
func addCalendar(t time.Time, n [8]int64) (time.Time, error) {
	if n[0] == 0 && n[1] == 0 && n[2] == 0 && n[3] == 0 {
		return t, nil
	}
	months := int64(t.Year())*12 + int64(t.Month()) - 1 + n[0]*12 + n[1]
	year, month := months/12, time.Month(months%12+1)
	if year < minYear || year > maxYear || max(n[2], -n[2]) > 600_000 || max(n[3], -n[3]) > 4_000_000 {
		return t, errRange
	}
	day := min(t.Day(), daysIn(int(year), month))
	h, mi, s := t.Clock()
	t = time.Date(int(year), month, day+int(n[2]*7+n[3]), h, mi, s, t.Nanosecond(), time.UTC)
	return t, inYears(t)
}

func inYears(t time.Time) error {
	if t.Year() < minYear || t.Year() > maxYear {
		return errRange
	}
	return nil
}

// shift adds n units to a time.
func shift(t time.Time, n int64, unit time.Duration) (time.Time, error) {
	if max(n, -n) > int64(math.MaxInt64/unit) {
		return t, errRange
	}
	t = t.Add(time.Duration(n) * unit)
	return t, inYears(t)
}

// wall is what the clock on the wall shows, as if it were UTC.
func wall(t time.Time) time.Time {
	_, seconds := t.Zone()
	return t.UTC().Add(time.Duration(seconds) * time.Second)
}

// onWall is the moment at which a zone's clock shows the given time. A time
// that is skipped moves forward; of one that comes twice the second is taken, as
// pendulum does.
func onWall(shown time.Time, loc *time.Location) time.Time {
	_, before := shown.Add(-24 * time.Hour).In(loc).Zone()
	_, after := shown.Add(24 * time.Hour).In(loc).Zone()
	late := shown.Add(-time.Duration(after) * time.Second).In(loc)
	if wall(late).Equal(shown) {
		return late
	}
	return shown.Add(-time.Duration(before) * time.Second).In(loc)
}

// bound is the first or last moment of a day, week, month, year or hour.
func (m moment) bound(a arguments, last bool) (any, error) {
	args, err := a.take("it", "unit!")
	if err != nil {
		return nil, err
	}
	unit, err := stringOr(args[0], "")
	if err != nil {
		return nil, err
	}
	t := wall(m.t)
	y, mo, d := t.Date()
	start, next := t, t
	switch unit {
	case "hour":
		start = t.Truncate(time.Hour)
		next = start.Add(time.Hour)
	case "day":
		start = time.Date(y, mo, d, 0, 0, 0, 0, time.UTC)
		next = start.AddDate(0, 0, 1)
	case "week":
		start = time.Date(y, mo, d-int(isoWeekday(t))+1, 0, 0, 0, 0, time.UTC)
		next = start.AddDate(0, 0, 7)
	case "month":
		start = time.Date(y, mo, 1, 0, 0, 0, 0, time.UTC)
		next = start.AddDate(0, 1, 0)
	case "year":
		start = time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)
		next = start.AddDate(1, 0, 0)
	default:
		return nil, errors.New("expected hour, day, week, month or year")
	}
	if last {
		start = next.Add(-time.Microsecond)
	}
	return moment{onWall(start, m.t.Location())}, nil
}

func isoWeekday(t time.Time) int64 { return int64(t.Weekday()+6)%7 + 1 }

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// calendar adds and subtracts moments and spans.
func calendar(op tokens.Type, left, right any) (any, bool, error) {
	if op == tokens.Addition {
		if _, ok := right.(moment); ok {
			left, right = right, left
		}
	} else if op != tokens.Subtraction {
		return nil, false, nil
	}
	other, isSpan := right.(span)
	if isSpan && op == tokens.Subtraction {
		other.d = -other.d
	}
	switch a := left.(type) {
	case moment:
		if b, ok := right.(moment); ok && op == tokens.Subtraction {
			d := a.t.Sub(b.t)
			if d == math.MaxInt64 || d == math.MinInt64 {
				return nil, true, errRange
			}
			return span{d: d, between: true}, true, nil
		}
		if isSpan {
			// Python adds a timedelta to the clock on the wall.
			t := wall(a.t).Add(other.d)
			return moment{onWall(t, a.t.Location())}, true, inYears(t)
		}
	case span:
		if isSpan {
			sum, err := integers(tokens.Addition, int64(a.d), int64(other.d))
			if err != nil {
				return nil, true, err
			}
			return span{d: time.Duration(sum.(int64))}, true, nil
		}
	}
	return nil, false, nil
}

// parts splits a span as Python does: the days carry the sign.
func (s span) parts() (days, seconds, microseconds int64) {
	us := s.d.Microseconds()
	const day = 24 * 3600 * 1_000_000
	days, us = us/day, us%day
	if us < 0 {
		days, us = days-1, us+day
	}
	return days, us / 1_000_000, us % 1_000_000
}

func (s span) attribute(name string) (any, bool) {
	days, seconds, microseconds := s.parts()
	switch name {
	case "days":
		return days, true
	case "seconds":
		return seconds, true
	case "microseconds":
		return microseconds, true
	case "total_seconds":
		return &function{name: name, call: func(_ *evaluation, a arguments) (any, error) {
			_, err := a.take("total_seconds")
			return float64(s.d.Microseconds()) / 1e6, err
		}}, true
	}
	return nil, false
}

// text is Python's str of a timedelta.
func (s span) text() string {
	days, seconds, microseconds := s.parts()
	out := ""
	if days != 0 {
		out = fmt.Sprintf("%d day", days)
		if days != 1 && days != -1 {
			out += "s"
		}
		out += ", "
	}
	out += fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	if microseconds != 0 {
		out += fmt.Sprintf(".%06d", microseconds)
	}
	return out
}
