package dag

import (
	"strconv"
	"strings"
	"unicode"
)

// kind is the shape of a YAML value.
type kind int

const (
	nullKind kind = iota
	boolKind
	intKind
	floatKind
	textKind
	timeKind
	listKind
	mapKind
)

// node is one value of a YAML file, with aliases and merge keys resolved. A
// node is never changed once its file is read, so aliases share it.
type node struct {
	kind kind
	at   place
	// text is a scalar as it is written, and quoted says that it stands in quotes or in a
	// block of lines, so that it is a string for every parser of YAML.
	text   string
	quoted bool
	items  []*node
	pairs  []pair

	// parent and key (or index, in a list) lead to the path of the node.
	parent *node
	key    string
	index  int

	// size counts the node and all below it, aliases at full size; height is
	// how deep it nests.
	size, height int
}

// pair is one entry of a mapping and the place of its key.
type pair struct {
	key   string
	at    place
	value *node
}

// get returns the value of a key, nil when the mapping does not have it.
func (n *node) get(key string) *node {
	for i := range n.pairs {
		if n.pairs[i].key == key {
			return n.pairs[i].value
		}
	}
	return nil
}

func (n *node) isScalar() bool { return n.kind < listKind }

// shape names what the node is, for messages. It shows no value: values may be
// secret.
func (n *node) shape() string {
	switch n.kind {
	case nullKind:
		return "null"
	case boolKind:
		return "a boolean"
	case intKind, floatKind:
		return "a number"
	case timeKind:
		return "a date"
	case listKind:
		return "a list"
	case mapKind:
		return "a mapping"
	}
	return "a string"
}

// path is where the node stands in its file: "churn-model.tasks[0].image".
func (n *node) path() string {
	if n.parent == nil {
		return ""
	}
	if n.parent.kind == listKind {
		return n.parent.path() + "[" + strconv.Itoa(n.index) + "]"
	}
	return joinPath(n.parent.path(), n.key)
}

func joinPath(parent, key string) string {
	if key == "" || len(key) > 80 || strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		key = clip(key)
	}
	if parent == "" {
		return key
	}
	return parent + "." + key
}

// overlay lays one mapping over another, recursively where both have a mapping
// under a key; else the upper value counts. A typed object replaces what is
// below it as a whole.
func overlay(upper, lower *node) *node {
	switch {
	case upper == nil:
		return lower
	case lower == nil || upper.kind != mapKind || lower.kind != mapKind || upper.get(typeKey) != nil:
		return upper
	}
	merged := *upper
	merged.pairs = make([]pair, 0, len(upper.pairs)+len(lower.pairs))
	below := lower.values()
	for _, p := range upper.pairs {
		if v, ok := below[p.key]; ok {
			p.value = overlay(p.value, v)
			delete(below, p.key)
		}
		merged.pairs = append(merged.pairs, p)
	}
	for _, p := range lower.pairs {
		if _, ok := below[p.key]; ok {
			merged.pairs = append(merged.pairs, p)
		}
	}
	merged.size = upper.size + lower.size
	return &merged
}

func (n *node) values() map[string]*node {
	m := make(map[string]*node, len(n.pairs))
	for _, p := range n.pairs {
		m[p.key] = p.value
	}
	return m
}
