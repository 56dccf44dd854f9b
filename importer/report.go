package importer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Line is one thing that a report says about a Python file.
type Line struct {
	File string
	Line int // from 1; 0 for the file as a whole
	DAG  string
	Task string
	// Text says what is otherwise than in the file.
	Text string
	// Reason are the words of what refused it, such as the parser of specs; "" for none.
	Reason string
	// Advice says what to do, where Text does not; "" for none.
	Advice string
	// Left says that something of the file is not carried over, or must be filled in. Else
	// the line is for information.
	Left bool
}

// String is the line as "file:line: DAG d, task t: text".
func (l Line) String() string {
	at := l.File
	if l.Line > 0 {
		at = fmt.Sprintf("%s:%d", l.File, l.Line)
	}
	return at + ": " + l.words()
}

// words is the line without its place.
func (l Line) words() string {
	text := l.about() + l.Text
	if l.Reason != "" {
		text += ": " + l.Reason
	}
	if l.Advice != "" {
		text += "; " + l.Advice
	}
	return text
}

func (l Line) about() string {
	switch {
	case l.DAG != "" && l.Task != "":
		return fmt.Sprintf("DAG %s, task %s: ", l.DAG, l.Task)
	case l.DAG != "":
		return fmt.Sprintf("DAG %s: ", l.DAG)
	}
	return ""
}

// Written is a file that was made.
type Written struct {
	// Path is its path below the output folder.
	Path string
	// DAGs are the ids of those that it is of; none for a Markdown file.
	DAGs []string
}

// Report is what an import did.
type Report struct {
	// Files are the Python files that were read.
	Files   []string
	Written []Written
	Lines   []Line
	// Configuration is what an instance's configuration must have, as YAML; "" for nothing.
	Configuration string
}

// Left counts the lines about what is not carried over.
func (r Report) Left() int {
	n := 0
	for _, l := range r.Lines {
		if l.Left {
			n++
		}
	}
	return n
}

// DAGs counts the DAGs that were written.
func (r Report) DAGs() int {
	n := 0
	for _, w := range r.Written {
		n += len(w.DAGs)
	}
	return n
}

// sort puts the lines in the order of the files, each line once.
func (r *Report) sort() {
	slices.SortStableFunc(r.Lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	r.Lines = slices.Compact(r.Lines)
}

// Markdown is the report for people to work through: what was written, what to do in each
// file, and what to add to the instance's configuration.
func (r Report) Markdown() string {
	var b strings.Builder
	b.WriteString("# Import of DAG files\n\n")
	fmt.Fprintf(&b, "Read: %d. DAGs written: %d. Left to do: %d.\n", len(r.Files), r.DAGs(), r.Left())
	if len(r.Written) > 0 {
		b.WriteString("\n## Written\n\n")
		for _, w := range r.Written {
			fmt.Fprintf(&b, "- %s\n", strings.TrimSuffix(code(w.Path)+": "+strings.Join(w.DAGs, ", "), ": "))
		}
	}
	r.list(&b, "Left to do", true)
	r.list(&b, "To know", false)
	if r.Configuration != "" {
		fmt.Fprintf(&b, "\n## For the instance's configuration\n\nWhoever operates dagwright adds this, or offers the"+
			" same under other names. Lists that are there already get these entries, too:\n\n```yaml\n%s```\n", r.Configuration)
	}
	return b.String()
}

func (r Report) list(b *strings.Builder, title string, left bool) {
	file := ""
	for _, l := range r.Lines {
		if l.Left != left {
			continue
		}
		if file == "" {
			fmt.Fprintf(b, "\n## %s\n", title)
		}
		if l.File != file {
			file = l.File
			fmt.Fprintf(b, "\n%s\n\n", code(file))
		}
		at := ""
		if l.Line > 0 {
			at = fmt.Sprintf("line %d: ", l.Line)
		}
		fmt.Fprintf(b, "- %s%s\n", at, l.words())
	}
}

// code quotes a name for Markdown.
func code(s string) string { return "`" + strings.ReplaceAll(s, "`", "'") + "`" }
