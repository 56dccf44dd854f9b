package cli

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

	"github.com/spf13/cobra"

	"dagwright/api"
	"dagwright/version"
)

// Variables that name the server when no flag does.
const (
	serverVariable  = "DAGWRIGHT_SERVER"
	contextVariable = "DAGWRIGHT_CONTEXT"
)

// callTimeout bounds a call that is answered at once. Streams have no bound.
const callTimeout = 30 * time.Second

// clientFlags are the flags of every command that talks to a server.
type clientFlags struct {
	outputFlags
	server, context string
}

// addTo declares the flags for a command and those below it.
func (f *clientFlags) addTo(cmd *cobra.Command) {
	f.addServerTo(cmd)
	f.outputFlags.addTo(cmd)
}

func (f *clientFlags) addServerTo(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&f.server, "server", "", "`URL` of the server (environment: "+serverVariable+"; default: the current context's)")
	cmd.PersistentFlags().StringVar(&f.context, "context", "", "`name` of the server, see \"dagwright context\" (environment: "+contextVariable+")")
	mustComplete(cmd, "context", completeFlag(completeContexts))
	mustComplete(cmd, "server", cobra.NoFileCompletions)
}

// client calls a server's API.
type client struct {
	to   target
	http *http.Client
	// token gives what the server is to know the caller by; empty for nothing.
	token func(context.Context) (secret, error)
	// from says where the token comes from, for the message when it is refused.
	from string
}

// dial finds the server and the token for it; it does not connect yet.
func (f *clientFlags) dial() (*client, error) {
	token, from, err := tokenFromEnvironment(os.Getenv)
	if err != nil {
		return nil, err
	}
	c, err := f.dialWith(token)
	if err != nil {
		return nil, err
	}
	c.from = from
	if token == "" {
		c.token = func(ctx context.Context) (secret, error) { return freshToken(ctx, http.DefaultClient, c.to) }
	}
	return c, nil
}

// dialWith finds the server, to which the given token is sent, or none.
func (f *clientFlags) dialWith(token secret) (*client, error) {
	config, err := readClientConfig()
	if err != nil {
		return nil, err
	}
	to, err := config.choose(f.server, f.context, os.Getenv)
	if err != nil {
		return nil, err
	}
	// A server does not send its callers elsewhere, least of all with a token.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{to: to, http: &http.Client{CheckRedirect: stay}, token: func(context.Context) (secret, error) { return token, nil }}, nil
}

// request is one call of the API.
type request struct {
	method string // GET when empty
	path   []string
	query  url.Values
	body   any
	header http.Header
}

// call sends a request and decodes the JSON answer unless answer is nil. An act has a key,
// by which the server does it once: when the server was reached and its answer was lost,
// or it could not answer now, the act is asked for again, for as long as patience.
func (c *client) call(ctx context.Context, r request, answer any) error {
	if r.method == "" {
		return c.callOnce(ctx, r, answer)
	}
	r.header = http.Header{"Idempotency-Key": {rand.Text()}}
	const pause = 500 * time.Millisecond
	for end := time.Now().Add(patience); ; {
		err := c.callOnce(ctx, r, answer)
		if err == nil || !mayHeal(err) || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func (c *client) callOnce(ctx context.Context, r request, answer any) error {
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
		return fmt.Errorf("read answer of %s: %w", c.to, err)
	}
	return nil
}

// mayHeal reports whether the same request may be answered a moment later. A server
// that refuses connections is not there, which is reported at once.
func mayHeal(err error) bool {
	return unavailable(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// open sends a request and returns an answer that is not an error. The caller
// closes its body.
func (c *client) open(ctx context.Context, r request) (*http.Response, error) {
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
func (c *client) send(ctx context.Context, r request, address string) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("write request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, cmp.Or(r.method, http.MethodGet), address, body)
	if err != nil {
		return nil, err
	}
	if r.header != nil {
		req.Header = r.header.Clone()
	}
	req.Header.Set("User-Agent", api.UserAgent+"/"+version.String())
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
func (c *client) url(r request) string {
	var b strings.Builder
	b.WriteString(c.to.url.String() + "/api/v2")
	for _, element := range r.path {
		b.WriteString("/" + url.PathEscape(element))
	}
	if len(r.query) > 0 {
		b.WriteString("?" + r.query.Encode())
	}
	return b.String()
}

// patience is how long a broken stream is tried again before it is given up.
const patience = 30 * time.Second

// pollPause is between two questions to a server that has no stream to spare.
const pollPause = time.Second

// unavailable reports whether a server said that it cannot serve a request now.
func unavailable(err error) bool {
	var refused *refusedError
	return errors.As(err, &refused) && refused.status == http.StatusServiceUnavailable
}

// persist calls stream again when its connection broke or the server could not answer,
// until it says that it is done, so that a restart of the server does not end a wait or a
// log.
func persist(ctx context.Context, stream func() (done bool, err error)) error {
	const pause = 250 * time.Millisecond
	broken := time.Time{}
	for {
		done, err := stream()
		if e := (*unreachableError)(nil); err != nil && !errors.As(err, &e) && !unavailable(err) || done {
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
