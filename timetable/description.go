package timetable

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"dagwright/dag"
)

// Description says the schedule in English words, the same ones that Airflow's
// pages show: "At 02:30", "At 06:00, Monday through Friday". An expression
// with seconds or years, or one that words would not make plainer, comes back
// as it is written. Those of several expressions are joined by commas.
func (t *Timetable) Description() string { return strings.Join(t.Descriptions(), ", ") }

// Descriptions is the [Timetable.Description] of each expression of the schedule; a
// schedule without any has one.
func (t *Timetable) Descriptions() []string {
	switch t.kind {
	case dag.ScheduleNone:
		return []string{"Never, external triggers only"}
	case dag.ScheduleOnce:
		return []string{"Once, as soon as possible"}
	case dag.ScheduleContinuous:
		return []string{"As frequently as possible, but only one run at a time."}
	case dag.ScheduleDelta:
		return []string{"Every " + stepWords(t.every)}
	}
	all := make([]string, len(t.crons))
	for i, k := range t.crons {
		all[i] = k.description()
	}
	return all
}

func (k *ticks) description() string {
	text, _ := preset(k.text)
	cols := columns(text)
	if len(cols) != 5 {
		return k.text
	}
	words, ok := describe(cols)
	if !ok {
		return k.text
	}
	return words
}

// stepWords says a step in words: "day", "6 hours", "3 months and 2 days".
func stepWords(d dag.Delta) string {
	var parts []string
	if d.Months%12 == 0 && d.Months > 0 {
		parts = append(parts, counted(d.Months/12, "year"))
	} else if d.Months > 0 {
		parts = append(parts, counted(d.Months, "month"))
	}
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{
		{7 * 24 * time.Hour, "week"}, {24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"},
		{time.Second, "second"},
	} {
		if d.Duration > 0 && d.Duration%unit.length == 0 {
			parts = append(parts, counted(int(d.Duration/unit.length), unit.name))
			break
		}
	}
	if len(parts) == 1 {
		return strings.TrimPrefix(parts[0], "1 ")
	}
	return strings.Join(parts, " and ")
}

func counted(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return strconv.Itoa(n) + " " + unit + "s"
}

// describe puts five columns into words. Where both day columns are written,
// each gets its own sentence, joined by "(or)", as cron joins the days.
func describe(cols []string) (string, bool) {
	if cols[domField] == "*" || cols[dowField] == "*" {
		return newPhrase(cols).full()
	}
	byDOM, byDOW := append([]string(nil), cols...), append([]string(nil), cols...)
	byDOM[dowField], byDOW[domField] = "*", "*"
	first, ok1 := newPhrase(byDOM).full()
	second, ok2 := newPhrase(byDOW).full()
	return first + " (or) " + second, ok1 && ok2
}

// phrase describes one expression, whose columns were brought into a form with
// digits for names and ranges for open steps. bad is set when a part has no
// words.
type phrase struct {
	minute, hour, dom, month, dow string
	bad                           bool
}

var sundayAsSeven = regexp.MustCompile(`(?:^|[^#/\s\d])7`)

func newPhrase(cols []string) *phrase {
	p := &phrase{
		minute: cols[minuteField],
		hour:   cols[hourField],
		dom:    strings.ToUpper(strings.ReplaceAll(cols[domField], "?", "*")),
		month:  digitsFor(openStep(cols[monthField], "1/"), fields()[monthField]),
		dow:    strings.ReplaceAll(cols[dowField], "?", "*"),
	}
	p.minute, p.hour = openStep(p.minute, "0/"), openStep(p.hour, "0/")
	p.dom, p.dow = openStep(p.dom, "1/"), openStep(p.dow, "1/")
	p.dow = sundayAsSeven.ReplaceAllStringFunc(p.dow, func(s string) string { return strings.Replace(s, "7", "0", 1) })
	p.dow = digitsFor(p.dow, fields()[dowField])
	if !strings.ContainsAny(p.hour, "*-,/") && strings.ContainsAny(p.minute, "*/") {
		// "*/5 3" happens between 03:00 and 03:59.
		p.hour += "-" + p.hour
	}
	for _, part := range []*string{&p.minute, &p.hour, &p.dom, &p.month, &p.dow} {
		if *part == "*/1" {
			*part = "*"
		}
	}
	p.month, p.dow = closeStep(p.month, "12"), closeStep(p.dow, "6")
	return p
}

// openStep writes a step from the column's first value as a step of all.
func openStep(part, first string) string {
	if strings.HasPrefix(part, first) {
		return strings.ReplaceAll(part, first, "*/")
	}
	return part
}

// closeStep writes "3/2" as "3-12/2".
func closeStep(part, limit string) string {
	if base, step, ok := strings.Cut(part, "/"); ok && !strings.ContainsAny(part, "*-,") {
		return base + "-" + limit + "/" + step
	}
	return part
}

func digitsFor(part string, f field) string {
	part = strings.ToUpper(part)
	for i, name := range f.names {
		part = strings.ReplaceAll(part, strings.ToUpper(name), strconv.Itoa(f.min+i))
	}
	return part
}

// full joins the parts, leaves out what goes without saying, and begins with a
// capital.
func (p *phrase) full() (string, bool) {
	words := p.timeOfDay() + p.daysOfMonth() + p.daysOfWeek() + p.months()
	for _, plain := range []string{", every minute", ", every hour", ", every day"} {
		words = strings.ReplaceAll(words, plain, "")
	}
	words = strings.TrimSuffix(strings.TrimSuffix(words, " "), ",")
	if p.bad || words == "" {
		return "", false
	}
	return strings.ToUpper(words[:1]) + words[1:], true
}

func (p *phrase) timeOfDay() string {
	const special = "/-,*"
	minuteIsPlain, hourIsPlain := !strings.ContainsAny(p.minute, special), !strings.ContainsAny(p.hour, special)
	switch {
	case minuteIsPlain && hourIsPlain:
		return "At " + p.clock(p.hour, p.minute)
	case hourIsPlain && strings.Contains(p.minute, "-") && !strings.Contains(p.minute, ","):
		from, to, _ := strings.Cut(p.minute, "-")
		return "Every minute between " + p.clock(p.hour, from) + " and " + p.clock(p.hour, to)
	case minuteIsPlain && strings.Contains(p.hour, ",") && !strings.Contains(p.hour, "-"):
		return "At " + p.clocks()
	}
	minutes, hours := p.minutes(), p.hours()
	if minutes != "" && hours != "" {
		minutes += ", "
	}
	return minutes + hours
}

// clocks lists times of day: "06:30, 14:30 and 16:30".
func (p *phrase) clocks() string {
	var times []string
	for hour := range strings.SplitSeq(p.hour, ",") {
		times = append(times, p.clock(hour, p.minute))
	}
	final := len(times) - 1
	return strings.Join(times[:final], ", ") + " and " + times[final]
}

func (p *phrase) clock(hour, minute string) string {
	return fmt.Sprintf("%02d:%02d", p.number(hour), p.number(minute))
}

func (p *phrase) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		p.bad = true
	}
	return n
}

