package macro

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
)

// classes is a set of classes.
type classes int

const (
	ofDateTime classes = 1 << dateTime
	ofPython   classes = 1 << pythonDateTime
	ofDate     classes = 1 << date
	ofTimes            = ofDateTime | ofPython
	ofPendulum         = ofDateTime | ofDate
	ofAll              = ofPendulum | ofPython | 1<<pythonDate
)

func (c classes) has(one class) bool { return c>>one&1 == 1 }

type momentFunc func(e *evaluation, m moment, a arguments) (any, error)

// momentMethod is a method and the classes that have it.
type momentMethod struct {
	of   classes
	call momentFunc
}

// momentMethods are those of pendulum 3 and of Python's datetime that read no clock.
var momentMethods map[string]momentMethod

func init() { // the functions reach the table through eval
	momentMethods = map[string]momentMethod{
		"add":             {ofPendulum, func(_ *evaluation, m moment, a arguments) (any, error) { return m.add(a, 1) }},
		"subtract":        {ofPendulum, func(_ *evaluation, m moment, a arguments) (any, error) { return m.add(a, -1) }},
		"astimezone":      {ofTimes, asTimezone},
		"at":              {ofDateTime, at},
		"average":         {ofPendulum, average},
		"closest":         {ofPendulum, nearest(-1)},
		"ctime":           {ofAll, noArguments(func(m moment) any { return m.t.Format("Mon Jan _2 15:04:05 2006") })},
		"date":            {ofTimes, noArguments(toDate)},
		"diff":            {ofPendulum, diff},
		"diff_for_humans": {ofPendulum, diffForHumans},
		"dst":             {ofTimes, noArguments(summerTime)},
		"end_of":          {ofPendulum, func(_ *evaluation, m moment, a arguments) (any, error) { return m.bound(a, true) }},
		"farthest":        {ofPendulum, nearest(1)},
		"first_of":        {ofPendulum, ofUnit(firstOf)},
		"format":          {ofPendulum, formatMethod},
		"get_offset":      {ofDateTime, noArguments(func(m moment) any { v, _ := m.part("offset"); return v })},
		"in_timezone":     {ofDateTime, inTimezone},
		"in_tz":           {ofDateTime, inTimezone},
		"is_anniversary":  {ofPendulum, withOther(sameDayOfYear)},
		"is_birthday":     {ofPendulum, withOther(sameDayOfYear)},
		"is_dst":          {ofDateTime, noArguments(func(m moment) any { return !m.naive && m.t.IsDST() })},
		"is_leap_year":    {ofPendulum, noArguments(func(m moment) any { return isLeap(m.t.Year()) })},
		"is_long_year":    {ofPendulum, noArguments(isLongYear)},
		"is_same_day":     {ofPendulum, withOther(func(m, o moment) any { return dateOf(m, date) == dateOf(o, date) })},
		"is_utc":          {ofDateTime, noArguments(func(m moment) any { v, _ := m.part("offset"); return v == int64(0) })},
		"isocalendar":     {ofAll, noArguments(isoCalendar)},
		"isoformat":       {ofAll, isoformat},
		"isoweekday":      {ofAll, noArguments(func(m moment) any { return isoWeekday(m.t) })},
		"last_of":         {ofPendulum, ofUnit(lastOf)},
		"naive":           {ofDateTime, noArguments(func(m moment) any { return moment{m.wall(), dateTime, true} })},
		"next":            {ofPendulum, neighbour(1)},
		"nth_of":          {ofPendulum, nthOf},
		"on":              {ofDateTime, setParts("year!", "month!", "day!")},
		"previous":        {ofPendulum, neighbour(-1)},
		"replace":         {ofAll, setParts("year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo", "fold")},
		"set":             {ofPendulum, setParts("year", "month", "day", "hour", "minute", "second", "microsecond", "tz")},
		"start_of":        {ofPendulum, func(_ *evaluation, m moment, a arguments) (any, error) { return m.bound(a, false) }},
		"strftime":        {ofAll, strftimeMethod},
		"time":            {ofTimes, noArguments(func(m moment) any { return clockOf(m) })},
		"timestamp":       {ofTimes, timestamp},
		"to_date_string":  {ofPendulum, noArguments(func(m moment) any { return m.t.Format("2006-01-02") })},
		"toordinal":       {ofAll, noArguments(func(m moment) any { return ordinalOf(m.wall()) })},
		"tzname":          {ofTimes, noArguments(zoneName)},
		"utcoffset":       {ofTimes, noArguments(utcOffset)},
		"weekday":         {ofAll, noArguments(func(m moment) any { return isoWeekday(m.t) - 1 })},

		"to_atom_string":           written("YYYY-MM-DDTHH:mm:ssZ"),
		"to_cookie_string":         written("dddd, DD-MMM-YYYY HH:mm:ss zz"),
		"to_datetime_string":       written("YYYY-MM-DD HH:mm:ss"),
		"to_day_datetime_string":   written("ddd, MMM D, YYYY h:mm A"),
		"to_formatted_date_string": {ofPendulum, noArguments(func(m moment) any { return m.t.Format("Jan 02, 2006") })},
		"to_iso8601_string":        {ofDateTime, noArguments(toISO)},
		"to_rfc1036_string":        written("ddd, DD MMM YY HH:mm:ss ZZ"),
		"to_rfc1123_string":        written("ddd, DD MMM YYYY HH:mm:ss ZZ"),
		"to_rfc2822_string":        written("ddd, DD MMM YYYY HH:mm:ss ZZ"),
		"to_rfc3339_string":        {ofDateTime, noArguments(func(m moment) any { return m.isoformat("T") })},
		"to_rfc822_string":         written("ddd, DD MMM YY HH:mm:ss ZZ"),
		"to_rfc850_string":         written("dddd, DD-MMM-YY HH:mm:ss zz"),
		"to_rss_string":            written("ddd, DD MMM YYYY HH:mm:ss ZZ"),
		"to_time_string":           written("HH:mm:ss"),
		"to_w3c_string":            written("YYYY-MM-DDTHH:mm:ssZ"),
	}
}

