package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
)

func runTests() []test {
	return []test{
		{"provenance of a DAG and of a run", testProvenance},
		{"a manual run", testTrigger},
		{"a manual run with everything given", testTriggerGiven},
		{"manual runs that are refused", testTriggerRefused},
		{"triggering un-pauses when asked", testTriggerUnpause},
		{"a trigger is checked without a run", testTriggerChecked},
		{"a trigger is repeated under its key", testTriggerKey},
		{"conf comes back as it was given", testConf},
		{"run filters", testRunFilters},
		{"run orders", testRunOrders},
		{"keyset paging over 10,000 runs", testKeyset},
		{"marking a running run", testMarkRunning},
		{"marking a queued run", testMarkQueued},
		{"notes", testNote},
		{"task instances before and after the start", testTaskInstances},
		{"the audit log", testAudit},
	}
}

func testTrigger(f fixture) {
	f.define("d", "t")
	before := time.Now().Add(-time.Second)
	r := f.trigger("d")
	if !strings.HasPrefix(string(r.ID), "manual__") || r.ID != dag.ManualRunID(r.RunAfter) {
		f.Errorf("run id %s does not say when it was asked for, %s", r.ID, r.RunAfter)
	}
	if r.RunAfter.Before(before) || r.RunAfter.After(time.Now().Add(time.Second)) {
		f.Errorf("run after %s, want about now", r.RunAfter)
	}
	want := dag.Run{
		DAG: "d", ID: r.ID, Type: dag.RunManual, State: dag.RunQueued, Version: 1,
		LogicalDate: r.RunAfter, Interval: dag.DataInterval{Start: r.RunAfter, End: r.RunAfter},
		RunAfter: r.RunAfter, QueuedAt: r.RunAfter, TriggeredBy: "ui", User: "alice",
	}
	f.equal(r, want)
	got, err := f.Run(f.ctx(), "d", r.ID)
	f.ok(err)
	want.Reason = dag.WhyQueued(theDAG(f).DAG, 0)
	f.equal(got, want)
	row, err := f.DAG(f.ctx(), "d")
	f.ok(err)
	want.Reason = reason.Reason{} // only a run or a list of runs says what it waits for
	f.equal(*row.LastRun, want)
	f.equal(row.RunCounts, map[dag.RunState]int{dag.RunQueued: 1})
	f.equal(row.LastTasks, map[dag.TaskState]int{dag.TaskNone: 1})
	if !row.Paused {
		f.Error("triggering un-paused the DAG unasked")
	}
}

func testTriggerGiven(f fixture) {
	f.define("d", "t")
	tr := store.Trigger{
		DAG: "d", Run: "my-run:1", LogicalDate: someTime.In(time.FixedZone("x", 3600)), Note: "why",
		Interval: dag.DataInterval{Start: someTime.AddDate(0, 0, -1), End: someTime}, By: store.Actor{Via: "rest_api"},
	}
	r, err := f.TriggerRun(f.ctx(), tr)
	f.ok(err)
	want := dag.Run{
		DAG: "d", ID: "my-run:1", Type: dag.RunManual, State: dag.RunQueued, Version: 1, LogicalDate: someTime,
		Interval: tr.Interval, RunAfter: r.RunAfter, QueuedAt: r.QueuedAt, Note: "why", TriggeredBy: "rest_api",
		User: "anonymous",
	}
	f.equal(r, want)
	got, err := f.Run(f.ctx(), "d", "my-run:1")
	f.ok(err)
	want.Reason = dag.WhyQueued(theDAG(f).DAG, 0)
	f.equal(got, want)
}

// theDAG is the DAG "d".
func theDAG(f fixture) store.DAGRow {
	row, err := f.DAG(f.ctx(), "d")
	f.ok(err)
	return row
}

