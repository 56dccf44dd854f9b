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
	"abs":               bare(absolute),
	"capitalize":        textFilter(mapped(capitalize)),
	"count":             bare(lengthFilter),
	"d":                 defaultFilter,
	"default":           defaultFilter,
	"e":                 textFilter(escapeHTML),
	"escape":            textFilter(escapeHTML),
	"first":             bare(func(e *evaluation, v any) (any, error) { return e.end(v, 0) }),
	"float":             toFloat,
	"int":               toInt,
	"items":             bare(itemsFilter),
	"join":              joinFilter,
	"last":              bare(func(e *evaluation, v any) (any, error) { return e.end(v, -1) }),
	"length":            bare(lengthFilter),
	"list":              bare(listFilter),
	"lower":             textFilter(mapped(strings.ToLower)),
	"max":               extreme(1),
	"min":               extreme(-1),
	"replace":           replaceFilter,
	"reverse":           bare(reverse),
	"round":             round,
	"sort":              sortFilter,
	"string":            textFilter(func(_ *budget, s string) (string, error) { return s, nil }),
	"sum":               sum,
	"title":             textFilter(mapped(titleFilter)),
	"tojson":            toJSONFilter,
	"trim":              trimFilter,
	"unique":            unique,
	"upper":             textFilter(mapped(strings.ToUpper)),
	"urlencode":         urlencodeFilter,
}

// bare makes a filter or a test that takes no arguments.
func bare(f func(e *evaluation, v any) (any, error)) builtin {
	return func(e *evaluation, v any, a arguments) (any, error) {
		if _, err := a.take("it"); err != nil {
			return nil, err
		}
		return f(e, v)
	}
}

// dateFilter is one of Airflow's filters for dates; None stays None.
func dateFilter(f func(moment) string) builtin {
	return bare(func(_ *evaluation, v any) (any, error) {
		switch v := v.(type) {
		case nil:
			return nil, nil
		case moment:
			return f(v), nil
		}
		return nil, fmt.Errorf("expected a datetime, not %s", typeName(v))
	})
}

func withoutDashes(s string) string { return dashes.Replace(s) }

var dashes = strings.NewReplacer("-", "", ":", "")

// textFilter makes a filter of a function of a text, which charges what it does.
func textFilter(f func(b *budget, s string) (string, error)) builtin {
	return bare(func(e *evaluation, v any) (any, error) {
		s, err := e.text(v)
		if err != nil {
			return nil, err
		}
		return f(e.budget, s)
	})
}

// mapped charges a function that replaces each character by another.
func mapped(f func(string) string) func(*budget, string) (string, error) {
	return func(b *budget, s string) (string, error) {
		if err := b.touchEach(len(s), 16); err != nil {
			return "", err
		}
		if err := b.spendEach(len(s), 4); err != nil {
			return "", err
		}
		return f(s), nil
	}
}

func escapeHTML(b *budget, s string) (string, error) {
	if err := b.spendEach(len(s), 12); err != nil {
		return "", err
	}
	return html.EscapeString(s), nil
}

func trimFilter(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("trim", "chars")
	if err != nil {
		return nil, err
	}
	s, err := e.text(v)
	if err != nil {
		return nil, err
	}
	return e.strip(s, args[0], strings.TrimFunc)
}

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

var encodeText = textFilter(urlencode)

// urlencodeFilter is for texts alone: of a dict or a list, Jinja makes a query.
func urlencodeFilter(e *evaluation, v any, a arguments) (any, error) {
	switch v.(type) {
	case *dict, list:
		return nil, fmt.Errorf("of a %s it is not supported; write each name and value", typeName(v))
	}
	return encodeText(e, v, a)
}

func urlencode(b *budget, s string) (string, error) {
	if err := b.spendEach(len(s), 12); err != nil {
		return "", err
	}
	return inURL.Replace(url.QueryEscape(s)), nil
}

var inURL = strings.NewReplacer("+", "%20", "%2F", "/", "%7E", "~")

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
	return p.b.String(), nil
}

func lengthFilter(e *evaluation, v any) (any, error) {
	n, err := e.length(v)
	return int64(n), err
}

// end is the first or last item of a sequence.
func (e *evaluation) end(v any, i int64) (any, error) {
	if d, ok := v.(*dict); ok {
		if at, ok := index(i, len(d.keys)); ok {
			return d.keys[at], nil
		}
		return undefinedItem, nil
	}
	found, ok, err := e.at(v, i)
	if ok || err != nil {
		return found, err
	}
	switch v.(type) {
	case list, string:
		return undefinedItem, nil
	}
	return nil, fmt.Errorf("%s cannot be gone over", typeName(v))
}

var undefinedItem = undefined{"there is no such item: the sequence is empty"}

func absolute(_ *evaluation, v any) (any, error) {
	if n, ok := asInt(v); ok && n != math.MinInt64 {
		return max(n, -n), nil
	}
	if f, ok := v.(float64); ok {
		return math.Abs(f), nil
	}
	return nil, fmt.Errorf("expected a number, not %s", typeName(v))
}

func toInt(e *evaluation, v any, a arguments) (any, error) {
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
		if err := e.spendEach(len(s), 4); err != nil {
			return nil, err
		}
		s = strings.TrimSpace(s)
		n, err := strconv.ParseInt(s, 10, 64)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, strconv.ErrRange):
			return nil, errRange
		}
		f, err = strconv.ParseFloat(s, 64)
		ok = err == nil
	}
	switch {
	case !ok || math.IsNaN(f) || math.IsInf(f, 0):
		return otherwise, nil
	case math.Abs(f) >= 1<<63:
		return nil, errRange
	}
	return int64(f), nil
}

