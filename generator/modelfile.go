package generator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"dagwright/dag"
)

// The limits of a model's file.
const (
	maxModelFile = 256 << 10
	maxDepth     = 16
	maxNodes     = 10_000 // with every alias at its full size
	maxKey       = 250
	maxFaults    = 100
)

// field is a value of a model's file with its place.
type field struct {
	path         string
	line, column int
	kind         kind
	text         string // of a scalar
	scalar       any    // of a scalar: string, bool, int64, float64, json.Number or nil
	items        []*field
	pairs        []pair
}

// pair is a key of a mapping and its value, in file order.
type pair struct {
	key          string
	line, column int
	value        *field
}

type kind int

const (
	nullKind kind = iota
	textKind
	otherScalarKind // a number or bool
	listKind
	mapKind
)

// words for people.
func (k kind) String() string {
	return [...]string{"nothing", "a text", "a number or bool", "a list", "a mapping"}[k]
}

func (f *field) get(key string) *field {
	for _, p := range f.pairs {
		if p.key == key {
			return p.value
		}
	}
	return nil
}

// modelReader reads one model's file and collects its faults.
type modelReader struct {
	file   string
	inst   Instance
	faults dag.SpecErrors
	nodes  int
	// paramFields are the values of params by name.
	paramFields map[string]*field
	// scheduleFields are the values of schedules, which are checked when the
	// timezone is known.
	scheduleFields []*field
	// templateFields are the values that are rendered for each run.
	templateFields []*field
}

// add reports a fault once: what counts for several DAGs is checked for each.
func (r *modelReader) add(line, column int, path, format string, args ...any) {
	if len(r.faults) >= maxFaults {
		return
	}
	// Without the word by which programs tell that the fault is the author's.
	reason := strings.TrimSuffix(fmt.Sprintf(format, args...), ": "+dag.ErrInvalid.Error())
	fault := dag.SpecError{File: r.file, Line: line, Column: column, Path: path, Reason: reason}
	if !slices.ContainsFunc(r.faults, func(e *dag.SpecError) bool { return *e == fault }) {
		r.faults = append(r.faults, &fault)
	}
}

func (r *modelReader) faultSaid(s Said, format string, args ...any) {
	r.add(s.Line, s.Column, s.Path, format, args...)
}

func (r *modelReader) fault(f *field, format string, args ...any) {
	r.add(f.line, f.column, f.path, format, args...)
}

func (r *modelReader) faultKey(f *field, p pair, format string, args ...any) {
	r.add(p.line, p.column, join(f.path, p.key), format, args...)
}

func join(path, key string) string {
	key = strings.ToValidUTF8(key[:min(len(key), 80)], "")
	if path == "" {
		return key
	}
	return path + "." + key
}

// document reads the YAML. It returns nil when there is nothing in it, or when
// it cannot be read.
func (r *modelReader) document(source []byte) *field {
	if len(source) > maxModelFile {
		r.add(0, 0, "", "the file has %d bytes; %d at most", len(source), maxModelFile)
		return nil
	}
	if bytes.HasPrefix(source, []byte("version https://git-lfs.github.com/spec/")) {
		r.add(1, 1, "",
			"is a pointer of Git LFS and not the file itself: take it out of LFS (.gitattributes), since it is read as git has it")
		return nil
	}
	doc, err := dag.ReadYAML(source, maxDepth)
	if fault := (*dag.SpecError)(nil); errors.As(err, &fault) {
		r.add(fault.Line, fault.Column, "", "%s", fault.Reason)
		return nil
	}
	if doc == nil {
		return nil
	}
	root := r.read(doc, "", 0)
	if root == nil || root.kind == nullKind || len(r.faults) > 0 {
		return nil
	}
	return root
}