// readsClock are the methods of pendulum that depend on when they are called.
var readsClock = map[string]bool{"age": true, "is_future": true, "is_past": true, "is_local": true, "now": true,
	"today": true, "utcnow": true}

// methodWork is what a method of a moment takes at most, most of it to find the rules
// of a zone.
const methodWork = 2000

// attribute finds what a template may ask of a moment.
func (m moment) attribute(name string) (any, bool) {
	if v, ok := m.part(name); ok {
		return v, true
	}
	method, ok := momentMethods[name]
	if !ok || !method.of.has(m.class) {
		return nil, false
	}
	return &function{name: name, call: func(e *evaluation, a arguments) (any, error) {
		if err := e.touch(methodWork); err != nil {
			return nil, err
		}
		v, err := method.call(e, m, a)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return v, nil
	}}, true
}

var errClock = errors.New("not available without a date: a template reads no clock")

// part finds what needs no call.
func (m moment) part(name string) (any, bool) {
	t := m.t
	switch name {
	case "year":
		return int64(t.Year()), true
	case "month":
		return int64(t.Month()), true
	case "day":
		return int64(t.Day()), true
	}
	if v, ok := m.timePart(name); ok && !m.class.isDate() {
		return v, true
	}
	if m.class.isPython() {
		return nil, false
	}
	switch name {
	case "day_of_week":
		return isoWeekday(t) - 1, true
	case "day_of_year":
		return int64(t.YearDay()), true
	case "week_of_year":
		_, week := t.ISOWeek()
		return int64(week), true
	case "week_of_month":
		first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
		return (int64(t.Day())+isoWeekday(first)-2)/7 + 1, true
	case "quarter":
		return int64(t.Month()-1)/3 + 1, true
	case "days_in_month":
		return int64(daysIn(t.Year(), t.Month())), true
	}
	return nil, false
}

// timePart finds what only a moment with a time of day has.
func (m moment) timePart(name string) (any, bool) {
	t := m.t
	switch name {
	case "hour":
		return int64(t.Hour()), true
	case "minute":
		return int64(t.Minute()), true
	case "second":
		return int64(t.Second()), true
	case "microsecond":
		return int64(t.Nanosecond() / 1000), true
	case "fold":
		return int64(m.fold()), true
	case "tzinfo":
		return m.zone(), true
	}
	if m.class.isPython() {
		return nil, false
	}
	switch name {
	case "int_timestamp":
		return t.Unix(), true
	case "float_timestamp":
		return float64(t.UnixMicro()) / 1e6, true
	case "timezone", "tz":
		return m.zone(), true
	case "timezone_name":
		if m.naive {
			return nil, true
		}
		return t.Location().String(), true
	case "offset", "offset_hours":
		if m.naive {
			return nil, true
		}
		_, seconds := t.Zone()
		if name == "offset" {
			return int64(seconds), true
		}
		return float64(seconds) / 3600, true
	}
	return nil, false
}

