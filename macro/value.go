package macro

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"dagwright/dag"
)

// The values of a template are, beside Go's nil, bool, int64, float64 and
// string: longNumber, list, tuple, *dict, *namespace, moment, clock, zone, span, delta,
// weekdayOf, isoDate, *object, *function and undefined. Nothing else may reach an evaluation.
type (
	// list is a Python list.
	list []any

	// dict is a Python dictionary with strings as keys. Order is kept.
	dict struct {
		keys   []string
		values map[string]any
	}

	// object has attributes and nothing else. attribute returns an error for
	// what exists in Airflow but not here, and ok = false for what exists in
	// neither.
	object struct {
		name      string
		attribute func(name string) (value any, ok bool, err error)
	}

	// function is what a template may call.
	function struct {
		name string
		call func(e *evaluation, a arguments) (any, error)
	}

	// tuple is a Python tuple: a list with another text, which may be hashed.
	tuple []any

	// undefined is a name or attribute that does not exist. It may be tested
	// and replaced by a default; any other use is an error. What an inline if gives
	// whose condition is false, and that has no else, is soft: an empty text.
	undefined struct {
		reason string
		soft   bool
	}
)

func (u undefined) Error() string { return u.reason }

func newDict() *dict { return &dict{values: map[string]any{}} }

// set must have been charged by its caller: pairSize bytes for each key.
func (d *dict) set(key string, value any) {
	if _, ok := d.values[key]; !ok {
		d.keys = append(d.keys, key)
	}
	d.values[key] = value
}

// fromGo turns what a JSON or YAML decoder made into a value of a template. A
// number without a fraction is an integer. The keys of a map come in sorted
// order, since Go's maps keep none.
func (b *budget) fromGo(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, string, int64, list, tuple, *dict, moment:
		return v, nil
	case int:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v), nil
		}
		return float64(v), nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), nil
		}
		return v, nil
	case json.Number:
		return b.number(v)
	case []any:
		return b.listFromGo(v)
	case []string:
		return b.texts(v)
	case map[string]any:
		return b.dictFromGo(v)
	}
	return fmt.Sprint(v), nil
}

func (b *budget) number(v json.Number) (any, error) {
	if err := b.spend(4 * len(v)); err != nil {
		return nil, err
	}
	if n, err := v.Int64(); err == nil {
		return n, nil
	}
	if f, ok := dag.PlainNumber(v).(float64); ok {
		return f, nil
	}
	return longNumber(v), nil
}

// longNumber is a number of a conf with more digits than this package reckons with. As
// text and as JSON it stays as it is written; in arithmetic it is a float.
type longNumber string

func (n longNumber) float() float64 {
	f, _ := strconv.ParseFloat(string(n), 64) // a number by its making
	return f
}

func (b *budget) listFromGo(v []any) (any, error) {
	if err := b.spendEach(len(v)+1, stringSize); err != nil {
		return nil, err
	}
	out := make(list, len(v))
	for i, item := range v {
		var err error
		if out[i], err = b.fromGo(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// texts is a list of strings.
func (b *budget) texts(v []string) (any, error) {
	if err := b.spendEach(len(v), stringSize); err != nil {
		return nil, err
	}
	out := make(list, len(v))
	for i, item := range v {
		out[i] = item
	}
	return out, nil
}

func (b *budget) dictFromGo(v map[string]any) (any, error) {
	if err := b.spendEach(len(v)+1, pairSize); err != nil {
		return nil, err
	}
	d := newDict()
	keys := slices.Collect(maps.Keys(v))
	if err := b.sortTexts(keys); err != nil {
		return nil, err
	}
	for _, k := range keys {
		item, err := b.fromGo(v[k])
		if err != nil {
			return nil, err
		}
		d.set(k, item)
	}
	return d, nil
}

// sortTexts sorts strings.
func (b *budget) sortTexts(all []string) error {
	if err := b.chargeSort(len(all)); err != nil {
		return err
	}
	var fault error
	slices.SortFunc(all, func(x, y string) int {
		if fault == nil {
			fault = b.touch(min(len(x), len(y)))
		}
		if fault != nil {
			return 0
		}
		return strings.Compare(x, y)
	})
	return fault
}

// chargeSort charges the comparisons of a sort of n items, but not what they
// read.
func (b *budget) chargeSort(n int) error { return b.touchEach(n, 20*bits.Len(uint(n))) }

// typeName is what Python calls the type of a value.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case int64:
		return "int"
	case longNumber:
		if strings.ContainsAny(string(v), ".eE") {
			return "float"
		}
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case list:
		return "list"
	case tuple:
		return "tuple"
	case *dict:
		return "dict"
	case *namespace:
		return "Namespace"
	case moment:
		return v.class.String()
	case clock:
		return "time"
	case span:
		return v.typeName()
	case zone:
		return "Timezone"
	case weekdayOf:
		return "weekday"
	case isoDate:
		return "IsoCalendarDate"
	case delta:
		return "relativedelta"
	case *object:
		return v.name
	case *function:
		return "function"
	}
	return "undefined"
}

// truth is Python's bool(v). As with StrictUndefined, an undefined value has
// none.
func truth(v any) (bool, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case int64:
		return v != 0, nil
	case float64:
		return v != 0, nil
	case longNumber:
		return v.float() != 0, nil
	case string:
		return v != "", nil
	case list:
		return len(v) > 0, nil
	case tuple:
		return len(v) > 0, nil
	case *dict:
		return len(v.keys) > 0, nil
	case span:
		return v.d != 0, nil
	case delta:
		return v != delta{}, nil
	case undefined:
		if v.soft {
			return false, nil
		}
		return false, v
	}
	return true, nil
}

