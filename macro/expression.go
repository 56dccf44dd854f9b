package macro

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/nikolalohinski/gonja/v2/nodes"
)

var errNoExpression = errors.New("the template's syntax is wrong: an expression is missing")

// eval evaluates an expression. The result may be undefined.
func (e *evaluation) eval(n nodes.Node) (any, error) {
	if err := e.step(); err != nil {
		return nil, err
	}
	switch n := n.(type) {
	case *nodes.None:
		return nil, nil
	case *nodes.Bool:
		return n.Val, nil
	case *nodes.Integer:
		return int64(n.Val), nil
	case *nodes.Float:
		return n.Val, nil
	case *nodes.String:
		return e.literals[n.Location], nil
	case *nodes.Name:
		return e.name(n.Name.Val)
	case *nodes.List:
		all, err := e.list(n.Val)
		if err != nil {
			return nil, err
		}
		return all, nil
	case *nodes.Tuple:
		all, err := e.list(n.Val)
		if err != nil {
			return nil, err
		}
		return tuple(all), nil
	case *conditional:
		return e.conditional(n)
	case *comparison:
		return e.comparison(n)
	case *nodes.Dict:
		return e.dict(n)
	case *nodes.GetAttribute:
		return e.getAttribute(n)
	case *nodes.GetItem:
		return e.getItem(n)
	case *nodes.GetSlice:
		return e.getSlice(n)
	case *nodes.Call:
		return e.call(n)
	case *nodes.Negation:
		ok, err := e.test(n.Term)
		return !ok, err
	case *nodes.UnaryExpression:
		return e.unary(n)
	case *nodes.BinaryExpression:
		return e.binary(n)
	case *nodes.FilteredExpression:
		return e.filtered(n)
	case *nodes.TestExpression:
		return e.tested(n)
	}
	return nil, errNoExpression
}

// defined evaluates an expression that must not be undefined.
func (e *evaluation) defined(n nodes.Node) (any, error) {
	v, err := e.eval(n)
	if u, ok := v.(undefined); ok && err == nil && !u.soft {
		return nil, u
	}
	return v, err
}

