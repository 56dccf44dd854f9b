package api

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/store"
)

// tokenTable are the routes about who asks, and about API tokens. Airflow has none
// like them.
func (s *server) tokenTable() []route {
	return []route{
		{http.MethodGet, "/me", dag.RightSettings, s.getMe,
			operation{id: "get_me", tag: "dagwright", summary: "Tell who asks, and the roles.", answer: me{}}},
		{http.MethodGet, "/tokens", dag.RightSettings, s.listTokens, operation{
			id: "get_tokens", tag: "dagwright", summary: "List one's API tokens.", answer: tokenList{},
			query: []param{truth("all", false, "Those of everybody, for administrators.")},
		}},
		{http.MethodPost, "/tokens", dag.RightSettings, s.createToken, operation{
			id: "create_token", tag: "dagwright", summary: "Make an API token, which is shown this once.", answer: tokenAnswer{},
			status:   http.StatusCreated,
			refusals: []int{http.StatusConflict},
			body: []param{
				required(text("name", "What its owner calls it.")),
				required(choice("role", "The most that it may do.", "viewer", "operator", "admin")),
				nonNegative("days", "For how long it is good; as long as the instance allows when absent."),
				many(text("dags", "Only these DAGs, or beginnings of their ids with * at the end.")),
				truth("service", false, "It acts by itself, and not as its maker; for administrators."),
				many(text("projects", "Only models of these GitLab projects or groups, for a service's token.")),
			},
		}},
		{http.MethodDelete, "/tokens/:token_id", dag.RightSettings, s.revokeToken, operation{
			id: "delete_token", tag: "dagwright", summary: "Revoke an API token.", status: http.StatusNoContent,
		}},
	}
}

// me is who asks.
type me struct {
	Name string `json:"name"`
	Via  string `json:"via"`
	// Role is the highest over any DAG, InstanceRole the one over every DAG.
	Role         string `json:"role"`
	InstanceRole string `json:"instance_role"`
}

func (s *server) getMe(c echo.Context) error {
	who := auth.From(c.Request().Context())
	return c.JSON(http.StatusOK, me{who.Name, who.Via, who.Role().String(), who.InstanceRole().String()})
}

// tokenAnswer is an API token. Token is what a script presents, and is shown once.
type tokenAnswer struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Owner     string     `json:"owner"` // "" for a service's
	Service   bool       `json:"service"`
	Role      string     `json:"role"`
	DAGs      []string   `json:"dags"`
	Projects  []string   `json:"projects"`
	CreatedBy string     `json:"created_by"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	LastUsed  *time.Time `json:"last_used_at"`
	Token     string     `json:"token,omitempty"`
}

func newTokenAnswer(t store.APIToken, text string) tokenAnswer {
	a := tokenAnswer{
		ID: t.ID, Name: t.Name, Owner: t.Owner.Name, Service: t.Service(), Role: t.Role.String(), DAGs: []string{},
		Projects:  []string{},
		CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt.UTC(), ExpiresAt: t.ExpiresAt.UTC(), Token: text,
	}
	for _, selection := range t.Scope.Any {
		a.DAGs = append(a.DAGs, selection.DAGs...)
		a.Projects = append(a.Projects, selection.Projects...)
	}
	if used := t.LastUsed.UTC(); !t.LastUsed.IsZero() {
		a.LastUsed = &used
	}
	return a
}

// tokenList is a list of tokens, the newest first.
type tokenList struct {
	Tokens []tokenAnswer `json:"tokens"`
	Total  int           `json:"total_entries"`
}

func (s *server) listTokens(c echo.Context) error {
	q := readQuery(c)
	all := q.boolean("all")
	if err := q.err(); err != nil {
		return err
	}
	list, err := s.Auth.Tokens(c.Request().Context(), all != nil && *all)
	if err != nil {
		return err
	}
	answers := make([]tokenAnswer, len(list))
	for i, t := range list {
		answers[i] = newTokenAnswer(t, "")
	}
	return c.JSON(http.StatusOK, tokenList{answers, len(answers)})
}

func (s *server) createToken(c echo.Context) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	const mostName, mostDays = 100, 36500
	b.require("name")
	b.require("role")
	n := auth.NewToken{
		Name: b.text("name", mostName), DAGs: b.texts("dags"), Service: b.boolean("service"), Projects: b.texts("projects"),
	}
	role, days := b.choice("role", "viewer", "operator", "admin"), b.number("days", 0)
	if err := b.err(); err != nil {
		return err
	}
	if b.has("days") && days == 0 || days > mostDays {
		return refuse(http.StatusUnprocessableEntity, "days: want a number from 1 to %d", mostDays)
	}
	n.Life = time.Duration(days) * 24 * time.Hour
	if n.Role, err = dag.ParseRole(role); err != nil {
		return err
	}
	text, made, err := s.Auth.CreateToken(c.Request().Context(), n)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, newTokenAnswer(made, text))
}

func (s *server) revokeToken(c echo.Context) error {
	if err := s.Auth.RevokeToken(c.Request().Context(), c.Param("token_id")); err != nil {
		return orMissing(err, "The token with ID: `%s` was not found", short(c.Param("token_id")))
	}
	return c.NoContent(http.StatusNoContent)
}
