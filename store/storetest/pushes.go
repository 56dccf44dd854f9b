package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dagwright/dag"
	"dagwright/store"
)

func pushTests() []test {
	return []test{
		{"a push comes back as it was recorded", testPushRoundTrip},
		{"a repeated push is recorded once", testPushRepeats},
		{"a hook names the author of a push that was found before it came", testPushAuthor},
		{"a push that many report at once is recorded once", testPushRace},
		{"the life of a push", testPushLife},
		{"push filters", testPushFilters},
		{"provenance and names", testSpecs},
		{"a name belongs to one project", testClaims},
	}
}

func push(branch, commit, delivery string) store.Push {
	return store.Push{
		ProjectID: 7, Project: "gbc/risk/churn-model", Branch: branch, Before: "b0", Commit: commit,
		Delivery: delivery, User: "bob", Title: "Fix <it>", ReceivedAt: someTime,
	}
}

func (f fixture) record(p store.Push) (int64, bool) {
	f.Helper()
	id, created, err := f.RecordPush(f.ctx(), p)
	f.ok(err)
	return id, created
}

func testPushRoundTrip(f fixture) {
	p := push("main", "c1", "k1")
	p.ID, _ = f.record(p)
	p.State = store.PushPending
	got, err := f.PendingPushes(f.ctx(), someTime, 10)
	f.ok(err)
	f.equal(got, []store.Push{p})
	deleted := store.Push{ProjectID: 7, Project: "p", Branch: "main", Commit: strings.Repeat("0", 40), Deleted: true}
	f.record(deleted)
	got, err = f.Pushes(f.ctx(), store.PushFilter{Limit: 1})
	f.ok(err)
	if !got[0].Deleted || got[0].ReceivedAt.IsZero() {
		f.Errorf("wrong push: %+v", got[0])
	}
}

func testPushAuthor(f fixture) {
	for _, state := range []store.PushState{store.PushPending, store.PushRendered} {
		branch := "branch-" + string(state)
		found := push(branch, "c1", "")
		found.User, found.Title, found.Via = "", "", store.ViaReconciler
		id, _ := f.record(found)
		if state != store.PushPending {
			f.finish(id, state)
		}
		hook := push(branch, "c1", "key-"+branch)
		hook.User, hook.Title = "ann", "Score twice"
		if same, created := f.record(hook); created || same != id {
			f.Errorf("%s: the hook of push %d is push %d, created %v", state, id, same, created)
		}
		other := hook
		other.User, other.Title, other.Delivery = "eve", "Mine", "again-"+branch
		f.record(other)
		all, err := f.Pushes(f.ctx(), store.PushFilter{})
		f.ok(err)
		for _, p := range all {
			if p.ID == id && (p.User != "ann" || p.Title != "Score twice" || p.State != state) {
				f.Errorf("push %d is of %q, %q, %s; want ann's, and %s as before", id, p.User, p.Title, p.State, state)
			}
		}
	}
}

func testPushRepeats(f fixture) {
	first, created := f.record(push("main", "c1", "k1"))
	if !created {
		f.Fatal("the first push is not a repeat")
	}
	for _, c := range []struct {
		name string
		push store.Push
		same bool
	}{
		{"same delivery, other commit", push("main", "c9", "k1"), true},
		{"same commit, other delivery", push("main", "c1", "k2"), true},
		{"same commit, no delivery", push("main", "c1", ""), true},
		{"other branch", push("retrain", "c1", "k3"), false},
	} {
		id, created := f.record(c.push)
		if created == c.same || (id == first) != c.same {
			f.Errorf("%s: id %d (first %d), created %v", c.name, id, first, created)
		}
	}
	f.finish(first, store.PushRendered)
	if _, created := f.record(push("main", "c1", "k4")); created {
		f.Error("a repeat of what was rendered last was recorded again")
	}
	next, _ := f.record(push("main", "c2", ""))
	if _, created := f.record(push("main", "c1", "")); !created {
		f.Error("a push back to an older commit was taken for a repeat")
	}
	f.finish(next, store.PushRendered)
	// A repeat of a refused push is a repeat all the same.
	id, _ := f.record(push("main", "c3", ""))
	f.ok(f.FinishPushes(f.ctx(), []store.PushResult{{ID: id, State: store.PushRefused, Reason: "no"}}))
	older, err := f.PendingPushes(f.ctx(), time.Now(), 10)
	f.ok(err)
	for _, p := range older {
		f.finish(p.ID, store.PushSuperseded)
	}
	if again, created := f.record(push("main", "c3", "")); created || again != id {
		f.Error("a repeat of a refused push was recorded again")
	}
}

func testPushRace(f fixture) {
	var made atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			delivery := ""
			if i%2 == 0 {
				delivery = "same"
			}
			_, created, err := f.RecordPush(f.ctx(), push("main", "c1", delivery))
			if err != nil {
				f.Errorf("record push: %v", err)
			}
			if created {
				made.Add(1)
			}
		})
	}
	wg.Wait()
	f.equal(made.Load(), int64(1))
}

