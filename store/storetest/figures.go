package storetest

import (
	"time"

	"dagwright/dag"
	"dagwright/store"
)

func figureTests() []test {
	return []test{
		{"figures count what there is", testFigures},
		{"a delivered push counts within the time of its commit", testDeliveredPushes},
	}
}

func testFigures(f fixture) {
	counts := func(queued, running int) map[string]int { return map[string]int{"queued": queued, "running": running} }
	want := func(want store.Figures) {
		f.Helper()
		got, err := f.Figures(f.ctx())
		f.ok(err)
		f.equal(got, want)
	}
	want(store.Figures{Runs: counts(0, 0), Tasks: counts(0, 0)})
	f.define("a", "one", "two")
	f.define("b", "one")
	f.define("gone", "one")
	f.remove("gone.yaml")
	f.save(store.SpecFile{Path: "broken.yaml", Blob: "x", Errors: dag.SpecErrors{{File: "broken.yaml", Reason: "wrong"}}})
	f.ok(f.SetRepositoryFault(f.ctx(), "gone"))
	f.act("a", store.SetNext{DAG: "a", Next: store.NextRun{RunAfter: someTime}})
	f.act("b", store.SetNext{DAG: "b", Next: store.NextRun{RunAfter: someTime.Add(-time.Hour)}})
	f.ok(f.SetPaused(f.ctx(), alice, "a", false))
	f.start(f.trigger("a"), "one", "two")
	f.trigger("a")
	f.record(push("main", "c1", ""))
	want(store.Figures{
		Runs: counts(1, 1), Tasks: counts(1, 0), ActiveDAGs: 1, PausedDAGs: 1, ArchivedDAGs: 1,
		PendingPushes: 1, OldestPush: someTime, BrokenFiles: 1, RepositoryFault: true, Due: someTime,
	})
}

func testDeliveredPushes(f fixture) {
	began := time.Now().Add(-time.Minute)
	rendered, _ := f.record(push("main", "c1", ""))
	refused, _ := f.record(push("retrain", "c2", ""))
	f.record(push("main", "c3", ""))
	f.finish(rendered, store.PushRendered)
	f.finish(refused, store.PushRefused)
	for _, c := range []struct{ from, to time.Time }{
		{began, began.Add(time.Second)}, {began, began.Add(time.Hour)}, {began.Add(time.Hour), began.Add(2 * time.Hour)},
	} {
		received, err := f.DeliveredPushes(f.ctx(), c.from, c.to)
		f.ok(err)
		if c.from.Equal(began) && c.to.Equal(began.Add(time.Hour)) {
			f.equal(received, []time.Time{someTime})
		} else {
			f.equal(len(received), 0)
		}
	}
}
