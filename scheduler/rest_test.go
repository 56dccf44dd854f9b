package scheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/store"
)

// TestPlanRest looks at a run of which an earlier plan has said that it is at rest: it is
// left alone as long as nothing can have changed in it.
func TestPlanRest(t *testing.T) {
	t.Parallel()
	d := chain(dag.Task{ID: "a"}, dag.Task{ID: "b"})
	queues := []string{"b /0 -> queued/1"}
	ofOther := ended("a", 0)
	ofOther.Key.Run = "other"
	for name, test := range map[string]struct {
		state  dag.TaskState // of a
		known  rest
		events []dag.AttemptEvent
		want   []string
	}{
		"at rest":                 {dag.TaskSuccess, rest{edition: 7}, nil, nil},
		"its time has not come":   {dag.TaskSuccess, rest{edition: 7, wake: noon.Add(time.Second)}, nil, nil},
		"its time has come":       {dag.TaskSuccess, rest{edition: 7, wake: noon}, nil, queues},
		"something has changed":   {dag.TaskSuccess, rest{edition: 6}, nil, queues},
		"it was never looked at":  {dag.TaskSuccess, rest{}, nil, queues},
		"a report of another run": {dag.TaskSuccess, rest{edition: 7}, []dag.AttemptEvent{ofOther}, nil},
		"a report of an attempt of it": {dag.TaskRunning, rest{edition: 7}, []dag.AttemptEvent{ended("a", 0)},
			[]string{"a running/1 -> success/1", "b /0 -> queued/1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A plan would queue b, so that its silence tells that the run was left alone.
			run := running(d, test.state, dag.TaskNone)
			run.Edition = 7
			p := makePlan(situation{now: noon, snapshot: store.Snapshot{DAGs: []store.DAGState{{DAG: d, Runs: []store.RunDetail{run}}}},
				events: test.events, maxTasks: 100, known: rests{"d": {"r": test.known}}})
			want(t, describe(p.actions), test.want...)
			_, rests := p.resting["d"]["r"]
			if rests != (len(test.want) == 0) {
				t.Errorf("at rest: %v", rests)
			}
			if rests && !p.wake["d"].Equal(test.known.wake) {
				t.Errorf("wake = %v, want %v", p.wake["d"], test.known.wake)
			}
		})
	}
}

// TestPlanComesToRest wants a run with nothing to do to rest until its next time, and one
// with a task that waits for a slot of the instance not to.
func TestPlanComesToRest(t *testing.T) {
	t.Parallel()
	d := chain(dag.Task{ID: "a", ExecutionTimeout: time.Hour}, dag.Task{ID: "b"})
	free, hungry := running(d, dag.TaskRunning, dag.TaskNone), running(d, dag.TaskSuccess, dag.TaskNone)
	hungry.ID = "hungry"
	free.Edition, hungry.Edition = 1, 2
	s := situation{now: noon, snapshot: store.Snapshot{DAGs: []store.DAGState{{DAG: d, Runs: []store.RunDetail{free, hungry}}}}}
	p := makePlan(s)
	if len(p.resting["d"]) != 1 || !p.resting["d"]["r"].wake.Equal(noon.Add(59*time.Minute)) {
		t.Errorf("at rest: %+v", p.resting)
	}
}

// TestTimers compares timers with a search of all of them.
func TestTimers(t *testing.T) {
	t.Parallel()
	turns := rand.New(rand.NewPCG(1, 2))
	got, want := newTimers(), map[dag.ID]time.Time{}
	now := noon
	for range 5000 {
		id := dag.ID(fmt.Sprint(turns.IntN(50)))
		switch n := turns.IntN(10); {
		case n < 7:
			at := now.Add(time.Duration(turns.IntN(100)) * time.Second)
			got.set(id, at)
			want[id] = at
		case n < 8:
			got.remove(id)
			delete(want, id)
		default:
			now = now.Add(time.Duration(turns.IntN(20)) * time.Second)
			var due []dag.ID
			for id, at := range want {
				if !at.After(now) {
					due = append(due, id)
					delete(want, id)
				}
			}
			taken := got.due(now)
			slices.Sort(due)
			slices.Sort(taken)
			if !slices.Equal(taken, due) {
				t.Fatalf("due: %v, want %v", taken, due)
			}
		}
		if len(got.queue) > 2*len(got.at)+65 {
			t.Fatalf("%d entries for %d timers", len(got.queue), len(got.at))
		}
	}
	if len(got.at) != len(want) {
		t.Errorf("%d timers are left, want %d", len(got.at), len(want))
	}
}

// BenchmarkPlan plans the report of one run beside others that are under way.
func BenchmarkPlan(b *testing.B) {
	d := chain(dag.Task{ID: "a", ExecutionTimeout: time.Hour}, dag.Task{ID: "b"})
	for _, active := range []int{0, 100, 1000} {
		b.Run(fmt.Sprintf("active=%d", active), func(b *testing.B) {
			known := rests{}
			for range b.N {
				state := store.DAGState{DAG: d}
				for i := range active + 1 {
					run := running(d, dag.TaskRunning, dag.TaskNone)
					run.ID, run.Edition = dag.RunID(fmt.Sprint(i)), int64(i+1)
					state.Runs = append(state.Runs, run)
				}
				e := ended("a", 0)
				e.Key.Run = state.Runs[active].ID
				p := makePlan(situation{now: noon, snapshot: store.Snapshot{DAGs: []store.DAGState{state}},
					events: []dag.AttemptEvent{e}, maxTasks: 10_000, known: known})
				known = p.resting
			}
		})
	}
}
