package storetest

import (
	"context"
	"encoding/json"
	"strings"

	"dagwright/dag"
	"dagwright/store"
)

func identityTests() []test {
	return []test{
		{"an id that was freed starts over for another team", testFreedID},
		{"an id is free when its former owner's attempts have ended", testFreedWhileRunning},
		{"a project keeps its id when it is renamed, moved or rebuilt", testSameOwner},
		{"a project of the same path and another id is another one", testProjectMadeAgain},
		{"an instance without projects' ids goes by their paths", testOwnerByPath},
		{"an id that was deleted starts over for another owner", testDeletedID},
		{"what a former owner left is taken over", testTakeOver},
		{"changes of a former owner are not told again", testFreedFeed},
	}
}

// own gives a DAG to a project, as a push of it does.
func (f fixture) own(id dag.ID, project int64, path, specFile string) {
	f.Helper()
	spec := store.Spec{DAG: id, ProjectID: project, Path: specFile,
		Source: dag.Source{Project: path, Branch: "main", Commit: "c"}}
	f.ok(f.ClaimSpec(f.ctx(), spec))
	push, _ := f.record(store.Push{ProjectID: project, Project: path, Branch: "main", Commit: "c of " + path + string(id),
		ReceivedAt: someTime})
	f.ok(f.FinishPushes(f.ctx(),
		[]store.PushResult{{ID: push, State: store.PushRendered, DAG: id, Specs: []store.Spec{spec}}}))
}

// endAttempts writes the end of a DAG's active attempts.
func (f fixture) endAttempts(id dag.ID) {
	f.Helper()
	for _, run := range f.look(id).Runs {
		for _, ti := range run.Tasks {
			if ti.State.Active() {
				f.equal(len(f.act(id, move(ti, dag.TaskFailed))), 1)
			}
		}
	}
}

// testFreedID frees the id of "risk" and gives it to "fraud": neither sees anything
// of the other.
func testFreedID(f fixture) {
	risk := makeTeam(f, "risk", 1)
	f.ok(f.SetPaused(f.ctx(), alice, risk.dag, false))
	run, err := f.TriggerRun(f.ctx(), store.Trigger{DAG: risk.dag, Run: "same", By: alice})
	f.ok(err)
	for _, r := range []dag.RunID{run.ID, risk.run} {
		f.ok(f.SetRunState(f.ctx(), alice, risk.dag, r, dag.RunFailed))
	}
	f.endAttempts(risk.dag)
	f.ok(f.ReleaseSpec(f.ctx(), risk.dag))
	path := "dags/gbc/risk/risk-churn.yaml"
	f.remove(path)
	// Between the push of the new owner and the sync, its provenance is its own.
	f.own(risk.dag, 2, "gbc/fraud/fraud-churn", "dags/gbc/fraud/fraud-churn.yaml")
	for _, s := range []store.Selection{{Owners: []string{"risk-team"}}, {Projects: []string{"gbc/risk"}}} {
		ctx := store.WithScope(f.ctx(), store.Scope{Any: []store.Selection{s}})
		_, err := f.Spec(ctx, risk.dag)
		f.is(err, dag.ErrNotFound)
		pushes, err := f.Pushes(ctx, store.PushFilter{})
		f.ok(err)
		f.noWord("fraud", pushes)
		seen, err := f.Sight().Sees(ctx,
			store.Change{Kind: store.ChangePush, DAG: risk.dag, Project: "gbc/fraud/fraud-churn", State: "rendered"})
		f.ok(err)
		f.equal(seen, false)
	}
	fraud := makeTeamOf(f, "fraud", 2, risk.dag)
	row, err := f.DAG(f.ctx(), fraud.dag)
	f.ok(err)
	if !row.Paused || row.Version != 1 || row.Archived || row.Owner != "fraud-team" {
		f.Errorf("the id's new DAG: %+v", row)
	}
	_, err = f.TriggerRun(f.ctx(), store.Trigger{DAG: fraud.dag, Run: "same", By: alice})
	f.ok(err)
	former := risk
	former.dag = dag.FormerID(risk.dag, 0)
	for _, s := range []struct {
		name         string
		sees, hidden team
		selection    store.Selection
	}{
		{"project", fraud, former, store.Selection{Projects: []string{"gbc/fraud"}}},
		{"owner", fraud, former, store.Selection{Owners: []string{"fraud-team"}}},
		{"tag", fraud, former, store.Selection{Tags: []string{"fraud-tag"}}},
		{"label", fraud, former, store.Selection{Labels: []string{"team=fraud"}}},
		{"id", fraud, former, store.Selection{DAGs: []string{"risk-churn"}}},
		{"former project", former, fraud, store.Selection{Projects: []string{"gbc/risk"}}},
		{"former owner", former, fraud, store.Selection{Owners: []string{"risk-team"}}},
		{"former tag", former, fraud, store.Selection{Tags: []string{"risk-tag"}}},
		{"former label", former, fraud, store.Selection{Labels: []string{"team=risk"}}},
	} {
		ctx := store.WithScope(f.ctx(), store.Scope{Any: []store.Selection{s.selection}})
		f.checkApart(ctx, s.name, s.sees, s.hidden)
	}
	f.checkCounts(fraud.dag, former.dag)
	found, err := f.FormerDAGs(f.ctx(), fraud.dag)
	f.ok(err)
	f.equal(found, []dag.ID{former.dag})
	// Nothing is left for the generator to do to a file that is another's now.
	removals, err := f.PendingRemovals(f.ctx())
	f.ok(err)
	for _, r := range removals {
		f.equal(r.Path, "dags/gbc/fraud/fraud-churn.yaml")
	}
}

