package scheduler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"dagwright/dag"
	"dagwright/executor/process"
	"dagwright/gitrepo"
	"dagwright/macro"
	"dagwright/store"
	"dagwright/tasklog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds each wait; it is not a speed target.
const patience = time.Minute

// world is a scheduler over a real store, a real git repository and real
// processes.
type world struct {
	t     *testing.T
	dir   string
	store *store.Store
	logs  *tasklog.Dir
	stop  func()
	// variables are those of the instance.
	variables macro.Variables
	// check and rules are the scheduler's CheckTask and Rules.
	check func(dag.Task) error
	rules string
	// checkSpec is its CheckSpec.
	checkSpec func(context.Context, string, []byte, []string) error
	recheck   time.Duration
	// late delays what the executor finds at the start until it is closed.
	late chan struct{}
	// claims and version are its CheckClaims and ClaimsVersion.
	claims  func(*dag.DAG) error
	version func() string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	return newWorldOn(t, dir, "sqlite:"+filepath.Join(dir, "dagwright.db"))
}

func newWorldOn(t *testing.T, dir, dsn string) *world {
	t.Helper()
	w := &world{t: t, dir: dir}
	w.git("", "init", "--quiet", "--bare", "--initial-branch=main", w.path("dags.git"))
	w.git("", "clone", "--quiet", w.path("dags.git"), w.path("work"))
	s, err := store.Open(t.Context(), store.Config{DSN: dsn, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	w.store = s
	if w.logs, err = tasklog.Open(tasklog.Config{Dir: w.path("logs")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.down()
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) git(dir string, args ...string) {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=Ada",
		"GIT_AUTHOR_EMAIL=ada@example.com",
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// commit pushes files to the DAG repository; empty content removes one.
func (w *world) commit(files map[string]string) {
	w.t.Helper()
	for name, content := range files {
		file := filepath.Join(w.path("work"), name)
		if content == "" {
			w.git(w.path("work"), "rm", "--quiet", name)
			continue
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	w.git(w.path("work"), "add", "--all")
	w.git(w.path("work"), "commit", "--quiet", "--message=Change")
	w.git(w.path("work"), "push", "--quiet", "origin", "HEAD:main")
	w.wantSync()
}

func (w *world) wantSync() {
	w.t.Helper()
	if err := w.store.WantSync(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// up starts a scheduler; down ends it, and the attempts go on.
func (w *world) up() {
	w.t.Helper()
	x, err := process.Open(process.Config{
		StateDir: w.path("attempts"), Logs: w.logs, Env: []dag.EnvVar{{Name: "PATH", Value: os.Getenv("PATH")}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	repo, err := gitrepo.Open(gitrepo.Config{URL: w.path("dags.git"), Dir: w.path("clone.git")})
	if err != nil {
		w.t.Fatal(err)
	}
	s := New(Config{
		Store: w.store, Variables: w.variables, Executor: lateExecutor{x, w.late}, Logs: w.logs, Repo: repo, Poll: time.Hour,
		Grace:     5 * time.Second,
		CheckTask: w.check, CheckSpec: w.checkSpec, CheckClaims: w.claims, ClaimsVersion: w.version, Rules: w.rules,
		Recheck: w.recheck,
		Logger:  slog.New(slog.NewTextHandler(w.t.Output(), nil))})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, x.Close()); err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) down() {
	if w.stop != nil {
		w.stop()
	}
}

// until looks again with each change until ok returns "".
func (w *world) until(ok func() string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	changes := w.store.Subscribe()
	defer changes.Close()
	for {
		missing := ok()
		if missing == "" {
			return
		}
		select {
		case <-changes.C:
		case <-changes.Lagged:
		case <-ctx.Done():
			w.t.Fatalf("still missing: %s", missing)
		}
	}
}

func (w *world) awaitDAG(id dag.ID) {
	w.t.Helper()
	w.until(func() string {
		if _, err := w.store.DAG(w.t.Context(), id); err != nil {
			return err.Error()
		}
		return ""
	})
}

func (w *world) trigger(id dag.ID, conf map[string]any) dag.RunID {
	w.t.Helper()
	run, err := w.store.TriggerRun(w.t.Context(),
		store.Trigger{DAG: id, Conf: conf, By: store.Actor{User: "ada", Via: "ui"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return run.ID
}

func (w *world) awaitRun(id dag.ID, run dag.RunID, state dag.RunState) dag.Run {
	w.t.Helper()
	var r dag.Run
	w.until(func() string {
		var err error
		if r, err = w.store.Run(w.t.Context(), id, run); err != nil {
			return err.Error()
		}
		if r.State != state {
			return fmt.Sprintf("run %s is %s (%s), want %s", run, r.State, r.Reason, state)
		}
		return ""
	})
	return r
}

func (w *world) awaitTask(id dag.ID, run dag.RunID, task dag.TaskID, state dag.TaskState) dag.TaskInstance {
	w.t.Helper()
	var ti dag.TaskInstance
	w.until(func() string {
		var err error
		if ti, err = w.store.TaskInstance(w.t.Context(), id, run, task); err != nil {
			return err.Error()
		}
		if ti.State != state {
			return fmt.Sprintf("task %s is %q, want %q", task, ti.State, state)
		}
		return ""
	})
	return ti
}

func (w *world) log(id dag.ID, run dag.RunID, task dag.TaskID, try int) string {
	w.t.Helper()
	r, err := w.logs.ReadAt(dag.AttemptKey{DAG: id, Run: run, Task: task, Try: try}, 0, 1<<20)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// shell is a spec with a chain of tasks, each a shell script.
func shell(id string, keys string, scripts ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:\n%s  tasks:\n", id, keys)
	before := ""
	for i, script := range scripts {
		task := fmt.Sprintf("t%d", i+1)
		fmt.Fprintf(&b,
			"    - task_id: %s\n      operator: %s\n      image: registry.example.com/x:1\n      cmds: [sh, -c, %q]\n      dependencies: [%s]\n",
			task, dag.KubernetesPodOperator, script, before)
		before = task
	}
	return b.String()
}

func TestRunChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.commit(map[string]string{"dags/chain.yaml": shell("chain", "", "echo one $NAME", "echo two $AIRFLOW_CTX_TASK_ID")})
	w.awaitDAG("chain")
	run := w.trigger("chain", map[string]any{"NAME": "Ada"})
	w.awaitRun("chain", run, dag.RunSuccess)
	if diff := cmp.Diff("one Ada\n", w.log("chain", run, "t1", 1)); diff != "" {
		t.Errorf("log of t1 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("two t2\n", w.log("chain", run, "t2", 1)); diff != "" {
		t.Errorf("log of t2 (-want +got):\n%s", diff)
	}
}

func TestFailureIsExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.commit(map[string]string{"dags/bad.yaml": shell("bad", "", "exit 3", "echo never")})
	w.awaitDAG("bad")
	run := w.trigger("bad", nil)
	r := w.awaitRun("bad", run, dag.RunFailed)
	if !strings.Contains(r.Reason.String(), "t1") || !strings.Contains(r.Reason.String(), "3") {
		t.Errorf("reason = %q, want the task and its exit code", r.Reason)
	}
	w.awaitTask("bad", run, "t2", dag.TaskUpstreamFailed)
}

// TestTemplateFailuresAreFinal fails a task at its first try when each try would end the
// same, and tries it again when what fails depends on the try.
func TestTemplateFailuresAreFinal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	retries := "  default_args: {retries: 2, retry_delay: 0}\n"
	w.commit(map[string]string{
		"dags/never.yaml": shell("never", retries, "echo {{ dag_run.conf.nope.deeper }}"),
		"dags/later.yaml": shell("later", retries, "echo {{ 1 // (ti.try_number - 1) }}"),
		"dags/large.yaml": shell("large", retries, "{{ 'x' * 200000 }}"),
	})
	for id, want := range map[dag.ID]struct {
		tries  int
		state  dag.RunState
		reason string
	}{
		"never": {1, dag.RunFailed,
			"task t1 failed: not started and not retried, because every try would fail the same way: cmds[2]: "},
		"large": {1, dag.RunFailed,
			"task t1 failed: not started and not retried, because every try would fail the same way: invalid command: part 3"},
		"later": {2, dag.RunSuccess, ""},
	} {
		w.awaitDAG(id)
		run := w.trigger(id, nil)
		r := w.awaitRun(id, run, want.state)
		tries, err := w.store.Tries(t.Context(), id, run, "t1")
		if err != nil || len(tries) != want.tries || !strings.Contains(r.Reason.String(), want.reason) {
			t.Errorf("%s: %d tries, reason %q, %v; want %+v", id, len(tries), r.Reason, err, want)
		}
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.commit(map[string]string{"dags/flaky.yaml": shell("flaky", "  default_args: {retries: 2, retry_delay: 0}\n",
		"test $AIRFLOW_CTX_TRY_NUMBER = 3")})
	w.awaitDAG("flaky")
	run := w.trigger("flaky", nil)
	w.awaitRun("flaky", run, dag.RunSuccess)
	tries, err := w.store.Tries(t.Context(), "flaky", run, "t1")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ti := range tries {
		got = append(got, fmt.Sprintf("%d %s", ti.Try, ti.State))
	}
	if diff := cmp.Diff([]string{"1 failed", "2 failed", "3 success"}, got); diff != "" {
		t.Errorf("tries (-want +got):\n%s", diff)
	}
}

func TestMarkFailedStopsTheAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.commit(map[string]string{"dags/long.yaml": shell("long", "", "echo $$; exec sleep 1000", "echo never")})
	w.awaitDAG("long")
	run := w.trigger("long", nil)
	w.awaitTask("long", run, "t1", dag.TaskRunning)
	if err := w.store.SetRunState(t.Context(), store.Actor{User: "ada", Via: "ui"}, "long", run,
		dag.RunFailed); err != nil {
		t.Fatal(err)
	}
	ti := w.awaitTask("long", run, "t1", dag.TaskFailed)
	if !strings.Contains(ti.Reason.String(), "stopped") {
		t.Errorf("reason = %q, want that it was stopped", ti.Reason)
	}
	w.awaitTask("long", run, "t2", dag.TaskSkipped)
}

func TestExecutionTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.commit(map[string]string{"dags/slow.yaml": shell("slow", "  default_args: {execution_timeout: 0.2}\n",
		"exec sleep 1000")})
	w.awaitDAG("slow")
	run := w.trigger("slow", nil)
	w.awaitRun("slow", run, dag.RunFailed)
	ti := w.awaitTask("slow", run, "t1", dag.TaskFailed)
	if !strings.Contains(ti.Reason.String(), "execution_timeout") {
		t.Errorf("reason = %q, want the time-out", ti.Reason)
	}
}

func TestUndefinedTemplateNameFailsTheTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.commit(map[string]string{"dags/typo.yaml": shell("typo", "", "echo {{ dss }}")})
	w.awaitDAG("typo")
	run := w.trigger("typo", nil)
	r := w.awaitRun("typo", run, dag.RunFailed)
	if !strings.Contains(r.Reason.String(), "dss") {
		t.Errorf("reason = %q, want the undefined name", r.Reason)
	}
	if text := w.log("typo", run, "t1", 1); !strings.Contains(text, "dss") {
		t.Errorf("log = %q, want the undefined name", text)
	}
}

// TestRestart ends the scheduler while attempts run and start, and starts it
// again: each task runs once.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.commit(map[string]string{"dags/once.yaml": shell("once", "  max_active_runs: 50\n",
		"echo $AIRFLOW_CTX_DAG_RUN_ID.1 >> $FILE; sleep 0.3", "echo $AIRFLOW_CTX_DAG_RUN_ID.2 >> $FILE")})
	w.awaitDAG("once")
	var runs []dag.RunID
	for range 20 {
		runs = append(runs, w.trigger("once", map[string]any{"FILE": w.path("ran")}))
	}
	for ended := range 5 {
		w.until(func() string {
			_, n, err := w.store.Runs(t.Context(), store.RunFilter{DAG: "once", States: []dag.RunState{dag.RunSuccess}})
			if err != nil || n < 3*ended {
				return fmt.Sprintf("%d ended runs, have %d (%v)", 3*ended, n, err)
			}
			return ""
		})
		w.down()
		w.up()
	}
	for _, run := range runs {
		w.awaitRun("once", run, dag.RunSuccess)
	}
	text, err := os.ReadFile(w.path("ran"))
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, line := range strings.Fields(string(text)) {
		count[line]++
	}
	for _, run := range runs {
		for _, task := range []string{".1", ".2"} {
			if n := count[string(run)+task]; n != 1 {
				t.Errorf("task %s of run %s ran %d times, want once", task, run, n)
			}
		}
	}
}

func TestSyncKeepsTheLastGoodVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.commit(map[string]string{"dags/a.yaml": shell("a", "", "echo good"), "dags/b.yaml": shell("b", "", "true")})
	w.awaitDAG("a")
	w.commit(map[string]string{"dags/a.yaml": "a:\n  tasks: 1\n", "dags/c.yaml": shell("c", "", "true")})
	w.awaitDAG("c")
	list, n, err := w.store.ImportErrors(t.Context(), 10, 0)
	if err != nil || n != 1 || list[0].Path != "dags/a.yaml" || list[0].Errors[0].Line != 2 {
		t.Fatalf("import errors = %+v, %d, %v; want dags/a.yaml:2", list, n, err)
	}
	run := w.trigger("a", nil)
	w.awaitRun("a", run, dag.RunSuccess)
	w.commit(map[string]string{"dags/b.yaml": ""})
	w.until(func() string {
		if row, err := w.store.DAG(t.Context(), "b"); err != nil || !row.Archived {
			return fmt.Sprintf("b is not archived (%v)", err)
		}
		return ""
	})
}

// TestRulesForTasks loads no spec that the instance does not allow, and looks
// again at every spec when its rules have changed.
func TestRulesForTasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.check = func(t dag.Task) error {
		if t.Image != "one" {
			return dag.SpecErrors{{Path: "image", Reason: "only one"}}
		}
		return nil
	}
	w.rules = "strict"
	two := strings.Replace(shell("b", "", "true"), "image: registry.example.com/x:1", "image: two", 1)
	one := strings.Replace(shell("a", "", "true"), "image: registry.example.com/x:1", "image: one", 1)
	w.up()
	w.commit(map[string]string{"dags/a.yaml": one, "dags/b.yaml": two})
	w.awaitDAG("a")
	w.awaitImportErrors("dags/b.yaml:", "image: only one")
	w.down()

	w.check, w.rules = nil, "lenient"
	w.up()
	w.awaitDAG("b")
	w.awaitImportErrors()
	w.down()

	w.check, w.rules = func(dag.Task) error { return dag.ErrInvalid }, "nothing"
	w.up()
	w.awaitImportErrors("dags/a.yaml:", "dags/b.yaml:")
	w.awaitDAG("a") // as it was
}

// TestSpecsThatAreNotTaken keeps the last good DAG of a file that the instance does
// not take, and looks again at one that could not be decided upon.
func TestSpecsThatAreNotTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var away atomic.Bool
	w.checkSpec = func(_ context.Context, path string, content []byte, defaults []string) error {
		switch {
		case away.Load():
			return errors.New("nobody answers")
		case len(defaults) > 0:
			return &dag.SpecError{File: path, Reason: "has " + defaults[0]}
		case strings.Contains(string(content), "evil"):
			return fmt.Errorf("it is evil: %w", dag.ErrInvalid)
		}
		return nil
	}
	w.up()
	w.commit(map[string]string{"dags/a.yaml": shell("a", "", "true")})
	w.awaitDAG("a")
	w.commit(map[string]string{"dags/a.yaml": shell("a", "  description: evil\n", "true")})
	w.awaitImportErrors("dags/a.yaml:", "it is evil")
	if row, err := w.store.DAG(t.Context(), "a"); err != nil || row.Version != 1 || row.Archived {
		t.Errorf("the last good DAG is %+v, %v", row, err)
	}
	w.commit(map[string]string{"dags/a.yaml": shell("a", "  description: good\n", "true"), "defaults.yaml": "tags: [x]"})
	w.awaitImportErrors("dags/a.yaml:", "has defaults.yaml")

	away.Store(true)
	w.commit(map[string]string{"defaults.yaml": ""})
	w.awaitImportErrors("dags/a.yaml:", "tried again by itself: nobody answers")
	away.Store(false)
	if err := w.store.WantSync(t.Context()); err != nil { // as the next poll does
		t.Fatal(err)
	}
	w.awaitImportErrors()
	if row, err := w.store.DAG(t.Context(), "a"); err != nil || row.Version != 2 {
		t.Errorf("the DAG is %+v, %v", row, err)
	}
}

// awaitImportErrors waits until the import errors name all of the words; without
// words, until there is none.
func (w *world) awaitImportErrors(words ...string) {
	w.t.Helper()
	w.until(func() string {
		list, n, err := w.store.ImportErrors(w.t.Context(), 10, 0)
		if err != nil || len(words) == 0 && n > 0 {
			return fmt.Sprintf("no import error, have %d (%v)", n, err)
		}
		text := ""
		for _, f := range list {
			text += f.Errors.Error() + "\n"
		}
		for _, word := range words {
			if !strings.Contains(text, word) {
				return word + " in the import errors " + text
			}
		}
		return ""
	})
}

func TestSecondFileWithTheSameDAGIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.commit(map[string]string{"dags/one/same.yaml": shell("same", "", "true")})
	w.awaitDAG("same")
	w.commit(map[string]string{"dags/two/same.yaml": shell("same", "", "false")})
	w.until(func() string {
		list, _, err := w.store.ImportErrors(t.Context(), 10, 0)
		if err != nil || len(list) != 1 {
			return fmt.Sprintf("one import error, have %d (%v)", len(list), err)
		}
		text := list[0].Errors.Error()
		if !strings.Contains(text, "dags/one/same.yaml") || !strings.Contains(text, "dags/two/same.yaml") {
			return "both paths in " + text
		}
		return ""
	})
}

// TestClaimsAreCheckedWhenLoaded shows a DAG that claims what it may not as an import
// error, also when the rules change and its file does not.
func TestClaimsAreCheckedWhenLoaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var closed atomic.Bool
	w.claims = func(d *dag.DAG) error {
		if closed.Load() && d.ID == "a" {
			return &dag.SpecError{Path: "tasks[0].owner", Reason: "gives roles"}
		}
		return nil
	}
	w.version = func() string { return fmt.Sprint(closed.Load()) }
	w.up()
	w.commit(map[string]string{"dags/a.yaml": shell("a", "", "true"), "dags/b.yaml": shell("b", "", "true")})
	w.awaitDAG("a")
	closed.Store(true)
	w.wantSync()
	w.awaitImportErrors("dags/a.yaml:", "owner: gives roles")
	closed.Store(false)
	w.wantSync()
	w.awaitImportErrors()
}

// TestMisnamedFilesAreImportErrors names files that are meant as specs or defaults, and
// are neither by their names, instead of passing over them in silence.
func TestMisnamedFilesAreImportErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.commit(map[string]string{
		"dags/a.yaml": shell("a", "", "true"), "dags/b.YAML": shell("b", "", "true"), "dags/Defaults.yml": "catchup: true\n",
	})
	w.awaitDAG("a")
	w.awaitImportErrors("dags/b.YAML:", "rename the file to b.yaml", "dags/Defaults.yml:",
		"is named defaults.yml, in lower case")
}

// TestScheduledRun un-pauses a DAG that runs each second.
func TestScheduledRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.commit(map[string]string{"dags/tick.yaml": shell("tick",
		"  schedule: '* * * * * *'\n  start_date: '2026-01-01'\n", "true")})
	w.awaitDAG("tick")
	if err := w.store.SetPaused(t.Context(), store.Actor{User: "ada", Via: "ui"}, "tick", false); err != nil {
		t.Fatal(err)
	}
	w.until(func() string {
		runs, n, err := w.store.Runs(t.Context(), store.RunFilter{DAG: "tick", States: []dag.RunState{dag.RunSuccess}})
		if err != nil || n < 2 {
			return fmt.Sprintf("two scheduled runs, have %d (%v)", n, err)
		}
		if runs[0].Type != dag.RunScheduled {
			t.Errorf("run type = %s, want scheduled", runs[0].Type)
		}
		return ""
	})
}
