package storetest

import (
	"strings"
	"time"

	"dagwright/dag"
	"dagwright/store"
)

func pushWorkTests() []test {
	return []test{
		{"the settled commit is that of the push worked on last", testSettledCommit},
		{"a branch stands at a refused push until it is mended", testRefusals},
		{"a replay is a push of its own", testReplay},
		{"a skipped push leaves the branch at what it was", testSkips},
		{"a skipped push is recorded once", testSkipRepeats},
		{"a fleet is recorded once a branch", testRerender},
		{"a push that is pending is reported again", testPendingRepeat},
		{"a dry run is not a push of the branch", testDryRun},
		{"reports are asked for until they are written", testReports},
		{"a push gives up and takes over names", testReleased},
		{"a renamed project's push is not a repeat", testRenamedPush},
		{"previews", testPreviews},
		{"projects", testProjects},
		{"promotions", testPromotions},
	}
}

func (f fixture) finish(id int64, state store.PushState) {
	f.Helper()
	f.ok(f.FinishPushes(f.ctx(), []store.PushResult{{ID: id, State: state}}))
}

func testSettledCommit(f fixture) {
	settled := func(want string) {
		f.Helper()
		got, err := f.SettledPush(f.ctx(), 7, "main")
		f.ok(err)
		f.equal(got.Commit, want)
	}
	settled("")
	first, _ := f.record(push("main", "c1", ""))
	settled("")
	f.finish(first, store.PushRendered)
	settled("c1")
	second, _ := f.record(push("main", "c2", ""))
	f.finish(second, store.PushSuperseded)
	settled("c1")
	third, _ := f.record(push("main", "c3", ""))
	f.finish(third, store.PushRefused)
	settled("c3")
	other, _ := f.record(push("retrain", "c4", ""))
	f.finish(other, store.PushRendered)
	settled("c3")
}

func testRefusals(f fixture) {
	standing := func(filter store.RefusalFilter, want ...string) {
		f.Helper()
		pushes, total, err := f.Refusals(f.ctx(), filter)
		f.ok(err)
		got := []string{}
		for _, p := range pushes {
			got = append(got, p.Commit)
		}
		f.equal(got, append([]string{}, want...))
		f.equal(total, len(want))
	}
	all := store.RefusalFilter{}
	push1 := push("main", "c1", "")
	first, _ := f.record(push1)
	f.finish(first, store.PushRendered)
	second, _ := f.record(push("main", "c2", ""))
	standing(all)
	f.finish(second, store.PushRefused)
	standing(all, "c2")
	other, _ := f.record(push("retrain", "c3", ""))
	f.finish(other, store.PushRefused)
	standing(all, "c3", "c2")
	standing(store.RefusalFilter{Project: push1.Project, Branch: "main"}, "c2")
	standing(store.RefusalFilter{Project: "gbc/other"})
	// Until what comes next is worked on, and when that is skipped, it stands.
	next, _ := f.record(push("main", "c4", ""))
	standing(all, "c3", "c2")
	f.finish(next, store.PushSuperseded)
	standing(all, "c3", "c2")
	mended, _ := f.record(push("main", "c5", ""))
	f.finish(mended, store.PushUnchanged)
	standing(all, "c3")
}

func testReplay(f fixture) {
	id, _ := f.record(push("main", "c1", "key"))
	_, err := f.ReplayPush(f.ctx(), alice, id)
	f.is(err, dag.ErrConflict)
	_, err = f.ReplayPush(f.ctx(), alice, id+100)
	f.is(err, dag.ErrNotFound)
	f.finish(id, store.PushRefused)
	again, err := f.ReplayPush(f.ctx(), alice, id)
	f.ok(err)
	got, err := f.PendingPushes(f.ctx(), time.Now(), 10)
	f.ok(err)
	if len(got) != 1 || got[0].ID != again || got[0].Commit != "c1" || got[0].Via != store.ViaReplay ||
		got[0].User != "alice" {
		f.Errorf("replayed: %+v", got)
	}
	entries, _, err := f.Audit(f.ctx(), store.AuditFilter{Event: "replay_push"})
	f.ok(err)
	f.equal(len(entries), 1)
}

