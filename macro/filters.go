package macro

import (
	"errors"
	"fmt"
	"html"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// builtin is a filter or a test: v is what stands before it.
type builtin func(e *evaluation, v any, a arguments) (any, error)

// filters are Airflow's own and the everyday ones of Jinja.
var filters = map[string]builtin{
	"ds":                dateFilter(func(m moment) string { return m.t.Format("2006-01-02") }),
	"ds_nodash":         dateFilter(func(m moment) string { return m.t.Format("20060102") }),
	"ts":                dateFilter(func(m moment) string { return m.isoformat("T") }),
	"ts_nodash":         dateFilter(func(m moment) string { return m.t.Format("20060102T150405") }),
	"ts_nodash_with_tz": dateFilter(func(m moment) string { return withoutDashes(m.isoformat("T")) }),
	"abs":               absolute,
	"capitalize":        textFilter(capitalize),
	"count":             lengthFilter,
	"d":                 defaultFilter,
	"default":           defaultFilter,
	"e":                 textFilter(escapeHTML),
	"escape":            textFilter(escapeHTML),
	"first":             func(e *evaluation, v any, _ arguments) (any, error) { return end(v, 0) },
	"float":             toFloat,
	"int":               toInt,
	"items":             itemsFilter,
	"join":              joinFilter,
	"last":              func(e *evaluation, v any, _ arguments) (any, error) { return end(v, -1) },
	"length":            lengthFilter,
	"list":              listFilter,
	"lower":             textFilter(strings.ToLower),
	"max":               extreme(1),
	"min":               extreme(-1),
	"replace":           replaceFilter,
	"reverse":           reverse,
	"round":             round,
	"sort":              sortFilter,
	"string":            textFilter(func(s string) string { return s }),
	"sum":               sum,
	"title":             textFilter(titleFilter),
	"tojson":            toJSONFilter,
	"trim":              textFilter(strings.TrimSpace),
	"unique":            unique,
	"upper":             textFilter(strings.ToUpper),
	"urlencode":         textFilter(urlencode),
}

// dateFilter is one of Airflow's filters for dates; None stays None.
func dateFilter(f func(moment) string) builtin {
	return func(_ *evaluation, v any, _ arguments) (any, error) {
		switch v := v.(type) {
		case nil:
			return nil, nil
		case moment:
			return f(v), nil
		}
		return nil, fmt.Errorf("expected a datetime, not %s", typeName(v))
	}
}

func withoutDashes(s string) string { return strings.NewReplacer("-", "", ":", "").Replace(s) }

// textFilter makes a filter of a function whose result is a few times as long
// as its argument at most.
func textFilter(f func(string) string) builtin {
	return func(e *evaluation, v any, _ arguments) (any, error) {
		s, err := e.text(v)
		if err != nil {
			return nil, err
		}
		if err := e.spend(6 * len(s)); err != nil {
			return nil, err
		}
		return f(s), nil
	}
}

func escapeHTML(s string) string { return html.EscapeString(s) }

// titleFilter starts a word after white space, a hyphen or an opening bracket,
// unlike the method of that name.
func titleFilter(s string) string {
	start := true
	return strings.Map(func(r rune) rune {
		wasStart := start
		start = unicode.IsSpace(r) || strings.ContainsRune("-({[<", r)
		if wasStart {
			return unicode.ToUpper(r)
		}
		return unicode.ToLower(r)
	}, s)
}

func urlencode(s string) string {
	return strings.NewReplacer("+", "%20", "%2F", "/", "%7E", "~").Replace(url.QueryEscape(s))
}

func defaultFilter(_ *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("default", "default_value", "boolean")
	if err != nil {
		return nil, err
	}
	var otherwise any = ""
	if given(args[0]) {
		otherwise = args[0]
	}
	whenFalse, err := boolOr(args[1], false)
	if err != nil {
		return nil, err
	}
	if !given(v) {
		return otherwise, nil
	}
	if ok, err := truth(v); err != nil || !ok && whenFalse {
		return otherwise, err
	}
	return v, nil
}

func toJSONFilter(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("tojson", "indent")
	if err != nil {
		return nil, err
	}
	if args[0] == nil {
		args[0] = undefined{}
	}
	indent, err := intOr(args[0], 0)
	if err != nil || indent < 0 || indent > 16 {
		return nil, errors.New("indent must be an integer from 0 to 16")
	}
	p := printer{e: e, indent: int(indent)}
	if err := p.toJSON(v, 0); err != nil {
		return nil, err
	}
	return e.made(p.b.String())
}

func lengthFilter(_ *evaluation, v any, _ arguments) (any, error) {
	n, err := length(v)
	return int64(n), err
}

func end(v any, i int64) (any, error) {
	all, err := items(v)
	if err != nil {
		return nil, err
	}
	at, ok := index(i, len(all))
	if !ok {
		return undefined{"there is no such item: the sequence is empty"}, nil
	}
	return all[at], nil
}

func absolute(_ *evaluation, v any, _ arguments) (any, error) {
	if n, ok := asInt(v); ok && n != math.MinInt64 {
		return max(n, -n), nil
	}
	if f, ok := v.(float64); ok {
		return math.Abs(f), nil
	}
	return nil, fmt.Errorf("expected a number, not %s", typeName(v))
}

func toInt(_ *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("int", "default")
	if err != nil {
		return nil, err
	}
	otherwise := args[0]
	if !given(otherwise) {
		otherwise = int64(0)
	}
	if n, ok := asInt(v); ok {
		return n, nil
	}
	f, ok := v.(float64)
	if s, isText := v.(string); isText {
		s = strings.TrimSpace(s)
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, nil
		}
		f, err = strconv.ParseFloat(s, 64)
		ok = err == nil
	}
	if !ok || math.IsNaN(f) || math.Abs(f) >= 1<<63 {
		return otherwise, nil
	}
	return int64(f), nil
}

