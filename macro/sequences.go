package macro

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Attributes of items, as Jinja's filters take them: "a.b.0", or a number.

// attributeOf is the value along a path of attributes and items; undefined when there is
// none.
func (e *evaluation) attributeOf(v any, path string) (any, error) {
	for path != "" {
		if err := e.step(); err != nil {
			return nil, err
		}
		if err := e.touch(len(path)); err != nil {
			return nil, err
		}
		var key string
		key, path, _ = strings.Cut(path, ".")
		next, err := e.stepAlong(v, key)
		if err != nil || !given(next) {
			return next, err
		}
		v = next
	}
	return v, nil
}

// stepAlong is Jinja's environment.getitem: an item, else an attribute.
func (e *evaluation) stepAlong(v any, key string) (any, error) {
	if n, err := strconv.ParseInt(key, 10, 32); err == nil {
		found, ok, err := e.at(v, n)
		if ok || err != nil {
			return found, err
		}
		return noAttribute, nil
	}
	if d, ok := v.(*dict); ok {
		if found, ok, err := e.lookup(d, key); ok || err != nil {
			return found, err
		}
	}
	if err := e.chargeAttribute(v); err != nil {
		return nil, err
	}
	if len(key) <= maxName {
		if found, ok, err := attribute(v, key); ok || err != nil {
			return found, err
		}
	}
	return noAttribute, nil
}

var noAttribute = undefined{reason: "an item has no such attribute"}

// attributePath reads an argument that names an attribute.
func (e *evaluation) attributePath(v any) (string, error) {
	if n, ok := asInt(v); ok {
		return strconv.FormatInt(n, 10), nil
	}
	return stringOr(v, "")
}

// mapped are the items of v, or an attribute of each when one is named. Several names
// with commas give tuples.
func (e *evaluation) mapped(v, by any) (list, error) {
	all, err := e.items(v)
	if err != nil || !given(by) || by == nil {
		return all, err
	}
	path, err := e.attributePath(by)
	if err != nil {
		return nil, err
	}
	paths := strings.Split(path, ",")
	if err := e.spendEach(len(all), itemSize*(len(paths)+2)); err != nil {
		return nil, err
	}
	out := make(list, len(all))
	for i, item := range all {
		parts := make(tuple, len(paths))
		for j, path := range paths {
			if parts[j], err = e.attributeOf(item, path); err != nil {
				return nil, err
			}
			if u, ok := parts[j].(undefined); ok {
				return nil, u
			}
		}
		if out[i] = parts[0]; len(paths) > 1 {
			out[i] = parts
		}
	}
	return out, nil
}

func attrFilter(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("attr", "name!")
	if err != nil {
		return nil, err
	}
	name, err := stringOr(args[0], "")
	if err != nil {
		return nil, err
	}
	if err := e.chargeAttribute(v); err != nil {
		return nil, err
	}
	if len(name) <= maxName {
		if found, ok, err := attribute(v, name); ok || err != nil {
			return found, err
		}
	}
	return noAttribute, nil
}

// mapFilter takes an attribute of each item, or applies a filter to it.
func mapFilter(e *evaluation, v any, a arguments) (any, error) {
	all, err := e.items(v)
	if err != nil {
		return nil, err
	}
	apply, err := e.mapping(a)
	if err != nil {
		return nil, err
	}
	if err := e.spendEach(len(all), itemSize); err != nil {
		return nil, err
	}
	if err := e.deeper(); err != nil {
		return nil, err
	}
	defer e.shallower()
	out := make(list, len(all))
	for i, item := range all {
		if err := e.step(); err != nil {
			return nil, err
		}
		if out[i], err = apply(item); err != nil {
			return nil, err
		}
		if u, ok := out[i].(undefined); ok && !u.soft {
			return nil, u
		}
	}
	return out, nil
}

func (e *evaluation) mapping(a arguments) (func(any) (any, error), error) {
	by, named := a.named["attribute"]
	if len(a.positional) == 0 && named {
		args, err := a.take("map", "attribute", "default")
		if err != nil {
			return nil, err
		}
		path, err := e.attributePath(by)
		return func(item any) (any, error) {
			found, err := e.attributeOf(item, path)
			if err == nil && !given(found) && given(args[1]) {
				return args[1], nil
			}
			return found, err
		}, err
	}
	f, name, rest, err := byName(a, filterOf, "a filter")
	return func(item any) (any, error) {
		out, err := f(e, item, rest)
		if err != nil {
			err = fmt.Errorf("%s: %w", clip(name, 40), err)
		}
		return out, err
	}, err
}

