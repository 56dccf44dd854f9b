package storetest

import (
	"dagwright/dag"
	"dagwright/store"
)

// actTests are about what a person does to task instances and to several DAGs.
func actTests() []test {
	return []test{
		{"clearing a task of an ended run", testClearEnded},
		{"clearing an active task", testClearActive},
		{"clearing only what failed", testClearFailed},
		{"clearing a run that was marked before it started", testClearUnstarted},
		{"clears that are refused", testClearRefused},
		{"marking a failed task success", testMarkTask},
		{"marking an active task", testMarkActiveTask},
		{"cancelling a task", testCancel},
		{"pausing several DAGs", testPauseAll},
		{"task instances of several runs", testRunTasks},
		{"owners and common tags", testChoices},
	}
}

// failedRun is a run of a → b → c that ended since b failed at its first try.
func failedRun(f fixture) dag.Run {
	f.Helper()
	f.define("d", "a", "b", "c")
	r := f.trigger("d")
	list := []dag.TaskInstance{
		{DAG: "d", Run: r.ID, Task: "a", State: dag.TaskSuccess, Try: 1, MaxTries: 1, StartedAt: someTime, EndedAt: someTime},
		{DAG: "d", Run: r.ID, Task: "b", State: dag.TaskFailed, Try: 1, MaxTries: 1, StartedAt: someTime, EndedAt: someTime, Reason: "exit code 3", ExitCode: 3, HasExitCode: true},
		{DAG: "d", Run: r.ID, Task: "c", State: dag.TaskUpstreamFailed, MaxTries: 1},
	}
	f.equal(len(f.act("d",
		store.StartRun{DAG: "d", Run: r.ID, At: someTime, Tasks: list},
		store.EndRun{DAG: "d", Run: r.ID, From: dag.RunRunning, State: dag.RunFailed, At: someTime, Reason: "task b failed"},
	)), 2)
	return r
}

// taskStates is the state of each task of a run, in order.
func (f fixture) taskStates(r dag.Run) []dag.TaskState {
	f.Helper()
	tasks, err := f.TaskInstances(f.ctx(), r.DAG, r.ID)
	f.ok(err)
	var states []dag.TaskState
	for _, ti := range tasks {
		states = append(states, ti.State)
	}
	return states
}

func testClearEnded(f fixture) {
	r := failedRun(f)
	cleared, err := f.ClearTasks(f.ctx(), store.Clear{DAG: "d", Run: r.ID, Tasks: []dag.TaskID{"b"}, Downstream: true, By: alice})
	f.ok(err)
	f.equal(cleared, []dag.TaskID{"b", "c"})
	f.equal(f.taskStates(r), []dag.TaskState{dag.TaskSuccess, dag.TaskNone, dag.TaskNone})
	got, err := f.Run(f.ctx(), "d", r.ID)
	f.ok(err)
	if got.State != dag.RunQueued || !got.EndedAt.IsZero() {
		f.Errorf("the run is %s and ended at %s, want queued again", got.State, got.EndedAt)
	}
	f.checkCounts("d")

	// The snapshot shows the run with its task instances, from which it goes on.
	detail := f.look("d").Runs[0]
	f.equal(len(detail.Tasks), 3)
	b := detail.Tasks[1]
	f.equal(b, dag.TaskInstance{DAG: "d", Run: r.ID, Task: "b", Try: 1, MaxTries: 2})
	b.State, b.Try, b.QueuedAt = dag.TaskQueued, 2, someTime
	detail.Tasks[1] = b
	f.equal(len(f.act("d", store.StartRun{DAG: "d", Run: r.ID, At: someTime, Tasks: detail.Tasks})), 1)
	f.equal(f.taskStates(r), []dag.TaskState{dag.TaskSuccess, dag.TaskQueued, dag.TaskNone})

	// The earlier try is history, as it was.
	tries, err := f.Tries(f.ctx(), "d", r.ID, "b")
	f.ok(err)
	f.equal(len(tries), 2)
	f.equal(tries[0].Reason, "exit code 3")
	f.equal(tries[0].State, dag.TaskFailed)
	entries, _, err := f.Audit(f.ctx(), store.AuditFilter{Event: "clear", User: "alice"})
	f.ok(err)
	f.equal(entries[0].Extra, `{"tasks":["b","c"]}`)
}