// zone is None where there is none.
func (m moment) zone() any {
	if m.naive {
		return nil
	}
	return zone{m.t.Location()}
}

func noArguments(f func(moment) any) momentFunc {
	return func(_ *evaluation, m moment, a arguments) (any, error) {
		_, err := a.take("it")
		return f(m), err
	}
}

// withOther makes a method of a function of two moments.
func withOther(f func(m, other moment) any) momentFunc {
	return func(_ *evaluation, m moment, a arguments) (any, error) {
		args, err := a.take("it", "dt")
		if err != nil {
			return nil, err
		}
		other, err := m.other(args[0])
		return f(m, other), err
	}
}

func sameDayOfYear(m, other moment) any {
	return m.t.Month() == other.t.Month() && m.t.Day() == other.t.Day()
}

// other reads an argument that is a moment; pendulum takes the present for one that is
// missing.
func (m moment) other(v any) (moment, error) {
	if !given(v) || v == nil {
		return m, errClock
	}
	o, ok := v.(moment)
	if !ok {
		return m, fmt.Errorf("expected a date, not %s", typeName(v))
	}
	if o.class.isDate() != m.class.isDate() {
		return m, fmt.Errorf("expected %s, not %s", m.class, o.class)
	}
	if o.class.isPython() {
		o.class = m.class
	}
	return o, nil
}

func toDate(m moment) any {
	if m.class.isPython() {
		return dateOf(m, pythonDate)
	}
	return dateOf(m, date)
}

func toISO(m moment) any {
	s := m.isoformat("T")
	if !m.naive && m.t.Location().String() == "UTC" {
		s = strings.Replace(s, "+00:00", "Z", 1)
	}
	return s
}

// written makes a method that writes a moment in tokens of pendulum's format.
func written(format string) momentMethod {
	return momentMethod{ofDateTime, func(e *evaluation, m moment, a arguments) (any, error) {
		if _, err := a.take("it"); err != nil {
			return nil, err
		}
		return e.pendulumFormat(m, format)
	}}
}

func summerTime(m moment) any {
	switch {
	case m.naive:
		return nil
	case m.t.IsDST():
		return span{d: time.Hour}
	}
	return span{}
}

func utcOffset(m moment) any {
	if m.naive {
		return nil
	}
	_, seconds := m.t.Zone()
	return span{d: time.Duration(seconds) * time.Second}
}

func zoneName(m moment) any {
	if m.naive {
		return nil
	}
	name, _ := m.t.Zone()
	return name
}

// timestamp refuses what has no zone: Python takes the machine's.
func timestamp(_ *evaluation, m moment, a arguments) (any, error) {
	if _, err := a.take("it"); err != nil {
		return nil, err
	}
	if m.naive {
		return nil, errors.New("the date has no time zone")
	}
	return float64(m.t.UnixMicro()) / 1e6, nil
}

func isLongYear(m moment) any {
	_, week := time.Date(m.t.Year(), 12, 28, 0, 0, 0, 0, time.UTC).ISOWeek()
	return week == 53
}

func isoCalendar(m moment) any {
	year, week := m.wall().ISOWeek()
	return isoDate{int64(year), int64(week), isoWeekday(m.wall())}
}

// ordinalOf counts days; the first of January of the year 1 is 1.
func ordinalOf(t time.Time) int64 {
	return (t.Unix()-time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Unix())/86400 + 1
}

