package dag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxFaults bounds how many faults of one file are reported: a hostile file can
// have a hundred thousand.
const maxFaults = 100

// place is where something stands in a file.
type place struct {
	file         string
	line, column int
}

// faults collects what is wrong with a spec and its defaults files.
type faults struct {
	list SpecErrors
	// known keeps a fault that several tasks inherit from being reported twice.
	known map[SpecError]bool
	more  bool
	// notes are kept beside the faults, and noted is to them what known is to faults.
	notes []SpecNote
	noted map[SpecError]bool
}

func (f *faults) add(at place, path, format string, args ...any) {
	if f.full() {
		f.more = true
		return
	}
	fault := SpecError{File: at.file, Line: at.line, Column: at.column, Reason: fmt.Sprintf(format, args...)}
	if f.known[fault] {
		return
	}
	if f.known == nil {
		f.known = map[SpecError]bool{}
	}
	f.known[fault] = true
	fault.Path = path
	f.list = append(f.list, &fault)
}

// addAt reports a fault of a value.
func (f *faults) addAt(n *node, format string, args ...any) {
	if f.full() {
		f.more = true
		return
	}
	f.add(n.at, n.path(), format, args...)
}

// addKey reports a fault of a key of a mapping.
func (f *faults) addKey(m *node, p pair, format string, args ...any) {
	if f.full() {
		f.more = true
		return
	}
	f.add(p.at, pathOf(m, p), format, args...)
}

// pathOf is the path of an entry of a mapping, which may come from defaults that have a
// path of their own.
func pathOf(m *node, p pair) string {
	if p.value.parent != nil && p.value.key == p.key {
		return p.value.path()
	}
	return joinPath(m.path(), p.key)
}

// reasonOf is an ErrInvalid's message without the sentinel's own word.
func reasonOf(err error) string {
	return strings.TrimSuffix(err.Error(), ": "+ErrInvalid.Error())
}

func (f *faults) full() bool { return len(f.list) >= maxFaults }

// err returns the faults in file order, nil when there are none.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b *SpecError) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if f.more {
		last := f.list[len(f.list)-1]
		f.list = append(f.list,
			&SpecError{File: last.File, Reason: fmt.Sprintf("more than %d faults; the others are not shown", maxFaults)})
	}
	return f.list
}
