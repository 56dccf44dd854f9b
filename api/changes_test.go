package api

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"dagwright/store"
)

// events reads the events of a stream, one a call.
type events struct {
	*testing.T
	lines *bufio.Scanner
}

func (f *fixture) changes(header ...string) *events {
	f.Helper()
	resp := f.open(http.MethodGet, "/api/v2/changes", "", header...)
	f.Cleanup(func() { _ = resp.Body.Close() })
	if media := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || media != eventStream {
		f.Fatalf("status %d, media type %q", resp.StatusCode, media)
	}
	return &events{f.T, bufio.NewScanner(resp.Body)}
}

// next returns the next event's kind, id and data.
func (e *events) next() (kind, id, data string) {
	e.Helper()
	for e.lines.Scan() {
		name, value, _ := strings.Cut(e.lines.Text(), ": ")
		switch name {
		case "event":
			kind = value
		case "id":
			id = value
		case "data":
			data = value
		case "":
			if kind != "" {
				return kind, id, data
			}
		}
	}
	e.Fatalf("the stream ended: %v", e.lines.Err())
	return "", "", ""
}

func (e *events) want(kind, data string) (id string) {
	e.Helper()
	gotKind, id, gotData := e.next()
	if gotKind != kind || gotData != data {
		e.Fatalf("event %s %s, want %s %s", gotKind, gotData, kind, data)
	}
	return id
}

func TestChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t).withDAGs()
	first := f.changes()
	first.want("ready", "{}")
	f.trigger("churn-model", "one")
	const one, two = `{"kind":"run","dag_id":"churn-model","dag_run_id":"one","state":"queued"}`, `{"kind":"run","dag_id":"churn-model-retrain","dag_run_id":"two","state":"queued"}`
	id := first.want("change", one)
	f.trigger("churn-model-retrain", "two")
	first.want("change", two)

	// A reader that comes back hears of what it has missed.
	again := f.changes("Last-Event-ID: " + id)
	again.want("ready", "{}")
	again.want("change", two)

	for _, old := range []string{"another-1", strings.Split(id, "-")[0] + "-99999", "nonsense"} {
		lost := f.changes("Last-Event-ID: " + old)
		lost.want("ready", "{}")
		lost.want("lagged", "{}")
	}
}

func TestChangesOfAScope(t *testing.T) {
	t.Parallel()
	f := newFixture(t).withDAGs()
	f.scope = store.Scope{Any: []store.Selection{{DAGs: []string{"*-retrain"}}}}
	mine := f.changes()
	mine.want("ready", "{}")
	f.trigger("churn-model", "hidden")
	f.trigger("churn-model-retrain", "seen")
	mine.want("change", `{"kind":"run","dag_id":"churn-model-retrain","dag_run_id":"seen","state":"queued"}`)
}

// scoped gives each request the fixture's scope, as sign-in does.
func (f *fixture) scoped(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.SetRequest(c.Request().WithContext(store.WithScope(c.Request().Context(), f.scope)))
		return next(c)
	}
}
