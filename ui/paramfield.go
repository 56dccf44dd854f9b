package ui

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
)

// ParamField is the form field for one declared param.
type ParamField struct {
	Name        string // of the form field
	Label       string
	Description string
	Kind        string // text, date, number, enum, boolean, json
	Value       string
	Checked     bool
	Options     []string
	Min, Max    string
	Step        string
	MaxLength   string
	Default     string
	Required    bool // it has no default, and cannot do without a value
	Error       string

	param dag.Param
}

// newParamField makes a field that shows the default.
func newParamField(p dag.Param) ParamField {
	f := ParamField{
		Name: "param." + p.Name, Label: p.Name, Description: p.Description, param: p,
		Value: display(p.Default), Default: display(p.Default), Kind: "text",
		Min: display(p.Schema["minimum"]), Max: display(p.Schema["maximum"]), MaxLength: display(p.Schema["maxLength"]),
	}
	f.Checked = f.Value == "true"
	f.Required = p.Required() && f.valueType() != "boolean" // a box that is not ticked says false
	if title, ok := p.Schema["title"].(string); ok {
		f.Label = title
	}
	if options, ok := p.Schema["enum"].([]any); ok {
		f.Kind = "enum"
		for _, o := range options {
			f.Options = append(f.Options, display(o))
		}
		if !slices.Contains(f.Options, f.Value) {
			f.Options = append([]string{f.Value}, f.Options...)
		}
		return f
	}
	switch f.valueType() {
	case "boolean":
		f.Kind = "boolean"
	case "integer":
		f.Kind, f.Step = "number", "1"
	case "number":
		f.Kind, f.Step = "number", "any"
	case "array", "object":
		f.Kind = "json"
	case "string":
		if p.Schema["format"] == "date" {
			f.Kind = "date"
		}
	}
	return f
}

