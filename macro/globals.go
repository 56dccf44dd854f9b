package macro

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// globals are the functions that a template may call by name.
var globals = map[string]*function{
	"dict":      {name: "dict", call: dictOf},
	"namespace": {name: "namespace", call: namespaceOf},
	"range":     {name: "range", call: rangeOf},
}

// namespace is Jinja's: an object whose attributes {% set %} may change, also from
// within a loop. It has no text, and is equal to itself alone, so that nothing follows
// it into itself.
type namespace struct{ dict }

func (n *namespace) attribute(name string) (any, bool) {
	v, ok := n.values[name]
	return v, ok
}

func namespaceOf(e *evaluation, a arguments) (any, error) {
	d, err := e.dictOf("namespace", a)
	if err != nil {
		return nil, err
	}
	return &namespace{*d}, nil
}

func dictOf(e *evaluation, a arguments) (any, error) {
	d, err := e.dictOf("dict", a)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// dictOf makes a new dict of a dict or of pairs, and of arguments by their names.
func (e *evaluation) dictOf(name string, a arguments) (*dict, error) {
	if len(a.positional) > 1 {
		return nil, fmt.Errorf("%s takes one value, and others by their names", name)
	}
	d := newDict()
	if len(a.positional) == 1 {
		pairs, err := e.pairs(a.positional[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, pair := range pairs {
			d.set(pair.key, pair.value)
		}
	}
	if err := e.spendEach(len(a.named), pairSize); err != nil {
		return nil, err
	}
	for _, k := range slices.Sorted(maps.Keys(a.named)) {
		d.set(k, a.named[k])
	}
	return d, nil
}

// pair is a key of a dict and its value.
type pair struct {
	key   string
	value any
}

// pairs reads a dict, or a list of keys and values, and charges for a dict of them.
func (e *evaluation) pairs(v any) ([]pair, error) {
	all, err := e.items(v)
	if err != nil {
		return nil, err
	}
	if err := e.spendEach(len(all)+1, 2*pairSize); err != nil {
		return nil, err
	}
	d, isDict := v.(*dict)
	out := make([]pair, len(all))
	for i, item := range all {
		if isDict {
			out[i] = pair{d.keys[i], d.values[d.keys[i]]}
		} else {
			parts, err := e.items(item)
			if err != nil {
				return nil, err
			}
			if len(parts) != 2 {
				return nil, errors.New("expected pairs of a key and a value")
			}
			key, ok := parts[0].(string)
			if !ok {
				return nil, errDictKey(parts[0])
			}
			out[i] = pair{key, parts[1]}
		}
		if err := e.touch(2 * len(out[i].key)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func errDictKey(v any) error {
	return fmt.Errorf("a key of a dict must be a string, not %s", typeName(v))
}

func rangeOf(e *evaluation, a arguments) (any, error) {
	if len(a.positional) < 1 || len(a.positional) > 3 || len(a.named) > 0 {
		return nil, errors.New("range takes one to three integers")
	}
	n := [3]int64{0, 0, 1}
	for i, v := range a.positional {
		k, ok := asInt(v)
		if !ok {
			return nil, errors.New("range takes one to three integers")
		}
		n[i] = k
	}
	start, stop, step := n[0], n[1], n[2]
	if len(a.positional) == 1 {
		start, stop = 0, n[0]
	}
	if step == 0 {
		return nil, errors.New("range: the step is zero")
	}
	count := rangeLength(start, stop, step)
	if count > maxRange {
		return nil, errRangeSize
	}
	if err := e.spendEach(int(count), itemSize+8); err != nil {
		return nil, err
	}
	out := make(list, count)
	for i := range out {
		out[i] = start + int64(i)*step
	}
	return out, nil
}

// rangeLength is how many numbers range makes.
func rangeLength(start, stop, step int64) uint64 {
	switch {
	case step > 0 && start < stop:
		return (uint64(stop)-uint64(start)-1)/uint64(step) + 1
	case step < 0 && start > stop:
		return (uint64(start)-uint64(stop)-1)/-uint64(step) + 1
	}
	return 0
}

// macros are the functions of Airflow's macros that need no clock and no
// randomness.
var macros = &object{name: "macros", attribute: tableOf("macros", map[string]any{
	"ds_add":                   &function{"macros.ds_add", dsAdd},
	"ds_format":                &function{"macros.ds_format", dsFormat},
	"ds_format_locale":         &function{"macros.ds_format_locale", dsFormatLocale},
	"datetime_diff_for_humans": &function{"macros.datetime_diff_for_humans", datetimeDiff},
	"timedelta":                &function{"macros.timedelta", timedeltaOf},
	"dateutil": &object{name: "macros.dateutil", attribute: tableOf("macros.dateutil", map[string]any{
		"parser": &object{name: "macros.dateutil.parser", attribute: tableOf("macros.dateutil.parser", map[string]any{
			"parse":    &function{"macros.dateutil.parser.parse", dateutilParse},
			"isoparse": &function{"macros.dateutil.parser.isoparse", isoParse},
		})},
		"relativedelta": &object{name: "macros.dateutil.relativedelta",
			attribute: tableOf("macros.dateutil.relativedelta", relativedeltaNames())},
	})},
	"datetime": &object{name: "macros.datetime", attribute: tableOf("macros.datetime", map[string]any{
		"__call__":      &function{"macros.datetime", datetime},
		"strptime":      &function{"macros.datetime.strptime", datetimeStrptime},
		"strftime":      &function{"macros.datetime.strftime", datetimeStrftime},
		"fromisoformat": &function{"macros.datetime.fromisoformat", datetimeISO},
	})},
	"json": &object{name: "macros.json", attribute: tableOf("macros.json", map[string]any{
		"dumps": &function{"macros.json.dumps", jsonDumps},
		"loads": &function{"macros.json.loads", func(e *evaluation, a arguments) (any, error) {
			args, err := a.take("macros.json.loads", "s!")
			if err != nil {
				return nil, err
			}
			s, err := stringOr(args[0], "")
			if err != nil {
				return nil, err
			}
			return e.parseJSON(s)
		}},
	})},
})}

// tableOf makes the attributes of an object of a table. What Airflow has beside
// it reads a clock or makes random values.
func tableOf(owner string, table map[string]any) func(string) (any, bool, error) {
	return func(name string) (any, bool, error) {
		v, ok := table[name]
		if !ok {
			switch name {
			case "time", "uuid", "random", "now", "utcnow", "today", "tz", "rrule", "easter", "zoneinfo", "fromtimestamp", "utcfromtimestamp":
				return nil, false, fmt.Errorf("%s.%s is not available: it reads a clock, makes random values or needs "+
					"what is not there", owner, name)
			}
		}
		return v, ok, nil
	}
}

// jsonDumps is Python's json.dumps.
func jsonDumps(e *evaluation, a arguments) (any, error) {
	args, err := a.take("macros.json.dumps", "obj!", "indent", "sort_keys")
	if err != nil {
		return nil, err
	}
	sorted, err := boolOr(args[2], false)
	if err != nil {
		return nil, err
	}
	return e.json(args[0], args[1], !sorted, true)
}

func dsAdd(_ *evaluation, a arguments) (any, error) {
	args, err := a.take("macros.ds_add", "ds!", "days!")
	if err != nil {
		return nil, err
	}
	ds, err1 := stringOr(args[0], "")
	days, err2 := intOr(args[1], 0)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("macros.ds_add: %w", err)
	}
	t, err := time.Parse("2006-01-02", clip(ds, 20))
	if err != nil {
		return nil, errors.New("macros.ds_add: expected a date as 2006-01-31")
	}
	if max(days, -days) > 4_000_000 || days == math.MinInt64 {
		return nil, errRange
	}
	t = t.AddDate(0, 0, int(days))
	return t.Format("2006-01-02"), inYears(t)
}

func dsFormat(e *evaluation, a arguments) (any, error) {
	args, err := a.take("macros.ds_format", "ds!", "input_format!", "output_format!")
	if err != nil {
		return nil, err
	}
	var s [3]string
	for i, v := range args {
		if s[i], err = stringOr(v, ""); err != nil {
			return nil, fmt.Errorf("macros.ds_format: %w", err)
		}
	}
	m, err := e.strptime(s[0], s[1])
	if err != nil {
		return nil, fmt.Errorf("macros.ds_format: %w", err)
	}
	return e.strftime(m, s[2])
}

// dsFormatLocale writes a date in the pattern of Unicode's CLDR, in English.
func dsFormatLocale(e *evaluation, a arguments) (any, error) {
	args, err := a.take("macros.ds_format_locale", "ds!", "input_format!", "output_format!", "locale")
	if err != nil {
		return nil, err
	}
	ds, err1 := stringOr(args[0], "")
	input, err2 := stringOr(args[1], "")
	output, err3 := stringOr(args[2], "")
	if err := errors.Join(err1, err2, err3, checkLocale(args[3])); err != nil {
		return nil, fmt.Errorf("macros.ds_format_locale: %w", err)
	}
	m, err := e.strptime(ds, input)
	if err != nil {
		return nil, fmt.Errorf("macros.ds_format_locale: %w", err)
	}
	return e.cldrFormat(m, output)
}

func datetimeDiff(e *evaluation, a arguments) (any, error) {
	args, err := a.take("macros.datetime_diff_for_humans", "dt!", "since")
	if err != nil {
		return nil, err
	}
	m, ok := args[0].(moment)
	if !ok {
		return nil, fmt.Errorf("macros.datetime_diff_for_humans: expected a datetime, not %s", typeName(args[0]))
	}
	m.class = dateTime
	v, err := diffForHumans(e, m, arguments{positional: args[1:]})
	if err != nil {
		return nil, fmt.Errorf("macros.datetime_diff_for_humans: %w", err)
	}
	return v, nil
}

// relativedeltaNames are those of dateutil's module of that name.
func relativedeltaNames() map[string]any {
	names := map[string]any{"relativedelta": &function{"relativedelta", relativedelta}}
	for i, name := range weekdayNames {
		names[name] = weekdayOf{day: int64(i) + 1}
	}
	return names
}

func timedeltaOf(_ *evaluation, a arguments) (any, error) {
	args, err := a.take("macros.timedelta", "days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks")
	if err != nil {
		return nil, err
	}
	units := []time.Duration{24 * time.Hour, time.Second, time.Microsecond, time.Millisecond, time.Minute, time.Hour,
		7 * 24 * time.Hour}
	total := int64(0)
	for i, v := range args {
		if !given(v) {
			continue
		}
		f, ok := asFloat(v)
		if !ok {
			return nil, fmt.Errorf("macros.timedelta: expected a number, not %s", typeName(v))
		}
		us := math.RoundToEven(f * float64(units[i]/time.Microsecond))
		if math.Abs(us) >= math.MaxInt64/1000 {
			return nil, errRange
		}
		sum, err := integers(tokens.Addition, total, int64(us)*1000)
		if err != nil {
			return nil, err
		}
		total = sum.(int64)
	}
	return span{d: time.Duration(total)}, nil
}

// datetime makes one of Python's own. It has a zone only when tzinfo gives one.
func datetime(_ *evaluation, a arguments) (any, error) {
	args, err := a.take("macros.datetime", "year!", "month!", "day!", "hour", "minute", "second", "microsecond", "tzinfo")
	if err != nil {
		return nil, err
	}
	p := momentParts{1, 1, 1}
	for i, v := range args[:7] {
		if given(v) && v == nil {
			return nil, errors.New("macros.datetime: expected an integer, not None")
		}
		if err := p.set(partNames[i], v); err != nil {
			return nil, fmt.Errorf("macros.datetime: %w", err)
		}
	}
	t, err := p.time()
	if err != nil {
		return nil, fmt.Errorf("macros.datetime: %w", err)
	}
	switch z := args[7].(type) {
	case zone:
		return moment{onWall(t, z.loc, 0), pythonDateTime, false}, nil
	case nil, undefined:
		return moment{t, pythonDateTime, true}, nil
	}
	return nil, fmt.Errorf("macros.datetime: expected a time zone such as logical_date.tz, not %s", typeName(args[7]))
}

func datetimeStrptime(e *evaluation, a arguments) (any, error) {
	args, err := a.take("macros.datetime.strptime", "date_string!", "format!")
	if err != nil {
		return nil, err
	}
	value, err1 := stringOr(args[0], "")
	format, err2 := stringOr(args[1], "")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	m, err := e.strptime(value, format)
	if err != nil {
		return nil, fmt.Errorf("macros.datetime.strptime: %w", err)
	}
	return m, nil
}

func datetimeStrftime(e *evaluation, a arguments) (any, error) {
	args, err := a.take("macros.datetime.strftime", "dt!", "format!")
	if err != nil {
		return nil, err
	}
	m, ok := args[0].(moment)
	if !ok || m.class.isDate() {
		return nil, fmt.Errorf("macros.datetime.strftime: expected a datetime, not %s", typeName(args[0]))
	}
	return strftimeMethod(e, m, arguments{positional: args[1:]})
}

// datetimeISO reads the ISO forms of a date, with a time of day and an offset or without.
func datetimeISO(e *evaluation, a arguments) (any, error) {
	args, err := a.take("macros.datetime.fromisoformat", "date_string!")
	if err != nil {
		return nil, err
	}
	m, err := e.isoDate(args[0])
	if err != nil {
		return nil, fmt.Errorf("macros.datetime.fromisoformat: %w", err)
	}
	return m, nil
}

func isoParse(e *evaluation, a arguments) (any, error) {
	args, err := a.take("macros.dateutil.parser.isoparse", "dt_str!")
	if err != nil {
		return nil, err
	}
	m, err := e.isoDate(args[0])
	if err != nil {
		return nil, fmt.Errorf("macros.dateutil.parser.isoparse: %w", err)
	}
	return m, nil
}

func add(e *evaluation, a, b any) (any, error) { return e.operate(tokens.Addition, "+", a, b) }
