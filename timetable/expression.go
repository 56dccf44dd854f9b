package timetable

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// maxExpression is the longest expression that is read, in bytes.
const maxExpression = 250

// expression is a parsed cron expression on the naive local calendar: it knows
// nothing of zones. Its meaning is that of Python's croniter 7.0.0, which
// Airflow uses.
type expression struct {
	second, minute, hour uint64
	month                uint64
	dom, dow             values
	years                [3]uint64 // bit = year - 1970
	everyYear            bool
	// dowMasks[w] holds the days 1-31 that dow allows in a month that begins
	// on weekday w.
	dowMasks [7]uint64
	// hasSeconds is set for six and seven fields.
	hasSeconds bool
	// everyHour is set when the hour field comes down to "*": then Airflow
	// adds elapsed time instead of reading the wall clock.
	everyHour bool
}

// presets are the names that Airflow and croniter give to common expressions.
// Airflow knows @quarterly in lower case only.
func preset(expr string) (string, bool) {
	if expr == "@quarterly" {
		return "0 0 1 */3 *", true
	}
	switch strings.ToLower(expr) {
	case "@hourly":
		return "0 * * * *", true
	case "@daily", "@midnight":
		return "0 0 * * *", true
	case "@weekly":
		return "0 0 * * 0", true
	case "@monthly":
		return "0 0 1 * *", true
	case "@yearly", "@annually":
		return "0 0 1 1 *", true
	}
	return expr, false
}

// columns splits an expression as croniter does: at ASCII white space only.
func columns(expr string) []string {
	return strings.FieldsFunc(expr, func(r rune) bool {
		return r == ' ' || (r >= '\t' && r <= '\r')
	})
}

// parseExpression reads five fields, six with seconds last, or seven with
// years after the seconds, or a preset.
func parseExpression(text string) (*expression, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("expression of %d characters is too long: at most %d are allowed", len(text), maxExpression)
	}
	text, isPreset := preset(text)
	if !isPreset && strings.HasPrefix(text, "@") {
		return nil, fmt.Errorf(
			"preset %q is unknown: want @hourly, @daily, @midnight, @weekly, @monthly, @quarterly, @yearly or @annually", text)
	}
	cols := columns(strings.ToLower(text))
	if len(cols) < 5 || len(cols) > 7 {
		return nil, fmt.Errorf(
			"expression %q has %d fields: want 5 (minute hour day-of-month month day-of-week), 6 (seconds last) or 7 (years last)",
			text, len(cols))
	}
	parsed := make([]values, 7)
	for i, f := range fields()[:len(cols)] {
		v, err := f.parse(cols[i])
		if err != nil {
			return nil, err
		}
		parsed[i] = v
	}
	reduce(parsed, cols)
	if err := checkNth(&parsed[dowField], cols[dowField]); err != nil {
		return nil, err
	}
	return newExpression(parsed, len(cols)), nil
}

// reduce finds the columns that croniter replaces by "*" because their list is
// as long as the column. Days are replaced only where the other day field has
// a star: the two are joined by OR when neither begins with one.
func reduce(parsed []values, cols []string) {
	for i, f := range fields()[:len(cols)] {
		v := &parsed[i]
		full := v.count() == f.max-f.min+1
		if i == domField && !strings.Contains(cols[dowField], "*") || i == dowField &&
			!strings.Contains(cols[domField], "*") {
			full = false
		}
		if full || v.star && v.count() == 1 {
			v.star, v.only = true, true
		}
	}
}

// checkNth refuses lists that mix plain weekdays with "fri#2" or "L5", as
// croniter does.
func checkNth(dow *values, text string) error {
	if !dow.hasNth() || dow.only || dow.count() == 7 {
		return nil
	}
	for day := range 7 {
		if dow.has(day) && dow.nth[day] == 0 {
			return fmt.Errorf("day-of-week field %q: plain weekdays cannot be mixed with the forms fri#2 and L5", text)
		}
	}
	return nil
}

func newExpression(parsed []values, columns int) *expression {
	all := func(f int, limit int) uint64 {
		if parsed[f].star {
			return 1<<limit - 1
		}
		return parsed[f].set[0]
	}
	e := &expression{
		minute: all(minuteField, 60), hour: all(hourField, 24), month: all(monthField, 13),
		dom: parsed[domField], dow: parsed[dowField],
		second: 1, years: parsed[yearField].set, everyYear: true,
		hasSeconds: columns > 5, everyHour: parsed[hourField].only,
	}
	if columns > 5 {
		e.second = all(secondField, 60)
	}
	if columns > 6 {
		e.everyYear = parsed[yearField].star
	}
	for first := range e.dowMasks {
		e.dowMasks[first] = e.weekdays(first)
	}
	return e
}

