package dag

import (
	"errors"
	"fmt"
	"strings"
)

// The kinds of error that callers tell apart with errors.Is. One table, in
// package api, maps them to HTTP status codes.
var (
	// ErrNotFound says that the named thing does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that the thing exists already or has changed meanwhile.
	ErrConflict = errors.New("conflict")
	// ErrInvalid says that what was asked for breaks a rule.
	ErrInvalid = errors.New("invalid")
	// ErrForbidden says that the caller may see the thing, but not do this to it.
	ErrForbidden = errors.New("forbidden")
)

// SpecError is one fault of a spec, template or model file, at its place.
type SpecError struct {
	File   string
	Line   int    // from 1; 0 when the fault has no line
	Column int    // from 1; 0 when the fault has no column
	Path   string // the key, as in "churn-model.tasks[0].image"; may be empty
	Reason string // what is wrong and what would be right
}

// Error gives "file:line:column: path: reason", leaving out what is unknown.
func (e *SpecError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ":%d", e.Column)
		}
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	b.WriteString(e.Reason)
	return b.String()
}

// Is makes every SpecError match ErrInvalid.
func (e *SpecError) Is(target error) bool { return target == ErrInvalid }

// SpecErrors is every fault found in one file, in file order. It is never
// empty when returned as an error.
type SpecErrors []*SpecError

// Err is the faults as an error; nil when there are none.
func (es SpecErrors) Err() error {
	if len(es) == 0 {
		return nil
	}
	return es
}

// Error lists the faults, one a line.
func (es SpecErrors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Is makes SpecErrors match ErrInvalid.
func (es SpecErrors) Is(target error) bool { return target == ErrInvalid }
