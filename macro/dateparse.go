package macro

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxDateText is longer than any date that is read.
const maxDateText = 80

// dateForms are the dates that dateutil's parser.parse reads here, by the names of their
// parts. A time of day and a zone may follow each.
var dateForms = func() []*regexp.Regexp {
	const (
		day   = `(?:(?:mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun|monday|tuesday|wednesday|thursday|friday|saturday|sunday),?\s+)?`
		month = `(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec|january|february|march|april|june|july|august|` +
			`september|october|november|december)\.?`
		clock = `(?:(?:t|,?\s+|,?\s+at\s+)(?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?\s*(?P<ap>am|pm)?` +
			`|t(?P<h2>\d{2})(?P<mi2>\d{2})(?P<s2>\d{2})?)?`
		zone = `\s*(?P<z>z|utc|gmt|[+-]\d{2}(?::?\d{2})?)?`
	)
	var out []*regexp.Regexp
	for _, form := range []string{
		`(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})`,
		`(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})`,
		`(?P<y>\d{4})\.(?P<m>\d{1,2})\.(?P<d>\d{1,2})`,
		`(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})`,
		`(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})`,
		`(?P<m>\d{1,2})-(?P<d>\d{1,2})-(?P<y>\d{4})`,
		`(?P<m>\d{1,2})\.(?P<d>\d{1,2})\.(?P<y>\d{4})`,
		`(?P<d>\d{1,2})(?:st|nd|rd|th)?[ -]?` + month + `[ -]?,?\s*(?P<y>\d{4})`,
		month + `\s+(?P<d>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<y>\d{4})`,
	} {
		out = append(out, regexp.MustCompile(`(?i)^`+day+form+clock+zone+`$`))
	}
	// As C's ctime: the year comes last.
	return append(out, regexp.MustCompile(`(?i)^`+day+month+
		`\s+(?P<d>\d{1,2})\s+(?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{2}))?\s+(?P<y>\d{4})$`))
}()

// formsWithYearFirst is how many of dateForms begin with the year.
const formsWithYearFirst = 4

// dateutilParse is dateutil's parser.parse for whole dates in the usual forms.
func dateutilParse(e *evaluation, a arguments) (any, error) {
	args, err := a.take("macros.dateutil.parser.parse", "timestr!", "dayfirst", "yearfirst")
	if err != nil {
		return nil, err
	}
	text, err1 := stringOr(args[0], "")
	dayFirst, err2 := boolOr(args[1], false)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("macros.dateutil.parser.parse: %w", err)
	}
	if err := e.touchEach(maxDateText, 2000); err != nil {
		return nil, err
	}
	text = strings.TrimSpace(clip(text, maxDateText))
	for i, form := range dateForms {
		found := form.FindStringSubmatch(text)
		if found == nil {
			continue
		}
		parts := map[string]string{}
		for i, name := range form.SubexpNames() {
			if found[i] != "" {
				parts[strings.TrimSuffix(name, "2")] = strings.ToLower(found[i])
			}
		}
		m, err := momentOf(parts, dayFirst, i < formsWithYearFirst)
		if err != nil {
			return nil, fmt.Errorf("macros.dateutil.parser.parse: %w", err)
		}
		return m, nil
	}
	return nil, errors.New("macros.dateutil.parser.parse: expected a date with year, month and day, such as 2026-01-31, " +
		"2026-01-31T03:04:05+00:00, 01/31/2026 or 31 Jan 2026; for other forms use macros.datetime.strptime")
}

