package storetest

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
)

func advanceTests() []test {
	return []test{
		{"the life of a run", testLife},
		{"the snapshot shows what a plan needs", testSnapshot},
		{"queued runs beyond what could start are left out", testSnapshotLimit},
		{"actions decided on an old view are left out", testStaleActions},
		{"a scheduled run is made once", testCreateRun},
		{"a retry keeps the earlier try", testRetry},
		{"a task that waits for its retry keeps its try when it is ended", testEndedBeforeRetry},
		{"wrong actions are refused as a whole", testWrongActions},
		{"ending a run whose attempt goes on", testEndWithActive},
		{"an error in the middle writes nothing", testAdvanceAtomic},
		{"two planners, one effect", testAdvanceRace},
		{"eight writers at once", testWriters},
		{"many DAGs in one snapshot", testManyDAGs},
	}
}

func testLife(f fixture) {
	f.define("d", "t")
	r := f.trigger("d")
	ti := f.start(r, "t")[0]
	row, err := f.DAG(f.ctx(), "d")
	f.ok(err)
	f.equal(row.LastRun.StartedAt, someTime)
	f.equal(row.LastTasks, map[dag.TaskState]int{dag.TaskQueued: 1})
	attempts, err := f.ActiveAttempts(f.ctx())
	f.ok(err)
	f.equal(attempts, []dag.TaskInstance{ti})

	running := move(ti, dag.TaskRunning)
	running.Task.StartedAt, running.Task.Hostname, running.Task.PID = someTime.Add(time.Second), "h", 7
	f.equal(len(f.act("d", running)), 1)
	done := move(running.Task, dag.TaskSuccess)
	done.Task.EndedAt, done.Task.HasExitCode = someTime.Add(2*time.Second), true
	end := store.EndRun{DAG: "d", Run: r.ID, From: dag.RunRunning, State: dag.RunSuccess,
		At: someTime.Add(2 * time.Second)}
	f.equal(len(f.act("d", done, end)), 2)

	got, err := f.TaskInstance(f.ctx(), "d", r.ID, "t")
	f.ok(err)
	f.equal(got, done.Task)
	run, err := f.Run(f.ctx(), "d", r.ID)
	f.ok(err)
	r.State, r.StartedAt, r.EndedAt = dag.RunSuccess, someTime, someTime.Add(2*time.Second)
	f.equal(run, r)
	f.checkCounts("d")
	attempts, err = f.ActiveAttempts(f.ctx())
	f.ok(err)
	f.equal(len(attempts), 0)
}

func testSnapshot(f fixture) {
	f.define("d", "z", "a")
	f.define("other", "t")
	first, second := f.trigger("d"), f.trigger("d")
	f.start(second, "z", "a")
	f.save(file("d.yaml", "new source", newDAG("d", "z", "a", "c")))
	f.start(f.trigger("other"), "t")

	s := store.Snapshot{}
	_, err := f.Advance(f.ctx(), []dag.ID{"other", "absent", "d", "d"},
		func(now store.Snapshot) []store.Action { s = now; return nil })
	f.ok(err)
	if len(s.DAGs) != 2 || s.DAGs[0].DAG.ID != "other" || s.DAGs[1].DAG.ID != "d" {
		f.Fatalf("wrong DAGs in the snapshot: %+v", s.DAGs)
	}
	f.equal(s.ActiveTasks, 2)
	d := s.DAGs[1]
	if d.Version != 2 || len(d.DAG.Tasks) != 3 || !d.Paused || d.Archived || d.Queued != 1 {
		f.Errorf("wrong DAG: %+v", d)
	}
	if len(d.Runs) != 2 || d.Runs[0].ID != second.ID || d.Runs[1].ID != first.ID {
		f.Fatalf("runs are not running first, queued then: %+v", d.Runs)
	}
	if len(d.Runs[0].Spec.Tasks) != 2 || len(d.Runs[1].Spec.Tasks) != 2 {
		f.Error("the runs do not keep the version with which they began")
	}
	tasks := []dag.TaskID{}
	for _, ti := range d.Runs[0].Tasks {
		tasks = append(tasks, ti.Task)
	}
	f.equal(tasks, []dag.TaskID{"z", "a"})
	f.equal(len(d.Runs[1].Tasks), 0)
}

