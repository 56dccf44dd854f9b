package importer

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// mapping is a mapping of YAML in its order. Its values are nil, bool, json.Number,
// string, []any and mapping.
type mapping []field

// field is one key of a mapping.
type field struct {
	key   string
	value any
}

func (m mapping) get(key string) any {
	for _, f := range m {
		if f.key == key {
			return f.value
		}
	}
	return nil
}

func (m mapping) has(key string) bool {
	return slices.ContainsFunc(m, func(f field) bool { return f.key == key })
}

func (m mapping) without(key string) mapping {
	return slices.DeleteFunc(slices.Clone(m), func(f field) bool { return f.key == key })
}

// set puts a value under a key, at the end if the key is not there.
func (m mapping) set(key string, value any) mapping {
	for i := range m {
		if m[i].key == key {
			out := slices.Clone(m)
			out[i].value = value
			return out
		}
	}
	return append(m, field{key, value})
}

// The classes of the dialect that are written.
const (
	typeKey         = "__type__"
	argsKey         = "__args__"
	timedeltaClass  = "datetime.timedelta"
	secretClass     = "airflow.providers.cncf.kubernetes.secret.Secret"
	paramClass      = "airflow.sdk.Param"
	kubernetesClass = "kubernetes.client.models."
)

// unknownText stands for a value that is not known.
const unknownText = "CHANGE_ME"

// converter turns values of Python into a tree of YAML. missing is called with what is not
// known, at which unknownText stands; a place without a line is the caller's.
type converter struct {
	missing func(at place, source, why string)
}

// plain turns any value into a tree.
func (c converter) plain(v any) any {
	switch v := v.(type) {
	case []any:
		return c.list(v)
	case dict:
		return c.mapping(v)
	case call:
		return c.object(v)
	case delta:
		return timedelta(v)
	case moment:
		return v.text()
	case named:
		return c.name(string(v))
	case relative:
		c.missing(v.at, v.source, "it changes from day to day")
		return unknownText
	case unknown:
		c.missing(v.at, v.source, v.why)
		return unknownText
	case aTask:
		c.missing(place{}, "the result of a task", "a task here passes no value on to another")
		return unknownText
	}
	return v
}

// name is the last part of a constant of Airflow, or of a function, which no spec takes.
func (c converter) name(path string) any {
	module, _, dotted := strings.Cut(path, ".")
	if dotted && module != "airflow" && module != "kubernetes" && module != "builtins" {
		c.missing(place{}, path, "its module is not beside the file")
		return unknownText
	}
	return lastPart(path)
}

func (c converter) list(values []any) []any {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = c.plain(v)
	}
	return list
}

func (c converter) mapping(d dict) mapping {
	m := make(mapping, 0, len(d))
	for _, e := range d {
		m = append(m, field{c.text(e.key), c.plain(e.value)})
	}
	return m
}

// text is what str() of Python gives for a scalar.
func (c converter) text(v any) string {
	switch v := c.plain(v).(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "True"
		}
		return "False"
	case nil:
		return ""
	}
	c.missing(place{}, "a list or mapping", "a text is wanted")
	return unknownText
}

// lastPart is the last name of a path: TriggerRule.ALL_DONE and its value are ALL_DONE.
func lastPart(path string) string {
	path = strings.TrimSuffix(path, ".value")
	return path[strings.LastIndexByte(path, '.')+1:]
}

// text writes a moment as dag-factory reads dates.
func (m moment) text() string { return strings.TrimSuffix(m.wall, "T00:00:00") }

// timedelta writes a duration in the largest unit that divides it.
func timedelta(d delta) mapping {
	micro := int64(d)
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"days", 24 * time.Hour}, {"hours", time.Hour}, {"minutes", time.Minute}, {"seconds", time.Second}} {
		if size := unit.size.Microseconds(); micro%size == 0 && (micro != 0 || unit.name == "seconds") {
			return mapping{{typeKey, timedeltaClass}, {unit.name, number(micro / size)}}
		}
	}
	return mapping{{typeKey, timedeltaClass}, {"microseconds", number(micro)}}
}

func number(n int64) json.Number {
	text, _ := json.Marshal(n) // a whole number cannot fail
	return json.Number(text)
}