// byName takes the name of a filter or a test off the arguments.
func byName(a arguments, find func(string) (builtin, error), what string) (builtin, string, arguments, error) {
	if len(a.positional) == 0 {
		return nil, "", a, fmt.Errorf("expected the name of %s", what)
	}
	name, err := stringOr(a.positional[0], "")
	if err != nil {
		return nil, "", a, err
	}
	f, err := find(name)
	if err != nil {
		err = fmt.Errorf("%q is not the name of %s", clip(name, 40), what)
	}
	return f, name, arguments{positional: a.positional[1:], named: a.named}, err
}

// selected makes select, reject, selectattr and rejectattr: the items for which a test
// of them, or of an attribute, is as wanted.
func selected(byAttribute, wanted bool) builtin {
	return func(e *evaluation, v any, a arguments) (any, error) {
		all, err := e.items(v)
		if err != nil {
			return nil, err
		}
		path := ""
		if byAttribute {
			if len(a.positional) == 0 {
				return nil, errors.New("expected the name of an attribute")
			}
			if path, err = e.attributePath(a.positional[0]); err != nil {
				return nil, err
			}
			a.positional = a.positional[1:]
		}
		holds, err := e.tester(a)
		if err != nil {
			return nil, err
		}
		if err := e.spendEach(len(all), itemSize); err != nil {
			return nil, err
		}
		kept := make(list, 0, len(all))
		for _, item := range all {
			if err := e.step(); err != nil {
				return nil, err
			}
			tested, err := e.attributeOf(item, path)
			if err != nil {
				return nil, err
			}
			ok, err := holds(tested)
			if err != nil {
				return nil, err
			}
			if ok == wanted {
				kept = append(kept, item)
			}
		}
		return kept, nil
	}
}

// tester is the test that the arguments name; without one, whether a value is true.
func (e *evaluation) tester(a arguments) (func(any) (bool, error), error) {
	if len(a.positional) == 0 {
		if len(a.named) > 0 {
			return nil, errors.New("expected the name of a test")
		}
		return truth, nil
	}
	t, name, rest, err := byName(a, testOf, "a test")
	return func(v any) (bool, error) {
		if u, ok := v.(undefined); ok && !u.soft && !asksDefined(name) {
			return false, u
		}
		out, err := t(e, v, rest)
		if err != nil {
			return false, err
		}
		return truth(out)
	}, err
}

// groupBy makes pairs of a value of an attribute and the items that have it.
func groupBy(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("groupby", "attribute!", "default", "case_sensitive")
	if err != nil {
		return nil, err
	}
	exact, err := boolOr(args[2], false)
	if err != nil {
		return nil, err
	}
	path, err := e.attributePath(args[0])
	if err != nil {
		return nil, err
	}
	items, err := e.items(v)
	if err != nil {
		return nil, err
	}
	if err := e.spendEach(len(items), 10*itemSize); err != nil {
		return nil, err
	}
	all := make([]sortItem, len(items))
	keys := make(list, len(items))
	for i, item := range items {
		if keys[i], err = e.attributeOf(item, path); err != nil {
			return nil, err
		}
		if !given(keys[i]) {
			if keys[i] = args[1]; !given(keys[i]) {
				return nil, noAttribute
			}
		}
		by := keys[i]
		if !exact {
			if by, err = e.folded(by); err != nil {
				return nil, err
			}
		}
		all[i] = sortItem{by, i}
	}
	if err := e.sort(all, false); err != nil {
		return nil, err
	}
	return e.groups(all, items, keys)
}

func (e *evaluation) groups(all []sortItem, items, keys list) (any, error) {
	out := list{}
	for from := 0; from < len(all); {
		to := from + 1
		for to < len(all) {
			same, err := e.equal(all[from].by, all[to].by)
			if err != nil {
				return nil, err
			}
			if !same {
				break
			}
			to++
		}
		group := make(list, 0, to-from)
		for _, member := range all[from:to] {
			group = append(group, items[member.item.(int)])
		}
		out = append(out, tuple{keys[all[from].item.(int)], group})
		from = to
	}
	return out, nil
}

