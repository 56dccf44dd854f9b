package dag

import (
	"cmp"
	"fmt"
	"slices"
)

// SpecNoteKind says what a note on a spec is about.
type SpecNoteKind string

// The kinds of note.
const (
	// NoteLeftOut is about what means nothing to a task of dagwright and does no harm, so
	// that it is left out.
	NoteLeftOut SpecNoteKind = "left_out"
	// NoteAirflow is about what dagwright reads and the real Airflow with dag-factory
	// refuses, or reads otherwise: the spec would not load there, or not be the same.
	NoteAirflow SpecNoteKind = "airflow"
	// NoteInstance is about what the instance that loads the spec must have.
	NoteInstance SpecNoteKind = "instance"
)

// SpecNote is something worth knowing about a spec that does not keep it from being read.
type SpecNote struct {
	Kind SpecNoteKind
	// At is its place, with what is to be said as the Reason.
	At SpecError
}

// Reading is what [Parser.Read] makes of a spec file.
type Reading struct {
	// DAGs are those of the file, none when it has a fault.
	DAGs []*DAG
	// Notes are in file order, at most a hundred.
	Notes []SpecNote
}

// note records a note, the first hundred of a file. One that several tasks inherit
// counts once.
func (f *faults) note(kind SpecNoteKind, at place, path, format string, args ...any) {
	if len(f.notes) >= maxFaults {
		return
	}
	fault := SpecError{File: at.file, Line: at.line, Column: at.column, Reason: fmt.Sprintf(format, args...)}
	if f.noted[fault] {
		return
	}
	if f.noted == nil {
		f.noted = map[SpecError]bool{}
	}
	f.noted[fault] = true
	fault.Path = path
	f.notes = append(f.notes, SpecNote{Kind: kind, At: fault})
}

// airflow notes that the real Airflow would not take a value.
func (f *faults) airflow(n *node, format string, args ...any) {
	f.note(NoteAirflow, n.at, n.path(), "Airflow would refuse this: "+format, args...)
}

// leftOut notes a key that means nothing here.
func (f *faults) leftOut(m *node, p pair, format string, args ...any) {
	f.note(NoteLeftOut, p.at, pathOf(m, p), "left out: "+format, args...)
}

// sortedNotes gives the notes in file order.
func (f *faults) sortedNotes() []SpecNote {
	slices.SortStableFunc(f.notes, func(a, b SpecNote) int {
		return cmp.Or(cmp.Compare(a.At.File, b.At.File), cmp.Compare(a.At.Line, b.At.Line),
			cmp.Compare(a.At.Column, b.At.Column))
	})
	return f.notes
}
