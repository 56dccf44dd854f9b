package gitlab

import (
	"fmt"
	"slices"
	"strings"

	"dagwright/dag"
)

// AllowList names the projects whose models an instance takes. Paths are compared
// as GitLab does, by [dag.SamePath]. The zero AllowList has none.
type AllowList struct {
	// Any takes every project of the GitLab.
	Any bool
	// Groups are paths of groups: all that is below one is taken,
	// "gbc/risk/churn-model" for "gbc", and not "gbc-evil/x".
	Groups []string
	// Projects are paths of single projects.
	Projects []string
	// Except are paths of projects that are never taken: DAG repositories.
	Except []string
}

// Has reports whether the project at a path is taken.
func (l AllowList) Has(project string) bool {
	same := func(path string) bool { return dag.SamePath(project, path) }
	switch {
	case slices.ContainsFunc(l.Except, same):
		return false
	case l.Any, slices.ContainsFunc(l.Projects, same):
		return true
	}
	return slices.ContainsFunc(l.Groups, func(group string) bool { return dag.IsBelowPath(project, group) })
}

// Check says what is wrong with the list, as dag.ErrInvalid.
func (l AllowList) Check() error {
	var faults dag.SpecErrors
	for i, group := range l.Groups {
		// A group's path is that of any project in it without the last part.
		if err := checkProject(group + "/x"); err != nil || strings.Trim(group, "0123456789") == "" {
			faults = append(faults,
				&dag.SpecError{Path: fmt.Sprintf("groups[%d]", i),
					Reason: fmt.Sprintf("%.200q is not the path of a group; want one such as gbc or gbc/risk", group)})
		}
	}
	for i, project := range l.Projects {
		if err := checkProject(project); err != nil {
			faults = append(faults,
				&dag.SpecError{Path: fmt.Sprintf("projects[%d]", i),
					Reason: fmt.Sprintf("%.200q is not the path of a project; want one such as gbc/risk/churn-model", project)})
		}
	}
	return faults.Err()
}
