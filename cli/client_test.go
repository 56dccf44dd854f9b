package cli

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"dagwright/api"
	"dagwright/cli/clitest"
	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
	"dagwright/store/storetest"
	"dagwright/tasklog"
)

var updateGolden = flag.Bool("update", false, "rewrite the golden files in testdata")

// noon is when everything happens on the tests' server.
var noon = time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC)

// served is the API on a real store, for commands to call.
type served struct {
	*testing.T
	store *store.Store
	logs  *tasklog.Dir
	url   string
}

func serveAPI(t *testing.T) *served {
	t.Helper()
	clock := func() time.Time { return noon }
	s := &served{T: t,
		store: storetest.Open(t, store.Config{DSN: "sqlite:" + filepath.Join(t.TempDir(), "test.db"), Now: clock})}
	var err error
	if s.logs, err = tasklog.Open(tasklog.Config{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	api.Register(e, api.Config{Store: s.store, Logs: s.logs, Now: clock, Logger: slog.New(slog.DiscardHandler)})
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	s.url = server.URL
	s.save()
	return s
}

// save brings two DAGs into the store.
func (s *served) save() {
	s.Helper()
	step := func(id dag.TaskID, upstream ...dag.TaskID) dag.Task {
		return dag.Task{ID: id, Operator: dag.KubernetesPodOperator, Upstream: upstream, TriggerRule: dag.AllSuccess,
			PriorityWeight: 1, Image: "x"}
	}
	scoring := &dag.DAG{
		ID: "churn-model", Description: "Nightly scoring", Timezone: "Europe/Moscow", Owner: "risk-team",
		Tags:               []string{"scoring"},
		Schedule:           dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 6 * * *", Timezone: "Europe/Moscow"},
		PausedUponCreation: true, MaxActiveRuns: 1, MaxActiveTasks: 16, Tasks: []dag.Task{step("run_model")},
	}
	retrain := &dag.DAG{
		ID: "churn-model-retrain", Timezone: "UTC", Owner: "risk-team", Schedule: dag.Schedule{Kind: dag.ScheduleNone},
		MaxActiveRuns: 16, MaxActiveTasks: 16, Tasks: []dag.Task{step("prepare_data"), step("train_model", "prepare_data")},
	}
	_, err := s.store.SaveDAGs(s.Context(), store.Sync{Commit: "c1", Changed: []store.SpecFile{
		{Path: "dags/churn-model.yaml", Blob: "1", Source: "1", DAGs: []*dag.DAG{scoring}},
		{Path: "dags/churn-model-retrain.yaml", Blob: "2", Source: "2", DAGs: []*dag.DAG{retrain}},
	}})
	if err != nil {
		s.Fatal(err)
	}
	next := time.Date(2026, 2, 1, 3, 0, 0, 0, time.UTC)
	s.advance("churn-model", store.SetNext{DAG: "churn-model", Next: store.NextRun{
		LogicalDate: next, RunAfter: next, Interval: dag.DataInterval{Start: next, End: next},
	}})
}

// advance writes actions as the scheduler does.
func (s *served) advance(id dag.ID, actions ...store.Action) {
	s.Helper()
	for _, a := range actions {
		took, err := s.store.Advance(s.Context(), []dag.ID{id},
			func(store.Snapshot) []store.Action { return []store.Action{a} })
		if err != nil || len(took) != 1 {
			s.Fatalf("advance %+v: %d took effect, %v", a, len(took), err)
		}
	}
}

// start makes a run and starts it with its tasks.
func (s *served) start(id dag.ID, run dag.RunID, tasks ...dag.TaskID) dag.Run {
	s.Helper()
	r, err := s.store.TriggerRun(s.Context(), store.Trigger{
		DAG: id, Run: run, Conf: map[string]any{"N": json.Number("12345678901234567890")},
		By: store.Actor{User: "ann", Via: "ui"},
	})
	if err != nil {
		s.Fatal(err)
	}
	action := store.StartRun{DAG: id, Run: r.ID, At: noon.Add(time.Second)}
	for _, t := range tasks {
		action.Tasks = append(action.Tasks, dag.TaskInstance{DAG: id, Run: r.ID, Task: t, MaxTries: 2})
	}
	s.advance(id, action)
	return r
}

// begin starts the next try of a task; order makes one start after another.
func (s *served) begin(t dag.TaskInstance, order int) dag.TaskInstance {
	s.Helper()
	from, fromTry := t.State, t.Try
	t.State, t.Try, t.MaxTries, t.EndedAt = dag.TaskRunning, t.Try+1, 2, time.Time{}
	t.StartedAt = noon.Add(time.Duration(order) * time.Second)
	s.advance(t.DAG, store.UpdateTask{From: from, FromTry: fromTry, Task: t})
	return t
}

// end ends a try, with its log complete.
func (s *served) end(t dag.TaskInstance, state dag.TaskState, why string) dag.TaskInstance {
	s.Helper()
	if err := s.logs.Seal(dag.AttemptKey{DAG: t.DAG, Run: t.Run, Task: t.Task, Try: t.Try}); err != nil {
		s.Fatal(err)
	}
	from := t.State
	t.State, t.Reason, t.EndedAt = state, reason.Of(why), t.StartedAt.Add(1500*time.Millisecond)
	s.advance(t.DAG, store.UpdateTask{From: from, FromTry: t.Try, Task: t})
	return t
}

func (s *served) endRun(r dag.Run, state dag.RunState, why string) {
	s.Helper()
	s.advance(r.DAG,
		store.EndRun{DAG: r.DAG, Run: r.ID, From: dag.RunRunning, State: state, At: noon.Add(time.Minute),
			Reason: reason.Of(why)})
}

func (s *served) write(t dag.TaskInstance, text string) {
	s.Helper()
	file, err := s.logs.File(dag.AttemptKey{DAG: t.DAG, Run: t.Run, Task: t.Task, Try: t.Try})
	if err != nil {
		s.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		s.Fatal(err)
	}
}

func taskInstance(r dag.Run, task dag.TaskID) dag.TaskInstance {
	return dag.TaskInstance{DAG: r.DAG, Run: r.ID, Task: task}
}

// command is a run of the program.
type command struct {
	out, errOut *clitest.Screen
	code        chan int
}

// start runs the program on the server.
func (s *served) command(stdin string, args ...string) *command {
	c := &command{clitest.NewScreen(), clitest.NewScreen(), make(chan int, 1)}
	root := newRootCommand()
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(c.out)
	root.SetErr(c.errOut)
	root.SetArgs(append(args, "--server", s.url))
	go func() {
		err := root.ExecuteContext(s.Context())
		if err != nil {
			fmt.Fprintln(c.errOut, "dagwright:", err)
		}
		c.code <- exitCode(err)
	}()
	return c
}

// session says what a command line gave, for golden files.
func (s *served) session(stdin string, args ...string) string {
	c := s.command(stdin, args...)
	code := <-c.code
	text := fmt.Sprintf("$ dagwright %s\n%s", strings.Join(args, " "), c.out)
	if c.errOut.String() != "" {
		text += fmt.Sprintf("(stderr)\n%s", c.errOut)
	}
	return strings.ReplaceAll(text, s.url, "http://SERVER") + fmt.Sprintf("(exit %d)\n\n", code)
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *updateGolden {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run the test with -update)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("output changed (-want +got):\n%s", diff)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{T: t, url: "http://" + l.Addr().String()}
	l.Close() // now nobody listens there
	got := s.session("", "dags", "list")
	if !strings.Contains(got, "cannot reach dagwright at http://SERVER: is it running?") ||
		!strings.HasSuffix(got, "(exit 1)\n\n") {
		t.Error(got)
	}
}

func TestNoDagwright(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	s := &served{T: t, url: server.URL}
	if got := s.session("", "dags", "list"); !strings.Contains(got, "is it the right server?") {
		t.Error(got)
	}
}
