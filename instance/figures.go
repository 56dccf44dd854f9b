package instance

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/metrics"
	"dagwright/scheduler"
	"dagwright/store"
)

// showMetrics answers a scrape at the address of the pages. The figures are of all DAGs, so
// whoever asks needs a role over the whole instance.
func (a *Instance) showMetrics(c echo.Context) error {
	if err := a.auth.Allow(c, dag.RightMetrics, ""); err != nil {
		if errors.Is(err, dag.ErrForbidden) {
			return c.String(http.StatusForbidden, err.Error()+"\n")
		}
		return c.String(http.StatusServiceUnavailable, "the database does not answer\n")
	}
	a.metrics.ServeHTTP(c.Response(), c.Request())
	return nil
}

// noteRoute tells the metrics which route a request has reached.
func noteRoute(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		metrics.Route(c.Request(), c.Path())
		return next(c)
	}
}

func (a *Instance) transaction(kind store.TxKind, took time.Duration, err error) {
	a.Metrics.Transaction(string(kind), took, !errors.Is(err, store.ErrUnavailable))
}

func (a *Instance) gitCall(call string, took time.Duration, err error) {
	a.Metrics.Git(call, took, err == nil)
}

// figures reads what a scrape shows of now.
func (a *Instance) figures(ctx context.Context) metrics.Figures {
	f := metrics.Figures{
		Slots: -1, StartsWaiting: -1, MaxLogBytes: -1, LogsWaiting: -1, LogLag: -time.Second,
		Subscribers: a.store.Subscribers(), Executor: a.running == nil || a.running.trouble().IsZero(),
		Certificate: a.Pages.TLS.expiry(),
	}
	if a.running != nil {
		if n, leads := a.running.startsWaiting(); leads {
			f.StartsWaiting, f.Slots = n, scheduler.Slots(a.Scheduling.MaxActiveTasks)
		}
	}
	pool := a.store.Pool()
	f.Connections, f.MaxConnections = pool.InUse, pool.Most
	f.ConnectionWaits, f.ConnectionWaited = pool.Waits, pool.Waited
	a.logFigures(&f)
	a.storeFigures(ctx, &f)
	return f
}

func (a *Instance) logFigures(f *metrics.Figures) {
	space, err := a.logs.Space()
	f.LogBytes, f.FreeBytes, f.MinFreeBytes = space.Used, space.Free, space.MinFree
	if err != nil {
		f.FreeBytes = -1
	}
	if space.Most > 0 {
		f.MaxLogBytes = space.Most
	}
	if waiting, since, ships := a.logs.Backlog(); ships {
		f.LogsWaiting, f.LogLag = waiting, age(since)
	}
}

func (a *Instance) storeFigures(ctx context.Context, f *metrics.Figures) {
	all, err := a.store.Figures(ctx)
	if err != nil {
		a.Logger.Warn("metrics leave out what the database says", "err", err)
		return
	}
	f.DatabaseUp, f.Runs, f.Tasks = true, all.Runs, all.Tasks
	f.DAGs = map[string]int{"active": all.ActiveDAGs, "paused": all.PausedDAGs, "archived": all.ArchivedDAGs}
	f.PendingPushes, f.OldestPush = all.PendingPushes, age(all.OldestPush)
	f.BrokenFiles, f.RepositoryFault = all.BrokenFiles, all.RepositoryFault
	f.Overdue = age(all.Due)
}

// age is how long ago a time was, 0 for the zero time.
func age(since time.Time) time.Duration {
	if since.IsZero() {
		return 0
	}
	return max(time.Since(since), 0)
}

// expiry is when the certificate ends, the zero time without one.
func (c tlsConfig) expiry() time.Time {
	if c.CertFile == "" {
		return time.Time{}
	}
	cert, err := (&certificateFiles{tlsConfig: c}).certificate(nil)
	if err != nil || len(cert.Certificate) == 0 {
		return time.Time{}
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return time.Time{}
	}
	return leaf.NotAfter
}
