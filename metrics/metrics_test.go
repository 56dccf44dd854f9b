package metrics

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
)

var update = flag.Bool("update", false, "rewrite the table of metrics in docs/operations.md")

// page is where operators read what the metrics mean.
const page = "../docs/operations.md"

// TestPage compares the table in docs/operations.md with the metrics that there are.
func TestPage(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- metrics -->\n", "<!-- end of metrics -->\n"
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(content), begin)
	got, after, found := strings.Cut(rest, end)
	if !found {
		t.Fatalf("%s: want a table between %q and %q", page, begin, end)
	}
	var b strings.Builder
	b.WriteString("| metric | kind | labels | meaning |\n|---|---|---|---|\n")
	for _, d := range New("test").Descriptions() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, d.Kind, strings.Join(d.Labels, ", "), d.Help)
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+b.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := gocmp.Diff(b.String(), got); diff != "" {
		t.Errorf("%s differs from the code (-want +got); go test ./metrics -run TestPage -update rewrites it:\n%s", page, diff)
	}
}

// everything moves each metric at least once.
func everything(t *testing.T) *Metrics {
	t.Helper()
	m := New("test")
	now := time.Now()
	m.Hook("accepted")
	m.Pushed("rendered")
	m.Delivered(time.Second)
	m.Reconciled(now, time.Second)
	m.Synced(now, time.Second, true)
	m.Synced(now, time.Second, false)
	m.Beat(now)
	m.Stepped(now, time.Millisecond, true)
	m.Stepped(now, time.Millisecond, false)
	m.RunStarted(time.Second)
	m.RunEnded("success")
	m.TaskEnded("success")
	m.TaskRetried()
	m.AttemptStarted(-time.Second)
	m.AttemptEnded("lost", time.Second)
	m.PodStarted(time.Second)
	m.ImageCame(time.Second)
	m.Transaction("read", time.Millisecond, true)
	m.Git("fetch", time.Second, true)
	m.Git("push", time.Second, false)
	m.TokenExpires(now)
	for _, service := range []string{"gitlab", "registry", "object_storage", "identity_provider", "kubernetes"} {
		answerOf(t, m.Outgoing(service)(answers(http.StatusOK)))
		answerOf(t, m.Outgoing(service)(answers(0)))
	}
	m.Answers(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { Route(r, "/dags/:dag") })).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/dags/x", nil))
	m.figures.set(Figures{
		DatabaseUp: true, Runs: map[string]int{"queued": 1, "running": 2}, Tasks: map[string]int{"queued": 1, "running": 2},
		DAGs: map[string]int{"active": 1, "paused": 2, "archived": 3}, Certificate: now,
	})
	return m
}

// answers is a transport that answers with a status, or not at all for 0.
type answers int

func (a answers) RoundTrip(*http.Request) (*http.Response, error) {
	if a == 0 {
		return nil, errors.New("no answer")
	}
	return &http.Response{StatusCode: int(a), Body: http.NoBody}, nil
}

func answerOf(t *testing.T, transport http.RoundTripper) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.com/", nil)
	if answer, err := transport.RoundTrip(r); err == nil {
		answer.Body.Close()
	}
}

func gather(t *testing.T, m *Metrics) []*dto.MetricFamily {
	t.Helper()
	all, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestNames wants names and help as Prometheus' linter does, each metric described, and
// each shown once it has moved.
func TestNames(t *testing.T) {
	t.Parallel()
	m := everything(t)
	shown := map[string]bool{}
	var ours []*dto.MetricFamily
	for _, f := range gather(t, m) {
		if name := f.GetName(); strings.HasPrefix(name, "dagwright_") {
			ours, shown[name] = append(ours, f), true
		} else if !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s: want the prefix dagwright_", name)
		}
	}
	problems, err := promlint.NewWithMetricFamilies(ours).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, d := range m.Descriptions() {
		if !shown[d.Name] {
			t.Errorf("%s is described and not shown", d.Name)
		}
		delete(shown, d.Name)
	}
	for name := range shown {
		t.Errorf("%s is shown and not described", name)
	}
}

// TestSeries bounds the series of an instance that has done everything, and wants a path
// that somebody made up to be no label.
func TestSeries(t *testing.T) {
	t.Parallel()
	m := everything(t)
	h := m.Answers(http.NotFoundHandler())
	for i := range 1000 {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("/made/up/%d", i), nil)
		r.Method = fmt.Sprintf("MADE%d", i)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	const most = 400
	n := series(gather(t, m))
	t.Logf("%d series", n)
	if n > most {
		t.Errorf("%d series, want at most %d", n, most)
	}
}

// series counts what a scrape stores: a histogram is one series a bucket, and two more.
func series(families []*dto.MetricFamily) (n int) {
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch {
			case m.GetHistogram() != nil:
				n += len(m.GetHistogram().GetBucket()) + 3
			case m.GetSummary() != nil:
				n += len(m.GetSummary().GetQuantile()) + 2
			default:
				n++
			}
		}
	}
	return n
}

// TestHandler wants figures to be read once for scrapes that come together, and those of a
// database that is away to be left out.
func TestHandler(t *testing.T) {
	t.Parallel()
	reads := 0
	h := New("1.2.3").Handler(func(context.Context) Figures {
		reads++
		return Figures{MaxLogBytes: -1, Slots: 32}
	})
	var body string
	for range 3 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		content, err := io.ReadAll(w.Body)
		if err != nil || w.Code != http.StatusOK {
			t.Fatalf("status %d, error %v", w.Code, err)
		}
		body = string(content)
	}
	if reads != 1 {
		t.Errorf("figures were read %d times, want once", reads)
	}
	for text, want := range map[string]bool{
		"\ndagwright_database_up 0\n": true, "\ndagwright_scheduler_slots 32\n": true, `version="1.2.3"`: true,
		"\ndagwright_pushes_pending ": false, "\ndagwright_log_bytes_max ": false,
	} {
		if strings.Contains(body, text) != want {
			t.Errorf("%q in the answer: %t, want %t", text, !want, want)
		}
	}
}

// TestNil wants code without metrics to need no questions.
func TestNil(t *testing.T) {
	t.Parallel()
	var m *Metrics
	m.Hook("accepted")
	m.Synced(time.Now(), time.Second, true)
	m.Stepped(time.Now(), time.Second, true)
	m.TokenExpires(time.Time{})
	base := answers(http.StatusOK)
	if got := m.Outgoing("gitlab")(base); got != http.RoundTripper(base) {
		t.Errorf("without metrics a transport is wrapped: %T", got)
	}
}
