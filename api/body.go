package api

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
)

// body is a request's JSON object. Its methods take one field each and collect
// the faults; err tells them, unknown fields last, as FastAPI does.
type body struct {
	fields map[string]any
	known  map[string]bool // those that the operation declares; nil knows all
	used   map[string]bool
	faults []fieldError
}

func readBody(c echo.Context) (*body, error) {
	value, err := readJSON(c.Response(), c.Request())
	if err != nil {
		return nil, err
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return nil, invalid(fieldError{
			Type: "model_attributes_type", Loc: []any{"body"}, Input: value,
			Msg: "Input should be a valid dictionary or object to extract fields from",
		})
	}
	op, known := declared(c)
	return &body{fields: fields, known: names(op.body, known), used: map[string]bool{}}, nil
}

// err says what is wrong with the fields that were taken, and refuses those
// that were not.
func (b *body) err() error {
	for _, name := range slices.Sorted(maps.Keys(b.fields)) {
		if !b.used[name] || b.known != nil && !b.known[name] {
			b.fault("extra_forbidden", "Extra inputs are not permitted", b.fields[name], name)
		}
	}
	if len(b.faults) > 0 {
		return invalid(b.faults...)
	}
	return nil
}

func (b *body) fault(kind, msg string, input any, name string) {
	b.faults = append(b.faults, fieldError{Type: kind, Loc: []any{"body", name}, Msg: msg, Input: input})
}

// take returns a field that is there and not null.
func (b *body) take(name string) (any, bool) {
	b.used[name] = true
	v, ok := b.fields[name]
	return v, ok && v != nil
}

// has reports whether a field is there, even as null.
func (b *body) has(name string) bool {
	_, ok := b.fields[name]
	return ok
}

// require faults a field that is not there; null is there.
func (b *body) require(name string) {
	if !b.has(name) {
		b.faults = append(b.faults, missing(b.fields, "body", name))
	}
}

// text takes a text of at most most characters (0: any number).
func (b *body) text(name string, most int) string {
	v, ok := b.take(name)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	switch {
	case !ok:
		b.fault("string_type", "Input should be a valid string", v, name)
	case strings.ContainsRune(s, 0):
		b.fault("value_error", "Value error, a NUL character is not permitted", v, name)
	case most > 0 && utf8.RuneCountInString(s) > most:
		b.faults = append(b.faults, fieldError{
			Type: "string_too_long", Loc: []any{"body", name}, Input: v,
			Msg: fmt.Sprintf("String should have at most %d characters", most), Ctx: map[string]any{"max_length": most},
		})
	}
	return s
}

// choice takes a text that must be one of a fixed set.
func (b *body) choice(name string, allowed ...string) string {
	v, ok := b.take(name)
	if !ok {
		return ""
	}
	s, _ := v.(string)
	if !slices.Contains(allowed, s) {
		b.faults = append(b.faults, oneOf("enum", v, allowed, "body", name))
	}
	return s
}

// boolean takes a truth value, false when it is absent.
func (b *body) boolean(name string) bool { return b.flag(name, false) }

// orNull takes a truth value that may be null.
func (b *body) orNull(name string) bool {
	if _, ok := b.take(name); !ok {
		return false
	}
	return b.flag(name, false)
}

// flag takes a truth value; null is none.
func (b *body) flag(name string, whenAbsent bool) bool {
	v, ok := b.take(name)
	if !ok {
		if b.has(name) {
			b.fault("bool_type", "Input should be a valid boolean", nil, name)
		}
		return whenAbsent
	}
	switch t := v.(type) {
	case bool:
		return t
	case string:
		if parsed, ok := parseBool(t); ok {
			return parsed
		}
	case int:
		if t == 0 || t == 1 {
			return t == 1
		}
	default:
		b.fault("bool_type", "Input should be a valid boolean", v, name)
		return false
	}
	b.faults = append(b.faults, boolParsing(v, "body", name))
	return false
}

