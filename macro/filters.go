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

// filters are Airflow's own and those of Jinja that are pure.
var filters map[string]builtin

func init() { // map and select reach the table through the evaluation
	filters = map[string]builtin{
		"ds":                dateFilter(func(m moment) string { return m.t.Format("2006-01-02") }),
		"ds_nodash":         dateFilter(func(m moment) string { return m.t.Format("20060102") }),
		"ts":                dateFilter(func(m moment) string { return m.isoformat("T") }),
		"ts_nodash":         dateFilter(func(m moment) string { return m.t.Format("20060102T150405") }),
		"ts_nodash_with_tz": dateFilter(func(m moment) string { return withoutDashes(m.isoformat("T")) }),
		"abs":               bare(absolute),
		"attr":              attrFilter,
		"batch":             batch,
		"capitalize":        textFilter(mapped(capitalize)),
		"center":            center,
		"count":             bare(lengthFilter),
		"d":                 defaultFilter,
		"default":           defaultFilter,
		"dictsort":          dictSort,
		"e":                 textFilter(escapeHTML),
		"escape":            textFilter(escapeHTML),
		"filesizeformat":    fileSize,
		"first":             bare(func(e *evaluation, v any) (any, error) { return e.end(v, 0) }),
		"float":             toFloat,
		"forceescape":       textFilter(escapeHTML),
		"format":            formatFilter,
		"groupby":           groupBy,
		"indent":            indentFilter,
		"int":               toInt,
		"items":             bare(itemsFilter),
		"join":              joinFilter,
		"last":              bare(func(e *evaluation, v any) (any, error) { return e.end(v, -1) }),
		"length":            bare(lengthFilter),
		"list":              bare(listFilter),
		"lower":             textFilter(mapped(strings.ToLower)),
		"map":               mapFilter,
		"pprint":            pretty,
		"max":               extreme(1),
		"min":               extreme(-1),
		"reject":            selected(false, false),
		"rejectattr":        selected(true, false),
		"replace":           replaceFilter,
		"reverse":           bare(reverse),
		"round":             round,
		"safe":              textFilter(func(_ *budget, s string) (string, error) { return s, nil }),
		"select":            selected(false, true),
		"selectattr":        selected(true, true),
		"slice":             sliceFilter,
		"sort":              sortFilter,
		"string":            textFilter(func(_ *budget, s string) (string, error) { return s, nil }),
		"striptags":         textFilter(stripTags),
		"sum":               sum,
		"title":             textFilter(mapped(titleFilter)),
		"tojson":            toJSONFilter,
		"trim":              trimFilter,
		"truncate":          truncate,
		"unique":            unique,
		"upper":             textFilter(mapped(strings.ToUpper)),
		"urlencode":         urlencodeFilter,
		"wordcount":         textCount,
		"wordwrap":          wordWrap,
		"xmlattr":           xmlAttributes,
	}
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

// urlencodeFilter makes a query of a dict or a list.
func urlencodeFilter(e *evaluation, v any, a arguments) (any, error) {
	switch v.(type) {
	case *dict, list, tuple:
		return e.query(v, a)
	}
	return encodeText(e, v, a)
}

// query is "name=value&…" of a dict or of pairs.
func (e *evaluation) query(v any, a arguments) (any, error) {
	if _, err := a.take("it"); err != nil {
		return nil, err
	}
	if d, ok := v.(*dict); ok {
		var err error
		if v, err = d.items(e); err != nil {
			return nil, err
		}
	}
	all, err := e.items(v)
	if err != nil {
		return nil, err
	}
	out := builder{b: e.budget}
	for i, item := range all {
		parts, err := e.items(item)
		if err != nil {
			return nil, err
		}
		if len(parts) != 2 {
			return nil, errors.New("expected pairs of a name and a value")
		}
		for j, part := range parts {
			text, err := e.text(part)
			if err != nil {
				return nil, err
			}
			if text, err = urlencode(e.budget, text); err != nil {
				return nil, err
			}
			lead := "="
			if j == 0 {
				lead = "&"
			}
			if i+j == 0 {
				lead = ""
			}
			if err := out.add(lead + inQuery.Replace(text)); err != nil {
				return nil, err
			}
		}
	}
	return out.s.String(), nil
}

func urlencode(b *budget, s string) (string, error) {
	if err := b.spendEach(len(s), 12); err != nil {
		return "", err
	}
	return inURL.Replace(url.QueryEscape(s)), nil
}

var inQuery = strings.NewReplacer("/", "%2F", "%20", "+")

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
	return e.json(v, args[0], false, false)
}

// json writes JSON, on one line or indented, with keys in their order or sorted. Where it
// is to stand in HTML, < > & ' are escaped unless raw.
func (e *evaluation) json(v, indention any, inOrder, raw bool) (any, error) {
	if indention == nil {
		indention = undefined{}
	}
	indent, err := intOr(indention, 0)
	if err != nil || indent < 0 || indent > 16 {
		return nil, errors.New("indent must be an integer from 0 to 16")
	}
	p := printer{e: e, indent: int(indent), inOrder: inOrder, raw: raw}
	if err := p.toJSON(v, 0); err != nil {
		return nil, err
	}
	return p.b.String(), nil
}

