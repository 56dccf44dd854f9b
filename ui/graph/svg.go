package graph

import (
	"fmt"
	"html"
	"html/template"
	"strings"
	"unicode/utf8"
)

// Where text stands in a box, in CSS pixels.
const (
	glyphWidth  = 8 // of labels
	detailWidth = 7 // of a letter of the smaller details
	labelLeft   = 38
)

// arrowhead ends every line: it shows which task comes first.
const arrowhead = `<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="5" markerHeight="5" orient="auto"><path class="arrow" d="M0 0.5L8 4L0 7.5z"/></marker></defs>` +
	"\n"

// SVG draws a layout as an SVG element for an HTML page. Every text is
// escaped. It carries no style: classes "node", "mark", "label", "detail",
// "edge", "arrow", "frame" and those of the nodes are for the page's style sheet. Each
// box has the id "node-" and its node's, and the attribute data-live, so that a
// script can replace one box.
// title is read to people who do not see the drawing.
func SVG(d Drawing, title string) template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b,
		`<svg class="graph" xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="group" aria-label="%s">`+
			"\n",
		d.W, d.H, d.W, d.H, html.EscapeString(title))
	for _, f := range d.Frames {
		fmt.Fprintf(&b,
			`<g class="frame"><rect x="%d" y="%d" width="%d" height="%d" rx="10"/><text x="%d" y="%d">%s</text></g>`+"\n",
			f.X, f.Y, f.W, f.H, f.X+framePad, f.Y+frameTitle-2, html.EscapeString(short(f.Name, (f.W-2*framePad)/glyphWidth)))
	}
	if len(d.Lines) > 0 {
		b.WriteString(arrowhead)
	}
	for _, l := range d.Lines {
		fmt.Fprintf(&b, `<path class="edge" marker-end="url(#arrow)" d="%s"/>`+"\n", curve(l.Points))
	}
	for _, box := range d.Boxes {
		writeBox(&b, box)
	}
	b.WriteString("</svg>\n")
	return template.HTML(b.String())
}

func writeBox(b *strings.Builder, box Box) {
	element, href := "g", ""
	if box.Href != "" {
		element, href = "a", ` href="`+html.EscapeString(box.Href)+`"`
	}
	fmt.Fprintf(b, `<%s class="node %s" id="node-%s" data-live=""%s>`, element, html.EscapeString(box.Class),
		html.EscapeString(box.ID), href)
	fmt.Fprintf(b, `<title>%s</title>`, html.EscapeString(box.Title))
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" rx="8"/>`, box.X, box.Y, box.W, box.H)
	fmt.Fprintf(b, `<text class="mark" x="%d" y="%d">%s</text>`, box.X+labelLeft/2, box.Y+box.H/2+5,
		html.EscapeString(box.Mark))
	y := box.Y + box.H/2 + 5
	if box.Detail != "" {
		y = box.Y + box.H/2 - 3
		fmt.Fprintf(b, `<text class="detail" x="%d" y="%d">%s</text>`, box.X+labelLeft, box.Y+box.H/2+14,
			html.EscapeString(short(box.Detail, (box.W-labelLeft)/detailWidth)))
	}
	fmt.Fprintf(b, `<text class="label" x="%d" y="%d">%s</text>`, box.X+labelLeft, y,
		html.EscapeString(short(box.Label, (box.W-labelLeft-8)/glyphWidth)))
	fmt.Fprintf(b, "</%s>\n", element)
}

// curve draws straight through columns and bends between them.
func curve(points []Point) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%d %d", points[0].X, points[0].Y)
	for i := 1; i < len(points); i++ {
		a, p := points[i-1], points[i]
		if a.Y == p.Y {
			fmt.Fprintf(&b, "H%d", p.X)
			continue
		}
		middle := (a.X + p.X) / 2
		fmt.Fprintf(&b, "C%d %d %d %d %d %d", middle, a.Y, middle, p.Y, p.X, p.Y)
	}
	return b.String()
}

// short cuts a text of more than room letters, in the middle, since names that
// belong together often begin alike.
func short(s string, room int) string {
	if utf8.RuneCountInString(s) <= room || room < 3 {
		return s
	}
	r := []rune(s)
	head := room / 2
	return string(r[:head]) + "…" + string(r[len(r)-(room-head-1):])
}