// number takes a whole number that is not negative.
func (b *body) number(name string, whenAbsent int) int {
	v, ok := b.take(name)
	if !ok {
		return whenAbsent
	}
	n, ok := v.(int)
	switch {
	case !ok:
		b.fault("int_type", "Input should be a valid integer", v, name)
	case n < 0:
		b.faults = append(b.faults, fieldError{
			Type: "greater_than_equal", Loc: []any{"body", name}, Input: v,
			Msg: "Input should be greater than or equal to 0", Ctx: map[string]any{"ge": 0},
		})
	case n > math.MaxInt32: // of a database
		b.faults = append(b.faults, fieldError{
			Type: "less_than_equal", Loc: []any{"body", name}, Input: v,
			Msg: fmt.Sprintf("Input should be less than or equal to %d", math.MaxInt32), Ctx: map[string]any{"le": math.MaxInt32},
		})
	}
	return min(max(n, 0), math.MaxInt32)
}

// texts takes a list of texts; nil when it is absent or null.
func (b *body) texts(name string) []string {
	v, ok := b.take(name)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		b.fault("list_type", "Input should be a valid list", v, name)
	}
	texts := make([]string, len(list))
	for i, e := range list {
		if texts[i], ok = e.(string); !ok || !storable(texts[i]) {
			b.faults = append(b.faults,
				fieldError{Type: "string_type", Loc: []any{"body", name, i}, Msg: "Input should be a valid string", Input: e})
		}
	}
	return texts
}

// choices takes a list of texts out of a fixed set.
func (b *body) choices(name string, allowed ...string) []string {
	all := b.texts(name)
	for i, v := range all {
		if !slices.Contains(allowed, v) {
			b.faults = append(b.faults, oneOf("enum", v, allowed, "body", name, i))
		}
	}
	return all
}

// between is query.between for fields.
func (b *body) between(name string) (from, to time.Time) { return timeBounds(b.time, name) }

// span is query.span for fields.
func (b *body) span(name string) (least, most time.Duration) { return spanBounds(b.seconds, name) }

func (b *body) seconds(name string) time.Duration {
	v, ok := b.take(name)
	if !ok {
		return 0
	}
	n, ok := v.(float64)
	if whole, isWhole := v.(int); isWhole {
		n, ok = float64(whole), true
	}
	if !ok || !(n >= 0) || n > maxSeconds {
		b.fault("float_type", "Input should be a valid number of seconds", v, name)
		return 0
	}
	return time.Duration(n * float64(time.Second)).Truncate(time.Microsecond)
}

// meaning notes a fault of the body as a whole.
func (b *body) meaning(msg string) {
	b.faults = append(b.faults, fieldError{
		Type: "value_error", Loc: []any{"body"}, Input: b.fields,
		Msg: "Value error, " + msg, Ctx: map[string]any{"error": map[string]any{}},
	})
}

// object takes an object.
func (b *body) object(name string) map[string]any {
	v, ok := b.take(name)
	if !ok {
		return nil
	}
	o, ok := v.(map[string]any)
	if !ok {
		b.fault("dict_type", "Input should be a valid dictionary", v, name)
	}
	return o
}

// time takes a time with an offset.
func (b *body) time(name string) time.Time {
	v, ok := b.take(name)
	if !ok {
		return time.Time{}
	}
	s, ok := v.(string)
	if !ok {
		b.fault("datetime_type", "Input should be a valid datetime", v, name)
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700"} {
		if t, err := time.Parse(layout, strings.Replace(s, " ", "T", 1)); err == nil {
			if dag.CheckLogicalDate(t) != nil {
				b.fault("value_error", "Value error, a date must be within the years 1 to 9999 in UTC", v, name)
				return time.Time{}
			}
			return t.UTC().Truncate(time.Microsecond)
		}
	}
	if _, ok := parseTime(s); ok {
		b.fault("timezone_aware", "Input should have timezone info", v, name)
		return time.Time{}
	}
	b.fault("datetime_from_date_parsing", "Input should be a valid datetime, such as 2026-01-31T00:00:00Z", v, name)
	return time.Time{}
}

// updateMask reads the query parameter that limits a PATCH to some fields.
// FastAPI takes it repeated; a list with commas is read too.
func updateMask(q *query, allowed ...string) []string {
	var mask []string
	for _, v := range q.list("update_mask") {
		mask = append(mask, strings.Split(v, ",")...)
	}
	for _, field := range mask {
		if !slices.Contains(allowed, field) {
			q.refuse(http.StatusBadRequest, "Only `%s` can be updated through the REST API", strings.Join(allowed, "`, `"))
		}
	}
	return mask
}
