package storetest

import (
	"time"

	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
)

// actTests are about what a person does to task instances and to several DAGs.
func actTests() []test {
	return []test{
		{"clearing a task of an ended run", testClearEnded},
		{"clearing an active task", testClearActive},
		{"clearing only what failed", testClearFailed},
		{"clearing only what failed of a run that was marked failed", testClearFailedMarked},
		{"clearing a run that was marked before it started", testClearUnstarted},
		{"clears that are refused", testClearRefused},
		{"marking a failed task success", testMarkTask},
		{"marking an active task", testMarkActiveTask},
		{"clearing tasks of several runs", testClearRuns},
		{"clearing with relatives", testClearRelatives},
		{"marking several tasks", testMarkTasks},
		{"marking tasks that never ran", testMarkTasksThatNeverRan},
		{"deleting a run", testDeleteRun},
		{"listing task instances of all runs", testListTasks},
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
		{DAG: "d", Run: r.ID, Task: "b", State: dag.TaskFailed, Try: 1, MaxTries: 1, StartedAt: someTime, EndedAt: someTime,
			Reason: reason.New(reason.ExitCode, 3), ExitCode: 3, HasExitCode: true, Lost: 1},
		{DAG: "d", Run: r.ID, Task: "c", State: dag.TaskUpstreamFailed, MaxTries: 1},
	}
	f.equal(len(f.act("d",
		store.StartRun{DAG: "d", Run: r.ID, At: someTime, Tasks: list},
		store.EndRun{DAG: "d", Run: r.ID, From: dag.RunRunning, State: dag.RunFailed, At: someTime,
			Reason: reason.New(reason.TaskFailed, "b", reason.New(reason.ExitCode, 3))},
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
	cleared, err := f.ClearTasks(f.ctx(),
		store.Clear{DAG: "d", Run: r.ID, Tasks: []dag.TaskID{"b"}, Downstream: true, By: alice})
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
	f.equal(tries[0].Reason.String(), "exit code 3")
	f.equal(tries[0].State, dag.TaskFailed)
	f.equal(tries[0].Lost, 1)
	all, err := f.RunTries(f.ctx(), "d", r.ID)
	f.ok(err)
	f.equal(len(all), 3)
	f.equal(all[1], tries)
	f.equal([]int{len(all[0]), len(all[2])}, []int{1, 1})
	f.equal(all[0][0].Task, dag.TaskID("a"))
	_, err = f.RunTries(f.ctx(), "d", "no-such-run")
	f.is(err, dag.ErrNotFound)
	entries, _, err := f.Audit(f.ctx(), store.AuditFilter{Event: "clear", User: "alice"})
	f.ok(err)
	f.equal(entries[0].Extra, `{"tasks":["b","c"]}`)
}

func testClearActive(f fixture) {
	f.define("d", "a", "b")
	r := f.trigger("d")
	f.start(r, "a", "b")
	lost := f.look("d").Runs[0].Tasks[0]
	lost.Lost = 3
	f.act("d", store.UpdateTask{From: lost.State, FromTry: lost.Try, Task: lost})
	_, err := f.ClearTasks(f.ctx(), store.Clear{DAG: "d", Run: r.ID, Tasks: []dag.TaskID{"a"}, By: alice})
	f.ok(err)
	ti := f.look("d").Runs[0].Tasks[0]
	f.equal(ti.State, dag.TaskQueued)
	f.equal(ti.Wish, dag.WishClear)
	f.equal(ti.Reason.String(), "stopped: cleared by alice")
	f.equal(ti.MaxTries, 2)
	f.equal(ti.Lost, 0)
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
	f.equal(len(tries), 1) // the cleared instance has not started again
	f.equal(tries[0].State, dag.TaskFailed)
}

// testClearFailedMarked clears what a mark of the run left undone, and not what was
// skipped for another reason.
func testClearFailedMarked(f fixture) {
	r, skips := stoppedRun(f), []dag.TaskID{"a", "b", "c"}
	choice, err := f.ClearChoice(f.ctx(), store.Clear{OnlyFailed: true, DAG: "d"}, []dag.RunID{r.ID})
	f.ok(err)
	f.equal(taskNames(choice), skips)
	cleared, err := f.ClearTasks(f.ctx(), store.Clear{DAG: "d", Run: r.ID, OnlyFailed: true, By: alice})
	f.ok(err)
	f.equal(cleared, skips)
	f.equal(f.taskStates(r), []dag.TaskState{dag.TaskNone, dag.TaskNone, dag.TaskNone, dag.TaskSkipped, dag.TaskSkipped})

	r = stoppedRun(f)
	f.ok(f.MarkTask(f.ctx(), alice, dag.AttemptKey{DAG: "d", Run: r.ID, Task: "a"}, dag.TaskSuccess))
	f.equal(f.taskStates(r),
		[]dag.TaskState{dag.TaskSuccess, dag.TaskNone, dag.TaskNone, dag.TaskSkipped, dag.TaskSkipped})
	f.checkCounts("d")
}

// stoppedRun is a run of a → b → c → d → e that was marked failed: a ran, b waited for
// its next try, and c for b. d and e were skipped before, by an exit code and by hand.
func stoppedRun(f fixture) dag.Run {
	f.Helper()
	f.define("d", "a", "b", "c", "d", "e")
	r := f.trigger("d")
	tasks := f.start(r, "a", "b", "c", "d", "e")
	b, d := tasks[1], tasks[3]
	b.State, b.Try, b.StartedAt, b.EndedAt, b.RetryAt = dag.TaskUpForRetry, 1, someTime, someTime, someTime
	d.State, d.Try, d.StartedAt, d.EndedAt = dag.TaskSkipped, 1, someTime, someTime
	f.equal(len(f.act("d", store.UpdateTask{Task: b}, store.UpdateTask{Task: d})), 2)
	f.ok(f.MarkTask(f.ctx(), alice, dag.AttemptKey{DAG: "d", Run: r.ID, Task: "e"}, dag.TaskSkipped))
	f.ok(f.SetRunState(f.ctx(), alice, "d", r.ID, dag.RunFailed))
	f.act("d", move(tasks[0], dag.TaskFailed))
	return r
}

func testClearUnstarted(f fixture) {
	f.define("d", "a")
	r := f.trigger("d")
	f.ok(f.SetRunState(f.ctx(), alice, "d", r.ID, dag.RunFailed))
	_, err := f.ClearTasks(f.ctx(), store.Clear{DAG: "d", Run: r.ID, By: alice})
	f.ok(err)
	f.equal(f.taskStates(r), []dag.TaskState{dag.TaskNone})
	got, err := f.Run(f.ctx(), "d", r.ID)
	f.ok(err)
	if !got.Cleared || !got.StartedAt.IsZero() || got.State != dag.RunQueued {
		f.Errorf("a run that was cleared before its start: %+v", got)
	}
	f.start(r, "a")
	got, err = f.Run(f.ctx(), "d", r.ID)
	f.ok(err)
	f.equal(got.Cleared, false)
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
	f.is(f.MarkTask(f.ctx(), alice, b, dag.TaskUpForRetry), dag.ErrInvalid)
	f.is(f.MarkTask(f.ctx(), alice, b, dag.TaskFailed), dag.ErrConflict)
	f.is(f.MarkTask(f.ctx(), alice, dag.AttemptKey{DAG: "d", Run: r.ID, Task: "absent"}, dag.TaskFailed), dag.ErrNotFound)
	f.ok(f.MarkTask(f.ctx(), alice, b, dag.TaskSuccess))
	f.equal(f.taskStates(r), []dag.TaskState{dag.TaskSuccess, dag.TaskSuccess, dag.TaskNone})
	got, err := f.Run(f.ctx(), "d", r.ID)
	f.ok(err)
	f.equal(got.State, dag.RunQueued)
	ti, err := f.TaskInstance(f.ctx(), "d", r.ID, "b")
	f.ok(err)
	f.equal(ti.Reason.String(), "marked success by alice")
	f.checkCounts("d")
}

func testClearRuns(f fixture) {
	r := failedRun(f)
	waits := f.trigger("d")
	c := store.Clear{DAG: "d", OnlyFailed: true, By: alice}
	both := []dag.RunID{r.ID, waits.ID}
	choice, err := f.ClearChoice(f.ctx(), c, both)
	f.ok(err)
	f.equal(taskNames(choice), []dag.TaskID{"b", "c"})
	f.equal(f.taskStates(r), []dag.TaskState{dag.TaskSuccess, dag.TaskFailed, dag.TaskUpstreamFailed})

	cleared, err := f.ClearRuns(f.ctx(), c, both)
	f.ok(err)
	f.equal(taskNames(cleared), []dag.TaskID{"b", "c"})
	f.equal(cleared[0].State, dag.TaskNone)
	f.equal(f.taskStates(r), []dag.TaskState{dag.TaskSuccess, dag.TaskNone, dag.TaskNone})
	f.checkCounts("d")

	cleared, err = f.ClearRuns(f.ctx(), c, both)
	f.ok(err)
	f.equal(len(cleared), 0)
	_, err = f.ClearRuns(f.ctx(), c, []dag.RunID{"absent"})
	f.is(err, dag.ErrNotFound)
}

func testClearRelatives(f fixture) {
	r := failedRun(f)
	runs := []dag.RunID{r.ID}
	cases := []struct {
		clear store.Clear
		want  []dag.TaskID
	}{
		{store.Clear{Tasks: []dag.TaskID{"b"}, Upstream: true}, []dag.TaskID{"a", "b"}},
		{store.Clear{Tasks: []dag.TaskID{"b"}, Downstream: true}, []dag.TaskID{"b", "c"}},
		{store.Clear{Tasks: []dag.TaskID{"b"}, Upstream: true, Downstream: true}, []dag.TaskID{"a", "b", "c"}},
		{store.Clear{Tasks: []dag.TaskID{"a"}, OnlyFailed: true}, nil},
		{store.Clear{OnlyRunning: true}, nil},
	}
	for _, c := range cases {
		c.clear.DAG = "d"
		choice, err := f.ClearChoice(f.ctx(), c.clear, runs)
		f.ok(err)
		f.equal(taskNames(choice), c.want)
	}
	active := f.trigger("d")
	f.start(active, "a", "b", "c")
	_, err := f.ClearRuns(f.ctx(), store.Clear{DAG: "d", KeepActive: true, By: alice}, []dag.RunID{r.ID, active.ID})
	f.is(err, dag.ErrConflict)
	// The first run was not cleared either.
	f.equal(f.taskStates(r), []dag.TaskState{dag.TaskSuccess, dag.TaskFailed, dag.TaskUpstreamFailed})
}

func taskNames(tasks []dag.TaskInstance) []dag.TaskID {
	var names []dag.TaskID
	for _, ti := range tasks {
		names = append(names, ti.Task)
	}
	return names
}

func testMarkTasks(f fixture) {
	r := failedRun(f)
	m := store.Mark{DAG: "d", Runs: []dag.RunID{r.ID}, Task: "b", Downstream: true, State: dag.TaskSkipped, By: alice}
	choice, err := f.MarkChoice(f.ctx(), m)
	f.ok(err)
	f.equal(taskNames(choice), []dag.TaskID{"b", "c"})
	marked, err := f.MarkTasks(f.ctx(), m)
	f.ok(err)
	f.equal(taskNames(marked), []dag.TaskID{"b", "c"})
	f.equal(marked[0].State, dag.TaskSkipped)
	f.equal(f.taskStates(r), []dag.TaskState{dag.TaskSuccess, dag.TaskSkipped, dag.TaskSkipped})
	_, err = f.MarkTasks(f.ctx(), m)
	f.is(err, dag.ErrConflict)
	m.Task, m.Upstream = "absent", true
	_, err = f.MarkTasks(f.ctx(), m)
	f.is(err, dag.ErrNotFound)
	f.checkCounts("d")
}

// What is marked ends when it started or later: a task that was skipped with its cancelled run and
// never started, and one whose start was reported by a clock that is ahead.
func testMarkTasksThatNeverRan(f fixture) {
	f.define("d", "skipped", "ahead")
	r := f.trigger("d")
	list := []dag.TaskInstance{
		{DAG: "d", Run: r.ID, Task: "skipped", State: dag.TaskSkipped, MaxTries: 1, EndedAt: someTime},
		{DAG: "d", Run: r.ID, Task: "ahead", State: dag.TaskUpForRetry, Try: 1, MaxTries: 2,
			StartedAt: time.Now().Add(time.Hour)},
	}
	f.equal(len(f.act("d", store.StartRun{DAG: "d", Run: r.ID, At: someTime, Tasks: list})), 1)
	for _, before := range list {
		f.ok(f.MarkTask(f.ctx(), alice, dag.AttemptKey{DAG: "d", Run: r.ID, Task: before.Task}, dag.TaskSuccess))
		ti, err := f.TaskInstance(f.ctx(), "d", r.ID, before.Task)
		f.ok(err)
		f.equal(ti.State, dag.TaskSuccess)
		if ti.StartedAt.IsZero() || ti.EndedAt.Before(ti.StartedAt) {
			f.Errorf("%s ran from %v to %v", ti.Task, ti.StartedAt, ti.EndedAt)
		}
	}
}

func testDeleteRun(f fixture) {
	r := failedRun(f)
	newest := f.trigger("d")
	f.start(newest, "a", "b", "c")
	f.is(f.deleteRun("d", newest.ID), dag.ErrConflict)
	f.is(f.deleteRun("d", "absent"), dag.ErrNotFound)
	queued := f.trigger("d")
	f.ok(f.deleteRun("d", queued.ID))
	f.ok(f.deleteRun("d", r.ID))
	_, err := f.Run(f.ctx(), "d", r.ID)
	f.is(err, dag.ErrNotFound)
	f.checkCounts("d")
	_, n, err := f.Audit(f.ctx(), store.AuditFilter{Event: "delete_run"})
	f.ok(err)
	f.equal(n, 2)
}

func testListTasks(f fixture) {
	r := failedRun(f)
	other := f.trigger("d")
	f.start(other, "a", "b", "c")
	f.trigger("d") // has no task instances yet
	cases := []struct {
		filter store.TaskFilter
		want   []dag.TaskID
		total  int
	}{
		{store.TaskFilter{}, []dag.TaskID{"a", "b", "c", "a", "b", "c"}, 6},
		{store.TaskFilter{Runs: []dag.RunID{r.ID}}, []dag.TaskID{"a", "b", "c"}, 3},
		{store.TaskFilter{States: []dag.TaskState{dag.TaskFailed}}, []dag.TaskID{"b"}, 1},
		{store.TaskFilter{Tasks: []dag.TaskID{"a"}, Tries: []int{1}}, []dag.TaskID{"a", "a"}, 2},
		{store.TaskFilter{Of: store.RunFilter{DAGs: []dag.ID{"absent"}}}, nil, 0},
		{store.TaskFilter{OrderBy: "-task_id", Limit: 2, Offset: 1}, []dag.TaskID{"c", "b"}, 6},
		{store.TaskFilter{Of: store.RunFilter{States: []dag.RunState{dag.RunRunning}}}, []dag.TaskID{"a", "b", "c"}, 3},
	}
	for _, c := range cases {
		found, total, err := f.ListTasks(f.ctx(), c.filter)
		f.ok(err)
		f.equal(taskNames(found), c.want)
		f.equal(total, c.total)
	}
	_, _, err := f.ListTasks(f.ctx(), store.TaskFilter{OrderBy: "nothing"})
	f.is(err, dag.ErrInvalid)
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
	want[1].Reason = reason.Reason{} // what it waits for is said of one run only
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
	owners, err := f.Owners(f.ctx(), false, 10)
	f.ok(err)
	f.equal(owners, []string{"fraud-team", "risk-team"})
	owners, err = f.Owners(f.ctx(), false, 1)
	f.ok(err)
	f.equal(owners, []string{"fraud-team"})
	tags, err := f.CommonTags(f.ctx(), false, 10)
	f.ok(err)
	f.equal(tags, []string{"daily", "scoring"})
	owners, err = f.Owners(f.ctx(), true, 10)
	f.ok(err)
	f.equal(owners, []string{"nobody"})
	tags, err = f.CommonTags(f.ctx(), true, 10)
	f.ok(err)
	f.equal(tags, []string{"z"})
}

func (f fixture) deleteRun(id dag.ID, run dag.RunID) error {
	_, err := f.DeleteRun(f.ctx(), alice, id, run)
	return err
}
