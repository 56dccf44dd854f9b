package dag

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxNote is the longest note on a run, in characters, as in Airflow (DagRunNote).
const MaxNote = 1000

// CheckNote says what is wrong with a note on a run: more than [MaxNote] characters, or
// a NUL among them. The error is an [ErrInvalid].
func CheckNote(note string) error {
	switch {
	case utf8.RuneCountInString(note) > MaxNote:
		return fmt.Errorf("%w note: it is longer than %d characters", ErrInvalid, MaxNote)
	case strings.ContainsRune(note, 0):
		return fmt.Errorf("%w note: it has a NUL character", ErrInvalid)
	}
	return nil
}