// momentOf puts the parts of a date together.
func momentOf(text map[string]string, dayFirst, yearFirst bool) (moment, error) {
	n := func(name string) int { i, _ := strconv.Atoi(text[name]); return i } // digits, by the form
	p := momentParts{n("y"), n("m"), n("d"), n("h"), n("mi"), n("s"), 0}
	switch name, ok := text["name"]; {
	case ok:
		p[1] = 1 + strings.Index("janfebmaraprmayjunjulaugsepoctnovdec", name[:3])/3
	case !yearFirst && p[1] > 12, dayFirst && p[2] <= 12:
		p[1], p[2] = p[2], p[1]
	}
	if text["z"] != "" && text["h"] == "" {
		return moment{}, errors.New("a time zone needs a time of day before it")
	}
	if half, ok := text["ap"]; ok {
		if p[3] < 1 || p[3] > 12 {
			return moment{}, errors.New("the hour is out of range")
		}
		p[3] = p[3]%12 + 12*strings.Index("ap", half[:1])
	}
	if fraction := text["f"]; fraction != "" {
		p[6], _ = strconv.Atoi((fraction + "00000")[:6])
	}
	for i, limits := range partLimits {
		if int64(p[i]) < limits[0] || int64(p[i]) > limits[1] {
			return moment{}, fmt.Errorf("the %s is out of range", partNames[i])
		}
	}
	t, err := p.time()
	if err != nil {
		return moment{}, err
	}
	zoneText, ok := text["z"]
	if !ok {
		return moment{t, pythonDateTime, true}, nil
	}
	loc, err := offsetZone(zoneText)
	if err != nil {
		return moment{}, err
	}
	return moment{onWall(t, loc, 0), pythonDateTime, false}, nil
}

// offsetZone is the zone of Z, UTC, GMT, +03, +0300 and +03:00.
func offsetZone(text string) (*time.Location, error) {
	sign := 1
	switch text[0] {
	case '-':
		sign = -1
	case '+':
	default:
		return time.UTC, nil
	}
	digits := strings.ReplaceAll(text[1:], ":", "") + "0000"
	hours, err1 := strconv.Atoi(digits[:2])
	minutes, err2 := strconv.Atoi(digits[2:4])
	if err := errors.Join(err1, err2); err != nil || hours > 23 || minutes > 59 {
		return time.UTC, errors.New("the offset of the time zone is out of range")
	}
	if seconds := sign * (hours*3600 + minutes*60); seconds != 0 {
		return time.FixedZone("", seconds), nil
	}
	return time.UTC, nil
}

// monthNames and dayNames are those that strptime reads.
var (
	monthNames = []string{"january", "february", "march", "april", "may", "june", "july", "august", "september",
		"october", "november", "december"}
	dayNames = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
)

// strptime reads a time as Python's strptime in the C locale.
func (b *budget) strptime(value, format string) (moment, error) {
	if err := b.chargeFormat(format); err != nil {
		return moment{}, err
	}
	if err := b.spendEach(len(value), 8); err != nil {
		return moment{}, err
	}
	r := timeReader{rest: value, parts: momentParts{1900, 1, 1}}
	if err := r.read(format); err != nil {
		return moment{}, err
	}
	if r.rest != "" {
		return moment{}, errNoMatch
	}
	return r.moment()
}

var errNoMatch = errors.New("the text does not match the date format")

// timeReader reads a text by the directives of a format.
type timeReader struct {
	rest    string
	parts   momentParts
	yearday int
	hour12  bool
	pm      bool
	zone    *time.Location // nil without one
}