// read turns a YAML node into a field. Structure is checked here, once, and the
// reading of a broken file ends with it.
func (r *modelReader) read(n *yaml.Node, path string, depth int) *field {
	if r.nodes++; r.nodes > maxNodes || depth > maxDepth {
		switch {
		case depth > maxDepth && r.nodes <= maxNodes:
			r.add(n.Line, n.Column, path, "nested deeper than %d levels", maxDepth)
		case r.nodes == maxNodes+1:
			r.add(n.Line, n.Column, path, "more than %d values, with aliases written out", maxNodes)
		}
		r.nodes = maxNodes + 1 // nothing more is read
		return nil
	}
	f := &field{path: path, line: n.Line, column: n.Column}
	switch n.Kind {
	case yaml.AliasNode:
		return r.read(n.Alias, path, depth+1)
	case yaml.ScalarNode:
		r.readScalar(n, f)
	case yaml.SequenceNode:
		f.kind = listKind
		r.checkTag(n, f, "!!seq")
		for i, item := range n.Content {
			if c := r.read(item, fmt.Sprintf("%s[%d]", path, i), depth+1); c != nil {
				f.items = append(f.items, c)
			}
		}
	case yaml.MappingNode:
		f.kind = mapKind
		r.checkTag(n, f, "!!map")
		r.readPairs(n, f, depth)
	}
	return f
}

func (r *modelReader) checkTag(n *yaml.Node, f *field, want string) {
	if n.Tag != want {
		r.fault(f, "the tag %.40q is not supported", n.Tag)
	}
}

func (r *modelReader) readPairs(n *yaml.Node, f *field, depth int) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		p := pair{key: k.Value, line: k.Line, column: k.Column}
		if k.Tag == "!!merge" {
			r.add(k.Line, k.Column, f.path,
				"a key must be a plain text; merge keys (<<) are not read in this file: write the values out")
			continue
		}
		if k.Kind != yaml.ScalarNode {
			r.add(k.Line, k.Column, f.path, "a key must be a plain text")
			continue
		}
		if len(p.key) > maxKey {
			r.faultKey(f, p, "has more than %d bytes", maxKey)
			continue
		}
		if line, ok := seen[p.key]; ok {
			r.faultKey(f, p, "is there twice; first in line %d", line)
			continue
		}
		seen[p.key] = p.line
		if p.value = r.read(v, join(f.path, p.key), depth+1); p.value != nil {
			f.pairs = append(f.pairs, p)
		}
	}
}

func (r *modelReader) readScalar(n *yaml.Node, f *field) {
	f.text, f.kind = n.Value, otherScalarKind
	var err error
	switch n.Tag {
	case "!!null":
		f.kind = nullKind
	case "!!str", "!!timestamp":
		f.kind, f.scalar = textKind, n.Value
	case "!!bool":
		var v bool
		err = n.Decode(&v)
		f.scalar = v
	case "!!int", "!!float":
		f.scalar = numberOf(n)
	default:
		r.fault(f, "the tag %.40q is not supported", n.Tag)
	}
	if err != nil {
		r.fault(f, "the tag %.40q is not supported", n.Tag)
	}
}

// numberOf is the number that YAML reads, without rounding one that JSON could hold. One
// that is beyond all bounds or no number of JSON's, as .nan, stays the text that it is.
func numberOf(n *yaml.Node) any {
	if jsonNumber.MatchString(n.Value) {
		number := json.Number(n.Value)
		if i, err := number.Int64(); err == nil {
			return i
		}
		if f, err := number.Float64(); err != nil || math.IsInf(f, 0) {
			return n.Value
		}
		return dag.PlainNumber(number)
	}
	var i int64
	if n.Tag == "!!int" && n.Decode(&i) == nil {
		return i // in YAML's other ways of writing: 0x1F, 1_000
	}
	var f float64
	if n.Decode(&f) == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
		return f
	}
	return n.Value
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// keys hands the values of a mapping to their readers; any other key is a fault.
func (r *modelReader) keys(n *field, readers map[string]func(*field)) {
	for _, p := range r.pairs(n) {
		if read, ok := readers[p.key]; ok {
			read(p.value)
			continue
		}
		known := slices.Sorted(maps.Keys(readers))
		hint := "; there are " + strings.Join(known, ", ")
		if like := closest(p.key, known); like != "" {
			hint = fmt.Sprintf("; did you mean %q?", like)
		}
		r.faultKey(n, p, "unknown key%s", hint)
	}
}

