package review

import (
	"fmt"
	"strings"
	"time"
)

// shownRuns is how many coming runs are shown.
const shownRuns = 5

// maxDiff bounds the difference in a description, in bytes. GitLab takes
// descriptions of up to 1,048,576 characters.
const maxDiff = 60_000

// Markdown describes the change for a merge request: the words, the graph, the
// next runs in the DAG's zone and in UTC, and the difference.
func (c Change) Markdown(now time.Time) string {
	var b strings.Builder
	title := c.Path
	if c.After != nil {
		title = string(c.After.ID)
	} else if c.Before != nil {
		title = string(c.Before.ID)
	}
	fmt.Fprintf(&b, "### %s\n\n", code(title))
	for _, w := range c.Words() {
		fmt.Fprintf(&b, "- %s\n", w)
	}
	if drawing := c.Mermaid(); drawing != "" {
		fmt.Fprintf(&b, "\n```mermaid\n%s```\n", drawing)
	}
	c.writeRuns(&b, now)
	if diff := c.Diff(); diff != "" {
		if len(diff) > maxDiff {
			diff = strings.ToValidUTF8(diff[:maxDiff], "") + "\n… the rest is in the Changes tab\n"
		}
		fence := strings.Repeat("`", longestRun(diff, '`')+3)
		fmt.Fprintf(&b, "\n<details><summary>Difference of %s</summary>\n\n%sdiff\n%s%s\n\n</details>\n", code(c.Path), fence,
			diff, fence)
	}
	return b.String()
}

func (c Change) writeRuns(b *strings.Builder, now time.Time) {
	if c.After == nil {
		return
	}
	if Over(c.After, now) {
		fmt.Fprintf(b, "\nIts schedule %s never matches again: its years are past.\n", code(schedule(c.After.Schedule)))
		return
	}
	runs, err := NextRuns(c.After, now, shownRuns)
	if err != nil || len(runs) == 0 {
		b.WriteString("\nIt has no schedule: it runs when somebody triggers it.\n")
		return
	}
	fmt.Fprintf(b, "\nNext runs, once it is active (%s):\n\n| in %s | in UTC |\n|---|---|\n",
		code(schedule(c.After.Schedule)), c.After.Schedule.Timezone)
	for _, r := range runs {
		fmt.Fprintf(b, "| %s | %s |\n", r.Format("Mon 2006-01-02 15:04 MST"), r.UTC().Format("Mon 2006-01-02 15:04"))
	}
}

// Plain describes the change for a terminal or a job's log.
func (c Change) Plain(now time.Time) string {
	var b strings.Builder
	for _, w := range c.Words() {
		fmt.Fprintf(&b, "- %s\n", strings.ReplaceAll(w, "`", ""))
	}
	if c.After != nil {
		fmt.Fprintf(&b, "\nGraph:\n  %s", strings.ReplaceAll(strings.TrimSuffix(Text(c.After), "\n"), "\n", "\n  "))
		b.WriteString("\n\nNext runs, once it is active:\n")
		runs, err := NextRuns(c.After, now, shownRuns)
		switch {
		case Over(c.After, now):
			b.WriteString("  none: the years of its schedule are past\n")
		case err != nil || len(runs) == 0:
			b.WriteString("  none: it has no schedule\n")
		}
		for _, r := range runs {
			fmt.Fprintf(&b, "  %s   %s\n", r.Format("Mon 2006-01-02 15:04 MST"), r.UTC().Format("2006-01-02T15:04Z"))
		}
	}
	if diff := c.Diff(); diff != "" {
		b.WriteString("\n" + diff)
	}
	return b.String()
}

// longestRun is the length of the longest run of a byte.
func longestRun(s string, c byte) int {
	longest, n := 0, 0
	for i := range len(s) {
		if s[i] == c {
			n++
			longest = max(longest, n)
			continue
		}
		n = 0
	}
	return longest
}
