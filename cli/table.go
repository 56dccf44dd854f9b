package cli

import (
	"dagwright/terminal"

	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// display is what tables are fitted to. The zero display is a file or a pipe:
// nothing is cut, times are exact, and there is no colour.
type display struct {
	terminal  bool
	columns   int // of the terminal, 0 for no bound
	colour    bool
	noHeaders bool
	now       time.Time
}

// newDisplay looks at where output goes.
func newDisplay(w io.Writer, getenv func(string) string) display {
	d := display{now: time.Now()}
	if !isTerminal(w) {
		return d
	}
	d.terminal = true
	d.colour = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	if columns, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil {
		d.columns = columns
	}
	return d
}

// isTerminal reports whether output goes to a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// table is what a command prints for people: lists with headers, fields with
// names, and lines of text, one after the other.
type table struct {
	display
	sections []section
}

// section is a run of rows whose columns stand below each other.
type section struct {
	header []string
	rows   [][]cell
	fields bool // each row is a name and a value, printed in full
	line   string
}

// cell is one value: its text and the escape sequence of its colour.
type cell struct{ text, colour string }

// header begins a list.
func (t *table) header(names ...string) {
	t.sections = append(t.sections, section{header: names})
}

// row adds a row to the list: texts, numbers, times (*time.Time) and states.
func (t *table) row(values ...any) {
	s := &t.sections[len(t.sections)-1]
	cells := make([]cell, len(values))
	for i, v := range values {
		cells[i] = t.cell(v)
	}
	s.rows = append(s.rows, cells)
}

// field adds a named value. A time is exact here, with how long ago it was.
func (t *table) field(name string, value any) {
	n := len(t.sections)
	if n == 0 || !t.sections[n-1].fields {
		t.sections = append(t.sections, section{fields: true})
		n++
	}
	c := t.cell(value)
	if when, ok := value.(*time.Time); ok && when != nil {
		c.text = utc(*when)
		if t.terminal {
			c.text += " (" + relative(*when, t.now) + ")"
		}
	}
	t.sections[n-1].rows = append(t.sections[n-1].rows, []cell{{text: name + ":"}, c})
}

// line adds a line of text.
func (t *table) line(format string, args ...any) {
	t.sections = append(t.sections, section{line: fmt.Sprintf(format, args...)})
}

// text adds text of several lines that others wrote.
func (t *table) text(text string) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		t.line("%s", terminal.OneLine(strings.TrimSuffix(line, "\n")))
	}
}

// state is a word whose colour says how things stand.
type state string

// colours of states; those that are not named are plain.
var colours = map[state]string{
	"success": "32", "active": "32", "rendered": "32", "yes": "32",
	"failed": "31", "upstream_failed": "31", "refused": "31",
	"running": "36", "restarting": "36",
	"queued": "33", "scheduled": "33", "up_for_retry": "33", "pending": "33",
	"paused": "2", "skipped": "2", "archived": "2", "removed": "2",
}

func (t *table) cell(value any) cell {
	switch v := value.(type) {
	case state:
		return cell{orDash(string(v)), colours[v]}
	case *time.Time:
		switch {
		case v == nil:
			return cell{text: "-"}
		case t.terminal:
			return cell{text: relative(*v, t.now)}
		}
		return cell{text: utc(*v)}
	case string:
		return cell{text: terminal.OneLine(v)}
	default:
		return cell{text: fmt.Sprint(v)}
	}
}

// write prints the sections, with an empty line before each list that follows
// something else.
func (t *table) write(w io.Writer) error {
	var b strings.Builder
	for i, s := range t.sections {
		switch {
		case s.header != nil || s.fields:
			if i > 0 {
				b.WriteByte('\n')
			}
			t.writeRows(&b, s)
		default:
			b.WriteString(s.line + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// gap is between two columns.
const gap = 2

func (t *table) writeRows(b *strings.Builder, s section) {
	rows := s.rows
	if s.header != nil && !t.noHeaders {
		head := make([]cell, len(s.header))
		for i, name := range s.header {
			head[i] = cell{text: name, colour: "1"}
		}
		rows = append([][]cell{head}, rows...)
	}
	if len(rows) == 0 {
		return
	}
	widths := t.widths(s, rows)
	for _, row := range rows {
		for i, c := range row {
			last := i == len(row)-1
			text := c.text
			if !s.fields {
				text = cut(text, widths[i])
			}
			pad := widths[i] + gap - columnsOf(text)
			if c.colour != "" && t.colour {
				text = "\x1b[" + c.colour + "m" + text + "\x1b[0m"
			}
			b.WriteString(text)
			if !last {
				b.WriteString(strings.Repeat(" ", pad))
			}
		}
		b.WriteByte('\n')
	}
}

// narrowest is what a column keeps of its width when a table must fit.
const narrowest = 12

// whole are the columns that are never cut: their values are copied into the next
// command.
var whole = []string{"ID", "NAME", "DAG", "RUN", "TASK", "PUSH", "SERVER"}

// widths are those of the columns. On a terminal that is too narrow the widest
// column gives way, again and again; what is narrow already is never cut.
func (t *table) widths(s section, rows [][]cell) []int {
	widths := make([]int, len(rows[0]))
	sum := gap * (len(widths) - 1)
	for i := range widths {
		for _, row := range rows {
			widths[i] = max(widths[i], columnsOf(row[i].text))
		}
		sum += widths[i]
	}
	for t.columns > 0 && !s.fields && sum > t.columns {
		widest := -1
		for i := range widths {
			if widths[i] > narrowest && !slices.Contains(whole, s.header[i]) && (widest < 0 || widths[i] >= widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
		sum--
	}
	return widths
}

// cut shortens a text to a number of columns, with an ellipsis where it was cut.
func cut(text string, columns int) string {
	if columnsOf(text) <= columns {
		return text
	}
	for text != "" && columnsOf(text) >= columns {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return strings.TrimRight(text, " ") + "…"
}

// columnsOf is how wide a terminal shows a text.
func columnsOf(text string) int {
	n := 0
	for _, r := range text {
		n++
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n++
		}
	}
	return n
}

// relative says how far a moment is from now, in its largest unit.
func relative(t, now time.Time) string {
	d := now.Sub(t)
	format := "%s ago"
	if d < 0 {
		d, format = -d, "in %s"
	}
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf(format, fmt.Sprintf("%ds", d/time.Second))
	case d < time.Hour:
		return fmt.Sprintf(format, fmt.Sprintf("%dm", d/time.Minute))
	case d < 2*day:
		return fmt.Sprintf(format, fmt.Sprintf("%dh", d/time.Hour))
	}
	return fmt.Sprintf(format, fmt.Sprintf("%dd", d/day))
}
