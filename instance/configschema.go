package instance

import (
	"reflect"
	"strings"
	"time"

	"dagwright/auth"
	"dagwright/generator"
	"dagwright/shape"
)

// ConfigSchema is a JSON Schema of the configuration file, made from the types and the table
// by which [ReadConfig] reads it. A file that it takes can still be wrong: what an address or
// a name must be like in full, which keys must be there and which go together, ReadConfig says.
func ConfigSchema() shape.Shape {
	return shape.File("dagwright's configuration of an instance", sectionShape("", reflect.TypeFor[Config]()), nil)
}

// sectionShape is what configFile.section checks. A section whose keys are all commented out
// is null.
func sectionShape(path string, t reflect.Type) shape.Shape {
	keys := map[string]shape.Shape{}
	for _, field := range fieldsOf(t) {
		keys[field.key] = valueShape(joinKey(path, field.key), field.of)
	}
	return shape.Section(keys).OrNull()
}

// valueShape is what configFile.value checks.
func valueShape(path string, t reflect.Type) shape.Shape {
	s := kindShape(path, t)
	if want := ruleOf(path).want; want != "" {
		s = s.Described(strings.ToUpper(want[:1]) + want[1:] + ".")
	}
	return s
}

func kindShape(path string, t reflect.Type) shape.Shape {
	rule := ruleOf(path)
	switch {
	case t == reflect.TypeFor[authConfig]():
		return shape.Any(shape.Words("none"), sectionShape(path, t).With("type", "object"))
	case t == reflect.TypeFor[groupList]():
		return shape.Any(shape.Words("any"), listShape(rule))
	case t == reflect.TypeFor[ruleList]():
		return auth.RuleListShape()
	case t.Kind() == reflect.Struct:
		return sectionShape(path, t)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return shape.List(sectionShape(path, t.Elem()))
	case t.Kind() == reflect.Slice:
		return listShape(rule)
	case t.Kind() == reflect.Map:
		return mappingShape(path, path, t.Elem())
	}
	return scalarShape(t, rule)
}

func listShape(rule configValue) shape.Shape {
	s := shape.List(textShape(configValue{words: rule.words}))
	if !rule.empty {
		s = s.With("minItems", 1)
	}
	return s
}

func mappingShape(path, key string, of reflect.Type) shape.Shape {
	var values shape.Shape
	switch rule := ruleOf(key); of.Kind() {
	case reflect.Map:
		values = mappingShape(joinKey(path, "*"), key, of.Elem())
	case reflect.Slice:
		values = listShape(rule)
	case reflect.Struct:
		values = sectionShape(joinKey(path, "*"), of)
	default:
		values = scalarShape(of, rule)
	}
	s := shape.Mapping(values)
	if !ruleOf(key).empty {
		s = s.With("minProperties", 1)
	}
	return s
}

// textShape takes any scalar: a text needs no quotes.
func textShape(rule configValue) shape.Shape {
	words := rule.words
	switch {
	case words != nil && rule.empty:
		return shape.Words(append([]string{""}, words...)...)
	case words != nil:
		return shape.Words(words...)
	case rule.empty:
		return shape.Scalar()
	}
	return shape.Scalar().With("minLength", 1)
}

// goTime is a time as time.ParseDuration reads it.
const goTime = `[-+]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+`

// scalarShape is what scalarOf takes.
func scalarShape(t reflect.Type, rule configValue) shape.Shape {
	zero := shape.Shape{"const": 0}
	switch t {
	case reflect.TypeFor[time.Duration]():
		return shape.Text("^" + goTime + "$")
	case reflect.TypeFor[keepTime]():
		return shape.Any(zero, shape.Text("^([0-9]+d|[-+]?0|"+goTime+")$"))
	case reflect.TypeFor[variableText](): // what var.json reads may be any JSON
		return shape.Of("string", "number", "boolean", "array", "object")
	case reflect.TypeFor[generator.Duration]():
		return shape.Any(zero, shape.Text("^([0-9]{1,9}(s|m|h|d)|0)$"))
	case reflect.TypeFor[byteCount]():
		amount := shape.Text(`^[-+]?[0-9.]+([kKMGTPE]i?|[num]|[eE][-+]?[0-9]+)?$`)
		return shape.Any(shape.Of("number").With("minimum", 0), amount)
	}
	switch t.Kind() {
	case reflect.Bool: // with YAML 1.1's words
		return shape.Shape{"enum": []any{true, false, "y", "Y", "yes", "on", "n", "N", "no", "off"}}
	case reflect.Int:
		least := 1
		if rule.zero {
			least = 0
		}
		return shape.Whole(least, maxConfigNumber)
	case reflect.Float64:
		return shape.Of("number").With("exclusiveMinimum", 0).With("maximum", maxConfigNumber)
	}
	return textShape(rule)
}
