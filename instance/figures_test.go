package instance

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/metrics"
	"dagwright/store"
)

// scrape returns the metrics as Prometheus reads them.
func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler(func(context.Context) metrics.Figures { return metrics.Figures{} }).
		ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	return "\n" + w.Body.String()
}

func linesWith(text, word string) string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, word) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// get returns the body of an answer of 200.
func get(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: status %d, error %v", url, response.StatusCode, err)
	}
	return "\n" + string(body)
}

// TestMetricsOfInstance asks a running instance at both addresses, and wants what is done to
// it to move its metrics.
func TestMetricsOfInstance(t *testing.T) {
	t.Parallel()
	a := running(t)
	ctx := t.Context()
	d := &dag.DAG{ID: "risk-churn", Timezone: "UTC", MaxActiveRuns: 1, MaxActiveTasks: 1, PausedUponCreation: true,
		Schedule: dag.Schedule{Kind: dag.ScheduleNone},
		Tasks:    []dag.Task{{ID: "run_model", Operator: dag.KubernetesPodOperator, TriggerRule: dag.AllSuccess, Image: "x"}}}
	if _, err := a.store.SaveDAGs(ctx, store.Sync{Commit: "c1", Changed: []store.SpecFile{
		{Path: "dags/a.yaml", Blob: "b", Source: "s", DAGs: []*dag.DAG{d}},
		{Path: "dags/b.yaml", Blob: "b", Errors: dag.SpecErrors{{File: "dags/b.yaml", Line: 1, Reason: "wrong"}}},
	}}); err != nil {
		t.Fatal(err)
	}
	if err := a.store.SetRepositoryFault(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.store.TriggerRun(ctx, store.Trigger{DAG: d.ID, Run: "one", By: store.Actor{User: "anna"}}); err != nil {
		t.Fatal(err)
	}
	push := store.Push{ProjectID: 1, Project: "gbc/risk", Branch: "main", Commit: strings.Repeat("a", 40)}
	if _, _, err := a.store.RecordPush(ctx, push); err != nil {
		t.Fatal(err)
	}
	status(t, a.URL()+"/dags/made-up")
	post, err := http.Post(a.URL()+"/hooks/gitlab", "application/json", strings.NewReader("{}")) //nolint:noctx // of a test
	if err != nil {
		t.Fatal(err)
	}
	post.Body.Close()

	for _, address := range []string{a.URL(), "http://" + a.probes.Addr().String()} {
		text := get(t, address+"/metrics")
		for _, want := range []string{
			`dagwright_dags{state="paused"} 1`, `dagwright_runs{state="queued"} 1`, "dagwright_dag_files_broken 1",
			"dagwright_dag_repository_fault 1", "dagwright_pushes_pending 1", "dagwright_database_up 1",
			`dagwright_hooks_total{answer="refused"} 1`,
			`dagwright_http_requests_total{code="4xx",method="GET",route="/dags/:dag"} 1`,
			`dagwright_http_requests_total{code="4xx",method="POST",route="/hooks/gitlab"} 1`,
		} {
			if !strings.Contains(text, "\n"+want+"\n") {
				t.Errorf("%s: want %s, got\n%s", address, want, linesWith(text, strings.FieldsFunc(want, isNoName)[0]))
			}
		}
		if strings.Contains(text, "risk") || strings.Contains(text, "anna") {
			t.Error("a metric names a DAG, a project or a user")
		}
	}
}

// TestWarnOfToken wants a warning 30, 7 and 1 days before GitLab's token expires, once each.
func TestWarnOfToken(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	a := &Instance{Settings: Settings{Logger: slog.New(slog.NewTextHandler(&log, nil))}}
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	warned := 0
	for _, days := range []int{60, 31, 30, 29, 8, 7, 6, 1, 0, -1, 365, 20} {
		warned = a.warnOfToken(now.AddDate(0, 0, days), now, warned)
	}
	a.warnOfToken(time.Time{}, now, warned)
	var got []string
	for line := range strings.Lines(log.String()) {
		_, days, _ := strings.Cut(line, "days=")
		got = append(got, strings.TrimSpace(days))
	}
	if want := "30 7 1 20"; strings.Join(got, " ") != want {
		t.Errorf("warned at days %v, want %s", got, want)
	}
}
