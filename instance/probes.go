package instance

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"dagwright/reason"
	"dagwright/tasklog"
)

// addProbes answers /healthz, /readyz and /metrics, and nothing else, at an address of its
// own, without asking who asks: a kubelet asks from outside of the pod, and the pages may have to stay on
// the loopback inside.
func (a *Instance) addProbes(ctx context.Context) error {
	var err error
	if a.probes, err = Listen(ctx, a.Pages.Probes); err != nil {
		return fmt.Errorf("probes: %w", AddressHint(err, "choose another with probes: in the configuration"))
	}
	a.probes = boundConnections(a.probes, nil)
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	a.routeProbes(e)
	e.GET("/metrics", echo.WrapHandler(a.metrics))
	a.actors = append(a.actors, func(ctx context.Context) error { return serveHTTP(ctx, a.probes, e, a.Logger) })
	return nil
}

// routeProbes adds the two questions of an orchestrator: whether the process is
// to be restarted, and whether it can serve.
func (a *Instance) routeProbes(e *echo.Echo) {
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET("/readyz", a.ready)
}

// ready answers 200 while the database does: then pages are served, and tasks can
// be cancelled. What does not work meanwhile is said in words.
func (a *Instance) ready(c echo.Context) error {
	if _, err := a.store.Tags(c.Request().Context()); err != nil {
		return c.String(http.StatusServiceUnavailable, "the database does not answer\n")
	}
	troubles := a.troubles()
	if len(troubles) == 0 {
		return c.String(http.StatusOK, "ok\n")
	}
	answer := "pages are served, but:\n"
	for _, trouble := range troubles {
		answer += trouble.String() + "\n"
	}
	return c.String(http.StatusOK, answer)
}

// troubles says what of the instance does not work.
func (a *Instance) troubles() []reason.Reason {
	space, err := a.logs.Space()
	all := []reason.Reason{diskTrouble(space, err), logsTrouble(space)}
	if a.running != nil {
		all = append(all, a.running.trouble())
	}
	return slices.DeleteFunc(all, reason.Reason.IsZero)
}

// diskTrouble says what the disk of the task logs holds up; zero when nothing.
func diskTrouble(space tasklog.Space, err error) reason.Reason {
	switch {
	case err != nil:
		return reason.New(reason.LogSpaceUnknown)
	case space.Short():
		return reason.New(reason.LogSpaceShort, space.Free>>20, space.MinFree>>20)
	}
	return reason.Reason{}
}

// logsTrouble says that the task logs have all the room that they may have;
// zero when they have not.
func logsTrouble(space tasklog.Space) reason.Reason {
	if !space.Full() {
		return reason.Reason{}
	}
	return reason.New(reason.LogsCut, space.Used>>20, space.Most>>20)
}