// asInt reads an integer or a bool, which Python counts as one.
func asInt(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func asFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case longNumber:
		return v.float(), true
	}
	n, ok := asInt(v)
	return float64(n), ok
}

// items lists what a loop goes over. The result may be that of the value itself:
// it must not be changed.
func (b *budget) items(v any) (list, error) {
	switch v := v.(type) {
	case list:
		return v, nil
	case tuple:
		return list(v), nil
	case isoDate:
		return list(v.tuple()), b.spend(3 * itemSize)
	case *dict:
		all, err := b.texts(v.keys)
		if err != nil {
			return nil, err
		}
		return all.(list), nil
	case string:
		return b.characters(v)
	case undefined:
		if v.soft {
			return nil, nil
		}
		return nil, v
	}
	return nil, fmt.Errorf("%s cannot be gone over", typeName(v))
}

// characters are those of a string, each a string.
func (b *budget) characters(s string) (list, error) {
	n, err := b.length(s)
	if err != nil {
		return nil, err
	}
	if err := b.spendEach(n, stringSize+8); err != nil {
		return nil, err
	}
	out := make(list, 0, n)
	for _, r := range s {
		out = append(out, string(r))
	}
	return out, nil
}

// arguments are those of a call.
type arguments struct {
	positional []any
	named      map[string]any
}

// take sorts the arguments of a call into the given parameters. A parameter
// that was not given is left undefined{}; one whose name ends in "!" must be
// given.
func (a arguments) take(name string, parameters ...string) ([]any, error) {
	if len(a.positional) > len(parameters) {
		return nil, fmt.Errorf("%s takes %d arguments at most", name, len(parameters))
	}
	out := make([]any, len(parameters))
	used := 0
	for i, p := range parameters {
		p, required := strings.CutSuffix(p, "!")
		named, ok := a.named[p]
		switch {
		case i < len(a.positional) && ok:
			return nil, fmt.Errorf("%s: argument %s is given twice", name, p)
		case i < len(a.positional):
			out[i] = a.positional[i]
		case ok:
			out[i] = named
			used++
		case required:
			return nil, fmt.Errorf("%s: argument %s is missing", name, p)
		default:
			out[i] = undefined{}
		}
	}
	if used < len(a.named) {
		for _, k := range slices.Sorted(maps.Keys(a.named)) {
			if !slices.Contains(parameters, k) && !slices.Contains(parameters, k+"!") {
				return nil, fmt.Errorf("%s has no argument %s", name, clip(k, 40))
			}
		}
	}
	return out, nil
}

// given reports whether an optional argument was given.
func given(v any) bool {
	_, ok := v.(undefined)
	return !ok
}

// stringOr and intOr read optional arguments.
func stringOr(v any, otherwise string) (string, error) {
	if !given(v) {
		return otherwise, nil
	}
	if s, ok := v.(string); ok {
		return s, nil
	}
	return "", fmt.Errorf("expected a string, not %s", typeName(v))
}

func intOr(v any, otherwise int64) (int64, error) {
	if !given(v) {
		return otherwise, nil
	}
	if n, ok := asInt(v); ok {
		return n, nil
	}
	return 0, fmt.Errorf("expected an integer, not %s", typeName(v))
}

func boolOr(v any, otherwise bool) (bool, error) {
	if !given(v) {
		return otherwise, nil
	}
	return truth(v)
}
