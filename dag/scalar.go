package dag

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// maxInt is the largest whole number that a spec may hold: what fits into every
// database's integer column.
const maxInt = math.MaxInt32

// reader turns nodes into values and reports what is wrong with them. Its
// methods return false when they have reported a fault.
type reader struct{ faults *faults }

// readText reads a string.
func (r reader) readText(n *node) (string, bool) {
	if n.kind != textKind {
		hint := ""
		if n.isScalar() && n.kind != nullKind {
			hint = "; put it in quotes"
		}
		r.faults.addAt(n, "must be a string, not %s%s", n.shape(), hint)
		return "", false
	}
	return n.text, true
}

// readWritten reads a scalar as the text that the file has for it: 5 is "5",
// true "true", 1.50 "1.50", 2026-01-01 "2026-01-01" and null "".
func (r reader) readWritten(n *node) (string, bool) {
	switch {
	case !n.isScalar():
		r.faults.addAt(n, "must be a string, not %s", n.shape())
		return "", false
	case n.kind == nullKind:
		return "", true
	}
	return n.text, true
}

// readBool reads a boolean. It takes yes, no, on and off too, as Airflow's YAML
// 1.1 parser does.
func (r reader) readBool(n *node) (bool, bool) {
	if n.kind == boolKind || n.kind == textKind {
		switch strings.ToLower(n.text) {
		case "true", "yes", "on":
			return true, true
		case "false", "no", "off":
			return false, true
		}
	}
	r.faults.addAt(n, "must be true or false, not %s", n.shape())
	return false, false
}

// readInt reads a whole number of at least low.
func (r reader) readInt(n *node, low int) (int, bool) {
	v, ok := plainInt(n)
	switch {
	case !ok:
		r.faults.addAt(n, "must be a whole number, not %s", n.shape())
	case v < int64(low) || v > maxInt:
		r.faults.addAt(n, "must be a whole number from %d to %d", low, maxInt)
		ok = false
	}
	return int(v), ok
}

func plainInt(n *node) (int64, bool) {
	if n.kind != intKind {
		return 0, false
	}
	v, err := strconv.ParseInt(strings.ReplaceAll(n.text, "_", ""), 0, 64)
	return v, err == nil
}

// plainFloat reads a finite number, whole or not.
func plainFloat(n *node) (float64, bool) {
	if v, ok := plainInt(n); ok {
		return float64(v), true
	}
	if n.kind != floatKind {
		return 0, false
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(n.text, "_", ""), 64)
	return v, err == nil && !math.IsInf(v, 0) && !math.IsNaN(v)
}

// readTexts reads a list of strings; other scalars count as written.
func (r reader) readTexts(n *node) ([]string, bool) {
	if n.isScalar() {
		r.faults.addAt(n, "must be a list of strings, not %s", n.shape())
		return nil, false
	}
	items, ok := r.unwrapList(n)
	texts := make([]string, 0, len(items))
	for _, item := range items {
		s, good := r.readWritten(item)
		texts, ok = append(texts, s), ok && good
	}
	return texts, ok
}

// readOneOf reads a string that must be one of a few.
func (r reader) readOneOf(n *node, allowed []string) (string, bool) {
	s, ok := r.readText(n)
	if !ok {
		return "", false
	}
	for _, a := range allowed {
		if s == a {
			return s, true
		}
	}
	r.faults.addAt(n, "%s is none of %s%s", clip(s), strings.Join(allowed, ", "), didYouMean(s, allowed))
	return "", false
}

// readPlain turns any value into Go's nil, bool, int, float64, json.Number, string, []any and
// map[string]any, which JSON and Kubernetes take. A date stays the text that the
// file has; {__type__: …} objects become what they stand for.
func (r reader) readPlain(n *node) (any, bool) {
	switch n.kind {
	case nullKind:
		return nil, true
	case boolKind:
		return r.readBool(n)
	case intKind, floatKind:
		return r.readNumber(n)
	case listKind:
		return r.readPlainList(n)
	case mapKind:
		return r.readPlainMap(n)
	}
	return n.text, true
}

// readNumber reads a number, digit by digit where it has more of them than an int or
// float64 holds.
func (r reader) readNumber(n *node) (any, bool) {
	if v, ok := plainInt(n); ok {
		return int(v), true
	}
	if jsonNumber.MatchString(n.text) && isFinite(json.Number(n.text)) {
		return PlainNumber(json.Number(n.text)), true
	}
	if v, ok := plainFloat(n); ok {
		return v, true
	}
	r.faults.addAt(n, "the number is too large or not finite")
	return nil, false
}

// jsonNumber is how JSON writes numbers.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

func (r reader) readPlainList(n *node) (any, bool) {
	list, ok := make([]any, 0, len(n.items)), true
	for _, item := range n.items {
		v, good := r.readPlain(item)
		list, ok = append(list, v), ok && good
	}
	return list, ok
}

func (r reader) readPlainMap(n *node) (any, bool) {
	if n.get(typeKey) != nil {
		return r.readObject(n)
	}
	m, ok := make(map[string]any, len(n.pairs)), true
	for _, p := range n.pairs {
		if reservedKeys[p.key] {
			r.faults.addKey(n, p, "not supported by dagwright: asset expressions (%s), remove it", p.key)
			ok = false
			continue
		}
		v, good := r.readPlain(p.value)
		m[p.key], ok = v, ok && good
	}
	return m, ok
}