func testSnapshotLimit(f fixture) {
	f.define("d", "t") // two active runs at most
	var runs []dag.Run
	for range 5 {
		runs = append(runs, f.trigger("d"))
	}
	seen := func() []dag.RunID {
		state := f.look("d")
		ids := []dag.RunID{}
		for _, r := range state.Runs {
			ids = append(ids, r.ID)
		}
		return ids
	}
	f.equal(seen(), []dag.RunID{runs[0].ID, runs[1].ID})
	f.equal(f.look("d").Queued, 5)
	f.start(runs[0], "t")
	f.equal(seen(), []dag.RunID{runs[0].ID, runs[1].ID})
	f.start(runs[1], "t")
	f.equal(seen(), []dag.RunID{runs[0].ID, runs[1].ID, runs[2].ID}) // at least one
	f.equal(f.look("d").Queued, 3)
}

func testStaleActions(f fixture) {
	f.define("d", "t")
	f.define("other", "t")
	r := f.trigger("d")
	end := store.EndRun{DAG: "d", Run: r.ID, From: dag.RunRunning, State: dag.RunSuccess, At: someTime}
	f.equal(len(f.act("d", end)), 0) // it is queued
	ti := f.start(r, "t")[0]
	wrongTry := move(ti, dag.TaskRunning)
	wrongTry.FromTry = 0
	wrongState := move(ti, dag.TaskSuccess)
	wrongState.From = dag.TaskRunning
	absentTask, absentRun := move(ti, dag.TaskRunning), move(ti, dag.TaskRunning)
	absentTask.Task.Task, absentRun.Task.Run = "absent", "absent"
	good := move(ti, dag.TaskRunning)
	applied := f.act("d",
		store.StartRun{DAG: "d", Run: r.ID, At: someTime, Tasks: []dag.TaskInstance{ti}}, wrongTry, wrongState,
		absentTask, absentRun,
		good, good,
		store.SetNext{DAG: "other"}, store.SetNext{DAG: "absent"}, store.StartRun{DAG: "other", Run: r.ID},
	)
	f.equal(applied, []store.Action{good})
	f.states("d", r.ID, dag.TaskRunning)
	f.checkCounts("d")
}

func testCreateRun(f fixture) {
	f.define("d", "t")
	next := store.NextRun{LogicalDate: someTime.Add(time.Hour), RunAfter: someTime.Add(time.Hour),
		Interval: dag.DataInterval{Start: someTime, End: someTime.Add(time.Hour)}}
	run := dag.Run{
		DAG: "d", ID: dag.ScheduledRunID(someTime), Type: dag.RunScheduled, State: dag.RunQueued, Version: 1,
		LogicalDate: someTime, Interval: dag.DataInterval{Start: someTime, End: someTime},
		RunAfter: someTime, QueuedAt: someTime, TriggeredBy: "timetable",
	}
	create := store.CreateRun{Run: run, Next: next}
	f.equal(len(f.act("d", create)), 1)
	got, err := f.Run(f.ctx(), "d", run.ID)
	f.ok(err)
	run.Reason = dag.WhyQueued(theDAG(f).DAG, 0)
	f.equal(got, run)
	row, err := f.DAG(f.ctx(), "d")
	f.ok(err)
	f.equal(row.Next, next)
	f.equal(f.look("d").LastScheduled, someTime)

	create.Next.RunAfter = someTime.Add(2 * time.Hour)
	otherID := create
	otherID.Run.ID = "scheduled__other"
	otherID.Next.RunAfter = someTime.Add(3 * time.Hour)
	f.equal(len(f.act("d", create, otherID)), 0)
	row, err = f.DAG(f.ctx(), "d")
	f.ok(err)
	f.equal(row.Next, otherID.Next)
	f.checkCounts("d")

	// A manual run has no say in the schedule.
	f.trigger("d")
	f.equal(f.look("d").LastScheduled, someTime)
	// A run can be created and started in one go.
	later := create
	later.Run.ID, later.Run.LogicalDate = "scheduled__later", someTime.Add(time.Hour)
	f.equal(len(f.act("d", later, store.StartRun{DAG: "d", Run: later.Run.ID, At: someTime})), 2)
	f.equal(f.look("d").LastScheduled, someTime.Add(time.Hour))
	f.checkCounts("d")
}

