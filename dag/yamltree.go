package dag

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// treeReader turns the parser's nodes into ours.
type treeReader struct {
	file   string
	faults *faults
	// done holds nodes that are read, for their aliases; open those under way,
	// to find an alias to something that it is in.
	done map[*yaml.Node]*node
	open map[*yaml.Node]bool
	// spent is how many values the document has so far, aliases at full size.
	spent   int
	stopped bool
}

func (t *treeReader) stop(y *yaml.Node, format string, args ...any) *node {
	n := &node{at: t.place(y)}
	if !t.stopped {
		t.faults.addAt(n, format, args...)
	}
	t.stopped = true
	return n
}

func (t *treeReader) place(y *yaml.Node) place {
	return place{file: t.file, line: y.Line, column: y.Column}
}

func (t *treeReader) spend(y *yaml.Node, size int) bool {
	if t.spent += size; t.spent > maxNodes {
		t.stop(y, "more than %d values, with aliases and merge keys written out", maxNodes)
	}
	return !t.stopped
}

// read reads a node and all below it. at holds the way to it: parent and key or
// index.
func (t *treeReader) read(y *yaml.Node, depth int, at *node) *node {
	switch {
	case t.stopped:
		return &node{}
	case depth > maxDepth:
		return t.stop(y, "nested deeper than %d levels", maxDepth)
	case y.Kind == yaml.AliasNode:
		return t.readAlias(y, depth)
	case !t.spend(y, 1):
		return &node{}
	}
	n := &node{at: t.place(y), size: 1, parent: at.parent, key: at.key, index: at.index}
	if y.Anchor != "" {
		t.open[y] = true
	}
	switch y.Kind {
	case yaml.SequenceNode:
		t.readList(n, y, depth)
	case yaml.MappingNode:
		t.readMap(n, y, depth)
	default:
		t.readScalar(n, y)
	}
	if y.Anchor != "" {
		delete(t.open, y)
		t.done[y] = n
	}
	return n
}

func (t *treeReader) readAlias(y *yaml.Node, depth int) *node {
	n, ok := t.done[y.Alias]
	switch {
	case t.open[y.Alias] || !ok:
		return t.stop(y, "alias *%s stands inside what it stands for", strings.Trim(clip(y.Value), `"`))
	case depth+n.height > maxDepth:
		return t.stop(y, "nested deeper than %d levels", maxDepth)
	case !t.spend(y, n.size):
		return &node{}
	}
	return n
}

func (t *treeReader) readList(n *node, y *yaml.Node, depth int) {
	n.kind = listKind
	t.checkTag(n, y, "!!seq")
	n.items = make([]*node, 0, len(y.Content))
	for i, c := range y.Content {
		item := t.read(c, depth+1, &node{parent: n, index: i})
		if t.stopped {
			return
		}
		adopt(n, item)
		n.items = append(n.items, item)
	}
}

func adopt(parent, child *node) {
	parent.size += child.size
	parent.height = max(parent.height, child.height+1)
}

func (t *treeReader) readMap(n *node, y *yaml.Node, depth int) {
	n.kind = mapKind
	t.checkTag(n, y, "!!map")
	n.pairs = make([]pair, 0, len(y.Content)/2)
	seen := newKeySet(len(y.Content) / 2)
	var merges []*node
	for i := 0; i+1 < len(y.Content); i += 2 {
		k := y.Content[i]
		key, ok := "<<", true
		if !isMerge(k) {
			key, ok = t.readKey(n, k)
		}
		v := t.read(y.Content[i+1], depth+1, &node{parent: n, key: key})
		if t.stopped {
			return
		}
		p := pair{key: key, at: t.place(k), value: v}
		switch {
		case isMerge(k):
			merges = append(merges, v)
		case !ok:
		case !seen.add(n, key):
			t.faults.addKey(n, p, "key %s stands twice in this mapping", clip(key))
		default:
			adopt(n, v)
			n.pairs = append(n.pairs, p)
		}
	}
	for _, m := range merges {
		t.merge(n, y, m, seen)
	}
}

