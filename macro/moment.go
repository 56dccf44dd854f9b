package macro

import (
	"fmt"
	"strings"
	"time"
)

// moment is a date with or without a time of day: pendulum's DateTime and Date, and
// Python's own datetime and date. Its precision is a microsecond. What has no zone is
// kept as if it were UTC.
type moment struct {
	t     time.Time
	class class
	naive bool // without a zone; each date is
}

// class says which of the four a moment is. They differ in their methods and their text.
type class int

const (
	dateTime class = iota // pendulum's
	pythonDateTime
	date // pendulum's
	pythonDate
)

func (c class) String() string {
	return [...]string{"DateTime", "datetime", "Date", "date"}[c]
}

func (c class) isDate() bool   { return c == date || c == pythonDate }
func (c class) isPython() bool { return c == pythonDateTime || c == pythonDate }

// dateOf is a moment's date.
func dateOf(m moment, c class) moment {
	y, mo, d := m.wall().Date()
	return moment{time.Date(y, mo, d, 0, 0, 0, 0, time.UTC), c, true}
}

// wall is what the clock on the wall shows, as if it were UTC.
func (m moment) wall() time.Time {
	if m.naive {
		return m.t
	}
	_, seconds := m.t.Zone()
	return m.t.UTC().Add(time.Duration(seconds) * time.Second)
}

// fold is 1 when the clock shows this time for the second time.
func (m moment) fold() int {
	if !m.naive && !onWall(m.wall(), m.t.Location(), 0).Equal(m.t) {
		return 1
	}
	return 0
}

// at is another moment of the same class and zone, by what the clock shows.
func (m moment) at(shown time.Time, fold int) (moment, error) {
	if err := inYears(shown); err != nil {
		return m, err
	}
	if m.naive {
		return moment{shown, m.class, true}, nil
	}
	return moment{onWall(shown, m.t.Location(), fold), m.class, false}, nil
}

// onWall is the moment at which a zone's clock shows the given time, by the rules of
// pendulum's Timezone.convert: of a time that comes twice fold chooses; one that is
// skipped moves forward with a fold, else back.
func onWall(shown time.Time, loc *time.Location, fold int) time.Time {
	_, before := shown.Add(-24 * time.Hour).In(loc).Zone()
	_, after := shown.Add(24 * time.Hour).In(loc).Zone()
	first := shown.Add(-time.Duration(before) * time.Second).In(loc)
	second := shown.Add(-time.Duration(after) * time.Second).In(loc)
	shows := func(t time.Time) bool { return (moment{t: t}).wall().Equal(shown) }
	switch isFirst, isSecond := shows(first), shows(second); {
	case isFirst && isSecond && fold == 0, isFirst && !isSecond:
		return first
	case isSecond:
		return second
	case fold == 1:
		return first
	}
	return second
}

// The years that Python's datetime knows.
const minYear, maxYear = 1, 9999

func inYears(t time.Time) error {
	if t.Year() < minYear || t.Year() > maxYear {
		return errRange
	}
	return nil
}

// comparable reports whether two moments have an order.
func (m moment) comparable(other moment) bool {
	return m.naive == other.naive && m.class.isDate() == other.class.isDate()
}

func (m moment) equal(other moment) bool { return m.comparable(other) && m.t.Equal(other.t) }

// text is Python's str.
func (m moment) text() string { return m.isoformat(" ") }

// isoformat is Python's; separator stands between date and time.
func (m moment) isoformat(separator string) string {
	layout := "2006-01-02"
	if !m.class.isDate() {
		layout += "\x0015:04:05"
		if m.t.Nanosecond()/1000 != 0 {
			layout += ".000000"
		}
	}
	s := strings.Replace(m.t.Format(layout), "\x00", separator, 1)
	if m.naive {
		return s
	}
	return s + offset(m.t, ":")
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
	s := fmt.Sprintf("(%d, %d, %d", t.Year(), t.Month(), t.Day())
	us := t.Nanosecond() / 1000
	switch {
	case m.class == date:
		return "Date" + s + ")"
	case m.class == pythonDate:
		return "datetime.date" + s + ")"
	case m.class == dateTime:
		s = fmt.Sprintf("DateTime%s, %d, %d, %d", s, t.Hour(), t.Minute(), t.Second())
	case us != 0 || t.Second() != 0:
		s = fmt.Sprintf("datetime.datetime%s, %d, %d, %d", s, t.Hour(), t.Minute(), t.Second())
	default:
		s = fmt.Sprintf("datetime.datetime%s, %d, %d", s, t.Hour(), t.Minute())
	}
	if us != 0 {
		s += fmt.Sprintf(", %d", us)
	}
	if m.naive {
		return s + ")"
	}
	return s + ", tzinfo=" + zone{t.Location()}.repr() + ")"
}

// zone is a time zone.
type zone struct{ loc *time.Location }

func (z zone) repr() string { return fmt.Sprintf("Timezone('%s')", z.loc) }

func (z zone) attribute(name string) (any, bool) {
	if name == "name" {
		return z.loc.String(), true
	}
	return nil, false
}

// clock is a time of day.
type clock struct{ d time.Duration }

func clockOf(m moment) clock {
	h, mi, s := m.wall().Clock()
	return clock{time.Duration(h)*time.Hour + time.Duration(mi)*time.Minute + time.Duration(s)*time.Second +
		time.Duration(m.t.Nanosecond())}
}

// onDay is the time of day of some day, as strftime and format need it.
func (c clock) onDay() moment {
	return moment{time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).Add(c.d), pythonDateTime, true}
}

func (c clock) text() string { return strings.TrimPrefix(c.onDay().isoformat(" "), "1900-01-01 ") }

func (c clock) repr() string {
	t := c.onDay().t
	s := fmt.Sprintf("Time(%d, %d, %d", t.Hour(), t.Minute(), t.Second())
	if us := t.Nanosecond() / 1000; us != 0 {
		s += fmt.Sprintf(", %d", us)
	}
	return s + ")"
}

func (c clock) attribute(name string) (any, bool) {
	m := c.onDay()
	switch name {
	case "hour", "minute", "second", "microsecond":
		return m.part(name)
	case "isoformat":
		return &function{name, bareCall(func(*evaluation) (any, error) { return c.text(), nil })}, true
	case "replace":
		return &function{name, func(e *evaluation, a arguments) (any, error) {
			v, err := setParts("hour", "minute", "second", "microsecond")(e, m, a)
			if err != nil {
				return nil, fmt.Errorf("replace: %w", err)
			}
			return clockOf(v.(moment)), nil
		}}, true
	case "strftime", "format":
		return &function{name, func(e *evaluation, a arguments) (any, error) { return momentMethods[name].call(e, m, a) }}, true
	}
	return nil, false
}

// isoDate is what isocalendar gives: a tuple with names.
type isoDate struct{ year, week, weekday int64 }

func (d isoDate) tuple() tuple { return tuple{d.year, d.week, d.weekday} }

func (d isoDate) attribute(name string) (any, bool) {
	switch name {
	case "year":
		return d.year, true
	case "week":
		return d.week, true
	case "weekday":
		return d.weekday, true
	}
	return nil, false
}

func (d isoDate) repr() string {
	return fmt.Sprintf("datetime.IsoCalendarDate(year=%d, week=%d, weekday=%d)", d.year, d.week, d.weekday)
}

func isoWeekday(t time.Time) int64 { return int64(t.Weekday()+6)%7 + 1 }

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func isLeap(year int) bool { return daysIn(year, time.February) == 29 }
