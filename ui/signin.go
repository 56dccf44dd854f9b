package ui

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"dagwright/auth"
	"dagwright/dag"
)

// loginPage is what somebody sees who is not known: one button, which leads to the
// identity provider.
type loginPage struct {
	Page
	Label    string // of the button
	ReturnTo string
	// NoRole is set for somebody who is known, and whom no rule gives anything.
	NoRole bool
	// Away is set when the identity provider did not answer.
	Away bool
}

// Texts of package auth that people read when a sign-in fails.
var _ = []string{
	say("This sign-in was not begun in this browser, or it took too long."),
	say("The answer does not come from the identity provider that was asked."),
	say("The identity provider does not accept the code of this sign-in: it may have been used already."),
	say("The identity provider sent no ID token."),
	say("The ID token belongs to another sign-in."),
	say("The ID token was issued to another client."),
	say("The ID token does not belong to its access token."),
	say("The ID token cannot be read."),
}

func (s *server) addSignIn(e *echo.Echo) {
	e.GET("/login", s.login, s.headers, s.failures, compress())
	e.POST("/login", s.beginSignIn, s.headers, s.failures, limitForm(), readForm, giveKey)
	e.GET("/auth/callback", s.finishSignIn, s.headers, s.failures)
	e.POST("/logout", s.signOut, s.headers, s.failures, limitForm(), readForm, giveKey)
}

func (s *server) login(c echo.Context) error {
	who := auth.From(c.Request().Context())
	to := auth.LocalPath(c.QueryParam("return_to"))
	if !s.Auth.SignsIn() || who.Role() > dag.RoleNone {
		return c.Redirect(http.StatusSeeOther, to)
	}
	p := loginPage{Page: s.page(c, s.reader(c).t("Sign in")), Label: s.Auth.Label, ReturnTo: to, NoRole: who.Name != ""}
	if p.NoRole {
		return s.render(c, http.StatusForbidden, "login", p)
	}
	return s.render(c, http.StatusOK, "login", p)
}

// beginSignIn leads to the identity provider.
func (s *server) beginSignIn(c echo.Context) error {
	to, cookie, err := s.Auth.BeginSignIn(c.Request().Context(), c.FormValue("return_to"))
	if errors.Is(err, auth.ErrProviderAway) {
		s.Logger.WarnContext(c.Request().Context(), "nobody can sign in", "err", err)
		p := loginPage{Page: s.page(c, s.reader(c).t("Sign in")), Label: s.Auth.Label,
			ReturnTo: auth.LocalPath(c.FormValue("return_to")), Away: true}
		return s.render(c, http.StatusServiceUnavailable, "login", p)
	}
	if err != nil {
		return err
	}
	c.SetCookie(s.Auth.Cookie(s.Auth.SignInCookie(), cookie, s.Auth.SignInLife()))
	return c.Redirect(http.StatusSeeOther, to)
}

// finishSignIn is where the identity provider sends people back to.
func (s *server) finishSignIn(c echo.Context) error {
	to, session, err := s.Auth.FinishSignIn(c.Request().Context(), auth.Arrival{
		Cookie: cookieOf(c, s.Auth.SignInCookie()), Session: cookieOf(c, s.Auth.SessionCookie()),
		Answer: c.QueryParams(), Agent: c.Request().UserAgent(),
	})
	c.SetCookie(s.Auth.Cookie(s.Auth.SignInCookie(), "", 0)) // good for one try
	switch {
	case errors.Is(err, auth.ErrProviderAway):
		s.Logger.WarnContext(c.Request().Context(), "a sign-in failed", "err", err)
		return echo.NewHTTPError(http.StatusServiceUnavailable,
			say("The identity provider is not responding. Try to sign in again later."))
	case err != nil:
		return s.signInFault(c, err)
	}
	c.SetCookie(s.Auth.Cookie(s.Auth.SessionCookie(), session, s.Auth.CookieLife()))
	return c.Redirect(http.StatusSeeOther, to)
}

// signInFault tells why nobody was signed in. The texts of a refusal are for people.
func (s *server) signInFault(c echo.Context, err error) error {
	var why *auth.Refusal
	if !errors.As(err, &why) {
		return fmt.Errorf("finish sign-in: %w", err)
	}
	s.Logger.WarnContext(c.Request().Context(), "a sign-in was refused", "err", err)
	rd := s.reader(c)
	p := errorPage{Page: s.page(c, rd.t("Not signed in")), Words: rd.told(why.Reason),
		Hint: say("Start again from the sign-in page.")}
	return s.answerError(c, http.StatusBadRequest, p)
}

// told translates what another package says: a text of the catalogue, or a reason.
func (rd *reader) told(text string) string { return rd.translated(rd.known(text)) }

// known translates a text that may be one of the catalogue's.
func (rd *reader) known(text string) string {
	if _, ok := russian[text]; ok {
		return rd.t(text)
	}
	return text
}

// signOut ends the session here, and leads to the provider to end it there.
func (s *server) signOut(c echo.Context) error {
	to, err := s.Auth.SignOut(c.Request().Context(), cookieOf(c, s.Auth.SessionCookie()))
	if err != nil {
		return err
	}
	c.SetCookie(s.Auth.Cookie(s.Auth.SessionCookie(), "", 0))
	return c.Redirect(http.StatusSeeOther, to)
}

func cookieOf(c echo.Context, name string) string {
	cookie, err := c.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}
