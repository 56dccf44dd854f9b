package macro

import (
	"errors"
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

// dictMethods are the names that method knows.
var dictMethods = []string{"get", "items", "keys", "values"}

// method returns a dict's method as a function.
func (d *dict) method(name string) (any, bool) {
	var call func(*evaluation, arguments) (any, error)
	switch name {
	case "get":
		call = d.get
	case "items":
		call = bareCall(d.items)
	case "keys":
		call = bareCall(func(e *evaluation) (any, error) { return e.texts(d.keys) })
	case "values":
		call = bareCall(func(e *evaluation) (any, error) {
			if err := e.chargeKeys(d, itemSize); err != nil {
				return nil, err
			}
			out := make(list, len(d.keys))
			for i, k := range d.keys {
				out[i] = d.values[k]
			}
			return out, nil
		})
	default:
		return nil, false
	}
	return &function{name: name, call: call}, true
}

// bareCall makes a method that takes no arguments.
func bareCall(f func(*evaluation) (any, error)) func(*evaluation, arguments) (any, error) {
	return func(e *evaluation, a arguments) (any, error) {
		if _, err := a.take("it"); err != nil {
			return nil, err
		}
		return f(e)
	}
}

func (d *dict) get(e *evaluation, a arguments) (any, error) {
	args, err := a.take("get", "key!", "default")
	if err != nil {
		return nil, err
	}
	if key, ok := args[0].(string); ok {
		if v, ok, err := e.lookup(d, key); ok || err != nil {
			return v, err
		}
	}
	if given(args[1]) {
		return args[1], nil
	}
	return nil, nil
}

func (d *dict) items(e *evaluation) (any, error) {
	if err := e.chargeKeys(d, itemSize+24+2*itemSize+itemSize); err != nil {
		return nil, err
	}
	out := make(list, len(d.keys))
	for i, k := range d.keys {
		out[i] = tuple{k, d.values[k]}
	}
	return out, nil
}

// chargeKeys charges a look at all keys, and size bytes for each.
func (b *budget) chargeKeys(d *dict, size int) error {
	if err := b.spendEach(len(d.keys), size); err != nil {
		return err
	}
	for _, k := range d.keys {
		if err := b.touch(2 * len(k)); err != nil {
			return err
		}
	}
	return nil
}

// stringMethod returns a string's method as a function.
func stringMethod(s, name string) (any, bool) {
	m, ok := stringMethods[name]
	if !ok {
		return nil, false
	}
	return &function{name: name, call: func(e *evaluation, a arguments) (any, error) {
		v, err := m(e, s, a)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return v, nil
	}}, true
}

type stringFunc func(e *evaluation, s string, a arguments) (any, error)

var stringMethods map[string]stringFunc

func init() { // format reaches the table through its fields
	stringMethods = map[string]stringFunc{
		"capitalize":   mapText(capitalize),
		"casefold":     mapText(strings.ToLower),
		"center":       alignMethod(centered),
		"count":        searchMethod(strings.Count, false, false),
		"endswith":     ask(strings.HasSuffix),
		"find":         searchMethod(strings.Index, true, false),
		"format":       strFormat,
		"index":        searchMethod(strings.Index, true, true),
		"isalnum":      askText(each(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })),
		"isalpha":      askText(each(unicode.IsLetter)),
		"isdecimal":    askText(each(unicode.IsDigit)),
		"isdigit":      isDigits,
		"islower":      askText(hasCase(unicode.IsLower, unicode.IsUpper)),
		"isnumeric":    askText(each(unicode.IsNumber)),
		"isspace":      askText(each(unicode.IsSpace)),
		"istitle":      askText(isTitle),
		"isupper":      askText(hasCase(unicode.IsUpper, unicode.IsLower)),
		"join":         joinMethod,
		"ljust":        alignMethod(leftJustified),
		"lower":        mapText(strings.ToLower),
		"lstrip":       stripMethod(strings.TrimLeftFunc),
		"partition":    partition(false),
		"removeprefix": cutMethod(strings.TrimPrefix),
		"removesuffix": cutMethod(strings.TrimSuffix),
		"replace":      replace,
		"rfind":        searchMethod(strings.LastIndex, true, false),
		"rindex":       searchMethod(strings.LastIndex, true, true),
		"rjust":        alignMethod(rightJustified),
		"rpartition":   partition(true),
		"rsplit":       rightSplit,
		"rstrip":       stripMethod(strings.TrimRightFunc),
		"split":        split,
		"splitlines":   splitLinesMethod,
		"startswith":   ask(strings.HasPrefix),
		"strip":        stripMethod(strings.TrimFunc),
		"swapcase":     mapText(swapCase),
		"title":        mapText(title),
		"upper":        mapText(strings.ToUpper),
		"zfill":        zfill,
	}
}

