package ui

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/store"
)

// tokensPage lists API tokens, and makes them.
type tokensPage struct {
	Page
	Tokens  []TokenView
	Made    string // the text of a token that was made just now: shown this once
	All     bool   // everybody's
	Admin   bool
	Roles   []string // that a new token may have
	MaxDays int
}

// TokenView is one token.
type TokenView struct {
	ID, Name, Owner, Role string
	Service               bool
	Over                  string // what it has a role over, in short
	Made, Ends, Used      TimeView
	Expired               bool
	RevokeURL             string
}

// Roles as pages name them.
var _ = []string{say("viewer"), say("operator"), say("admin")}

func (s *server) tokens(c echo.Context) error { return s.showTokens(c, "") }

func (s *server) showTokens(c echo.Context, made string) error {
	who := auth.From(c.Request().Context())
	admin := who.InstanceRole() >= dag.RoleAdmin
	all := admin && c.QueryParam("all") != ""
	list, err := s.Auth.Tokens(c.Request().Context(), all)
	if err != nil {
		return err
	}
	rd := s.reader(c)
	p := tokensPage{Page: s.page(c, rd.t("API tokens")), Made: made, All: all, Admin: admin,
		MaxDays: int(s.Auth.TokenLife / (24 * time.Hour))}
	for role := dag.RoleViewer; role <= who.Role(); role++ {
		p.Roles = append(p.Roles, role.String())
	}
	for _, t := range list {
		p.Tokens = append(p.Tokens, TokenView{
			ID: t.ID, Name: t.Name, Owner: t.Owner.Name, Role: t.Role.String(), Service: t.Service(), Over: overWhat(t.Scope),
			Made: rd.time(t.CreatedAt, ""), Ends: rd.time(t.ExpiresAt, ""), Used: rd.time(t.LastUsed, ""),
			Expired: !rd.now.Before(t.ExpiresAt), RevokeURL: "/tokens/" + t.ID + "/revoke",
		})
	}
	return s.render(c, http.StatusOK, "tokens", p)
}

// overWhat names the DAGs of a token's scope; nothing for every DAG.
func overWhat(s store.Scope) string {
	var names []string
	for _, selection := range s.Any {
		names = append(names, selection.DAGs...)
		names = append(names, selection.Projects...)
	}
	return strings.Join(names, ", ")
}

func (s *server) createToken(c echo.Context) error {
	role, err := dag.ParseRole(c.FormValue("role"))
	if err != nil {
		return err
	}
	days, err := strconv.Atoi(c.FormValue("days"))
	if err != nil || days < 1 || days > 36500 {
		return invalid("Enter for how many days the token is valid.")
	}
	text, _, err := s.Auth.CreateToken(c.Request().Context(), auth.NewToken{
		Name: c.FormValue("name"), Role: role, Life: time.Duration(days) * 24 * time.Hour,
		DAGs: strings.Fields(c.FormValue("dags")), Projects: strings.Fields(c.FormValue("projects")),
		Service: c.FormValue("service") != "",
	})
	if err != nil {
		return err
	}
	return s.showTokens(c, text)
}

func (s *server) revokeToken(c echo.Context) error {
	if err := s.Auth.RevokeToken(c.Request().Context(), param(c, "token")); err != nil {
		return err
	}
	notice(c, s.reader(c).t("The token was revoked."))
	return done(c, "/tokens")
}

// sessionsPage lists where somebody is signed in.
type sessionsPage struct {
	Page
	Sessions []SessionView
	All      bool // everybody's
	Admin    bool
}

// SessionView is one signed-in browser.
type SessionView struct {
	Name, Agent       string
	Began, Used, Ends TimeView
	This              bool // the browser that reads the page
	EndURL            string
}

func (s *server) sessions(c echo.Context) error {
	who := auth.From(c.Request().Context())
	admin := who.InstanceRole() >= dag.RoleAdmin
	all := admin && c.QueryParam("all") != ""
	list, err := s.Auth.Sessions(c.Request().Context(), all)
	if err != nil {
		return err
	}
	rd := s.reader(c)
	p := sessionsPage{Page: s.page(c, rd.t("Sessions")), All: all, Admin: admin}
	for _, n := range list {
		p.Sessions = append(p.Sessions, SessionView{
			Name: n.Person.Name, Agent: n.Agent, Began: rd.time(n.CreatedAt, ""), Used: rd.time(n.SeenAt, ""),
			Ends: rd.time(n.ExpiresAt, ""),
			This: n.ID == who.Session, EndURL: "/sessions/" + n.ID + "/end",
		})
	}
	return s.render(c, http.StatusOK, "sessions", p)
}

func (s *server) endSession(c echo.Context) error {
	if err := s.Auth.EndSession(c.Request().Context(), param(c, "session")); err != nil {
		return err
	}
	notice(c, s.reader(c).t("The session was ended."))
	return done(c, "/sessions")
}
