package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/dev"
	"dagwright/tasklog"
)

var killSeed = flag.Uint64("kill.seed", 0, "repeat TestKill with the seed that it printed")

const (
	killsEmpty = 4  // kills while the folder is still being filled
	killsBusy  = 12 // kills while there is work
	killRuns   = 60 // runs at least
)

// attemptsFound is in the log of a start that had attempts to take over.
var attemptsFound = regexp.MustCompile(`msg="scheduler starts" .*attempts=[1-9]`)

// chain writes a line into the file MARKS for each time that a task really
// ran.
const chain = `chain:
  schedule: none
  max_active_runs: 50
  default_args: {retries: 2, retry_delay: 0}
  tasks:
    - &task
      task_id: first
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: registry.example.com/chain:1
      cmds: [sh, -c]
      arguments:
        - |
          echo "$AIRFLOW_CTX_TASK_ID begins"
          echo "$AIRFLOW_CTX_DAG_RUN_ID $AIRFLOW_CTX_TASK_ID $AIRFLOW_CTX_TRY_NUMBER" >> "$MARKS"
          sleep "$NAP"
          echo "$AIRFLOW_CTX_TASK_ID ends"
    - {<<: *task, task_id: second, dependencies: [first]}
    - {<<: *task, task_id: third, dependencies: [second]}
`

// TestKill kills dagwright again and again at random moments, at first while
// it fills its folder, then while runs are triggered and a model is pushed. In
// the end nothing is lost and nothing was done twice.
func TestKill(t *testing.T) {
	t.Parallel()
	seed := *killSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with -kill.seed=%d", seed)
	k := &killing{
		devProcess: &devProcess{dir: filepath.Join(t.TempDir(), "dev"), log: &lockedBuffer{}},
		random:     rand.New(rand.NewPCG(seed, 0)),
		marks:      filepath.Join(t.TempDir(), "marks"),
		tasks:      []string{"first", "second", "third"},
		tried:      map[string]bool{},
		latest:     400 * time.Millisecond,
	}
	k.begin = func(t *testing.T) { k.start(t, "--log-level", "info") }
	for range killsEmpty {
		k.untilKilled(t, func() {})
	}
	k.restart(t)
	k.awaitExamples(t)
	k.addChain(t)
	model := k.clone(t, "models/churn-model.git")
	k.stop()
	for n := range killsBusy {
		k.untilKilled(t, func() {
			if n%2 == 0 {
				k.trigger(t, len(k.runs)+k.random.IntN(4))
				k.pushSchedule(t, model)
			}
			k.trigger(t, math.MaxInt)
		})
	}
	k.restart(t)
	// One more, since the last kill may have taken an answer with it.
	k.trigger(t, max(killRuns, len(k.runs)+1))
	k.await(t, `"queued","count":0},{"state":"running","count":0}`, "/api/v2/dagStats?dag_ids=chain")
	k.await(t, fmt.Sprintf(`"timetable_summary": ?"%d 6 \* \* \*"`, k.minute), "/api/v2/dags/churn-model")
	k.checkRuns(t)
	k.checkMarks(t)
	k.checkTasks(t)
	k.stop()
	for _, repository := range []string{dev.DAGRepository, "models/churn-model.git", "clones/generator.git",
		"clones/scheduler.git"} {
		k.git(t, filepath.Join(k.dir, repository), "fsck", "--strict")
	}
	log := k.log.String()
	if strings.Contains(log, "level=ERROR") || strings.Contains(log, "panic") {
		t.Errorf("the log has errors:\n%s", log)
	}
	t.Logf("%d runs; starts that found attempts from before a kill: %d", len(k.runs),
		len(attemptsFound.FindAllString(log, -1)))
}

