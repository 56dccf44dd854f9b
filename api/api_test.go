package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"

	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
	"dagwright/store/storetest"
	"dagwright/tasklog"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is when everything happens in these tests.
var noon = time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC)

// fixture is an API on a real store and real logs.
type fixture struct {
	*testing.T
	store *store.Store
	logs  *tasklog.Dir
	done  chan struct{}
	url   string
	log   *bytes.Buffer // of the API, not of tasks
	// document is what each JSON answer must keep to.
	document *document
	scope    store.Scope
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, done: make(chan struct{}), log: &bytes.Buffer{}, scope: store.Scope{All: true}}
	clock := func() time.Time { return noon }
	f.store = storetest.Open(t, store.Config{DSN: "sqlite:" + filepath.Join(t.TempDir(), "test.db"), Now: clock})
	f.logs = openLogs(t, tasklog.Config{Dir: t.TempDir()})
	f.listen(clock)
	return f
}

func openLogs(t *testing.T, c tasklog.Config) *tasklog.Dir {
	t.Helper()
	logs, err := tasklog.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := logs.Close(); err != nil {
			t.Error(err)
		}
	})
	return logs
}

// listen starts the API on what the fixture has.
func (f *fixture) listen(clock func() time.Time) {
	f.Helper()
	e := echo.New()
	e.Use(f.scoped)
	Register(e, Config{
		Store: f.store, Logs: f.logs, Now: clock, Version: "1.2.3", Done: f.done, PromotesTo: "gbc/airflow-prod",
		Logger: slog.New(slog.NewTextHandler(f.log, nil)),
		User:   func(echo.Context) string { return "ann" },
	})
	server := httptest.NewServer(e)
	f.Cleanup(server.Close)
	f.url = server.URL
	f.document = readDocument(f.T, f.url)
}

// scoring is a DAG with one task, a cron schedule and params.
func scoring() *dag.DAG {
	return &dag.DAG{
		ID: "churn-model", Description: "Nightly scoring", Timezone: "Europe/Moscow",
		Schedule:  dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 6 * * *", Timezone: "Europe/Moscow"},
		StartDate: time.Date(2025, 12, 31, 21, 0, 0, 0, time.UTC), PausedUponCreation: true,
		MaxActiveRuns: 1, MaxActiveTasks: 16, RunTimeout: 12 * time.Hour, Owner: "risk-team",
		Tags: []string{"scoring", "churn"},
		Params: []dag.Param{
			{Name: "SCORING_DATE", Default: "", Description: "Score this date",
				Schema: map[string]any{"type": "string", "format": "date"}},
			{Name: "THRESHOLD", Default: 0.5, Schema: map[string]any{"type": "number", "minimum": 0, "maximum": 1}},
		},
		Tasks: []dag.Task{task("run_model")},
	}
}

// retrain is a DAG with a chain of tasks and no schedule.
func retrain() *dag.DAG {
	d := &dag.DAG{
		ID: "churn-model-retrain", DisplayName: "Churn, retraining", Timezone: "UTC",
		Schedule:      dag.Schedule{Kind: dag.ScheduleNone},
		MaxActiveRuns: 16, MaxActiveTasks: 16, Owner: "risk-team", Tags: []string{"retrain"},
		Tasks: []dag.Task{task("prepare_data"), task("train_model", "prepare_data"), task("register_model", "train_model")},
	}
	d.Tasks[1].Retries, d.Tasks[1].ExecutionTimeout = 2, 25*time.Hour
	return d
}

func task(id dag.TaskID, upstream ...dag.TaskID) dag.Task {
	return dag.Task{
		ID: id, Operator: dag.KubernetesPodOperator, Owner: "risk-team", Upstream: upstream, TriggerRule: dag.AllSuccess,
		PriorityWeight: 1, RetryDelay: 5 * time.Minute, Image: "registry.example.com/churn:1",
		Cmds: []string{"python", "main.py"},
	}
}

func specFile(path string, dags ...*dag.DAG) store.SpecFile {
	return store.SpecFile{Path: path, Blob: "blob of " + path, Source: "# " + path + "\n", DAGs: dags}
}

// sync saves files as one commit of the DAG repository.
func (f *fixture) sync(commit string, files ...store.SpecFile) {
	f.Helper()
	if _, err := f.store.SaveDAGs(f.Context(), store.Sync{Commit: commit, Changed: files}); err != nil {
		f.Fatal(err)
	}
}

// withDAGs saves both DAGs.
func (f *fixture) withDAGs() *fixture {
	f.Helper()
	f.sync("c0ffee", specFile("dags/risk/churn-model.yaml", scoring()),
		specFile("dags/risk/churn-model-retrain.yaml", retrain()))
	return f
}

