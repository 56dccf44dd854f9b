package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/store"
)

// Run runs the conformance suite. open is called once for each test and gives
// it an empty store.
func Run(t *testing.T, open func(t *testing.T) *store.Store) {
	for _, group := range [][]test{
		dagTests(), runTests(), actTests(), advanceTests(), backfillTests(), pushTests(), pushWorkTests(), feedTests(),
		scopeTests(), identityTests(), modelTests(), signInTests(), figureTests(),
	} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(fixture{T: t, Store: open(t)})
			})
		}
	}
}

// test is one statement about a store.
type test struct {
	name string
	run  func(fixture)
}

// fixture is a test with its store, and steps that most tests need. Its steps
// end the test when they fail.
type fixture struct {
	*testing.T
	*store.Store
}

// Run is the store's method; the embedded test's is not needed.
func (f fixture) Run(ctx context.Context, id dag.ID, run dag.RunID) (dag.Run, error) {
	return f.Store.Run(ctx, id, run)
}

func (f fixture) ctx() context.Context { return f.Context() }

func (f fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// is wants an error of a kind.
func (f fixture) is(err, kind error) {
	f.Helper()
	if !errors.Is(err, kind) {
		f.Fatalf("error is %v, want one that is %q", err, kind)
	}
}

func (f fixture) equal(got, want any) {
	f.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.Fatalf("wrong result (-want +got):\n%s", diff)
	}
}

var alice = store.Actor{User: "alice", Via: "ui"}

// newDAG is a definition with the given tasks; each waits for the one before.
func newDAG(id dag.ID, tasks ...dag.TaskID) *dag.DAG {
	d := &dag.DAG{
		ID: id, Timezone: "UTC", MaxActiveRuns: 2, MaxActiveTasks: 16, PausedUponCreation: true,
		Owner: "risk-team", Schedule: dag.Schedule{Kind: dag.ScheduleNone},
	}
	for i, task := range tasks {
		next := dag.Task{ID: task, TriggerRule: dag.AllSuccess, PriorityWeight: 1, Image: "example"}
		if i > 0 {
			next.Upstream = []dag.TaskID{tasks[i-1]}
		}
		d.Tasks = append(d.Tasks, next)
	}
	return d
}

// file is a whole file that defines the DAGs.
func file(path, source string, dags ...*dag.DAG) store.SpecFile {
	return store.SpecFile{Path: path, Blob: "blob of " + source, Source: source, DAGs: dags}
}

// save takes files into the store as one sync.
func (f fixture) save(files ...store.SpecFile) store.SyncResult {
	f.Helper()
	result, err := f.SaveDAGs(f.ctx(), store.Sync{Commit: "c1", Changed: files})
	f.ok(err)
	return result
}

// define saves one DAG with the given tasks in a file of its own.
func (f fixture) define(id dag.ID, tasks ...dag.TaskID) {
	f.Helper()
	f.save(file(string(id)+".yaml", "source of "+string(id), newDAG(id, tasks...)))
}

func (f fixture) remove(paths ...string) store.SyncResult {
	f.Helper()
	result, err := f.SaveDAGs(f.ctx(), store.Sync{Commit: "c2", Removed: paths})
	f.ok(err)
	return result
}

func (f fixture) trigger(id dag.ID) dag.Run {
	f.Helper()
	r, err := f.TriggerRun(f.ctx(), store.Trigger{DAG: id, By: alice})
	f.ok(err)
	return r
}

// act advances with fixed actions and returns those that took effect.
func (f fixture) act(id dag.ID, actions ...store.Action) []store.Action {
	f.Helper()
	applied, err := f.Advance(f.ctx(), []dag.ID{id}, func(store.Snapshot) []store.Action { return actions })
	f.ok(err)
	return applied
}

// look returns the snapshot of one DAG.
func (f fixture) look(id dag.ID) store.DAGState {
	f.Helper()
	var s store.Snapshot
	_, err := f.Advance(f.ctx(), []dag.ID{id}, func(now store.Snapshot) []store.Action { s = now; return nil })
	f.ok(err)
	if len(s.DAGs) != 1 {
		f.Fatalf("snapshot has %d DAGs, want 1", len(s.DAGs))
	}
	return s.DAGs[0]
}

// start moves a run to running with its first task queued at try 1.
func (f fixture) start(r dag.Run, tasks ...dag.TaskID) []dag.TaskInstance {
	f.Helper()
	var list []dag.TaskInstance
	for i, task := range tasks {
		ti := dag.TaskInstance{DAG: r.DAG, Run: r.ID, Task: task, MaxTries: 1}
		if i == 0 {
			ti.State, ti.Try, ti.QueuedAt = dag.TaskQueued, 1, someTime
		}
		list = append(list, ti)
	}
	if applied := f.act(r.DAG, store.StartRun{DAG: r.DAG, Run: r.ID, At: someTime, Tasks: list}); len(applied) != 1 {
		f.Fatal("the run was not started")
	}
	return list
}

// move updates a task instance from the state it was given in.
func move(ti dag.TaskInstance, state dag.TaskState) store.UpdateTask {
	next := ti
	next.State = state
	return store.UpdateTask{From: ti.State, FromTry: ti.Try, Task: next}
}

// someTime is a time with microseconds, as a store keeps it.
var someTime = time.Date(2026, 1, 31, 6, 0, 0, 123456000, time.UTC)

// checkCounts compares the counters of every DAG with a count of its runs, and
// the newest run with a search for it.
func (f fixture) checkCounts(ids ...dag.ID) {
	f.Helper()
	counters, err := f.RunCounts(f.ctx(), ids)
	f.ok(err)
	for _, id := range ids {
		counted := map[dag.RunState]int{}
		for _, state := range dag.RunStates {
			// A filter on the type cannot be answered from the counters.
			_, n, err := f.Runs(f.ctx(), store.RunFilter{
				DAG: id, States: []dag.RunState{state}, Types: []dag.RunType{dag.RunManual, dag.RunScheduled, dag.RunBackfill},
			})
			f.ok(err)
			if n > 0 {
				counted[state] = n
			}
		}
		f.equal(counters[id], counted)
		f.checkLastRun(id)
	}
}

func (f fixture) checkLastRun(id dag.ID) {
	f.Helper()
	row, err := f.DAG(f.ctx(), id)
	f.ok(err)
	newest, _, err := f.Runs(f.ctx(), store.RunFilter{DAG: id, Limit: 1})
	f.ok(err)
	if len(newest) == 0 {
		if row.LastRun != nil {
			f.Fatalf("DAG %s has no run, but the last run %s", id, row.LastRun.ID)
		}
		return
	}
	last := *row.LastRun
	last.Reason = newest[0].Reason // a listing says what a queued run waits for
	f.equal(last, newest[0])
	same, _, err := f.DAGs(f.ctx(), store.DAGFilter{IDs: []dag.ID{id}, LastRunState: newest[0].State, Archived: true})
	f.ok(err)
	if len(same) != 1 {
		f.Fatalf("DAG %s is not found by the state %s of its last run", id, newest[0].State)
	}
}

func ids(rows []store.DAGRow) []dag.ID {
	out := []dag.ID{}
	for _, r := range rows {
		out = append(out, r.ID)
	}
	return out
}

func runIDs(runs []dag.Run) []dag.RunID {
	out := []dag.RunID{}
	for _, r := range runs {
		out = append(out, r.ID)
	}
	return out
}

func numbered(prefix string, i int) dag.ID { return dag.ID(fmt.Sprintf("%s-%05d", prefix, i)) }