func testTriggerRefused(f fixture) {
	f.define("d", "t")
	_, err := f.TriggerRun(f.ctx(), store.Trigger{DAG: "d", Run: "taken", LogicalDate: someTime, By: alice})
	f.ok(err)
	for _, c := range []struct {
		name string
		tr   store.Trigger
		kind error
		say  string
	}{
		{"unknown DAG", store.Trigger{DAG: "absent"}, dag.ErrNotFound, `DAG "absent" does not exist`},
		{"run id taken", store.Trigger{DAG: "d", Run: "taken"}, dag.ErrConflict, `"taken"`},
		{"logical date taken", store.Trigger{DAG: "d", LogicalDate: someTime}, dag.ErrConflict,
			"2026-01-31T06:00:00.123456Z"},
		{"both taken", store.Trigger{DAG: "d", Run: "taken", LogicalDate: someTime}, dag.ErrConflict, `"taken"`},
		{"id of a scheduled run", store.Trigger{DAG: "d", Run: "scheduled__2026-01-01T00:00:00+00:00"}, dag.ErrInvalid,
			"scheduled__"},
		{"id of a backfill run", store.Trigger{DAG: "d", Run: "backfill__x"}, dag.ErrInvalid, "backfill__"},
		{"id with a space", store.Trigger{DAG: "d", Run: "a b"}, dag.ErrInvalid, "run id"},
		{"id that is too long", store.Trigger{DAG: "d", Run: dag.RunID(strings.Repeat("x", 251))}, dag.ErrInvalid, "251"},
		{"conf with a reserved key", store.Trigger{DAG: "d", Conf: map[string]any{"LD_PRELOAD": "x"}}, dag.ErrInvalid,
			"LD_PRELOAD"},
		{"conf that is not JSON", store.Trigger{DAG: "d", Conf: map[string]any{"F": func() {}}}, dag.ErrInvalid, "conf"},
	} {
		f.T.Run(c.name, func(t *testing.T) {
			f := fixture{t, f.Store}
			_, err := f.TriggerRun(f.ctx(), c.tr)
			f.is(err, c.kind)
			if !strings.Contains(err.Error(), c.say) {
				f.Errorf("error %q does not say %q", err, c.say)
			}
		})
	}
	f.checkCounts("d")
}

// testTriggerChecked wants of CheckTrigger what TriggerRun says, and no run.
func testTriggerChecked(f fixture) {
	f.save(file("d.yaml", "1", newDAG("d", "t")))
	taken := f.trigger("d")
	for _, tr := range []store.Trigger{
		{DAG: "d", Run: taken.ID}, {DAG: "d", LogicalDate: taken.LogicalDate}, {DAG: "d", Run: "scheduled__x"},
		{DAG: "absent"}, {DAG: "d", Conf: map[string]any{"PATH": "/tmp"}}, {DAG: "d", Run: "free"},
	} {
		checked := f.CheckTrigger(f.ctx(), tr)
		_, err := f.TriggerRun(f.ctx(), tr)
		f.equal(fmt.Sprint(checked), fmt.Sprint(err))
	}
	_, total, err := f.Runs(f.ctx(), store.RunFilter{DAG: "d"})
	f.ok(err)
	f.equal(total, 2)
}

func testTriggerUnpause(f fixture) {
	f.define("d", "t")
	_, err := f.TriggerRun(f.ctx(), store.Trigger{DAG: "d", Unpause: true, By: alice})
	f.ok(err)
	row, err := f.DAG(f.ctx(), "d")
	f.ok(err)
	if row.Paused || row.UnpausedAt.IsZero() {
		f.Errorf("not un-paused: %+v", row)
	}
	_, n, err := f.Audit(f.ctx(), store.AuditFilter{Event: "unpause"})
	f.ok(err)
	f.equal(n, 1)
	f.checkCounts("d")
}

func testConf(f fixture) {
	f.define("d", "t")
	conf := map[string]any{
		"SCORING_DATE": "2026-01-31", "N": 5, "X": 2.5, "BIG": json.Number("123456789012345678901234567890"),
		"LIST": []any{1, "two", nil, true}, "MAP": map[string]any{"k": 1}, "EMPTY": "", "UNICODE": "Отток\u2028<&>",
	}
	r, err := f.TriggerRun(f.ctx(), store.Trigger{DAG: "d", Conf: conf, By: alice})
	f.ok(err)
	f.equal(r.Conf, conf)
	got, err := f.Run(f.ctx(), "d", r.ID)
	f.ok(err)
	f.equal(got.Conf, conf)
	r.Conf["LIST"].([]any)[0] = "changed by the caller"
	f.equal(f.look("d").Runs[0].Conf, conf)
}

