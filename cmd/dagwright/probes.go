package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
)

// addProbes answers /healthz and /readyz, and nothing else, at an address of its
// own: a kubelet asks from outside of the pod, and the pages may have to stay on
// the loopback inside.
func (a *app) addProbes(ctx context.Context) error {
	var err error
	if a.probes, err = listen(ctx, a.Probes); err != nil {
		return fmt.Errorf("listen for probes on %s: %w", a.Probes, err)
	}
	a.probes = boundConnections(a.probes, nil)
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	a.routeProbes(e)
	a.actors = append(a.actors, func(ctx context.Context) error { return serveHTTP(ctx, a.probes, e, a.Logger) })
	return nil
}

// routeProbes adds the two questions of an orchestrator: whether the process is
// to be restarted, and whether it can serve.
func (a *app) routeProbes(e *echo.Echo) {
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET("/readyz", a.ready)
}

// ready answers 200 while the database does.
func (a *app) ready(c echo.Context) error {
	if _, err := a.store.Tags(c.Request().Context()); err != nil {
		return c.String(http.StatusServiceUnavailable, "the database does not answer\n")
	}
	return c.String(http.StatusOK, "ok\n")
}