// everyDay is the mask of the days 1 to 31.
const everyDay uint64 = 1<<32 - 2

// weekdays is the mask of the days that the day-of-week column allows in a
// month of 31 days that begins on weekday first; "#" and "L" come later, as
// they need the month's length.
func (e *expression) weekdays(first int) uint64 {
	if e.dow.star {
		return everyDay
	}
	var mask uint64
	for day := 1; day <= 31; day++ {
		if e.dow.has((first + day - 1) % 7) {
			mask |= 1 << day
		}
	}
	return mask
}

// side selects what a search looks at when both day fields are restricted.
type side int

const (
	bothSides side = iota
	domSide
	dowSide
)

// days is the mask of the days of a month on which the expression fires.
//
// Two restricted day fields are joined by OR. "#" and "W" stand outside that
// rule: croniter applies them on both sides of the OR.
func (e *expression) days(year int, month time.Month, s side) uint64 {
	length := daysIn(year, month)
	first := weekdayOfFirst(year, month)
	inMonth := uint64(1)<<(length+1) - 2
	dom, dow := e.domMask(first, length), e.dowMasks[first]&inMonth
	if e.dow.hasNth() {
		dow = e.nthMask(first, length)
	}
	if e.dom.star || e.dow.star {
		return dom & dow & inMonth
	}
	onDOM, onDOW := dom, dow
	if e.dow.hasNth() {
		onDOM &= dow
	}
	if e.dom.nearest > 0 {
		onDOW &= dom
	}
	switch s {
	case domSide:
		return onDOM & inMonth
	case dowSide:
		return onDOW & inMonth
	}
	return (onDOM | onDOW) & inMonth
}

func (e *expression) domMask(first, length int) uint64 {
	if e.dom.nearest > 0 {
		return 1 << nearestWeekday(e.dom.nearest, first, length)
	}
	if e.dom.star {
		return everyDay
	}
	mask := e.dom.set[0]
	if e.dom.last {
		mask |= 1 << length
	}
	return mask
}

// nthMask is the mask of "fri#2" and "L5" in a month.
func (e *expression) nthMask(first, length int) uint64 {
	var mask uint64
	for weekday, nth := range e.dow.nth {
		day := 1 + (weekday-first+7)%7
		for n := 1; day <= length; n, day = n+1, day+7 {
			if nth&(1<<n) != 0 || (nth&lastOfMonth != 0 && day+7 > length) {
				mask |= 1 << day
			}
		}
	}
	return mask
}

// nearestWeekday is the working day nearest to a day, never in another month.
func nearestWeekday(day, first, length int) int {
	day = min(day, length)
	switch (first + day - 1) % 7 {
	case int(time.Saturday):
		if day > 1 {
			return day - 1
		}
		return day + 2
	case int(time.Sunday):
		if day < length {
			return day + 1
		}
		return day - 2
	}
	return day
}

// splitSides reports whether croniter searches the two sides of the OR one by
// one and fails when either has no date at all.
func (e *expression) splitSides() bool {
	return !e.dom.star && !e.dow.star && (e.dow.hasNth() || e.dom.nearest > 0)
}

func (e *expression) inYear(year int) bool {
	if e.everyYear {
		return true
	}
	n := year - 1970
	return n >= 0 && n < 130 && e.years[n/64]&(1<<(n%64)) != 0
}

func daysIn(year int, month time.Month) int {
	switch month {
	case time.February:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case time.April, time.June, time.September, time.November:
		return 30
	}
	return 31
}

func weekdayOfFirst(year int, month time.Month) int {
	return int(time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Weekday())
}

// lowest and highest return the first set bit at or above n and the last at or
// below n, or -1.
func lowest(mask uint64, n int) int {
	mask = mask >> n << n
	if n > 63 || mask == 0 {
		return -1
	}
	return bits.TrailingZeros64(mask)
}

func highest(mask uint64, n int) int {
	if n < 0 {
		return -1
	}
	return bits.Len64(mask&(1<<(n+1)-1)) - 1
}
