package dag

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// checkedKeywords are the rules of JSON Schema that [Param.Check] checks.
var checkedKeywords = []string{
	"additionalProperties", "allOf", "anyOf", "const", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "items",
	"maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "multipleOf", "not", "oneOf", "pattern",
	"properties", "required", "type", "uniqueItems",
}

// maxSchemaSteps bounds the work of one check. A step is a schema applied to a value, an
// allowed value, a key, or some bytes of a text. A pattern costs what it may take: its
// size for each byte of the text.
const (
	maxSchemaSteps = 1 << 19
	stepText       = 64
)

// schemaCheck is one check of a value against a schema, or of all defaults of a file.
type schemaCheck struct {
	steps    int
	patterns map[string]*pattern
	// asides counts the schemas around the one that is checked whose reasons nobody reads.
	asides int
}

// checkValue says how a value breaks a schema, "" when it does not.
func checkValue(schema map[string]any, value any) string {
	c := &schemaCheck{}
	reason := c.check(schema, value)
	if c.spent(0) {
		reason = "the value takes too long to check against the schema"
	}
	return reason
}

// spent takes steps, and reports whether there are none left.
func (c *schemaCheck) spent(steps int) bool {
	if c.steps <= maxSchemaSteps {
		c.steps += steps
	}
	return c.steps > maxSchemaSteps
}

// check says how a value breaks a schema, "" when it does not or no steps are left.
func (c *schemaCheck) check(schema map[string]any, value any) string {
	if c.spent(1) {
		return ""
	}
	reason := c.checkAllowed(schema, value)
	if reason == "" {
		switch v := value.(type) {
		case string:
			reason = c.checkText(schema, v)
		case []any:
			reason = c.checkList(schema, v)
		case map[string]any:
			reason = c.checkObject(schema, v)
		default:
			reason = c.checkNumber(schema, v)
		}
	}
	if reason == "" {
		reason = c.checkCombined(schema, value)
	}
	return reason
}

// checkPart checks a part of a value against a schema within a schema, which may also be
// true or false, for any value or none.
func (c *schemaCheck) checkPart(schema, value any) string {
	switch schema := schema.(type) {
	case bool:
		if !schema {
			return "it is not allowed"
		}
	case map[string]any:
		return c.check(schema, value)
	}
	return ""
}

func (c *schemaCheck) checkAllowed(schema map[string]any, value any) string {
	if !hasType(value, schema["type"]) {
		if c.asides > 0 {
			return "it is not allowed"
		}
		return fmt.Sprintf("the value must be of type %s", strings.Join(schemaTypes(schema["type"]), " or "))
	}
	if allowed, ok := schema["enum"].([]any); ok && !c.isOneOf(value, allowed) {
		if c.asides > 0 {
			return "it is not allowed"
		}
		return "the value must be one of " + listed(allowed)
	}
	if constant, ok := schema["const"]; ok && !c.isOneOf(value, []any{constant}) {
		if c.asides > 0 {
			return "it is not allowed"
		}
		return fmt.Sprintf("the value must be %s, the constant of the schema", shown(constant))
	}
	return ""
}

func (c *schemaCheck) isOneOf(value any, allowed []any) bool {
	text := c.canonical(value)
	return slices.ContainsFunc(allowed, func(a any) bool { return c.spent(1) || c.canonical(a) == text })
}

// canonical writes a value so that equal ones are equal texts, as JSON Schema has it: 1
// and 1.0 are the same number. When no steps are left it writes nothing.
func (c *schemaCheck) canonical(value any) string {
	var b strings.Builder
	c.write(&b, value)
	return b.String()
}

