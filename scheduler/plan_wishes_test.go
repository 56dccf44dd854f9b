package scheduler

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
)

func TestPlanWishes(t *testing.T) {
	t.Parallel()
	retried := dag.Task{ID: "a", Retries: 3}
	tests := []struct {
		name string
		wish dag.TaskWish
		exit int
		want []string
	}{
		{"a cancelled attempt fails without another try", dag.WishCancel, 143,
			[]string{"a running/1 -> failed/1 stopped: cancelled by alice",
				"b /0 -> upstream_failed/0 trigger rule all_success cannot be met: a (failed)",
				"end r running -> failed task a failed: stopped: cancelled by alice"}},
		{"one that succeeds before it is cancelled has succeeded", dag.WishCancel, 0,
			[]string{"a running/1 -> success/1", "b /0 -> queued/1"}},
		{"one marked failed fails even if it succeeds", dag.WishFailed, 0,
			[]string{"a running/1 -> failed/1 stopped: cancelled by alice",
				"b /0 -> upstream_failed/0 trigger rule all_success cannot be met: a (failed)",
				"end r running -> failed task a failed: stopped: cancelled by alice"}},
		{"one marked success succeeds whatever it did", dag.WishSuccess, 143,
			[]string{"a running/1 -> success/1 stopped: cancelled by alice", "b /0 -> queued/1"}},
		{"one marked skipped is skipped whatever it did", dag.WishSkipped, 0,
			[]string{"a running/1 -> skipped/1 stopped: cancelled by alice",
				"b /0 -> skipped/0 trigger rule all_success cannot be met: a (skipped)", "end r running -> success"}},
		{"a cleared one runs once more at once", dag.WishClear, 143,
			[]string{"a running/1 -> up_for_retry/1 stopped: cancelled by alice", "a up_for_retry/1 -> queued/2"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := chain(retried, dag.Task{ID: "b"})
			run := running(d, dag.TaskRunning, dag.TaskNone)
			run.Tasks[0].Wish, run.Tasks[0].Stopping = test.wish, true
			run.Tasks[0].Reason = reason.New(reason.Stopped, reason.New(reason.Cancelled, "alice"))
			p, got := planned(store.DAGState{DAG: d, Runs: []store.RunDetail{run}})
			want(t, got)
			key := dag.AttemptKey{DAG: "d", Run: "r", Task: "a", Try: 1}
			if diff := cmp.Diff([]dag.AttemptKey{key}, p.stops); diff != "" {
				t.Errorf("stops (-want +got):\n%s", diff)
			}
			_, got = planned(store.DAGState{DAG: d, Runs: []store.RunDetail{run}}, ended("a", test.exit))
			want(t, got, test.want...)
		})
	}
}

// TestLostAttemptUsesUpNoTry wants lost attempts to be counted apart from the tries that
// the DAG allows.
func TestLostAttemptUsesUpNoTry(t *testing.T) {
	t.Parallel()
	d := chain(dag.Task{ID: "a"})
	run := running(d, dag.TaskRunning)
	planned(store.DAGState{DAG: d, Runs: []store.RunDetail{run}}, lost(run.Tasks[0].Try))
	if ti := run.Tasks[0]; ti.MaxTries != 1 || ti.Lost != 1 || ti.MostTries() != 2 {
		t.Errorf("after a lost attempt there are %d tries and %d lost ones", ti.MaxTries, ti.Lost)
	}
}

func TestPlanClearedRunGoesOn(t *testing.T) {
	t.Parallel()
	d := chain(dag.Task{ID: "a"}, dag.Task{ID: "b"})
	run := running(d, dag.TaskSuccess, dag.TaskNone)
	run.State, run.Cleared, run.RunAfter = dag.RunQueued, true, noon
	run.Tasks[1].Try = 1
	_, got := planned(store.DAGState{DAG: d, Queued: 1, Runs: []store.RunDetail{run}})
	want(t, got, "start r: a=success/1 b=queued/2")
}
