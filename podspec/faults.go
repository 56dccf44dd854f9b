package podspec

import (
	"fmt"
	"strings"

	"dagwright/dag"
)

// maxFaults bounds how many faults of one task are reported.
const maxFaults = 100

// faults collects what is wrong with one task.
type faults struct{ list dag.SpecErrors }

// add reports a fault of one of the task's fields.
func (f *faults) add(path, format string, args ...any) {
	if len(f.list) < maxFaults {
		f.list = append(f.list, &dag.SpecError{Path: path, Reason: fmt.Sprintf(format, args...)})
	}
}

// err returns what was found, nil when that is nothing.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	return f.list
}

// clip quotes text from outside for a message, cut to 80 characters.
func clip(s string) string { return fmt.Sprintf("%.80q", s) }

// isTemplate reports whether a string holds something that is still to be
// rendered.
func isTemplate(s string) bool {
	return strings.Contains(s, "{{") || strings.Contains(s, "{%") || strings.Contains(s, "{#")
}
