// Package client talks to a dagwright server: it finds the server by a name that a person
// gave it, signs in (by a device code, or with a token), calls the REST API, waits for runs
// and follows logs. The command line is made of it, and other Go programs can use it.
//
// Calls are made for as long as it may help: one that changes something has a key, under
// which the server does it once, and is repeated when its answer was lost; a wait or a log
// goes on after a restart of the server.
//
// Errors name the server and say what can be done, in the words of the command line. A
// refusal is a [RefusedError], a server that does not answer an [UnreachableError]; what the
// caller gave wrong is a usage.Error around it. Texts of a server come without control
// characters in errors, and as they are in answers.
package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"dagwright/version"
)

// callTimeout bounds a call that is answered at once. Streams have no bound.
const callTimeout = 30 * time.Second

// Client calls the API of one server. It is safe for concurrent use.
type Client struct {
	to   Server
	http *http.Client
	// token gives what the server is to know the caller by; empty for nothing.
	token func(context.Context) (Secret, error)
	// from says where the token comes from, for the message when it is refused.
	from string
}

// Dial gives a client of a server: of the given URL or the context of the given name, else
// of the environment's ([ServerVariable], [ContextVariable]), else of the current context,
// else of [DefaultServer]. Its token is the environment's ([TokenVariable],
// [TokenFileVariable]), else that of the person's sign-in. Dial does not connect yet.
func Dial(server, context string) (*Client, error) {
	token, from, err := TokenFromEnvironment(os.Getenv)
	if err != nil {
		return nil, err
	}
	to, err := FindServer(server, context)
	if err != nil {
		return nil, err
	}
	c := New(to, token)
	c.from = from
	if token == "" {
		c.token = c.signedIn
	}
	return c, nil
}

// New gives a client of a server that is sent the given token, or none when it is empty.
func New(to Server, token Secret) *Client {
	// A server does not send its callers elsewhere, least of all with a token.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{
		to: to, http: &http.Client{CheckRedirect: stay},
		token: func(context.Context) (Secret, error) { return token, nil },
	}
}

// signedIn is the token of the person's sign-in, empty when there is none.
func (c *Client) signedIn(ctx context.Context) (Secret, error) {
	return freshToken(ctx, http.DefaultClient, c.to)
}

// Server is the server that the client talks to.
func (c *Client) Server() Server { return c.to }

// Request is one call of the API.
type Request struct {
	Method string     // GET when empty
	Path   []string   // below /api/v2: its elements, unescaped
	Query  url.Values // may be nil
	Body   any        // becomes JSON; none when nil
	Header http.Header
}

// Call sends a request and decodes the JSON answer unless answer is nil. An answer without
// the first field of answer's type is not one of dagwright's API. The request is answered
// within 30 s or fails with an [UnreachableError]; other errors are [RefusedError]. An act has a key,
// by which the server does it once: when the server was reached and its answer was lost,
// or it could not answer now, the act is asked for again, for as long as patience.
func (c *Client) Call(ctx context.Context, r Request, answer any) error {
	if r.Method == "" {
		return c.callOnce(ctx, r, answer)
	}
	r.Header = http.Header{"Idempotency-Key": {rand.Text()}}
	const pause = 500 * time.Millisecond
	for end := time.Now().Add(patience); ; {
		err := c.callOnce(ctx, r, answer)
		if err == nil || !mayHeal(err) || time.Now().After(end) {
			return err
		}
		if sleep(ctx, pause) != nil {
			return err
		}
	}
}

func (c *Client) callOnce(ctx context.Context, r Request, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.Open(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer == nil {
		return nil
	}
	return c.readOnly(resp.Body, answer)
}

// mayHeal reports whether the same request may be answered a moment later. A server
// that refuses connections is not there, which is reported at once.
func mayHeal(err error) bool {
	return unavailable(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET)
}

// Open sends a request and returns an answer that is not an error, without a bound in
// time, as streams need it. The caller closes its body.
func (c *Client) Open(ctx context.Context, r Request) (*http.Response, error) {
	resp, err := c.send(ctx, r, c.url(r))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, c.refusal(ctx, r, resp)
	}
	return resp, nil
}

// send sends a request to an address of the server, with the token, and returns
// any answer.
func (c *Client) send(ctx context.Context, r Request, address string) (*http.Response, error) {
	var body io.Reader
	if r.Body != nil {
		text, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("write request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, cmp.Or(r.Method, http.MethodGet), address, body)
	if err != nil {
		return nil, err
	}
	if r.Header != nil {
		req.Header = r.Header.Clone()
	}
	req.Header.Set("User-Agent", version.CommandLine+"/"+version.String())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	token, err := c.token(ctx)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+string(token))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return resp, nil
}

// url encodes each element of the path, so that any id is one segment.
func (c *Client) url(r Request) string {
	var b strings.Builder
	b.WriteString(c.to.URL.String() + "/api/v2")
	for _, element := range r.Path {
		b.WriteString("/" + url.PathEscape(element))
	}
	if len(r.Query) > 0 {
		b.WriteString("?" + r.Query.Encode())
	}
	return b.String()
}

// patience is how long a broken stream is tried again before it is given up.
const patience = 30 * time.Second

// pollPause is between two questions to a server that has no stream to spare.
const pollPause = time.Second

// unavailable reports whether a server said that it cannot serve a request now.
func unavailable(err error) bool {
	return refused(err, http.StatusServiceUnavailable)
}

// persist calls stream again when its connection broke or the server could not answer,
// until it says that it is done, so that a restart of the server does not end a wait or a
// log.
func persist(ctx context.Context, stream func() (done bool, err error)) error {
	const pause = 250 * time.Millisecond
	broken := time.Time{}
	for {
		done, err := stream()
		if e := (*UnreachableError)(nil); err != nil && !errors.As(err, &e) && !unavailable(err) || done {
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
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}