func testRunFilters(f fixture) {
	f.define("a", "t")
	f.define("b", "t")
	day := func(n int) time.Time { return someTime.AddDate(0, 0, n) }
	var next store.NextRun
	for i := range 4 {
		run := dag.Run{
			DAG: "a", ID: dag.ScheduledRunID(day(i)), Type: dag.RunScheduled, Version: 1,
			LogicalDate: day(i), RunAfter: day(i), QueuedAt: day(i), TriggeredBy: "timetable",
		}
		f.equal(len(f.act("a", store.CreateRun{Run: run, Next: next})), 1)
	}
	manual, err := f.TriggerRun(f.ctx(), store.Trigger{DAG: "b", Run: "by_hand", LogicalDate: day(9), By: alice})
	f.ok(err)
	f.ok(f.SetRunState(f.ctx(), alice, "a", dag.ScheduledRunID(day(0)), dag.RunSuccess))
	s := func(n int) dag.RunID { return dag.ScheduledRunID(day(n)) }
	for _, c := range []struct {
		name   string
		filter store.RunFilter
		want   []dag.RunID
	}{
		{"none", store.RunFilter{}, []dag.RunID{manual.ID, s(3), s(2), s(1), s(0)}},
		{"DAG", store.RunFilter{DAG: "b"}, []dag.RunID{manual.ID}},
		{"unknown DAG", store.RunFilter{DAG: "absent"}, []dag.RunID{}},
		{"state", store.RunFilter{States: []dag.RunState{dag.RunSuccess, dag.RunFailed}}, []dag.RunID{s(0)}},
		{"DAG and state", store.RunFilter{DAG: "a", States: []dag.RunState{dag.RunQueued}}, []dag.RunID{s(3), s(2), s(1)}},
		{"several states", store.RunFilter{States: []dag.RunState{dag.RunSuccess, dag.RunQueued, dag.RunQueued}},
			[]dag.RunID{manual.ID, s(3), s(2), s(1), s(0)}},
		{"a page of several states",
			store.RunFilter{States: []dag.RunState{dag.RunSuccess, dag.RunQueued}, Limit: 2, Offset: 3},
			[]dag.RunID{s(1), s(0)}},
		{"a page behind the last",
			store.RunFilter{States: []dag.RunState{dag.RunSuccess, dag.RunQueued}, Limit: 2, Offset: 9}, []dag.RunID{}},
		{"type", store.RunFilter{Types: []dag.RunType{dag.RunManual}}, []dag.RunID{manual.ID}},
		{"logical date", store.RunFilter{LogicalFrom: day(1), LogicalTo: day(2)}, []dag.RunID{s(2), s(1)}},
		{"run after", store.RunFilter{RunAfterFrom: day(2), RunAfterTo: day(3)}, []dag.RunID{s(3), s(2)}},
		{"pattern", store.RunFilter{IDPattern: "BY%"}, []dag.RunID{manual.ID}},
		{"order by id", store.RunFilter{OrderBy: "id", Limit: 2}, []dag.RunID{s(0), s(1)}},
		{"limit and offset", store.RunFilter{Limit: 2, Offset: 1}, []dag.RunID{s(3), s(2)}},
	} {
		f.T.Run(c.name, func(t *testing.T) {
			f := fixture{t, f.Store}
			runs, total, err := f.Runs(f.ctx(), c.filter)
			f.ok(err)
			f.equal(runIDs(runs), c.want)
			if c.filter.Limit == 0 {
				f.equal(total, len(c.want))
			} else {
				f.equal(total, 5)
			}
		})
	}
}

func testRunOrders(f fixture) {
	f.define("a", "t")
	f.define("b", "t")
	f.trigger("a")
	r := f.trigger("b")
	f.start(r, "t")
	for _, order := range []string{"run_after", "logical_date", "start_date", "end_date", "state", "id", "dag_id"} {
		up, _, err := f.Runs(f.ctx(), store.RunFilter{OrderBy: order})
		f.ok(err)
		down, _, err := f.Runs(f.ctx(), store.RunFilter{OrderBy: "-" + order})
		f.ok(err)
		f.equal([]dag.RunID{up[0].ID, up[1].ID}, []dag.RunID{down[1].ID, down[0].ID})
	}
	_, _, err := f.Runs(f.ctx(), store.RunFilter{OrderBy: "conf"})
	f.is(err, dag.ErrInvalid)
	_, _, err = f.Runs(f.ctx(), store.RunFilter{OrderBy: "id", After: &r})
	f.is(err, dag.ErrInvalid)
}