func isoformat(_ *evaluation, m moment, a arguments) (any, error) {
	if m.class.isDate() {
		_, err := a.take("it")
		return m.isoformat(""), err
	}
	args, err := a.take("it", "sep", "timespec")
	if err != nil {
		return nil, err
	}
	separator, err1 := stringOr(args[0], "T")
	spec, err2 := stringOr(args[1], "auto")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if len([]rune(clip(separator, 8))) != 1 || len(separator) > 4 {
		return nil, errors.New("sep must be one character")
	}
	layout, ok := map[string]string{"hours": "15", "minutes": "15:04", "seconds": "15:04:05",
		"milliseconds": "15:04:05.000", "microseconds": "15:04:05.000000"}[spec]
	switch {
	case spec == "auto":
		return m.isoformat(separator), nil
	case !ok:
		return nil, errors.New("timespec must be auto, hours, minutes, seconds, milliseconds or microseconds")
	}
	s := m.t.Format("2006-01-02") + separator + m.t.Format(layout)
	if !m.naive {
		s += offset(m.t, ":")
	}
	return s, nil
}

func strftimeMethod(e *evaluation, m moment, a arguments) (any, error) {
	return formatWith(m, a, e.strftime, "format!")
}

// formatMethod writes in English, whatever else a locale would be.
func formatMethod(e *evaluation, m moment, a arguments) (any, error) {
	return formatWith(m, a, e.pendulumFormat, "fmt!", "locale")
}

func formatWith(m moment, a arguments, write func(moment, string) (string, error), names ...string) (any, error) {
	args, err := a.take("it", names...)
	if err != nil {
		return nil, err
	}
	layout, err := stringOr(args[0], "")
	if err != nil {
		return nil, err
	}
	if len(args) > 1 {
		if err := checkLocale(args[1]); err != nil {
			return nil, err
		}
	}
	return write(m, layout)
}

// checkLocale refuses what is not English.
func checkLocale(v any) error {
	if !given(v) || v == nil {
		return nil
	}
	name, err := stringOr(v, "")
	if err != nil {
		return err
	}
	if language := strings.ToLower(clip(name, 20)); language == "en" || strings.HasPrefix(language, "en_") {
		return nil
	}
	return fmt.Errorf("there is no locale %q; dates are written in English (en)", clip(name, 20))
}

func inTimezone(e *evaluation, m moment, a arguments) (any, error) {
	args, err := a.take("it", "tz!")
	if err != nil {
		return nil, err
	}
	return e.inZone(m, args[0])
}

// inZone shows a moment by the clock of another zone. What has no zone gets it.
func (b *budget) inZone(m moment, tz any) (any, error) {
	loc, err := b.location(tz)
	if err != nil {
		return nil, err
	}
	if m.naive {
		return moment{onWall(m.t, loc, 1), m.class, false}, nil
	}
	m.t = m.t.In(loc)
	return m, inYears(m.t)
}

func asTimezone(e *evaluation, m moment, a arguments) (any, error) {
	args, err := a.take("it", "tz")
	if err != nil {
		return nil, err
	}
	if m.naive || !given(args[0]) || args[0] == nil {
		return nil, errors.New("the machine's time zone is not known to a template; name one")
	}
	if _, ok := args[0].(zone); !ok {
		return nil, errors.New("expected a time zone such as logical_date.tz; in_timezone takes a name")
	}
	return e.inZone(m, args[0])
}

// zones holds those that were asked for, so that none is read twice. There are
// about 600 of them.
var zones sync.Map // name → *time.Location

// zoneWork is what a zone costs to read.
const zoneWork = 1 << 15

// location is the zone of a name, or of another moment.
func (b *budget) location(v any) (*time.Location, error) {
	if z, ok := v.(zone); ok {
		return z.loc, nil
	}
	name, err := stringOr(v, "")
	if err != nil {
		return time.UTC, err
	}
	return b.zone(name)
}

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

// at gives a moment another time of day; what is not given is zero.
func at(_ *evaluation, m moment, a arguments) (any, error) {
	midnight := m.wall()
	midnight = time.Date(midnight.Year(), midnight.Month(), midnight.Day(), 0, 0, 0, 0, time.UTC)
	fold := m.fold()
	args, err := a.take("it", "hour!", "minute", "second", "microsecond")
	if err != nil {
		return nil, err
	}
	parts := moment{t: midnight, naive: true}.parts()
	for i, v := range args {
		if err := parts.set(partNames[3+i], v); err != nil {
			return nil, err
		}
	}
	t, err := parts.time()
	if err != nil {
		return nil, err
	}
	return m.at(t, fold)
}