// checkApart calls every read under a scope that has one team and not the other.
func (f fixture) checkApart(ctx context.Context, name string, sees, hidden team) {
	f.Helper()
	for _, r := range scopedReads() {
		if r.list != nil {
			if r.method == "FormerDAGs" || r.method == "CountDAGs" {
				continue // their answers hold the word themselves
			}
			got, _, err := r.list(ctx, f)
			f.ok(err)
			f.noWord(hidden.name, got)
			continue
		}
		checkHidden(f, r.method+" under "+name, hidden, r, ctx)
		got, err := r.one(ctx, f, sees)
		if sees.dag.Former() && (r.method == "Spec" || r.method == "SpecsOf") {
			f.is(err, dag.ErrNotFound) // it was given up
			continue
		}
		if err != nil {
			f.Errorf("%s under %s of what is one's own: %v", r.method, name, err)
		}
		f.noWord(hidden.name, got)
	}
	counts, err := f.CountDAGs(ctx, store.DAGFilter{Archived: true})
	f.ok(err)
	if n := counts.Active + counts.Paused; n > 2 {
		f.Errorf("%d DAGs are counted under %s", n, name)
	}
}

// noWord wants an answer in which a team's name does not stand, but in the DAG's id.
func (f fixture) noWord(word string, got any) {
	f.Helper()
	text, err := json.Marshal(got)
	f.ok(err)
	rest := strings.ReplaceAll(string(text), "risk-churn", "")
	if strings.Contains(rest, word) {
		f.Errorf("shows what is of another team, %s: %s", word, text)
	}
}

