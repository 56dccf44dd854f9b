package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"dagwright/dag"
	"dagwright/store"
)

func feedTests() []test {
	return []test{
		{"the feed tells what was committed, in order", testFeed},
		{"a write that fails is not told", testFeedAfterCommit},
		{"a slow reader learns that it lags", testFeedLag},
		{"closing a subscription", testFeedClose},
		{"a reader that comes back hears what it has missed", testFeedAfter},
		{"the feed keeps the order of commits", testFeedOrder},
		{"a context that has ended writes nothing", testContext},
	}
}

// next waits for a change, and the test's context bounds the wait.
func (f fixture) next(sub *store.Subscription) store.Change {
	f.Helper()
	select {
	case c := <-sub.C:
		return c
	case <-f.ctx().Done():
		f.Fatal("no change was delivered")
	}
	return store.Change{}
}

// listen subscribes for the test and waits until what was committed before has been
// delivered: with PostgreSQL that may come late.
func (f fixture) listen() *store.Subscription {
	f.Helper()
	sub := f.Subscribe()
	f.Cleanup(sub.Close)
	f.ok(f.WantSync(f.ctx()))
	for f.next(sub).Kind != store.ChangeSyncWanted {
	}
	return sub
}

func testFeedAfter(f fixture) {
	sub := f.listen()
	defer sub.Close()
	seq := f.ChangeSeq()
	f.ok(f.WantSync(f.ctx()))
	missed := f.next(sub)
	again := f.SubscribeAfter(seq)
	defer again.Close()
	f.equal(f.next(again), missed)
	f.ok(f.WantSync(f.ctx()))
	f.equal(f.next(again).Seq, missed.Seq+1)
	for _, seq := range []int64{-1, missed.Seq + 1000} {
		lost := f.SubscribeAfter(seq)
		defer lost.Close()
		select {
		case <-lost.Lagged:
		default:
			f.Errorf("behind %d: not told that changes are missing", seq)
		}
	}
}

func testFeed(f fixture) {
	sub := f.listen()
	defer sub.Close()
	f.define("d", "t")
	r := f.trigger("d")
	ti := f.start(r, "t")[0]
	f.act("d", move(ti, dag.TaskSuccess),
		store.EndRun{DAG: "d", Run: r.ID, From: dag.RunRunning, State: dag.RunSuccess, At: someTime})
	f.ok(f.SetPaused(f.ctx(), alice, "d", false))
	id, _ := f.record(push("main", "c1", ""))
	f.ok(f.FinishPushes(f.ctx(), []store.PushResult{{ID: id, State: store.PushRendered, DAG: "d"}}))
	f.save(store.SpecFile{Path: "bad.yaml", Errors: dag.SpecErrors{{Reason: "bad"}}})
	f.ok(f.WantSync(f.ctx()))

	want := []store.Change{
		{Kind: store.ChangeDAG, DAG: "d"},
		{Kind: store.ChangeRun, DAG: "d", Run: r.ID, State: "queued"},
		{Kind: store.ChangeRun, DAG: "d", Run: r.ID, State: "running", Planned: true},
		{Kind: store.ChangeTask, DAG: "d", Run: r.ID, Task: "t", State: "queued", Planned: true},
		{Kind: store.ChangeTask, DAG: "d", Run: r.ID, Task: "t", State: "success", Planned: true},
		{Kind: store.ChangeRun, DAG: "d", Run: r.ID, State: "success", Planned: true},
		{Kind: store.ChangeDAG, DAG: "d"},
		{Kind: store.ChangePush, Project: "gbc/risk/churn-model", State: "pending"},
		{Kind: store.ChangePush, DAG: "d", Project: "gbc/risk/churn-model", State: "rendered"},
		{Kind: store.ChangeSyncWanted},
		{Kind: store.ChangeImportError},
		{Kind: store.ChangeSyncWanted},
	}
	var got []store.Change
	last := int64(0)
	for range want {
		c := f.next(sub)
		if last != 0 && c.Seq != last+1 {
			f.Errorf("change %d follows change %d", c.Seq, last)
		}
		last, c.Seq = c.Seq, 0
		got = append(got, c)
	}
	f.equal(got, want)
}