func (r *timeReader) read(format string) error {
	for i := 0; i < len(format); i++ {
		c := format[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n':
			trimmed := strings.TrimLeft(r.rest, " \t\n")
			if trimmed == r.rest {
				return errNoMatch
			}
			r.rest = trimmed
			for i+1 < len(format) && strings.IndexByte(" \t\n", format[i+1]) >= 0 {
				i++
			}
		case c != '%':
			if r.rest == "" || r.rest[0] != c {
				return errNoMatch
			}
			r.rest = r.rest[1:]
		case i+1 == len(format):
			return errors.New("the format ends in %")
		default:
			i++
			if err := r.directive(format[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// numbers are the directives that are numbers: which part of the date, and from and to
// how much.
var numbers = map[byte]struct{ part, digits, least, most int }{
	'm': {1, 2, 1, 12}, 'd': {2, 2, 1, 31}, 'e': {2, 2, 1, 31}, 'H': {3, 2, 0, 23}, 'I': {3, 2, 1, 12}, 'M': {4, 2, 0, 59},
	'S': {5, 2, 0, 61}, 'j': {7, 3, 1, 366},
}

func (r *timeReader) directive(c byte) error {
	if n, ok := numbers[c]; ok {
		v, err := r.number(n.digits, n.least, n.most)
		if err != nil {
			return err
		}
		if n.part == 7 {
			r.yearday = v
			return nil
		}
		r.parts[n.part] = v
		r.hour12 = r.hour12 && c != 'H' || c == 'I'
		return nil
	}
	switch c {
	case 'Y':
		return r.year(4)
	case 'y':
		return r.year(2)
	case 'f':
		digits := r.digits(6)
		if digits == "" {
			return errNoMatch
		}
		r.parts[6], _ = strconv.Atoi((digits + "00000")[:6])
		return nil
	case 'b', 'h', 'B':
		at, err := r.word(monthNames, c != 'B')
		r.parts[1] = at + 1
		return err
	case 'a', 'A':
		_, err := r.word(dayNames, c == 'a')
		return err
	case 'p':
		at, err := r.word([]string{"am", "pm"}, false)
		r.pm = at == 1
		return err
	case 'z', 'Z':
		return r.offset()
	case '%':
		if !strings.HasPrefix(r.rest, "%") {
			return errNoMatch
		}
		r.rest = r.rest[1:]
		return nil
	case 'F':
		return r.read("%Y-%m-%d")
	case 'T':
		return r.read("%H:%M:%S")
	}
	return fmt.Errorf("%%%c is not supported in a date format that is read", c)
}

// digits takes as many as there are, at most n.
func (r *timeReader) digits(n int) string {
	end := 0
	for end < len(r.rest) && end < n && '0' <= r.rest[end] && r.rest[end] <= '9' {
		end++
	}
	text := r.rest[:end]
	r.rest = r.rest[end:]
	return text
}

// number takes the longest number that is in its range.
func (r *timeReader) number(digits, least, most int) (int, error) {
	for n := digits; n > 0; n-- {
		before := r.rest
		text := r.digits(n)
		if v, err := strconv.Atoi(text); err == nil && len(text) == n && v >= least && v <= most {
			return v, nil
		}
		r.rest = before
	}
	return 0, errNoMatch
}

func (r *timeReader) year(digits int) error {
	text := r.digits(digits)
	v, err := strconv.Atoi(text)
	if err != nil || len(text) != digits || digits == 4 && v == 0 {
		return errNoMatch
	}
	if digits == 2 {
		v += 1900
		if v < 1969 {
			v += 100
		}
	}
	r.parts[0] = v
	return nil
}

// word takes one of the names, or the first three letters of one when short.
func (r *timeReader) word(names []string, short bool) (int, error) {
	for i, name := range names {
		if short {
			name = name[:3]
		}
		if len(r.rest) >= len(name) && strings.EqualFold(r.rest[:len(name)], name) {
			r.rest = r.rest[len(name):]
			return i, nil
		}
	}
	return 0, errNoMatch
}

var offsetForm = regexp.MustCompile(`^(?i:z|utc|gmt|[+-]\d{2}:?\d{2})`)

func (r *timeReader) offset() error {
	found := offsetForm.FindString(clip(r.rest, 8))
	if found == "" {
		return errNoMatch
	}
	r.rest = r.rest[len(found):]
	if len(found) == 3 { // UTC and GMT give no zone
		return nil
	}
	var err error
	r.zone, err = offsetZone(found)
	return err
}

func (r *timeReader) moment() (moment, error) {
	p := r.parts
	if r.hour12 {
		p[3] %= 12
		if r.pm {
			p[3] += 12
		}
	}
	if p[5] > 59 {
		return moment{}, errors.New("the second is out of range")
	}
	t, err := p.time()
	if err != nil {
		return moment{}, err
	}
	if r.yearday > 0 {
		t = time.Date(p[0], 1, r.yearday, p[3], p[4], p[5], p[6]*1000, time.UTC)
	}
	if r.zone == nil {
		return moment{t, pythonDateTime, true}, nil
	}
	return moment{onWall(t, r.zone, 0), pythonDateTime, false}, nil
}

// isoForm is what Python's fromisoformat reads.
var isoForm = regexp.MustCompile(`^(\d{4})-?(\d{2})-?(\d{2})(?:[T ](\d{2})(?::?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?)?` +
	`(Z|[+-]\d{2}(?::?\d{2})?)?)?$`)

// isoDate reads a date as Python's fromisoformat.
func (b *budget) isoDate(v any) (moment, error) {
	text, err := stringOr(v, "")
	if err != nil {
		return moment{}, err
	}
	if err := b.touchEach(maxDateText, 200); err != nil {
		return moment{}, err
	}
	found := isoForm.FindStringSubmatch(clip(text, maxDateText))
	if found == nil {
		return moment{}, errors.New("expected a date such as 2026-01-31 or 2026-01-31T03:04:05+00:00")
	}
	parts := map[string]string{}
	for i, name := range []string{"y", "m", "d", "h", "mi", "s", "f", "z"} {
		if found[i+1] != "" {
			parts[name] = found[i+1]
		}
	}
	return momentOf(parts, false, true)
}

// cldrField writes a field of a pattern of Unicode's CLDR in English, by their letter
// and how often it stands there.
func cldrField(t time.Time, letter byte, n int) (string, error) {
	if n > 10 {
		return "", errors.New("a field of output_format may have 10 letters at most")
	}
	padded := func(v int) string { return fmt.Sprintf("%0*d", n, v) }
	year, week := t.ISOWeek()
	switch {
	case letter == 'y' && n == 2:
		return t.Format("06"), nil
	case letter == 'y':
		return padded(t.Year()), nil
	case letter == 'Y' && n != 2:
		return padded(year), nil
	case letter == 'w' && n <= 2:
		return padded(week), nil
	case (letter == 'M' || letter == 'L') && n <= 2:
		return padded(int(t.Month())), nil
	case letter == 'M' || letter == 'L':
		return name(t.Month().String(), n), nil
	case letter == 'd' && n <= 2:
		return padded(t.Day()), nil
	case letter == 'D' && n <= 3:
		return padded(t.YearDay()), nil
	case letter == 'E':
		return name(t.Weekday().String(), max(n, 3)), nil
	case letter == 'a' && n <= 3:
		return t.Format("PM"), nil
	case letter == 'h' && n <= 2:
		return padded((t.Hour()+11)%12 + 1), nil
	case letter == 'H' && n <= 2:
		return padded(t.Hour()), nil
	case letter == 'm' && n <= 2:
		return padded(t.Minute()), nil
	case letter == 's' && n <= 2:
		return padded(t.Second()), nil
	case letter == 'Q' && n <= 2:
		return padded(int(t.Month()-1)/3 + 1), nil
	}
	return "", fmt.Errorf("%q is not supported in output_format", strings.Repeat(string(letter), n))
}

// name shortens the name of a month or a day as n letters of a pattern ask for.
func name(full string, n int) string {
	switch n {
	case 3:
		return full[:3]
	case 5:
		return full[:1]
	}
	return full
}

// cldrNamed are the patterns that have names in English.
var cldrNamed = map[string]string{
	"short": "M/d/yy, h:mm\u202fa", "medium": "MMM d, y, h:mm:ss\u202fa",
}

// cldrFormat writes a moment in a pattern of Unicode's CLDR; 'text' stands for itself.
func (b *budget) cldrFormat(m moment, pattern string) (string, error) {
	if err := b.chargeFormat(pattern); err != nil {
		return "", err
	}
	if named, ok := cldrNamed[pattern]; ok {
		pattern = named
	}
	var out strings.Builder
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case strings.HasPrefix(pattern[i:], "''"):
			out.WriteByte('\'')
			i += 2
		case c == '\'':
			end := strings.IndexByte(pattern[i+1:], '\'')
			if end < 0 {
				return "", errors.New("a quote of output_format has no end")
			}
			out.WriteString(pattern[i+1 : i+1+end])
			i += end + 2
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			n := 1
			for i+n < len(pattern) && pattern[i+n] == c {
				n++
			}
			field, err := cldrField(m.t, c, n)
			if err != nil {
				return "", err
			}
			out.WriteString(field)
			i += n
		default:
			out.WriteByte(c)
			i++
		}
	}
	return out.String(), nil
}
