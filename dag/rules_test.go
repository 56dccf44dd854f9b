package dag_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
)

// states reads upstream states from one letter each: s success, f failed,
// u upstream_failed, k skipped, x removed, r running, y up_for_retry, - none.
func states(letters string) (*dag.DAG, map[dag.TaskID]dag.TaskState) {
	byLetter := map[rune]dag.TaskState{
		's': dag.TaskSuccess, 'f': dag.TaskFailed, 'u': dag.TaskUpstreamFailed, 'k': dag.TaskSkipped,
		'x': dag.TaskRemoved, 'r': dag.TaskRunning, 'y': dag.TaskUpForRetry, '-': dag.TaskNone,
	}
	d, m := &dag.DAG{}, map[dag.TaskID]dag.TaskState{}
	last := dag.Task{ID: "last"}
	for i, l := range letters {
		id := dag.TaskID("up" + string(rune('0'+i)))
		d.Tasks = append(d.Tasks, dag.Task{ID: id})
		m[id] = byLetter[l]
		last.Upstream = append(last.Upstream, id)
	}
	d.Tasks = append(d.Tasks, last)
	return d, m
}

// TestDecide holds Airflow 3.3's trigger_rule_dep, rule by rule: upstream states
// to W(ait), S(tart), K (skip) and U(pstream failed).
func TestDecide(t *testing.T) {
	t.Parallel()
	verdicts := map[byte]dag.Verdict{'W': dag.Wait, 'S': dag.Start, 'K': dag.Skip, 'U': dag.UpstreamFail}
	for _, rule := range []struct {
		rule  dag.TriggerRule
		cases string
	}{
		{dag.AllSuccess, "ss:S s-:W sr:W sy:W f-:U u-:U k-:K fk:U kf:U sk:K sx:W xx:W"},
		{dag.AllFailed, "ff:S fu:S uu:S f-:W --:W s-:K k-:K fs:K fk:K fx:W ry:W"},
		{dag.AllDone, "ss:S sf:S uk:S kx:S s-:W fr:W fy:W"},
		{dag.AllDoneSetupSuccess, "ss:S ff:S kk:S s-:W"},
		{dag.AllDoneMinOneSuccess, "ss:S sf:S su:S sx:S ff:U uf:U xx:U s-:W f-:W k-:K sk:K fk:K"},
		{dag.OneSuccess, "s-:S sf:S fr:W kk:K ff:U fk:U xx:U kx:U kr:W"},
		{dag.OneFailed, "f-:S u-:S fs:S ss:K sk:K xx:K s-:W"},
		{dag.OneDone, "s-:S f-:S u-:W k-:W kk:K uu:K ux:K sk:S"},
		{dag.NoneFailed, "ss:S sk:S kk:S f-:U u-:U s-:W k-:W sx:W"},
		{dag.NoneFailedMinOneSuccess, "ss:S sk:S kk:K f-:U k-:W ku:U kx:W"},
		{dag.NoneSkipped, "ss:S sf:S fu:S sx:S k-:K sk:K s-:W"},
		{dag.AllSkipped, "kk:S k-:W s-:K f-:K u-:K ks:K kx:W"},
		{dag.Always, "--:S ff:S rr:S kk:S"},
		{"unknown", "ss:W"},
	} {
		for c := range strings.FieldsSeq(rule.cases) {
			letters, want, _ := strings.Cut(c, ":")
			d, m := states(letters)
			d.Tasks[len(d.Tasks)-1].TriggerRule = rule.rule
			got, why := dag.Decide(d, "last", m)
			if got != verdicts[want[0]] || why.IsZero() {
				t.Errorf("%s with %s = %s (%s), want %s", rule.rule, letters, got, why, verdicts[want[0]])
			}
		}
	}
	covered := len(dag.TriggerRules)
	if covered != 13 {
		t.Errorf("TriggerRules has %d rules, Airflow 3.3 has 13", covered)
	}
}

func TestDecideWithoutUpstreamStarts(t *testing.T) {
	t.Parallel()
	for _, rule := range dag.TriggerRules {
		d := &dag.DAG{Tasks: []dag.Task{{ID: "a", TriggerRule: rule}}}
		if got, _ := dag.Decide(d, "a", nil); got != dag.Start {
			t.Errorf("%s = %s, want start", rule, got)
		}
	}
	if got, _ := dag.Decide(&dag.DAG{}, "a", nil); got != dag.Wait {
		t.Errorf("a task that does not exist: %s, want wait", got)
	}
}

