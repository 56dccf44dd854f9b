package dag

import (
	"fmt"
	"unicode/utf8"
)

// MaxNote is the longest note on a run, in characters, as in Airflow (DagRunNote).
const MaxNote = 1000

// CheckNote says what is wrong with a note on a run: that it has more than [MaxNote]
// characters. The error is an [ErrInvalid].
func CheckNote(note string) error {
	if utf8.RuneCountInString(note) > MaxNote {
		return fmt.Errorf("%w note: it is longer than %d characters", ErrInvalid, MaxNote)
	}
	return nil
}
