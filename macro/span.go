package macro

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// span is a length of time: Python's timedelta, or pendulum's Duration and Interval.
type span struct {
	d    time.Duration
	kind spanKind
	// from and to are those of an interval. One that is absolute has from first.
	from, to moment
}

type spanKind int

const (
	timedelta spanKind = iota
	duration
	interval
)

func (s span) typeName() string { return [...]string{"timedelta", "Duration", "Interval"}[s.kind] }

// between is the time from one moment to another, as pendulum has it.
func between(from, to moment) (span, error) {
	if !from.comparable(to) {
		return span{}, errors.New("a date with a time zone and one without it, or without a time, cannot be compared")
	}
	d := to.t.Sub(from.t)
	if d == math.MaxInt64 || d == math.MinInt64 {
		return span{}, errRange
	}
	return span{d, interval, from, to}, nil
}

// diff is the time between two moments, without a sign unless abs is false.
func diff(_ *evaluation, m moment, a arguments) (any, error) {
	args, err := a.take("it", "dt", "abs")
	if err != nil {
		return nil, err
	}
	other, err := m.other(args[0])
	if err != nil {
		return nil, err
	}
	absolute, err := boolOr(args[1], true)
	if err != nil {
		return nil, err
	}
	if absolute && other.t.Before(m.t) {
		m, other = other, m
	}
	return between(m, other)
}

// calendar does arithmetic with moments, spans and relativedeltas.
func calendar(op tokens.Type, left, right any) (any, bool, error) {
	if v, ok, err := deltaArithmetic(op, left, right); ok || err != nil {
		return v, ok, err
	}
	if op == tokens.Addition {
		if _, ok := right.(moment); ok {
			left, right = right, left
		}
	}
	switch a := left.(type) {
	case moment:
		return a.arithmetic(op, right)
	case span:
		return a.arithmetic(op, right)
	}
	if s, ok := right.(span); ok && op == tokens.Multiply {
		return s.arithmetic(op, left)
	}
	return nil, false, nil
}

func (m moment) arithmetic(op tokens.Type, right any) (any, bool, error) {
	if op != tokens.Addition && op != tokens.Subtraction {
		return nil, false, nil
	}
	switch b := right.(type) {
	case moment:
		if op != tokens.Subtraction {
			return nil, false, nil
		}
		s, err := between(b, m)
		if m.class.isPython() && b.class.isPython() {
			s = span{d: s.d}
		}
		return s, true, err
	case span:
		if m.class.isDate() { // takes the whole days, before their sign
			days, _, _ := b.parts()
			if op == tokens.Subtraction {
				days = -days
			}
			v, err := m.plusDays(days)
			return v, true, err
		}
		if op == tokens.Subtraction {
			b = b.negative()
		}
		v, err := m.plus(b)
		return v, true, err
	}
	return nil, false, nil
}

// plus adds a span. To Python's own datetime it is added on the clock on the wall;
// pendulum adds the time that passes, and an interval by its parts.
func (m moment) plus(s span) (moment, error) {
	switch {
	case m.class.isDate(): // relativedelta adds what is less than a day, too
		return m, nil
	case m.class.isPython():
		t, err := shift(m.wall(), int64(s.d), 1)
		if err != nil {
			return m, err
		}
		return m.at(t, 0)
	case s.kind == interval:
		p := s.precise()
		return m.move(units{p.years, p.months, 0, p.days, p.hours, p.minutes, p.seconds, p.microseconds})
	}
	t, err := shift(m.t.UTC(), int64(s.d), 1)
	if err != nil {
		return m, err
	}
	return moment{t.In(m.t.Location()), m.class, m.naive}, nil
}

func (s span) negative() span { return span{-s.d, s.kind, s.to, s.from} }

// plain is a span without its moments: what arithmetic with an interval gives.
func (s span) plain(d time.Duration) span {
	if s.kind == timedelta {
		return span{d: d}
	}
	return span{d: d, kind: duration}
}

