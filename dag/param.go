package dag

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
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

// Check says whether a run may be asked for with this value of the param. It
// checks the schema's type, enum, const, minimum, maximum, exclusiveMinimum,
// exclusiveMaximum, minLength, maxLength, pattern, and the formats date, time and
// date-time; other words of JSON Schema are not looked at. The default itself always passes,
// since a form sends it back untouched. The error is an [ErrInvalid] that names
// the param and what is wanted, never the value.
func (p Param) Check(value any) error {
	if value == nil && p.Required() {
		const reason = "it has no default, so a run must give it a value"
		return fmt.Errorf("%w param %s: %s", ErrInvalid, clip(p.Name), reason)
	}
	if reflect.DeepEqual(value, p.Default) || len(p.Schema) == 0 {
		return nil
	}
	if reason := p.checkSchema(value); reason != "" {
		return fmt.Errorf("%w param %s: %s", ErrInvalid, clip(p.Name), reason)
	}
	return nil
}

// checkSchema says which rule of the schema a value breaks, "" when none.
func (p Param) checkSchema(value any) string {
	reason := p.checkAllowed(value)
	if reason == "" {
		switch v := value.(type) {
		case string:
			reason = p.checkText(v)
		case bool, nil, []any, map[string]any:
		default:
			if n, ok := number(v); ok {
				reason = p.checkNumber(n)
			}
		}
	}
	return reason
}

func (p Param) checkAllowed(value any) string {
	if !hasType(value, p.Schema["type"]) {
		return fmt.Sprintf("the value must be of type %s", strings.Join(schemaTypes(p.Schema["type"]), " or "))
	}
	if allowed, ok := p.Schema["enum"].([]any); ok {
		for _, a := range allowed {
			if equalJSON(a, value) {
				return ""
			}
		}
		return "the value must be one of " + listed(allowed)
	}
	if c, ok := p.Schema["const"]; ok && !equalJSON(c, value) {
		return fmt.Sprintf("the value must be %s, the constant of the schema", shown(c))
	}
	return ""
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

func (p Param) checkText(s string) string {
	length := float64(utf8.RuneCountInString(s))
	if low, ok := number(p.Schema["minLength"]); ok && length < low {
		return fmt.Sprintf("the text must have at least %v characters", low)
	}
	if high, ok := number(p.Schema["maxLength"]); ok && length > high {
		return fmt.Sprintf("the text must have at most %v characters", high)
	}
	if pattern, ok := p.Schema["pattern"].(string); ok {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return "the schema's pattern is not understood"
		}
		if !re.MatchString(s) {
			return "the text must match the pattern " + clip(pattern)
		}
	}
	format, _ := p.Schema["format"].(string)
	return checkFormat(format, s)
}

func checkFormat(format, s string) string {
	var layouts []string
	example := ""
	switch format {
	case "date":
		layouts, example = []string{time.DateOnly}, "2026-01-31"
	case "date-time":
		layouts, example = []string{time.RFC3339}, "2026-01-31T05:00:00Z"
	case "time":
		layouts, example = []string{"15:04:05Z07:00", time.TimeOnly}, "05:00:00"
	default:
		return ""
	}
	for _, layout := range layouts {
		if _, err := time.Parse(layout, s); err == nil {
			return ""
		}
	}
	return fmt.Sprintf("the text must be a %s such as %s", format, example)
}

func (p Param) checkNumber(n float64) string {
	if low, ok := number(p.Schema["minimum"]); ok && n < low {
		return fmt.Sprintf("the number must be at least %v", low)
	}
	if high, ok := number(p.Schema["maximum"]); ok && n > high {
		return fmt.Sprintf("the number must be at most %v", high)
	}
	if low, ok := number(p.Schema["exclusiveMinimum"]); ok && n <= low {
		return fmt.Sprintf("the number must be greater than %v", low)
	}
	if high, ok := number(p.Schema["exclusiveMaximum"]); ok && n >= high {
		return fmt.Sprintf("the number must be less than %v", high)
	}
	return ""
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
		n, ok := number(value)
		return ok && (t == "number" || t == "integer" && n == math.Trunc(n))
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

// equalJSON compares as JSON does: 1 and 1.0 are the same.
func equalJSON(a, b any) bool {
	x, isNumber := number(a)
	y, alsoNumber := number(b)
	if isNumber && alsoNumber {
		return x == y
	}
	return reflect.DeepEqual(a, b)
}