// setParts makes a method that gives parts of a moment other values: those of the given
// names. A name that ends in "!" must be given.
func setParts(names ...string) momentFunc {
	return func(e *evaluation, m moment, a arguments) (any, error) {
		names := names
		if m.class.isDate() {
			names = names[:min(3, len(names))]
		}
		args, err := a.take("it", names...)
		if err != nil {
			return nil, err
		}
		parts := m.parts()
		fold := m.fold()
		for i, name := range names {
			switch v := args[i]; name {
			case "tz", "tzinfo":
				if m, err = e.withZone(m, v, name == "tzinfo"); err != nil {
					return nil, err
				}
			case "fold":
				k, err := intOr(v, int64(fold))
				if err != nil {
					return nil, err
				}
				fold = int(k & 1)
			default:
				if err := parts.set(strings.TrimSuffix(name, "!"), v); err != nil {
					return nil, err
				}
			}
		}
		t, err := parts.time()
		if err != nil {
			return nil, err
		}
		return m.at(t, fold)
	}
}

// withZone gives a moment another zone for at. None takes the zone of replace away, and
// leaves that of set alone.
func (b *budget) withZone(m moment, tz any, none bool) (moment, error) {
	switch {
	case !given(tz), tz == true && none, tz == nil && !none:
		return m, nil
	case tz == nil:
		return moment{m.t, m.class, true}, nil
	}
	loc, err := b.location(tz)
	return moment{m.t.In(loc), m.class, false}, err
}

// momentParts are year, month, day, hour, minute, second and microsecond.
type momentParts [7]int

var partNames = [7]string{"year", "month", "day", "hour", "minute", "second", "microsecond"}

var partLimits = [7][2]int64{{minYear, maxYear}, {1, 12}, {1, 31}, {0, 23}, {0, 59}, {0, 59}, {0, 999_999}}

func (m moment) parts() momentParts {
	t := m.wall()
	return momentParts{t.Year(), int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond() / 1000}
}

// set gives a part another value; None leaves it.
func (p *momentParts) set(name string, v any) error {
	if !given(v) || v == nil {
		return nil
	}
	for i, known := range partNames {
		if known != name {
			continue
		}
		k, ok := asInt(v)
		if !ok {
			return fmt.Errorf("%s must be an integer, not %s", name, typeName(v))
		}
		if k < partLimits[i][0] || k > partLimits[i][1] {
			return fmt.Errorf("%s must be from %d to %d", name, partLimits[i][0], partLimits[i][1])
		}
		p[i] = int(k)
	}
	return nil
}

// time is what the clock shows, as if it were UTC.
func (p momentParts) time() (time.Time, error) {
	if p[2] > daysIn(p[0], time.Month(p[1])) {
		return time.Time{}, fmt.Errorf("day is out of range: the month has %d", daysIn(p[0], time.Month(p[1])))
	}
	return time.Date(p[0], time.Month(p[1]), p[2], p[3], p[4], p[5], p[6]*1000, time.UTC), nil
}

// bound is the first or last moment of a unit.
func (m moment) bound(a arguments, last bool) (any, error) {
	args, err := a.take("it", "unit!")
	if err != nil {
		return nil, err
	}
	unit, err := stringOr(args[0], "")
	if err != nil {
		return nil, err
	}
	from, to, err := m.around(unit)
	if err != nil {
		return nil, err
	}
	if last {
		from = to.Add(-time.Microsecond)
	}
	if m.class.isDate() {
		y, mo, d := from.Date()
		from = time.Date(y, mo, d, 0, 0, 0, 0, time.UTC)
	}
	return m.at(from, m.fold())
}