func testClearActive(f fixture) {
	f.define("d", "a", "b")
	r := f.trigger("d")
	f.start(r, "a", "b")
	_, err := f.ClearTasks(f.ctx(), store.Clear{DAG: "d", Run: r.ID, Tasks: []dag.TaskID{"a"}, By: alice})
	f.ok(err)
	ti := f.look("d").Runs[0].Tasks[0]
	f.equal(ti.State, dag.TaskQueued)
	f.equal(ti.Wish, dag.WishClear)
	f.equal(ti.Reason, "stopped: cleared by alice")
	f.equal(ti.MaxTries, 2)
	entries, _, err := f.Audit(f.ctx(), store.AuditFilter{Task: "a"})
	f.ok(err)
	f.equal(len(entries), 1)
}

func testClearFailed(f fixture) {
	r := failedRun(f)
	cleared, err := f.ClearTasks(f.ctx(), store.Clear{DAG: "d", Run: r.ID, OnlyFailed: true, By: alice})
	f.ok(err)
	f.equal(cleared, []dag.TaskID{"b", "c"})
	tries, err := f.Tries(f.ctx(), "d", r.ID, "b")
	f.ok(err)
	f.equal(len(tries), 1) // the cleared instance has not begun anew
	f.equal(tries[0].State, dag.TaskFailed)
}

func testClearUnstarted(f fixture) {
	f.define("d", "a")
	r := f.trigger("d")
	f.ok(f.SetRunState(f.ctx(), alice, "d", r.ID, dag.RunFailed))
	_, err := f.ClearTasks(f.ctx(), store.Clear{DAG: "d", Run: r.ID, By: alice})
	f.ok(err)
	f.equal(f.taskStates(r), []dag.TaskState{dag.TaskNone})
	f.start(r, "a")
	f.equal(f.taskStates(r), []dag.TaskState{dag.TaskQueued})
	f.checkCounts("d")
}

func testClearRefused(f fixture) {
	r := failedRun(f)
	for _, c := range []struct {
		clear store.Clear
		kind  error
	}{
		{store.Clear{DAG: "absent", Run: r.ID}, dag.ErrNotFound},
		{store.Clear{DAG: "d", Run: "absent"}, dag.ErrNotFound},
		{store.Clear{DAG: "d", Run: r.ID, Tasks: []dag.TaskID{"absent"}}, dag.ErrNotFound},
		{store.Clear{DAG: "d", Run: r.ID, Tasks: []dag.TaskID{"a"}, OnlyFailed: true}, dag.ErrConflict},
	} {
		_, err := f.ClearTasks(f.ctx(), c.clear)
		f.is(err, c.kind)
	}
	f.equal(f.taskStates(r), []dag.TaskState{dag.TaskSuccess, dag.TaskFailed, dag.TaskUpstreamFailed})
	f.remove("d.yaml")
	_, err := f.ClearTasks(f.ctx(), store.Clear{DAG: "d", Run: r.ID})
	f.is(err, dag.ErrConflict)
}

func testMarkTask(f fixture) {
	r := failedRun(f)
	b := dag.AttemptKey{DAG: "d", Run: r.ID, Task: "b"}
	f.is(f.MarkTask(f.ctx(), alice, b, dag.TaskSkipped), dag.ErrInvalid)
	f.is(f.MarkTask(f.ctx(), alice, b, dag.TaskFailed), dag.ErrConflict)
	f.is(f.MarkTask(f.ctx(), alice, dag.AttemptKey{DAG: "d", Run: r.ID, Task: "absent"}, dag.TaskFailed), dag.ErrNotFound)
	f.ok(f.MarkTask(f.ctx(), alice, b, dag.TaskSuccess))
	f.equal(f.taskStates(r), []dag.TaskState{dag.TaskSuccess, dag.TaskSuccess, dag.TaskNone})
	got, err := f.Run(f.ctx(), "d", r.ID)
	f.ok(err)
	f.equal(got.State, dag.RunQueued)
	ti, err := f.TaskInstance(f.ctx(), "d", r.ID, "b")
	f.ok(err)
	f.equal(ti.Reason, "marked success by alice")
	f.checkCounts("d")
}

