package graph

import (
	"fmt"
	"html"
	"html/template"
	"slices"
	"strings"
	"time"
)

// Bar is a line of a Gantt chart: what happened to one task, or to the whole run.
type Bar struct {
	Label string
	Href  string // makes the line a link, where it is not empty
	Page  bool   // the link leads to a page, instead of opening a window
	Spans []Span
}

// Span is a stretch of time on a Bar.
type Span struct {
	From, To time.Time
	Open     bool   // it goes on: To is now
	Class    string // the CSS class that colours it
	Says     string // what it is, shown before how long it took when the pointer rests on it
	Took     string // how long it took
}

// Sizes of a chart, in CSS pixels.
const (
	barLabel  = 220
	barHeight = 18
	barLine   = 30
	chartTime = 760 // for the whole time
	chartHead = 28
	minSpan   = 3 // so that a short span is seen
	maxMarks  = 6 // of the scale, besides its beginning
)

// Gantt draws bars over their common time as an SVG element for an HTML page,
// with as little of style in it as SVG. mark writes a mark of the scale, given the
// distance between two. Without any span only the labels are drawn. A chart with an
// open span has the attribute data-open, and with it what a script needs to draw the
// bars longer as time goes on: data-from (milliseconds since 1970), data-left and
// data-width (pixels) of the whole, data-from and data-to of each span, and data-mark,
// the number of a mark of the scale.
func Gantt(bars []Bar, title string, mark func(at, step time.Duration) string) template.HTML {
	start, end := limits(bars)
	whole := max(end.Sub(start), time.Millisecond)
	x := func(t time.Time) int { return barLabel + int(int64(chartTime)*int64(t.Sub(start))/int64(whole)) }
	width, height := barLabel+chartTime+margin, chartHead+len(bars)*barLine+margin/2

	var b strings.Builder
	growing := ""
	if isOpen(bars) {
		growing = fmt.Sprintf(` data-open="" data-from="%d" data-left="%d" data-width="%d"`, start.UnixMilli(),
			barLabel, chartTime)
	}
	fmt.Fprintf(&b,
		`<svg class="graph gantt" xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="group" aria-label="%s"%s>`+
			"\n",
		width, height, width, height, html.EscapeString(title), growing)
	if !start.IsZero() {
		writeScale(&b, whole, height-margin/2, isOpen(bars), mark)
	}
	for i, bar := range bars {
		writeBar(&b, bar, chartHead+i*barLine, x)
	}
	b.WriteString("</svg>\n")
	return template.HTML(b.String())
}

// writeScale draws the marks of the scale down to bottom. One that grows has all that it
// may ever have; those beyond its end are hidden.
func writeScale(b *strings.Builder, whole time.Duration, bottom int, growing bool,
	mark func(at, step time.Duration) string) {
	step := markStep(whole)
	if growing {
		step = max(step, time.Second) // as the script counts
	}
	for i := range maxMarks + 1 {
		at, hidden := time.Duration(i)*step, ""
		if at > whole {
			if !growing {
				return
			}
			at, hidden = 0, ` visibility="hidden"`
		}
		x := barLabel + int(int64(chartTime)*int64(at)/int64(whole))
		fmt.Fprintf(b,
			`<g class="mark" data-mark="%d" transform="translate(%d 0)"%s><path class="scale" d="M0 %dV%d"/><text class="detail" y="16" text-anchor="middle">%s</text></g>`+
				"\n",
			i, x, hidden, chartHead-6, bottom, html.EscapeString(mark(at, step)))
	}
}

// markSteps are the round distances between two marks of a scale, those below a second
// and above a day aside.
var markSteps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
}

// markStep is the smallest round distance with which maxMarks marks reach the end.
func markStep(whole time.Duration) time.Duration {
	fits := func(step time.Duration) bool { return whole/step < maxMarks || whole == maxMarks*step }
	for step := time.Millisecond; step < time.Second; step *= 10 {
		for _, times := range []time.Duration{1, 2, 5} {
			if fits(times * step) {
				return times * step
			}
		}
	}
	for _, step := range markSteps {
		if fits(step) {
			return step
		}
	}
	const day = 24 * time.Hour
	return (whole/maxMarks/day + 1) * day
}

func writeBar(b *strings.Builder, bar Bar, top int, x func(time.Time) int) {
	open, end := `<g class="bar">`, "</g>\n"
	if bar.Href != "" {
		window := ` data-window=""`
		if bar.Page {
			window = ""
		}
		open, end = `<a class="bar"`+window+` href="`+html.EscapeString(bar.Href)+`">`, "</a>\n"
	}
	b.WriteString(open)
	fmt.Fprintf(b, `<text class="label" x="%d" y="%d" text-anchor="end">%s<title>%s</title></text>`, barLabel-12,
		top+barHeight-4,
		html.EscapeString(short(bar.Label, (barLabel-20)/glyphWidth)), html.EscapeString(bar.Label))
	for _, s := range bar.Spans {
		from := x(s.From)
		when := fmt.Sprintf(`data-from="%d" data-to="%d"`, s.From.UnixMilli(), s.To.UnixMilli())
		if s.Open {
			when = fmt.Sprintf(`data-from="%d" data-says="%s"`, s.From.UnixMilli(), html.EscapeString(s.Says))
		}
		fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="3" %s><title>%s</title></rect>`,
			html.EscapeString(s.Class), from, top, max(x(s.To)-from, minSpan), barHeight, when,
			html.EscapeString(s.Says+" "+s.Took))
	}
	b.WriteString(end)
}

// isOpen reports whether any span goes on.
func isOpen(bars []Bar) bool {
	return slices.ContainsFunc(bars, func(bar Bar) bool {
		return slices.ContainsFunc(bar.Spans, func(s Span) bool { return s.Open })
	})
}

// limits are the first and the last moment of all spans.
func limits(bars []Bar) (start, end time.Time) {
	for _, bar := range bars {
		for _, s := range bar.Spans {
			if start.IsZero() || s.From.Before(start) {
				start = s.From
			}
			if s.To.After(end) {
				end = s.To
			}
		}
	}
	return start, end
}
