package cli

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

// unreachableError says that no server answered.
type unreachableError struct {
	server target
	cause  error
}

func (e *unreachableError) Error() string {
	hint := "is it running?"
	if e.server.url.String() == defaultServer {
		hint = "start it with \"dagwright dev\", or name another server with --server or --context"
	}
	return fmt.Sprintf("cannot reach dagwright at %s: %s (%v)", e.server, hint, e.cause)
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
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer in %s", callTimeout)
	}
	return &unreachableError{c.to, err}
}

// refusedError is a server's answer that is an error.
type refusedError struct {
	status int
	detail string
	hint   string // what to do about it; "" when the detail says it all
}

func (e *refusedError) Error() string { return e.detail + e.hint }

// refusal reads an error answer and says what can be done about it. A request
// that the server calls wrong is wrong use of the command line.
func (c *client) refusal(ctx context.Context, r request, resp *http.Response) error {
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
		return &refusedError{status, detail, c.forbidden(r)}
	case status == http.StatusMethodNotAllowed, status == http.StatusNotFound && detail == "Not Found":
		return &refusedError{status, c.unknownCall(ctx), ""}
	case status == http.StatusNotFound:
		return &refusedError{status, detail, c.suggestion(ctx, r, detail)}
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity:
		return usage.New(&refusedError{status, detail, ""})
	default:
		return &refusedError{status, detail, ""}
	}
}

// unauthorized says why a caller is not known, and how to become so.
func (c *client) unauthorized(detail string) error {
	why := ""
	if detail != "" {
		why = " (" + detail + ")"
	}
	if c.from != "" {
		text := fmt.Sprintf("%s does not accept the token of %s", c.to, c.from)
		return &refusedError{http.StatusUnauthorized, text, why + ": it may have ended or been revoked, or be another server's"}
	}
	text := fmt.Sprintf("you are not signed in to %s", c.to)
	return &refusedError{http.StatusUnauthorized, text,
		fmt.Sprintf("%s: run \"dagwright login %s\", or set %s in a script", why, c.to.again(), tokenFileVariable)}
}

// forbidden says how to learn why.
func (c *client) forbidden(r request) string {
	if len(r.path) == 1 && r.path[0] == "me" {
		return fmt.Sprintf(" (on %s; ask its administrators)", c.to)
	}
	return fmt.Sprintf(" (on %s; \"dagwright whoami %s\" shows who you are there)", c.to, c.to.again())
}

// foreign says that what answered is not a dagwright, or one behind a proxy.
func (c *client) foreign(resp *http.Response) error {
	if to := resp.Header.Get("Location"); resp.StatusCode < 400 && to != "" {
		if u, err := url.Parse(to); err == nil {
			to = u.Scheme + "://" + u.Host
		}
		return fmt.Errorf("%s sends its callers on to %s, as a proxy with a sign-in of its own does: is that the server to name?", c.to, terminal.OneLine(to))
	}
	return fmt.Errorf("%s answered %s, which is not an answer of dagwright's API: is it the right server?", c.to, resp.Status)
}

// serverVersion asks for the server's version.
func (c *client) serverVersion(ctx context.Context) (string, error) {
	var answer struct {
		Version string `json:"version"`
	}
	err := c.call(ctx, request{path: []string{"version"}}, &answer)
	return answer.Version, err
}

// unknownCall says that the server does not have what a command needs.
func (c *client) unknownCall(ctx context.Context) string {
	v, err := c.serverVersion(ctx)
	switch {
	case err != nil:
		return fmt.Sprintf("%s does not know this command; is it an older dagwright than this one, %s?", c.to, version.String())
	case v == version.String():
		return fmt.Sprintf("%s does not have what this command needs (dagwright %s)", c.to, terminal.OneLine(v))
	}
	return fmt.Sprintf("%s does not know this command: it is dagwright %s and this is %s; bring the older one up to date", c.to, terminal.OneLine(v), version.String())
}

// suggestion looks for the DAG that was meant where none was found.
func (c *client) suggestion(ctx context.Context, r request, detail string) string {
	if len(r.path) < 2 || (r.path[0] != "dags" && r.path[0] != "dagSources") || !strings.Contains(strings.ToLower(detail), "dag ") ||
		strings.Contains(detail, "DagRun") {
		return ""
	}
	ids, err := c.similarDAGs(ctx, r.path[1])
	if err != nil || slices.Contains(ids, r.path[1]) {
		return "" // the first error is the one to tell
	}
	return dag.DidYouMean(r.path[1], ids)
}

// similarDAGs lists DAGs that share a part with a name: its beginning, else its
// end. A fleet is too large to be read for a misspelt word.
func (c *client) similarDAGs(ctx context.Context, name string) ([]string, error) {
	const part = 3
	var ids []string
	for _, pattern := range []string{name[:min(part, len(name))] + "%", "%" + name[max(0, len(name)-part):]} {
		var answer struct {
			DAGs []dagFields `json:"dags"`
		}
		query := url.Values{"dag_id_pattern": {pattern}, "limit": {"100"}}
		if err := c.call(ctx, request{path: []string{"dags"}, query: query}, &answer); err != nil {
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
