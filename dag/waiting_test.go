package dag_test

import (
	"testing"

	"dagwright/dag"
)

func TestWhyQueued(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{MaxActiveRuns: 2}
	for running, want := range map[int]string{
		1: "is about to start, or waits for a free slot of the instance",
		2: "waiting for an active run to end (limit 2)",
	} {
		if got := dag.WhyQueued(d, running).String(); got != want {
			t.Errorf("WhyQueued with %d running = %q, want %q", running, got, want)
		}
	}
}

func TestWhyNotStarted(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{MaxActiveTasks: 1, Tasks: []dag.Task{
		{ID: "a", TriggerRule: dag.AllSuccess}, {ID: "b", TriggerRule: dag.AllSuccess},
		{ID: "c", TriggerRule: dag.AllSuccess, Upstream: []dag.TaskID{"a"}},
	}}
	running := map[dag.TaskID]dag.TaskState{"a": dag.TaskRunning}
	for _, test := range []struct {
		name   string
		task   dag.TaskID
		states map[dag.TaskID]dag.TaskState
		want   string
	}{
		{"upstream runs", "c", running, "waits for a (running)"},
		{"no slot in the run", "b", running, "waiting for a running task of its run to end (limit 1)"},
		{"nothing is in the way", "b", nil, "is about to start, or waits for a free slot of the instance"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := dag.WhyNotStarted(d, test.task, test.states).String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
