package macro

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// globals are the functions that a template may call by name.
var globals = map[string]*function{
	"range": {name: "range", call: rangeOf},
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
	"ds_add":    &function{"macros.ds_add", dsAdd},
	"ds_format": &function{"macros.ds_format", dsFormat},
	"timedelta": &function{"macros.timedelta", timedelta},
	"datetime": &object{name: "macros.datetime", attribute: tableOf("macros.datetime", map[string]any{
		"__call__":      &function{"macros.datetime", datetime},
		"strptime":      &function{"macros.datetime.strptime", datetimeStrptime},
		"fromisoformat": &function{"macros.datetime.fromisoformat", datetimeISO},
	})},
	"json": &object{name: "macros.json", attribute: tableOf("macros.json", map[string]any{
		"dumps": &function{"macros.json.dumps", func(e *evaluation, a arguments) (any, error) {
			args, err := a.take("macros.json.dumps", "obj!")
			if err != nil {
				return nil, err
			}
			p := printer{e: e}
			if err := p.toJSON(args[0], 0); err != nil {
				return nil, err
			}
			return p.b.String(), nil
		}},
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
			case "time", "uuid", "random", "now", "utcnow", "today", "dateutil", "datetime_diff_for_humans", "datetime64", "hive":
				return nil, false, fmt.Errorf("%s.%s is not available", owner, name)
			}
		}
		return v, ok, nil
	}
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
	t, err := e.strptime(s[0], s[1])
	if err != nil {
		return nil, fmt.Errorf("macros.ds_format: %w", err)
	}
	return e.strftime(t, s[2])
}

func timedelta(_ *evaluation, a arguments) (any, error) {
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

// datetime makes a moment in UTC, unlike Python's, which has no zone.
func datetime(_ *evaluation, a arguments) (any, error) {
	args, err := a.take("macros.datetime", "year!", "month!", "day!", "hour", "minute", "second", "microsecond")
	if err != nil {
		return nil, err
	}
	var n [7]int
	limits := [7][2]int64{{minYear, maxYear}, {1, 12}, {1, 31}, {0, 23}, {0, 59}, {0, 59}, {0, 999_999}}
	for i, v := range args {
		k, err := intOr(v, 0)
		if err != nil || k < limits[i][0] || k > limits[i][1] {
			return nil, errors.New("macros.datetime: a part of the date is out of its range")
		}
		n[i] = int(k)
	}
	if n[2] > daysIn(n[0], time.Month(n[1])) {
		return nil, errors.New("macros.datetime: a part of the date is out of its range")
	}
	return moment{time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], n[6]*1000, time.UTC)}, nil
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
	t, err := e.strptime(value, format)
	return moment{t}, err
}

func datetimeISO(_ *evaluation, a arguments) (any, error) {
	args, err := a.take("macros.datetime.fromisoformat", "date_string!")
	if err != nil {
		return nil, err
	}
	value, err := stringOr(args[0], "")
	if err != nil {
		return nil, err
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.RFC3339Nano,
		"2006-01-02 15:04:05Z07:00"} {
		if t, err := time.Parse(layout, clip(value, 80)); err == nil {
			return moment{t.Truncate(time.Microsecond)}, nil
		}
	}
	return nil, errors.New("macros.datetime.fromisoformat: the text is not a date")
}

func add(e *evaluation, a, b any) (any, error) { return e.operate(tokens.Addition, "+", a, b) }
