package ui

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
)

// pageError is an error whose words are meant for the reader.
type pageError struct {
	kind  error // one of dag's sentinels
	words string
}

func (e *pageError) Error() string { return e.words }
func (e *pageError) Unwrap() error { return e.kind }

func notFound(format string, args ...any) error {
	return &pageError{dag.ErrNotFound, fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return &pageError{dag.ErrInvalid, fmt.Sprintf(format, args...)}
}

// errorKinds says how each kind of error is answered.
var errorKinds = []struct {
	kind   error
	status int
	title  string
}{
	{dag.ErrNotFound, http.StatusNotFound, "Not found"},
	{dag.ErrConflict, http.StatusConflict, "Not possible now"},
	{dag.ErrInvalid, http.StatusUnprocessableEntity, "Not valid"},
}

// errorPage tells what went wrong.
type errorPage struct {
	Page
	Words     string
	RequestID string // of an unexpected error, to be found in the log
}

// failures answers the errors of handlers: as a page, or as plain text to a
// script that asks for it. The cause of an unexpected error goes to the log
// and not to the reader.
func (s *server) failures(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if err == nil || c.Response().Committed {
			return nil
		}
		if errors.Is(err, context.Canceled) && c.Request().Context().Err() != nil {
			return nil //nolint:nilerr // nobody is there to read an answer
		}
		if errors.Is(err, echo.ErrNotFound) {
			return err
		}
		status, title := classify(err)
		p := errorPage{Page: s.page(c, title), Words: words(err)}
		if status == http.StatusInternalServerError {
			p.RequestID = rand.Text()
			p.Words = "Something went wrong on the server. It is not your doing."
			s.Logger.ErrorContext(c.Request().Context(), "request failed", "request", p.RequestID,
				"method", c.Request().Method, "route", c.Path(), "err", err)
		}
		return s.answerError(c, status, p)
	}
}

func (s *server) answerError(c echo.Context, status int, p errorPage) error {
	if wantsText(c) {
		text := p.Words
		if p.RequestID != "" {
			text += " Request " + p.RequestID + "."
		}
		return c.String(status, text)
	}
	return s.render(c, status, "error", p)
}

// classify gives the status and title for an error.
func classify(err error) (status int, title string) {
	for _, k := range errorKinds {
		if errors.Is(err, k.kind) {
			return k.status, k.title
		}
	}
	var he *echo.HTTPError
	if errors.As(err, &he) && he.Code != http.StatusInternalServerError {
		return he.Code, http.StatusText(he.Code)
	}
	return http.StatusInternalServerError, "Something went wrong"
}

// words makes an error's text a sentence.
func words(err error) string {
	var he *echo.HTTPError
	text := err.Error()
	if errors.As(err, &he) {
		text = fmt.Sprint(he.Message)
	}
	for _, kind := range errorKinds {
		text = strings.TrimSuffix(text, ": "+kind.kind.Error())
	}
	return text
}

// wantsText reports whether the script asks, which shows errors in place.
func wantsText(c echo.Context) bool { return c.Request().Header.Get("Accept") == "text/plain" }