// skip records a push that asks not to be rendered.
func (f fixture) skip(before, commit, delivery string) (int64, bool) {
	f.Helper()
	p := push("main", commit, delivery)
	p.Before, p.Reason, p.Via = before, store.SkippedByOption, store.ViaWebhook
	id, created, err := f.RecordSkip(f.ctx(), p)
	f.ok(err)
	return id, created
}

func (f fixture) wanted(head, want string) {
	f.Helper()
	got, err := f.WantedHead(f.ctx(), 7, "main", head)
	f.ok(err)
	if got.Commit != want || got.Gone != (want == "") {
		f.Fatalf("with head %s, %+v is wanted, want %q", head, got, want)
	}
}

func testSkips(f fixture) {
	f.wanted("c1", "c1")
	first, _ := f.record(push("main", "c1", ""))
	f.finish(first, store.PushRendered)
	skipped, created := f.skip("c1", "c2", "k2")
	f.equal(created, true)
	f.skip("c2", "c3", "k3")
	f.wanted("c2", "c1")
	f.wanted("c3", "c1")
	f.wanted("c4", "c4") // was pushed without the wish
	settled, err := f.SettledPush(f.ctx(), 7, "main")
	f.ok(err)
	f.equal(settled.Commit, "c1")
	got, err := f.Pushes(f.ctx(), store.PushFilter{States: []store.PushState{store.PushSkipped}})
	f.ok(err)
	if len(got) != 2 || got[1].ID != skipped || got[1].Reason == "" || got[1].FinishedAt.IsZero() {
		f.Errorf("skipped: %+v", got)
	}
	pending, err := f.PendingPushes(f.ctx(), time.Now(), 10)
	f.ok(err)
	f.equal(len(pending), 0)

	_, err = f.ReplayPush(f.ctx(), alice, got[0].ID)
	f.ok(err)
	f.wanted("c3", "c3") // somebody wants it after all
	f.wanted("c2", "c1")
	f.skip(strings.Repeat("0", 40), "c5", "")
	f.wanted("c5", "") // the branch is new
	f.skip("", "c6", "")
	f.wanted("c6", "") // nobody said what was before: what was recorded last
	f.skip("c8", "c7", "")
	f.skip("c7", "c8", "")
	f.wanted("c7", "c1") // a circle
	job := push("main", "c2", "")
	job.Via = store.ViaCI
	f.record(job)
	f.wanted("c2", "c2")
}

func testSkipRepeats(f fixture) {
	found := push("main", "c2", "")
	found.Via = store.ViaReconciler
	pending, _ := f.record(found)
	id, created := f.skip("c1", "c2", "k2")
	if !created || id != pending {
		f.Fatalf("id %d, created %v; want the push %d that the reconciler found", id, created, pending)
	}
	f.wanted("c2", "c1")
	for _, delivery := range []string{"k2", "k3"} {
		if again, created := f.skip("c1", "c2", delivery); created || again != id {
			f.Errorf("told again by %s: id %d, created %v", delivery, again, created)
		}
	}
	if _, created := f.record(push("main", "c2", "k2")); created {
		f.Error("the same delivery was recorded twice")
	}
	if _, created := f.record(push("main", "c2", "k4")); !created {
		f.Error("a push without the wish was taken for a repeat of a skipped one")
	}
	f.wanted("c2", "c2")
}

func testRerender(f fixture) {
	for id, branch := range map[dag.ID]string{"a": "main", "b": "main", "c": "retrain"} {
		f.ok(f.ClaimSpec(f.ctx(),
			store.Spec{DAG: id, ProjectID: 7, Source: dag.Source{Project: "g/p", Branch: branch, Commit: "c1"}}))
	}
	ids, err := f.RerenderPushes(f.ctx(), alice, []dag.ID{"a", "b", "c", "unknown"}, store.ViaOverwrite)
	f.ok(err)
	f.equal(len(ids), 2)
	got, err := f.PendingPushes(f.ctx(), time.Now(), 10)
	f.ok(err)
	for _, p := range got {
		if p.Via != store.ViaOverwrite || p.Commit != "c1" || p.Project != "g/p" {
			f.Errorf("push %+v", p)
		}
	}
	specs, err := f.Specs(f.ctx())
	f.ok(err)
	f.equal(store.MatchSpecs(specs, "c"), []dag.ID{"c"})
	f.equal(store.MatchSpecs(specs, "g/p"), []dag.ID{"a", "b", "c"})
}