func mapText(f func(string) string) stringFunc {
	return func(e *evaluation, s string, a arguments) (any, error) {
		if _, err := a.take("it"); err != nil {
			return nil, err
		}
		return mapped(f)(e.budget, s)
	}
}

// trimmer cuts what a function finds off a string.
type trimmer func(s string, cut func(rune) bool) string

func stripMethod(trim trimmer) stringFunc {
	return func(e *evaluation, s string, a arguments) (any, error) {
		args, err := a.take("it", "chars")
		if err != nil {
			return nil, err
		}
		return e.strip(s, args[0], trim)
	}
}

// strip cuts white space off a string, or the characters of chars.
func (b *budget) strip(s string, chars any, trim trimmer) (any, error) {
	if err := b.touchEach(len(s), 16); err != nil {
		return nil, err
	}
	if !given(chars) || chars == nil {
		return trim(s, unicode.IsSpace), nil
	}
	set, err := stringOr(chars, "")
	if err != nil {
		return nil, err
	}
	if err := b.spendEach(len(set), 64); err != nil {
		return nil, err
	}
	cut := map[rune]bool{}
	for _, r := range set {
		cut[r] = true
	}
	return trim(s, func(r rune) bool { return cut[r] }), nil
}

func ask(f func(s, part string) bool) stringFunc {
	return func(e *evaluation, s string, a arguments) (any, error) {
		args, err := a.take("it", "part!")
		if err != nil {
			return nil, err
		}
		parts, ok := args[0].(tuple)
		if !ok {
			parts = tuple{args[0]}
		}
		for _, v := range parts {
			part, err := stringOr(v, "")
			if err != nil {
				return nil, err
			}
			if err := e.touch(min(len(s), len(part)) + stepWork); err != nil {
				return nil, err
			}
			if f(s, part) {
				return true, nil
			}
		}
		return false, nil
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
	if err := e.chargeSearch(s, from); err != nil {
		return nil, err
	}
	n := strings.Count(s, from)
	if count >= 0 {
		n = int(min(int64(n), count))
	}
	if err := e.spendEach(n, len(to)); err != nil {
		return nil, err
	}
	if err := e.spendEach(len(s), 4); err != nil {
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
	if !given(args[0]) || args[0] == nil {
		return e.splitWords(s, limit)
	}
	sep, err := stringOr(args[0], "")
	if err != nil {
		return nil, err
	}
	if sep == "" {
		return nil, errors.New("sep is empty")
	}
	if err := e.chargeSearch(s, sep); err != nil {
		return nil, err
	}
	n := strings.Count(s, sep) + 1
	if limit >= 0 {
		n = int(min(int64(n), limit+1))
	}
	if err := e.spendEach(n, itemSize); err != nil {
		return nil, err
	}
	if err := e.touchEach(len(s), 4); err != nil {
		return nil, err
	}
	return e.texts(strings.SplitN(s, sep, n))
}

// splitWords splits at white space.
func (b *budget) splitWords(s string, limit int64) (any, error) {
	if limit >= 0 {
		return nil, errors.New("maxsplit needs sep")
	}
	if err := b.spendEach(len(s)/2+1, itemSize); err != nil {
		return nil, err
	}
	return b.texts(strings.Fields(s))
}

func joinMethod(e *evaluation, s string, a arguments) (any, error) {
	args, err := a.take("it", "items!")
	if err != nil {
		return nil, err
	}
	if _, ok := args[0].(string); !ok {
		all, err := e.items(args[0])
		if err != nil {
			return nil, err
		}
		for i, item := range all {
			if _, ok := item.(string); !ok {
				return nil, fmt.Errorf("item %d is %s, not str; the filter join takes items of any type", i, typeName(item))
			}
		}
	}
	return e.join(args[0], s)
}

// join puts the texts of the items together.
func (e *evaluation) join(v any, between string) (any, error) {
	all, err := e.items(v)
	if err != nil {
		return nil, err
	}
	if err := e.touchEach(len(all), 20); err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, item := range all {
		s, err := e.text(item)
		if err != nil {
			return nil, err
		}
		lead := between
		if i == 0 {
			lead = ""
		}
		if err := e.spendEach(len(lead)+len(s), 2); err != nil { // a builder grows by doubling
			return nil, err
		}
		b.WriteString(lead)
		b.WriteString(s)
	}
	return b.String(), nil
}

func zfill(e *evaluation, s string, a arguments) (any, error) {
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
	n, err := e.length(s)
	if err != nil {
		return nil, err
	}
	if err := e.spend(len(s) + 1001); err != nil {
		return nil, err
	}
	return sign + strings.Repeat("0", max(0, int(width)-n-len(sign))) + s, nil
}

func isDigits(e *evaluation, s string, a arguments) (any, error) {
	if _, err := a.take("it"); err != nil {
		return nil, err
	}
	if err := e.touchEach(len(s), 8); err != nil {
		return nil, err
	}
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsDigit(r) }) < 0, nil
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
