package storetest

import (
	"context"
	"errors"
	"strings"
	"time"

	"dagwright/dag"
	"dagwright/store"
)

func backfillTests() []test {
	return []test{
		{"a backfill's runs", testBackfill},
		{"a backfill of dates that have runs", testBackfillReprocess},
		{"pausing and cancelling a backfill", testBackfillActs},
		{"backfills that are refused", testBackfillRefused},
		{"a backfill and a clear that are asked for twice", testRangeTwice},
	}
}

// days are n dates, a day apart.
func days(n int) []store.NextRun {
	var dates []store.NextRun
	for i := range n {
		at := time.Date(2026, 1, 1+i, 6, 0, 0, 0, time.UTC)
		dates = append(dates, store.NextRun{LogicalDate: at, RunAfter: at, Interval: dag.DataInterval{Start: at, End: at}})
	}
	return dates
}

func request(dates []store.NextRun) store.BackfillRequest {
	return store.BackfillRequest{
		DAG: "d", From: dates[0].LogicalDate, To: dates[len(dates)-1].LogicalDate, Dates: dates,
		Conf: map[string]any{"REGION": "north"}, Reprocess: store.ReprocessNone, MaxActiveRuns: 2, By: alice,
	}
}

// backfillIDs are the runs of the snapshot that are in its backfill.
func (f fixture) backfillIDs() []dag.RunID {
	f.Helper()
	var ids []dag.RunID
	for _, r := range f.look("d").Runs {
		if r.InBackfill {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

func testBackfill(f fixture) {
	f.define("d", "a")
	b, err := f.CreateBackfill(f.ctx(), request(days(3)))
	f.ok(err)
	if b.ID == 0 || b.User != "alice" || b.Conf["REGION"] != "north" || !b.CompletedAt.IsZero() || b.Paused {
		f.Errorf("the backfill is %+v", b)
	}
	f.checkCounts("d")
	r, err := f.Run(f.ctx(), "d", "backfill__2026-01-02T06:00:00+00:00")
	f.ok(err)
	if r.Type != dag.RunBackfill || r.TriggeredBy != "backfill" || r.Reason.IsZero() || r.Conf["REGION"] != "north" {
		f.Errorf("a run of it is %+v", r)
	}
	// The snapshot shows as many as may start, beside the DAG's own.
	own := f.trigger("d")
	state := f.look("d")
	f.equal(state.Queued, 1)
	f.equal(*state.Backfill, store.BackfillState{ID: b.ID, MaxActiveRuns: 2, Queued: 3})
	f.equal(state.Runs[0].ID, own.ID)
	f.equal(f.backfillIDs(), []dag.RunID{"backfill__2026-01-01T06:00:00+00:00", "backfill__2026-01-02T06:00:00+00:00"})

	for _, date := range days(3) {
		id := dag.BackfillRunID(date.RunAfter)
		f.equal(len(f.act("d", store.StartRun{DAG: "d", Run: id, At: someTime},
			store.EndRun{DAG: "d", Run: id, From: dag.RunRunning, State: dag.RunSuccess, At: someTime})), 2)
	}
	done, err := f.Backfill(f.ctx(), b.ID)
	f.ok(err)
	if done.CompletedAt.IsZero() || f.look("d").Backfill != nil {
		f.Errorf("after its last run the backfill is not completed: %+v", done)
	}
	list, total, err := f.Backfills(f.ctx(), "d", 10, 0)
	f.ok(err)
	f.equal(total, 1)
	f.equal(list[0], done)
}

func testBackfillReprocess(f fixture) {
	f.define("d", "a")
	dates := days(3)
	for i, state := range []dag.RunState{dag.RunFailed, dag.RunSuccess} {
		r, err := f.TriggerRun(f.ctx(), store.Trigger{DAG: "d", LogicalDate: dates[i].LogicalDate, By: alice})
		f.ok(err)
		f.equal(len(f.act("d",
			store.StartRun{DAG: "d", Run: r.ID, At: someTime,
				Tasks: []dag.TaskInstance{{DAG: "d", Run: r.ID, Task: "a", State: dag.TaskState(state), Try: 1}}},
			store.EndRun{DAG: "d", Run: r.ID, From: dag.RunRunning, State: state, At: someTime})), 2)
	}
	wanted := map[store.Reprocess]int{store.ReprocessNone: 1, store.ReprocessFailed: 2, store.ReprocessCompleted: 3}
	for how, n := range wanted {
		req := request(dates)
		req.Reprocess = how
		chosen, err := f.BackfillChoice(f.ctx(), req)
		f.ok(err)
		f.equal(len(chosen), n)
	}
	req := request(dates)
	req.Reprocess, req.MaxActiveRuns, req.Backwards = store.ReprocessFailed, 5, true
	_, err := f.CreateBackfill(f.ctx(), req)
	f.ok(err)
	f.checkCounts("d")
	ids := f.backfillIDs()
	f.equal(len(ids), 2)
	cleared, err := f.Run(f.ctx(), "d", ids[0]) // it was triggered just now
	f.ok(err)
	f.equal(cleared.Type, dag.RunBackfill)
	f.equal(cleared.State, dag.RunQueued)
	f.equal(cleared.LogicalDate, dates[0].LogicalDate)
}

func testBackfillActs(f fixture) {
	f.define("d", "a")
	b, err := f.CreateBackfill(f.ctx(), request(days(3)))
	f.ok(err)
	first := dag.BackfillRunID(days(1)[0].RunAfter)
	f.act("d", store.StartRun{DAG: "d", Run: first, At: someTime,
		Tasks: []dag.TaskInstance{{DAG: "d", Run: first, Task: "a"}}})
	paused, err := f.PauseBackfill(f.ctx(), alice, b.ID, true)
	f.ok(err)
	f.equal(paused.Paused, true)
	f.equal(f.backfillIDs(), []dag.RunID{first}) // which runs
	_, err = f.PauseBackfill(f.ctx(), alice, b.ID, false)
	f.ok(err)
	f.equal(len(f.backfillIDs()), 2) // no more than have a slot, which is one

	cancelled, err := f.CancelBackfill(f.ctx(), alice, b.ID)
	f.ok(err)
	if cancelled.CompletedAt.IsZero() {
		f.Error("the cancelled backfill is not completed")
	}
	f.checkCounts("d")
	counts, err := f.RunCounts(f.ctx(), []dag.ID{"d"})
	f.ok(err)
	f.equal(counts["d"], map[dag.RunState]int{dag.RunRunning: 1, dag.RunFailed: 2})
	for _, again := range []func() error{
		func() error { _, err := f.CancelBackfill(f.ctx(), alice, b.ID); return err },
		func() error { _, err := f.PauseBackfill(f.ctx(), alice, b.ID, true); return err },
	} {
		if err := again(); !errors.Is(err, store.ErrCompleted) || !errors.Is(err, dag.ErrConflict) {
			f.Errorf("after the end: %v", err)
		}
	}
	_, err = f.CancelBackfill(f.ctx(), alice, b.ID+1)
	f.is(err, dag.ErrNotFound)
}

// A range has other dates and runs when it is asked for once more: under the same key it is
// the same act all the same.
func testRangeTwice(f fixture) {
	f.define("d", "a")
	ctx := store.WithKey(f.ctx(), "a key", "POST /backfills")
	first, later := request(days(2)), request(days(3))
	later.To = first.To
	b, err := f.CreateBackfill(ctx, first)
	f.ok(err)
	again, err := f.CreateBackfill(ctx, later)
	f.ok(err)
	f.equal(again.ID, b.ID)
	_, total, err := f.Runs(f.ctx(), store.RunFilter{DAG: "d"})
	f.ok(err)
	f.equal(total, 2)

	r := failedRun(f)
	clear := store.Clear{DAG: r.DAG, OnlyFailed: true, Range: "all", By: alice}
	cleared, err := f.ClearRuns(ctx, clear, []dag.RunID{r.ID})
	f.ok(err)
	f.equal(len(cleared), 2)
	more := f.trigger(r.DAG)
	repeated, err := f.ClearRuns(ctx, clear, []dag.RunID{r.ID, more.ID})
	f.ok(err)
	f.equal(repeated, cleared)

	acted := func(ctx context.Context, by store.Actor, want bool) {
		f.Helper()
		got, err := f.Acted(ctx, by)
		f.ok(err)
		f.equal(got, want)
	}
	acted(ctx, alice, true)
	acted(ctx, store.Actor{User: "bob"}, false)
	acted(store.WithKey(f.ctx(), "a key", "DELETE /backfills"), alice, false)
	acted(store.WithKey(f.ctx(), "another", "POST /backfills"), alice, false)
	acted(f.ctx(), alice, false)
}

func testBackfillRefused(f fixture) {
	f.define("d", "a")
	req := request(days(1))
	req.DAG = "absent"
	_, err := f.CreateBackfill(f.ctx(), req)
	f.is(err, dag.ErrNotFound)
	req = request(days(1))
	req.MaxActiveRuns = 0
	_, err = f.CreateBackfill(f.ctx(), req)
	f.is(err, dag.ErrInvalid)
	_, err = f.BackfillChoice(f.ctx(), req)
	f.is(err, dag.ErrInvalid)
	for _, conf := range []map[string]any{{"a b": 1}, {"PATH": "/x"}, {"big": strings.Repeat("x", 1<<20)}} {
		req = request(days(1))
		req.Conf = conf
		_, err = f.CreateBackfill(f.ctx(), req)
		f.is(err, dag.ErrInvalid)
		_, err = f.BackfillChoice(f.ctx(), req)
		f.is(err, dag.ErrInvalid)
	}
	_, err = f.CreateBackfill(f.ctx(), request(days(1)))
	f.ok(err)
	_, err = f.CreateBackfill(f.ctx(), request(days(2)))
	f.is(err, dag.ErrConflict)
	_, err = f.Backfill(f.ctx(), 99)
	f.is(err, dag.ErrNotFound)
}
