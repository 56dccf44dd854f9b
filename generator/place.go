package generator

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"dagwright/dag"
)

// reservedIDs mean something else where a DAG's id stands: keys of a spec file that
// are not DAGs, and a template's name.
var reservedIDs = []string{"default", "default-retrain", "task_groups"}

// reservedName says why a DAG cannot have a name, "" when it can: its file, its
// loader or its key in the file would mean something else to dagwright or Airflow.
func reservedName(name string) string {
	lower := strings.ToLower(name)
	switch kind, _ := dag.KindOfFile(name + ".yaml"); {
	case kind == dag.OtherFile:
		return fmt.Sprintf("the name %.80q is reserved: files that begin with a dot are not read", name)
	case kind != dag.SpecFile:
		return fmt.Sprintf("the name %.80q is reserved: the DAG repository has its defaults in files of that name", name)
	case slices.Contains(reservedIDs, lower):
		return fmt.Sprintf("the name %.80q is reserved: it has a meaning of its own in specs or templates", name)
	case strings.HasPrefix(lower, "__") && strings.HasSuffix(lower, "__"):
		return fmt.Sprintf("the name %.80q is reserved: Python gives files of that name a meaning", name)
	}
	return ""
}

// checkPlace refuses a place in the DAG repository that would not be read as this one
// DAG's spec, or that would stand in the way of another's.
func checkPlace(r Request, id dag.ID, file string) error {
	if reason := reservedName(string(id)); reason != "" {
		return fmt.Errorf("project %.80q: %s; rename the project, or give its model a name under models: in %s: %w",
			r.Project, reason, ModelFile, dag.ErrInvalid)
	}
	for folder := range strings.SplitSeq(path.Dir(file), "/") {
		switch ending := strings.ToLower(path.Ext(folder)); {
		case strings.HasPrefix(folder, "."):
			return fmt.Errorf(
				"project %.80q: its DAG would stand in a folder %.80q, and what begins with a dot is not read: rename the project or group: %w",
				r.Project, folder, dag.ErrInvalid)
		case ending == ".yaml", ending == ".yml", ending == ".py":
			return fmt.Errorf(
				"project %.80q: its DAG would stand in a folder %.80q, where another project's file may have to be: rename the project or group: %w",
				r.Project, folder, dag.ErrInvalid)
		}
	}
	return nil
}
