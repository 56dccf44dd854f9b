package api

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/store"
	"dagwright/tasklog"
	"dagwright/version"
)

// Config is what the API needs.
type Config struct {
	Store *store.Store
	Logs  *tasklog.Dir
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Logger receives the cause of each answer 500; slog.Default() when nil.
	Logger *slog.Logger
	// User returns who sent a request; everybody is "anonymous" when nil.
	User func(echo.Context) string
	// Allow says whether the sender of a request has a right over a DAG; id is empty for
	// what is about none. Its error is the answer. Everybody may do everything when it is nil.
	Allow func(c echo.Context, right dag.Right, id dag.ID) error
	// PromotesTo is the DAG repository that DAGs can be promoted to; they cannot
	// when empty.
	PromotesTo string
	// Auth keeps API tokens; there are no routes for them when it is nil.
	Auth *auth.Service
	// Version is dagwright's version, which GET /api/v2/version returns.
	Version string
	// Done ends the streams (followed logs, waits) when it is closed: the
	// server shuts down. Nil never ends them.
	Done <-chan struct{}
}

// maxStreams bounds the answers that stay open at a time; a caller has a quarter.
const maxStreams = 200

// prefix is where Airflow puts its API v2.
const prefix = "/api/v2"

// server answers requests. Its methods are the handlers.
type server struct {
	Config
	routes  []route
	streams *auth.Shares // of the answers that stay open
	process string       // names this process in the ids of changes
}

// route is one operation of the API.
type route struct {
	method, path string
	right        dag.Right
	handle       echo.HandlerFunc
	operation    operation
}

// Register adds the API's routes below /api/v2, and JSON answers for everything
// else below /api.
func Register(e *echo.Echo, c Config) {
	s := newServer(c)
	for _, r := range s.routes {
		e.Add(r.method, prefix+r.path, s.wrap(s.allowed(r)))
	}
	// The document says nothing of any DAG. Airflow serves it without asking who reads.
	e.GET("/openapi.json", s.serveOpenAPI())
	e.GET(prefix+"/openapi.json", s.serveOpenAPI())
	e.Any("/api", s.wrap(s.unmatched))
	e.Any("/api/*", s.wrap(s.unmatched))
}

func newServer(c Config) *server {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.User == nil {
		c.User = func(echo.Context) string { return "anonymous" }
	}
	if c.Allow == nil {
		c.Allow = func(echo.Context, dag.Right, dag.ID) error { return nil }
	}
	s := &server{Config: c, streams: auth.NewShares(maxStreams), process: rand.Text()}
	s.routes = s.table()
	if c.Auth != nil {
		s.routes = append(s.routes, s.tokenTable()...)
	}
	return s
}

const (
	runPath  = "/dags/:dag_id/dagRuns/:dag_run_id"
	taskPath = runPath + "/taskInstances/:task_id"
)

// table is every route but the document of them.
func (s *server) table() []route {
	return slices.Concat(
		s.dagRoutes(), s.taskRoutes(), s.versionRoutes(), s.catalogueRoutes(), s.eventRoutes(),
		s.runRoutes(), s.runActRoutes(), s.instanceRoutes(), s.taskActRoutes(), s.logRoutes(),
		s.backfillRoutes(), s.pushRoutes(), s.changeRoutes(), s.emptyRoutes(),
	)
}

// allowed checks the route's right before the route is run.
func (s *server) allowed(r route) echo.HandlerFunc {
	return func(c echo.Context) error {
		declare(c, r.operation)
		id := dagID(c)
		if id == allDAGs {
			id = "" // a request about every DAG that one may see
		}
		if repeated, err := s.repeatsRemoval(c, r); err != nil {
			return err
		} else if repeated {
			return r.handle(c) // its first answer; there is no DAG any more to ask rights for
		}
		if err := s.Allow(c, r.right, id); err != nil {
			return missingDAG(err, id)
		}
		return r.handle(c)
	}
}

// repeatsRemoval reports whether a request is the repeat of one that removed its DAG.
func (s *server) repeatsRemoval(c echo.Context, r route) (bool, error) {
	switch r.right {
	case dag.RightDelete, dag.RightTakeOver:
		return s.Store.Acted(c.Request().Context(), s.actor(c))
	}
	return false, nil
}

// actor is who sent the request, for the audit log.
func (s *server) actor(c echo.Context) store.Actor {
	via := "rest_api"
	if strings.HasPrefix(c.Request().UserAgent(), version.CommandLine) {
		via = "cli"
	}
	return store.Actor{User: s.User(c), Via: via}
}

// unmatched answers what no route answers: 405 when the path exists for other
// methods, else 404. It stands at /api/* so that neither the pages' own
// fallback nor the router's plain text answers here.
func (s *server) unmatched(c echo.Context) error {
	var allowed []string
	for _, r := range s.routes {
		if matches(prefix+r.path, echo.GetPath(c.Request())) {
			allowed = append(allowed, r.method)
		}
	}
	if len(allowed) == 0 {
		return refuse(http.StatusNotFound, "Not Found")
	}
	c.Response().Header().Set(echo.HeaderAllow, strings.Join(allowed, ", "))
	return refuse(http.StatusMethodNotAllowed, "Method Not Allowed")
}

// matches reports whether a path has the segments of a route's pattern.
func matches(pattern, path string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if want[i] != have[i] && (have[i] == "" || !strings.HasPrefix(want[i], ":")) {
			return false
		}
	}
	return true
}
