package macro

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// delta is dateutil's relativedelta: parts to add, and parts to replace before.
type delta struct {
	add     [7]int64 // years, months, days, hours, minutes, seconds, microseconds
	leap    int64    // days that a leap year gets after February
	replace [7]int64 // year, month, day, hour, minute, second, microsecond, each plus one; 0 for none
	weekday weekdayOf
}

// weekdayOf is dateutil's MO, TU and so on: a day of the week, from 1, and which one of
// them; 0 for the first that comes.
type weekdayOf struct{ day, nth int64 }

var deltaNames = [7]string{"years", "months", "days", "hours", "minutes", "seconds", "microseconds"}

// relativedelta makes one of its parts, or of the difference of two dates.
func relativedelta(_ *evaluation, a arguments) (any, error) {
	names := append([]string{"dt1", "dt2"}, deltaNames[:2]...)
	names = append(names, "days", "leapdays", "weeks", "hours", "minutes", "seconds", "microseconds")
	names = append(append(names, partNames[:3]...), "weekday", "yearday", "nlyearday")
	names = append(names, partNames[3:]...)
	args, err := a.take("relativedelta", names...)
	if err != nil {
		return nil, err
	}
	given := map[string]any{}
	for i, name := range names {
		if _, missing := args[i].(undefined); !missing && args[i] != nil {
			given[name] = args[i]
		}
	}
	d, err := deltaOf(given)
	if err != nil {
		return nil, fmt.Errorf("relativedelta: %w", err)
	}
	return d, nil
}

func deltaOf(given map[string]any) (delta, error) {
	if given["dt1"] != nil || given["dt2"] != nil {
		first, ok1 := given["dt1"].(moment)
		second, ok2 := given["dt2"].(moment)
		if !ok1 || !ok2 || len(given) != 2 {
			return delta{}, errors.New("expected two dates, or parts of a date by their names")
		}
		return deltaBetween(first, second)
	}
	var d delta
	var weeks int64
	for i, name := range append(deltaNames[:], "leapdays", "weeks") {
		v, ok := given[name]
		if !ok {
			continue
		}
		n, err := wholeNumber(name, v)
		switch {
		case err != nil:
			return d, err
		case name == "weeks":
			weeks = n
		case name == "leapdays":
			d.leap = n
		default:
			d.add[i] = n
		}
	}
	d.add[2] += 7 * weeks
	for i, name := range partNames {
		v, ok := given[name]
		if !ok {
			continue
		}
		n, err := wholeNumber(name, v)
		if err != nil {
			return d, err
		}
		if n < partLimits[i][0] || n > partLimits[i][1] {
			return d, fmt.Errorf("%s must be from %d to %d", name, partLimits[i][0], partLimits[i][1])
		}
		d.replace[i] = n + 1
	}
	if given["yearday"] != nil || given["nlyearday"] != nil {
		return d, errors.New("yearday is not supported; use month and day")
	}
	switch v := given["weekday"].(type) {
	case nil:
	case weekdayOf:
		d.weekday = v
	default:
		day, err := dayOfWeek(v, 0)
		if err != nil {
			return d, err
		}
		d.weekday = weekdayOf{int64(day) + 1, 0}
	}
	return d.fixed(), nil
}

func wholeNumber(name string, v any) (int64, error) {
	n, ok := asInt(v)
	if f, isFloat := v.(float64); isFloat && f == math.Trunc(f) && math.Abs(f) <= 1e12 {
		n, ok = int64(f), true
	}
	if !ok {
		return 0, fmt.Errorf("%s must be a whole number, not %s", name, typeName(v))
	}
	if max(n, -n) > 1e12 || n == math.MinInt64 {
		return 0, errRange
	}
	return n, nil
}

// fixed carries what is too much for a unit to the next larger one.
func (d delta) fixed() delta {
	for _, unit := range []struct {
		at   int
		size int64
	}{{6, 1_000_000}, {5, 60}, {4, 60}, {3, 24}} {
		d.add[unit.at-1] += d.add[unit.at] / unit.size
		d.add[unit.at] %= unit.size
	}
	d.add[0] += d.add[1] / 12
	d.add[1] %= 12
	return d
}

