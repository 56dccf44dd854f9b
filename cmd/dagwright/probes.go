package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

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

// serveHTTP serves until ctx ends, then lets requests end for a few seconds.
func serveHTTP(ctx context.Context, l net.Listener, handler http.Handler, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := server.Shutdown(limit)
	if err != nil {
		err = server.Close()
	}
	if served := <-served; !errors.Is(served, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", served)
	}
	return err
}