func testFeedAfterCommit(f fixture) {
	f.define("d", "t")
	sub := f.listen()
	defer sub.Close()
	r := f.trigger("d")
	f.is(f.SetRunState(f.ctx(), alice, "d", "absent", dag.RunFailed), dag.ErrNotFound)
	_, err := f.Advance(f.ctx(), []dag.ID{"d"}, func(store.Snapshot) []store.Action {
		return []store.Action{store.EndRun{DAG: "d", Run: r.ID, From: dag.RunQueued, State: dag.RunFailed, At: someTime}, nil}
	})
	f.is(err, dag.ErrInvalid)
	f.ok(f.WantSync(f.ctx()))
	f.equal(f.next(sub).State, "queued")
	f.equal(f.next(sub).Kind, store.ChangeSyncWanted)
}

func testFeedLag(f fixture) {
	sub, other := f.Subscribe(), f.SubscribeTo(store.Kinds(store.ChangeSyncWanted))
	defer sub.Close()
	defer other.Close()
	const n = 3000
	var files []store.SpecFile
	for i := range n {
		id := numbered("lag", i)
		files = append(files, file(string(id), string(id), newDAG(id, "t")))
	}
	f.save(files...)
	select {
	case <-sub.Lagged:
	case <-f.ctx().Done():
		f.Fatal("the reader was not told that it lags")
	}
	f.ok(f.WantSync(f.ctx()))
	var last store.Change
	got := 0
	for last.Kind != store.ChangeSyncWanted {
		c := f.next(sub)
		if c.Seq <= last.Seq {
			f.Fatalf("change %d came after change %d", c.Seq, last.Seq)
		}
		last = c
		got++
	}
	if got >= n {
		f.Errorf("a slow reader still got %d changes", got)
	}
	// One that wants none of them got none, and did not lag.
	f.equal(f.next(other), last)
	select {
	case <-other.Lagged:
		f.Error("a reader lags through changes that it does not want")
	default:
	}
}

func testFeedClose(f fixture) {
	closed, open := f.Subscribe(), f.Subscribe()
	defer open.Close()
	closed.Close()
	closed.Close()
	f.ok(f.WantSync(f.ctx()))
	f.next(open)
	select {
	case c := <-closed.C:
		f.Errorf("a closed subscription got %+v", c)
	default:
	}
}

// testFeedOrder moves runs of one DAG from several goroutines: the states of
// each run must be delivered in the order in which it passed through them.
func testFeedOrder(f fixture) {
	f.define("d", "t")
	sub := f.listen()
	defer sub.Close()
	const workers, runs = 4, 10
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range runs {
				f.wholeLife(dag.RunID(fmt.Sprintf("run-%d-%d", w, i)))
			}
		})
	}
	states := map[dag.RunID]string{}
	follows := map[string]string{"queued": "", "running": "queued", "success": "running"}
	for range workers * runs * 3 {
		c := f.next(sub)
		if c.Kind != store.ChangeRun {
			f.Fatalf("unexpected change %+v", c)
		}
		if follows[c.State] != states[c.Run] {
			f.Errorf("run %s was reported %s after %q", c.Run, c.State, states[c.Run])
		}
		states[c.Run] = c.State
	}
	wg.Wait()
}

func (f fixture) wholeLife(id dag.RunID) {
	_, err := f.TriggerRun(f.ctx(), store.Trigger{DAG: "d", Run: id, By: alice})
	for _, action := range []store.Action{
		store.StartRun{DAG: "d", Run: id, At: someTime},
		store.EndRun{DAG: "d", Run: id, From: dag.RunRunning, State: dag.RunSuccess, At: someTime},
	} {
		_, e := f.Advance(f.ctx(), []dag.ID{"d"}, func(store.Snapshot) []store.Action { return []store.Action{action} })
		err = errors.Join(err, e)
	}
	if err != nil {
		f.Errorf("run %s: %v", id, err)
	}
}

func testContext(f fixture) {
	f.define("d", "t")
	ctx, cancel := context.WithCancel(f.ctx())
	cancel()
	_, err := f.TriggerRun(ctx, store.Trigger{DAG: "d", By: alice})
	f.is(err, context.Canceled)
	_, _, err = f.Runs(ctx, store.RunFilter{})
	f.is(err, context.Canceled)
	f.equal(f.look("d").Queued, 0)
}
