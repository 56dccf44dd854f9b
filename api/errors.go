package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/tasklog"
)

// problem is an answer that is an error: a status and Airflow's "detail", a
// text or, for a body or query that breaks its schema, a list of fieldErrors.
type problem struct {
	status int
	detail any
}

func (p *problem) Error() string { return fmt.Sprint(p.detail) }

// refuse makes a problem with a text.
func refuse(status int, format string, args ...any) error {
	return &problem{status, fmt.Sprintf(format, args...)}
}

// orMissing turns dag.ErrNotFound into a 404 in Airflow's words.
func orMissing(err error, format string, args ...any) error {
	if errors.Is(err, dag.ErrNotFound) {
		return refuse(http.StatusNotFound, format, args...)
	}
	return err
}

// missingDAG is the commonest of Airflow's 404s.
func missingDAG(err error, id dag.ID) error {
	return orMissing(err, "The Dag with ID: `%s` was not found", short(id))
}

func missingRun(err error, id dag.ID, run dag.RunID) error {
	return orMissing(err, "The DagRun with dag_id: `%s` and run_id: `%s` was not found", short(id), short(run))
}

// short bounds how much of a name that somebody sent is said back.
func short[T ~string](name T) T {
	const most = 250
	if len(name) <= most {
		return name
	}
	cut := most
	for !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + "…"
}

// statuses maps the kinds of error to HTTP. Any other error is a 500.
var statuses = []struct {
	kind   error
	status int
}{
	{dag.ErrNotFound, http.StatusNotFound},
	{dag.ErrForbidden, http.StatusForbidden},
	{dag.ErrConflict, http.StatusConflict},
	{dag.ErrInvalid, http.StatusBadRequest},
}

// asProblem says how an error is answered, nil for one that is not expected.
// The second value is false for an error whose text is not for the one who
// asked.
func asProblem(err error) (*problem, bool) {
	if p := (*problem)(nil); errors.As(err, &p) {
		return p, true
	}
	if h := (*echo.HTTPError)(nil); errors.As(err, &h) && h.Code < 500 {
		return &problem{h.Code, fmt.Sprint(h.Message)}, true
	}
	for _, s := range statuses {
		if errors.Is(err, s.kind) {
			return &problem{s.status, strings.TrimSuffix(err.Error(), ": "+s.kind.Error())}, true
		}
	}
	if errors.Is(err, store.ErrUnknown) {
		return &problem{http.StatusServiceUnavailable,
			"The database did not confirm what was asked for: it may have been done or not. " +
				"Ask once more with the Idempotency-Key of this answer's header: what was done is not done again"}, false
	}
	if errors.Is(err, store.ErrUnavailable) {
		return &problem{http.StatusServiceUnavailable, "The database does not answer now; nothing was changed"}, false
	}
	if errors.Is(err, tasklog.ErrUnavailable) {
		return &problem{http.StatusServiceUnavailable, "The storage of the logs does not answer now"}, false
	}
	return nil, false
}

// wrap checks what all requests have in common and answers the errors of a
// handler.
func (s *server) wrap(handle echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("X-Content-Type-Options", "nosniff")
		err := giveKey(c)
		if err == nil {
			err = decodeParams(c)
		}
		if err == nil {
			err = handle(c)
		}
		if err == nil {
			return nil
		}
		return s.answer(c, err)
	}
}

// idempotencyKey is the header under which a client may send a request again after it
// got no answer, or one with status 503: what was done is not done again.
const idempotencyKey = "Idempotency-Key"

// giveKey gives the request the key under which its acts are done once: the client's, or
// a new one, which an answer names when the client needs it.
func giveKey(c echo.Context) error {
	if c.Request().Method == http.MethodGet {
		return nil
	}
	key := cmp.Or(c.Request().Header.Get(idempotencyKey), rand.Text())
	if len(key) > store.MaxKey {
		return refuse(http.StatusBadRequest, "The header %s has %d bytes; %d are allowed", idempotencyKey, len(key),
			store.MaxKey)
	}
	c.SetRequest(
		c.Request().WithContext(store.WithKey(c.Request().Context(), key, c.Request().Method+" "+c.Request().RequestURI)))
	return nil
}

func (s *server) answer(c echo.Context, err error) error {
	err = store.Unconfirmed(c.Request().Context(), err)
	if key := store.KeyOf(c.Request().Context()); key != "" && errors.Is(err, store.ErrUnknown) {
		c.Response().Header().Set(idempotencyKey, key)
	}
	if c.Request().Context().Err() != nil && errors.Is(err, context.Canceled) {
		return nil // nobody is there to read an answer
	}
	p, public := asProblem(err)
	if !public || c.Response().Committed {
		id := rand.Text()[:8]
		s.Logger.ErrorContext(c.Request().Context(), "request", "err", err, "request_id", id,
			"method", c.Request().Method, "path", c.Path())
		if c.Response().Committed {
			return nil
		}
		if p == nil {
			p = &problem{http.StatusInternalServerError, "Internal error"}
		}
		p = &problem{p.status, fmt.Sprintf("%s. The cause is in the server's log under request_id %s", p.detail, id)}
	}
	if p.status == http.StatusServiceUnavailable {
		c.Response().Header().Set("Retry-After", "2")
	}
	return c.JSON(p.status, map[string]any{"detail": p.detail})
}
