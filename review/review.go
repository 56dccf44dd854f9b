// Package review describes a change of a DAG to the person who reviews it: the
// graph as a Mermaid drawing and as text, what changed in words, the difference
// of the files, and when it runs next. All of it is pure: the same DAGs and the
// same moment give the same text.
//
// It is what merge requests in the DAG repository and the CI job of a model's
// pipeline show.
package review

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pmezard/go-difflib/difflib"

	"dagwright/dag"
	"dagwright/timetable"
)

// Change is one DAG file before and after. A nil Before or After, with an empty
// source, is a file that is not there.
type Change struct {
	Path                      string
	Before, After             *dag.DAG
	BeforeSource, AfterSource string
}

// Load reads the files of a change. A file before that cannot be loaded, such as
// one that somebody broke, counts as its source only.
func Load(path, before, after string) Change {
	return Change{
		Path: path, BeforeSource: before, AfterSource: after,
		Before: load(path, before), After: load(path, after),
	}
}

func load(path, source string) *dag.DAG {
	if source == "" {
		return nil
	}
	dags, err := dag.Parse(path, []byte(source))
	if err != nil || len(dags) != 1 {
		return nil
	}
	return dags[0]
}

// Diff is the unified difference of the two sources, "" when they are equal.
func (c Change) Diff() string {
	if c.BeforeSource == c.AfterSource {
		return ""
	}
	from, to := "a/"+c.Path, "b/"+c.Path
	if c.BeforeSource == "" {
		from = "/dev/null"
	}
	if c.AfterSource == "" {
		to = "/dev/null"
	}
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: lines(c.BeforeSource), B: lines(c.AfterSource), FromFile: from, ToFile: to, Context: 3,
	})
	if err != nil {
		return "" // writing to memory does not fail
	}
	return text
}

// lines splits a source into lines that keep their ends.
func lines(source string) []string {
	return slices.Collect(strings.Lines(source))
}

// Over reports whether a DAG has a cron schedule without an end that makes no run after
// now: one that names years, all of them past.
func Over(d *dag.DAG, now time.Time) bool {
	runs, err := NextRuns(d, now, 1)
	return err == nil && len(runs) == 0 && d.Schedule.Expr != "" && d.EndDate.IsZero()
}

// NextRuns returns the next n runs of a DAG after now, in the schedule's own
// zone. A DAG without a schedule, or one that has ended, has none.
func NextRuns(d *dag.DAG, now time.Time, n int) ([]time.Time, error) {
	if !d.Schedule.Periodic() {
		return nil, nil
	}
	tt, err := timetable.Parse(d.Schedule)
	if err != nil {
		return nil, fmt.Errorf("schedule of %s: %w", d.ID, err)
	}
	zone, err := time.LoadLocation(d.Schedule.Timezone)
	if err != nil {
		zone = time.UTC
	}
	after, start := time.Time{}, now
	switch {
	case d.StartDate.After(now):
		start = d.StartDate
	case d.Schedule.Kind == dag.ScheduleDelta && d.Catchup && !d.StartDate.IsZero():
		after, start = now, d.StartDate // its runs count from there
	}
	runs, err := tt.Upcoming(after, timetable.Bounds{Start: start, End: d.EndDate, Catchup: true}, n)
	if err != nil {
		return nil, fmt.Errorf("next runs of %s: %w", d.ID, err)
	}
	out := make([]time.Time, len(runs))
	for i, r := range runs {
		out[i] = r.RunAfter.In(zone)
	}
	return out, nil
}