// valueType is the JSON type that the param wants: that of its schema, or that
// of its default.
func (f *ParamField) valueType() string {
	switch t := f.param.Schema["type"].(type) {
	case string:
		return t
	case []any:
		for _, name := range t {
			if name != "null" {
				return fmt.Sprint(name)
			}
		}
	}
	switch f.param.Default.(type) {
	case bool:
		return "boolean"
	case int, int64, uint64, float64, json.Number:
		return "number"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "string"
}

// nullable reports whether no value is a value.
func (f *ParamField) nullable() bool {
	switch t := f.param.Schema["type"].(type) {
	case nil:
		return true
	case string:
		return t == "null"
	case []any:
		return slices.Contains(t, any("null"))
	}
	return false
}

// requireDefault complains when the param has no default and needs a value.
func (f *ParamField) requireDefault(rd *reader) {
	if f.param.Required() {
		f.Error = rd.t("This param has no default: it needs a value.")
	}
}

// read takes what was typed. ok is false when that is the default, which is
// not passed on, or is wrong.
func (f *ParamField) read(c echo.Context, rd *reader) (value any, ok bool) {
	if form := c.Request().Form; !form.Has(f.Name) && !form.Has(confField) {
		f.requireDefault(rd) // only a form that was filled in sends a box that is not ticked by leaving it out
		return nil, false
	}
	text := strings.ReplaceAll(c.FormValue(f.Name), "\r\n", "\n")
	if f.Kind == "boolean" {
		text = strconv.FormatBool(text != "")
		f.Checked = text == "true"
	}
	f.Value = text
	if text == f.Default {
		f.requireDefault(rd)
		return nil, false
	}
	value, err := f.parse(text)
	if err != nil {
		f.Error = rd.words(err)
		return nil, false
	}
	return value, f.check(rd, value)
}

// parse turns text into a value of the param's type; a text of another type
// stays a string, which the schema then refuses in words.
func (f *ParamField) parse(text string) (any, error) {
	if f.Kind == "enum" {
		if options, _ := f.param.Schema["enum"].([]any); slices.Contains(f.Options, text) {
			for _, o := range options {
				if display(o) == text {
					return o, nil
				}
			}
		}
		return text, nil
	}
	if text == "" && f.nullable() && f.valueType() != "string" {
		return nil, nil
	}
	switch f.Kind {
	case "boolean":
		return text == "true", nil
	case "number":
		var v any
		if err := decodeJSON(strings.TrimSpace(text), &v); err != nil || !isNumber(v) {
			return nil, invalid("Not a number.")
		}
		return v, nil
	case "json":
		var v any
		if err := decodeJSON(text, &v); err != nil {
			return nil, err
		}
		return v, nil
	}
	return text, nil
}

// check checks a value against the param's schema and the rules for conf.
func (f *ParamField) check(rd *reader, value any) bool {
	err := f.param.Check(value)
	if err == nil {
		err = dag.CheckConf(map[string]any{f.param.Name: value})
	}
	if err != nil {
		f.Error = rd.words(err)
	}
	return err == nil
}

// Untouched is what the field holds with the default: "true" or "false" for a box.
func (f ParamField) Untouched() string {
	if f.Kind == "boolean" {
		return strconv.FormatBool(f.Default == "true")
	}
	return f.Default
}

// Changed reports whether the field shows something else than the default.
func (f ParamField) Changed() bool {
	if f.Kind == "boolean" {
		return strconv.FormatBool(f.Checked) != f.Untouched()
	}
	return f.Value != f.Default
}

// display writes a value as one would type it.
func display(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// parseConf reads the JSON editor; nothing typed is an empty object.
func parseConf(text string) (map[string]any, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var v any
	if err := decodeJSON(text, &v); err != nil {
		return nil, err
	}
	conf, ok := v.(map[string]any)
	if !ok {
		return nil, invalid("This is %s, not a JSON object such as {\"SCORING_DATE\": \"2026-01-31\"}.", jsonKind(v))
	}
	return conf, nil
}

// decodeJSON decodes exactly one value, with exact numbers. The error names line and
// column.
func decodeJSON(text string, into *any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	err := d.Decode(into)
	if err == nil {
		end := d.InputOffset()
		rest := text[end:]
		if blank := len(rest) - len(strings.TrimLeft(rest, " \t\r\n")); blank < len(rest) {
			return jsonError("Not valid JSON: line %d, column %d: there is more text after the end of the value.", text,
				end+int64(blank))
		}
		if offset, reason := dag.LossyJSON([]byte(text)); reason != "" {
			return jsonError("Not valid JSON: line %d, column %d: %s.", text, int64(offset), words(reason))
		}
		*into = dag.PlainNumbers(*into)
		return nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return jsonError("Not valid JSON: line %d, column %d: %s.", text, syntax.Offset-1,
			words(strings.TrimPrefix(syntax.Error(), "json: ")))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return jsonError("Not valid JSON: line %d, column %d: the text ends too early.", text, int64(len(text)))
	}
	return err
}

// jsonError says at which line and column the text breaks; key takes both, and
// then args.
func jsonError(key, text string, offset int64, args ...any) error {
	offset = min(max(offset, 0), int64(len(text)))
	before := text[:offset]
	line := strings.Count(before, "\n") + 1
	column := len([]rune(before[strings.LastIndex(before, "\n")+1:])) + 1
	return invalid(key, append([]any{line, column}, args...)...)
}

// isNumber reports whether decodeJSON gave a number.
func isNumber(v any) bool {
	switch v.(type) {
	case int, float64, json.Number:
		return true
	}
	return false
}

// jsonKind names what kind of JSON value decodeJSON gave.
func jsonKind(v any) words {
	switch v.(type) {
	case nil:
		return "null"
	case []any:
		return words(say("a list"))
	case string:
		return words(say("a string"))
	case bool:
		return words(say("true or false"))
	}
	if isNumber(v) {
		return words(say("a number"))
	}
	return words(say("something else"))
}