func testFreedWhileRunning(f fixture) {
	f.save(file("a/d.yaml", "a", newDAG("d", "t", "u")))
	f.ok(f.SetPaused(f.ctx(), alice, "d", false))
	run, err := f.TriggerRun(f.ctx(), store.Trigger{DAG: "d", Run: "same", Conf: map[string]any{"k": "v"}, By: alice})
	f.ok(err)
	f.start(run, "t", "u")
	next := file("b/d.yaml", "b", newDAG("d", "t"))
	result, err := f.SaveDAGs(f.ctx(),
		store.Sync{Commit: "c2", Removed: []string{"a/d.yaml"}, Changed: []store.SpecFile{next}})
	f.ok(err)
	f.equal(result, store.SyncResult{Archived: 1, Broken: 1, DAGs: []dag.ID{"d"}, Waiting: []dag.ID{"d"}})
	// The import error names the file, which the next sync reads again; the old DAG ends.
	faults, _, err := f.ImportErrors(f.ctx(), 10, 0)
	f.ok(err)
	if len(faults) != 1 || faults[0].Path != "b/d.yaml" ||
		!strings.Contains(faults[0].Errors.Error(), "still being stopped") {
		f.Errorf("import errors: %+v", faults)
	}
	_, blobs, err := f.SyncedFiles(f.ctx())
	f.ok(err)
	f.equal(blobs, map[string]string{"b/d.yaml": ""})
	old, err := f.Run(f.ctx(), "d", "same")
	f.ok(err)
	if old.State != dag.RunFailed || old.Reason.IsZero() {
		f.Errorf("the former owner's run: %+v", old)
	}
	_, err = f.TriggerRun(f.ctx(), store.Trigger{DAG: "d", By: alice})
	f.is(err, dag.ErrInvalid)
	f.equal(f.save(next), store.SyncResult{Broken: 1, Waiting: []dag.ID{"d"}})
	state := f.look("d")
	f.equal([]any{len(state.Runs), state.Archived}, []any{1, true})

	sub := f.listen()
	defer sub.Close()
	f.endAttempts("d")
	if c := f.next(sub); c.Kind != store.ChangeTask || c.DAG != "d" {
		f.Errorf("the attempt's end is reported as %+v", c)
	}
	f.equal(f.save(next), store.SyncResult{Added: 1, DAGs: []dag.ID{"d"}})
	row, err := f.DAG(f.ctx(), "d")
	f.ok(err)
	f.equal([]any{row.Paused, row.Version, row.File, len(row.RunCounts), row.ImportError},
		[]any{true, 1, "b/d.yaml", 0, false})
	// A run of the same name is another one, wherever it leaves traces.
	fresh, err := f.TriggerRun(f.ctx(), store.Trigger{DAG: "d", Run: "same", LogicalDate: old.LogicalDate, By: alice})
	f.ok(err)
	f.start(fresh, "t")
	attempts, err := f.ActiveAttempts(f.ctx())
	f.ok(err)
	f.equal([]any{len(attempts), attempts[0].Key()},
		[]any{1, dag.AttemptKey{DAG: "d", Run: "same", Task: "t", Try: 1, Epoch: 1}})
	was, err := f.TaskInstance(f.ctx(), "d~1", "same", "t")
	f.ok(err)
	f.equal(was.Key(), dag.AttemptKey{DAG: "d", Run: "same", Task: "t", Try: 1})
	f.equal([]dag.ID{was.Key().Place(), attempts[0].Key().Place(), fresh.Place(), old.Place()},
		[]dag.ID{"d", "d~2", "d~2", "d"})
	// Nobody acts on what is set aside.
	_, err = f.TriggerRun(f.ctx(), store.Trigger{DAG: "d~1", By: alice})
	f.is(err, dag.ErrInvalid)
	_, err = f.ClearTasks(f.ctx(), store.Clear{DAG: "d~1", Run: "same", By: alice})
	f.is(err, dag.ErrConflict)
	f.is(f.SetPaused(f.ctx(), alice, "d~1", false), dag.ErrConflict)
	f.checkCounts("d", "d~1")
}