func testRetry(f fixture) {
	f.define("d", "t")
	r := f.trigger("d")
	ti := f.start(r, "t")[0]
	waiting := move(ti, dag.TaskUpForRetry)
	waiting.Task.Reason, waiting.Task.ExitCode, waiting.Task.HasExitCode, waiting.Task.RetryAt = reason.New(
		reason.ExitCode, 3), 3, true, someTime
	f.equal(len(f.act("d", waiting)), 1)
	again := store.UpdateTask{From: dag.TaskUpForRetry, FromTry: 1, Task: dag.TaskInstance{
		DAG: "d", Run: r.ID, Task: "t", State: dag.TaskQueued, Try: 2, MaxTries: 2, QueuedAt: someTime,
	}}
	f.equal(len(f.act("d", again)), 1)
	f.equal(len(f.act("d", again)), 0)
	tries, err := f.Tries(f.ctx(), "d", r.ID, "t")
	f.ok(err)
	first := waiting.Task
	first.State = dag.TaskFailed // a try that is over has ended
	f.equal(tries, []dag.TaskInstance{first, again.Task})
	failed := move(again.Task, dag.TaskFailed)
	third := store.UpdateTask{From: dag.TaskFailed, FromTry: 2, Task: dag.TaskInstance{
		DAG: "d", Run: r.ID, Task: "t", State: dag.TaskQueued, Try: 3, MaxTries: 3,
	}}
	f.equal(len(f.act("d", failed, third)), 2)
	tries, err = f.Tries(f.ctx(), "d", r.ID, "t")
	f.ok(err)
	f.equal(len(tries), 3)
}

// A try that has ended stays as it was, whatever ends the task that waits for its retry.
func testEndedBeforeRetry(f fixture) {
	f.define("d", "t")
	for name, end := range map[string]struct {
		state dag.TaskState // of the task afterwards
		do    func(dag.AttemptKey, dag.TaskInstance)
	}{
		"the time limit of the run": {dag.TaskSkipped, func(_ dag.AttemptKey, ti dag.TaskInstance) {
			skip := ti
			skip.SkipWithRun(reason.New(reason.RunTimeout, time.Second), time.Now())
			f.equal(len(f.act("d", store.UpdateTask{From: ti.State, FromTry: 1, Task: skip})), 1)
		}},
		"the run is marked failed": {dag.TaskSkipped, func(k dag.AttemptKey, _ dag.TaskInstance) {
			f.ok(f.SetRunState(f.ctx(), alice, "d", k.Run, dag.RunFailed))
		}},
		"the task is marked failed": {dag.TaskFailed, func(k dag.AttemptKey, _ dag.TaskInstance) {
			f.ok(f.MarkTask(f.ctx(), alice, k, dag.TaskFailed))
		}},
		"the task is marked success": {dag.TaskSuccess, func(k dag.AttemptKey, _ dag.TaskInstance) {
			f.ok(f.MarkTask(f.ctx(), alice, k, dag.TaskSuccess))
		}},
		"the task is cleared": {dag.TaskNone, func(k dag.AttemptKey, _ dag.TaskInstance) {
			_, err := f.ClearTasks(f.ctx(), store.Clear{DAG: "d", Run: k.Run, By: alice})
			f.ok(err)
		}},
	} {
		r := f.trigger("d")
		waiting := move(f.start(r, "t")[0], dag.TaskUpForRetry)
		ti := &waiting.Task
		ti.StartedAt, ti.EndedAt, ti.RetryAt = someTime, someTime.Add(time.Second), someTime.Add(time.Hour)
		ti.Reason, ti.ExitCode, ti.HasExitCode, ti.MaxTries = reason.New(reason.ExitCode, 1), 1, true, 2
		f.equal(len(f.act("d", waiting)), 1)
		end.do(dag.AttemptKey{DAG: "d", Run: r.ID, Task: "t"}, *ti)

		tries, err := f.Tries(f.ctx(), "d", r.ID, "t")
		f.ok(err)
		first := *ti
		first.State = dag.TaskFailed
		f.equal(tries, []dag.TaskInstance{first})
		got, err := f.TaskInstance(f.ctx(), "d", r.ID, "t")
		f.ok(err)
		ended := got.State.Ended()
		if got.State != end.state || ended && (got.Reason == first.Reason || !got.EndedAt.Equal(first.EndedAt)) {
			f.Errorf("%s: the task is %+v", name, got)
		}
	}
}

