package timetable

import (
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"

	"github.com/robfig/cron/v3"
)

// field is one column of a cron expression: its name for messages, the values
// it may take and their three-letter names.
type field struct {
	name     string
	min, max int
	names    []string // names[i] stands for min+i
	option   cron.ParseOption
	bits     func(*cron.SpecSchedule) uint64
}

// fields returns the columns in the order in which croniter reads them:
// seconds come sixth and years seventh. Package cron knows no years.
func fields() []field {
	return []field{
		{name: "minute", max: 59, option: cron.Minute, bits: func(s *cron.SpecSchedule) uint64 { return s.Minute }},
		{name: "hour", max: 23, option: cron.Hour, bits: func(s *cron.SpecSchedule) uint64 { return s.Hour }},
		{name: "day-of-month", min: 1, max: 31, option: cron.Dom, bits: func(s *cron.SpecSchedule) uint64 { return s.Dom }},
		{name: "month", min: 1, max: 12, option: cron.Month, bits: func(s *cron.SpecSchedule) uint64 { return s.Month },
			names: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
		{name: "day-of-week", max: 6, option: cron.Dow, bits: func(s *cron.SpecSchedule) uint64 { return s.Dow },
			names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
		{name: "second", max: 59, option: cron.Second, bits: func(s *cron.SpecSchedule) uint64 { return s.Second }},
		{name: "year", min: 1970, max: 2099},
	}
}

// Positions of the columns in fields.
const (
	minuteField = iota
	hourField
	domField
	monthField
	dowField
	secondField
	yearField
)

// values is what one column allows. A value v is bit v - offset, where the
// offset is 0 except for years, so that every set fits in three words.
type values struct {
	set     [3]uint64
	star    bool // "*" stood alone or in the list: every value is allowed
	only    bool // croniter reduces the whole column to "*"
	last    bool // "L" in the day-of-month column
	nearest int  // the day of "15W", or 0
	nth     [7]nthSet
}

// nthSet says which of a month's Mondays (say) are meant: bits 1 to 5 for
// "mon#1" to "mon#5", bit 6 for the last, "L1".
type nthSet uint8

const lastOfMonth nthSet = 1 << 6

func (v *values) add(n int)      { v.set[n/64] |= 1 << (n % 64) }
func (v *values) has(n int) bool { return v.set[n/64]&(1<<(n%64)) != 0 }

// count is the length of croniter's list for this column.
func (v *values) count() int {
	n := bits.OnesCount64(v.set[0]) + bits.OnesCount64(v.set[1]) + bits.OnesCount64(v.set[2])
	if v.star {
		n++
	}
	if v.last {
		n++
	}
	return n
}

func (v *values) hasNth() bool { return v.nth != [7]nthSet{} }

var (
	hashForm    = regexp.MustCompile(`^[hr](\(\d+-\d+\))?(/\d+)?$`)
	nearestForm = regexp.MustCompile(`^(?:(\d+)w|w(\d+))$`)
	nthForm     = regexp.MustCompile(`^(\w+|[a-z]{3}-[a-z]{3})#(\d+)$`)
	lastDayForm = regexp.MustCompile(`^l(\d+)$`)
	rangeForm   = regexp.MustCompile(`^(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/(\d+))?$`)
)

// parse reads one column. text is in lower case.
func (f field) parse(text string) (values, error) {
	var v values
	if hashForm.MatchString(text) {
		if text[0] == 'h' {
			return v, f.errorf(text, "hashed values (Jenkins' H) are not supported; write the value itself")
		}
		return v, f.errorf(text,
			"random values (R) are not supported, because a schedule must be the same each time it is computed; write the value itself")
	}
	if strings.Contains(text, "?") {
		if text != "?" {
			return v, f.errorf(text, `"?" must stand alone`)
		}
		if f.name != "day-of-month" && f.name != "day-of-week" {
			return v, f.errorf(text, `"?" is allowed only in the day-of-month and day-of-week fields`)
		}
		text = "*"
	}
	elements := strings.Split(text, ",")
	for _, e := range elements {
		if err := f.element(&v, e, len(elements) == 1); err != nil {
			return v, f.errorf(text, "%w", err)
		}
	}
	return v, nil
}

func (f field) errorf(text, format string, args ...any) error {
	return fmt.Errorf("%s field %q: %w", f.name, text, fmt.Errorf(format, args...))
}

// element reads one entry of the comma separated list.
func (f field) element(v *values, e string, alone bool) error {
	switch {
	case e == "":
		return fmt.Errorf("empty entry; want %s", f.allowed())
	case e == "*":
		v.star = true
		return nil
	case f.name == "day-of-month" && e == "l":
		v.last = true
		return nil
	case f.name == "day-of-month" && nearestForm.MatchString(e):
		return f.nearestWeekday(v, e, alone)
	case f.name == "day-of-week" && nthForm.MatchString(e):
		return f.nthWeekday(v, e)
	case f.name == "day-of-week" && lastDayForm.MatchString(e):
		day, err := f.value(e[1:])
		if err != nil {
			return err
		}
		v.add(day)
		v.nth[day] |= lastOfMonth
		return nil
	}
	s, err := f.span(e)
	if err != nil {
		return err
	}
	return f.addSpan(v, s)
}

// nearestWeekday reads "15W", the working day nearest to the 15th.
func (f field) nearestWeekday(v *values, e string, alone bool) error {
	day, err := f.value(strings.Trim(e, "w"))
	if err != nil {
		return err
	}
	if !alone {
		return fmt.Errorf("%q must stand alone, not in a list", e)
	}
	v.nearest = day
	v.add(day)
	return nil
}

// nthWeekday reads "mon#2" and "mon-fri#2".
func (f field) nthWeekday(v *values, e string) error {
	m := nthForm.FindStringSubmatch(e)
	nth, err := strconv.Atoi(m[2])
	if err != nil || nth < 1 || nth > 5 {
		return fmt.Errorf("%s in %q is out of range 1-5", m[2], e)
	}
	s, err := f.span(m[1])
	if err != nil {
		return err
	}
	var days values
	if err := f.addSpan(&days, s); err != nil {
		return err
	}
	v.set[0] |= days.set[0]
	for day := range 7 {
		if days.has(day) {
			v.nth[day] |= 1 << nth
		}
	}
	return nil
}