func testSameOwner(f fixture) {
	keeps := func(what string) {
		f.Helper()
		row, err := f.DAG(f.ctx(), "d")
		f.ok(err)
		if row.Paused || row.LastRun == nil || row.Archived {
			f.Errorf("%s: the DAG is not what it was: %+v", what, row)
		}
		former, err := f.FormerDAGs(f.ctx(), "d")
		f.ok(err)
		f.equal(len(former), 0)
	}
	f.own("d", 7, "gbc/risk/churn", "dags/gbc/risk/churn.yaml")
	f.save(file("dags/gbc/risk/churn.yaml", "1", newDAG("d", "t")))
	f.ok(f.SetPaused(f.ctx(), alice, "d", false))
	f.trigger("d")
	move := func(from, to, source string) {
		f.Helper()
		_, err := f.SaveDAGs(f.ctx(),
			store.Sync{Commit: "c2", Removed: []string{from}, Changed: []store.SpecFile{file(to, source, newDAG("d", "t"))}})
		f.ok(err)
	}
	// The sync may come before the push that moved the file is written down as done.
	f.record(store.Push{ProjectID: 7, Project: "gbc/moved/churn", Branch: "main", Commit: "moved", ReceivedAt: someTime})
	move("dags/gbc/risk/churn.yaml", "dags/gbc/moved/churn.yaml", "2")
	keeps("moved before it is written down")
	f.own("d", 7, "gbc/moved/churn", "dags/gbc/moved/churn.yaml")
	f.own("d", 7, "gbc/again/churn", "dags/gbc/again/churn.yaml")
	move("dags/gbc/moved/churn.yaml", "dags/gbc/again/churn.yaml", "3")
	keeps("moved after it is written down")
	f.own("d", 7, "gbc/again/churn", "dags/gbc/again/churn/one.yaml")
	move("dags/gbc/again/churn.yaml", "dags/gbc/again/churn/one.yaml", "4")
	keeps("another file of the project")
	f.ok(f.ReleaseSpec(f.ctx(), "d"))
	f.remove("dags/gbc/again/churn/one.yaml")
	f.own("d", 7, "gbc/new/churn", "dags/gbc/new/churn.yaml")
	f.save(file("dags/gbc/new/churn.yaml", "5", newDAG("d", "t")))
	keeps("branch deleted, project moved, branch pushed again")
}

func testProjectMadeAgain(f fixture) {
	const path, project = "dags/gbc/risk/churn.yaml", "gbc/risk/churn"
	f.own("d", 7, project, path)
	f.save(file(path, "1", newDAG("d", "t")))
	f.ok(f.SetPaused(f.ctx(), alice, "d", false))
	f.trigger("d")
	// Its file is removed and comes back between two syncs, with the same content.
	f.ok(f.ReleaseSpec(f.ctx(), "d"))
	f.own("d", 8, project, path)
	_, blobs, err := f.SyncedFiles(f.ctx())
	f.ok(err)
	f.equal(blobs, map[string]string{path: ""})
	f.equal(f.save(file(path, "1", newDAG("d", "t"))), store.SyncResult{Added: 1, Archived: 1, DAGs: []dag.ID{"d", "d~1"}})
	row, err := f.DAG(f.ctx(), "d")
	f.ok(err)
	f.equal([]any{row.Paused, row.LastRun == nil, row.Version}, []any{true, true, 1})
	// The same after a sync in between.
	f.ok(f.SetPaused(f.ctx(), alice, "d", false))
	f.ok(f.ReleaseSpec(f.ctx(), "d"))
	f.remove(path)
	f.own("d", 9, project, path)
	f.save(file(path, "1", newDAG("d", "t")))
	row, err = f.DAG(f.ctx(), "d")
	f.ok(err)
	f.equal(row.Paused, true)
	former, err := f.FormerDAGs(f.ctx(), "d")
	f.ok(err)
	f.equal(former, []dag.ID{"d~2", "d~1"})
	// One that begins un-paused does not, when its id was another's.
	f.ok(f.ReleaseSpec(f.ctx(), "d"))
	f.remove(path)
	f.own("d", 10, project, path)
	eager := newDAG("d", "t")
	eager.PausedUponCreation = false
	f.save(file(path, "1", eager))
	row, err = f.DAG(f.ctx(), "d")
	f.ok(err)
	f.equal([]any{row.Paused, row.UnpausedAt.IsZero()}, []any{true, true})
}