func testPushLife(f fixture) {
	id, _ := f.record(push("main", "c1", ""))
	later := someTime.Add(time.Hour)
	f.ok(f.FinishPushes(f.ctx(),
		[]store.PushResult{{ID: id, State: store.PushPending, RetryAt: later, Reason: "GitLab is down"}}))
	waiting, err := f.PendingPushes(f.ctx(), someTime, 10)
	f.ok(err)
	f.equal(len(waiting), 0)
	waiting, err = f.PendingPushes(f.ctx(), later, 10)
	f.ok(err)
	if len(waiting) != 1 || waiting[0].Tries != 1 || waiting[0].Reason != "GitLab is down" ||
		!waiting[0].FinishedAt.IsZero() {
		f.Fatalf("wrong pending pushes: %+v", waiting)
	}
	spec := store.Spec{DAG: "churn-model", ProjectID: 7, Path: "dags/x.yaml", DAGCommit: "d1", UpdatedAt: someTime,
		Source: dag.Source{Project: "gbc/risk/churn-model", Branch: "main", Commit: "c1"}, Template: "default",
		TemplateDigest: "ab"}
	done := store.PushResult{ID: id, State: store.PushRendered, DAG: "churn-model", DAGCommit: "d1",
		Specs: []store.Spec{spec}}
	f.ok(f.FinishPushes(f.ctx(), []store.PushResult{done}))
	late := store.PushResult{ID: id, State: store.PushRefused, Reason: "late"}
	f.ok(f.FinishPushes(f.ctx(), []store.PushResult{late}))
	got, err := f.Pushes(f.ctx(), store.PushFilter{})
	f.ok(err)
	p := got[0]
	if p.State != store.PushRendered || p.Tries != 1 || p.FinishedAt.IsZero() || !p.RetryAt.IsZero() || p.Reason != "" ||
		p.DAG != "churn-model" || p.DAGCommit != "d1" {
		f.Errorf("wrong finished push: %+v", p)
	}
	stored, err := f.Spec(f.ctx(), "churn-model")
	f.ok(err)
	f.equal(stored, spec)
}

func testPushFilters(f fixture) {
	var all []int64
	for _, commit := range []string{"1", "2", "3", "4"} {
		id, _ := f.record(push("main", commit, ""))
		all = append(all, id)
	}
	other := push("main", "1", "")
	other.ProjectID, other.Project = 8, "gbc/Fraud"
	last, _ := f.record(other)
	f.ok(f.FinishPushes(f.ctx(), []store.PushResult{{ID: all[1], State: store.PushSuperseded}}))
	for _, c := range []struct {
		name   string
		filter store.PushFilter
		want   []int64
	}{
		{"none", store.PushFilter{}, []int64{last, all[3], all[2], all[1], all[0]}},
		{"project", store.PushFilter{Project: "fraud"}, []int64{last}},
		{"states", store.PushFilter{States: []store.PushState{store.PushSuperseded, store.PushRefused}}, []int64{all[1]}},
		{"keyset", store.PushFilter{Before: all[3], Limit: 2}, []int64{all[2], all[1]}},
	} {
		got, err := f.Pushes(f.ctx(), c.filter)
		f.ok(err)
		var ids []int64
		for _, p := range got {
			ids = append(ids, p.ID)
		}
		f.equal(ids, c.want)
	}
}

func testSpecs(f fixture) {
	_, err := f.Spec(f.ctx(), "x")
	f.is(err, dag.ErrNotFound)
	f.ok(f.ClaimSpec(f.ctx(), store.Spec{DAG: "x", ProjectID: 1, Source: dag.Source{Project: "p"}}))
	f.ok(f.ClaimSpec(f.ctx(), store.Spec{DAG: "a", ProjectID: 1}))
	specs, err := f.Specs(f.ctx())
	f.ok(err)
	if len(specs) != 2 || specs[0].DAG != "a" || specs[1].DAGCommit != "" {
		f.Errorf("wrong specs: %+v", specs)
	}
	f.ok(f.ReleaseSpec(f.ctx(), "x"))
	f.ok(f.ReleaseSpec(f.ctx(), "x"))
	_, err = f.Spec(f.ctx(), "x")
	f.is(err, dag.ErrNotFound)
}

func testClaims(f fixture) {
	claim := func(ctx context.Context, id int64, project string) error {
		return f.ClaimSpec(ctx, store.Spec{DAG: "x", ProjectID: id, Source: dag.Source{Project: project}})
	}
	f.ok(claim(f.ctx(), 1, "a/x"))
	f.ok(claim(f.ctx(), 1, "a/x"))
	f.ok(claim(f.ctx(), 1, "renamed/x"))
	err := claim(f.ctx(), 2, "b/x")
	f.is(err, dag.ErrConflict)
	if !strings.Contains(err.Error(), "a/x") || !strings.Contains(err.Error(), "b/x") {
		f.Errorf("error %q does not name both projects", err)
	}
	like := store.Spec{DAG: "X", ProjectID: 3, Source: dag.Source{Project: "c/X"}}
	if err := f.ClaimSpec(f.ctx(), like); !errors.Is(err, dag.ErrConflict) ||
		!strings.Contains(err.Error(), "upper and lower case alone") {
		f.Errorf("a name that differs by case alone: %v", err)
	}
	if _, err := f.Spec(f.ctx(), "X"); !errors.Is(err, dag.ErrNotFound) {
		f.Errorf("the refused claim left something: %v", err)
	}
	id, _ := f.record(push("main", "c1", ""))
	stolen := store.PushResult{ID: id, State: store.PushRendered, Specs: []store.Spec{{DAG: "x", ProjectID: 2}}}
	f.is(f.FinishPushes(f.ctx(), []store.PushResult{stolen}), dag.ErrConflict)
	pending, err := f.PendingPushes(f.ctx(), someTime, 10)
	f.ok(err)
	f.equal(len(pending), 1)
}
