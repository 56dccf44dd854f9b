// Package usage tells wrong use of the program from work that failed: a wrong flag,
// argument or configuration file. Commands end with another exit code for it, so
// that a script knows that trying again is of no use.
package usage

import (
	"strings"

	"dagwright/dag"
)

// Error is wrong use. Its text is the cause's.
type Error struct{ cause error }

// New makes err, which says what is wrong and what would be right, an Error.
func New(err error) error { return Error{err} }

// Error is the text of the cause.
func (e Error) Error() string { return e.cause.Error() }

// Unwrap gives the cause.
func (e Error) Unwrap() error { return e.cause }

// Text is an error for people: without the word at the end of a line by which
// programs tell that the fault is the caller's.
func Text(err error) string {
	mark := ": " + dag.ErrInvalid.Error()
	return strings.TrimSuffix(strings.ReplaceAll(err.Error(), mark+"\n", "\n"), mark)
}