func testOwnerByPath(f fixture) {
	of := func(project string) *dag.DAG {
		d := newDAG("d", "t")
		d.Tasks[0].Pod = map[string]any{"annotations": map[string]any{dag.AnnotationProject: project}}
		return d
	}
	f.save(file("dags/gbc/risk/churn-retrain.yaml", "1", of("gbc/risk/churn")))
	f.ok(f.SetPaused(f.ctx(), alice, "d", false))
	f.remove("dags/gbc/risk/churn-retrain.yaml")
	f.save(file("dags/gbc/risk/churn.yaml", "2", of("gbc/risk/churn")))
	row, err := f.DAG(f.ctx(), "d")
	f.ok(err)
	f.equal([]any{row.Paused, row.Version}, []any{false, 2})
	f.remove("dags/gbc/risk/churn.yaml")
	f.save(file("dags/gbc/fraud/churn.yaml", "3", of("gbc/risk/churn"))) // which its place does not bear out
	row, err = f.DAG(f.ctx(), "d")
	f.ok(err)
	f.equal([]any{row.Paused, row.Version}, []any{true, 1})
}

func testDeletedID(f fixture) {
	audit := func(owner string) int {
		f.Helper()
		_, n, err := f.Audit(store.WithScope(f.ctx(), store.Scope{Any: []store.Selection{{Owners: []string{owner}}}}),
			store.AuditFilter{DAG: "d"})
		f.ok(err)
		return n
	}
	remove := func(path string) {
		f.Helper()
		f.remove(path)
		f.ok(f.DeleteDAG(f.ctx(), alice, "d"))
	}
	f.save(file("a.yaml", "1", newDAG("d", "t")))
	f.trigger("d")
	f.ok(f.SetRunState(f.ctx(), alice, "d", f.look("d").Runs[0].ID, dag.RunFailed))
	remove("a.yaml")
	f.save(file("a.yaml", "1", newDAG("d", "t")))
	if n := audit("risk-team"); n == 0 {
		f.Error("the owner does not see what was done before the DAG was deleted")
	}
	first := f.trigger("d")
	f.equal(first.Epoch, 0)
	f.ok(f.SetRunState(f.ctx(), alice, "d", first.ID, dag.RunFailed))
	remove("a.yaml")
	other := newDAG("d", "t")
	other.Owner = "other"
	f.save(file("b.yaml", "2", other))
	f.equal(audit("other"), 0)
	f.equal(f.trigger("d").Epoch, 1)
	_, n, err := f.Audit(f.ctx(), store.AuditFilter{DAG: "d~1"})
	f.ok(err)
	if n == 0 {
		f.Error("what was done to the deleted DAG is gone for those who see everything")
	}
}

