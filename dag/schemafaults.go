package dag

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// uncheckedKeywords are the rules of JSON Schema that [Param.Check] does not check. A file
// that has one is wrong: its author counts on the rule. Any other word, such as title, is a
// note for people and no rule.
var uncheckedKeywords = []string{
	"$dynamicRef", "$recursiveRef", "$ref", "additionalItems", "contains", "dependencies", "dependentRequired",
	"dependentSchemas", "else", "if", "maxContains", "maxProperties", "minContains", "minProperties", "patternProperties",
	"prefixItems", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
}

// CheckSchema says what is wrong with a param's JSON Schema: a rule that [Param.Check]
// does not check, or one whose value makes no sense. The error is an [ErrInvalid] that
// names the keyword; key is the one at the top of the schema, where the fault is.
func CheckSchema(schema map[string]any) (key string, err error) {
	for _, key := range slices.Sorted(maps.Keys(schema)) {
		if reason := keywordFault(key, schema[key]); reason != "" {
			return key, fmt.Errorf("%s: %w", reason, ErrInvalid)
		}
	}
	return "", nil
}

// keywordFault says what is wrong with a keyword of a schema, "" when nothing is. The
// file's own limit bounds how deep schemas nest.
func keywordFault(key string, v any) string {
	switch key {
	case "items", "not", "additionalProperties":
		return partFault(key, v)
	case "allOf", "anyOf", "oneOf":
		parts, ok := v.([]any)
		if !ok || len(parts) == 0 {
			return fmt.Sprintf("the keyword %s must be a list of schemas", key)
		}
		return firstFault(parts, func(part any) string { return partFault(key, part) })
	case "properties":
		parts, ok := v.(map[string]any)
		if !ok {
			return "the keyword properties must be a mapping of names to schemas"
		}
		return firstFault(slices.Sorted(maps.Keys(parts)), func(name string) string { return partFault(key, parts[name]) })
	case "required":
		names, ok := v.([]any)
		if !ok || !areTexts(names) {
			return "the keyword required must be a list of names"
		}
	case "type":
		return typeFault(v)
	case "enum":
		if allowed, ok := v.([]any); !ok || len(allowed) == 0 {
			return "the keyword enum must be a list of values"
		}
	case "pattern":
		return patternFault(v)
	case "uniqueItems":
		if _, ok := v.(bool); !ok {
			return "the keyword uniqueItems must be true or false"
		}
	default:
		if slices.Contains(uncheckedKeywords, key) {
			return fmt.Sprintf("the keyword %s of JSON Schema is not supported; those that are checked are %s", key,
				strings.Join(checkedKeywords, ", "))
		}
		return limitFault(key, v)
	}
	return ""
}

// limitFault is what is wrong with a keyword whose value is a number.
func limitFault(key string, v any) string {
	const maxDigits = 100 // bound the work of multipleOf
	n, ok := exactOf(v)
	ok = ok && len(n.digits) <= maxDigits
	switch key {
	case "minItems", "maxItems", "minLength", "maxLength":
		if !ok || n.negative {
			return fmt.Sprintf("the keyword %s must be a number, 0 or more", key)
		}
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
		if !ok {
			return fmt.Sprintf("the keyword %s must be a number", key)
		}
	case "multipleOf":
		if !ok || n.negative || n.digits == "" {
			return "the keyword multipleOf must be a number above 0"
		}
	}
	return ""
}

func areTexts(list []any) bool {
	return !slices.ContainsFunc(list, func(v any) bool { _, ok := v.(string); return !ok })
}

func typeFault(v any) string {
	types, isList := v.([]any)
	if _, isText := v.(string); !isText && (!isList || len(types) == 0 || len(types) > len(jsonTypes)) {
		return "the keyword type must be a type or a list of types"
	}
	for _, t := range schemaTypes(v) {
		if !contains(jsonTypes, t) {
			return fmt.Sprintf("unknown type %s; JSON Schema has %v", clip(t), jsonTypes)
		}
	}
	return ""
}

// partFault is what is wrong with a schema within the keyword of another.
func partFault(key string, v any) string {
	if _, ok := v.(bool); ok {
		return ""
	}
	schema, ok := v.(map[string]any)
	if !ok {
		return fmt.Sprintf("the keyword %s must be a schema: a mapping, true or false", key)
	}
	return firstFault(slices.Sorted(maps.Keys(schema)), func(key string) string { return keywordFault(key, schema[key]) })
}

// firstFault is the first fault that there is, "" when there is none.
func firstFault[T any](list []T, fault func(T) string) string {
	for _, e := range list {
		if reason := fault(e); reason != "" {
			return reason
		}
	}
	return ""
}

// pattern is a regular expression with its size: how many states it may be in at once.
type pattern struct {
	*regexp.Regexp
	size int
}

// The limits of a pattern: bytes, and states with all repetitions written out.
const (
	maxPattern     = 1000
	maxPatternSize = 10_000
)

func patternFault(v any) string {
	source, ok := v.(string)
	if !ok {
		return "the keyword pattern must be a text"
	}
	_, err := parsePattern(source)
	switch {
	case errors.Is(err, errLargePattern):
		return fmt.Sprintf("the pattern is too large: it may have %d bytes, and few repetitions", maxPattern)
	case err != nil:
		return "the pattern is not understood: " + clip(err.Error())
	}
	return ""
}

var errLargePattern = errors.New("the pattern is too large")

// parsePattern reads a pattern and measures it, which costs little of what compiling it does.
func parsePattern(source string) (size int, err error) {
	if len(source) > maxPattern {
		return 0, errLargePattern
	}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return 0, err
	}
	if size = patternSize(tree); size > maxPatternSize {
		return 0, errLargePattern
	}
	return size, nil
}

func compilePattern(source string) (*pattern, error) {
	size, err := parsePattern(source)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(source)
	return &pattern{re, size}, err
}

// patternSize is an upper bound of a pattern's states, cut where it is too many.
func patternSize(tree *syntax.Regexp) int {
	size := 2
	if tree.Op == syntax.OpLiteral {
		size += len(tree.Rune)
	}
	for _, sub := range tree.Sub {
		size += patternSize(sub)
	}
	if tree.Op == syntax.OpRepeat {
		size *= max(1, tree.Min, tree.Max)
	}
	return min(size, maxPatternSize+1)
}