// arithmetic is that of spans among each other and with numbers.
func (s span) arithmetic(op tokens.Type, right any) (any, bool, error) {
	if other, ok := right.(span); ok {
		return s.withSpan(op, other)
	}
	f, ok := asFloat(right)
	if !ok {
		return nil, false, nil
	}
	us := float64(s.d.Microseconds())
	switch op {
	case tokens.Multiply:
		us *= f
	case tokens.Division, tokens.FloorDivision:
		if f == 0 {
			return nil, true, errZero
		}
		us /= f
	default:
		return nil, false, nil
	}
	if op == tokens.FloorDivision {
		us = math.Floor(us)
	}
	if math.Abs(us) >= math.MaxInt64/1000 {
		return nil, true, errRange
	}
	return s.plain(time.Duration(math.RoundToEven(us)) * time.Microsecond), true, nil
}

func (s span) withSpan(op tokens.Type, other span) (any, bool, error) {
	result := s
	if s.kind == timedelta && other.kind != timedelta {
		result = other
	}
	a, b := int64(s.d), int64(other.d)
	switch op {
	case tokens.Addition, tokens.Subtraction, tokens.Modulo:
		v, err := integers(op, a, b)
		if err != nil {
			return nil, true, err
		}
		return result.plain(time.Duration(v.(int64))), true, nil
	case tokens.Division:
		v, err := floats(op, float64(a), float64(b))
		return v, true, err
	case tokens.FloorDivision:
		v, err := integers(op, a, b)
		return v, true, err
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

// precise is a span in years, months and so on. All have the same sign.
type precise struct {
	years, months, days, hours, minutes, seconds, microseconds int64
	total                                                      int64 // days
}

func (s span) precise() precise {
	if s.kind != interval {
		us := s.d.Microseconds()
		return precise{
			days: us / 86_400_000_000, hours: us / 3_600_000_000 % 24, minutes: us / 60_000_000 % 60,
			seconds: us / 1_000_000 % 60, microseconds: us % 1_000_000, total: us / 86_400_000_000,
		}
	}
	if s.to.t.Before(s.from.t) {
		return preciseBetween(s.to, s.from).negative()
	}
	return preciseBetween(s.from, s.to)
}

func (p precise) negative() precise {
	return precise{-p.years, -p.months, -p.days, -p.hours, -p.minutes, -p.seconds, -p.microseconds, -p.total}
}

// preciseBetween follows pendulum's precise_diff; from is not after to.
func preciseBetween(from, to moment) precise {
	a, b := from.wall(), to.wall()
	total := ordinalOf(b) - ordinalOf(a)
	if total == 0 || from.t.Location() != to.t.Location() {
		a, b = from.t.UTC(), to.t.UTC()
	}
	p := precise{
		years: int64(b.Year() - a.Year()), months: int64(b.Month() - a.Month()), days: int64(b.Day() - a.Day()),
		hours: int64(b.Hour() - a.Hour()), minutes: int64(b.Minute() - a.Minute()), seconds: int64(b.Second() - a.Second()),
		microseconds: int64(b.Nanosecond()-a.Nanosecond()) / 1000, total: total,
	}
	borrow(&p.microseconds, &p.seconds, 1_000_000)
	borrow(&p.seconds, &p.minutes, 60)
	borrow(&p.minutes, &p.hours, 60)
	borrow(&p.hours, &p.days, 24)
	if p.days < 0 {
		p.borrowMonth(a, b)
	}
	borrow(&p.months, &p.years, 12)
	return p
}

// borrow takes one of the next unit for a negative number.
func borrow(n, next *int64, size int64) {
	if *n < 0 {
		*n += size
		*next--
	}
}

// borrowMonth makes negative days positive, with the length of the month before b.
func (p *precise) borrowMonth(a, b time.Time) {
	before := b.AddDate(0, 0, -b.Day())
	last, this := int64(before.Day()), int64(daysIn(b.Year(), b.Month()))
	switch {
	case p.days < this-last && last < int64(a.Day()):
		p.days += int64(a.Day())
	case p.days < this-last:
		p.days += last
	case p.days == this-last:
		p.days = 0
		p.months++
	default:
		p.days += last
	}
	p.months--
}

// spanMethods are the methods of a Duration and an Interval; a timedelta has the first.
var spanMethods = []string{"total_seconds", "total_minutes", "total_hours", "total_days", "total_weeks", "in_years",
	"in_months", "in_weeks", "in_days", "in_hours", "in_minutes", "in_seconds", "in_words", "as_duration", "as_timedelta"}

func (s span) attribute(name string) (any, bool) {
	if s.kind == timedelta {
		days, seconds, microseconds := s.parts()
		switch name {
		case "days":
			return days, true
		case "seconds":
			return seconds, true
		case "microseconds":
			return microseconds, true
		case "total_seconds":
			return s.total(name, 1), true
		}
		return nil, false
	}
	if v, ok := s.pendulumPart(name); ok {
		return v, true
	}
	return s.pendulumMethod(name)
}

// pendulumPart finds what of a Duration or Interval needs no call.
func (s span) pendulumPart(name string) (any, bool) {
	p := s.precise()
	us := s.d.Microseconds()
	switch name {
	case "years":
		return p.years, true
	case "months":
		return p.months, true
	case "weeks":
		return p.days / 7, true
	case "days":
		return us / 86_400_000_000, true
	case "remaining_days":
		return p.days % 7, true
	case "hours":
		return p.hours, true
	case "minutes":
		return p.minutes, true
	case "seconds":
		return us / 1_000_000 % 86400, true
	case "remaining_seconds":
		return us / 1_000_000 % 60, true
	case "microseconds":
		return us % 1_000_000, true
	case "invert":
		return s.d < 0, true
	}
	if s.kind != interval {
		return nil, false
	}
	switch name {
	case "start":
		return s.from, true
	case "end":
		return s.to, true
	}
	return nil, false
}

func (s span) pendulumMethod(name string) (any, bool) {
	if size, ok := map[string]float64{"total_seconds": 1, "total_minutes": 60, "total_hours": 3600, "total_days": 86400,
		"total_weeks": 7 * 86400}[name]; ok {
		return s.total(name, size), true
	}
	p := s.precise()
	us := s.d.Microseconds()
	whole := map[string]int64{"in_hours": us / 3_600_000_000, "in_minutes": us / 60_000_000, "in_seconds": us / 1_000_000,
		"in_days": p.total, "in_weeks": p.total / 7}
	if s.kind == interval {
		whole["in_years"], whole["in_months"] = p.years, p.years*12+p.months
	}
	if n, ok := whole[name]; ok {
		return &function{name, bareCall(func(*evaluation) (any, error) { return n, nil })}, true
	}
	switch {
	case name == "in_words":
		return &function{name, s.inWords}, true
	case name == "as_timedelta":
		return &function{name, bareCall(func(*evaluation) (any, error) { return span{d: s.d}, nil })}, true
	case name == "as_duration" && s.kind == interval:
		return &function{name, bareCall(func(*evaluation) (any, error) { return s.plain(s.d), nil })}, true
	}
	return nil, false
}

func (s span) total(name string, size float64) *function {
	return &function{name, bareCall(func(*evaluation) (any, error) { return float64(s.d.Microseconds()) / 1e6 / size, nil })}
}

func (s span) inWords(e *evaluation, a arguments) (any, error) {
	args, err := a.take("in_words", "locale", "separator")
	if err != nil {
		return nil, err
	}
	if err := checkLocale(args[0]); err != nil {
		return nil, fmt.Errorf("in_words: %w", err)
	}
	separator, err := stringOr(args[1], " ")
	if err != nil {
		return nil, err
	}
	if err := e.spendEach(len(separator)+30, 10); err != nil {
		return nil, err
	}
	return s.words(separator), nil
}

// words says how long a span is, as pendulum does in English.
func (s span) words(separator string) string {
	p := s.precise()
	var out []string
	for _, part := range []struct {
		n    int64
		unit string
	}{
		{p.years, "year"}, {p.months, "month"}, {p.days / 7, "week"}, {p.days % 7, "day"}, {p.hours, "hour"},
		{p.minutes, "minute"}, {s.d.Microseconds() / 1_000_000 % 60, "second"},
	} {
		if part.n != 0 {
			out = append(out, counted(part.n, part.unit))
		}
	}
	us := s.d.Microseconds() % 1_000_000
	switch {
	case len(out) > 0:
		return strings.Join(out, separator)
	case us == 0:
		return "0 microseconds"
	case s.kind == interval:
		return fmt.Sprintf("%.2f second", math.Abs(float64(us))/1e6)
	}
	rounded := math.RoundToEven(math.Abs(float64(us))/1e4) / 100
	return floatText(rounded) + " seconds"
}

// counted is a number with its unit.
func counted(n int64, unit string) string {
	if n != 1 && n != -1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}

// diffForHumans says how far a moment is before or after another.
func diffForHumans(_ *evaluation, m moment, a arguments) (any, error) {
	args, err := a.take("it", "other", "absolute", "locale")
	if err != nil {
		return nil, err
	}
	other, err := m.other(args[0])
	if err != nil {
		return nil, err
	}
	absolute, err := boolOr(args[1], false)
	if err != nil {
		return nil, err
	}
	if err := checkLocale(args[2]); err != nil {
		return nil, err
	}
	s, err := between(m, other)
	if err != nil {
		return nil, err
	}
	text := s.about()
	switch {
	case absolute:
		return text, nil
	case s.d > 0:
		return text + " before", nil
	}
	return text + " after", nil
}

// about is the largest unit of a span, rounded as pendulum does.
func (s span) about() string {
	if s.d < 0 {
		s = s.negative()
	}
	p := s.precise()
	weeks, rest := p.days/7, p.days%7
	switch {
	case p.years > 0:
		if p.months > 6 {
			p.years++
		}
		return counted(p.years, "year")
	case p.months == 11 && (weeks*7+rest) > 15:
		return "1 year"
	case p.months > 0:
		if weeks*7+rest >= 27 {
			p.months++
		}
		return counted(p.months, "month")
	case weeks > 0:
		if rest > 3 {
			weeks++
		}
		return counted(weeks, "week")
	case rest > 0:
		if p.hours >= 22 {
			rest++
		}
		return counted(rest, "day")
	case p.hours > 0:
		return counted(p.hours, "hour")
	case p.minutes > 0:
		return counted(p.minutes, "minute")
	case p.seconds > 10 && p.seconds <= 59:
		return counted(p.seconds, "second")
	}
	return "a few seconds"
}

// text is Python's str.
func (s span) text() string {
	switch s.kind {
	case duration:
		return s.words(" ")
	case interval:
		return s.repr()
	}
	days, seconds, microseconds := s.parts()
	out := ""
	if days != 0 {
		out = counted(days, "day") + ", "
	}
	out += fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	if microseconds != 0 {
		out += fmt.Sprintf(".%06d", microseconds)
	}
	return out
}

func (s span) repr() string {
	if s.kind == interval {
		return "<Interval [" + s.from.text() + " -> " + s.to.text() + "]>"
	}
	var parts []string
	part := func(n int64, unit string) {
		if n != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", unit, n))
		}
	}
	if s.kind == timedelta {
		days, seconds, microseconds := s.parts()
		part(days, "days")
		part(seconds, "seconds")
		part(microseconds, "microseconds")
		if len(parts) == 0 {
			return "datetime.timedelta(0)"
		}
		return "datetime.timedelta(" + strings.Join(parts, ", ") + ")"
	}
	p := s.precise()
	part(p.days/7, "weeks")
	if p.days != 0 {
		parts = append(parts, fmt.Sprintf("days=%d", p.days%7))
	}
	part(p.hours, "hours")
	part(p.minutes, "minutes")
	part(p.seconds, "seconds")
	part(p.microseconds, "microseconds")
	return "Duration(" + strings.Join(parts, ", ") + ")"
}