func testWrongActions(f fixture) {
	f.define("d", "t")
	r := f.trigger("d")
	ti := f.start(r, "t")[0]
	back := move(ti, dag.TaskQueued)
	back.Task.Try = 0
	for _, wrong := range []store.Action{
		back,
		store.EndRun{DAG: "d", Run: r.ID, From: dag.RunRunning, State: dag.RunQueued},
		store.EndRun{DAG: "d", Run: r.ID, From: dag.RunSuccess, State: dag.RunFailed},
		nil,
	} {
		_, err := f.Advance(f.ctx(), []dag.ID{"d"}, func(store.Snapshot) []store.Action {
			return []store.Action{move(ti, dag.TaskRunning), wrong}
		})
		f.is(err, dag.ErrInvalid)
	}
	f.states("d", r.ID, dag.TaskQueued)
}

func testEndWithActive(f fixture) {
	f.define("d", "a", "b")
	r := f.trigger("d")
	ti := f.start(r, "a", "b")[0]
	end := store.EndRun{DAG: "d", Run: r.ID, From: dag.RunRunning, State: dag.RunFailed, At: someTime,
		Reason: reason.New(reason.RunTimeout, time.Hour)}
	f.equal(len(f.act("d", end)), 1)
	state := f.look("d")
	if len(state.Runs) != 1 || state.Runs[0].Reason != end.Reason {
		f.Fatalf("the ended run with an active attempt is not shown: %+v", state.Runs)
	}
	f.equal(len(f.act("d", move(ti, dag.TaskRunning))), 1)
	f.equal(len(f.look("d").Runs), 1)
	ti.State = dag.TaskRunning
	f.equal(len(f.act("d", move(ti, dag.TaskFailed))), 1)
	f.equal(len(f.look("d").Runs), 0)
	f.checkCounts("d")
}

func testAdvanceAtomic(f fixture) {
	f.define("d", "t")
	r := f.trigger("d")
	twice := []dag.TaskInstance{{DAG: "d", Run: r.ID, Task: "t"}, {DAG: "d", Run: r.ID, Task: "t"}}
	applied, err := f.Advance(f.ctx(), []dag.ID{"d"}, func(store.Snapshot) []store.Action {
		return []store.Action{store.StartRun{DAG: "d", Run: r.ID, At: someTime, Tasks: twice}}
	})
	if err == nil || applied != nil {
		f.Fatalf("a task instance was written twice: %v", applied)
	}
	got, err := f.Run(f.ctx(), "d", r.ID)
	f.ok(err)
	f.equal(got.State, dag.RunQueued)
	f.checkCounts("d")
}

