package api

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dagwright/dag"
)

// types turns Go types into JSON Schemas. Named structs become components, to
// which the schemas refer.
type types struct{ named, refusals schema }

func newTypes() *types { return &types{schema{}, schema{}} }

// of is the schema of a value's type.
func (t *types) of(v any) schema {
	if list, ok := v.(emptyList); ok {
		properties := schema{}
		for name := range list {
			properties[name] = kind("array")
		}
		properties["total_entries"] = kind("integer")
		return schema{"type": "object", "properties": properties, "required": slices.Sorted(maps.Keys(properties))}
	}
	values, ok := v.(either)
	if !ok {
		return t.schema(reflect.TypeOf(v))
	}
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = t.of(v)
	}
	return schema{"anyOf": all}
}

var (
	timestampType = reflect.TypeFor[timestamp]()
	timeType      = reflect.TypeFor[time.Time]()
)

// enums are the texts that have a fixed set of values.
var enums = map[reflect.Type][]string{
	reflect.TypeFor[dag.RunState](): runStates(),
	reflect.TypeFor[dag.RunType]():  {string(dag.RunScheduled), string(dag.RunManual), string(dag.RunBackfill)},
}

func (t *types) schema(of reflect.Type) schema {
	switch of {
	case timestampType:
		return schema{"type": []string{"string", "null"}, "format": "date-time"}
	case timeType:
		return schema{"type": "string", "format": "date-time"}
	}
	if values, ok := enums[of]; ok {
		return schema{"type": "string", "enum": values}
	}
	switch of.Kind() {
	case reflect.Pointer:
		return orNothing(t.schema(of.Elem()))
	case reflect.String:
		return kind("string")
	case reflect.Bool:
		return kind("boolean")
	case reflect.Int, reflect.Int64:
		return kind("integer")
	case reflect.Float64:
		return kind("number")
	case reflect.Slice:
		// No answer has a nil list but where null is Airflow's answer.
		return schema{"type": []string{"array", "null"}, "items": t.schema(of.Elem())}
	case reflect.Map:
		return schema{"type": []string{"object", "null"}, "additionalProperties": t.schema(of.Elem())}
	case reflect.Struct:
		return t.structure(of)
	}
	return schema{} // any value
}

func orNothing(s schema) schema { return schema{"anyOf": []any{s, kind("null")}} }

// structure is a reference to a struct's component, or, for one without a name,
// its schema.
func (t *types) structure(of reflect.Type) schema {
	name := componentName(of.Name())
	if name == "" {
		return t.object(of)
	}
	if _, ok := t.named[name]; !ok {
		t.named[name] = schema{} // a type that holds itself ends here
		t.named[name] = t.object(of)
	}
	return schema{"$ref": "#/components/schemas/" + name}
}

// componentName is "RunResponse" for runAnswer.
func componentName(name string) string {
	if base, ok := strings.CutSuffix(name, "Answer"); ok {
		name = base + "Response"
	}
	first, size := utf8.DecodeRuneInString(name)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + name[size:]
}

func (t *types) object(of reflect.Type) schema {
	properties, needed := schema{}, []string{}
	t.fields(of, func(name string, field schema, always bool) {
		properties[name] = field
		if always {
			needed = append(needed, name)
		}
	})
	return schema{"type": "object", "properties": properties, "required": needed, "additionalProperties": false}
}

// fields calls fn with each JSON field of a struct, those of embedded structs
// among them.
func (t *types) fields(of reflect.Type, fn func(name string, field schema, always bool)) {
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Anonymous {
			t.fields(f.Type, fn)
			continue
		}
		tag, ok := f.Tag.Lookup("json")
		if !ok || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		fn(name, t.schema(f.Type), !strings.Contains(options, "omit"))
	}
}