// around is the unit that a moment lies in, and where the next one begins.
func (m moment) around(unit string) (from, to time.Time, err error) {
	t := m.wall()
	y, mo, d := t.Date()
	day := func(y int, mo time.Month, d int) time.Time { return time.Date(y, mo, d, 0, 0, 0, 0, time.UTC) }
	switch {
	case m.class.isDate():
	case unit == "second":
		return t.Truncate(time.Second), t.Truncate(time.Second).Add(time.Second), nil
	case unit == "minute":
		return t.Truncate(time.Minute), t.Truncate(time.Minute).Add(time.Minute), nil
	case unit == "hour":
		return t.Truncate(time.Hour), t.Truncate(time.Hour).Add(time.Hour), nil
	}
	switch unit {
	case "day":
		return day(y, mo, d), day(y, mo, d+1), nil
	case "week":
		monday := d - int(isoWeekday(t)) + 1
		return day(y, mo, monday), day(y, mo, monday+7), nil
	case "month":
		return day(y, mo, 1), day(y, mo+1, 1), nil
	case "year":
		return day(y, 1, 1), day(y+1, 1, 1), nil
	case "decade":
		return day(y-y%10, 1, 1), day(y-y%10+10, 1, 1), nil
	case "century":
		first := (y-1)/100*100 + 1
		return day(first, 1, 1), day(first+100, 1, 1), nil
	}
	return t, t, errors.New("expected second, minute, hour, day, week, month, year, decade or century")
}

// dayOfWeek reads an argument from 0, which is Monday, to 6; otherwise when it is not
// given.
func dayOfWeek(v any, otherwise int) (int, error) {
	if !given(v) || v == nil {
		return otherwise, nil
	}
	k, ok := asInt(v)
	if !ok || k < 0 || k > 6 {
		return 0, errors.New("a day of the week must be an integer from 0, Monday, to 6, Sunday")
	}
	return int(k), nil
}

// neighbour makes next and previous.
func neighbour(sign int) momentFunc {
	return func(_ *evaluation, m moment, a arguments) (any, error) {
		names := []string{"day_of_week", "keep_time"}
		if m.class.isDate() {
			names = names[:1]
		}
		args, err := a.take("it", names...)
		if err != nil {
			return nil, err
		}
		t := m.wall()
		today := int(isoWeekday(t)) - 1
		wanted, err := dayOfWeek(args[0], today)
		if err != nil {
			return nil, err
		}
		keep := false
		if len(args) > 1 {
			if keep, err = boolOr(args[1], false); err != nil {
				return nil, err
			}
		}
		days := (sign*(wanted-today)+6)%7 + 1
		if !keep {
			t = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
		}
		return m.at(t.AddDate(0, 0, sign*days), 1)
	}
}

// firstOf and lastOf are the first and last day of a month, of a day of the week when it
// is not negative.
func firstOf(first time.Time, weekday int) time.Time {
	if weekday < 0 {
		return first
	}
	return first.AddDate(0, 0, (weekday-int(isoWeekday(first))+1+7)%7)
}

func lastOf(first time.Time, weekday int) time.Time {
	last := first.AddDate(0, 1, -1)
	if weekday < 0 {
		return last
	}
	return last.AddDate(0, 0, -((int(isoWeekday(last)) - 1 - weekday + 7) % 7))
}

// ofUnit makes first_of and last_of.
func ofUnit(find func(first time.Time, weekday int) time.Time) momentFunc {
	last := find(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), -1).Day() != 1
	return func(_ *evaluation, m moment, a arguments) (any, error) {
		args, err := a.take("it", "unit!", "day_of_week")
		if err != nil {
			return nil, err
		}
		from, to, err := m.monthsOf(args[0])
		if err != nil {
			return nil, err
		}
		weekday, err := dayOfWeek(args[1], -1)
		if err != nil {
			return nil, err
		}
		if last {
			from = to.AddDate(0, -1, 0)
		}
		return m.at(find(from, weekday), m.fold())
	}
}

// monthsOf is the month, quarter or year of a moment, and where the next one begins.
func (m moment) monthsOf(unit any) (from, to time.Time, err error) {
	t := m.wall()
	name, err := stringOr(unit, "")
	if err != nil {
		return t, t, err
	}
	first := func(y int, mo time.Month) time.Time { return time.Date(y, mo, 1, 0, 0, 0, 0, time.UTC) }
	quarter := (t.Month()-1)/3*3 + 1
	switch name {
	case "month":
		return first(t.Year(), t.Month()), first(t.Year(), t.Month()+1), nil
	case "quarter":
		return first(t.Year(), quarter), first(t.Year(), quarter+3), nil
	case "year":
		return first(t.Year(), 1), first(t.Year()+1, 1), nil
	}
	return t, t, errors.New("expected month, quarter or year")
}