func toFloat(_ *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("float", "default")
	if err != nil {
		return nil, err
	}
	otherwise := args[0]
	if !given(otherwise) {
		otherwise = 0.0
	}
	if f, ok := asFloat(v); ok {
		return f, nil
	}
	if s, ok := v.(string); ok {
		if f, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
			return f, nil
		}
	}
	return otherwise, nil
}

// round keeps Python's rule: half to even.
func round(_ *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("round", "precision", "method")
	if err != nil {
		return nil, err
	}
	precision, err1 := intOr(args[0], 0)
	method, err2 := stringOr(args[1], "common")
	f, ok := asFloat(v)
	if err1 != nil || err2 != nil || !ok || precision < -15 || precision > 15 {
		return nil, errors.New("expected a number, and a precision from -15 to 15")
	}
	scale := math.Pow10(int(precision))
	switch method {
	case "common":
		if precision >= 0 {
			out, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(precision), 64), 64)
			return out, err
		}
		f = math.RoundToEven(f*scale) / scale
	case "ceil":
		f = math.Ceil(f*scale) / scale
	case "floor":
		f = math.Floor(f*scale) / scale
	default:
		return nil, errors.New("method must be common, ceil or floor")
	}
	if n, ok := asInt(v); ok && precision < 0 && n == int64(f) {
		return int64(f), nil
	}
	return f, nil
}

func itemsFilter(e *evaluation, v any, _ arguments) (any, error) {
	d, ok := v.(*dict)
	if !ok {
		return nil, fmt.Errorf("expected a dict, not %s", typeName(v))
	}
	return d.items(e, arguments{})
}

func joinFilter(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("join", "d")
	if err != nil {
		return nil, err
	}
	between, err := stringOr(args[0], "")
	if err != nil {
		return nil, err
	}
	return e.join(v, between)
}

func replaceFilter(e *evaluation, v any, a arguments) (any, error) {
	s, err := e.text(v)
	if err != nil {
		return nil, err
	}
	return replace(e, s, a)
}

// copied is a list of the items of v that may be changed.
func (e *evaluation) copied(v any) (list, error) {
	all, err := items(v)
	if err != nil {
		return nil, err
	}
	return slices.Clone(all), e.spend(16 * len(all))
}

func listFilter(e *evaluation, v any, _ arguments) (any, error) { return e.copied(v) }

func reverse(e *evaluation, v any, _ arguments) (any, error) {
	all, err := e.copied(v)
	if err != nil {
		return nil, err
	}
	slices.Reverse(all)
	if _, ok := v.(string); ok {
		return e.join(all, "")
	}
	return all, nil
}

// sortFilter sorts as Jinja does, without regard to case unless asked.
func sortFilter(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("sort", "reverse", "case_sensitive")
	if err != nil {
		return nil, err
	}
	backwards, err1 := boolOr(args[0], false)
	exact, err2 := boolOr(args[1], false)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	all, err := e.copied(v)
	if err != nil {
		return nil, err
	}
	comparable := true
	slices.SortStableFunc(all, func(x, y any) int {
		c, ok := compare(folded(x, exact), folded(y, exact))
		comparable = comparable && ok
		if backwards {
			return -c
		}
		return c
	})
	if !comparable {
		return nil, errors.New("the items cannot be compared")
	}
	return all, nil
}

func folded(v any, exact bool) any {
	if s, ok := v.(string); ok && !exact {
		return strings.ToLower(s)
	}
	return v
}

func extreme(sign int) builtin {
	return func(_ *evaluation, v any, _ arguments) (any, error) {
		all, err := items(v)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			return undefined{"there is no such item: the sequence is empty"}, nil
		}
		out := all[0]
		for _, item := range all[1:] {
			c, ok := compare(folded(item, false), folded(out, false))
			if !ok {
				return nil, errors.New("the items cannot be compared")
			}
			if c*sign > 0 {
				out = item
			}
		}
		return out, nil
	}
}

func sum(e *evaluation, v any, _ arguments) (any, error) {
	all, err := items(v)
	if err != nil {
		return nil, err
	}
	var total any = int64(0)
	for _, item := range all {
		if total, err = add(e, total, item); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func unique(e *evaluation, v any, _ arguments) (any, error) {
	all, err := items(v)
	if err != nil {
		return nil, err
	}
	var out list
	for _, item := range all {
		seen := false
		for _, o := range out {
			if seen, err = e.equal(folded(o, false), folded(item, false)); seen || err != nil {
				break
			}
		}
		if err != nil {
			return nil, err
		}
		if !seen {
			out = append(out, item)
		}
	}
	return out, e.spend(16 * len(out))
}