// deltaBetween is the difference of two dates in months and what is left.
func deltaBetween(first, second moment) (delta, error) {
	for _, m := range []*moment{&first, &second} {
		if m.class.isDate() {
			m.class = pythonDateTime
		}
	}
	if !first.comparable(second) {
		return delta{}, errors.New("a date with a time zone and one without it cannot be compared")
	}
	a, b := first.wall(), second.wall()
	months := int64(a.Year()-b.Year())*12 + int64(a.Month()-b.Month())
	moved, err := addCalendar(b, units{1: months})
	if err != nil {
		return delta{}, err
	}
	step := int64(1)
	if a.Before(b) {
		step = -1
	}
	// The last day of a month is cut, so that a month may be too much.
	for step > 0 && a.Before(moved) || step < 0 && a.After(moved) {
		months -= step
		if moved, err = addCalendar(b, units{1: months}); err != nil {
			return delta{}, err
		}
	}
	rest := a.Sub(moved)
	if rest == math.MaxInt64 || rest == math.MinInt64 {
		return delta{}, errRange
	}
	return delta{add: [7]int64{1: months, 5: int64(rest / time.Second), 6: int64(rest%time.Second) / 1000}}.fixed(), nil
}

// deltaArithmetic adds and subtracts relativedeltas, and multiplies them.
func deltaArithmetic(op tokens.Type, left, right any) (any, bool, error) {
	if n, ok := asInt(left); ok && op == tokens.Multiply {
		if d, ok := right.(delta); ok {
			return d.times(n)
		}
	}
	if d, ok := left.(delta); ok {
		if n, ok := asInt(right); ok && op == tokens.Multiply {
			return d.times(n)
		}
		if op == tokens.Addition {
			if _, ok := right.(moment); ok {
				left, right = right, left
			}
		}
	}
	d, ok := right.(delta)
	if !ok || op != tokens.Addition && op != tokens.Subtraction {
		return nil, false, nil
	}
	if op == tokens.Subtraction {
		d = d.negative()
	}
	switch a := left.(type) {
	case moment:
		v, err := a.plusDelta(d)
		return v, true, err
	case delta:
		return a.plus(d), true, nil
	}
	return nil, false, nil
}

func (d delta) negative() delta {
	for i := range d.add {
		d.add[i] = -d.add[i]
	}
	return d
}

func (d delta) times(n int64) (any, bool, error) {
	for i := range d.add {
		v, err := multiply(d.add[i], n)
		if err != nil {
			return nil, true, err
		}
		d.add[i] = v.(int64)
		if max(d.add[i], -d.add[i]) > 1e12 {
			return nil, true, errRange
		}
	}
	return d.fixed(), true, nil
}

func (d delta) plus(other delta) delta {
	for i := range d.add {
		d.add[i] += other.add[i]
		if other.replace[i] != 0 {
			d.replace[i] = other.replace[i]
		}
	}
	if other.leap != 0 {
		d.leap = other.leap
	}
	if other.weekday != (weekdayOf{}) {
		d.weekday = other.weekday
	}
	return d.fixed()
}

// plusDelta replaces parts, then adds, then goes to the day of the week.
func (m moment) plusDelta(d delta) (moment, error) {
	if m.class.isDate() && d.hasTime() {
		m.class = pythonDateTime
	}
	parts := m.parts()
	for i, v := range d.replace {
		if v != 0 {
			parts[i] = int(v - 1)
		}
	}
	if max(d.add[0], -d.add[0]) > maxYear {
		return m, errRange
	}
	parts[0] += int(d.add[0])
	month := int64(parts[1]) - 1 + d.add[1] // fewer than 12 are added
	parts[0] += int(floorDivide(month, 12))
	parts[1] = int(month-12*floorDivide(month, 12)) + 1
	if parts[0] < minYear || parts[0] > maxYear {
		return m, errRange
	}
	parts[2] = min(parts[2], daysIn(parts[0], time.Month(parts[1])))
	shown, err := parts.time()
	if err != nil {
		return m, err
	}
	days := d.add[2]
	if d.leap != 0 && parts[1] > 2 && isLeap(parts[0]) {
		days += d.leap
	}
	if max(days, -days) > 4_000_000 {
		return m, errRange
	}
	if m, err = m.at(shown, m.fold()); err != nil {
		return m, err
	}
	rest := time.Duration(d.add[3])*time.Hour + time.Duration(d.add[4])*time.Minute + time.Duration(d.add[5])*time.Second +
		time.Duration(d.add[6])*time.Microsecond
	if m, err = m.plusDays(days); err != nil {
		return m, err
	}
	if m, err = m.plus(span{d: rest}); err != nil {
		return m, err
	}
	return m.toWeekday(d.weekday)
}

