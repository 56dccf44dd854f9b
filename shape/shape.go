// Package shape describes YAML files as JSON Schemas of draft-07, the one that editors know
// best. A reader of a file says beside its own table what each value looks like; an editor
// then completes keys and underlines what cannot be read while somebody types.
//
// A shape takes every file that its reader takes. It refuses unknown keys, values of a wrong
// kind and words that are not among the known ones. What only the reader can tell, such as
// whether a time zone exists, it takes.
package shape

import (
	"maps"
	"strings"
	"unicode"
)

// Shape is a JSON Schema. The functions of this package make new ones and change none.
type Shape map[string]any

// File is the shape of a whole file: root, with what [Ref] refers to.
func File(title string, root Shape, definitions map[string]Shape) Shape {
	s := root.With("title", title).With("$schema", "http://json-schema.org/draft-07/schema#")
	if len(definitions) > 0 {
		s = s.With("definitions", definitions)
	}
	return s
}

// With is the shape with one more keyword.
func (s Shape) With(keyword string, value any) Shape {
	s = maps.Clone(s)
	s[keyword] = value
	return s
}

// Described is the shape with a text for people.
func (s Shape) Described(text string) Shape { return s.With("description", text) }

// Anything takes every value.
func Anything() Shape { return Shape{} }

// Nothing takes no value.
func Nothing() Shape { return Shape{"not": Shape{}} }

// Ref stands for one of the file's definitions.
func Ref(definition string) Shape { return Shape{"$ref": "#/definitions/" + definition} }

// Of takes values of JSON Schema's types: null, boolean, integer, number, string, array or
// object.
func Of(types ...string) Shape {
	if len(types) == 1 {
		return Shape{"type": types[0]}
	}
	return Shape{"type": types}
}

// Text takes a string that matches a regular expression, which both Go and ECMAScript must
// read alike.
func Text(pattern string) Shape { return Of("string").With("pattern", pattern) }

// Scalar takes what a reader takes as it is written: strings, numbers and booleans.
func Scalar() Shape { return Of("string", "number", "boolean") }

// Words takes one of some words.
func Words(words ...string) Shape { return Shape{"enum": words} }

// Whole takes a whole number from least to most.
func Whole(least, most int) Shape {
	return Of("integer").With("minimum", least).With("maximum", most)
}

// List takes a list of alike items.
func List(items Shape) Shape { return Of("array").With("items", items) }

// Mapping takes names with alike values.
func Mapping(values Shape) Shape { return Of("object").With("additionalProperties", values) }

// Section takes some of the keys and no other.
func Section(keys map[string]Shape) Shape {
	return Of("object").With("properties", keys).With("additionalProperties", false)
}

// Any takes what one of the shapes takes.
func Any(shapes ...Shape) Shape { return Shape{"anyOf": shapes} }

// OrNull is the shape that takes nothing, too, as where there is nothing behind a colon.
func (s Shape) OrNull() Shape {
	_, constant := s["enum"]
	switch t := s["type"].(type) {
	case string:
		if !constant {
			return s.With("type", []string{t, "null"})
		}
	case []string:
		if !constant {
			return s.With("type", append(append([]string(nil), t...), "null"))
		}
	}
	return Any(s, Of("null"))
}

// AnyCase is a pattern that matches a word in upper and lower case alike.
func AnyCase(word string) string {
	var b strings.Builder
	for _, c := range word {
		if upper, lower := unicode.ToUpper(c), unicode.ToLower(c); upper != lower {
			b.WriteString("[" + string(upper) + string(lower) + "]")
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}