// pretty is Python's repr, of what it does not lay out in lines.
func pretty(e *evaluation, v any, a arguments) (any, error) {
	if _, err := a.take("pprint"); err != nil {
		return nil, err
	}
	s, err := e.represented(v)
	if err == nil && len(s) > 80 {
		err = errors.New("it is for values of 80 characters at most; use tojson(indent=2)")
	}
	return s, err
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
	case list, tuple, string:
		return undefinedItem, nil
	}
	return nil, fmt.Errorf("%s cannot be gone over", typeName(v))
}

var undefinedItem = undefined{reason: "there is no such item: the sequence is empty"}

func absolute(_ *evaluation, v any) (any, error) {
	if n, ok := asInt(v); ok && n != math.MinInt64 {
		return max(n, -n), nil
	}
	switch v := v.(type) {
	case float64:
		return math.Abs(v), nil
	case span:
		if v.d < 0 {
			return v.negative(), nil
		}
		return v, nil
	}
	return nil, fmt.Errorf("expected a number, not %s", typeName(v))
}

func toInt(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("int", "default", "base")
	if err != nil {
		return nil, err
	}
	otherwise := args[0]
	if !given(otherwise) {
		otherwise = int64(0)
	}
	base, err := intOr(args[1], 10)
	if err != nil {
		return nil, err
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
		n, err := parseInt(s, base)
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

// parseInt is Python's int(s, base).
func parseInt(s string, base int64) (int64, error) {
	if base != 0 && (base < 2 || base > 36) {
		return 0, strconv.ErrSyntax
	}
	unsigned := strings.TrimLeft(s, "+-")
	sign := s[:len(s)-len(unsigned)]
	prefix := map[int64]string{2: "0b", 8: "0o", 16: "0x"}[base]
	if prefix != "" && strings.HasPrefix(strings.ToLower(unsigned), prefix) {
		unsigned = strings.TrimPrefix(unsigned[2:], "_")
	}
	if base != 0 && validUnderscores(unsigned) {
		unsigned = strings.ReplaceAll(unsigned, "_", "")
	}
	return strconv.ParseInt(sign+unsigned, int(base), 64)
}

// validUnderscores reports whether each one stands between two digits.
func validUnderscores(s string) bool {
	return !strings.HasPrefix(s, "_") && !strings.HasSuffix(s, "_") && !strings.Contains(s, "__")
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
	args, err := a.take("join", "d", "attribute")
	if err != nil {
		return nil, err
	}
	between := ""
	if given(args[0]) {
		if between, err = e.text(args[0]); err != nil {
			return nil, err
		}
	}
	if v, err = e.mapped(v, args[1]); err != nil {
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

// sortArguments is sortItems for a filter whose arguments are case_sensitive and attribute.
func (e *evaluation) sortArguments(v any, a arguments) ([]sortItem, error) {
	args, err := a.take("it", "case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	exact, err := boolOr(args[0], false)
	if err != nil {
		return nil, err
	}
	return e.sortItems(v, exact, args[1])
}

// sortItems are the items of v, by an attribute when one is given, without regard to
// case unless exact.
func (e *evaluation) sortItems(v any, exact bool, by any) ([]sortItem, error) {
	all, err := e.items(v)
	if err != nil {
		return nil, err
	}
	if err := e.spendEach(len(all), 2*itemSize); err != nil {
		return nil, err
	}
	keys, err := e.mapped(all, by)
	if err != nil {
		return nil, err
	}
	out := make([]sortItem, len(all))
	for i, key := range keys {
		if !exact {
			if key, err = e.folded(key); err != nil {
				return nil, err
			}
		}
		out[i] = sortItem{key, all[i]}
	}
	return out, nil
}

// folded is what an item counts as where case does not matter.
func (e *evaluation) folded(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return mapped(strings.ToLower)(e.budget, v)
	case tuple: // of several attributes
		if err := e.spendEach(len(v), itemSize); err != nil {
			return nil, err
		}
		if err := e.deeper(); err != nil {
			return nil, err
		}
		defer e.shallower()
		out := make(tuple, len(v))
		for i, item := range v {
			var err error
			if out[i], err = e.folded(item); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

var errCompare = errors.New("the items cannot be compared")

// sortFilter sorts as Jinja does, without regard to case unless asked.
func sortFilter(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("sort", "reverse", "case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	backwards, err1 := boolOr(args[0], false)
	exact, err2 := boolOr(args[1], false)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	all, err := e.sortItems(v, exact, args[2])
	if err != nil {
		return nil, err
	}
	return e.sorted(all, backwards)
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
	all, err := e.mapped(v, args[0])
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
		key, err := e.identity(next.by)
		if err != nil {
			return nil, err
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
func (e *evaluation) identity(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return v, e.touch(2 * len(v))
	case tuple:
		text, err := e.represented(v) // 1 and True are apart here, unlike Python's
		return tupleText(text), err
	}
	key, ok := simpleIdentity(v)
	if !ok {
		return nil, errCompare
	}
	return key, nil
}

// tupleText is the text of a tuple, as a key.
type tupleText string

func simpleIdentity(v any) (any, bool) {
	if n, ok := asInt(v); ok {
		return n, true
	}
	switch v := v.(type) {
	case nil, longNumber:
		return v, true
	case float64:
		if n := int64(v); float64(n) == v && math.Abs(v) < 1<<62 {
			return n, true
		}
		return v, true
	case moment:
		v.t = v.t.UTC()
		return v, true
	case span:
		return v.d, true
	case clock, zone, delta, weekdayOf:
		return v, true
	}
	return nil, false
}