func (e *evaluation) list(expressions []nodes.Expression) (list, error) {
	if err := e.spendEach(len(expressions), itemSize); err != nil {
		return nil, err
	}
	out := make(list, len(expressions))
	for i, x := range expressions {
		var err error
		if out[i], err = e.defined(x); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (e *evaluation) dict(n *nodes.Dict) (any, error) {
	if err := e.spendEach(len(n.Pairs)+1, pairSize); err != nil {
		return nil, err
	}
	d := newDict()
	for _, p := range n.Pairs {
		k, err := e.defined(p.Key)
		if err != nil {
			return nil, err
		}
		key, ok := k.(string)
		if !ok {
			return nil, fmt.Errorf("a key of a dict must be a string, not %s", typeName(k))
		}
		v, err := e.defined(p.Value)
		if err != nil {
			return nil, err
		}
		if err := e.touch(2 * len(key)); err != nil {
			return nil, err
		}
		d.set(key, v)
	}
	return d, nil
}

// path names an expression for an error, as far as it is a path of names. Of a
// long one it keeps the end.
func path(n nodes.Node) string {
	var names []string
	for len(names) < 6 {
		switch node := n.(type) {
		case *nodes.Name:
			names = append(names, clip(node.Name.Val, 80))
			slices.Reverse(names)
			return strings.Join(names, ".")
		case *nodes.GetAttribute:
			names = append(names, clip(node.Attribute, 80))
			n = node.Node
			continue
		}
		break
	}
	names = append(names, "…")
	slices.Reverse(names)
	return strings.Join(names, ".")
}

// missing is what an expression gives that finds nothing in what its node gives.
func (b *budget) missing(node nodes.Node, format string, args ...any) (any, error) {
	if err := b.spend(1024); err != nil {
		return nil, err
	}
	return undefined{reason: path(node) + fmt.Sprintf(format, args...)}, nil
}

// getAttribute is Jinja's x.name: an attribute, else an item.
func (e *evaluation) getAttribute(n *nodes.GetAttribute) (any, error) {
	v, err := e.defined(n.Node)
	if err != nil {
		return nil, err
	}
	if n.Attribute == "" {
		return e.item(v, int64(n.Index), n.Node)
	}
	if err := e.chargeAttribute(v); err != nil {
		return nil, err
	}
	if found, ok, err := attribute(v, n.Attribute); ok || err != nil {
		return found, err
	}
	if d, ok := v.(*dict); ok {
		if found, ok, err := e.lookup(d, n.Attribute); ok || err != nil {
			return found, err
		}
	}
	return e.missing(n, " is not defined")
}

// chargeAttribute charges the method that an attribute of v may be.
func (b *budget) chargeAttribute(v any) error {
	if _, ok := v.(*object); ok {
		return nil
	}
	return b.spend(callSize)
}

// attribute finds an attribute or method by the type of its owner.
func attribute(owner any, name string) (any, bool, error) {
	var find func(string) (any, bool)
	switch v := owner.(type) {
	case *object:
		return v.attribute(name)
	case moment:
		if readsClock[name] && !v.class.isPython() {
			return nil, false, fmt.Errorf("%s is not available: a template reads no clock", name)
		}
		find = v.attribute
	case span:
		find = v.attribute
	case *dict:
		find = v.method
	case *namespace:
		find = v.attribute
	case clock:
		find = v.attribute
	case delta:
		find = v.attribute
	case zone:
		find = v.attribute
	case isoDate:
		find = v.attribute
	case list:
		find = func(name string) (any, bool) { return listMethod(v, name) }
	case tuple:
		find = func(name string) (any, bool) { return listMethod(list(v), name) }
	case string:
		find = func(name string) (any, bool) { return stringMethod(v, name) }
	default:
		return nil, false, nil
	}
	found, ok := find(name)
	return found, ok, nil
}

// getItem is Jinja's x[key]: an item, else an attribute.
func (e *evaluation) getItem(n *nodes.GetItem) (any, error) {
	v, err := e.defined(n.Node)
	if err != nil {
		return nil, err
	}
	key, err := e.defined(n.Arg)
	if err != nil {
		return nil, err
	}
	return e.item(v, key, n.Node)
}

func (e *evaluation) item(v, key any, where nodes.Node) (any, error) {
	if name, ok := key.(string); ok {
		return e.itemByName(v, name, where)
	}
	i, ok := asInt(key)
	if !ok {
		return nil, fmt.Errorf("%s cannot be a key", typeName(key))
	}
	found, ok, err := e.at(v, i)
	if ok || err != nil {
		return found, err
	}
	return e.missing(where, " has no such item")
}

func (e *evaluation) itemByName(v any, name string, where nodes.Node) (any, error) {
	if d, ok := v.(*dict); ok {
		if found, ok, err := e.lookup(d, name); ok || err != nil {
			return found, err
		}
	}
	if len(name) <= maxName {
		if err := e.chargeAttribute(v); err != nil {
			return nil, err
		}
		if found, ok, err := attribute(v, name); ok || err != nil {
			return found, err
		}
	}
	return e.missing(where, "[%q] is not defined", clip(name, 80))
}

// maxName is longer than any name of an attribute.
const maxName = 100

// at is the item of a list or string at a place, which counts from the end when
// negative.
func (b *budget) at(v any, i int64) (any, bool, error) {
	switch v := v.(type) {
	case list:
		if i, ok := index(i, len(v)); ok {
			return v[i], true, nil
		}
	case tuple:
		if i, ok := index(i, len(v)); ok {
			return v[i], true, nil
		}
	case isoDate:
		return b.at(v.tuple(), i)
	case string:
		return b.characterAt(v, i)
	}
	return nil, false, nil
}

func (b *budget) characterAt(s string, i int64) (any, bool, error) {
	from, ok, err := b.offset(s, i)
	if err != nil || !ok || from == len(s) {
		return nil, false, err
	}
	_, size := utf8.DecodeRuneInString(s[from:])
	return s[from : from+size], true, nil
}

// offset is where the character of a place begins in s, which counts from the end
// when negative; len(s) is the place after the last. It is false when s has no
// such place.
func (b *budget) offset(s string, i int64) (int, bool, error) {
	if max(i, -i) > int64(len(s)) {
		return 0, false, nil
	}
	if err := b.touch(4 * min(int(max(i, -i)), len(s))); err != nil {
		return 0, false, err
	}
	if i < 0 {
		end := len(s)
		for ; i < 0 && end > 0; i++ {
			_, size := utf8.DecodeLastRuneInString(s[:end])
			end -= size
		}
		return end, i == 0, nil
	}
	at := 0
	for ; i > 0 && at < len(s); i-- {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at, i == 0, nil
}

// index counts from the end when negative, as Python does.
func index(i int64, length int) (int, bool) {
	if i < 0 {
		i += int64(length)
	}
	return int(i), i >= 0 && i < int64(length)
}

func (e *evaluation) getSlice(n *nodes.GetSlice) (any, error) {
	v, err := e.defined(n.Node)
	if err != nil {
		return nil, err
	}
	var bounds [3]any
	for i, x := range []nodes.Node{n.Start, n.End, n.Step} {
		if x == nil {
			continue
		}
		if bounds[i], err = e.defined(x); err != nil {
			return nil, err
		}
	}
	switch v := v.(type) {
	case list:
		return e.sliceList(v, bounds)
	case isoDate:
		part, err := e.sliceList(list(v.tuple()), bounds)
		return tuple(part), err
	case tuple:
		part, err := e.sliceList(list(v), bounds)
		return tuple(part), err
	case string:
		return e.sliceText(v, bounds)
	}
	return nil, fmt.Errorf("%s cannot be sliced", typeName(v))
}

func (b *budget) sliceList(v list, bounds [3]any) (list, error) {
	s, err := sliceOf(bounds, len(v))
	if err != nil || s.step == 1 {
		return v[s.from:s.to:s.to], err
	}
	if err := b.spendEach(s.length(), itemSize); err != nil {
		return nil, err
	}
	out := make(list, s.length())
	for i := range out {
		out[i] = v[s.from+i*s.step]
	}
	return out, nil
}

func (b *budget) sliceText(text string, bounds [3]any) (any, error) {
	length, err := b.length(text)
	if err != nil {
		return nil, err
	}
	s, err := sliceOf(bounds, length)
	if err != nil {
		return nil, err
	}
	if s.step != 1 {
		return b.everyNth(text, s)
	}
	start, _, err := b.offset(text, int64(s.from))
	if err != nil {
		return nil, err
	}
	end, _, err := b.offset(text[start:], int64(s.to-s.from))
	return text[start : start+end], err
}

// everyNth is a slice of a text with a step.
func (b *budget) everyNth(text string, s slice) (any, error) {
	if err := b.spendEach(len(text), 8); err != nil {
		return nil, err
	}
	all := []rune(text)
	var out strings.Builder
	for i := range s.length() {
		out.WriteRune(all[s.from+i*s.step])
	}
	return out.String(), nil
}

// slice is part of a sequence. With a step of 1, from is at most to.
type slice struct{ from, to, step int }

// length is how many items it has.
func (s slice) length() int {
	switch {
	case s.step > 0 && s.from < s.to:
		return (s.to-s.from-1)/s.step + 1
	case s.step < 0 && s.from > s.to:
		return (s.from-s.to-1)/-s.step + 1
	}
	return 0
}

// sliceOf follows Python's slice.indices. None counts as a bound that is left out.
func sliceOf(bounds [3]any, length int) (slice, error) {
	var n [3]int64
	for i, v := range bounds {
		k, ok := asInt(v)
		if v != nil && !ok {
			return slice{}, fmt.Errorf("slice: expected an integer, not %s", typeName(v))
		}
		n[i] = k
	}
	step := n[2]
	if bounds[2] == nil {
		step = 1
	}
	if step == 0 {
		return slice{}, errors.New("slice: the step is zero")
	}
	size := int64(length)
	lower, upper := int64(0), size
	if step < 0 {
		lower, upper = -1, size-1
	}
	bound := func(i int, otherwise int64) int64 {
		if bounds[i] == nil {
			return otherwise
		}
		if n[i] < 0 {
			return max(n[i]+size, lower)
		}
		return min(n[i], upper)
	}
	from, to := bound(0, lower), bound(1, upper)
	if step < 0 {
		from, to = bound(0, upper), bound(1, lower)
	}
	step = max(min(step, size+1), -size-1)
	if step == 1 && from > to {
		from, to = 0, 0
	}
	return slice{int(from), int(to), int(step)}, nil
}

func (e *evaluation) call(n *nodes.Call) (any, error) {
	v, err := e.defined(n.Func)
	if err != nil {
		return nil, err
	}
	var f *function
	switch v := v.(type) {
	case *function:
		f = v
	case *object:
		if called, ok, _ := v.attribute("__call__"); ok {
			f, _ = called.(*function)
		}
	case weekdayOf:
		f = v.function()
	}
	if f == nil {
		return nil, notCallable(n.Func, v)
	}
	a, err := e.arguments(n.Args, n.Kwargs)
	if err != nil {
		return nil, err
	}
	return f.call(e, a)
}

func (e *evaluation) arguments(positional []nodes.Expression, named map[string]nodes.Expression) (arguments, error) {
	var a arguments
	if len(positional) > 0 {
		v, err := e.spreadList(positional)
		if err != nil {
			return a, err
		}
		a.positional = v
	}
	if len(named) == 0 {
		return a, nil
	}
	if err := e.spendEach(len(named)+1, pairSize); err != nil {
		return a, err
	}
	a.named = make(map[string]any, len(named))
	for _, k := range slices.Sorted(maps.Keys(named)) {
		v, err := e.defined(named[k])
		if err != nil {
			return a, err
		}
		a.named[k] = v
	}
	return a, nil
}

// spreadList is list for arguments, of which one may be *values.
func (e *evaluation) spreadList(expressions []nodes.Expression) (list, error) {
	last, ok := expressions[len(expressions)-1].(*spread)
	if !ok {
		return e.list(expressions)
	}
	out, err := e.list(expressions[:len(expressions)-1])
	if err != nil {
		return nil, err
	}
	v, err := e.defined(last.value)
	if err != nil {
		return nil, err
	}
	more, err := e.items(v)
	if err != nil {
		return nil, err
	}
	return e.appended(out, more)
}

// filtered applies filters. A filter may be given an undefined value: only
// default takes it.
func (e *evaluation) filtered(n *nodes.FilteredExpression) (any, error) {
	v, err := e.eval(n.Expression)
	if err != nil {
		return nil, err
	}
	for _, call := range n.Filters {
		if err := e.step(); err != nil {
			return nil, err
		}
		f, err := filterOf(call.Name)
		if err != nil {
			return nil, err
		}
		if u, ok := v.(undefined); ok && !u.soft && !takesUndefined(call.Name) {
			return nil, u
		}
		a, err := e.arguments(call.Args, call.Kwargs)
		if err != nil {
			return nil, err
		}
		if v, err = f(e, v, a); err != nil {
			return nil, fmt.Errorf("filter %s: %w", call.Name, err)
		}
	}
	return v, nil
}

// tested evaluates "x is test".
func (e *evaluation) tested(n *nodes.TestExpression) (any, error) {
	v, err := e.eval(n.Expression)
	if err != nil {
		return nil, err
	}
	name := n.Test.Name
	t, err := testOf(name)
	if err != nil {
		return nil, err
	}
	if u, ok := v.(undefined); ok && !u.soft && !asksDefined(name) {
		return nil, u
	}
	a, err := e.arguments(n.Test.Args, n.Test.Kwargs)
	if err != nil {
		return nil, err
	}
	return t(e, v, a)
}

// length is Python's len.
func (b *budget) length(v any) (int, error) {
	switch v := v.(type) {
	case string:
		if err := b.touch(len(v)); err != nil {
			return 0, err
		}
		return utf8.RuneCountInString(v), nil
	case list:
		return len(v), nil
	case tuple:
		return len(v), nil
	case isoDate:
		return 3, nil
	case *dict:
		return len(v.keys), nil
	case undefined:
		if v.soft {
			return 0, nil
		}
	}
	return 0, fmt.Errorf("%s has no length", typeName(v))
}