// pairs, list and text read a value of one kind. What is null is absent.
func (r *modelReader) pairs(n *field) []pair {
	if n.kind != mapKind && n.kind != nullKind {
		r.fault(n, "must be a mapping, not %v", n.kind)
	}
	return n.pairs
}

func (r *modelReader) list(n *field) []*field {
	if n.kind != listKind && n.kind != nullKind {
		r.fault(n, "must be a list, not %v", n.kind)
	}
	return n.items
}

func (r *modelReader) text(n *field) (string, bool) {
	if n.kind != textKind {
		r.fault(n, "must be a text, not %v", n.kind)
	}
	return n.text, n.kind == textKind
}

// scalarText reads any scalar as it is written: 1.50 stays "1.50".
func (r *modelReader) scalarText(n *field) (string, bool) {
	ok := n.kind == textKind || n.kind == otherScalarKind
	if !ok {
		r.fault(n, "must be a text, not %v", n.kind)
	}
	return n.text, ok
}

// plain turns a value into Go's.
func plain(n *field) any { return converted(n, func(scalar *field) any { return scalar.scalar }) }

// written turns a value into Go's, of which each scalar becomes a variable's text as the
// file has it: what JSON writes otherwise, as 1.10, 08540 or True, is a text.
func written(n *field) any { return converted(n, writtenScalar) }

func writtenScalar(n *field) any {
	if n.kind != otherScalarKind {
		return n.scalar
	}
	text, err := json.Marshal(n.scalar)
	_, isBool := n.scalar.(bool)
	if err != nil || string(text) != n.text || !isBool && strings.ContainsAny(n.text, "eE") {
		return n.text
	}
	return n.scalar
}

func converted(n *field, scalar func(*field) any) any {
	switch n.kind {
	case listKind:
		out := make([]any, 0, len(n.items))
		for _, item := range n.items {
			out = append(out, converted(item, scalar))
		}
		return out
	case mapKind:
		out := make(map[string]any, len(n.pairs))
		for _, p := range n.pairs {
			out[p.key] = converted(p.value, scalar)
		}
		return out
	}
	return scalar(n)
}

// closest returns the known key that a misspelt one is likely to mean, or "".
func closest(word string, known []string) string {
	best, least := "", len(word)/3+1
	for _, k := range known {
		if len(word) <= 64 && distance(strings.ToLower(word), strings.ToLower(k)) <= least {
			best, least = k, distance(strings.ToLower(word), strings.ToLower(k))-1
		}
	}
	return best
}

// distance counts the insertions, deletions and replacements between two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// oddSpace returns where a line has the first character that looks like a space or
// like nothing, and is none to YAML: its column, from 1, and its name.
func oddSpace(line string) (column int, name string) {
	for i, c := range line {
		switch {
		case c == '\u00a0', c == '\u202f':
			return i + 1, fmt.Sprintf("a non-breaking space (U+%04X)", c)
		case c == '\u1680', c >= '\u2000' && c <= '\u200a', c == '\u205f', c == '\u3000':
			return i + 1, fmt.Sprintf("a space that YAML does not know (U+%04X)", c)
		case c >= '\u200b' && c <= '\u200d', c == '\u2060', c == '\ufeff' && i > 0:
			return i + 1, fmt.Sprintf("an invisible character (U+%04X)", c)
		}
	}
	return 0, ""
}

// explainSpaces names, in a file that has faults, the first character that looks like a
// space and is none: nobody sees it.
func (r *modelReader) explainSpaces(source []byte) {
	for i, line := range strings.Split(string(source), "\n") {
		if code, _, _ := strings.Cut(line, "#"); code != "" {
			if column, name := oddSpace(code); name != "" {
				r.add(i+1, column, "", "there is %s: write a plain space", name)
				return
			}
		}
	}
}