// testKeyset pages through 10,000 runs, of which many share their time, while
// new runs arrive: every old run is seen once, in order.
func testKeyset(f fixture) {
	const n = 10_000
	f.define("d", "t")
	var actions []store.Action
	for i := range n {
		date := someTime.Add(time.Duration(i) * time.Second)
		actions = append(actions, store.CreateRun{Run: dag.Run{
			DAG: "d", ID: dag.ScheduledRunID(date), Type: dag.RunScheduled, Version: 1,
			LogicalDate: date, RunAfter: someTime.Add(time.Duration(i/7) * time.Minute), QueuedAt: someTime,
		}})
	}
	f.equal(len(f.act("d", actions...)), n)
	f.checkCounts("d")
	seen := map[dag.RunID]bool{}
	var after *dag.Run
	for {
		page, total, err := f.Runs(f.ctx(),
			store.RunFilter{DAG: "d", States: []dag.RunState{dag.RunQueued, dag.RunRunning}, Limit: 499, After: after})
		f.ok(err)
		if total < n {
			f.Fatalf("total is %d, want at least %d", total, n)
		}
		if len(page) == 0 {
			break
		}
		for i := range page {
			if seen[page[i].ID] {
				f.Fatalf("run %s was seen twice", page[i].ID)
			}
			if after != nil && page[i].RunAfter.After(after.RunAfter) {
				f.Fatalf("run %s comes after an older one", page[i].ID)
			}
			seen[page[i].ID] = true
			after = &page[i]
		}
		f.trigger("d") // newer than all: must not move the pages
	}
	f.equal(len(seen), n)
}

func testMarkRunning(f fixture) {
	f.define("d", "a", "b", "c")
	r := f.trigger("d")
	tasks := f.start(r, "a", "b", "c")
	f.is(f.SetRunState(f.ctx(), alice, "d", r.ID, dag.RunRunning), dag.ErrInvalid)
	f.is(f.SetRunState(f.ctx(), alice, "d", "absent", dag.RunFailed), dag.ErrNotFound)
	f.is(f.SetRunState(f.ctx(), alice, "absent", r.ID, dag.RunFailed), dag.ErrNotFound)
	f.ok(f.SetRunState(f.ctx(), alice, "d", r.ID, dag.RunFailed))
	f.is(f.SetRunState(f.ctx(), alice, "d", r.ID, dag.RunSuccess), dag.ErrConflict)

	got, err := f.Run(f.ctx(), "d", r.ID)
	f.ok(err)
	if got.State != dag.RunFailed || got.EndedAt.IsZero() || !strings.Contains(got.Reason.String(), "alice") {
		f.Errorf("wrong run: %+v", got)
	}
	f.states("d", r.ID, dag.TaskQueued, dag.TaskSkipped, dag.TaskSkipped)
	ti, err := f.TaskInstance(f.ctx(), "d", r.ID, "b")
	f.ok(err)
	f.equal(ti.Reason.String(), "run was marked failed by alice")

	// The scheduler is shown the run until its attempt has ended.
	state := f.look("d")
	if len(state.Runs) != 1 || state.Runs[0].State != dag.RunFailed || len(state.Runs[0].Tasks) != 3 {
		f.Fatalf("the ended run with an active attempt is not in the snapshot: %+v", state.Runs)
	}
	active, err := f.ActiveDAGs(f.ctx())
	f.ok(err)
	f.equal(active, []dag.ID{"d"})
	f.equal(len(f.act("d", move(tasks[0], dag.TaskFailed))), 1)
	f.equal(len(f.look("d").Runs), 0)
	active, err = f.ActiveDAGs(f.ctx())
	f.ok(err)
	f.equal(len(active), 0)
	f.checkCounts("d")

	// A run that has ended gets the other state.
	f.is(f.SetRunState(f.ctx(), alice, "d", r.ID, dag.RunFailed), dag.ErrConflict)
	f.ok(f.SetRunState(f.ctx(), alice, "d", r.ID, dag.RunSuccess))
	again, err := f.Run(f.ctx(), "d", r.ID)
	f.ok(err)
	f.equal(again.State, dag.RunSuccess)
	f.equal(again.EndedAt, got.EndedAt)
	f.equal(len(f.look("d").Runs), 0)
	f.checkCounts("d")
}

