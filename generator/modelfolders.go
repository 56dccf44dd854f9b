package generator

import (
	"context"
	"fmt"
	"time"

	"dagwright/dag"
	"dagwright/review"
)

// CheckFolders refuses a model's file in which an entry has a path that is not a folder of
// the repository: a dag.SpecErrors with each of them. file is its name for errors, and
// exists looks a folder up.
func CheckFolders(file string, m Model, exists func(e Entry) (bool, error)) error {
	var faults dag.SpecErrors
	for i, e := range m.Entries {
		if e.Path == "" {
			continue
		}
		found, err := exists(e)
		if err != nil {
			return fmt.Errorf("look for folder %.200q: %w", e.Path, err)
		}
		if !found {
			faults = append(faults, &dag.SpecError{File: file, Line: e.PathAt.Line, Column: e.PathAt.Column,
				Path: fmt.Sprintf("models[%d].path", i), Reason: fmt.Sprintf("the repository has no folder %.200q", e.Path)})
		}
	}
	return faults.Err()
}

// checkFolders looks for the folders of a repository at its commit. It does not look again for an
// entry that stays at the commit that it has: that commit was checked when it was rendered.
func (g *Generator) checkFolders(ctx context.Context, r Request, m Model, stays func(Entry) (bool, error)) error {
	return CheckFolders(ModelFile, m, func(e Entry) (bool, error) {
		if same, err := stays(e); same || err != nil {
			return same, err
		}
		return g.Models.HasFolder(ctx, projectReference(r.ProjectID, r.Project), r.Commit, e.Path)
	})
}

// ScheduleNote says that the schedule of a rendered DAG makes no run after now, "" when it
// makes one or there is none. That is not an error: the same commit was right before.
func ScheduleNote(r Rendered, now time.Time) string {
	if !review.Over(r.Defines, now) {
		return ""
	}
	reason := fmt.Sprintf("the schedule %q of %s never matches again: its years are past", r.Defines.Schedule.Expr, r.DAG)
	return reason
}
