// Package ui serves dagwright's pages: the DAG table, a DAG with its graph,
// runs and code, the trigger form, task logs, and what happened to pushes and
// files. Pages are rendered on the server from html/template and work without
// script; static/app.js adds live updates over server-sent events.
//
// There is one struct for each page, and one template of the same name under
// html. A test type-checks every template against its struct.
//
// Pages speak English and Russian. Their texts are the keys of one catalogue
// (russian.go); a test checks the templates against it.
//
// Every change of state is a POST, and stands in one table (posts). This package checks no origin: the server
// around it must refuse requests that come from other sites
// (http.CrossOriginProtection).
package ui

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/macro"
	"dagwright/reason"
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
	// Environment is shown on every page, such as "DEV"; Production gives it the
	// colour that warns.
	Environment string
	Production  bool
	// Sibling is the other instance, which pages lead to; none when its URL is
	// empty.
	Sibling Sibling
	// User returns who makes a request; everybody is "anonymous" when nil.
	User func(echo.Context) string
	// Allow says whether the sender of the request has a right over a DAG; id is empty
	// for what is about none. Its error goes to the reader. Everybody may do everything
	// when it is nil.
	Allow func(c echo.Context, right dag.Right, id dag.ID) error
	// Auth signs people in, and keeps their sessions and tokens; nobody is asked when it
	// is nil.
	Auth *auth.Service
	// Variables are those that templates may read; nil has none.
	Variables macro.Variables
	// GitLabURL is the address in front of project paths, for links to commits;
	// no links when empty.
	GitLabURL string
	// DAGProject is the DAG repository's GitLab path, for links to its commits.
	DAGProject string
	// Branches of model repositories that become DAGs; the default for what is empty.
	Branches dag.Branches
	// PromotesTo is the GitLab path of the DAG repository that DAGs can be promoted
	// to; they cannot when empty.
	PromotesTo string
	// Troubles says what of the instance does not work now. Every page shows them to people with a role over the
	// whole instance. There are none when it is nil.
	Troubles func() []reason.Reason
	// Done is closed when the server is about to stop: streams then end. They
	// end with their request only when it is nil.
	Done <-chan struct{}
}

// server holds what handlers share.
type server struct {
	Config
	views      *views
	streams    *streams
	renderings *renderings
	zones      *zones
	choices    *choices
	archived   *choices // of archived DAGs
	process    string   // tells this process from others and from its next start
}

// Register adds the pages to e.
func Register(e *echo.Echo, c Config) { register(e, c) }

func register(e *echo.Echo, c Config) *server {
	s := newServer(c)
	s.addPages(e)
	s.addPosts(e)
	s.addSignIn(e)
	e.GET("/events", s.events, s.headers, s.failures, s.allowed(dag.RightRead))
	e.GET("/dags/:dag/runs/:run/tasks/:task/log/stream", s.logStream, s.headers, s.failures, s.allowed(dag.RightRead))
	e.GET("/static/:file", s.static, s.headers, s.failures, compress())
	e.GET("/favicon.ico", func(c echo.Context) error { return c.Redirect(http.StatusFound, s.views.asset("favicon.svg")) })
	e.RouteNotFound("/*", s.unknown, s.headers, s.failures)
	return s
}