// hasTime reports whether it has parts of a time of day.
func (d delta) hasTime() bool {
	return [4]int64(d.add[3:]) != [4]int64{} || [4]int64(d.replace[3:]) != [4]int64{}
}

// plusDays adds whole days as plus adds a span.
func (m moment) plusDays(days int64) (moment, error) {
	if m.naive || m.class.isPython() {
		return m.at(m.wall().AddDate(0, 0, int(days)), 0)
	}
	m.t = m.t.UTC().AddDate(0, 0, int(days)).In(m.t.Location())
	return m, inYears(m.t)
}

func (m moment) toWeekday(w weekdayOf) (moment, error) {
	if w == (weekdayOf{}) {
		return m, nil
	}
	today := isoWeekday(m.wall())
	w.nth = cmp.Or(w.nth, 1)
	if w.nth > 0 {
		return m.plusDays((w.nth-1)*7 + (7-today+w.day)%7)
	}
	return m.plusDays(-((-w.nth-1)*7 + (today-w.day+7)%7))
}

func floorDivide(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (d delta) attribute(name string) (any, bool) {
	for i, known := range deltaNames {
		if known == name {
			return d.add[i], true
		}
	}
	for i, known := range partNames {
		switch {
		case known != name:
		case d.replace[i] == 0:
			return nil, true
		default:
			return d.replace[i] - 1, true
		}
	}
	switch name {
	case "weeks":
		return d.add[2] / 7, true
	case "leapdays":
		return d.leap, true
	case "normalized":
		return &function{name, bareCall(func(*evaluation) (any, error) { return d.fixed(), nil })}, true
	}
	return nil, false
}

func (d delta) repr() string {
	var parts []string
	for i, name := range deltaNames[:3] {
		if d.add[i] != 0 {
			parts = append(parts, fmt.Sprintf("%s=%+d", name, d.add[i]))
		}
	}
	if d.leap != 0 {
		parts = append(parts, fmt.Sprintf("leapdays=%+d", d.leap))
	}
	for i, name := range deltaNames[3:] {
		if d.add[3+i] != 0 {
			parts = append(parts, fmt.Sprintf("%s=%+d", name, d.add[3+i]))
		}
	}
	for i, name := range partNames {
		if name == "hour" && d.weekday != (weekdayOf{}) {
			parts = append(parts, "weekday="+d.weekday.repr())
		}
		if d.replace[i] != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", name, d.replace[i]-1))
		}
	}
	return "relativedelta(" + strings.Join(parts, ", ") + ")"
}

var weekdayNames = [7]string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}

func (w weekdayOf) repr() string {
	if w.nth == 0 {
		return weekdayNames[w.day-1]
	}
	return fmt.Sprintf("%s(%+d)", weekdayNames[w.day-1], w.nth)
}

// function chooses which of the days of the week it is: MO(-1) is the last one.
func (w weekdayOf) function() *function {
	name := weekdayNames[w.day-1]
	return &function{name, func(_ *evaluation, a arguments) (any, error) {
		args, err := a.take(name, "n!")
		if err != nil {
			return nil, err
		}
		n, err := intOr(args[0], 1)
		if err != nil || n == 0 || max(n, -n) > 1000 {
			return nil, fmt.Errorf("%s: expected a whole number other than 0", name)
		}
		return weekdayOf{w.day, n}, nil
	}}
}
