package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dagwright/api"
)

// usageError is wrong use of the command line: exit code 2.
type usageError struct{ error }

// Unwrap gives the cause.
func (e usageError) Unwrap() error { return e.error }

// serverVariable names the server when --server does not.
const serverVariable = "DAGWRIGHT_SERVER"

// callTimeout bounds a call that is answered at once. Streams have no bound.
const callTimeout = 30 * time.Second

// clientFlags are the flags of every command that talks to a server.
type clientFlags struct{ server, output string }

// addTo declares the flags for a command and those below it.
func (f *clientFlags) addTo(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&f.server, "server", cmp.Or(os.Getenv(serverVariable), "http://127.0.0.1:8080"),
		"URL of the dagwright server (environment: "+serverVariable+")")
	cmd.PersistentFlags().StringVarP(&f.output, "output", "o", "table", "table, json or yaml")
	cmd.PersistentPreRunE = func(*cobra.Command, []string) error {
		switch f.output {
		case "table", "json", "yaml":
			return nil
		}
		return usageError{fmt.Errorf("--output %q: want table, json or yaml", f.output)}
	}
}

// client calls a server's API.
type client struct {
	base *url.URL
	http *http.Client
}

// dial checks the server's URL; it does not connect yet.
func (f *clientFlags) dial() (*client, error) {
	base, err := url.Parse(strings.TrimSuffix(f.server, "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, usageError{fmt.Errorf("--server %q: want a URL such as http://127.0.0.1:8080", f.server)}
	}
	return &client{base: base, http: &http.Client{}}, nil
}

// request is one call of the API.
type request struct {
	method string // GET when empty
	path   []string
	query  url.Values
	body   any
	header http.Header
}

// call sends a request and decodes the JSON answer unless answer is nil.
func (c *client) call(ctx context.Context, r request, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.open(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return fmt.Errorf("read answer of %s: %w", c.base, err)
	}
	return nil
}

// open sends a request and returns an answer that is no error. The caller
// closes its body.
func (c *client) open(ctx context.Context, r request) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("write request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, cmp.Or(r.method, http.MethodGet), c.url(r), body)
	if err != nil {
		return nil, err
	}
	if r.header != nil {
		req.Header = r.header.Clone()
	}
	req.Header.Set("User-Agent", api.UserAgent+"/"+programVersion())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, c.refusal(resp)
	}
	return resp, nil
}

// url encodes each element of the path, so that any id is one segment.
func (c *client) url(r request) string {
	var b strings.Builder
	b.WriteString(c.base.String() + "/api/v2")
	for _, element := range r.path {
		b.WriteString("/" + url.PathEscape(element))
	}
	if len(r.query) > 0 {
		b.WriteString("?" + r.query.Encode())
	}
	return b.String()
}

// unreachableError says that no server answered.
type unreachableError struct {
	server string
	cause  error
}

func (e *unreachableError) Error() string {
	return fmt.Sprintf("cannot reach dagwright at %s: is it running? Start it with \"dagwright dev\", or name another server with --server or %s (%v)",
		e.server, serverVariable, e.cause)
}

func (e *unreachableError) Unwrap() error { return e.cause }

func (c *client) unreachable(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return context.Canceled
	}
	if e := (*url.Error)(nil); errors.As(err, &e) {
		err = e.Err
	}
	if e := (*net.OpError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	return &unreachableError{c.base.String(), err}
}

// refusedError is a server's answer that is an error.
type refusedError struct {
	status int
	detail string
}

func (e *refusedError) Error() string { return e.detail }

// refusal reads an error answer. A request that the server calls wrong is
// wrong use of the command line.
func (c *client) refusal(resp *http.Response) error {
	var answer struct {
		Detail json.RawMessage `json:"detail"`
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // half an answer still tells the status
	detail := ""
	if json.Unmarshal(text, &answer) == nil {
		detail = inWords(answer.Detail)
	}
	if detail == "" {
		return fmt.Errorf("%s answered %s, which is no answer of dagwright's API: is --server right?", c.base, resp.Status)
	}
	err := &refusedError{resp.StatusCode, detail}
	if err.status == http.StatusBadRequest || err.status == http.StatusUnprocessableEntity {
		return usageError{err}
	}
	return err
}

// inWords says an error's detail, which is a text, a list of wrong fields, or
// an object with a message.
func inWords(detail json.RawMessage) string {
	var text string
	if json.Unmarshal(detail, &text) == nil {
		return text
	}
	var fields []struct {
		Loc []any  `json:"loc"`
		Msg string `json:"msg"`
	}
	if json.Unmarshal(detail, &fields) == nil {
		faults := make([]string, len(fields))
		for i, f := range fields {
			faults[i] = f.Msg
			if len(f.Loc) > 1 {
				faults[i] = fmt.Sprintf("%v: %s", f.Loc[len(f.Loc)-1], f.Msg)
			}
		}
		return strings.Join(faults, "; ")
	}
	var object struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(detail, &object) // any other shape has no words
	return object.Message
}

// patience is how long a broken stream is tried anew before it is given up.
const patience = 30 * time.Second

// persist calls stream again when its connection broke, until it says that it
// is done, so that a restart of the server does not end a wait or a log.
func persist(ctx context.Context, stream func() (done bool, err error)) error {
	const pause = 250 * time.Millisecond
	broken := time.Time{}
	for {
		done, err := stream()
		if e := (*unreachableError)(nil); err != nil && !errors.As(err, &e) || done {
			return err
		}
		switch now := time.Now(); {
		case err == nil:
			broken = time.Time{}
		case broken.IsZero():
			broken = now
		case now.Sub(broken) > patience:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