func newServer(c Config) *server {
	c.Branches = c.Branches.OrDefault()
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.User == nil {
		c.User = func(echo.Context) string { return "anonymous" }
	}
	if c.Allow == nil {
		c.Allow = func(echo.Context, dag.Right, dag.ID) error { return nil }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Auth == nil {
		c.Auth, _ = auth.New(auth.Config{Store: c.Store}) // without a provider it cannot fail
	}
	return &server{Config: c, views: newViews(), streams: newStreams(c), renderings: newRenderings(), zones: newZones(),
		choices: &choices{}, archived: &choices{archived: true}, process: rand.Text()}
}

// addPages adds what only reads.
func (s *server) addPages(e *echo.Echo) {
	for path, h := range map[string]echo.HandlerFunc{
		"/":                                           s.dagTable,
		"/dags/:dag":                                  s.toGraph,
		"/dags/:dag/graph":                            s.dagGraph,
		"/dags/:dag/grid":                             s.dagGrid,
		"/dags/:dag/runs":                             s.dagRuns,
		"/dags/:dag/gantt":                            s.dagGantt,
		"/dags/:dag/code":                             s.dagCode,
		"/dags/:dag/details":                          s.dagDetails,
		"/dags/:dag/audit":                            s.dagAudit,
		"/dags/:dag/trigger":                          s.triggerForm,
		"/dags/:dag/delete":                           s.deleteForm,
		"/dags/:dag/promote":                          s.promoteForm,
		"/dags/:dag/take-over":                        s.takeOverForm,
		"/dags/:dag/runs/:run":                        s.runPage,
		"/dags/:dag/runs/:run/tasks/:task":            s.taskPage,
		"/dags/:dag/runs/:run/tasks/:task/log":        s.logPage,
		"/dags/:dag/runs/:run/tasks/:task/spec":       s.renderedPage,
		"/dags/:dag/runs/:run/tasks/:task/log/lines":  s.logLines,
		"/dags/:dag/runs/:run/tasks/:task/log/search": s.logSearch,
		"/models":                                     s.models,
		"/import-errors":                              s.importErrors,
		"/audit":                                      s.audit,
		"/tokens":                                     s.tokens,
		"/sessions":                                   s.sessions,
	} {
		e.GET(path, h, s.headers, s.failures, compress(), s.remember, s.allowed(dag.RightRead))
	}
}

// posts is everything that changes something: the one place where rights are
// asked for.
func (s *server) posts() []post {
	return []post{
		{dag.RightPause, "/dags/:dag/pause", s.setPaused},
		{dag.RightTrigger, "/dags/:dag/trigger", s.trigger},
		{dag.RightDelete, "/dags/:dag/delete", s.requestRemoval},
		{dag.RightRestore, "/dags/:dag/restore", s.restore},
		{dag.RightPromote, "/dags/:dag/promote", s.promote},
		{dag.RightTakeOver, "/dags/:dag/take-over", s.takeOverFormer},
		{dag.RightDeleteHistory, "/dags/:dag/delete-history", s.deleteHistory},
		{dag.RightMarkRun, "/dags/:dag/runs/:run/state", s.setRunState},
		{dag.RightClear, "/dags/:dag/runs/:run/clear", s.clearRun},
		{dag.RightNote, "/dags/:dag/runs/:run/note", s.setRunNote},
		{dag.RightClear, "/dags/:dag/runs/:run/tasks/:task/clear", s.clearTask},
		{dag.RightMarkTask, "/dags/:dag/runs/:run/tasks/:task/state", s.markTask},
		{dag.RightCancel, "/dags/:dag/runs/:run/tasks/:task/cancel", s.cancelTask},
		{dag.RightReplay, "/models/:push/replay", s.replayPush},
		{dag.RightClear, "/dags/:dag/runs", s.bulkRuns},
		{dag.RightRead, "/dags", s.bulkDAGs}, // asks again for each DAG,
		{dag.RightSettings, "/settings", s.saveSettings},
		{dag.RightSettings, "/tokens", s.createToken},
		{dag.RightSettings, "/tokens/:token/revoke", s.revokeToken},
		{dag.RightSettings, "/sessions/:session/end", s.endSession},
	}
}

// post is the route of one kind of act, and the right that it needs.
type post struct {
	right dag.Right
	path  string
	do    echo.HandlerFunc
}

func (s *server) addPosts(e *echo.Echo) {
	for _, p := range s.posts() {
		allowed := s.allowed(p.right)
		if p.right == dag.RightTakeOver || p.right == dag.RightDeleteHistory {
			allowed = s.allowedOnce(allowed)
		}
		e.POST(p.path, p.do, s.headers, s.failures, limitForm(), readForm, giveKey, allowed)
	}
}

// allowedOnce lets the repeat of an act through that has removed its DAG, to its first
// answer: there is no DAG any more to ask rights for.
func (s *server) allowedOnce(allowed echo.MiddlewareFunc) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			repeated, err := s.Store.Acted(c.Request().Context(), s.actor(c))
			switch {
			case err != nil:
				return err
			case repeated:
				return next(c)
			}
			return allowed(next)(c)
		}
	}
}

// allowed refuses what the person has no right to.
func (s *server) allowed(right dag.Right) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if err := s.Allow(c, right, dagParam(c)); err != nil {
				return err
			}
			return next(c)
		}
	}
}

// maxForm bounds the body of a form: a conf may have 256 KiB, which escaping
// may treble.
const maxForm = "1M"

func limitForm() echo.MiddlewareFunc { return middleware.BodyLimit(maxForm) }

// readForm refuses a form that is too long or broken, instead of taking its
// fields as empty.
func readForm(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		// Another body would be left unread, and the act be done with no values.
		kind, _, _ := mime.ParseMediaType(c.Request().Header.Get("Content-Type"))
		if c.Request().ContentLength != 0 && kind != echo.MIMEApplicationForm && kind != echo.MIMEMultipartForm {
			return invalid("The form cannot be read.")
		}
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

// keyField is the field of a form under whose value its act is done once, however often
// the form is sent.
const keyField = "idempotency_key"

// giveKey gives a request the key of its act: the form's field, or a new one, and what the
// form says besides, since a form that was filled in again asks for something else.
func giveKey(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		const long = 64
		key := cmp.Or(c.FormValue(keyField), rand.Text())
		if len(key) > long || strings.Contains(key, ".") {
			return invalid("The form cannot be read.")
		}
		said := sha256.New()
		for _, f := range sentFields(c, keyField) {
			fmt.Fprintf(said, "%q %q\n", f.Name, f.Value)
		}
		key += "." + hex.EncodeToString(said.Sum(nil))
		c.SetRequest(c.Request().WithContext(store.WithKey(c.Request().Context(), key, c.Request().RequestURI)))
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
