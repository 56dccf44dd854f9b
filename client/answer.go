package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
)

// foreignError says that what answered a call is not a dagwright, although it called the call
// a success: the sign-in page of a proxy, or another program.
type foreignError struct{ to Server }

// Error names the server and what may be wrong.
func (e *foreignError) Error() string {
	return fmt.Sprintf("%s answered with something that is not an answer of dagwright's API: is it the right server?",
		e.to)
}

// read decodes the next value of an answer. It wants an object that has the first field of
// the type into which it is decoded: every answer of that kind has it. An answer that breaks
// off is an error of the reader, such as io.EOF.
func (c *Client) read(from *json.Decoder, answer any) error {
	var text json.RawMessage
	err := from.Decode(&text)
	if errors.As(err, new(*json.SyntaxError)) {
		return &foreignError{c.to}
	} else if err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil || fields == nil {
		return &foreignError{c.to}
	}
	if name := firstField(answer); name != "" {
		if _, there := fields[name]; !there {
			return &foreignError{c.to}
		}
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return &foreignError{c.to}
	}
	return nil
}

// readOnly decodes the one value of an answer.
func (c *Client) readOnly(body io.Reader, answer any) error {
	err := c.read(json.NewDecoder(body), answer)
	switch {
	case errors.As(err, new(*foreignError)):
		return err
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s answered with nothing: is it the right server? (%w)", c.to, err)
	case err != nil:
		return fmt.Errorf("read answer of %s: %w", c.to, err)
	}
	return nil
}

// firstField is the JSON name of the first field of an answer's type, "" where it has none.
func firstField(answer any) string {
	if item, ok := answer.(interface{ fields() any }); ok {
		answer = item.fields()
	}
	t := reflect.TypeOf(answer)
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct || t.Elem().NumField() == 0 {
		return ""
	}
	name, _, _ := strings.Cut(t.Elem().Field(0).Tag.Get("json"), ",")
	return name
}

// openAs opens a stream of the given media type, which it asks for.
func (c *Client) openAs(ctx context.Context, r Request, want string) (*http.Response, error) {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Accept", want)
	resp, err := c.Open(ctx, r)
	if err != nil {
		return nil, err
	}
	if got, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || got != want {
		resp.Body.Close()
		return nil, &foreignError{c.to}
	}
	return resp, nil
}
