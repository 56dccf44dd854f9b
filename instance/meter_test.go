package instance

import (
	"context"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/metrics"
	"dagwright/reason"
	"dagwright/store"
)

// TestMeter wants what a step wrote, and the reports that it took in, to move the metrics.
func TestMeter(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	key := dag.AttemptKey{DAG: "risk-churn", Run: "one", Task: "run_model", Try: 1}
	task := func(state dag.TaskState) dag.TaskInstance {
		return dag.TaskInstance{DAG: key.DAG, Run: key.Run, Task: key.Task, Try: 1, State: state,
			QueuedAt: at, StartedAt: at.Add(3 * time.Second), EndedAt: at.Add(10 * time.Second)}
	}
	event := func(phase dag.AttemptPhase, after time.Duration) dag.AttemptEvent {
		return dag.AttemptEvent{Key: key, Phase: phase, At: at.Add(after)}
	}
	waiting := event(dag.AttemptWaiting, time.Second)
	waiting.Reason = reason.New(reason.ImagePull)
	lost, failed := event(dag.AttemptEnded, 10*time.Second), event(dag.AttemptEnded, 10*time.Second)
	lost.Lost, failed.ExitCode = true, 1
	run := store.RunDetail{Run: dag.Run{DAG: key.DAG, ID: key.Run, RunAfter: at.Add(-4 * time.Second)}}
	shown := store.Snapshot{DAGs: []store.DAGState{{Runs: []store.RunDetail{run}}}}
	for name, test := range map[string]struct {
		action store.Action
		events []dag.AttemptEvent
		want   []string
	}{
		"a run starts": {store.StartRun{DAG: key.DAG, Run: key.Run, At: at}, nil,
			[]string{"dagwright_run_start_delay_seconds_sum 4"}},
		"a run ends": {store.EndRun{State: dag.RunFailed}, nil,
			[]string{`dagwright_runs_ended_total{state="failed"} 1`}},
		"a try starts": {store.UpdateTask{From: dag.TaskQueued, Task: task(dag.TaskRunning)},
			[]dag.AttemptEvent{waiting, event(dag.AttemptStarted, 3*time.Second)},
			[]string{"dagwright_attempt_start_delay_seconds_sum 3", "dagwright_image_wait_seconds_sum 2"}},
		"a try succeeds": {store.UpdateTask{From: dag.TaskRunning, Task: task(dag.TaskSuccess)},
			[]dag.AttemptEvent{event(dag.AttemptEnded, 10*time.Second)},
			[]string{`dagwright_attempts_ended_total{outcome="success"} 1`, "dagwright_attempt_duration_seconds_sum 7",
				`dagwright_tasks_ended_total{state="success"} 1`}},
		"a try is lost": {store.UpdateTask{From: dag.TaskRunning, Task: task(dag.TaskUpForRetry)}, []dag.AttemptEvent{lost},
			[]string{`dagwright_attempts_ended_total{outcome="lost"} 1`, "dagwright_task_retries_total 1",
				`dagwright_tasks_ended_total{state="success"} 0`}},
		"a try fails": {store.UpdateTask{From: dag.TaskRunning, Task: task(dag.TaskFailed)}, []dag.AttemptEvent{failed},
			[]string{`dagwright_attempts_ended_total{outcome="failed"} 1`, `dagwright_tasks_ended_total{state="failed"} 1`}},
		"a task is skipped": {store.UpdateTask{From: dag.TaskNone, Task: task(dag.TaskSkipped)}, nil,
			[]string{`dagwright_tasks_ended_total{state="skipped"} 1`, "dagwright_attempt_duration_seconds_count 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := metrics.New("test")
			newMeter(m, nil).Stepped(time.Now(), shown, []store.Action{test.action}, test.events, nil)
			text := scrape(t, m)
			for _, want := range append(test.want, `dagwright_scheduler_steps_total{outcome="done"} 1`) {
				if !strings.Contains(text, "\n"+want+"\n") {
					t.Errorf("want %s, got\n%s", want, linesWith(text, strings.FieldsFunc(want, isNoName)[0]))
				}
			}
		})
	}
}

func isNoName(r rune) bool { return r == ' ' || r == '{' }

// TestMeterOfStarts wants an attempt that the executor was asked for to be forgotten
// once it runs.
func TestMeterOfStarts(t *testing.T) {
	t.Parallel()
	metric := metrics.New("test")
	m := newMeter(metric, nil)
	key := dag.AttemptKey{DAG: "risk-churn", Run: "one", Task: "run_model", Try: 1}
	if err := m.watch(startsAll{}).Start(t.Context(), executor.Attempt{Key: key}); err != nil {
		t.Fatal(err)
	}
	started := dag.AttemptEvent{Key: key, Phase: dag.AttemptStarted, At: time.Now()}
	m.Stepped(time.Now(), store.Snapshot{}, nil, []dag.AttemptEvent{started, started}, nil)
	if text := scrape(t, metric); !strings.Contains(text, "\ndagwright_pod_start_seconds_count 1\n") {
		t.Errorf("want one start, got\n%s", linesWith(text, "dagwright_pod_start"))
	}
	if len(m.asked)+len(m.imageless) != 0 {
		t.Errorf("remembered for nothing: %v, %v", m.asked, m.imageless)
	}
}

// startsAll starts every attempt, and is asked for nothing else.
type startsAll struct{ executor.Executor }

func (startsAll) Start(context.Context, executor.Attempt) error { return nil }

// TestPushToDAG wants a push to count once, with the first reading that began after its
// commit.
func TestPushToDAG(t *testing.T) {
	t.Parallel()
	a := running(t)
	m := newMeter(a.Metrics, a.store)
	from := time.Now()
	id, _, err := a.store.RecordPush(t.Context(), store.Push{ProjectID: 1, Project: "gbc/risk/churn", Branch: "main",
		Commit: strings.Repeat("a", 40), ReceivedAt: from})
	if err != nil {
		t.Fatal(err)
	}
	early := time.Now()
	if err := a.store.FinishPushes(t.Context(), []store.PushResult{{ID: id, State: store.PushRendered}}); err != nil {
		t.Fatal(err)
	}
	for _, began := range []time.Time{early, early.Add(time.Minute), early.Add(2 * time.Minute)} {
		from = m.delivered(t.Context(), from, reading{began, began.Add(time.Second)})
	}
	if text := scrape(t, a.Metrics); !strings.Contains(text, "\ndagwright_push_to_dag_seconds_count 1\n") ||
		!strings.Contains(text, "\ndagwright_push_to_dag_seconds_bucket{le=\"60\"} 0\n") {
		t.Errorf("want one push of a minute and a second, got\n%s", linesWith(text, "dagwright_push_to_dag"))
	}
}
