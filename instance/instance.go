// Package instance makes a running dagwright of a configuration file: ReadConfig reads
// and checks it, Settings turns it into what Open wants, Open opens database, logs,
// clones, executor and address, and Run serves until its context ends. What dagwright
// does is in the packages that it puts together.
package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/errgroup"

	"dagwright/api"
	"dagwright/auth"
	"dagwright/cijob"
	"dagwright/dag"
	"dagwright/executor"
	"dagwright/filelock"
	"dagwright/generator"
	"dagwright/gitlab"
	"dagwright/gitrepo"
	"dagwright/metrics"
	"dagwright/scheduler"
	"dagwright/store"
	"dagwright/tasklog"
	"dagwright/ui"
	"dagwright/version"
	"dagwright/webhook"
)

// databaseReserve is how many bytes of the disk are kept for the database, and for
// its write-ahead log.
const databaseReserve = 32 << 20

// Instance is a running instance. Open makes it.
type Instance struct {
	Settings
	store    *store.Store
	logs     *tasklog.Dir
	auth     *auth.Service
	tokens   *gitlab.TokenVerifier // nil where CI jobs are not answered
	listener net.Listener
	probes   net.Listener
	running  *runner // of the attempts; nil without a scheduler
	metrics  http.Handler
	closers  []func() error
	actors   []func(context.Context) error
}

// Open opens everything that the instance needs and starts to listen. The
// caller closes it.
func Open(ctx context.Context, s Settings) (_ *Instance, err error) {
	if s.Metrics == nil {
		s.Metrics = metrics.New(version.String())
	}
	a := &Instance{Settings: s}
	if s.Variables != nil {
		s.Variables.logger = s.Logger
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if path, ok := strings.CutPrefix(s.Database.Reveal(), "sqlite:"); ok && path != "" {
		if err := a.hold(filelock.TakeSQLite(path)); err != nil {
			return nil, err
		}
	}
	if a.store, err = store.Open(ctx,
		store.Config{DSN: s.Database.Reveal(), Logger: s.Logger, Reserve: databaseReserve, Observe: a.transaction}); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	a.onClose(a.store.Close)
	if a.auth, err = s.Auth.open(a.store, s.Pages.PublicURL, s.Logger, s.Metrics.Outgoing("identity_provider")); err != nil {
		return nil, err
	}
	a.onClose(a.auth.Close)
	if a.logs, err = a.openLogs(); err != nil {
		return nil, err
	}
	a.onClose(a.logs.Close)
	if s.GitLab.Audience != "" {
		if a.tokens, err = gitlab.NewTokenVerifier(s.GitLab.URL, s.GitLab.Audience, nil); err != nil { //nolint:contextcheck // keys are fetched by requests that come later
			return nil, err
		}
	}
	if s.runs("generator") {
		if err := a.addGenerator(); err != nil { //nolint:contextcheck // a check of a spec has bounds of its own
			return nil, err
		}
	}
	if s.runs("scheduler") {
		if err := a.addScheduler(); err != nil { //nolint:contextcheck // a check of a spec has bounds of its own
			return nil, err
		}
	}
	if a.listener = s.Pages.Listener; a.listener == nil {
		if a.listener, err = Listen(ctx, s.Pages.Listen); err != nil {
			return nil, AddressHint(err, "choose another with listen: in the configuration")
		}
	}
	a.listener = boundConnections(a.listener, a.auth.Proxies)
	if a.listener, err = s.Pages.TLS.wrap(a.listener); err != nil {
		return nil, err
	}
	a.metrics = a.Metrics.Handler(a.figures) //nolint:contextcheck // each scrape has its own
	if s.GitLab.Client != nil && s.GitLab.HasToken && s.runs("generator") {
		a.actors = append(a.actors, a.watchToken)
	}
	if s.Pages.Probes != "" {
		if err := a.addProbes(ctx); err != nil {
			return nil, errors.Join(err, a.listener.Close())
		}
	}
	return a, nil
}

// hold keeps a lock until the instance is closed.
func (a *Instance) hold(l *filelock.Lock, err error) error {
	if err == nil && l != nil {
		a.onClose(l.Close)
	}
	return err
}

// Listen opens the address. One that is in use is tried again for a second: the
// socket of a dagwright that was killed may live on in a process that it was
// just forking.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err == nil {
			return l, nil
		}
		err = fmt.Errorf("listen on %s: %w", addr, err)
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// AddressHint adds to the error of an address that is taken what to do.
func AddressHint(err error, hint string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: another program, perhaps another dagwright, listens there; end it, or %s", err, hint)
	}
	return err
}