func testPendingRepeat(f fixture) {
	first, _ := f.record(push("main", "c1", ""))
	f.record(push("main", "c2", ""))
	again, created := f.record(push("main", "c1", ""))
	if created || again != first {
		f.Fatalf("id %d, created %v; want a repeat of %d", again, created, first)
	}
	// A reader of the branch's head from before that may not supersede it.
	f.finish(first, store.PushSuperseded)
	pending, err := f.PendingPushes(f.ctx(), time.Now(), 10)
	f.ok(err)
	if len(pending) != 2 || pending[0].Repeats != 1 {
		f.Fatalf("pending: %+v", pending)
	}
	f.ok(f.FinishPushes(f.ctx(), []store.PushResult{{ID: first, State: store.PushSuperseded, Repeats: 1}}))
	pending, err = f.PendingPushes(f.ctx(), time.Now(), 10)
	f.ok(err)
	f.equal(len(pending), 1)
	if _, created := f.record(push("main", "c1", "")); !created {
		f.Error("a push back to a commit that was superseded was taken for a repeat")
	}
}

func testDryRun(f fixture) {
	id, _ := f.record(push("main", "c1", ""))
	f.finish(id, store.PushRendered)
	f.ok(f.ClaimSpec(f.ctx(),
		store.Spec{DAG: "a", ProjectID: 7,
			Source: dag.Source{Project: "gbc/risk/churn-model", Branch: "main", Commit: "c9"}}))
	ids, err := f.RerenderPushes(f.ctx(), alice, []dag.ID{"a"}, store.ViaDryRun)
	f.ok(err)
	if _, created := f.record(push("main", "c9", "")); !created {
		f.Error("a push was taken for a repeat of a dry run")
	}
	f.finish(ids[0], store.PushCompared)
	settled, err := f.SettledPush(f.ctx(), 7, "main")
	f.ok(err)
	f.equal(settled.Commit, "c1")
}

func testReports(f fixture) {
	id, _ := f.record(push("main", "c1", ""))
	unreported := func(now time.Time, want int) {
		f.Helper()
		got, err := f.UnreportedPushes(f.ctx(), someTime.Add(-time.Hour), now, 10)
		f.ok(err)
		f.equal(len(got), want)
	}
	now := time.Now()
	unreported(now, 1)
	f.ok(f.WriteReports(f.ctx(), []store.Report{{ID: id, State: store.PushPending}}))
	unreported(now, 0)
	f.finish(id, store.PushRendered)
	unreported(now, 1)
	f.ok(f.WriteReports(f.ctx(), []store.Report{{ID: id, Failed: true}}))
	unreported(now, 0)
	unreported(now.Add(time.Minute), 1)
	f.ok(f.WriteReports(f.ctx(), []store.Report{{ID: id, State: store.PushRendered}}))
	unreported(now.Add(time.Hour), 0)
	old, err := f.UnreportedPushes(f.ctx(), someTime.Add(time.Hour), now, 10)
	f.ok(err)
	f.equal(len(old), 0)

	again, err := f.ReplayPush(f.ctx(), alice, id)
	f.ok(err)
	for push, want := range map[int64]bool{id: false, again: true} {
		p := store.Push{ID: push, ProjectID: 7, Branch: "main", Commit: "c1"}
		newest, err := f.NewestOfCommit(f.ctx(), p)
		f.ok(err)
		f.equal(newest, want)
	}
}

func testReleased(f fixture) {
	f.ok(f.ClaimSpec(f.ctx(), store.Spec{DAG: "old", ProjectID: 7}))
	id, _ := f.record(push("main", "c1", ""))
	spec := store.Spec{DAG: "new", ProjectID: 7, Content: "new: {}", Previous: "old: {}", Model: "new", ModelPath: "m/new",
		MergeRequest: "https://x/1",
		UpdatedAt:    someTime, Source: dag.Source{Branch: "main"}}
	f.ok(f.FinishPushes(f.ctx(), []store.PushResult{{
		ID: id, State: store.PushProposed, MergeRequest: "https://x/1", Specs: []store.Spec{spec}, Released: []dag.ID{"old"},
	}}))
	got, err := f.SpecsOf(f.ctx(), 7, "main")
	f.ok(err)
	f.equal(got, []store.Spec{spec})
	_, err = f.Spec(f.ctx(), "old")
	f.is(err, dag.ErrNotFound)
	pushes, err := f.Pushes(f.ctx(), store.PushFilter{ID: id})
	f.ok(err)
	f.equal(pushes[0].MergeRequest, "https://x/1")
}

