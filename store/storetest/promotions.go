package storetest

import (
	"time"

	"dagwright/dag"
	"dagwright/store"
)

func testPromotions(f fixture) {
	ask := func(version int, dry bool) int64 {
		f.Helper()
		id, err := f.RequestPromotion(f.ctx(), alice, "d", version, dry)
		f.ok(err)
		return id
	}
	pending := func(now time.Time, want ...int64) (next time.Time) {
		f.Helper()
		got, next, err := f.PendingPromotions(f.ctx(), now)
		f.ok(err)
		var ids []int64
		for _, p := range got {
			ids = append(ids, p.ID)
		}
		f.equal(ids, want)
		return next
	}
	_, err := f.RequestPromotion(f.ctx(), alice, "d", 0, false)
	f.is(err, dag.ErrNotFound)
	_, err = f.Promotions(f.ctx(), "d", 10)
	f.is(err, dag.ErrNotFound)
	f.define("d", "a")
	_, err = f.RequestPromotion(f.ctx(), alice, "d", 7, false)
	f.is(err, dag.ErrConflict)

	changes := f.listen()
	dry, real := ask(0, true), ask(1, false)
	news := f.next(changes)
	f.equal([]string{string(news.Kind), string(news.DAG), news.State}, []string{"promotion", "d", "pending"})
	f.equal([]int64{ask(1, true), ask(0, false)}, []int64{dry, real})
	f.equal(pending(someTime, dry, real), time.Time{})

	again := someTime.Add(time.Minute)
	f.ok(f.FinishPromotion(f.ctx(),
		store.PromotionResult{ID: real, State: store.PromotionPending, Reason: "GitLab is down", RetryAt: again}))
	f.ok(f.FinishPromotion(f.ctx(), store.PromotionResult{ID: dry, State: store.PromotionCompared, Reason: "+ a"}))
	f.equal(pending(someTime), again)
	f.equal(pending(again, real), time.Time{})
	f.ok(f.FinishPromotion(f.ctx(),
		store.PromotionResult{ID: real, State: store.PromotionProposed, MergeRequest: "https://x/1"}))
	f.ok(f.FinishPromotion(f.ctx(), store.PromotionResult{ID: real, State: store.PromotionRefused})) // too late
	pending(again)

	got, err := f.Promotions(f.ctx(), "d", 10)
	f.ok(err)
	if len(got) != 2 || got[0].ID != real || got[0].State != store.PromotionProposed ||
		got[0].MergeRequest != "https://x/1" || got[0].Tries != 1 ||
		got[0].Dry || got[0].By != alice || got[0].Version != 1 || got[0].Path == "" || got[0].DAGCommit == "" ||
		got[0].FinishedAt.IsZero() ||
		got[1].ID != dry || !got[1].Dry || got[1].Reason != "+ a" {
		f.Errorf("promotions: %+v", got)
	}
	for event, want := range map[string]int{"promote": 1, "compare_promotion": 1} {
		_, n, err := f.Audit(f.ctx(), store.AuditFilter{Event: event})
		f.ok(err)
		f.equal(n, want)
	}
	f.remove(got[0].Path)
	_, err = f.RequestPromotion(f.ctx(), alice, "d", 0, false)
	f.is(err, dag.ErrConflict)
	f.ok(f.DeleteDAG(f.ctx(), alice, "d"))
	_, err = f.Promotions(f.ctx(), "d", 10)
	f.is(err, dag.ErrNotFound)
}