func isMerge(k *yaml.Node) bool { return k.Kind == yaml.ScalarNode && k.ShortTag() == "!!merge" }

// readKey wants a string: dag-factory and Kubernetes know no other keys.
func (t *treeReader) readKey(n *node, k *yaml.Node) (string, bool) {
	if k.Kind == yaml.AliasNode {
		k = k.Alias
	}
	at := t.place(k)
	switch {
	case !t.spend(k, 1):
		return "", false
	case k.Kind != yaml.ScalarNode:
		t.faults.add(at, n.path(), "a key must be a string, not a list or mapping")
	case k.ShortTag() != "!!str":
		t.faults.add(at, n.path(), "key %s is not a string; put it in quotes", clip(k.Value))
	case strings.IndexByte(k.Value, 0) >= 0:
		t.faults.add(at, n.path(), "a key has a NUL character")
	default:
		return k.Value, true
	}
	return "", false
}

// merge takes over the entries of a merge key ("<<") that the mapping does not
// have itself; of several mappings the first counts
// (https://yaml.org/type/merge.html).
func (t *treeReader) merge(n *node, y *yaml.Node, from *node, seen *keySet) {
	switch from.kind {
	case listKind:
		for _, item := range from.items {
			if item.kind == mapKind {
				t.merge(n, y, item, seen)
			} else {
				t.faults.addAt(item, "a merge key wants mappings, not %s", item.shape())
			}
		}
	case mapKind:
		if !t.spend(y, len(from.pairs)) {
			return
		}
		for _, p := range from.pairs {
			if seen.add(n, p.key) {
				adopt(n, p.value)
				n.pairs = append(n.pairs, p)
			}
		}
	default:
		t.faults.addAt(from, "a merge key wants a mapping, not %s", from.shape())
	}
}

var scalarKinds = map[string]kind{
	"!!null": nullKind, "!!bool": boolKind, "!!int": intKind, "!!float": floatKind,
	"!!str": textKind, "!!timestamp": timeKind, "!!merge": textKind,
}

func (t *treeReader) readScalar(n *node, y *yaml.Node) {
	n.text = y.Value
	n.quoted = y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	k, ok := scalarKinds[y.ShortTag()]
	if !ok {
		t.checkTag(n, y, "!!str")
		return
	}
	if n.kind = k; isText11(k, n.text) {
		n.kind = textKind
	}
	if strings.IndexByte(n.text, 0) >= 0 {
		t.faults.addAt(n, "the string has a NUL character, which no program can be given")
	}
}

// isText11 reports whether a scalar that YAML 1.2 takes for a number is a text in YAML 1.1,
// Airflow's: an octal number of 1.2 (0o17), and one with a leading 0 or an exponent that
// has no point (08540, 1e5).
func isText11(k kind, text string) bool {
	text = strings.TrimLeft(text, "+-")
	noPoint := k == floatKind && !strings.Contains(text, ".")
	return k == intKind && strings.HasPrefix(text, "0o") ||
		noPoint && (strings.HasPrefix(text, "0") || strings.ContainsAny(text, "eE"))
}

func (t *treeReader) checkTag(n *node, y *yaml.Node, want string) {
	if y.ShortTag() != want {
		t.faults.addAt(n, "tag %s is not read; only plain YAML and {%s: …} objects are", clip(y.ShortTag()), typeKey)
	}
}

// keySet finds keys that stand twice; small mappings, nearly all, need no map.
type keySet struct{ keys map[string]bool }

func newKeySet(n int) *keySet {
	if n <= 16 {
		return &keySet{}
	}
	return &keySet{keys: make(map[string]bool, n)}
}

func (s *keySet) add(n *node, key string) bool {
	if s.keys == nil {
		if n.get(key) != nil {
			return false
		}
		if len(n.pairs) < 32 {
			return true
		}
		// Merge keys made it large.
		s.keys = make(map[string]bool, 2*len(n.pairs))
		for _, p := range n.pairs {
			s.keys[p.key] = true
		}
	}
	if s.keys[key] {
		return false
	}
	s.keys[key] = true
	return true
}