func testMarkActiveTask(f fixture) {
	f.define("d", "a", "b")
	r := f.trigger("d")
	a := dag.AttemptKey{DAG: "d", Run: r.ID, Task: "a"}
	f.is(f.MarkTask(f.ctx(), alice, a, dag.TaskSuccess), dag.ErrConflict)
	f.start(r, "a", "b")
	f.ok(f.MarkTask(f.ctx(), alice, a, dag.TaskSuccess))
	ti, err := f.TaskInstance(f.ctx(), "d", r.ID, "a")
	f.ok(err)
	f.equal(ti.State, dag.TaskQueued)
	f.equal(ti.Wish, dag.WishSuccess)
	// A task that has not begun is marked at once.
	f.ok(f.MarkTask(f.ctx(), alice, dag.AttemptKey{DAG: "d", Run: r.ID, Task: "b"}, dag.TaskFailed))
	f.equal(f.taskStates(r), []dag.TaskState{dag.TaskQueued, dag.TaskFailed})
}

func testCancel(f fixture) {
	f.define("d", "a", "b")
	r := f.trigger("d")
	f.start(r, "a", "b")
	f.is(f.CancelTask(f.ctx(), alice, dag.AttemptKey{DAG: "d", Run: r.ID, Task: "b"}), dag.ErrConflict)
	sub := f.Subscribe()
	defer sub.Close()
	f.ok(f.CancelTask(f.ctx(), alice, dag.AttemptKey{DAG: "d", Run: r.ID, Task: "a"}))
	for c := range sub.C { // until the one that makes the scheduler look
		if c.Kind == store.ChangeDAG && c.DAG == "d" {
			if seq := f.ChangeSeq(); seq < c.Seq {
				f.Errorf("the newest change is %d, want at least %d", seq, c.Seq)
			}
			break
		}
	}
	ti := f.look("d").Runs[0].Tasks[0]
	f.equal(ti.Wish, dag.WishCancel)
	_, n, err := f.Audit(f.ctx(), store.AuditFilter{Event: "cancel"})
	f.ok(err)
	f.equal(n, 1)
	// While attempts of an ended run are being stopped, nobody can act on them.
	f.ok(f.SetRunState(f.ctx(), alice, "d", r.ID, dag.RunFailed))
	f.is(f.CancelTask(f.ctx(), alice, dag.AttemptKey{DAG: "d", Run: r.ID, Task: "a"}), dag.ErrConflict)
}

func testPauseAll(f fixture) {
	f.define("a", "t")
	f.define("b", "t")
	f.define("c", "t")
	f.ok(f.SetPaused(f.ctx(), alice, "b", false))
	changed, err := f.PauseAll(f.ctx(), alice, []dag.ID{"c", "b", "absent", "a", "a"}, false)
	f.ok(err)
	f.equal(changed, []dag.ID{"a", "c"})
	_, n, err := f.Audit(f.ctx(), store.AuditFilter{Event: "unpause"})
	f.ok(err)
	f.equal(n, 3)
	counts, err := f.CountDAGs(f.ctx(), store.DAGFilter{})
	f.ok(err)
	f.equal(counts.Active, 3)
}

func testRunTasks(f fixture) {
	f.define("d", "a", "b")
	first, second := f.trigger("d"), f.trigger("d")
	f.start(first, "a", "b")
	got, err := f.RunTasks(f.ctx(), "d", []dag.RunID{first.ID, second.ID, "absent"})
	f.ok(err)
	want, err := f.TaskInstances(f.ctx(), "d", first.ID)
	f.ok(err)
	want[1].Reason = "" // what it waits for is said of one run only
	f.equal(got, map[dag.RunID][]dag.TaskInstance{first.ID: want})
}

func testChoices(f fixture) {
	d := newDAG("x", "t")
	d.Owner, d.Tags = "fraud-team", []string{"scoring", "x", "daily"}
	other := newDAG("z", "t")
	other.Tags = []string{"scoring", "z", "daily"}
	third := newDAG("w", "t")
	third.Tags = []string{"daily"}
	gone := newDAG("y", "t")
	gone.Owner, gone.Tags = "nobody", []string{"z"}
	f.save(file("x.yaml", "x", d), file("z.yaml", "z", other), file("w.yaml", "w", third), file("y.yaml", "y", gone))
	f.remove("y.yaml")
	owners, err := f.Owners(f.ctx(), 10)
	f.ok(err)
	f.equal(owners, []string{"fraud-team", "risk-team"})
	owners, err = f.Owners(f.ctx(), 1)
	f.ok(err)
	f.equal(owners, []string{"fraud-team"})
	tags, err := f.CommonTags(f.ctx(), 10)
	f.ok(err)
	f.equal(tags, []string{"daily", "scoring"})
}