// states compares the states of a run's task instances, in order.
func (f fixture) states(id dag.ID, run dag.RunID, want ...dag.TaskState) {
	f.Helper()
	tasks, err := f.TaskInstances(f.ctx(), id, run)
	f.ok(err)
	var got []dag.TaskState
	for _, ti := range tasks {
		got = append(got, ti.State)
	}
	f.equal(got, want)
}

func testMarkQueued(f fixture) {
	f.define("d", "a", "b")
	r := f.trigger("d")
	f.ok(f.SetRunState(f.ctx(), alice, "d", r.ID, dag.RunSuccess))
	f.states("d", r.ID, dag.TaskSkipped, dag.TaskSkipped)
	f.equal(len(f.act("d", store.StartRun{DAG: "d", Run: r.ID, At: someTime})), 0)
	f.checkCounts("d")
}

func testNote(f fixture) {
	f.define("d", "t")
	r := f.trigger("d")
	f.ok(f.SetRunNote(f.ctx(), alice, "d", r.ID, "first look"))
	got, err := f.Run(f.ctx(), "d", r.ID)
	f.ok(err)
	f.equal(got.Note, "first look")
	f.is(f.SetRunNote(f.ctx(), alice, "d", "absent", ""), dag.ErrNotFound)
}

func testTaskInstances(f fixture) {
	d := newDAG("d", "zebra", "ape")
	d.Tasks[1].Retries = 2
	f.save(file("d.yaml", "1", d))
	r := f.trigger("d")
	tasks, err := f.TaskInstances(f.ctx(), "d", r.ID)
	f.ok(err)
	f.equal(tasks, []dag.TaskInstance{
		{DAG: "d", Run: r.ID, Task: "zebra", MaxTries: 1, Reason: reason.New(reason.WaitsForRun)},
		{DAG: "d", Run: r.ID, Task: "ape", MaxTries: 3, Reason: reason.New(reason.WaitsForRun)},
	})
	tries, err := f.Tries(f.ctx(), "d", r.ID, "ape")
	f.ok(err)
	f.equal(len(tries), 1)

	// A new version does not change what the run consists of.
	f.save(file("d.yaml", "2", newDAG("d", "other")))
	full := dag.TaskInstance{
		DAG: "d", Run: r.ID, Task: "zebra", State: dag.TaskFailed, Try: 2, MaxTries: 4, QueuedAt: someTime,
		StartedAt: someTime.Add(1000), EndedAt: someTime.Add(2000), RetryAt: someTime.Add(3000), ExitCode: -9,
		HasExitCode: true, Reason: reason.New(reason.LogEnds, reason.New(reason.ExitCode, 3), "почему\x00"), Hostname: "host",
		PID: 1 << 20, Lost: 2,
	}
	f.act("d", store.StartRun{DAG: "d", Run: r.ID, At: someTime,
		Tasks: []dag.TaskInstance{full, {DAG: "d", Run: r.ID, Task: "ape", MaxTries: 3}}})
	tasks, err = f.TaskInstances(f.ctx(), "d", r.ID)
	f.ok(err)
	ape := dag.TaskInstance{DAG: "d", Run: r.ID, Task: "ape", MaxTries: 3}
	ape.Reason = dag.WhyNotStarted(d, "ape", map[dag.TaskID]dag.TaskState{"zebra": dag.TaskFailed})
	f.equal(tasks, []dag.TaskInstance{full, ape})
	row, err := f.DAG(f.ctx(), "d")
	f.ok(err)
	f.equal(row.LastTasks, map[dag.TaskState]int{dag.TaskFailed: 1, dag.TaskNone: 1})

	for _, err := range []error{
		second(f.TaskInstance(f.ctx(), "d", r.ID, "absent")), second(f.TaskInstance(f.ctx(), "d", "absent", "ape")),
		second(f.TaskInstance(f.ctx(), "absent", r.ID, "ape")), second(f.Tries(f.ctx(), "d", r.ID, "absent")),
		second(f.TaskInstances(f.ctx(), "d", "absent")),
	} {
		f.is(err, dag.ErrNotFound)
	}
}