// testAdvanceRace lets two planners see a queued run and start it: one start
// takes effect, and so on for each step of 50 runs.
func testAdvanceRace(f fixture) {
	f.define("d", "t")
	const runs = 50
	for range runs {
		f.trigger("d")
	}
	var started, ended atomic.Int64
	planner := func() {
		for ended.Load() < runs {
			applied, err := f.Advance(f.ctx(), []dag.ID{"d"}, finishOrStart)
			if err != nil {
				f.Errorf("advance: %v", err)
				return
			}
			for _, a := range applied {
				switch a.(type) {
				case store.StartRun:
					started.Add(1)
				case store.EndRun:
					ended.Add(1)
				}
			}
		}
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(planner)
	}
	wg.Wait()
	f.equal([]int64{started.Load(), ended.Load()}, []int64{runs, runs})
	f.checkCounts("d")
}

// finishOrStart ends the running runs of a snapshot and starts the queued ones,
// each with one task.
func finishOrStart(s store.Snapshot) []store.Action {
	var actions []store.Action
	for _, d := range s.DAGs {
		for _, r := range d.Runs {
			if r.State == dag.RunQueued {
				ti := dag.TaskInstance{DAG: r.DAG, Run: r.ID, Task: r.Spec.Tasks[0].ID, State: dag.TaskQueued, Try: 1}
				actions = append(actions, store.StartRun{DAG: r.DAG, Run: r.ID, At: someTime, Tasks: []dag.TaskInstance{ti}})
				continue
			}
			for _, ti := range r.Tasks {
				actions = append(actions, move(ti, dag.TaskSuccess))
			}
			actions = append(actions,
				store.EndRun{DAG: r.DAG, Run: r.ID, From: dag.RunRunning, State: dag.RunSuccess, At: someTime})
		}
	}
	return actions
}

// testWriters lets eight goroutines trigger, pause, mark and advance the same
// few DAGs at once.
func testWriters(f fixture) {
	dags := []dag.ID{"a", "b", "c"}
	for _, id := range dags {
		f.define(id, "t")
	}
	var triggered atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 20 {
				f.writerStep(worker+i, dags, &triggered)
			}
		})
	}
	wg.Wait()
	f.checkCounts(dags...)
	_, total, err := f.Runs(f.ctx(), store.RunFilter{})
	f.ok(err)
	f.equal(int64(total), triggered.Load())
}

func (f fixture) writerStep(n int, dags []dag.ID, triggered *atomic.Int64) {
	id := dags[n%len(dags)]
	var err error
	switch n % 4 {
	case 0, 1:
		if _, err = f.TriggerRun(f.ctx(), store.Trigger{DAG: id, By: alice}); err == nil {
			triggered.Add(1)
		}
	case 2:
		err = f.SetPaused(f.ctx(), alice, id, n%8 == 2)
	default:
		// In another order than that of the ids, as a scheduler may ask.
		asked := slices.Clone(dags)
		slices.Reverse(asked)
		_, err = f.Advance(f.ctx(), asked, finishOrStart)
	}
	if err != nil {
		f.Errorf("step %d: %v", n, err)
	}
}

func testManyDAGs(f fixture) {
	const n = 600
	var files []store.SpecFile
	var all []dag.ID
	for i := range n {
		id := numbered("many", i)
		all = append(all, id)
		files = append(files, file(string(id)+".yaml", string(id), newDAG(id, "t")))
	}
	f.equal(f.save(files...).Added, n)
	for i := range 5 {
		f.start(f.trigger(numbered("many", i*100)), "t")
	}
	var s store.Snapshot
	_, err := f.Advance(f.ctx(), all, func(now store.Snapshot) []store.Action { s = now; return nil })
	f.ok(err)
	f.equal(len(s.DAGs), n)
	f.equal(s.ActiveTasks, 5)
	f.equal(s.DAGs[400].Runs[0].Tasks[0].Task, dag.TaskID("t"))
	removed := store.Sync{Commit: "c2"}
	for _, file := range files {
		removed.Removed = append(removed.Removed, file.Path)
	}
	result, err := f.SaveDAGs(f.ctx(), removed)
	f.ok(err)
	f.equal(result.Archived, n)
}
