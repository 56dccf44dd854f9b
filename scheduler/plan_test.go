package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
	"dagwright/timetable"
)

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// chain is a DAG with tasks that follow one another.
func chain(tasks ...dag.Task) *dag.DAG {
	d := &dag.DAG{ID: "d", MaxActiveRuns: 16, MaxActiveTasks: 16, Timezone: "UTC",
		Schedule: dag.Schedule{Kind: dag.ScheduleNone}}
	for i, t := range tasks {
		t.TriggerRule = dag.AllSuccess
		t.PriorityWeight = max(t.PriorityWeight, 1)
		if i > 0 {
			t.Upstream = []dag.TaskID{tasks[i-1].ID}
		}
		d.Tasks = append(d.Tasks, t)
	}
	return d
}

// running is a run of d in progress with its tasks in the given states.
func running(d *dag.DAG, states ...dag.TaskState) store.RunDetail {
	r := store.RunDetail{Spec: d,
		Run: dag.Run{DAG: d.ID, ID: "r", State: dag.RunRunning, StartedAt: noon.Add(-time.Minute)}}
	for i, t := range d.Tasks {
		ti := dag.TaskInstance{DAG: d.ID, Run: "r", Task: t.ID, State: states[i], MaxTries: t.Retries + 1}
		if states[i] != dag.TaskNone {
			ti.Try = 1
			ti.StartedAt = noon.Add(-time.Minute)
		}
		r.Tasks = append(r.Tasks, ti)
	}
	return r
}

func queued(d *dag.DAG, id dag.RunID) store.RunDetail {
	return store.RunDetail{Spec: d, Run: dag.Run{DAG: d.ID, ID: id, State: dag.RunQueued, RunAfter: noon}}
}

func ended(task dag.TaskID, exit int) dag.AttemptEvent {
	return dag.AttemptEvent{Key: dag.AttemptKey{DAG: "d", Run: "r", Task: task, Try: 1}, Phase: dag.AttemptEnded, At: noon,
		ExitCode: exit}
}

// planned plans one DAG at noon and writes the actions down as lines.
func planned(d store.DAGState, events ...dag.AttemptEvent) (plan, string) {
	return plannedAt(noon, d, events...)
}

func plannedAt(now time.Time, d store.DAGState, events ...dag.AttemptEvent) (plan, string) {
	s := situation{
		now: now, snapshot: store.Snapshot{DAGs: []store.DAGState{d}}, events: events,
		taken: map[dag.ID]time.Time{}, timetables: map[dag.ID]*timetable.Timetable{}, maxTasks: 100, maxLost: 3,
	}
	if tt, err := timetable.Parse(d.DAG.Schedule); err == nil {
		s.timetables[d.DAG.ID] = tt
	}
	p := makePlan(s)
	return p, describe(p.actions)
}

func describe(actions []store.Action) string {
	var lines []string
	for _, a := range actions {
		lines = append(lines, describeAction(a))
	}
	return strings.Join(lines, "\n")
}

func describeAction(a store.Action) string {
	switch a := a.(type) {
	case store.CreateRun:
		return fmt.Sprintf("create %s next %s", a.Run.ID, clock(a.Next.RunAfter))
	case store.SetNext:
		return "next " + clock(a.Next.RunAfter)
	case store.StartRun:
		text := "start " + string(a.Run) + ":"
		for _, ti := range a.Tasks {
			text += fmt.Sprintf(" %s=%s/%d", ti.Task, ti.State, ti.Try)
		}
		return text
	case store.UpdateTask:
		return strings.TrimSpace(fmt.Sprintf("%s %s/%d -> %s/%d %s", a.Task.Task, a.From, a.FromTry, a.Task.State, a.Task.Try,
			a.Task.Reason))
	case store.EndRun:
		return strings.TrimSpace(fmt.Sprintf("end %s %s -> %s %s", a.Run, a.From, a.State, a.Reason))
	}
	return fmt.Sprintf("%T", a)
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02T15:04")
}

