package timetable

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/robfig/cron/v3"
)

// span is a run of values; low > high wraps around the end of the column.
type span struct{ low, high, step int }

// span reads a value, a range or a step: "5", "mon-fri", "*/15", "10/5".
func (f field) span(e string) (span, error) {
	m := rangeForm.FindStringSubmatch(e)
	if m == nil || (m[1] == "*" && m[2] != "") {
		return span{}, fmt.Errorf("%q is not understood; want %s", e, f.allowed())
	}
	step, err := stepOf(m[3])
	if err != nil {
		return span{}, fmt.Errorf("step in %q: %w", e, err)
	}
	if m[1] == "*" {
		return span{f.min, f.max, step}, nil
	}
	if m[2] == "l" && f.name == "day-of-month" {
		m[2] = "31"
	}
	low, err := f.bound(m[1])
	if err != nil {
		return span{}, err
	}
	switch {
	case m[2] == "" && m[3] == "":
		return span{low, low, 1}, f.inRange(m[1], low)
	case m[2] == "":
		return span{low, f.max, step}, f.inRange(m[1], low)
	}
	high, err := f.bound(m[2])
	if err != nil {
		return span{}, err
	}
	if low == high {
		// croniter reads 5-5 (and mon-mon, and 0-7 in days of the week) as
		// once around the whole column.
		return span{f.min, f.max, step}, nil
	}
	return span{low, high, step}, f.inRange(m[1], low)
}

// stepOf reads what stands after the slash. A step beyond every column's
// length means the first value alone, however long it is.
func stepOf(text string) (int, error) {
	const beyond = 1000
	digits := strings.TrimLeft(text, "0")
	switch {
	case text == "":
		return 1, nil
	case digits == "":
		return 0, fmt.Errorf("%s is out of range: want 1 or more", text)
	case len(digits) > 3:
		return beyond, nil
	}
	return strconv.Atoi(digits)
}

// value reads a single number or name that must be in range.
func (f field) value(text string) (int, error) {
	n, err := f.bound(text)
	if err != nil {
		return 0, err
	}
	return n, f.inRange(text, n)
}

// bound reads a number or name. It refuses what lies above the column but not
// what lies below, as croniter does: in "5-0" the days 5 to 31 are meant.
func (f field) bound(text string) (int, error) {
	for i, name := range f.names {
		if text == name {
			return f.min + i, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil && strings.Trim(text, "0123456789") != "" {
		return 0, fmt.Errorf("%q is not understood; want %s", text, f.allowed())
	}
	if f.name == "day-of-week" && n == 7 {
		return 0, nil
	}
	if err != nil || n > f.max {
		return 0, fmt.Errorf("%s is out of range %s", text, f.limits())
	}
	return n, nil
}

func (f field) inRange(text string, n int) error {
	if n < f.min || n > f.max {
		return fmt.Errorf("%s is out of range %s", text, f.limits())
	}
	return nil
}

func (f field) limits() string {
	if f.name == "day-of-week" {
		return "0-7"
	}
	return fmt.Sprintf("%d-%d", f.min, f.max)
}

// allowed says in short what may stand in the column.
func (f field) allowed() string {
	s := f.limits()
	if len(f.names) > 0 {
		s += " or " + f.names[0] + "-" + f.names[len(f.names)-1]
	}
	s += ", *, a range a-b, a step */n, or a list of them"
	switch f.name {
	case "day-of-month":
		s += "; also L, 15W, ?"
	case "day-of-week":
		s += "; also fri#2, L5, ?"
	}
	return s
}

// addSpan adds a span's values: package cron expands what it can read, the
// rest are croniter's extensions.
func (f field) addSpan(v *values, s span) error {
	switch {
	case s.low > s.high:
		f.addWrapped(v, s)
	case f.bits == nil:
		for n := s.low; n <= s.high; n += s.step {
			v.add(n - f.min)
		}
	default:
		set, err := f.expand(s)
		if err != nil {
			return err
		}
		v.set[0] |= set
	}
	return nil
}

// expand lets package cron turn a plain range into a set of bits.
func (f field) expand(s span) (uint64, error) {
	schedule, err := cron.NewParser(f.option).Parse(fmt.Sprintf("%d-%d/%d", s.low, s.high, s.step))
	if err != nil {
		return 0, err
	}
	spec, ok := schedule.(*cron.SpecSchedule)
	if !ok {
		return 0, fmt.Errorf("unexpected schedule %T", schedule)
	}
	const starBit = 1 << 63
	return f.bits(spec) &^ starBit, nil
}

// addWrapped adds a range such as 22-2 or fri-mon. How many values the step
// skips after the wrap is croniter's rule, not arithmetic: 50-10/15 is 50, 6.
func (f field) addWrapped(v *values, s span) {
	offset := 0
	if f.bits == nil {
		offset = f.min
	}
	final := s.low + (f.max-s.low)/s.step*s.step
	for n := s.low; n <= f.max; n += s.step {
		v.add(n - offset)
	}
	skip, length := 0, f.max-f.min+1
	if final-f.min+s.step > length && f.max-final < s.step {
		skip = s.step - (f.max - final)
	}
	for n := f.min + skip; n <= s.high; n += s.step {
		v.add(n - offset)
	}
}
