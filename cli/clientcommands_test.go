package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dagwright/cli/clitest"
	"dagwright/client"
	"dagwright/dag"
	"dagwright/store"
)

// TestClientCommands runs command lines against a server and compares what
// they print; each test is one golden file.
func TestClientCommands(t *testing.T) {
	t.Parallel()
	conf := filepath.Join(t.TempDir(), "conf.json")
	if err := os.WriteFile(conf, []byte(`{"SCORING_DATE": "2026-01-31"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		lines []string
		stdin string
	}{
		{name: "dags_list", lines: []string{
			"dags list", "dags list --state paused", "dags list --search RETRAIN", "dags list --tag scoring --output yaml",
			"dags list --limit 1", "dags list --state sleepy", "dags list --output xml", "dags list --limit -1", "dags list x",
		}},
		{name: "dags_archived", lines: []string{
			"dags list --state archived", "dags list", "dags list --state archived --search nothing",
			"dags list --state archived --limit 1 --no-headers",
			"dags trigger churn-model-retrain", "dags backfill churn-model-retrain --from 2026-01-10 --to 2026-01-11",
			"dags next churn-model-retrain", "dags unpause churn-model-retrain", "dags pause churn-model-retrain",
		}},
		{name: "dags_show",
			lines: []string{"dags show churn-model-retrain", "dags show churn-model", "dags show absent", "dags show"}},
		{name: "dags_show_json", lines: []string{"dags show churn-model --output json"}},
		{name: "dags_pause", lines: []string{
			"dags unpause churn-model", "dags list --state active", "dags pause churn-model churn-model-retrain", "dags list",
			"dags pause", "dags unpause absent",
		}},
		{name: "dags_next", lines: []string{
			"dags next churn-model", "dags next churn-model-retrain", "dags next churn-model --output json",
			"dags next churn-model-retrain --output json",
		}},
		{name: "dags_trigger", stdin: `{"FROM": "stdin"}`, lines: []string{
			"dags trigger churn-model --run-id a --note here --logical-date 2026-01-30",
			"runs show churn-model a",
			"dags trigger churn-model --conf @" + conf + " --unpause",
			"dags trigger churn-model --run-id b --conf @- --logical-date 2026-01-29T01:02:03+03:00 --output json",
			"dags trigger churn-model --run-id a",
			"dags trigger churn-model --conf {",
			"dags trigger churn-model --conf [1]",
			"dags trigger churn-model --conf null",
			"dags trigger churn-model --conf @absent.json",
			`dags trigger churn-model --conf {"PATH":"/tmp"}`,
			"dags trigger churn-model --logical-date someday",
			"dags trigger absent",
		}},
		{name: "dags_delete", stdin: "y\n", lines: []string{
			"dags delete churn-model", "dags delete churn-model-retrain --yes", "dags delete absent --yes",
		}},
		{name: "dags_delete_no", stdin: "\n", lines: []string{"dags delete churn-model"}},
		{name: "runs", lines: []string{
			"runs list", "runs list churn-model", "runs list --state failed", "runs list --state sad", "runs list absent",
			"runs list --type bogus",
			"runs show churn-model-retrain", "runs show churn-model-retrain old --output yaml", "runs show churn-model",
			"runs wait churn-model-retrain", "runs wait churn-model-retrain old", "runs cancel churn-model-retrain old",
			"runs cancel churn-model-retrain",
		}},
		{name: "tasks", lines: []string{
			"tasks list churn-model-retrain", "tasks list churn-model-retrain old --no-headers", "tasks list churn-model",
			"tasks show churn-model-retrain new prepare_data", "tasks show churn-model-retrain new absent",
			"tasks mark churn-model-retrain new prepare_data succes", "tasks clear churn-model-retrain new",
			"tasks cancel churn-model-retrain new prepare_data",
			"runs note churn-model-retrain new seen", "runs mark churn-model-retrain new success",
			"runs mark churn-model-retrain new done",
			"runs list --type manual --state success",
		}},
		{name: "acts", lines: []string{
			"tasks clear churn-model-retrain new prepare_data --downstream --dry-run",
			"tasks clear churn-model-retrain new prepare_data --downstream",
			"tasks list churn-model-retrain new", "tasks clear churn-model-retrain new absent",
			"tasks clear churn-model-retrain nosuch prepare_data",
			"tasks mark churn-model-retrain old train_model skipped --dry-run",
			"tasks mark churn-model-retrain old train_model success --upstream",
			"tasks list churn-model-retrain old", "tasks mark churn-model-retrain old absent success",
			"runs clear churn-model-retrain old --dry-run", "runs clear churn-model-retrain old",
			"runs clear churn-model-retrain old --only-failed", "runs clear churn-model-retrain nosuch",
			"dags trigger churn-model --run-id r", "runs delete churn-model r", "runs delete churn-model r --yes",
			"runs delete churn-model r --yes",
		}},
		{name: "catalogue", lines: []string{
			"dags versions churn-model", "dags versions absent", "dags source churn-model", "dags provenance churn-model",
			"dags provenance absent", "dags promote churn-model",
			"dags source churn-model --version 7", "dags source churn-model --version -1", "dags source churn-modl",
			"import-errors", "import-errors 1", "import-errors 99", "import-errors x",
			"audit", "audit --dag churn-model-retrain --limit 1", "audit --event pause", "audit --event puase",
			"audit --event nope",
			"models list", "models list --state refused --output json", "models list --state rejected",
			"models list --state refusd", "models list --state lost", "models list --limit 1 --no-headers",
			"models show 1", "models show 99", "models show x", "models replay 1", "models replay 1 --wait --timeout 1ms",
		}},
		{name: "backfill", lines: []string{
			"dags backfill churn-model", "dags backfill churn-model --from 2026-01-02 --to 2026-01-01",
			"dags backfill churn-model --from x --to y",
			"dags backfill churn-model --from 2026-01-01 --to 2026-01-02 --reprocess all",
			"dags backfill churn-model --from 2026-01-01 --to 2026-01-02 --max-active-runs 0",
			"dags backfill churn-model --from 2026-01-01 --to 2026-01-02 --conf [1]",
			"dags backfill churn-model --from 2026-01-10T12:00 --to 2026-01-10T13:00",
			"dags backfill churn-model --from 2026-01-10 --to 2026-01-11 --dry-run",
			"dags backfill churn-model --from 2026-01-10 --to 2026-01-11",
			"dags backfill churn-model --from 2026-01-10 --to 2026-01-11",
			"dags backfill churn-model --from 2026-01-10 --to 2026-01-11 --reprocess failed",
			"dags backfill churn-model --from 2026-01-10 --to 2026-01-11 --dry-run --reprocess completed",
			"dags backfill churn-model --from 2026-01-10 --to 2026-01-11 --output json",
		}},
		{name: "logs", lines: []string{
			"logs churn-model-retrain", "logs churn-model-retrain new prepare_data",
			"logs churn-model-retrain new prepare_data --try 1",
			"logs churn-model-retrain new prepare_data --try 1 --timestamps", "logs churn-model-retrain --timestamps",
			"logs churn-model-retrain new prepare_data --try 3", "logs churn-model-retrain new absent", "logs churn-model",
			"logs churn-model-retrain old", "logs -f churn-model-retrain new", "logs churn-model-retrain new --exit-code",
			"logs churn-model-retrain new prepare_data --try 1 --exit-code", "logs churn-model-retrain --output json",
			"logs -f churn-model-retrain old", "logs churn-model-retrain --try -1",
			"logs churn-model-retrain --output yaml",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serveAPI(t)
			switch test.name {
			case "runs", "logs", "tasks", "acts":
				s.history()
			case "dags_archived":
				s.archive("dags/churn-model-retrain.yaml")
			case "catalogue":
				s.history()
				s.pushes()
			}
			var got strings.Builder
			for _, line := range test.lines {
				got.WriteString(s.session(test.stdin, strings.Fields(line)...))
			}
			checkGolden(t, test.name, strings.ReplaceAll(got.String(), conf, "conf.json"))
		})
	}
}

// history makes a run that succeeded without logging and one that failed at
// its second try.
func (s *served) history() {
	old := s.start("churn-model-retrain", "old", "prepare_data", "train_model")
	s.endRun(old, dag.RunSuccess, "")
	run := s.start("churn-model-retrain", "new", "prepare_data", "train_model")
	t := s.begin(taskInstance(run, "prepare_data"), 2)
	s.write(t, "2026-01-31T12:00:02.000000000Z first try\n"+
		"2026-01-31T12:00:02.500000000Z [side-car] ready\n"+
		"2026-01-31T12:00:03.000000000Z dagwright: exit code 1\n")
	t = s.begin(s.end(t, dag.TaskUpForRetry, "exit code 1"), 4)
	s.write(t, "second try\nno such column\n")
	s.end(t, dag.TaskFailed, "exit code 1")
	s.endRun(run, dag.RunFailed, "prepare_data failed")
}

// archive has a file gone from the DAG repository.
func (s *served) archive(path string) {
	if _, err := s.store.SaveDAGs(s.Context(), store.Sync{Commit: "c2", Removed: []string{path}}); err != nil {
		s.Fatal(err)
	}
}

// pushes records two pushes, of which one is refused, and a file that is broken.
func (s *served) pushes() {
	for i, project := range []string{"gbc/risk/churn-model", "gbc/risk/fraud-model"} {
		_, _, err := s.store.RecordPush(s.Context(), store.Push{
			ProjectID: int64(i + 1), Project: project, Branch: "main", Commit: strings.Repeat("ab", 20), User: "ann",
			Title: "Add a column",
		})
		if err != nil {
			s.Fatal(err)
		}
	}
	err := s.store.FinishPushes(s.Context(),
		[]store.PushResult{{ID: 2, State: store.PushRefused, Reason: `.dagwright.yml:3: unknown key "scheduel"`}})
	if err != nil {
		s.Fatal(err)
	}
	_, err = s.store.SaveDAGs(s.Context(), store.Sync{Commit: "c2", Changed: []store.SpecFile{
		{Path: "dags/broken.yaml", Blob: "3", Source: "3",
			Errors: dag.SpecErrors{{File: "dags/broken.yaml", Line: 2, Reason: "unknown key"}}},
	}})
	if err != nil {
		s.Fatal(err)
	}
}

// A follower sees each line when it is written, goes from task to task and
// from try to try, and ends with the run.
func TestLogsFollow(t *testing.T) {
	t.Parallel()
	s := serveAPI(t)
	run := s.start("churn-model-retrain", "r", "prepare_data", "train_model")
	c := s.command("", "logs", "-f", "churn-model-retrain")
	task := s.begin(taskInstance(run, "prepare_data"), 2)
	s.write(task, "one\n")
	c.out.Await(t, "one\n")
	s.write(task, "two\n")
	c.out.Await(t, "two\n")
	task = s.end(task, dag.TaskUpForRetry, "exit code 1")
	task = s.begin(task, 4)
	s.write(task, "again\n")
	c.out.Await(t, "again\n")
	s.end(task, dag.TaskSuccess, "")
	task = s.begin(taskInstance(run, "train_model"), 6)
	s.write(task, "epoch 1\n")
	c.out.Await(t, "epoch 1\n")
	s.end(task, dag.TaskSuccess, "")
	s.endRun(run, dag.RunSuccess, "")
	if code := <-c.code; code != ExitDone {
		t.Errorf("exit %d", code)
	}
	if got := c.out.String(); got != "one\ntwo\nagain\nepoch 1\n" {
		t.Errorf("stdout: %q", got)
	}
	want := "==> prepare_data of r, try 1\n==> prepare_data of r, try 2\n==> train_model of r, try 1\n==> run r is success\n"
	if got := c.errOut.String(); got != want {
		t.Errorf("stderr: %q", got)
	}
}

// With a task named, following ends with the task.
func TestLogsFollowTask(t *testing.T) {
	t.Parallel()
	s := serveAPI(t)
	run := s.start("churn-model-retrain", "r", "prepare_data", "train_model")
	task := s.begin(taskInstance(run, "prepare_data"), 2)
	s.write(task, "one\n")
	c := s.command("", "logs", "-f", "churn-model-retrain", "r", "prepare_data")
	c.out.Await(t, "one\n")
	s.end(task, dag.TaskSuccess, "")
	if code := <-c.code; code != ExitDone || c.out.String() != "one\n" {
		t.Errorf("exit %d, %q", code, c.out)
	}
}

func TestRunsWait(t *testing.T) {
	t.Parallel()
	tests := []struct {
		state dag.RunState
		args  []string
		code  int
	}{
		{dag.RunSuccess, []string{"runs", "wait", "churn-model"}, ExitDone},
		{dag.RunFailed, []string{"runs", "wait", "churn-model", "r"}, ExitFailed},
	}
	for _, test := range tests {
		t.Run(string(test.state), func(t *testing.T) {
			t.Parallel()
			s := serveAPI(t)
			run := s.start("churn-model", "r", "run_model")
			c := s.command("", test.args...)
			c.errOut.Await(t, "r is running\n")
			s.endRun(run, test.state, "why")
			if code := <-c.code; code != test.code ||
				!strings.Contains(c.out.String(), "run r of churn-model: "+string(test.state)) {
				t.Errorf("exit %d: %s%s", code, c.out, c.errOut)
			}
		})
	}
}

// Waiting that is given up tells so by its exit code, and the run goes on.
func TestRunsWaitGivesUp(t *testing.T) {
	t.Parallel()
	s := serveAPI(t)
	s.start("churn-model", "r", "run_model")
	got := s.session("", "runs", "wait", "churn-model", "--timeout", "20ms")
	if !strings.Contains(got, "run r of churn-model has not ended within 20ms; it goes on") ||
		!strings.HasSuffix(got, "(exit 3)\n\n") {
		t.Error(got)
	}
	ann := newWorkstation(t)
	for _, line := range []string{"runs wait churn-model", "logs -f churn-model"} {
		cmd := ann.Command(append(strings.Fields(line), "--server", s.url)...)
		out := clitest.NewScreen()
		cmd.Stdout, cmd.Stderr = out, out
		if line == "logs -f churn-model" {
			s.write(s.begin(taskInstance(dag.Run{DAG: "churn-model", ID: "r"}, "run_model"), 2), "one\n")
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line == "runs wait churn-model" {
			out.Await(t, "is running")
		} else {
			out.Await(t, "one")
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != ExitGoesOn || !strings.Contains(out.String(), "interrupted") {
			t.Errorf("%s: exit %d: %s", line, code, out)
		}
	}
}

// A server that does not have what a command needs is reported as one of another
// version.
func TestOlderServer(t *testing.T) {
	t.Parallel()
	s := serveAPI(t)
	f := clientFlags{server: s.url}
	c, err := f.dial()
	if err != nil {
		t.Fatal(err)
	}
	err = c.Call(t.Context(), client.Request{Method: http.MethodPost, Path: []string{"from", "tomorrow"}}, nil)
	if err == nil || !strings.Contains(err.Error(), "does not know this command: it is dagwright ") {
		t.Error(err)
	}
	err = c.Call(t.Context(), client.Request{Method: http.MethodPut, Path: []string{"dags"}}, nil)
	if err == nil || !strings.Contains(err.Error(), "does not know this command: it is dagwright ") {
		t.Error(err)
	}
}

func TestTriggerWait(t *testing.T) {
	t.Parallel()
	s := serveAPI(t)
	c := s.command("", "dags", "trigger", "churn-model", "--run-id", "r", "--wait")
	c.errOut.Await(t, "run r is queued\n")
	s.advance("churn-model", store.StartRun{DAG: "churn-model", Run: "r", At: noon.Add(time.Second)})
	c.errOut.Await(t, "r is running\n")
	s.endRun(dag.Run{DAG: "churn-model", ID: "r"}, dag.RunFailed, "run_model failed")
	if code := <-c.code; code != ExitFailed || !strings.Contains(c.errOut.String(), "failed: run_model failed") {
		t.Errorf("exit %d: %s", code, c.errOut)
	}
}

func TestRunsCancel(t *testing.T) {
	t.Parallel()
	s := serveAPI(t)
	s.start("churn-model", "r", "run_model")
	if got := s.session("", "runs", "cancel", "churn-model", "r"); !strings.Contains(got, "marked failed") {
		t.Error(got)
	}
	run, err := s.store.Run(t.Context(), "churn-model", "r")
	if err != nil || run.State != dag.RunFailed {
		t.Errorf("%+v, %v", run, err)
	}
}

func TestTasksCancel(t *testing.T) {
	t.Parallel()
	s := serveAPI(t)
	run := s.start("churn-model", "r", "run_model")
	s.begin(taskInstance(run, "run_model"), 2)
	if got := s.session("", "tasks", "cancel", "churn-model", "r", "run_model"); !strings.Contains(got,
		"try 1 of task run_model is being stopped") {
		t.Error(got)
	}
	ti, err := s.store.TaskInstance(t.Context(), "churn-model", "r", "run_model")
	if err != nil || ti.Wish != dag.WishFailed {
		t.Errorf("%+v, %v", ti, err)
	}
}

// withoutStreams has the server refuse each stream, as when all are taken.
func (s *served) withoutStreams() {
	s.Helper()
	to, err := url.Parse(s.url)
	if err != nil {
		s.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(to)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/wait") || r.URL.Query().Get("follow") == "true" {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"detail": "Too many streams are open"}`)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	s.Cleanup(front.Close)
	s.url = front.URL
}

// TestWaitsWithoutStreams has a server refuse each stream: commands ask at intervals.
func TestWaitsWithoutStreams(t *testing.T) {
	t.Parallel()
	s := serveAPI(t)
	s.withoutStreams()
	c := s.command("", "dags", "trigger", "churn-model", "--run-id", "r", "--wait")
	c.errOut.Await(t, "run r is queued\n")
	s.advance("churn-model", store.StartRun{DAG: "churn-model", Run: "r", At: noon.Add(time.Second)})
	c.errOut.Await(t, "r is running\n")
	s.endRun(dag.Run{DAG: "churn-model", ID: "r"}, dag.RunFailed, "run_model failed")
	if code := <-c.code; code != ExitFailed || !strings.Contains(c.errOut.String(), "failed: run_model failed") {
		t.Errorf("exit %d: %s", code, c.errOut)
	}
	got := s.session("", "runs", "wait", "churn-model", "r")
	if !strings.Contains(got, "run r of churn-model: failed") {
		t.Error(got)
	}
}

func TestLogsFollowWithoutStreams(t *testing.T) {
	t.Parallel()
	s := serveAPI(t)
	s.withoutStreams()
	run := s.start("churn-model-retrain", "r", "prepare_data")
	c := s.command("", "logs", "-f", "churn-model-retrain")
	task := s.begin(taskInstance(run, "prepare_data"), 2)
	s.write(task, "one\ntwo\n")
	c.out.Await(t, "one\n")
	s.write(task, "three\n")
	c.out.Await(t, "two\n")
	s.end(task, dag.TaskSuccess, "")
	s.endRun(run, dag.RunSuccess, "")
	if code := <-c.code; code != ExitDone || c.out.String() != "one\ntwo\nthree\n" {
		t.Errorf("exit %d: %q %s", code, c.out, c.errOut)
	}
}