// killing is a "dagwright dev" that is killed, and what was asked of it.
type killing struct {
	*devProcess
	random *rand.Rand
	marks  string
	tasks  []string      // of the DAG chain
	latest time.Duration // bounds the random moment of a kill
	// begin starts the server.
	begin  func(t *testing.T)
	minute int // of the model's last pushed schedule
	runs   []string
	tried  map[string]bool // runs that were asked for, perhaps without an answer
}

func runID(n int) string { return fmt.Sprintf("run-%03d", n) }

// restart starts the server, which must come up.
func (k *killing) restart(t *testing.T) {
	t.Helper()
	k.begin(t)
	if !k.greeted() {
		t.Fatalf("dagwright dev ended without a greeting: %s", k.log)
	}
}

// untilKilled starts the server, lets do work with it and kills it at a random
// moment: in one of four cases counted from its start, else from its greeting.
func (k *killing) untilKilled(t *testing.T, do func()) {
	t.Helper()
	k.begin(t)
	dead := make(chan struct{})
	kill := func() {
		defer close(dead)
		k.kill()
	}
	moment := time.Duration(k.random.Int64N(int64(k.latest)))
	early := k.random.IntN(4) == 0
	if early {
		time.AfterFunc(moment, kill)
	}
	greeted := k.greeted()
	if !early {
		if !greeted {
			t.Fatalf("dagwright dev ended without a greeting: %s", k.log)
		}
		time.AfterFunc(moment, kill)
	}
	if greeted {
		do()
	}
	<-dead
}

// addChain pushes the DAG chain.
func (k *killing) addChain(t *testing.T) {
	t.Helper()
	clone := k.clone(t, dev.DAGRepository)
	write(t, filepath.Join(clone, "chain.yaml"), []byte(chain))
	k.push(t, clone, "Add chain")
	k.await(t, `"dag_id": ?"chain"`, "/api/v2/dags")
}

// pushSchedule pushes another schedule of the model.
func (k *killing) pushSchedule(t *testing.T, clone string) {
	t.Helper()
	k.minute++
	write(t, filepath.Join(clone, ".dagwright.yml"), fmt.Appendf(nil, "scoring: {schedule: \"%d 6 * * *\"}\n", k.minute))
	k.push(t, clone, "Change the schedule")
}

// trigger triggers runs until there are want, each after some changes that the
// server reports. It returns early when the server is gone.
func (k *killing) trigger(t *testing.T, want int) {
	t.Helper()
	changes, err := openEvents(t.Context(), k.url)
	if err != nil {
		return
	}
	defer changes.Close()
	lines := bufio.NewReader(changes)
	for len(k.runs) < want {
		if !k.triggerNext(t) {
			return
		}
		for range k.random.IntN(12) {
			if _, err := lines.ReadString('\n'); err != nil {
				return
			}
		}
	}
}

// triggerNext asks for the next run and reports whether it was acknowledged. A
// run that was asked for before, without an answer, may be there.
func (k *killing) triggerNext(t *testing.T) bool {
	t.Helper()
	id := runID(len(k.runs))
	body := mustJSON(t, map[string]any{
		"dag_run_id": id, "logical_date": nil,
		"conf": map[string]any{"MARKS": k.marks, "NAP": fmt.Sprintf("0.%03d", k.random.IntN(50))},
	})
	response, err := http.DefaultTransport.RoundTrip(k.request(t, http.MethodPost, "/api/v2/dags/chain/dagRuns",
		"application/json", body))
	again := k.tried[id]
	k.tried[id] = true
	if err != nil {
		return false
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return false
	case response.StatusCode == http.StatusOK, response.StatusCode == http.StatusConflict && again:
		k.runs = append(k.runs, id)
		return true
	}
	t.Fatalf("trigger %s: %s\n%s", id, response.Status, answer)
	return false
}

// object reads a JSON answer.
func (k *killing) object(t *testing.T, path string, into any) {
	t.Helper()
	status, body := k.get(t, path)
	if status != http.StatusOK {
		t.Fatalf("GET %s: %d\n%s", path, status, body)
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatalf("GET %s: %v\n%s", path, err, body)
	}
}

