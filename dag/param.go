package dag

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// jsonTypes are the types that a JSON Schema can name.
var jsonTypes = []string{"string", "number", "integer", "boolean", "array", "object", "null"}

// CheckParams says whether a run of a DAG with these params may be asked for with a conf:
// each value that it gives passes [Param.Check], and each param that it leaves out has a
// default or needs none. The error is an [ErrInvalid] that names the first wrong param.
func CheckParams(params []Param, conf map[string]any) error {
	for _, p := range params {
		value, given := conf[p.Name]
		if !given && p.Default != nil {
			continue // its default was accepted with the file
		}
		if err := p.Check(value); err != nil {
			return err
		}
	}
	return nil
}

// Required reports whether a run must give the param a value: it has no default, or its
// default is null and its type does not allow that. One without a type allows it.
func (p Param) Required() bool {
	return p.Default == nil && (p.NoDefault || !hasType(nil, p.Schema["type"]))
}

// Check says whether a run may be asked for with this value of the param, null when it
// gives none. It checks the rules of JSON Schema in checkedKeywords, and the formats date,
// time, date-time, email, uri and uuid; a file with another rule is wrong. Numbers are
// compared digit by digit, and 1 equals 1.0. The default itself always passes, since a
// form sends it back untouched. The error is an [ErrInvalid] that names the param and what
// is wanted, never the value.
func (p Param) Check(value any) error {
	if value == nil && p.Required() {
		const reason = "it has no default, so a run must give it a value"
		return fmt.Errorf("%w param %s: %s", ErrInvalid, clip(p.Name), reason)
	}
	if reflect.DeepEqual(value, p.Default) || len(p.Schema) == 0 {
		return nil
	}
	if reason := checkValue(p.Schema, value); reason != "" {
		return fmt.Errorf("%w param %s: %s", ErrInvalid, clip(p.Name), reason)
	}
	return nil
}

// listed names values of a schema for a message: the first ten, each cut.
func listed(values []any) string {
	const most = 10
	var names []string
	for _, v := range values[:min(len(values), most)] {
		names = append(names, shown(v))
	}
	text := strings.Join(names, ", ")
	if more := len(values) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// shown is a value of a schema in a message: as JSON, or quoted and cut when it is long.
func shown(value any) string {
	const most = 80
	text, err := confText(value)
	if err != nil { // a number that JSON does not have
		text = fmt.Sprint(value)
	}
	if _, isText := value.(string); isText || len(text) > most {
		return clip(text)
	}
	return text
}

// schemaTypes gives a schema's type, a string or a list of them, as a list.
func schemaTypes(t any) []string {
	switch t := t.(type) {
	case string:
		return []string{t}
	case []any:
		types := make([]string, 0, len(t))
		for _, e := range t {
			types = append(types, fmt.Sprint(e))
		}
		return types
	}
	return nil
}

func hasType(value, t any) bool {
	types := schemaTypes(t)
	if len(types) == 0 {
		return true
	}
	for _, t := range types {
		if isType(value, t) {
			return true
		}
	}
	return false
}

func isType(value any, t string) bool {
	switch value := value.(type) {
	case nil:
		return t == "null"
	case string:
		return t == "string"
	case bool:
		return t == "boolean"
	case []any:
		return t == "array"
	case map[string]any:
		return t == "object"
	default:
		n, ok := exactOf(value)
		return ok && (t == "number" || t == "integer" && n.isWhole())
	}
}

// number reads the kinds of number that YAML and JSON decoders give.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}