func (a *Instance) onClose(f func() error) { a.closers = append(a.closers, f) }

// Close closes what Open opened, the last first.
func (a *Instance) Close() error {
	var errs []error
	for _, f := range slices.Backward(a.closers) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// Addr is where the instance listens.
func (a *Instance) Addr() net.Addr { return a.listener.Addr() }

// Store is the instance's database.
func (a *Instance) Store() *store.Store { return a.store }

// URL is where the pages are.
func (a *Instance) URL() string { return a.Pages.TLS.scheme() + "://" + a.listener.Addr().String() }

// openDAGRepo opens a clone of the DAG repository for one actor, of which there is one.
func (a *Instance) openDAGRepo(actor string) (*gitrepo.Repo, error) {
	if err := a.hold(filelock.TakeRole(a.DAGs.CloneDir, actor)); err != nil {
		return nil, err
	}
	c := a.DAGs.Repo
	c.Dir = filepath.Join(a.DAGs.CloneDir, actor+".git")
	c.Logger, c.Password, c.Observe = a.Logger, a.DAGs.Password.Reveal(), a.gitCall
	repo, err := gitrepo.Open(c)
	if err != nil {
		return nil, fmt.Errorf("open clone of the DAG repository: %w", err)
	}
	return repo, nil
}

func (a *Instance) addGenerator() error {
	repo, err := a.openDAGRepo("generator")
	if err != nil {
		return err
	}
	set, err := LoadTemplates(a.Models.Templates)
	if err != nil {
		return err
	}
	promoter, err := a.openPromoter(repo)
	if err != nil {
		return err
	}
	instance := a.Models.Defaults
	withChecks(&instance, a.Pods)
	instance.CheckClaims, instance.CheckVariables = a.auth.CheckClaims, a.Variables.checker()
	config := generator.Config{
		Repo: repo, Models: a.Models.Files, Projects: a.Models.Projects, Templates: set,
		Branches: a.Models.Branches, Instance: instance, Reconcile: a.Models.Reconcile, Logger: a.Logger,
		GitLab: a.GitLab.Client, DAGProject: a.DAGs.Project, Deliver: a.DAGs.Deliver, AutoMerge: a.DAGs.AutoMerge,
		PublicURL: a.Pages.PublicURL, Loaders: a.DAGs.Loaders, Registry: a.Models.Registry, Takes: a.GitLab.Takes, Promoter: promoter,
		OnlyPromoted: a.Promotion.FromProject != "",
		Handled:      func(r store.PushResult) { a.Metrics.Pushed(string(r.State)) },
		Reconciled:   func(began time.Time) { a.Metrics.Reconciled(time.Now(), time.Since(began)) },
	}
	a.lead("generator", func(ctx context.Context, lease *store.Lease) error {
		c := config
		c.Store = lease.Store
		return generator.New(c).Run(ctx)
	})
	return nil
}

func (a *Instance) addScheduler() error {
	repo, err := a.openDAGRepo("scheduler")
	if err != nil {
		return err
	}
	a.running = &runner{open: func() (executor.Executor, error) {
		return a.Scheduling.Executor(a.store.ID(), a.logs, a.Logger)
	}}
	if err := a.running.ready(); err != nil {
		return err
	}
	a.onClose(a.running.close)
	origin, err := a.openOrigin()
	if err != nil {
		return err
	}
	meter := newMeter(a.Metrics, a.store)
	config := scheduler.Config{
		Meter: meter, Logs: a.logs, Repo: repo,
		CheckClaims: a.checkDAG(), ClaimsVersion: func() string { return a.auth.ClaimsVersion() + a.Variables.Version() },
		Variables: a.Variables.Variable,
		CheckTask: CheckTask(a.Pods), Rules: podRules(a.Pods) + a.Promotion.rules(),
		Poll: a.Scheduling.Poll, MaxActiveTasks: a.Scheduling.MaxActiveTasks, MaxLost: a.Scheduling.MaxLost, Logger: a.Logger,
	}
	if origin != nil {
		config.CheckSpec = origin.Check
	}
	a.lead("scheduler", func(ctx context.Context, lease *store.Lease) error {
		return a.running.run(func(exec executor.Executor) error {
			c := config
			c.Store, c.Executor, c.MayStart = lease.Store, meter.watch(exec), lease.Fresh
			s := scheduler.New(c)
			a.running.scheduling(s)
			return s.Run(ctx)
		})
	})
	a.actors = append(a.actors, a.logs.Guard, meter.run)
	if a.Scheduling.Workspaces != nil {
		a.Scheduling.Workspaces.Logger, a.Scheduling.Workspaces.Short = a.Logger, a.logs.Short
		a.actors = append(a.actors, func(ctx context.Context) error { return a.Scheduling.Workspaces.Sweep(ctx, a.store) })
	}
	return nil
}

// Run serves until ctx ends, then lets requests and actors end, and returns
// the first thing that went wrong.
func (a *Instance) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	handler := a.handler(ctx.Done()) //nolint:contextcheck // each request has a context of its own
	g.Go(func() error { return serveHTTP(ctx, a.listener, handler, a.Logger) })
	for _, actor := range a.actors {
		g.Go(func() error { return actor(ctx) })
	}
	return g.Wait()
}