// checkRuns wants every acknowledged run to have succeeded, no other run to be
// there, and the counters to say the same.
func (k *killing) checkRuns(t *testing.T) {
	t.Helper()
	want, got, states := map[string]string{}, map[string]string{}, map[string]int{}
	for _, id := range k.runs {
		want[id] = "success"
	}
	for more := true; more; {
		var page struct {
			Runs []struct {
				ID    string `json:"dag_run_id"`
				State string `json:"state"`
			} `json:"dag_runs"`
		}
		k.object(t, fmt.Sprintf("/api/v2/dags/chain/dagRuns?limit=100&offset=%d", len(got)), &page)
		for _, r := range page.Runs {
			got[r.ID] = r.State
			states[r.State]++
		}
		more = len(page.Runs) > 0
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	var stats struct {
		DAGs []struct {
			Stats []struct {
				State string `json:"state"`
				Count int    `json:"count"`
			} `json:"stats"`
		} `json:"dags"`
	}
	k.object(t, "/api/v2/dagStats?dag_ids=chain", &stats)
	counted := map[string]int{}
	for _, d := range stats.DAGs {
		for _, s := range d.Stats {
			if s.Count != 0 {
				counted[s.State] = s.Count
			}
		}
	}
	if diff := cmp.Diff(states, counted); diff != "" {
		t.Errorf("counters (-runs +dagStats):\n%s", diff)
	}
}

// checkMarks wants every task of every run to have run once, at its first try.
func (k *killing) checkMarks(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile(k.marks)
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]int{}, map[string]int{}
	for _, run := range k.runs {
		for _, task := range k.tasks {
			want[run+" "+task+" 1"] = 1
		}
	}
	for line := range strings.Lines(string(content)) {
		got[strings.TrimSpace(line)]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("how often each try ran (-want +got):\n%s", diff)
	}
}

// checkTasks wants every task to have succeeded at its first try, with a whole
// and sealed log.
func (k *killing) checkTasks(t *testing.T) {
	t.Helper()
	logs, err := tasklog.Open(tasklog.Config{Dir: filepath.Join(k.dir, "logs")})
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range k.runs {
		path := "/api/v2/dags/chain/dagRuns/" + run + "/taskInstances"
		var list struct {
			Tasks []struct {
				ID    string `json:"task_id"`
				State string `json:"state"`
				Try   int    `json:"try_number"`
			} `json:"task_instances"`
		}
		k.object(t, path, &list)
		got := map[string]string{}
		for _, ti := range list.Tasks {
			got[ti.ID] = fmt.Sprintf("%s at try %d", ti.State, ti.Try)
		}
		want := map[string]string{}
		for _, task := range k.tasks {
			want[task] = "success at try 1"
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("tasks of %s (-want +got):\n%s", run, diff)
		}
		for _, task := range slices.Sorted(maps.Keys(got)) {
			k.checkLog(t, path+"/"+task+"/logs/1?full_content=true", task)
			info, err := logs.Stat(dag.AttemptKey{DAG: "chain", Run: dag.RunID(run), Task: dag.TaskID(task), Try: 1})
			if err != nil || !info.Sealed {
				t.Errorf("log of %s of %s: %+v, %v; want it sealed", task, run, info, err)
			}
		}
	}
}

func (k *killing) checkLog(t *testing.T, path, task string) {
	t.Helper()
	var log struct {
		Content []struct {
			Event string `json:"event"`
		} `json:"content"`
		Token *string `json:"continuation_token"`
	}
	k.object(t, path, &log)
	var got []string
	for _, line := range log.Content {
		got = append(got, line.Event)
	}
	if diff := cmp.Diff([]string{task + " begins", task + " ends"}, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
	if log.Token != nil {
		t.Errorf("%s: the log is not complete", path)
	}
}