func testTakeOver(f fixture) {
	f.save(file("a.yaml", "1", newDAG("d", "t")))
	f.save(file("a.yaml", "2", newDAG("d", "t", "u")))
	f.ok(f.SetPaused(f.ctx(), alice, "d", false))
	old, err := f.TriggerRun(f.ctx(), store.Trigger{DAG: "d", Run: "old", By: alice})
	f.ok(err)
	b, err := f.CreateBackfill(f.ctx(),
		store.BackfillRequest{DAG: "d", Reprocess: store.ReprocessNone, MaxActiveRuns: 1, By: alice, Dates: days(2)})
	f.ok(err)
	f.remove("a.yaml")
	f.save(file("b.yaml", "3", newDAG("d", "x")))
	before, err := f.Run(f.ctx(), "d~1", "old")
	f.ok(err)
	f.equal([]any{before.Version, before.State}, []any{2, dag.RunFailed})
	found, err := f.Backfill(f.ctx(), b.ID)
	f.ok(err)
	f.equal([]any{found.DAG, found.CompletedAt.IsZero()}, []any{dag.ID("d~1"), false})
	mine, err := f.TriggerRun(f.ctx(), store.Trigger{DAG: "d", Run: "mine", By: alice})
	f.ok(err)
	clash, err := f.TriggerRun(f.ctx(), store.Trigger{DAG: "d", Run: "clash", LogicalDate: old.LogicalDate, By: alice})
	f.ok(err)

	f.is(f.TakeOver(f.ctx(), alice, "d"), dag.ErrInvalid)
	f.is(f.TakeOver(f.ctx(), alice, "d~7"), dag.ErrNotFound)
	f.is(f.TakeOver(f.ctx(), alice, "absent~1"), dag.ErrNotFound)
	f.is(f.TakeOver(f.ctx(), alice, "d~1"), dag.ErrConflict)
	f.ok(f.deleteRun("d", clash.ID))
	f.ok(f.TakeOver(f.ctx(), alice, "d~1"))

	_, err = f.DAG(f.ctx(), "d~1")
	f.is(err, dag.ErrNotFound)
	row, err := f.DAG(f.ctx(), "d")
	f.ok(err)
	f.equal([]any{row.Version, row.Paused, row.File, len(row.Tasks)}, []any{3, true, "b.yaml", 1})
	runs, total, err := f.Runs(f.ctx(), store.RunFilter{DAG: "d"})
	f.ok(err)
	f.equal([]any{len(runs), total}, []any{4, 4})
	back, err := f.Run(f.ctx(), "d", "old")
	f.ok(err)
	f.equal([]any{back.Version, back.Epoch, back.Place()}, []any{2, 0, dag.ID("d")})
	kept, err := f.Run(f.ctx(), "d", "mine")
	f.ok(err)
	f.equal([]any{kept.Version, kept.Epoch, kept.Place(), kept.LogicalDate}, []any{3, 1, dag.ID("d~2"), mine.LogicalDate})
	for number, tasks := range map[int]int{1: 1, 2: 2, 3: 1} {
		v, err := f.Version(f.ctx(), "d", number)
		f.ok(err)
		f.equal([]any{v.Spec.ID, len(v.Spec.Tasks)}, []any{dag.ID("d"), tasks})
	}
	entries, _, err := f.Audit(f.ctx(), store.AuditFilter{DAG: "d", Event: "take_over"})
	f.ok(err)
	if len(entries) != 1 || entries[0].By != alice || !strings.Contains(entries[0].Extra, "d~1") {
		f.Errorf("audit entries: %+v", entries)
	}
	f.checkCounts("d")
	f.checkLastRun("d")
	// It goes on, and is set aside whole when the id goes on.
	f.save(file("b.yaml", "4", newDAG("d", "x", "y")))
	f.remove("b.yaml")
	f.save(file("c.yaml", "5", newDAG("d", "z")))
	again, err := f.Run(f.ctx(), "d~2", "old")
	f.ok(err)
	f.equal([]any{again.Epoch, again.Place()}, []any{0, dag.ID("d")})
	v, err := f.Version(f.ctx(), "d~2", 4)
	f.ok(err)
	f.equal([]any{v.Spec.ID, len(v.Spec.Tasks)}, []any{dag.ID("d~2"), 2})
	f.checkCounts("d", "d~2")
}

func testFreedFeed(f fixture) {
	f.save(file("a.yaml", "1", newDAG("d", "t")))
	sub := f.listen()
	defer sub.Close()
	seq := f.ChangeSeq()
	f.trigger("d")
	f.remove("a.yaml")
	theirs := newDAG("d", "t")
	theirs.Owner = "other"
	f.save(file("b.yaml", "2", theirs))
	for c := f.next(sub); !c.Fresh; c = f.next(sub) {
	}
	f.ok(f.WantSync(f.ctx()))
	for f.next(sub).Kind != store.ChangeSyncWanted {
	}
	ctx := store.WithScope(f.ctx(), store.Scope{Any: []store.Selection{{Owners: []string{"other"}}}})
	sight := f.Sight()
	late := f.SubscribeAfter(seq)
	defer late.Close()
	for c := f.next(late); c.Kind != store.ChangeSyncWanted; c = f.next(late) {
		seen, err := sight.Sees(ctx, c)
		f.ok(err)
		if seen && (c.Kind != store.ChangeDAG || c.DAG != "d") {
			f.Errorf("a reader that comes back hears of the former owner's %+v", c)
		}
	}
}