func testRenamedPush(f fixture) {
	f.record(push("main", "c1", ""))
	moved := push("main", "c1", "")
	moved.Project = "gbc/elsewhere"
	if _, created := f.record(moved); !created {
		f.Error("the push under the new path was taken for a repeat")
	}
	if _, created := f.record(moved); created {
		f.Error("a second one was recorded")
	}
}

func testPreviews(f fixture) {
	p := store.Preview{ProjectID: 7, Project: "g/p", MergeRequest: 3, Target: "main", Commit: "c1"}
	pending := func(now time.Time, want int) {
		f.Helper()
		got, err := f.PendingPreviews(f.ctx(), now, 10)
		f.ok(err)
		f.equal(len(got), want)
	}
	f.ok(f.WantPreview(f.ctx(), p))
	pending(someTime, 1)
	f.ok(f.FinishPreview(f.ctx(), p, someTime.Add(time.Minute), "GitLab is down"))
	pending(someTime, 0)
	pending(someTime.Add(time.Hour), 1)
	f.ok(f.FinishPreview(f.ctx(), p, time.Time{}, ""))
	f.ok(f.WantPreview(f.ctx(), p)) // the same head again
	pending(someTime.Add(time.Hour), 0)
	p.Commit = "c2"
	f.ok(f.WantPreview(f.ctx(), p))
	late := p
	late.Commit = "c1"
	f.ok(f.FinishPreview(f.ctx(), late, time.Time{}, ""))
	pending(someTime.Add(time.Hour), 1)
}

func testProjects(f fixture) {
	known, err := f.TouchProject(f.ctx(), 7, "g/p", false)
	f.ok(err)
	f.equal(known, false)
	f.ok(f.ClaimSpec(f.ctx(), store.Spec{DAG: "x", ProjectID: 7}))
	for _, deleted := range []bool{false, true, false} {
		known, err = f.TouchProject(f.ctx(), 7, "g/p", deleted)
		f.ok(err)
		f.equal(known, true)
	}
	due, err := f.ModelProjects(f.ctx(), true)
	f.ok(err)
	if len(due) != 1 || due[0].MissingAt.IsZero() || due[0].State != store.ProjectActive {
		f.Fatalf("due: %+v", due)
	}
	taken, found, err := f.TakeProject(f.ctx(), 7)
	f.ok(err)
	if !found || taken.Due || taken.MissingAt != due[0].MissingAt {
		f.Fatalf("taken: %+v, %v", taken, found)
	}
	p := store.ModelProject{ID: 7, Path: "g/new", State: store.ProjectArchived, CheckedAt: someTime}
	f.ok(f.SaveProject(f.ctx(), p))
	// An event comes while GitLab is asked: it is not lost, nor when it reported the
	// deletion.
	_, err = f.TouchProject(f.ctx(), 7, "g/p", true)
	f.ok(err)
	late := p
	late.MissingAt = someTime
	f.ok(f.SaveProject(f.ctx(), late))
	taken, _, err = f.TakeProject(f.ctx(), 7)
	f.ok(err)
	if !taken.MissingAt.Before(someTime) {
		f.Errorf("an event that reported the deletion is lost: %+v", taken)
	}
	due, err = f.ModelProjects(f.ctx(), true)
	f.ok(err)
	f.equal(len(due), 0)
	f.ok(f.SaveProject(f.ctx(), p))
	all, err := f.ModelProjects(f.ctx(), false)
	f.ok(err)
	f.equal(all, []store.ModelProject{p})
	state, err := f.ProjectState(f.ctx(), 7)
	f.ok(err)
	f.equal(state, store.ProjectArchived)
	state, err = f.ProjectState(f.ctx(), 8)
	f.ok(err)
	f.equal(state, store.ProjectActive)
}