// handler serves requests. Streams end when done is closed.
func (a *Instance) handler(done <-chan struct{}) http.Handler {
	return a.Metrics.Answers(a.auth.Guard(a.router(done)))
}

// router has every route of the instance. A test compares what each answers to whom
// with testdata/rights.txt.
func (a *Instance) router(done <-chan struct{}) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(slog.NewLogLogger(a.Logger.Handler(), slog.LevelDebug).Writer())
	e.Use(noteRoute)
	if a.runs("webhook") {
		e.POST("/hooks/gitlab", echo.WrapHandler(webhook.New(webhook.Config{
			Store: a.store, Verifier: gitlab.NewVerifier(reveal(a.GitLab.HookSecrets)...), DAGProject: a.DAGs.Project,
			DAGBranch: a.DAGs.Repo.Branch, Branches: a.Models.Branches, Takes: a.GitLab.Takes,
			Previews: a.GitLab.Previews, Logger: a.Logger,
			Client: a.auth.ClientAddress, Answered: a.Metrics.Hook,
		})))
		if a.tokens != nil {
			e.POST("/ci/generate", echo.WrapHandler(cijob.New(cijob.Config{
				Store: a.store, Tokens: a.tokens, DAGProject: a.DAGs.Project, Branches: a.Models.Branches, Takes: a.GitLab.Takes,
				PublicURL: a.Pages.PublicURL, Logger: a.Logger,
			})))
		}
	}
	a.routeProbes(e)
	e.GET("/metrics", a.showMetrics)
	if a.runs("ui") {
		a.auth.Register(e)
		api.Register(e, api.Config{
			Store: a.store, Logs: a.logs, Logger: a.Logger, Version: version.String(), Done: done,
			Auth: a.auth, User: auth.User, PromotesTo: a.Promotion.ToProject, Allow: a.auth.Allow,
		})
		ui.Register(e, ui.Config{
			Store: a.store, Logs: a.logs, Logger: a.Logger, GitLabURL: a.GitLab.URL, Done: done,
			Environment: a.Pages.Environment, Production: a.Pages.Production, Sibling: a.Pages.Sibling,
			PromotesTo: a.Promotion.ToProject, DAGProject: a.DAGs.Project, Branches: a.Models.Branches,
			Variables: a.Variables.Variable,
			Auth:      a.auth, User: auth.User, Allow: a.auth.Allow, Troubles: a.troubles,
		})
	}
	return e
}

// reveal reads secrets for the one who checks them.
func reveal(secrets []dag.Secret) []string {
	texts := make([]string, len(secrets))
	for i, s := range secrets {
		texts[i] = s.Reveal()
	}
	return texts
}
