package instance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/tasklog"
)

// addProbes answers /healthz and /readyz, and nothing else, at an address of its
// own: a kubelet asks from outside of the pod, and the pages may have to stay on
// the loopback inside.
func (a *Instance) addProbes(ctx context.Context) error {
	var err error
	if a.probes, err = Listen(ctx, a.Probes); err != nil {
		return fmt.Errorf("probes: %w", AddressHint(err, "choose another with probes: in the configuration"))
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
	return c.String(http.StatusOK, "pages are served, but:\n"+strings.Join(troubles, "\n")+"\n")
}

// troubles says what of the instance does not work, for people.
func (a *Instance) troubles() []string {
	space, err := a.logs.Space()
	all := []string{diskTrouble(space, err), logsTrouble(space)}
	if a.trouble != nil {
		all = append(all, a.trouble())
	}
	return slices.DeleteFunc(all, func(text string) bool { return text == "" })
}

// diskTrouble says what the disk of the task logs holds up; empty when nothing.
func diskTrouble(space tasklog.Space, err error) string {
	switch {
	case err != nil:
		return "the free space of the task logs' disk cannot be read"
	case space.Short():
		return fmt.Sprintf("no task is started: the disk of the task logs has %d MiB left, and %d MiB are to stay free (logs.min_free)",
			space.Free>>20, space.MinFree>>20)
	}
	return ""
}

// logsTrouble says that the task logs have all the room that they may have;
// empty when they have not.
func logsTrouble(space tasklog.Space) string {
	if !space.Full() {
		return ""
	}
	return fmt.Sprintf("large logs are cut: the task logs have %d MiB, and %d MiB are allowed (logs.max_bytes)",
		space.Used>>20, space.Most>>20)
}
