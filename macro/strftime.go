package macro

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// directives maps those of Python's strftime to Go's layouts.
var directives = map[byte]string{
	'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'y': "06",
	'I': "03", 'p': "PM", 'b': "Jan", 'h': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday",
	'j': "002", 'Z': "MST", 'e': "_2",
	'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", 'D': "01/02/06",
	'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05", 'r': "03:04:05 PM",
}

// chargeFormat charges a format: a directive of two bytes may write 32, and takes
// half a microsecond.
func (b *budget) chargeFormat(format string) error {
	if err := b.touchEach(len(format), 256); err != nil {
		return err
	}
	return b.spendEach(len(format), 64)
}

// strftime writes a time as Python's strftime in the C locale.
func (b *budget) strftime(m moment, format string) (string, error) {
	if err := b.chargeFormat(format); err != nil {
		return "", err
	}
	var out strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			out.WriteByte(format[i])
			continue
		}
		i++
		plain := i < len(format) && format[i] == '-' // glibc: no leading zero
		if plain {
			i++
		}
		if i >= len(format) {
			return "", errors.New("the format ends in %")
		}
		s, err := directive(m, format[i])
		if err != nil {
			return "", err
		}
		if plain {
			if s = strings.TrimLeft(s, "0 "); s == "" {
				s = "0"
			}
		}
		out.WriteString(s)
	}
	return out.String(), nil
}

func directive(m moment, c byte) (string, error) {
	t := m.t
	if m.naive && (c == 'z' || c == 'Z') {
		return "", nil
	}
	if layout, ok := directives[c]; ok {
		return t.Format(layout), nil
	}
	year, week := t.ISOWeek()
	switch c {
	case '%':
		return "%", nil
	case 'f':
		return fmt.Sprintf("%06d", t.Nanosecond()/1000), nil
	case 'z':
		return offset(t, ""), nil
	case 'C':
		return fmt.Sprintf("%02d", t.Year()/100), nil
	case 'g':
		return fmt.Sprintf("%02d", year%100), nil
	case 'k':
		return fmt.Sprintf("%2d", t.Hour()), nil
	case 'l':
		return fmt.Sprintf("%2d", (t.Hour()+11)%12+1), nil
	case 'P':
		return strings.ToLower(t.Format("PM")), nil
	case 'n':
		return "\n", nil
	case 't':
		return "\t", nil
	case 's':
		return strconv.FormatInt(t.Unix(), 10), nil
	case 'u':
		return strconv.FormatInt(isoWeekday(t), 10), nil
	case 'w':
		return strconv.Itoa(int(t.Weekday())), nil
	case 'U':
		return fmt.Sprintf("%02d", (t.YearDay()+6-int(t.Weekday()))/7), nil
	case 'W':
		return fmt.Sprintf("%02d", (t.YearDay()+7-int(isoWeekday(t)))/7), nil
	case 'V':
		return fmt.Sprintf("%02d", week), nil
	case 'G':
		return fmt.Sprintf("%04d", year), nil
	}
	return "", fmt.Errorf("%%%c is not supported in a date format", c)
}

// pendulumTokens are the tokens of pendulum's format, the longest of each
// letter first.
var pendulumTokens = []struct {
	token string
	write func(time.Time) string
}{
	{"LTS", layout("3:04:05 PM")}, {"LT", layout("3:04 PM")}, {"LLLL", layout("Monday, January 2, 2006 3:04 PM")},
	{"LLL", layout("January 2, 2006 3:04 PM")}, {"LL", layout("January 2, 2006")}, {"L", layout("01/02/2006")},
	{"YYYY", func(t time.Time) string { return strconv.Itoa(t.Year()) }}, {"YY", layout("06")},
	{"Y", func(t time.Time) string { return strconv.Itoa(t.Year()) }},
	{"Qo", func(t time.Time) string { return ordinal(int(t.Month()-1)/3 + 1) }},
	{"Q", func(t time.Time) string { return strconv.Itoa(int(t.Month()-1)/3 + 1) }},
	{"Mo", func(t time.Time) string { return ordinal(int(t.Month())) }},
	{"MMMM", layout("January")}, {"MMM", layout("Jan")}, {"MM", layout("01")}, {"M", layout("1")},
	{"DDDo", func(t time.Time) string { return ordinal(t.YearDay()) }}, {"DDDD", layout("002")},
	{"DDD", func(t time.Time) string { return strconv.Itoa(t.YearDay()) }},
	{"DD", layout("02")}, {"Do", func(t time.Time) string { return ordinal(t.Day()) }}, {"D", layout("2")},
	{"dddd", layout("Monday")}, {"ddd", layout("Mon")}, {"dd", func(t time.Time) string { return t.Format("Mon")[:2] }},
	{"do", func(t time.Time) string { return ordinal(int(t.Weekday())) }},
	{"d", func(t time.Time) string { return strconv.Itoa(int(t.Weekday())) }},
	{"E", func(t time.Time) string { return strconv.FormatInt(isoWeekday(t), 10) }},
	{"HH", layout("15")}, {"H", func(t time.Time) string { return strconv.Itoa(t.Hour()) }},
	{"hh", layout("03")}, {"h", layout("3")},
	{"mm", layout("04")}, {"m", layout("4")}, {"ss", layout("05")}, {"s", layout("5")},
	{"SSSSSS", fraction(6)}, {"SSSSS", fraction(5)}, {"SSSS", fraction(4)}, {"SSS", fraction(3)}, {"SS", fraction(2)},
	{"S", fraction(1)},
	{"A", layout("PM")},
	{"ZZ", func(t time.Time) string { return offset(t, "") }}, {"Z", func(t time.Time) string { return offset(t, ":") }},
	{"zz", layout("MST")},
	{"z", func(t time.Time) string { return t.Location().String() }},
	{"X", func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }},
	{"x", func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }},
}

func layout(s string) func(time.Time) string {
	return func(t time.Time) string { return t.Format(s) }
}

func fraction(digits int) func(time.Time) string {
	return func(t time.Time) string { return fmt.Sprintf("%09d", t.Nanosecond())[:digits] }
}

func ordinal(n int) string {
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}

// pendulumFormat writes a time in the tokens of pendulum's format; [text] stands
// for itself.
func (b *budget) pendulumFormat(m moment, format string) (string, error) {
	if err := b.chargeFormat(format); err != nil {
		return "", err
	}
	var out strings.Builder
	last := strings.LastIndexByte(format, ']')
next:
	for i := 0; i < len(format); {
		if format[i] == '[' && i < last {
			if end := strings.IndexByte(format[i:], ']'); end > 0 {
				out.WriteString(format[i+1 : i+end])
				i += end + 1
				continue
			}
		}
		if format[i] == '\\' && i+1 < len(format) {
			out.WriteByte(format[i+1])
			i += 2
			continue
		}
		for _, p := range pendulumTokens {
			if strings.HasPrefix(format[i:], p.token) {
				if !m.naive || p.token[0] != 'z' && p.token[0] != 'Z' {
					out.WriteString(p.write(m.t))
				}
				i += len(p.token)
				continue next
			}
		}
		out.WriteByte(format[i])
		i++
	}
	return out.String(), nil
}
