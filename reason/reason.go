// Package reason says why something is in the state that it is in: a code and its
// arguments, which are what is stored, compared and given to other programs. People
// read sentences: the English one is made here, from the catalogue of codes, and the
// Russian one by the pages, from a table with the same codes.
//
// What other programs say, such as Kubernetes or a task's own log, is an argument and
// stays as it is.
package reason

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Code names a reason. Codes are stored and part of the API: one that was released
// keeps its name and the order of its arguments.
type Code string

// Reason is a code with its arguments. The zero Reason is none. Two Reasons are equal
// (==) when they say the same.
type Reason struct {
	Code Code
	// Args is a JSON list of the arguments: texts, numbers, and Reasons as objects
	// {"code", "args"}. It is empty when there are none.
	Args string
}

// New returns the reason of a code. Its arguments are the values of the places (%s) in
// the code's sentence, in order; what follows them is said behind a colon, such as the
// words of another program.
func New(code Code, args ...any) Reason {
	if len(args) == 0 {
		return Reason{Code: code}
	}
	list := make([]any, len(args))
	for i, arg := range args {
		switch arg.(type) {
		case Reason, int, int64:
			list[i] = arg
		default:
			list[i] = fmt.Sprint(arg)
		}
	}
	b, err := json.Marshal(list)
	if err != nil {
		panic("reason: texts and numbers can always be written: " + err.Error())
	}
	return Reason{code, string(b)}
}

// Of is a sentence that has no code of its own: the words of another program or
// of an older dagwright. An empty one gives the zero Reason.
func Of(sentence string) Reason {
	if sentence == "" {
		return Reason{}
	}
	return New(Text, sentence)
}

// IsZero reports whether nothing is said.
func (r Reason) IsZero() bool { return r == Reason{} }

// wire is a Reason in JSON.
type wire struct {
	Code Code            `json:"code"`
	Args json.RawMessage `json:"args,omitempty"`
}

// MarshalJSON writes {"code": …, "args": […]}.
func (r Reason) MarshalJSON() ([]byte, error) {
	return json.Marshal(wire{r.Code, json.RawMessage(r.Args)})
}

// UnmarshalJSON reads what MarshalJSON writes, and the sentences that older versions
// wrote in its place.
func (r *Reason) UnmarshalJSON(b []byte) error {
	var sentence string
	if json.Unmarshal(b, &sentence) == nil {
		*r = Of(sentence)
		return nil
	}
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*r = Reason{w.Code, string(w.Args)}
	return nil
}

// Arguments are the arguments, each a string, a [json.Number] or a Reason. They are nil
// for the zero Reason.
func (r Reason) Arguments() []any {
	if r.IsZero() {
		return nil
	}
	var raw []json.RawMessage
	if json.Unmarshal([]byte(r.Args), &raw) != nil {
		return []any{} // none, or a damaged row
	}
	args := make([]any, len(raw))
	for i, arg := range raw {
		var text string
		var inner Reason
		switch {
		case json.Unmarshal(arg, &text) == nil:
			args[i] = text
		case json.Unmarshal(arg, &inner) == nil:
			args[i] = inner
		default:
			args[i] = json.Number(arg)
		}
	}
	return args
}

// String says the reason in English. A code that this dagwright does not know stands
// for itself.
func (r Reason) String() string {
	if r.IsZero() {
		return ""
	}
	sentence, ok := english[r.Code]
	if !ok {
		sentence = string(r.Code)
	}
	args := r.Arguments()
	values := make([]string, len(args))
	for i, arg := range args {
		values[i] = fmt.Sprint(arg)
	}
	if r.Code == TaskIs && len(values) == 2 {
		values[1] = strings.ReplaceAll(values[1], "_", " ") // a state, in words as on the pages
	}
	return Fill(sentence, values)
}

// Fill puts values into the places (%s) of a sentence. Values for which there is no
// place follow behind a colon.
func Fill(sentence string, values []string) string {
	var b strings.Builder
	for _, value := range values {
		before, after, placed := strings.Cut(sentence, "%s")
		b.WriteString(before)
		if !placed {
			b.WriteString(": ")
		}
		b.WriteString(value)
		sentence = after
	}
	b.WriteString(sentence)
	return b.String()
}
