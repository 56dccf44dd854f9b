package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"

	"dagwright/dag"
)

const (
	maxBody = 1 << 20 // bytes of a request's body
	// maxDepth bounds the nesting of objects and lists in a body. It leaves room
	// for dag.CheckConf, whose own limit is lower, to name the key of a run's
	// conf that is nested too deep.
	maxDepth = 1000
)

// readJSON reads a body that is one JSON value: at most maxBody long and
// maxDepth deep, no key twice in an object, nothing behind it.
func readJSON(w http.ResponseWriter, r *http.Request) (any, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, refuse(http.StatusRequestEntityTooLarge, "The body is larger than %d bytes", maxBody)
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "The body ended too early")
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, invalid(missing(nil, "body"))
	}
	if !utf8.Valid(text) {
		return nil, badJSON(0, "not UTF-8")
	}
	if err := checkDepth(text); err != nil {
		return nil, err
	}
	// The decoder below reads tokens and is more lenient than the grammar.
	var syntax *json.SyntaxError
	if err := json.Unmarshal(text, new(json.RawMessage)); errors.As(err, &syntax) {
		return nil, badJSON(int(syntax.Offset), syntax.Error())
	}
	d := jsonReader{json.NewDecoder(bytes.NewReader(text))}
	d.UseNumber()
	return d.value()
}

func badJSON(offset int, reason string) error {
	return invalid(fieldError{
		Type: "json_invalid", Loc: []any{"body", offset}, Msg: "JSON decode error",
		Input: map[string]any{}, Ctx: map[string]any{"error": reason},
	})
}

// checkDepth counts brackets outside strings, before anything recurses.
func checkDepth(text []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return badJSON(i, fmt.Sprintf("nested deeper than %d", maxDepth))
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// jsonReader builds values from tokens, so that a key that stands twice in an
// object is seen.
type jsonReader struct{ *json.Decoder }

func (d jsonReader) value() (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, badJSON(int(d.InputOffset()), err.Error())
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return d.object()
		}
		return d.array()
	case json.Number:
		return dag.PlainNumber(t), nil
	default:
		return t, nil
	}
}

func (d jsonReader) object() (any, error) {
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, badJSON(int(d.InputOffset()), err.Error())
		}
		key, _ := token.(string)
		if _, twice := object[key]; twice {
			return nil, badJSON(int(d.InputOffset()), fmt.Sprintf("key %q stands twice", short(key)))
		}
		if object[key], err = d.value(); err != nil {
			return nil, err
		}
	}
	_, err := d.Token() // the closing bracket
	return object, err
}

func (d jsonReader) array() (any, error) {
	array := []any{}
	for d.More() {
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	_, err := d.Token() // the closing bracket
	return array, err
}
