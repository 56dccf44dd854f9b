package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"dagwright/dag"
	"dagwright/terminal"
	"dagwright/usage"
	"dagwright/version"
)

// UnreachableError says that no server answered.
type UnreachableError struct {
	server Server
	cause  error
}

// Error names the server, the cause and what to do.
func (e *UnreachableError) Error() string {
	hint := "is it running?"
	if e.server.URL.String() == DefaultServer {
		hint = "start it with \"dagwright dev\", or name another server with --server or --context"
	}
	return fmt.Sprintf("cannot reach dagwright at %s: %s (%v)", e.server, hint, e.cause)
}

// Unwrap gives the cause.
func (e *UnreachableError) Unwrap() error { return e.cause }

func (c *Client) unreachable(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return context.Canceled
	}
	if e := (*url.Error)(nil); errors.As(err, &e) {
		err = e.Err
	}
	if e := (*net.OpError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer in %s", callTimeout)
	}
	return &UnreachableError{c.to, err}
}

// RefusedError is a server's answer that is an error.
type RefusedError struct {
	Status int    // of HTTP
	Detail string // the server's words
	Hint   string // what to do about it; "" when the detail says it all
}

// Error is the detail and the hint.
func (e *RefusedError) Error() string { return e.Detail + e.Hint }

// refused reports whether an error is a server's answer of the given status.
func refused(err error, status int) bool {
	var e *RefusedError
	return errors.As(err, &e) && e.Status == status
}

// refusal reads an error answer and says what can be done about it. A request
// that the server calls wrong is wrong use of the command line.
func (c *Client) refusal(ctx context.Context, r Request, resp *http.Response) error {
	var answer struct {
		Detail json.RawMessage `json:"detail"`
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // half an answer still tells the status
	detail := ""
	if json.Unmarshal(text, &answer) == nil {
		detail = terminal.OneLine(inWords(answer.Detail))
	}
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized:
		return c.unauthorized(detail)
	case detail == "":
		return c.foreign(resp)
	case status == http.StatusForbidden:
		return &RefusedError{status, detail, c.forbidden(r)}
	case status == http.StatusMethodNotAllowed, status == http.StatusNotFound && detail == "Not Found":
		return &RefusedError{status, c.unknownCall(ctx), ""}
	case status == http.StatusNotFound:
		return &RefusedError{status, detail, c.suggestion(ctx, r, detail)}
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity:
		return usage.New(&RefusedError{status, detail, ""})
	default:
		return &RefusedError{status, detail, ""}
	}
}

// unauthorized says why a caller is not known, and how to become so.
func (c *Client) unauthorized(detail string) error {
	why := ""
	if detail != "" {
		why = " (" + detail + ")"
	}
	if c.from != "" {
		text := fmt.Sprintf("%s does not accept the token of %s", c.to, c.from)
		return &RefusedError{http.StatusUnauthorized, text,
			why + ": it may have ended or been revoked, or be another server's"}
	}
	text := fmt.Sprintf("you are not signed in to %s", c.to)
	return &RefusedError{http.StatusUnauthorized, text,
		fmt.Sprintf("%s: run \"dagwright login %s\", or set %s in a script", why, c.to.Flags(), TokenFileVariable)}
}

// forbidden says how to learn why.
func (c *Client) forbidden(r Request) string {
	if len(r.Path) == 1 && r.Path[0] == "me" {
		return fmt.Sprintf(" (on %s; ask its administrators)", c.to)
	}
	return fmt.Sprintf(" (on %s; \"dagwright whoami %s\" shows who you are there)", c.to, c.to.Flags())
}

// foreign says that what answered is not a dagwright, or one behind a proxy.
func (c *Client) foreign(resp *http.Response) error {
	if to := resp.Header.Get("Location"); resp.StatusCode < 400 && to != "" {
		if u, err := url.Parse(to); err == nil {
			to = u.Scheme + "://" + u.Host
		}
		return fmt.Errorf(
			"%s sends its callers on to %s, as a proxy with a sign-in of its own does: is that the server to name?", c.to,
			terminal.OneLine(to))
	}
	return fmt.Errorf("%s answered %s, which is not an answer of dagwright's API: is it the right server?", c.to,
		resp.Status)
}

// serverVersion asks for the server's version.
func (c *Client) serverVersion(ctx context.Context) (string, error) {
	var answer struct {
		Version string `json:"version"`
	}
	err := c.Call(ctx, Request{Path: []string{"version"}}, &answer)
	return answer.Version, err
}

// unknownCall says that the server does not have what a command needs.
func (c *Client) unknownCall(ctx context.Context) string {
	v, err := c.serverVersion(ctx)
	switch {
	case err != nil:
		return fmt.Sprintf("%s does not know this command; is it an older dagwright than this one, %s?", c.to,
			version.String())
	case v == version.String():
		return fmt.Sprintf("%s does not have what this command needs (dagwright %s)", c.to, terminal.OneLine(v))
	}
	return fmt.Sprintf("%s does not know this command: it is dagwright %s and this is %s; bring the older one up to date",
		c.to, terminal.OneLine(v), version.String())
}

// suggestion looks for the DAG that was meant where none was found.
func (c *Client) suggestion(ctx context.Context, r Request, detail string) string {
	if len(r.Path) < 2 || (r.Path[0] != "dags" && r.Path[0] != "dagSources") ||
		!strings.Contains(strings.ToLower(detail), "dag ") ||
		strings.Contains(detail, "DagRun") {
		return ""
	}
	ids, err := c.similarDAGs(ctx, r.Path[1])
	if err != nil || slices.Contains(ids, r.Path[1]) {
		return "" // the first error is the one to tell
	}
	if meant := dag.DidYouMean(r.Path[1], ids); meant != "" || !strings.HasSuffix(detail, "not found") {
		return meant
	}
	return `; "dagwright dags list" shows which there are`
}

// similarDAGs lists DAGs that share a part with a name: its beginning, else its
// end. A fleet is too large to be read for a misspelt word.
func (c *Client) similarDAGs(ctx context.Context, name string) ([]string, error) {
	const part = 3
	var ids []string
	for _, pattern := range []string{name[:min(part, len(name))] + "%", "%" + name[max(0, len(name)-part):]} {
		var answer struct {
			DAGs []struct {
				ID string `json:"dag_id"`
			} `json:"dags"`
		}
		query := url.Values{"dag_id_pattern": {pattern}, "limit": {"100"}}
		if err := c.Call(ctx, Request{Path: []string{"dags"}, Query: query}, &answer); err != nil {
			return nil, err
		}
		for _, d := range answer.DAGs {
			ids = append(ids, d.ID)
		}
	}
	return ids, nil
}

// inWords says an error's detail, which is a text, a list of wrong fields, or
// an object with a message.
func inWords(detail json.RawMessage) string {
	var text string
	if json.Unmarshal(detail, &text) == nil {
		return text
	}
	var fields []struct {
		Type string `json:"type"`
		Loc  []any  `json:"loc"`
		Msg  string `json:"msg"`
		Ctx  struct {
			Error any `json:"error"`
		} `json:"ctx"`
	}
	if json.Unmarshal(detail, &fields) == nil {
		faults := make([]string, len(fields))
		for i, f := range fields {
			faults[i] = f.Msg
			if f.Type == "json_invalid" { // its place is an offset
				faults[i] = fmt.Sprintf("%s: %v", f.Msg, f.Ctx.Error)
				continue
			}
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