func dictSort(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("dictsort", "case_sensitive", "by", "reverse")
	if err != nil {
		return nil, err
	}
	exact, err1 := boolOr(args[0], false)
	by, err2 := stringOr(args[1], "key")
	backwards, err3 := boolOr(args[2], false)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	d, ok := v.(*dict)
	if !ok || by != "key" && by != "value" {
		return nil, errors.New("expected a dict, and by key or value")
	}
	pairs, err := d.items(e)
	if err != nil {
		return nil, err
	}
	attribute := int64(0)
	if by == "value" {
		attribute = 1
	}
	all, err := e.sortItems(pairs, exact, attribute)
	if err != nil {
		return nil, err
	}
	return e.sorted(all, backwards)
}

// sorted are the items in their order.
func (e *evaluation) sorted(all []sortItem, backwards bool) (any, error) {
	if err := e.sort(all, backwards); err != nil {
		return nil, err
	}
	if err := e.spendEach(len(all), itemSize); err != nil {
		return nil, err
	}
	out := make(list, len(all))
	for i := range all {
		out[i] = all[i].item
	}
	return out, nil
}

// batch makes lists of so many items.
func batch(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("batch", "linecount!", "fill_with")
	if err != nil {
		return nil, err
	}
	size, err := intOr(args[0], 1)
	if err != nil || size < 1 {
		return nil, errors.New("linecount must be an integer from 1")
	}
	all, err := e.items(v)
	if err != nil {
		return nil, err
	}
	fill := given(args[1]) && args[1] != nil
	if fill && size > maxRange && len(all) > 0 {
		return nil, errRangeSize
	}
	if err := e.spendEach(len(all)/int(min(size, 1<<30))+1, 4*itemSize); err != nil {
		return nil, err
	}
	out := list{}
	for part := range slices.Chunk(all, int(min(size, 1<<30))) {
		if missing := int(size) - len(part); fill && missing > 0 {
			if err := e.spendEach(int(size), itemSize); err != nil {
				return nil, err
			}
			part = append(slices.Clip(part), slices.Repeat(list{args[1]}, missing)...)
		}
		out = append(out, part[:len(part):len(part)])
	}
	return out, nil
}

// sliceFilter makes so many lists of the items.
func sliceFilter(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("slice", "slices!", "fill_with")
	if err != nil {
		return nil, err
	}
	count, err := intOr(args[0], 1)
	if err != nil || count < 1 || count > maxRange {
		return nil, fmt.Errorf("slices must be an integer from 1 to %d", maxRange)
	}
	all, err := e.items(v)
	if err != nil {
		return nil, err
	}
	if err := e.spendEach(int(count), 5*itemSize); err != nil {
		return nil, err
	}
	if err := e.spendEach(len(all)+int(count), itemSize); err != nil {
		return nil, err
	}
	size, more := len(all)/int(count), len(all)%int(count)
	fill := given(args[1]) && args[1] != nil
	out := list{}
	at := 0
	for i := range int(count) {
		end := at + size
		if i < more {
			end++
		}
		part := slices.Clone(all[at:end])
		if fill && i >= more && more > 0 {
			part = append(part, args[1])
		}
		out = append(out, part)
		at = end
	}
	return out, nil
}

// listMethods are the methods of lists and tuples that change nothing.
var listMethods = []string{"count", "index"}

func listMethod(all list, name string) (any, bool) {
	switch name {
	case "count":
		return &function{name, func(e *evaluation, a arguments) (any, error) {
			args, err := a.take("count", "value!")
			if err != nil {
				return nil, err
			}
			n := int64(0)
			for _, item := range all {
				same, err := e.equal(item, args[0])
				if err != nil {
					return nil, err
				}
				if same {
					n++
				}
			}
			return n, nil
		}}, true
	case "index":
		return &function{name, func(e *evaluation, a arguments) (any, error) {
			args, err := a.take("index", "value!")
			if err != nil {
				return nil, err
			}
			for i, item := range all {
				same, err := e.equal(item, args[0])
				if err != nil {
					return nil, err
				}
				if same {
					return int64(i), nil
				}
			}
			return nil, errors.New("index: the value is not in the list")
		}}, true
	}
	return nil, false
}
