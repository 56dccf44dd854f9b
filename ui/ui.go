// Package ui serves dagwright's pages: the DAG table, a DAG with its graph,
// runs and code, the trigger form, task logs, and what became of pushes and
// files. Pages are rendered on the server from html/template and work without
// script; static/app.js adds live updates over server-sent events.
//
// There is one struct for each page, and one template of the same name under
// html. A test type-checks every template against its struct. The texts of
// pages stand in the templates, those of errors beside the code that finds
// them.
//
// Every change of state is a POST. This package checks no origin: the server
// around it must refuse requests that come from other sites
// (http.CrossOriginProtection).
package ui

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"dagwright/store"
	"dagwright/tasklog"
)

// Config is what the pages need.
type Config struct {
	Store *store.Store
	Logs  *tasklog.Dir
	// Now is the clock; time.Now when nil.
	Now    func() time.Time
	Logger *slog.Logger
	// Environment is shown on every page, such as "DEV".
	Environment string
	// User tells who makes a request; everybody is "anonymous" when nil.
	User func(echo.Context) string
	// GitLabURL is the address in front of project paths, for links to commits;
	// no links when empty.
	GitLabURL string
	// Done is closed when the server is about to stop: streams then end. They
	// end with their request only when it is nil.
	Done <-chan struct{}
}

// server holds what handlers share.
type server struct {
	Config
	views   *views
	streams *streams
}

// Register adds the pages to e.
func Register(e *echo.Echo, c Config) { register(e, c) }

func register(e *echo.Echo, c Config) *server {
	s := newServer(c)
	s.addPages(e)
	s.addActions(e)
	e.GET("/events", s.events, s.headers, s.failures)
	e.GET("/dags/:dag/runs/:run/tasks/:task/log/stream", s.logStream, s.headers, s.failures)
	e.GET("/static/:file", s.static, s.headers, s.failures, compress())
	e.GET("/favicon.ico", func(c echo.Context) error { return c.Redirect(http.StatusFound, s.views.asset("favicon.svg")) })
	e.RouteNotFound("/*", s.unknown, s.headers, s.failures)
	return s
}

func newServer(c Config) *server {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.User == nil {
		c.User = func(echo.Context) string { return "anonymous" }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &server{Config: c, views: newViews(), streams: newStreams(c.Done)}
}

// addPages adds what only reads.
func (s *server) addPages(e *echo.Echo) {
	for path, h := range map[string]echo.HandlerFunc{
		"/":                                    s.dagTable,
		"/dags/:dag":                           s.toGraph,
		"/dags/:dag/graph":                     s.dagGraph,
		"/dags/:dag/runs":                      s.dagRuns,
		"/dags/:dag/code":                      s.dagCode,
		"/dags/:dag/details":                   s.dagDetails,
		"/dags/:dag/trigger":                   s.triggerForm,
		"/dags/:dag/delete":                    s.deleteForm,
		"/dags/:dag/runs/:run":                 s.runPage,
		"/dags/:dag/runs/:run/tasks/:task":     s.taskPage,
		"/dags/:dag/runs/:run/tasks/:task/log": s.logPage,
		"/models":                              s.models,
		"/import-errors":                       s.importErrors,
		"/audit":                               s.audit,
	} {
		e.GET(path, h, s.headers, s.failures, compress())
	}
}

// addActions adds what changes something.
func (s *server) addActions(e *echo.Echo) {
	for path, h := range map[string]echo.HandlerFunc{
		"/dags/:dag/pause":           s.setPaused,
		"/dags/:dag/trigger":         s.trigger,
		"/dags/:dag/delete":          s.requestRemoval,
		"/dags/:dag/delete-history":  s.deleteHistory,
		"/dags/:dag/runs/:run/state": s.setRunState,
		"/dags/:dag/runs/:run/note":  s.setRunNote,
	} {
		e.POST(path, h, s.headers, s.failures, middleware.BodyLimit(maxForm), readForm)
	}
}

// maxForm bounds the body of a form: a conf may have 256 KiB, which escaping
// may treble.
const maxForm = "1M"

// readForm refuses a form that is too long or broken, instead of taking its
// fields as empty.
func readForm(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if _, err := c.FormParams(); err != nil {
			var he *echo.HTTPError
			if errors.As(err, &he) {
				return he
			}
			return invalid("The form cannot be read.")
		}
		return next(c)
	}
}

// unknown answers what no route knows; the API answers in its own shape.
func (s *server) unknown(c echo.Context) error {
	if isAPI(c.Request().URL.Path) {
		return echo.ErrNotFound
	}
	return notFound("There is no page at this address.")
}

// actor is who makes the request, for the audit log.
func (s *server) actor(c echo.Context) store.Actor {
	return store.Actor{User: s.User(c), Via: "ui"}
}
