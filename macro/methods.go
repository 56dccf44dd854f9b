package macro

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// known lists the names of a table for an error.
func known[V any](table map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(table)), ", ")
}

// method returns a dict's method as a function.
func (d *dict) method(name string) (any, bool) {
	var call func(*evaluation, arguments) (any, error)
	switch name {
	case "get":
		call = d.get
	case "items":
		call = d.items
	case "keys":
		call = func(_ *evaluation, _ arguments) (any, error) { return items(d) }
	case "values":
		call = func(e *evaluation, _ arguments) (any, error) {
			out := make(list, len(d.keys))
			for i, k := range d.keys {
				out[i] = d.values[k]
			}
			return out, e.spend(16 * len(out))
		}
	default:
		return nil, false
	}
	return &function{name: name, call: call}, true
}

func (d *dict) get(_ *evaluation, a arguments) (any, error) {
	args, err := a.take("get", "key!", "default")
	if err != nil {
		return nil, err
	}
	if key, ok := args[0].(string); ok {
		if v, ok := d.values[key]; ok {
			return v, nil
		}
	}
	if given(args[1]) {
		return args[1], nil
	}
	return nil, nil
}

func (d *dict) items(e *evaluation, _ arguments) (any, error) {
	out := make(list, len(d.keys))
	for i, k := range d.keys {
		out[i] = list{k, d.values[k]}
	}
	return out, e.spend(64 * len(out))
}

// stringMethod returns a string's method as a function.
func stringMethod(s, name string) (any, bool) {
	m, ok := stringMethods[name]
	if !ok {
		return nil, false
	}
	return &function{name: name, call: func(e *evaluation, a arguments) (any, error) {
		// A method makes no string longer than a few times its own, but for
		// those that count for themselves.
		if err := e.spend(4 * len(s)); err != nil {
			return nil, err
		}
		v, err := m(e, s, a)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return v, nil
	}}, true
}

type stringFunc func(e *evaluation, s string, a arguments) (any, error)

var stringMethods = map[string]stringFunc{
	"lower":      mapText(strings.ToLower),
	"upper":      mapText(strings.ToUpper),
	"title":      mapText(title),
	"capitalize": mapText(capitalize),
	"strip":      strip(strings.TrimFunc, strings.Trim),
	"lstrip":     strip(strings.TrimLeftFunc, strings.TrimLeft),
	"rstrip":     strip(strings.TrimRightFunc, strings.TrimRight),
	"startswith": ask(strings.HasPrefix),
	"endswith":   ask(strings.HasSuffix),
	"isdigit":    func(_ *evaluation, s string, _ arguments) (any, error) { return isDigits(s), nil },
	"replace":    replace,
	"split":      split,
	"join":       func(e *evaluation, s string, a arguments) (any, error) { return joinMethod(e, s, a) },
	"zfill":      zfill,
}

func mapText(f func(string) string) stringFunc {
	return func(_ *evaluation, s string, a arguments) (any, error) {
		_, err := a.take("it")
		return f(s), err
	}
}

func strip(spaces func(string, func(rune) bool) string, chars func(string, string) string) stringFunc {
	return func(_ *evaluation, s string, a arguments) (any, error) {
		args, err := a.take("it", "chars")
		if err != nil {
			return nil, err
		}
		if !given(args[0]) || args[0] == nil {
			return spaces(s, unicode.IsSpace), nil
		}
		set, err := stringOr(args[0], "")
		return chars(s, set), err
	}
}

func ask(f func(s, part string) bool) stringFunc {
	return func(_ *evaluation, s string, a arguments) (any, error) {
		args, err := a.take("it", "part!")
		if err != nil {
			return nil, err
		}
		part, err := stringOr(args[0], "")
		return f(s, part), err
	}
}

func replace(e *evaluation, s string, a arguments) (any, error) {
	args, err := a.take("it", "old!", "new!", "count")
	if err != nil {
		return nil, err
	}
	from, err1 := stringOr(args[0], "")
	to, err2 := stringOr(args[1], "")
	count, err3 := intOr(args[2], -1)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return nil, err
		}
	}
	n := strings.Count(s, from)
	if count >= 0 {
		n = min(n, int(count))
	}
	if len(to) > 0 && n > maxMemory/len(to) {
		return nil, errMemory
	}
	if err := e.spend(len(s) + n*len(to)); err != nil {
		return nil, err
	}
	return strings.Replace(s, from, to, n), nil
}

func split(e *evaluation, s string, a arguments) (any, error) {
	args, err := a.take("it", "sep", "maxsplit")
	if err != nil {
		return nil, err
	}
	limit, err := intOr(args[1], -1)
	if err != nil {
		return nil, err
	}
	if err := e.spend(16 * (len(s) + 1)); err != nil {
		return nil, err
	}
	var parts []string
	switch {
	case !given(args[0]) || args[0] == nil:
		if limit >= 0 {
			return nil, fmt.Errorf("maxsplit needs sep")
		}
		parts = strings.Fields(s)
	default:
		sep, err := stringOr(args[0], "")
		if err != nil {
			return nil, err
		}
		if sep == "" {
			return nil, fmt.Errorf("sep is empty")
		}
		n := -1
		if limit >= 0 && limit < int64(len(s)) {
			n = int(limit) + 1
		}
		parts = strings.SplitN(s, sep, n)
	}
	return fromGo(parts), nil
}

func joinMethod(e *evaluation, s string, a arguments) (any, error) {
	args, err := a.take("it", "items!")
	if err != nil {
		return nil, err
	}
	return e.join(args[0], s)
}

// join puts the texts of the items together.
func (e *evaluation) join(v any, between string) (any, error) {
	all, err := items(v)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, item := range all {
		s, err := e.text(item)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			s = between + s
		}
		if err := e.spend(len(s)); err != nil {
			return nil, err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func zfill(_ *evaluation, s string, a arguments) (any, error) {
	args, err := a.take("it", "width!")
	if err != nil {
		return nil, err
	}
	width, err := intOr(args[0], 0)
	if err != nil {
		return nil, err
	}
	if width > 1000 {
		return nil, fmt.Errorf("a width may be 1000 at most")
	}
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	n, _ := length(s)
	return sign + strings.Repeat("0", max(0, int(width)-n-len(sign))) + s, nil
}

func isDigits(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsDigit(r) }) < 0
}

func title(s string) string {
	inside := false
	return strings.Map(func(r rune) rune {
		wasInside := inside
		inside = unicode.IsLetter(r)
		if wasInside {
			return unicode.ToLower(r)
		}
		return unicode.ToTitle(r)
	}, s)
}

func capitalize(s string) string {
	first := true
	return strings.Map(func(r rune) rune {
		if first {
			first = false
			return unicode.ToTitle(r)
		}
		return unicode.ToLower(r)
	}, s)
}
