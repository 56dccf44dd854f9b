package timetable

import (
	"fmt"
	"strings"
	"time"
)

// wording is how one column is put into words. The formats hold %s for each
// item.
type wording struct {
	all     string // for "*"
	every   string // for the step of "*/5"
	one     string // for a step of 1, where it differs
	between string // for the ends of "1-5"
	inList  string // for "1-5" as one entry of a list
	item    func(string) string
	list    func(expr string) string // the format around items, by the column
}

// words describes one column.
func (p *phrase) words(part string, w wording) string {
	switch {
	case part == "*":
		return w.all
	case !strings.ContainsAny(part, "/-,"):
		return fill(w.list(part), w.item(part))
	case strings.Contains(part, ","):
		return fill(w.list(part), p.entries(part, w))
	case !strings.Contains(part, "/"):
		return p.between(part, w.between, w.item)
	}
	base, step, _ := strings.Cut(part, "/")
	words := w.step(step)
	switch {
	case strings.Contains(base, "-"):
		span := p.between(base, w.between, w.item)
		if !strings.HasPrefix(span, ", ") {
			words += ", "
		}
		return words + span
	case base == "*":
		return words
	}
	return words + ", starting " + strings.ReplaceAll(fill(w.list(base), w.item(base)), ", ", "")
}

func (w wording) step(n string) string {
	if n == "1" && w.one != "" {
		return w.one
	}
	return fill(w.every, n)
}

// entries joins the entries of a list: "1, 2, and 3", but "1 and 2".
func (p *phrase) entries(part string, w wording) string {
	list := strings.Split(part, ",")
	var b strings.Builder
	for i, e := range list {
		final := i == len(list)-1
		switch {
		case i > 0 && len(list) > 2 && final:
			b.WriteString(", and ")
		case i > 0 && len(list) > 2:
			b.WriteString(", ")
		case i > 0:
			b.WriteString(" and ")
		}
		b.WriteString(p.entry(e, w))
	}
	return b.String()
}

func (p *phrase) entry(e string, w wording) string {
	base, step, hasStep := strings.Cut(e, "/")
	span := base
	if strings.Contains(base, "-") {
		span = strings.ReplaceAll(p.between(base, w.inList, w.item), ", ", "")
	}
	switch {
	case !hasStep && span != base:
		return span
	case !hasStep:
		return w.item(e)
	}
	words := strings.TrimPrefix(w.step(step), ", ")
	switch {
	case span != base:
		return words + ", " + span
	case base == "*":
		return words
	}
	return words + ", starting " + w.item(base)
}

// between describes a range. The last hour of one is meant to its end.
func (p *phrase) between(part, format string, item func(string) string) string {
	from, to, _ := strings.Cut(part, "-")
	return fmt.Sprintf(format, item(from), strings.ReplaceAll(item(to), ":00", ":59"))
}

// fill puts text in a format's place, if it has one.
func fill(format, text string) string { return strings.Replace(format, "%s", text, 1) }

func (p *phrase) monthName(s string) string {
	n := p.number(s)
	if n < 1 || n > 12 {
		p.bad = true
		return ""
	}
	return time.Month(n).String()
}

func (p *phrase) dayName(s string) string {
	day, _, isNth := strings.Cut(s, "#")
	if !isNth {
		day = strings.ReplaceAll(day, "L", "")
	}
	n := p.number(day)
	if n < 0 || n > 6 {
		p.bad = true
		return ""
	}
	return time.Weekday(n).String()
}