func toFloat(e *evaluation, v any, a arguments) (any, error) {
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
		if err := e.spendEach(len(s), 4); err != nil {
			return nil, err
		}
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
		if n, ok := asInt(v); ok {
			return roundInt(n, -precision), nil
		}
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
	return f, nil
}

// roundInt rounds an integer to tens, hundreds and so on, half to even; digits is how
// many become zero.
func roundInt(n, digits int64) int64 {
	unit := int64(1)
	for range max(digits, 0) {
		unit *= 10
	}
	rest := n % unit
	down := n - rest
	switch half := 2 * max(rest, -rest); {
	case half < unit || half == unit && down/unit%2 == 0:
		return down
	case rest < 0:
		return down - unit
	}
	return down + unit
}

func itemsFilter(e *evaluation, v any) (any, error) {
	d, ok := v.(*dict)
	if !ok {
		return nil, fmt.Errorf("expected a dict, not %s", typeName(v))
	}
	return d.items(e)
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
	all, err := e.items(v)
	if err != nil {
		return nil, err
	}
	if err := e.spendEach(len(all), itemSize); err != nil {
		return nil, err
	}
	return slices.Clone(all), nil
}

func listFilter(e *evaluation, v any) (any, error) { return e.copied(v) }

func reverse(e *evaluation, v any) (any, error) {
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

// sortItem is an item and what it is sorted by.
type sortItem struct{ by, item any }

// sortArguments is sortItems for a filter whose only argument is case_sensitive.
func (e *evaluation) sortArguments(v any, a arguments) ([]sortItem, error) {
	args, err := a.take("it", "case_sensitive")
	if err != nil {
		return nil, err
	}
	exact, err := boolOr(args[0], false)
	if err != nil {
		return nil, err
	}
	return e.sortItems(v, exact)
}

// sortItems are the items of v, without regard to case unless exact.
func (e *evaluation) sortItems(v any, exact bool) ([]sortItem, error) {
	all, err := e.items(v)
	if err != nil {
		return nil, err
	}
	if err := e.spendEach(len(all), 2*itemSize); err != nil {
		return nil, err
	}
	out := make([]sortItem, len(all))
	for i, item := range all {
		by := item
		if !exact {
			if by, err = e.folded(item); err != nil {
				return nil, err
			}
		}
		out[i] = sortItem{by, item}
	}
	return out, nil
}

// folded is what an item counts as where case does not matter.
func (e *evaluation) folded(v any) (any, error) {
	if s, ok := v.(string); ok {
		return mapped(strings.ToLower)(e.budget, s)
	}
	return v, nil
}

var errCompare = errors.New("the items cannot be compared")

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
	all, err := e.sortItems(v, exact)
	if err != nil {
		return nil, err
	}
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

// sort sorts stably. After a fault nothing is compared any more.
func (e *evaluation) sort(all []sortItem, backwards bool) error {
	if err := e.chargeSort(4 * len(all)); err != nil {
		return err
	}
	var fault error
	slices.SortStableFunc(all, func(x, y sortItem) int {
		if fault != nil {
			return 0
		}
		c, ok, err := e.compare(x.by, y.by)
		if fault = err; err == nil && !ok {
			fault = errCompare
		}
		if backwards {
			return -c
		}
		return c
	})
	return fault
}

func extreme(sign int) builtin {
	return func(e *evaluation, v any, a arguments) (any, error) {
		all, err := e.sortArguments(v, a)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			return undefinedItem, nil
		}
		if err := e.touchEach(len(all), 20); err != nil {
			return nil, err
		}
		out := all[0]
		for _, next := range all[1:] {
			c, ok, err := e.compare(next.by, out.by)
			if err != nil {
				return nil, err
			}
			if !ok {
				return nil, errCompare
			}
			if c*sign > 0 {
				out = next
			}
		}
		return out.item, nil
	}
}

func sum(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("sum", "attribute", "start")
	if err != nil {
		return nil, err
	}
	if given(args[0]) && args[0] != nil {
		return nil, errors.New("sum of an attribute is not supported")
	}
	all, err := e.items(v)
	if err != nil {
		return nil, err
	}
	if err := e.spendEach(len(all), 32); err != nil {
		return nil, err
	}
	var total any = int64(0)
	if given(args[1]) {
		total = args[1]
	}
	for _, item := range all {
		if total, err = add(e, total, item); err != nil {
			return nil, err
		}
	}
	return total, nil
}

// unique keeps the first of those that are equal, without regard to case unless told so.
func unique(e *evaluation, v any, a arguments) (any, error) {
	all, err := e.sortArguments(v, a)
	if err != nil {
		return nil, err
	}
	if err := e.spendEach(len(all), pairSize); err != nil {
		return nil, err
	}
	seen := map[any]bool{}
	out := list{}
	for _, next := range all {
		key, ok := identity(next.by)
		if !ok {
			return nil, errCompare
		}
		if s, ok := key.(string); ok {
			if err := e.touch(2 * len(s)); err != nil {
				return nil, err
			}
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, next.item)
		}
	}
	return out, nil
}

// identity is a value that Go compares as Python compares v, which must be one
// that Python can hash.
func identity(v any) (any, bool) {
	if n, ok := asInt(v); ok {
		return n, true
	}
	switch v := v.(type) {
	case nil, string, longNumber:
		return v, true
	case float64:
		if n := int64(v); float64(n) == v && math.Abs(v) < 1<<62 {
			return n, true
		}
		return v, true
	case moment:
		return v.t.UTC(), true
	case span:
		return v.d, true
	}
	return nil, false
}