func want(t *testing.T, got string, lines ...string) {
	t.Helper()
	if diff := cmp.Diff(strings.Join(lines, "\n"), got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestPlanTasks(t *testing.T) {
	t.Parallel()
	a, b := dag.Task{ID: "a"}, dag.Task{ID: "b"}
	skipping := dag.Task{ID: "a", Pod: map[string]any{"skip_on_exit_code": []any{98, 99}}}
	retried := dag.Task{ID: "a", Retries: 1, RetryDelay: time.Minute}
	tests := []struct {
		name   string
		runs   []store.RunDetail
		dag    *dag.DAG
		events []dag.AttemptEvent
		want   []string
	}{
		{
			name: "a queued run starts with its first task in one write",
			dag:  chain(a, b), runs: []store.RunDetail{queued(chain(a, b), "r")},
			want: []string{"start r: a=queued/1 b=/0"},
		},
		{
			name: "a finished task starts its successor in the same step",
			dag:  chain(a, b), runs: []store.RunDetail{running(chain(a, b), dag.TaskRunning, dag.TaskNone)},
			events: []dag.AttemptEvent{ended("a", 0)},
			want:   []string{"a running/1 -> success/1", "b /0 -> queued/1"},
		},
		{
			name: "the last task ends the run",
			dag:  chain(a), runs: []store.RunDetail{running(chain(a), dag.TaskRunning)},
			events: []dag.AttemptEvent{ended("a", 0)},
			want:   []string{"a running/1 -> success/1", "end r running -> success"},
		},
		{
			name: "a failure without retries fails what follows and the run, and says why",
			dag:  chain(a, b), runs: []store.RunDetail{running(chain(a, b), dag.TaskRunning, dag.TaskNone)},
			events: []dag.AttemptEvent{ended("a", 3)},
			want: []string{
				"a running/1 -> failed/1 exit code 3",
				"b /0 -> upstream_failed/0 trigger rule all_success cannot be met: a (failed)",
				"end r running -> failed task a failed: exit code 3",
			},
		},
		{
			name: "an exit code that skips is not a failure",
			dag:  chain(skipping, b), runs: []store.RunDetail{running(chain(skipping, b), dag.TaskRunning, dag.TaskNone)},
			events: []dag.AttemptEvent{ended("a", 99)},
			want: []string{
				"a running/1 -> skipped/1 exit code 99 is a skip_on_exit_code",
				"b /0 -> skipped/0 trigger rule all_success cannot be met: a (skipped)",
				"end r running -> success",
			},
		},
		{
			name: "a failure with a retry left waits",
			dag:  chain(retried), runs: []store.RunDetail{running(chain(retried), dag.TaskRunning)},
			events: []dag.AttemptEvent{ended("a", 3)},
			want:   []string{"a running/1 -> up_for_retry/1 exit code 3"},
		},
		{
			name: "a final failure leaves its retries unused",
			dag:  chain(retried), runs: []store.RunDetail{running(chain(retried), dag.TaskRunning)},
			events: []dag.AttemptEvent{{Key: ended("a", 0).Key, Phase: dag.AttemptEnded, At: noon, ExitCode: 1, Final: true,
				Reason: reason.Of("each try ends so")}},
			want: []string{"a running/1 -> failed/1 each try ends so",
				"end r running -> failed task a failed: each try ends so"},
		},
		{
			name: "a lost attempt is tried again at once and uses up no retry",
			dag:  chain(a), runs: []store.RunDetail{running(chain(a), dag.TaskRunning)},
			events: []dag.AttemptEvent{{Key: ended("a", 0).Key, Phase: dag.AttemptEnded, At: noon, Lost: true,
				Reason: reason.Of("vanished")}},
			want: []string{"a running/1 -> up_for_retry/1 vanished", "a up_for_retry/1 -> queued/2"},
		},
		{
			name: "a lost attempt is not tried again once more than allowed",
			dag:  chain(a), runs: []store.RunDetail{tried(running(chain(a), dag.TaskRunning), 4, 1, 3)},
			events: []dag.AttemptEvent{lost(4)},
			want:   []string{"a running/4 -> failed/4 vanished", "end r running -> failed task a failed: vanished"},
		},
		{
			name: "a cleared task keeps its protection against lost attempts",
			dag:  chain(a), runs: []store.RunDetail{tried(running(chain(a), dag.TaskRunning), 4, 4, 0)},
			events: []dag.AttemptEvent{lost(4)},
			want:   []string{"a running/4 -> up_for_retry/4 vanished", "a up_for_retry/4 -> queued/5"},
		},
		{
			name: "what runs or has ended is left alone when a task before it fails",
			dag:  chain(a, b, dag.Task{ID: "c"}),
			runs: []store.RunDetail{running(chain(a, b, dag.Task{ID: "c"}), dag.TaskRunning, dag.TaskRunning,
				dag.TaskSuccess)},
			events: []dag.AttemptEvent{ended("a", 1)},
			want:   []string{"a running/1 -> failed/1 exit code 1"},
		},
		{
			name: "a late report of an earlier try changes nothing",
			dag:  chain(a), runs: []store.RunDetail{running(chain(a), dag.TaskRunning)},
			events: []dag.AttemptEvent{{Key: dag.AttemptKey{DAG: "d", Run: "r", Task: "a", Try: 7}, Phase: dag.AttemptEnded,
				At: noon}},
		},
		{
			name: "a repeated report of an end changes nothing",
			dag:  chain(a, b), runs: []store.RunDetail{running(chain(a, b), dag.TaskSuccess, dag.TaskRunning)},
			events: []dag.AttemptEvent{ended("a", 1)},
		},
		{
			name: "a report that an attempt started is written down",
			dag:  chain(a), runs: []store.RunDetail{running(chain(a), dag.TaskQueued)},
			events: []dag.AttemptEvent{{Key: ended("a", 0).Key, Phase: dag.AttemptStarted, At: noon}},
			want:   []string{"a queued/1 -> running/1"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			queuedRuns := 0
			for _, r := range test.runs {
				if r.State == dag.RunQueued {
					queuedRuns++
				}
			}
			_, got := planned(store.DAGState{DAG: test.dag, Runs: test.runs, Queued: queuedRuns}, test.events...)
			want(t, got, test.want...)
		})
	}
}

// tried gives the run's first task the figures of earlier tries.
func tried(r store.RunDetail, try, most, lost int) store.RunDetail {
	r.Tasks[0].Try, r.Tasks[0].MaxTries, r.Tasks[0].Lost = try, most, lost
	return r
}

func lost(try int) dag.AttemptEvent {
	k := ended("a", 0).Key
	k.Try = try
	return dag.AttemptEvent{Key: k, Phase: dag.AttemptEnded, At: noon, Lost: true, Reason: reason.Of("vanished")}
}

func waiting(why string) dag.AttemptEvent {
	return dag.AttemptEvent{Key: ended("a", 0).Key, Phase: dag.AttemptWaiting, At: noon, Reason: reason.Of(why),
		Hostname: "pod-1"}
}

func TestPlanWaiting(t *testing.T) {
	t.Parallel()
	d := chain(dag.Task{ID: "a"})
	t.Run("what an attempt waits for is written down once", func(t *testing.T) {
		t.Parallel()
		run := running(d, dag.TaskQueued)
		_, got := planned(store.DAGState{DAG: d, Runs: []store.RunDetail{run}}, waiting("no node has room"),
			waiting("no node has room"))
		want(t, got, "a queued/1 -> queued/1 no node has room")
	})
	t.Run("its start takes the reason away", func(t *testing.T) {
		t.Parallel()
		run := running(d, dag.TaskQueued)
		run.Tasks[0].Reason = reason.Of("no node has room")
		_, got := planned(store.DAGState{DAG: d, Runs: []store.RunDetail{run}},
			dag.AttemptEvent{Key: ended("a", 0).Key, Phase: dag.AttemptStarted, At: noon})
		want(t, got, "a queued/1 -> running/1")
	})
	t.Run("its failure is explained by the end and not by what it had waited for", func(t *testing.T) {
		t.Parallel()
		run := running(d, dag.TaskQueued)
		run.Tasks[0].Reason = reason.Of("image is being pulled")
		e := ended("a", 1)
		e.Reason = reason.Of("image cannot be pulled")
		_, got := planned(store.DAGState{DAG: d, Runs: []store.RunDetail{run}}, e)
		want(t, got, "a queued/1 -> failed/1 image cannot be pulled",
			"end r running -> failed task a failed: image cannot be pulled")
	})
	t.Run("why it was stopped stays", func(t *testing.T) {
		t.Parallel()
		run := running(d, dag.TaskQueued)
		run.Tasks[0].Stopping, run.Tasks[0].Reason = true, reason.New(reason.RunEnded, dag.RunFailed)
		_, got := planned(store.DAGState{DAG: d, Runs: []store.RunDetail{run}}, waiting("no node has room"))
		want(t, got)
	})
}

func TestPlanOrphans(t *testing.T) {
	t.Parallel()
	d := chain(dag.Task{ID: "a"})
	started := func(id dag.ID, run dag.RunID, try int) dag.AttemptEvent {
		return dag.AttemptEvent{Key: dag.AttemptKey{DAG: id, Run: run, Task: "a", Try: try},
			Phase: dag.AttemptStarted, At: noon}
	}
	for name, e := range map[string]dag.AttemptEvent{
		"an earlier try":         started("d", "r", 7),
		"a run that has ended":   started("d", "gone", 1),
		"a DAG that was deleted": started("gone", "r", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, got := planned(store.DAGState{DAG: d, Runs: []store.RunDetail{running(d, dag.TaskRunning)}}, e)
			want(t, got)
			if diff := cmp.Diff([]dag.AttemptKey{e.Key}, p.stops); diff != "" {
				t.Errorf("stops (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlanRunSlots(t *testing.T) {
	t.Parallel()
	d := chain(dag.Task{ID: "a"})
	d.MaxActiveRuns = 2
	runs := []store.RunDetail{running(d, dag.TaskRunning), queued(d, "q1"), queued(d, "q2")}
	p, got := planned(store.DAGState{DAG: d, Runs: runs, Queued: 2})
	want(t, got, "start q1: a=queued/1")
	if len(p.again) != 0 {
		t.Errorf("again = %v, want none: all slots are taken", p.again)
	}
}

func TestPlanMoreQueuedThanShown(t *testing.T) {
	t.Parallel()
	d := chain(dag.Task{ID: "a"})
	p, _ := planned(store.DAGState{DAG: d, Runs: []store.RunDetail{queued(d, "q1")}, Queued: 5})
	if diff := cmp.Diff([]dag.ID{"d"}, p.again); diff != "" {
		t.Errorf("again (-want +got):\n%s", diff)
	}
}

func TestPlanInstanceSlots(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{ID: "d", MaxActiveRuns: 1, MaxActiveTasks: 16, Tasks: []dag.Task{
		{ID: "low", TriggerRule: dag.AllSuccess, PriorityWeight: 1},
		{ID: "high", TriggerRule: dag.AllSuccess, PriorityWeight: 5},
	}}
	s := situation{
		now: noon, maxTasks: 10, taken: map[dag.ID]time.Time{},
		snapshot: store.Snapshot{ActiveTasks: 9,
			DAGs: []store.DAGState{{DAG: d, Queued: 1, Runs: []store.RunDetail{queued(d, "r")}}}},
	}
	p := makePlan(s)
	want(t, describe(p.actions), "start r: low=/0 high=queued/1")
	if diff := cmp.Diff([]dag.ID{"d"}, p.starved); diff != "" {
		t.Errorf("starved (-want +got):\n%s", diff)
	}
}

func TestPlanTimeouts(t *testing.T) {
	t.Parallel()
	t.Run("execution_timeout stops the attempt and its end says why", func(t *testing.T) {
		t.Parallel()
		d := chain(dag.Task{ID: "a", ExecutionTimeout: 30 * time.Second})
		run := running(d, dag.TaskRunning)
		p, got := planned(store.DAGState{DAG: d, Runs: []store.RunDetail{run}})
		why := reason.New(reason.Stopped, reason.New(reason.TaskTimeout, 30*time.Second))
		want(t, got, "a running/1 -> running/1 "+why.String())
		if diff := cmp.Diff([]dag.AttemptKey{ended("a", 0).Key}, p.stops); diff != "" {
			t.Errorf("stops (-want +got):\n%s", diff)
		}
		if wake := p.wake["d"]; !wake.Equal(noon.Add(stopAgain)) {
			t.Errorf("wake = %v, want a look at whether the attempt has ended", wake)
		}
		run.Tasks[0].Stopping, run.Tasks[0].Reason = true, why
		_, got = planned(store.DAGState{DAG: d, Runs: []store.RunDetail{run}}, dag.AttemptEvent{
			Key: ended("a", 0).Key, Phase: dag.AttemptEnded, At: noon, Stopped: true, ExitCode: 143,
			Reason: reason.New(reason.KilledBy, "SIGTERM"),
		})
		want(t, got, "a running/1 -> failed/1 "+why.String(), "end r running -> failed task a failed: "+why.String())
	})
	t.Run("a timer is set for what has time left", func(t *testing.T) {
		t.Parallel()
		d := chain(dag.Task{ID: "a", ExecutionTimeout: time.Hour})
		d.RunTimeout = 10 * time.Minute
		p, got := planned(store.DAGState{DAG: d, Runs: []store.RunDetail{running(d, dag.TaskRunning)}})
		want(t, got)
		if wake := p.wake["d"]; !wake.Equal(noon.Add(9 * time.Minute)) {
			t.Errorf("wake = %v, want 9 minutes after noon", wake)
		}
	})
	t.Run("dagrun_timeout fails the run, skips what waits and stops what runs", func(t *testing.T) {
		t.Parallel()
		d := chain(dag.Task{ID: "a"}, dag.Task{ID: "b"})
		d.RunTimeout = time.Second
		p, got := planned(store.DAGState{DAG: d, Runs: []store.RunDetail{running(d, dag.TaskRunning, dag.TaskNone)}})
		reason := "the run took longer than its dagrun_timeout of 1s"
		want(t, got, "b /0 -> skipped/0 "+reason, "end r running -> failed "+reason,
			"a running/1 -> running/1 stopped, since the run had ended as failed")
		if len(p.stops) != 1 {
			t.Errorf("stops = %v, want one", p.stops)
		}
	})
	t.Run("an attempt of a run that was marked failed is stopped and not tried again", func(t *testing.T) {
		t.Parallel()
		d := chain(dag.Task{ID: "a", Retries: 3})
		run := running(d, dag.TaskRunning)
		run.State = dag.RunFailed
		p, _ := planned(store.DAGState{DAG: d, Runs: []store.RunDetail{run}})
		if len(p.stops) != 1 {
			t.Errorf("stops = %v, want one", p.stops)
		}
		_, got := planned(store.DAGState{DAG: d, Runs: []store.RunDetail{run}}, dag.AttemptEvent{
			Key: ended("a", 0).Key, Phase: dag.AttemptEnded, At: noon, Stopped: true, ExitCode: 143,
			Reason: reason.New(reason.KilledBy, "SIGTERM"),
		})
		if !strings.HasPrefix(got, "a running/1 -> failed/1") {
			t.Errorf("plan = %q, want a failed", got)
		}
	})
}

func TestPlanRetryIsDue(t *testing.T) {
	t.Parallel()
	d := chain(dag.Task{ID: "a", Retries: 1})
	run := running(d, dag.TaskUpForRetry)
	run.Tasks[0].RetryAt = noon.Add(time.Minute)
	state := store.DAGState{DAG: d, Runs: []store.RunDetail{run}}
	p, got := planned(state)
	want(t, got)
	if !p.wake["d"].Equal(noon.Add(time.Minute)) {
		t.Errorf("wake = %v, want one minute past noon", p.wake["d"])
	}
	_, got = plannedAt(noon.Add(time.Minute), state)
	want(t, got, "a up_for_retry/1 -> queued/2")
}

func TestPlanSchedule(t *testing.T) {
	t.Parallel()
	daily := chain(dag.Task{ID: "a"})
	daily.Schedule = dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 6 * * *", Timezone: "UTC"}
	daily.StartDate = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	catchup := *daily
	catchup.Catchup = true
	day := func(d, h int) time.Time { return time.Date(2026, 3, d, h, 0, 0, 0, time.UTC) }
	next := func(t time.Time) store.NextRun {
		return store.NextRun{LogicalDate: t, Interval: dag.DataInterval{Start: t, End: t}, RunAfter: t}
	}
	tests := []struct {
		name  string
		state store.DAGState
		now   time.Time
		want  []string
	}{
		{
			name:  "a DAG un-paused this morning waits for the next tick",
			state: store.DAGState{DAG: daily, UnpausedAt: day(10, 10)},
			want:  []string{"next 2026-03-11T06:00"},
		},
		{
			name:  "a due tick makes a run and shows the one after it",
			state: store.DAGState{DAG: daily, UnpausedAt: day(9, 10), LastScheduled: day(9, 6), Next: next(day(10, 6))},
			now:   day(10, 6),
			want:  []string{"create scheduled__2026-03-10T06:00:00+00:00 next 2026-03-11T06:00"},
		},
		{
			name:  "of the ticks that passed while dagwright was down only the latest is run",
			state: store.DAGState{DAG: daily, UnpausedAt: day(1, 10), LastScheduled: day(5, 6)},
			want:  []string{"create scheduled__2026-03-10T06:00:00+00:00 next 2026-03-11T06:00"},
		},
		{
			name:  "with catchup the first missed tick comes first",
			state: store.DAGState{DAG: &catchup, UnpausedAt: day(10, 10), LastScheduled: day(5, 6)},
			want:  []string{"create scheduled__2026-03-06T06:00:00+00:00 next 2026-03-07T06:00"},
		},
		{
			name:  "a paused DAG has no next run",
			state: store.DAGState{DAG: daily, Paused: true, LastScheduled: day(9, 6), Next: next(day(10, 6))},
			want:  []string{"next never"},
		},
		{
			name:  "an archived DAG has no next run",
			state: store.DAGState{DAG: daily, Archived: true, LastScheduled: day(9, 6), Next: next(day(10, 6))},
			want:  []string{"next never"},
		},
		{
			name:  "what is known is not written again",
			state: store.DAGState{DAG: daily, UnpausedAt: day(10, 10), LastScheduled: day(10, 6), Next: next(day(11, 6))},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			now := test.now
			if now.IsZero() {
				now = noon
			}
			_, got := plannedAt(now, test.state)
			want(t, got, test.want...)
		})
	}
}

// An empty task never reaches an executor: it is done when its turn comes.
func TestPlanEmptyTasks(t *testing.T) {
	t.Parallel()
	empty := func(id dag.TaskID) dag.Task { return dag.Task{ID: id, Operator: dag.EmptyOperator} }
	d := chain(empty("start"), dag.Task{ID: "work"}, empty("join"), empty("end"))
	_, got := planned(store.DAGState{DAG: d, Runs: []store.RunDetail{queued(d, "r")}})
	want(t, got, "start r: start=success/0 work=queued/1 join=/0 end=/0")
	run := running(d, dag.TaskSuccess, dag.TaskRunning, dag.TaskNone, dag.TaskNone)
	_, got = planned(store.DAGState{DAG: d, Runs: []store.RunDetail{run}}, ended("work", 0))
	want(t, got, "work running/1 -> success/1", "join /0 -> success/0", "end /0 -> success/0",
		"end r running -> success")
	run = running(d, dag.TaskSuccess, dag.TaskRunning, dag.TaskNone, dag.TaskNone)
	_, got = planned(store.DAGState{DAG: d, Runs: []store.RunDetail{run}}, ended("work", 1))
	want(t, got, "work running/1 -> failed/1 exit code 1",
		"join /0 -> upstream_failed/0 trigger rule all_success cannot be met: work (failed)",
		"end /0 -> upstream_failed/0 trigger rule all_success cannot be met: join (upstream failed)",
		"end r running -> failed task work failed: exit code 1")

	only := chain(empty("a"), empty("b"))
	_, got = planned(store.DAGState{DAG: only, Runs: []store.RunDetail{queued(only, "r")}})
	want(t, got, "start r: a=success/0 b=success/0", "end r running -> success")

	// Its success decides on others, whose skipping decides on it.
	rules := chain(empty("a"), dag.Task{ID: "b"}, empty("c"))
	rules.Tasks[1].TriggerRule, rules.Tasks[2].TriggerRule = dag.AllFailed, dag.AllDone
	_, got = planned(store.DAGState{DAG: rules, Runs: []store.RunDetail{queued(rules, "r")}})
	want(t, got, "start r: a=success/0 b=skipped/0 c=success/0", "end r running -> success")
}

// A schedule that says itself when its first run is, without a start date.
func TestPlanScheduleFirstRun(t *testing.T) {
	t.Parallel()
	begin := func(s dag.Schedule) *dag.DAG {
		d := chain(dag.Task{ID: "a"})
		d.Schedule = s
		return d
	}
	daily := dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 6 * * *", Timezone: "UTC"}
	late := func(s dag.Schedule, d time.Duration) dag.Schedule { s.Late = d; return s }
	every := dag.Schedule{Kind: dag.ScheduleDelta, Every: dag.Delta{Duration: 6 * time.Hour}}
	unpaused := noon.Add(-10 * time.Minute)
	tests := []struct {
		name  string
		state store.DAGState
		want  []string
	}{
		{"the tick of this morning has passed", store.DAGState{DAG: begin(daily)}, []string{"next 2026-03-11T06:00"}},
		{"it may be late", store.DAGState{DAG: begin(late(daily, 7*time.Hour))},
			[]string{"create scheduled__2026-03-10T06:00:00+00:00 next 2026-03-11T06:00"}},
		{"but not that late", store.DAGState{DAG: begin(late(daily, 5*time.Hour))}, []string{"next 2026-03-11T06:00"}},
		{"a DAG that has had a run", store.DAGState{DAG: begin(late(daily, 7*time.Hour)), LastScheduled: noon.AddDate(0, 0, -2)},
			[]string{"next 2026-03-11T06:00"}},
		{"steps begin when the DAG is un-paused", store.DAGState{DAG: begin(every)},
			[]string{"create scheduled__2026-03-10T11:50:00+00:00 next 2026-03-10T17:50"}},
		{"and go on from there", store.DAGState{DAG: begin(every), LastScheduled: unpaused}, []string{"next 2026-03-10T17:50"}},
		{"after a paused time they begin again", store.DAGState{DAG: begin(every), LastScheduled: noon.Add(-50 * time.Hour)},
			[]string{"create scheduled__2026-03-10T11:50:00+00:00 next 2026-03-10T17:50"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.state.UnpausedAt = unpaused
			_, got := planned(test.state)
			want(t, got, test.want...)
		})
	}
}

func TestPlanScheduleWaitsForASlot(t *testing.T) {
	t.Parallel()
	d := chain(dag.Task{ID: "a"})
	d.MaxActiveRuns = 1
	d.Schedule = dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 * * * *", Timezone: "UTC"}
	run := running(d, dag.TaskRunning)
	last := noon.Add(-time.Hour)
	_, got := planned(store.DAGState{DAG: d, UnpausedAt: noon.Add(-24 * time.Hour), LastScheduled: last,
		Runs: []store.RunDetail{run}})
	want(t, got, "next 2026-03-10T12:00")
	_, got = planned(store.DAGState{DAG: d, UnpausedAt: noon.Add(-24 * time.Hour), LastScheduled: last,
		Runs: []store.RunDetail{run}}, ended("a", 0))
	want(t, got, "a running/1 -> success/1", "end r running -> success",
		"create scheduled__2026-03-10T12:00:00+00:00 next 2026-03-10T13:00")
}

func TestPlanTakenDateMovesOn(t *testing.T) {
	t.Parallel()
	d := chain(dag.Task{ID: "a"})
	d.Schedule = dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 12 * * *", Timezone: "UTC"}
	tt, err := timetable.Parse(d.Schedule)
	if err != nil {
		t.Fatal(err)
	}
	p := makePlan(situation{
		now: noon, maxTasks: 1, taken: map[dag.ID]time.Time{"d": noon},
		snapshot:   store.Snapshot{DAGs: []store.DAGState{{DAG: d, UnpausedAt: noon.Add(-time.Hour)}}},
		timetables: map[dag.ID]*timetable.Timetable{"d": tt},
	})
	want(t, describe(p.actions), "next 2026-03-11T12:00")
}

// TestPlanSharesSlots has a DAG with many runs leave a slot, which goes to the DAG that
// holds none, whichever of them stands first.
func TestPlanSharesSlots(t *testing.T) {
	t.Parallel()
	many, one := chain(dag.Task{ID: "a"}), chain(dag.Task{ID: "a"})
	many.ID, one.ID = "many", "one"
	many.MaxActiveRuns = 100
	other := running(many, dag.TaskRunning)
	other.ID, other.Tasks[0].Run = "other", "other"
	busy := store.DAGState{DAG: many, Queued: 1, Runs: []store.RunDetail{running(many, dag.TaskRunning), other,
		queued(many, "more")}}
	waiting := store.DAGState{DAG: one, Queued: 1, Runs: []store.RunDetail{queued(one, "r")}}
	e := ended("a", 0)
	e.Key.DAG = "many"
	for _, dags := range [][]store.DAGState{{busy, waiting}, {waiting, busy}} {
		p := makePlan(situation{
			now: noon, maxTasks: 2, taken: map[dag.ID]time.Time{}, events: []dag.AttemptEvent{e},
			snapshot: store.Snapshot{ActiveTasks: 2, DAGs: clone(dags)},
		})
		if diff := cmp.Diff([]dag.ID{"many"}, p.starved); diff != "" {
			t.Errorf("starved (-want +got):\n%s", diff)
		}
		started := slices.ContainsFunc(p.actions, func(a store.Action) bool {
			start, ok := a.(store.StartRun)
			return ok && start.DAG == "one"
		})
		if !started {
			t.Errorf("the DAG that holds no slot was not served: %v", describe(p.actions))
		}
	}
}

// clone copies states as deep as a plan changes them.
func clone(states []store.DAGState) []store.DAGState {
	states = slices.Clone(states)
	for i := range states {
		states[i].Runs = slices.Clone(states[i].Runs)
		for j := range states[i].Runs {
			states[i].Runs[j].Tasks = slices.Clone(states[i].Runs[j].Tasks)
		}
	}
	return states
}

func TestPlanNoSlotForARun(t *testing.T) {
	t.Parallel()
	d := chain(dag.Task{ID: "a"})
	p := makePlan(situation{
		now: noon, maxTasks: 10, taken: map[dag.ID]time.Time{},
		snapshot: store.Snapshot{ActiveTasks: 10,
			DAGs: []store.DAGState{{DAG: d, Queued: 1, Runs: []store.RunDetail{queued(d, "r")}}}},
	})
	want(t, describe(p.actions))
	if diff := cmp.Diff([]dag.ID{"d"}, p.starved); diff != "" {
		t.Errorf("starved (-want +got):\n%s", diff)
	}
}