func (p *phrase) minutes() string {
	hourIsRange := strings.Contains(p.hour, "-") && !strings.ContainsAny(p.hour, "/,")
	return p.words(p.minute, wording{
		all: "every minute", every: "every %s minutes",
		between: "minutes %s through %s past the hour", inList: ", %s through %s",
		item: func(s string) string { return s },
		list: func(s string) string {
			if s == "0" && !hourIsRange {
				return ""
			}
			return "at %s minutes past the hour"
		},
	})
}

func (p *phrase) hours() string {
	return p.words(p.hour, wording{
		all: "every hour", every: "every %s hours", between: "between %s and %s", inList: ", %s through %s",
		item: func(s string) string { return p.clock(s, "0") },
		list: func(string) string { return "at %s" },
	})
}

func (p *phrase) months() string {
	return p.words(p.month, wording{
		every: ", every %s months", between: ", %s through %s", inList: ", %s through %s",
		item: func(s string) string { return p.monthName(s) },
		list: func(string) string { return ", only in %s" },
	})
}

var nearestWords = regexp.MustCompile(`^(?:(\d{1,2})W|W(\d{1,2}))`)

func (p *phrase) daysOfMonth() string {
	if p.dom == "L" {
		return ", on the last day of the month"
	}
	if p.dom == "*" && p.dow != "*" {
		return ""
	}
	if m := nearestWords.FindStringSubmatch(p.dom); m != nil {
		if day := p.number(m[1] + m[2]); day != 1 {
			return fmt.Sprintf(", on the weekday nearest day %d of the month", day)
		}
		return ", on the first weekday of the month"
	}
	return p.words(p.dom, wording{
		all: ", every day", every: ", every %s days", one: ", every day",
		between: ", between day %s and %s of the month", inList: ", %s through %s",
		item: func(s string) string { return s },
		list: func(string) string { return ", on day %s of the month" },
	})
}

func (p *phrase) daysOfWeek() string {
	if p.dow == "*" {
		return ""
	}
	w := wording{
		all: ", every day", every: ", every %s days of the week",
		between: ", %s through %s", inList: ", %s through %s",
		item: p.dayName, list: dayFormat,
	}
	base, step, hasStep := strings.Cut(p.dow, "/")
	n, err := strconv.Atoi(step)
	if !hasStep || err != nil {
		return p.words(p.dow, w)
	}
	weeks := ", every " + step + " weeks"
	if strings.Contains(base, ",") {
		w.list = func(string) string { return ", only on %s" }
		return weeks + p.words(base, w)
	}
	if from, to, isRange := strings.Cut(base, "-"); isRange {
		last := p.number(to)
		if last == 0 {
			last = 7
		}
		if n >= last-p.number(from)+1 {
			if last == 6 {
				return weeks + ", only on " + p.dayName(from)
			}
			return weeks + p.between(base, w.between, w.item)
		}
	}
	return p.words(p.dow, w)
}

// dayFormat chooses the words around the names of days.
func dayFormat(s string) string {
	if _, nth, ok := strings.Cut(s, "#"); ok {
		ordinals := map[string]string{"1": "first", "2": "second", "3": "third", "4": "fourth", "5": "fifth"}
		return ", on the " + ordinals[nth] + " %s of the month"
	}
	if strings.Contains(s, "L") {
		return ", on the last %s of the month"
	}
	return ", only on %s"
}