func second[T any](_ T, err error) error { return err }

func testAudit(f fixture) {
	f.define("d", "t")
	conf := map[string]any{"PASSWORD": "swordfish", "A": 1}
	r, err := f.TriggerRun(f.ctx(), store.Trigger{DAG: "d", Conf: conf, By: alice})
	f.ok(err)
	f.ok(f.SetRunState(f.ctx(), alice, "d", r.ID, dag.RunFailed))
	f.ok(f.RequestRemoval(f.ctx(), alice, "d"))
	f.save(store.SpecFile{Path: "bad.yaml", Errors: dag.SpecErrors{{File: "bad.yaml", Reason: "bad"}}})
	entries, total, err := f.Audit(f.ctx(), store.AuditFilter{})
	f.ok(err)
	f.equal(total, 4)
	var events []string
	for _, e := range entries {
		events = append(events, e.Event)
		if strings.Contains(e.Extra, "swordfish") {
			f.Errorf("the audit log holds a conf value: %s", e.Extra)
		}
		if e.At.IsZero() || e.ID == 0 {
			f.Errorf("incomplete entry: %+v", e)
		}
	}
	f.equal(events, []string{"import_error", "request_removal", "mark_failed", "trigger"})
	f.equal(entries[0].Extra, `{"path":"bad.yaml","reason":"bad.yaml: bad"}`)
	f.equal(entries[0].DAG, dag.ID(""))
	f.save(store.SpecFile{Path: "d.yaml",
		Errors: dag.SpecErrors{{File: "d.yaml", Line: 2, Reason: strings.Repeat("ü", 400)}, {File: "d.yaml", Reason: "bad"}}})
	broken, _, err := f.Audit(f.ctx(), store.AuditFilter{Event: "import_error", DAG: "d"})
	f.ok(err)
	f.equal(len(broken), 1)
	f.equal(broken[0].Extra, `{"more_errors":1,"path":"d.yaml","reason":"d.yaml:2: `+strings.Repeat("ü", 289)+`…"}`)
	f.equal(entries[3].Extra, `{"conf_keys":["A","PASSWORD"]}`)
	f.equal(entries[3].Run, r.ID)
	rest, _, err := f.Audit(f.ctx(), store.AuditFilter{DAG: "d", Before: entries[1].ID})
	f.ok(err)
	f.equal(len(rest), 2)
	rest, n, err := f.Audit(f.ctx(), store.AuditFilter{Run: r.ID, Event: "mark_failed"})
	f.ok(err)
	f.equal(len(rest), 1)
	f.equal(n, 1)
}

// testTriggerKey repeats a trigger under its key: the same request gets the same run,
// another user's or another DAG's is another, and other values are refused.
func testTriggerKey(f fixture) {
	f.define("d", "t")
	f.define("e", "t")
	tr := store.Trigger{DAG: "d", Key: "k", Conf: map[string]any{"A": 1, "B": []any{1.5, "x"}}, Note: "n", By: alice}
	first, err := f.TriggerRun(f.ctx(), tr)
	f.ok(err)
	again, err := f.TriggerRun(f.ctx(), tr)
	f.ok(err)
	f.equal(again, first)
	_, total, err := f.Audit(f.ctx(), store.AuditFilter{Event: "trigger"})
	f.ok(err)
	f.equal(total, 1)

	other := tr
	other.By = store.Actor{User: "bob", Via: "ui"}
	for _, tr := range []store.Trigger{other, {DAG: "e", Key: "k", By: alice}, {DAG: "d", By: alice},
		{DAG: "d", By: alice}} {
		r, err := f.TriggerRun(f.ctx(), tr)
		f.ok(err)
		if r.DAG == first.DAG && r.ID == first.ID {
			f.Errorf("%+v got the first run", tr)
		}
	}
	tr.Conf = map[string]any{"A": 2}
	f.is(second(f.TriggerRun(f.ctx(), tr)), dag.ErrConflict)
	tr.Conf, tr.Run = nil, "mine"
	f.is(second(f.TriggerRun(f.ctx(), tr)), dag.ErrConflict)
	tr.Key = strings.Repeat("k", 256)
	f.is(second(f.TriggerRun(f.ctx(), tr)), dag.ErrInvalid)
}