// trigger makes a run with a name.
func (f *fixture) trigger(id dag.ID, run dag.RunID) dag.Run {
	f.Helper()
	r, err := f.store.TriggerRun(f.Context(), store.Trigger{DAG: id, Run: run, By: store.Actor{User: "ann", Via: "ui"}})
	if err != nil {
		f.Fatal(err)
	}
	return r
}

// advance writes actions as the scheduler does, each one after the other.
func (f *fixture) advance(id dag.ID, actions ...store.Action) {
	f.Helper()
	for _, a := range actions {
		took, err := f.store.Advance(f.Context(), []dag.ID{id},
			func(store.Snapshot) []store.Action { return []store.Action{a} })
		if err != nil || len(took) != 1 {
			f.Fatalf("advance %+v: %d took effect, %v", a, len(took), err)
		}
	}
}

// start starts a run; its tasks are in no state yet.
func (f *fixture) start(r dag.Run, tasks ...dag.TaskID) {
	f.Helper()
	start := store.StartRun{DAG: r.DAG, Run: r.ID, At: noon.Add(time.Second)}
	for _, id := range tasks {
		start.Tasks = append(start.Tasks, dag.TaskInstance{DAG: r.DAG, Run: r.ID, Task: id, MaxTries: 1})
	}
	f.advance(r.DAG, start)
}

// begin starts a try of a task.
func (f *fixture) begin(r dag.Run, id dag.TaskID, from dag.TaskState, fromTry int) dag.TaskInstance {
	f.Helper()
	t := dag.TaskInstance{
		DAG: r.DAG, Run: r.ID, Task: id, State: dag.TaskRunning, Try: fromTry + 1, MaxTries: 2,
		QueuedAt: noon.Add(time.Second), StartedAt: noon.Add(2 * time.Second), Hostname: "node-1", PID: 4711,
	}
	f.advance(r.DAG, store.UpdateTask{From: from, FromTry: fromTry, Task: t})
	return t
}

// end ends the running try of a task.
func (f *fixture) end(t dag.TaskInstance, state dag.TaskState, why string) {
	f.Helper()
	from := t.State
	t.State, t.EndedAt, t.Reason, t.HasExitCode = state, noon.Add(5*time.Second), reason.Of(why), true
	f.advance(t.DAG, store.UpdateTask{From: from, FromTry: t.Try, Task: t})
}

func (f *fixture) endRun(r dag.Run, state dag.RunState, why string) {
	f.Helper()
	f.advance(r.DAG,
		store.EndRun{DAG: r.DAG, Run: r.ID, From: dag.RunRunning, State: state, At: noon.Add(6 * time.Second),
			Reason: reason.Of(why)})
}

// write appends to the log of a try.
func (f *fixture) write(key dag.AttemptKey, text string) {
	f.Helper()
	file, err := f.logs.File(key)
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) seal(key dag.AttemptKey) {
	f.Helper()
	if err := f.logs.Seal(key); err != nil {
		f.Fatal(err)
	}
}

// answer is what the API answered.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request; header lines are "Name: value".
func (f *fixture) do(method, path, body string, header ...string) answer {
	f.Helper()
	resp := f.open(method, path, body, header...)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatal(err)
	}
	a := answer{resp.StatusCode, resp.Header, string(text)}
	f.document.check(f.T, method, path, a)
	return a
}

func (f *fixture) open(method, path, body string, header ...string) *http.Response {
	f.Helper()
	r, err := http.NewRequestWithContext(f.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return resp
}

// get reads a JSON answer that must be a 200.
func (f *fixture) get(path string) map[string]any {
	f.Helper()
	a := f.do("GET", path, "")
	if a.status != http.StatusOK {
		f.Fatalf("GET %s: %d %s", path, a.status, a.body)
	}
	return f.decode(a.body)
}

func (f *fixture) decode(text string) map[string]any {
	f.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		f.Fatalf("%v: %s", err, text)
	}
	return object
}

// newEcho serves a server that the test made itself.
func newEcho(s *server) *echo.Echo {
	e := echo.New()
	for _, r := range s.routes {
		e.Add(r.method, prefix+r.path, s.wrap(r.handle))
	}
	return e
}

func (f *fixture) serve(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(f.Context(), method, path, nil))
	return w
}

// rights sends a request and returns the rights that it asked for.
func (f *fixture) rights(method, path, body string) []dag.Right {
	f.Helper()
	var asked []dag.Right
	e := echo.New()
	Register(e, Config{
		Store: f.store, Logs: f.logs, Now: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler),
		Allow: func(_ echo.Context, right dag.Right, _ dag.ID) error { asked = append(asked, right); return nil },
	})
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequestWithContext(f.Context(), method, prefix+path, strings.NewReader(body)))
	if w.Code >= http.StatusBadRequest {
		f.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return asked
}
