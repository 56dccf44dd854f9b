package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

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
	if err := checkDepth(text); err != nil {
		return nil, err
	}
	// Unmarshal looks behind the value, too.
	var syntax *json.SyntaxError
	if err := json.Unmarshal(text, new(json.RawMessage)); errors.As(err, &syntax) {
		return nil, badJSON(int(syntax.Offset), syntax.Error())
	}
	if offset, reason := dag.LossyJSON(text); reason != "" {
		return nil, badJSON(offset, reason)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, badJSON(int(d.InputOffset()), err.Error())
	}
	return dag.PlainNumbers(value), nil
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
