package ui

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/store"
)

// pageError is an error whose words are meant for the reader, and come in the
// reader's language.
type pageError struct {
	kind error // one of dag's sentinels
	key  string
	args []any
}

// words is an argument of a pageError that is translated itself, as a text of the
// catalogue or as a reason.
type words string

func (e *pageError) Error() string { return fmt.Sprintf(e.key, e.args...) }

// in is the text in a reader's language.
func (e *pageError) in(rd *reader) string {
	args := slices.Clone(e.args)
	for i, arg := range args {
		if w, ok := arg.(words); ok {
			args[i] = rd.told(string(w))
		}
	}
	return rd.t(e.key, args...)
}

func (e *pageError) Unwrap() error { return e.kind }

func notFound(key string, args ...any) error { return &pageError{dag.ErrNotFound, key, args} }
func invalid(key string, args ...any) error  { return &pageError{dag.ErrInvalid, key, args} }
func conflict(key string) error              { return &pageError{dag.ErrConflict, key, nil} }

// errorKinds says how each kind of error is answered, and what the reader can
// do about it.
var errorKinds = []struct {
	kind        error
	status      int
	title, hint string // no hint when there is nothing to be done
}{
	{dag.ErrNotFound, http.StatusNotFound, say("Not found"),
		say("It may have been deleted, or the address is mistyped. Look for it in the table of DAGs.")},
	{auth.ErrSignInOff, http.StatusForbidden, say("There is no sign-in"), ""},
	{dag.ErrForbidden, http.StatusForbidden, notAllowed, notAllowedHint},
	{dag.ErrConflict, http.StatusConflict, say("Not possible now"),
		say("Something has changed since the page was loaded. Go back, reload the page and check before you try again.")},
	{dag.ErrInvalid, http.StatusUnprocessableEntity, say("Not valid"),
		say("Go back and correct it: nothing was changed.")},
	{store.ErrUnknown, http.StatusServiceUnavailable, say("Not confirmed"),
		say("It may or may not have been done. Ask again in a moment: what was done is not done twice.")},
	{store.ErrUnavailable, http.StatusServiceUnavailable, say("Too busy"), say("Wait a moment and reload the page.")},
}

// What a reader hears who may not do what was asked for.
var (
	notAllowed     = say("Not allowed")
	notAllowedHint = say("Your role does not allow this. Ask the owner of the DAG or the platform team.")
)

// httpErrors are the errors of HTTP itself that a reader may meet.
var httpErrors = []struct {
	status      int
	title, hint string
}{
	{http.StatusForbidden, notAllowed, notAllowedHint},
	{http.StatusUnauthorized, say("You are signed out"), say("Sign in again, then repeat what you did.")},
	{http.StatusRequestEntityTooLarge, say("Too large"), say("Go back and shorten it: nothing was changed.")},
	{http.StatusServiceUnavailable, say("Too busy"), say("Wait a moment and reload the page.")},
}

// errorPage tells what went wrong.
type errorPage struct {
	Page
	Words     string
	Hint      string
	RequestID string // of an unexpected error, to be found in the log
	Again     *repeat
}

// repeat is a form that asks once more for what was asked for.
type repeat struct {
	Action string
	Fields []formField
}

// again is the repeat of an act under its key.
func again(c echo.Context) *repeat {
	request := c.Request()
	key, _, _ := strings.Cut(store.KeyOf(request.Context()), ".")
	if request.Method != http.MethodPost || key == "" {
		return nil
	}
	return &repeat{request.URL.RequestURI(), append(sentFields(c, keyField), formField{keyField, key})}
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
		err = store.Unconfirmed(c.Request().Context(), err)
		rd := s.reader(c)
		status, title, hint := classify(err)
		p := errorPage{Page: s.page(c, rd.t(title)), Words: rd.words(err), Hint: hint}
		if errors.Is(err, store.ErrUnavailable) {
			p.RequestID = rand.Text()
			p.Words = rd.t("The database is not responding.")
			c.Response().Header().Set("Retry-After", "2")
			if errors.Is(err, store.ErrUnknown) {
				p.Again = again(c)
			}
			s.Logger.ErrorContext(c.Request().Context(), "request failed", "request", p.RequestID,
				"method", c.Request().Method, "route", c.Path(), "err", err)
		}
		if status == http.StatusInternalServerError {
			p.RequestID = rand.Text()
			p.Words = rd.t("Something went wrong on the server. It is not your fault.")
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
			text += " " + s.reader(c).t("Request %s.", p.RequestID)
		}
		return c.String(status, text)
	}
	return s.render(c, status, "error", p)
}

// classify gives the status, title and hint for an error.
func classify(err error) (status int, title, hint string) {
	for _, k := range errorKinds {
		if errors.Is(err, k.kind) {
			return k.status, k.title, k.hint
		}
	}
	var he *echo.HTTPError
	if errors.As(err, &he) && he.Code != http.StatusInternalServerError {
		for _, k := range httpErrors {
			if he.Code == k.status {
				return k.status, k.title, k.hint
			}
		}
		return he.Code, http.StatusText(he.Code), ""
	}
	return http.StatusInternalServerError, say("Something went wrong"), ""
}

// words makes an error's text a sentence.
func (rd *reader) words(err error) string {
	var pe *pageError
	if errors.As(err, &pe) {
		return pe.in(rd)
	}
	var he *echo.HTTPError
	text := err.Error()
	if errors.As(err, &he) {
		text = rd.t(fmt.Sprint(he.Message))
	}
	for _, kind := range errorKinds {
		text = strings.TrimSuffix(text, ": "+kind.kind.Error())
	}
	return sentence(rd.translated(text))
}

// sentence begins a text with a capital letter, unless it begins with a path or
// the name of a field.
func sentence(text string) string {
	word, _, _ := strings.Cut(text, " ")
	if strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && r != '-' }) {
		return text
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

// wantsText reports whether the script asks, which shows errors in place.
func wantsText(c echo.Context) bool { return c.Request().Header.Get("Accept") == "text/plain" }
