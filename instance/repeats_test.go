package instance

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/tasklog"
)

// TestRepeats sends every request that acts twice under one key: the second time it gets
// the answer of the first, although what it names is gone or changed by then, and changes
// nothing. Pages ask for a confirmation first, as a browser gets it.
func TestRepeats(t *testing.T) {
	t.Parallel()
	l := openAnswering(t)
	for i, r := range requests(l.router.Routes()) {
		name := strings.TrimSpace(r.method + " " + r.route + " " + r.note)
		if r.method == http.MethodGet || strings.HasPrefix(r.route, "/api/*") || r.route == "/api" || r.route == "/*" ||
			unaffected[name] != "" {
			continue
		}
		id := fmt.Sprintf("twice-%d", i)
		l.twice(name, id, l.keyed(l.request(r, l.prepare(id, r))))
	}
}

// TestRepeatsOfMarks is TestRepeats for a task and a run that have ended, which a mark
// changes at once.
func TestRepeatsOfMarks(t *testing.T) {
	t.Parallel()
	l := openAnswering(t)
	for i, r := range []asked{
		{method: "PATCH", route: "/api/v2/dags/:dag_id/dagRuns/:dag_run_id/taskInstances/:task_id",
			json: `{"new_state": "success"}`},
		{method: "POST", route: "/dags/:dag/runs/:run/tasks/:task/state", form: "state=success"},
		{method: "POST", route: "/dags/:dag/runs/:run/state", form: "state=success"},
		{method: "POST", route: "/dags/:dag/runs/:run/tasks/:task/clear", form: "downstream=yes"},
		{method: "POST", route: "/dags/:dag/runs", form: "act=success&run=one"},
	} {
		id := fmt.Sprintf("ended-%d", i)
		p := l.prepare(id, r)
		l.end(p)
		l.twice(r.route, id, l.keyed(l.request(r, p)))
	}
}

// TestRepeatedRemovalKeepsTheHistory repeats a DELETE whose file is gone by then: it is not
// taken for one of the history.
func TestRepeatedRemovalKeepsTheHistory(t *testing.T) {
	t.Parallel()
	l := openAnswering(t)
	r := asked{method: "DELETE", route: "/api/v2/dags/:dag_id"}
	p := l.prepare("kept-1", asked{method: "DELETE", route: "/dag_run_id"}) // with a run that has ended
	remove := l.keyed(l.request(r, p))
	if got := l.send(remove); got.Code != http.StatusNoContent {
		t.Fatalf("the removal is answered with %d: %s", got.Code, got.Body)
	}
	if _, err := l.store.SaveDAGs(t.Context(),
		store.Sync{Commit: "gone", Removed: []string{"dags/gbc/kept-1.yaml"}}); err != nil {
		t.Fatal(err)
	}
	if got := l.send(remove); got.Code != http.StatusNoContent {
		t.Errorf("the repeat is answered with %d: %s", got.Code, got.Body)
	}
	if row, err := l.store.DAG(t.Context(), p.dag); err != nil || !row.Archived {
		t.Errorf("after the repeat the DAG is %+v, %v; want it archived, with its history", row, err)
	}
	remove.key = "another"
	if got := l.send(remove); got.Code != http.StatusNoContent {
		t.Errorf("a second removal is answered with %d: %s", got.Code, got.Body)
	}
	if _, err := l.store.DAG(t.Context(), p.dag); err == nil {
		t.Error("a second removal under another key leaves the history")
	}
}

// openAnswering is an instance whose database loses no answer.
func openAnswering(t *testing.T) *lossy {
	t.Helper()
	s := Settings{Logs: tasklog.Config{Dir: t.TempDir()}, Promotion: promotionSettings{ToProject: "gbc/airflow-prod"}}
	return &lossy{t, serveHouse(t, "sqlite:"+filepath.Join(t.TempDir(), "db"), s), nil}
}

// end fails the task of a place, and its run with it.
func (l *lossy) end(p place) {
	l.Helper()
	now := time.Now()
	ti := dag.TaskInstance{DAG: p.dag, Run: "one", Task: "run_model", State: dag.TaskFailed, Try: 1, MaxTries: 1,
		StartedAt: now, EndedAt: now}
	_, err := l.store.Advance(l.Context(), []dag.ID{p.dag}, func(store.Snapshot) []store.Action {
		return []store.Action{
			store.UpdateTask{From: dag.TaskRunning, FromTry: 1, Task: ti},
			store.EndRun{DAG: p.dag, Run: "one", From: dag.RunRunning, State: dag.RunFailed, At: now},
		}
	})
	if err != nil {
		l.Fatal(err)
	}
}

// keyed is a request with the key under which it is done once, as it is sent after its
// confirmation.
func (l *lossy) keyed(s sent) sent {
	l.Helper()
	if strings.HasPrefix(s.path, "/api/") {
		s.key = "a key"
		return s
	}
	fields, err := url.ParseQuery(s.body)
	if err != nil {
		l.Fatal(err)
	}
	ask := s
	fields.Set("ask", "yes")
	ask.body = fields.Encode()
	fields.Del("ask")
	// Acts that ask nothing are done at once, so they are asked for without a question.
	if !strings.Contains(s.path, "/note") && l.asks(s) {
		shown := regexp.MustCompile(`name="shown" value="([^"]*)"`).FindStringSubmatch(l.send(ask).Body.String())
		if shown == nil {
			l.Fatalf("%s asks for no confirmation", s.path)
		}
		fields.Set("shown", html.UnescapeString(shown[1]))
	}
	fields.Set("idempotency_key", "akey")
	s.body = fields.Encode()
	return s
}

// asks reports whether the act of a page shows what it would do first.
func (l *lossy) asks(s sent) bool {
	path, _, _ := strings.Cut(s.path, "?")
	for _, end := range []string{"/dags", "/runs", "/state", "/clear", "/cancel", "/restore"} {
		if strings.HasSuffix(path, end) {
			return true
		}
	}
	return false
}

// twice sends a request two times, and compares the answers, and what there is after them.
func (l *lossy) twice(name, id string, s sent) {
	l.Helper()
	first := l.send(s)
	// Logs are removed by the process of the scheduler, which says so after the act.
	if first.Code >= 400 && !strings.HasPrefix(name, "DELETE /api/v2/dags/:dag_id/dagRuns/") {
		l.Errorf("%s: the request itself is answered with %d: %.300s", name, first.Code, first.Body)
	}
	once := l.state(id)
	second := l.send(s)
	if second.Code != first.Code || second.Header().Get("Location") != first.Header().Get("Location") {
		l.Errorf("%s: the repeat is answered with %d %s, want %d %s: %.300s", name, second.Code,
			second.Header().Get("Location"),
			first.Code, first.Header().Get("Location"), second.Body)
	}
	if diff := gocmp.Diff(once, l.state(id)); diff != "" {
		l.Errorf("%s: after the repeat (-once +twice):\n%s", name, diff)
	}
}
