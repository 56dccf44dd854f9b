package api

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"dagwright/store"
	"dagwright/store/storetest"
	"dagwright/tasklog"
)

// TestTriggerWithoutAnAnswerToCommit loses answers to COMMIT. Lost once, the run is
// found by itself; lost again, the client hears 503, and its repeat gets the one run.
func TestTriggerWithoutAnAnswerToCommit(t *testing.T) {
	t.Parallel()
	proxy := storetest.NewProxy(t, storetest.Postgres(t))
	f := &fixture{T: t, done: make(chan struct{}), log: &bytes.Buffer{}, scope: store.Scope{All: true}}
	f.store = storetest.Open(t, store.Config{DSN: proxy.DSN()})
	f.logs = openLogs(t, tasklog.Config{Dir: t.TempDir()})
	f.listen(time.Now)
	f.withDAGs()
	const path = "/api/v2/dags/churn-model-retrain/dagRuns"
	ask := func(key string) answer {
		return f.do(http.MethodPost, path, `{"logical_date": null}`, "Idempotency-Key: "+key)
	}

	lost := proxy.SwallowCommit(0)
	if got := ask("one"); got.status != http.StatusOK {
		t.Errorf("one answer lost: %d %s, want 200", got.status, got.body)
	}
	<-lost
	proxy.LoseCommits(2)
	got := ask("two")
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" ||
		!strings.Contains(got.body, "may have been done") {
		t.Errorf("two answers lost: %d %v %s, want 503 with Retry-After", got.status, got.header, got.body)
	}
	first, again := ask("two"), ask("two")
	if first.status != http.StatusOK || first.body != again.body {
		t.Errorf("repeats: %s and %s, want one run", first.body, again.body)
	}
	if total := f.get(path)["total_entries"]; total != float64(2) {
		t.Errorf("%v runs, want 2", total)
	}
}
