package api

import (
	"fmt"
	"net/http"
	"strings"
)

// fieldError is one fault of a body, query or path in FastAPI's shape
// (https://docs.pydantic.dev/latest/errors/validation_errors/).
type fieldError struct {
	Type  string         `json:"type"`
	Loc   []any          `json:"loc"`
	Msg   string         `json:"msg"`
	Input any            `json:"input"`
	Ctx   map[string]any `json:"ctx,omitempty"`
}

// invalid is the answer 422 that lists faults.
func invalid(faults ...fieldError) error {
	return &problem{http.StatusUnprocessableEntity, faults}
}

func missing(input any, loc ...any) fieldError {
	return fieldError{Type: "missing", Loc: loc, Msg: "Field required", Input: input}
}

func intParsing(where, name, input string) fieldError {
	return fieldError{
		Type: "int_parsing", Loc: []any{where, name}, Input: input,
		Msg: "Input should be a valid integer, unable to parse string as an integer",
	}
}

// oneOf is the fault of a value outside a fixed set.
func oneOf(kind string, input any, allowed []string, loc ...any) fieldError {
	quoted := make([]string, len(allowed))
	for i, a := range allowed {
		quoted[i] = fmt.Sprintf("'%s'", a)
	}
	expected := quoted[len(quoted)-1]
	if len(quoted) > 1 {
		expected = strings.Join(quoted[:len(quoted)-1], ", ") + " or " + expected
	}
	return fieldError{
		Type: kind, Loc: loc, Msg: "Input should be " + expected, Input: input,
		Ctx: map[string]any{"expected": expected},
	}
}
