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
	ticks     = 4
)

// Gantt draws bars over their common time as an SVG element for an HTML page,
// with as little of style in it as SVG. took writes a duration, for the scale.
// Without any span only the labels are drawn. A chart with an open span has the
// attribute data-open, and with it what a script needs to draw the bars longer as
// time goes on: data-from (milliseconds since 1970), data-left and data-width
// (pixels) of the whole, data-from and data-to of each span, and the share of the
// whole that a mark of the scale stands for in data-part.
func Gantt(bars []Bar, title string, took func(time.Duration) string) template.HTML {
	start, end := limits(bars)
	whole := max(end.Sub(start), time.Millisecond)
	x := func(t time.Time) int { return barLabel + int(int64(chartTime)*int64(t.Sub(start))/int64(whole)) }
	width, height := barLabel+chartTime+margin, chartHead+len(bars)*barLine+margin/2

	var b strings.Builder
	growing := ""
	if isOpen(bars) {
		growing = fmt.Sprintf(` data-open="" data-from="%d" data-left="%d" data-width="%d"`, start.UnixMilli(), barLabel, chartTime)
	}
	fmt.Fprintf(&b, `<svg class="graph gantt" xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="group" aria-label="%s"%s>`+"\n",
		width, height, width, height, html.EscapeString(title), growing)
	for i := 0; i <= ticks && !start.IsZero(); i++ {
		at := barLabel + chartTime*i/ticks
		fmt.Fprintf(&b, `<path class="scale" d="M%d %dV%d"/><text class="detail" x="%d" y="16" data-part="%g" text-anchor="middle">%s</text>`+"\n",
			at, chartHead-6, height-margin/2, at, float64(i)/ticks, html.EscapeString(took(whole*time.Duration(i)/ticks)))
	}
	for i, bar := range bars {
		writeBar(&b, bar, chartHead+i*barLine, x)
	}
	b.WriteString("</svg>\n")
	return template.HTML(b.String())
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
	fmt.Fprintf(b, `<text class="label" x="%d" y="%d" text-anchor="end">%s<title>%s</title></text>`, barLabel-12, top+barHeight-4,
		html.EscapeString(short(bar.Label, (barLabel-20)/glyphWidth)), html.EscapeString(bar.Label))
	for _, s := range bar.Spans {
		from := x(s.From)
		when := fmt.Sprintf(`data-from="%d" data-to="%d"`, s.From.UnixMilli(), s.To.UnixMilli())
		if s.Open {
			when = fmt.Sprintf(`data-from="%d" data-says="%s"`, s.From.UnixMilli(), html.EscapeString(s.Says))
		}
		fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="3" %s><title>%s</title></rect>`,
			html.EscapeString(s.Class), from, top, max(x(s.To)-from, minSpan), barHeight, when, html.EscapeString(s.Says+" "+s.Took))
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