func (c *schemaCheck) write(b *strings.Builder, value any) {
	before := b.Len()
	switch v := value.(type) {
	case string:
		if !c.spent(len(v) / stepText) {
			b.WriteString(strconv.Quote(v))
		}
	case []any:
		b.WriteByte('[')
		for _, item := range v {
			c.write(b, item)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for _, key := range slices.Sorted(maps.Keys(v)) {
			c.write(b, key)
			b.WriteByte(':')
			c.write(b, v[key])
			b.WriteByte(',')
		}
		b.WriteByte('}')
	default:
		if n, ok := exactOf(v); ok {
			fmt.Fprintf(b, "%t %s %d", n.negative, n.digits, n.exponent)
			break
		}
		fmt.Fprint(b, v)
	}
	c.spent((b.Len() - before) / stepText)
}

func (c *schemaCheck) checkText(schema map[string]any, s string) string {
	if c.spent(len(s) / stepText) {
		return ""
	}
	length := float64(utf8.RuneCountInString(s))
	if low, ok := number(schema["minLength"]); ok && length < low {
		return fmt.Sprintf("the text must have at least %s characters", shown(schema["minLength"]))
	}
	if high, ok := number(schema["maxLength"]); ok && length > high {
		return fmt.Sprintf("the text must have at most %s characters", shown(schema["maxLength"]))
	}
	if source, ok := schema["pattern"].(string); ok {
		p, err := c.compile(source)
		switch {
		case err != nil:
			return "the schema's pattern is not understood"
		case c.spent(p.size * (1 + len(s)) / stepText):
			return ""
		case !p.MatchString(s):
			return "the text must match the pattern " + clip(source)
		}
	}
	format, _ := schema["format"].(string)
	return checkFormat(format, s)
}

func (c *schemaCheck) compile(source string) (*pattern, error) {
	if p := c.patterns[source]; p != nil {
		return p, nil
	}
	p, err := compilePattern(source)
	if err == nil {
		c.spent(p.size)
		if c.patterns == nil {
			c.patterns = map[string]*pattern{}
		}
		c.patterns[source] = p
	}
	return p, err
}

// uuidText is a UUID as people write it.
var uuidText = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// emailText is what Airflow takes for an address, less blanks.
var emailText = regexp.MustCompile(`^[^\s@]+@[^\s@]+$`)

func checkFormat(format, s string) string {
	var layouts []string
	example, fits := "", false
	switch format {
	case "date":
		layouts, example = []string{time.DateOnly}, "2026-01-31"
	case "date-time":
		layouts, example = []string{time.RFC3339}, "2026-01-31T05:00:00Z"
	case "time":
		layouts, example = []string{"15:04:05Z07:00", time.TimeOnly}, "05:00:00"
	case "email":
		if !emailText.MatchString(s) {
			return "the text must be an email address such as ann@example.com"
		}
		return ""
	case "uri":
		u, err := url.Parse(s)
		example, fits = "https://example.com/path", err == nil && u.IsAbs() && !strings.ContainsAny(s, " \t\n")
	case "uuid":
		example, fits = "123e4567-e89b-12d3-a456-426614174000", uuidText.MatchString(s)
	default:
		return ""
	}
	for _, layout := range layouts {
		_, err := time.Parse(layout, s)
		fits = fits || err == nil
	}
	if fits {
		return ""
	}
	return fmt.Sprintf("the text must be a %s such as %s", format, example)
}

// checkNumber checks a number; what is none, as true or null, has no rules here.
func (c *schemaCheck) checkNumber(schema map[string]any, value any) string {
	n, ok := exactOf(value)
	if !ok || c.spent(len(n.digits)/stepText) {
		return ""
	}
	for _, rule := range []struct {
		key, reason string
		fits        func(limit exactNumber) bool
	}{
		{key: "minimum", reason: "the number must be at least %s", fits: n.isAtLeast},
		{key: "maximum", reason: "the number must be at most %s", fits: n.isAtMost},
		{key: "exclusiveMinimum", reason: "the number must be greater than %s", fits: n.isAbove},
		{key: "exclusiveMaximum", reason: "the number must be less than %s", fits: n.isBelow},
		{key: "multipleOf", reason: "the number must be a multiple of %s", fits: n.isMultiple},
	} {
		if limit, ok := exactOf(schema[rule.key]); ok && !rule.fits(limit) {
			return fmt.Sprintf(rule.reason, shown(schema[rule.key]))
		}
	}
	return ""
}

func (c *schemaCheck) checkList(schema map[string]any, list []any) string {
	length := float64(len(list))
	if low, ok := number(schema["minItems"]); ok && length < low {
		return fmt.Sprintf("the list must have at least %s items", shown(schema["minItems"]))
	}
	if high, ok := number(schema["maxItems"]); ok && length > high {
		return fmt.Sprintf("the list must have at most %s items", shown(schema["maxItems"]))
	}
	if schema["uniqueItems"] == true {
		if i := c.repeated(list); i > 0 {
			return fmt.Sprintf("item %d is in the list already, and each must be there once", i)
		}
	}
	items, ok := schema["items"]
	if !ok {
		return ""
	}
	for i, item := range list {
		if reason := c.checkPart(items, item); reason != "" {
			return fmt.Sprintf("item %d: %s", i+1, reason)
		}
	}
	return ""
}

// repeated counts to the first item that equals an earlier one, 0 when none does.
func (c *schemaCheck) repeated(list []any) int {
	seen := make(map[string]bool, len(list))
	for i, item := range list {
		text := c.canonical(item)
		if c.spent(1) {
			return 0
		}
		if seen[text] {
			return i + 1
		}
		seen[text] = true
	}
	return 0
}

func (c *schemaCheck) checkObject(schema, object map[string]any) string {
	required, _ := schema["required"].([]any)
	if c.spent(len(required) + len(object)) {
		return ""
	}
	for _, key := range required {
		if name, ok := key.(string); ok {
			if _, given := object[name]; !given {
				return fmt.Sprintf("the key %s is missing", clip(name))
			}
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	others, closed := schema["additionalProperties"]
	if properties == nil && !closed {
		return ""
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		part, known := properties[key]
		if !known {
			part = others
		}
		if reason := c.checkPart(part, object[key]); reason != "" {
			return fmt.Sprintf("the key %s: %s", clip(key), reason)
		}
	}
	return ""
}

func (c *schemaCheck) checkCombined(schema map[string]any, value any) string {
	all, _ := schema["allOf"].([]any)
	for _, part := range all {
		if reason := c.checkPart(part, value); reason != "" {
			return reason
		}
	}
	if parts, ok := schema["anyOf"].([]any); ok && c.fitting(parts, value) == 0 {
		return "the value fits none of the schemas of anyOf"
	}
	if parts, ok := schema["oneOf"].([]any); ok {
		if n := c.fitting(parts, value); n != 1 {
			return fmt.Sprintf("the value must fit one of the schemas of oneOf, and fits %d", n)
		}
	}
	if part, ok := schema["not"]; ok && c.fitting([]any{part}, value) == 1 {
		return "the value must not fit the schema of not"
	}
	return ""
}

// fitting counts the schemas that a value fits.
func (c *schemaCheck) fitting(parts []any, value any) int {
	c.asides++
	defer func() { c.asides-- }()
	n := 0
	for _, part := range parts {
		if c.spent(1) {
			break
		}
		if c.checkPart(part, value) == "" {
			n++
		}
	}
	return n
}