func nthOf(_ *evaluation, m moment, a arguments) (any, error) {
	args, err := a.take("it", "unit!", "nth!", "day_of_week!")
	if err != nil {
		return nil, err
	}
	from, to, err := m.monthsOf(args[0])
	if err != nil {
		return nil, err
	}
	nth, err := intOr(args[1], 1)
	if err != nil {
		return nil, err
	}
	weekday, err := dayOfWeek(args[2], -1)
	if err != nil {
		return nil, err
	}
	if nth < 1 || nth > 60 {
		return nil, errors.New("nth is out of range")
	}
	found := firstOf(from, weekday).AddDate(0, 0, int(nth-1)*7)
	if !found.Before(to) {
		return nil, fmt.Errorf("the unit has no such day for the time %d", nth)
	}
	return m.at(found, m.fold())
}

// average is the middle between two moments.
func average(_ *evaluation, m moment, a arguments) (any, error) {
	args, err := a.take("it", "dt")
	if err != nil {
		return nil, err
	}
	other, err := m.other(args[0])
	if err != nil {
		return nil, err
	}
	d, err := between(m, other)
	if err != nil {
		return nil, err
	}
	if m.class.isDate() {
		return m.at(m.t.AddDate(0, 0, int(d.d/(24*time.Hour))/2), 0)
	}
	us := d.d.Microseconds()
	half := us / 2
	if us < 0 && us%2 != 0 {
		half-- // Python rounds down
	}
	m.t = m.t.Add(time.Duration(half) * time.Microsecond)
	return m, nil
}

// nearest makes closest and farthest.
func nearest(sign int) momentFunc {
	return func(e *evaluation, m moment, a arguments) (any, error) {
		if len(a.positional) == 0 || len(a.named) > 0 {
			return nil, errors.New("expected dates")
		}
		var best moment
		var most time.Duration
		for i, v := range a.positional {
			if err := e.step(); err != nil {
				return nil, err
			}
			other, err := m.other(v)
			if err != nil {
				return nil, err
			}
			d, err := between(m, other)
			if err != nil {
				return nil, err
			}
			if away := max(d.d, -d.d); i == 0 || (away > most) == (sign > 0) && away != most {
				best, most = other, away
			}
		}
		return best, nil
	}
}

// add moves a moment as pendulum does: when years, months, weeks or days are
// among the units, the clock on the wall is moved; else the time that passes.
func (m moment) add(a arguments, sign int64) (any, error) {
	names := []string{"years", "months", "weeks", "days", "hours", "minutes", "seconds", "microseconds"}
	if m.class.isDate() {
		names = names[:4]
	}
	args, err := a.take("it", names...)
	if err != nil {
		return nil, err
	}
	var n units
	for i, v := range args {
		if f, ok := v.(float64); ok && i == 6 { // seconds alone may have a fraction
			if math.Abs(f) > 1e9 {
				return nil, errRange
			}
			n[7] += sign * int64(math.RoundToEven(f*1e6))
			continue
		}
		k, err := intOr(v, 0)
		if err != nil {
			return nil, err
		}
		if max(k, -k) > 1e9 && i < 6 || max(k, -k) > 1e15 || k == math.MinInt64 {
			return nil, errRange
		}
		n[i] += k * sign
	}
	return m.move(n)
}

// units are years, months, weeks, days, hours, minutes, seconds and microseconds.
type units [8]int64

func (n units) isCalendar() bool { return n[0] != 0 || n[1] != 0 || n[2] != 0 || n[3] != 0 }

func (m moment) move(n units) (moment, error) {
	t := m.t.UTC()
	if n.isCalendar() {
		t = m.wall()
	}
	t, err := addCalendar(t, n)
	if err != nil {
		return m, err
	}
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second, time.Microsecond} {
		if t, err = shift(t, n[4+i], unit); err != nil {
			return m, err
		}
	}
	if n.isCalendar() || m.naive {
		return m.at(t, 1)
	}
	return moment{t.In(m.t.Location()), m.class, false}, nil
}

// addCalendar adds years, months, weeks and days; the day is cut to the
// month's last.
func addCalendar(t time.Time, n units) (time.Time, error) {
	if !n.isCalendar() {
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

// shift adds n units to a time.
func shift(t time.Time, n int64, unit time.Duration) (time.Time, error) {
	if max(n, -n) > int64(math.MaxInt64/unit) {
		return t, errRange
	}
	t = t.Add(time.Duration(n) * unit)
	return t, inYears(t)
}