func TestDecideSaysWhy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule          dag.TriggerRule
		letters, want string
	}{
		{dag.AllSuccess, "r", "waits for up0 (running)"},
		{dag.AllSuccess, "s-y", "waits for up1 (not started), up2 (up for retry)"},
		{dag.AllSuccess, "-----", "waits for up0 (not started), up1 (not started), up2 (not started) and 2 more"},
		{dag.AllSuccess, "sf", "trigger rule all_success cannot be met: up1 (failed)"},
		{dag.AllSuccess, "kx", "trigger rule all_success cannot be met: up0 (skipped)"},
		{dag.AllSuccess, "sx", "trigger rule all_success cannot be met: upstream tasks were removed"},
		{dag.AllSkipped, "sk", "trigger rule all_skipped cannot be met: up0 (success)"},
		{dag.OneDone, "ux", "trigger rule one_done cannot be met: no upstream task succeeded or failed"},
		{dag.OneSuccess, "xx", "trigger rule one_success cannot be met: no upstream task succeeded"},
		{dag.OneFailed, "ss", "trigger rule one_failed cannot be met: no upstream task failed"},
		{dag.AllDone, "sf", "trigger rule all_done is met"},
	} {
		d, m := states(c.letters)
		d.Tasks[len(d.Tasks)-1].TriggerRule = c.rule
		if _, got := dag.Decide(d, "last", m); got.String() != c.want {
			t.Errorf("%s with %s: %q, want %q", c.rule, c.letters, got, c.want)
		}
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	// a ─► b ─► c and a ─► d: c and d are leaves.
	d := &dag.DAG{Tasks: []dag.Task{
		{ID: "a", TriggerRule: dag.AllSuccess},
		{ID: "b", TriggerRule: dag.AllSuccess, Upstream: []dag.TaskID{"a"}},
		{ID: "c", TriggerRule: dag.AllDone, Upstream: []dag.TaskID{"b"}},
		{ID: "d", TriggerRule: dag.AllSuccess, Upstream: []dag.TaskID{"a"}},
	}}
	const s, f, u, k, x = dag.TaskSuccess, dag.TaskFailed, dag.TaskUpstreamFailed, dag.TaskSkipped, dag.TaskRemoved
	for _, c := range []struct {
		name   string
		states []dag.TaskState // of a, b, c, d
		want   dag.RunState
		over   bool
	}{
		{"all success", []dag.TaskState{s, s, s, s}, dag.RunSuccess, true},
		{"leaf failed", []dag.TaskState{s, s, s, f}, dag.RunFailed, true},
		{"leaf upstream_failed", []dag.TaskState{f, u, s, u}, dag.RunFailed, true},
		{"failure that a leaf forgave", []dag.TaskState{s, f, s, s}, dag.RunSuccess, true},
		{"skipped and removed leaves", []dag.TaskState{s, s, k, x}, dag.RunSuccess, true},
		{"running", []dag.TaskState{s, s, dag.TaskRunning, f}, "", false},
		{"queued", []dag.TaskState{s, s, dag.TaskQueued, s}, "", false},
		{"scheduled", []dag.TaskState{s, s, dag.TaskScheduled, s}, "", false},
		{"up for retry", []dag.TaskState{s, s, dag.TaskUpForRetry, s}, "", false},
		{"can start", []dag.TaskState{s, dag.TaskNone, dag.TaskNone, s}, "", false},
		{"nothing yet", []dag.TaskState{"", "", "", ""}, "", false},
		{"not settled yet", []dag.TaskState{f, "", "", ""}, "", false},
		{"deadlock", []dag.TaskState{x, "", "", ""}, dag.RunFailed, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := map[dag.TaskID]dag.TaskState{}
			for i, state := range c.states {
				m[d.Tasks[i].ID] = state
			}
			got, over := dag.Outcome(d, m)
			if got != c.want || over != c.over {
				t.Errorf("Outcome = %q, %v, want %q, %v", got, over, c.want, c.over)
			}
		})
	}
}

func TestOrderKeepsTheFile(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{Tasks: []dag.Task{
		{ID: "report", Upstream: []dag.TaskID{"score", "load"}},
		{ID: "audit"},
		{ID: "score", Upstream: []dag.TaskID{"load"}},
		{ID: "load"},
	}}
	want := []dag.TaskID{"load", "score", "report", "audit"}
	if diff := cmp.Diff(want, dag.Order(d)); diff != "" {
		t.Errorf("Order (-want +got):\n%s", diff)
	}
}

func TestRetryDelay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		task      dag.Task
		try       int
		low, high time.Duration
	}{
		{"constant", dag.Task{RetryDelay: 90 * time.Second}, 7, 90 * time.Second, 90 * time.Second},
		{"factor one", dag.Task{RetryDelay: time.Minute, RetryBackoff: 1}, 7, time.Minute, time.Minute},
		{"first try", dag.Task{RetryDelay: time.Minute, RetryBackoff: 2}, 1, time.Minute, 2*time.Minute - time.Second},
		{"fourth try", dag.Task{RetryDelay: time.Minute, RetryBackoff: 2}, 4, 8 * time.Minute, 16*time.Minute - time.Second},
		{"factor three", dag.Task{RetryDelay: time.Minute, RetryBackoff: 3}, 3, 9 * time.Minute,
			18*time.Minute - time.Second},
		{"no delay", dag.Task{RetryBackoff: 2}, 1, time.Second, time.Second},
		{"own ceiling", dag.Task{RetryDelay: time.Minute, RetryBackoff: 2, MaxRetryDelay: 3 * time.Minute}, 9,
			3 * time.Minute, 3 * time.Minute},
		{"Airflow's ceiling", dag.Task{RetryDelay: time.Minute, RetryBackoff: 2}, 40, 24 * time.Hour, 24 * time.Hour},
		{"overflow", dag.Task{RetryDelay: time.Minute, RetryBackoff: 1000}, 100_000, 24 * time.Hour, 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := dag.RetryDelay(&c.task, "d", "manual__1", c.try)
			if got < c.low || got > c.high {
				t.Errorf("RetryDelay = %v, want %v to %v", got, c.low, c.high)
			}
			if again := dag.RetryDelay(&c.task, "d", "manual__1", c.try); again != got {
				t.Errorf("RetryDelay = %v and then %v", got, again)
			}
		})
	}
}

func TestRetryDelaySpreadsTasks(t *testing.T) {
	t.Parallel()
	delays := map[time.Duration]bool{}
	for _, id := range []dag.TaskID{"a", "b", "c", "d", "e", "f"} {
		task := dag.Task{ID: id, RetryDelay: time.Hour, RetryBackoff: 2}
		delays[dag.RetryDelay(&task, "d", "r", 1)] = true
	}
	if len(delays) < 5 {
		t.Errorf("six tasks that failed together come back at %d times", len(delays))
	}
}
