package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/store"
)

func dagTests() []test {
	return []test{
		{"a new DAG begins as its spec says", testNewDAG},
		{"a definition comes back as it was saved", testDefinitionRoundTrip},
		{"a new version only when something changed", testVersions},
		{"a broken file keeps its last good DAG", testBrokenFile},
		{"two files with one DAG id", testDuplicateDAG},
		{"one file with one DAG id twice", testDuplicateInFile},
		{"a DAG of no project that moves to another file starts over", testMovedDAG},
		{"a removed file archives its DAGs, and they come back", testArchive},
		{"the file of an archived DAG comes back on demand", testRestore},
		{"archived DAGs are listed and counted apart", testListArchived},
		{"a DAG that left its file is archived", testDAGLeftFile},
		{"pausing", testPause},
		{"deleting a DAG", testDeleteDAG},
		{"removal of a file", testRemoval},
		{"a removal that is refused or proposed waits by itself", testRefusedRemovals},
		{"DAG filters", testDAGFilters},
		{"DAG orders and pages", testDAGOrders},
		{"DAG counts", testDAGCounts},
		{"hostile text is kept or cleaned, never refused", testHostileText},
	}
}

func testNewDAG(f fixture) {
	paused, running := newDAG("paused", "t"), newDAG("running", "t")
	running.PausedUponCreation = false
	running.Tags = []string{"b", "a", "b"}
	result := f.save(file("x/paused.yaml", "p", paused), file("x/running.yaml", "r", running))
	f.equal(result, store.SyncResult{Added: 2, DAGs: []dag.ID{"paused", "running"}})

	row, err := f.DAG(f.ctx(), "paused")
	f.ok(err)
	if !row.Paused || row.Version != 1 || row.File != "x/paused.yaml" || row.DAGCommit != "c1" || row.Archived {
		f.Errorf("wrong row: %+v", row)
	}
	if !row.UnpausedAt.IsZero() || row.ParsedAt.IsZero() || row.LastRun != nil || row.Next != (store.NextRun{}) {
		f.Errorf("wrong times: %+v", row)
	}
	row, err = f.DAG(f.ctx(), "running")
	f.ok(err)
	if row.Paused || row.UnpausedAt.IsZero() {
		f.Errorf("the DAG should begin un-paused: %+v", row)
	}
	tags, err := f.Tags(f.ctx())
	f.ok(err)
	f.equal(tags, []string{"a", "b"})
	commit, blobs, err := f.SyncedFiles(f.ctx())
	f.ok(err)
	f.equal(commit, "c1")
	f.equal(blobs, map[string]string{"x/paused.yaml": "blob of p", "x/running.yaml": "blob of r"})
	_, err = f.DAG(f.ctx(), "absent")
	f.is(err, dag.ErrNotFound)
}

func testDefinitionRoundTrip(f fixture) {
	d := newDAG("d", "a", "b")
	d.DisplayName, d.Description, d.DocMD = "Скоринг", "описание", "# doc"
	d.StartDate, d.EndDate = someTime, someTime.AddDate(1, 0, 0)
	d.Schedule = dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 6 * * *", Timezone: "Europe/Moscow"}
	d.Catchup, d.RunTimeout = true, 90
	d.Tags = []string{"scoring"}
	d.Source = dag.Source{Project: "gbc/x", Branch: "main", Commit: "abc"}
	d.Params = []dag.Param{
		{Name: "N", Default: 3, Schema: map[string]any{"type": "integer", "minimum": 1, "maximum": 10.5}},
		{Name: "S", Default: "x", Description: "what"},
		{Name: "L", Default: []any{1, 2.5, "three", true, nil, map[string]any{"k": 4}}},
	}
	d.Groups = []dag.TaskGroup{{Name: "g", Tooltip: "tip"}}
	d.Tasks[0].Pod = map[string]any{"labels": map[string]any{"a": "b"}, "priority": 7}
	d.Tasks[0].Env = []dag.EnvVar{{Name: "A", Value: "1"}}
	d.Tasks[0].RetryBackoff = 1.5
	f.save(file("d.yaml", "the source\n", d))
	v, err := f.Version(f.ctx(), "d", 0)
	f.ok(err)
	f.equal(v.Spec, d)
	f.equal(v.Source, "the source\n")
}

func testVersions(f fixture) {
	d := newDAG("d", "t")
	f.save(file("d.yaml", "one", d))
	f.ok(f.SetPaused(f.ctx(), alice, "d", false))
	f.equal(f.save(file("d.yaml", "one", d)), store.SyncResult{})
	f.equal(f.save(file("d.yaml", "two", d)), store.SyncResult{Updated: 1, DAGs: []dag.ID{"d"}})
	changed := newDAG("d", "t", "u")
	changed.Tags = []string{"new"}
	f.equal(f.save(file("d.yaml", "two", changed)), store.SyncResult{Updated: 1, DAGs: []dag.ID{"d"}})

	row, err := f.DAG(f.ctx(), "d")
	f.ok(err)
	if row.Version != 3 || row.Paused || len(row.Tasks) != 2 {
		f.Errorf("version %d, paused %v, %d tasks; want 3, false, 2", row.Version, row.Paused, len(row.Tasks))
	}
	versions, err := f.Versions(f.ctx(), "d")
	f.ok(err)
	var numbers []int
	for _, v := range versions {
		numbers = append(numbers, v.Number)
	}
	f.equal(numbers, []int{3, 2, 1})
	first, err := f.Version(f.ctx(), "d", 1)
	f.ok(err)
	f.equal(first.Source, "one")
	f.equal(first.Spec, d)
	_, err = f.Version(f.ctx(), "d", 4)
	f.is(err, dag.ErrNotFound)
	_, err = f.Versions(f.ctx(), "absent")
	f.is(err, dag.ErrNotFound)
}

func testBrokenFile(f fixture) {
	f.define("d", "t")
	faults := dag.SpecErrors{{File: "d.yaml", Line: 3, Column: 5, Path: "d.schedule", Reason: "no cron"}}
	broken := store.SpecFile{Path: "d.yaml", Blob: "bad", Source: "?", Errors: faults}
	f.equal(f.save(broken), store.SyncResult{Broken: 1})
	row, err := f.DAG(f.ctx(), "d")
	f.ok(err)
	if !row.ImportError || row.Archived || row.Version != 1 {
		f.Errorf("the last good DAG is not in force: %+v", row)
	}
	errs, total, err := f.ImportErrors(f.ctx(), 0, 0)
	f.ok(err)
	if total != 1 || len(errs) != 1 || errs[0].Path != "d.yaml" || errs[0].ID == 0 {
		f.Fatalf("wrong import errors: %+v", errs)
	}
	f.equal(errs[0].Errors, faults)
	_, blobs, err := f.SyncedFiles(f.ctx())
	f.ok(err)
	f.equal(blobs["d.yaml"], "bad")

	f.define("d", "t")
	row, err = f.DAG(f.ctx(), "d")
	f.ok(err)
	if row.ImportError {
		f.Error("the import error stays after the file was mended")
	}
}

func testDuplicateDAG(f fixture) {
	f.save(file("a/x.yaml", "first", newDAG("x", "t")))
	second := file("b/x.yaml", "second", newDAG("x", "t", "u"), newDAG("y", "t"))
	f.equal(f.save(second), store.SyncResult{Added: 1, Broken: 1, DAGs: []dag.ID{"y"}})
	row, err := f.DAG(f.ctx(), "x")
	f.ok(err)
	f.equal(row.File, "a/x.yaml")
	f.equal(row.Version, 1)
	errs, _, err := f.ImportErrors(f.ctx(), 10, 0)
	f.ok(err)
	if len(errs) != 1 || errs[0].Path != "b/x.yaml" {
		f.Fatalf("wrong import errors: %+v", errs)
	}
	for _, path := range []string{"a/x.yaml", "b/x.yaml"} {
		if !strings.Contains(errs[0].Errors.Error(), path) {
			f.Errorf("%q does not name %s", errs[0].Errors.Error(), path)
		}
	}
	_, blobs, err := f.SyncedFiles(f.ctx())
	f.ok(err)
	if blob, ok := blobs["b/x.yaml"]; !ok || blob != "" {
		f.Errorf("the refused file has blob %q, want it known and checked again", blob)
	}

	result, err := f.SaveDAGs(f.ctx(),
		store.Sync{Commit: "c2", Removed: []string{"a/x.yaml"}, Changed: []store.SpecFile{second}})
	f.ok(err)
	f.equal(result, store.SyncResult{Added: 1, Archived: 1, DAGs: []dag.ID{"x", "x~1"}})
	row, err = f.DAG(f.ctx(), "x")
	f.ok(err)
	if row.File != "b/x.yaml" || row.Version != 1 || row.ImportError {
		f.Errorf("the second file has not got the id: %+v", row)
	}
}

func testDuplicateInFile(f fixture) {
	result := f.save(file("x.yaml", "s", newDAG("x", "one"), newDAG("x", "two")))
	f.equal(result, store.SyncResult{Added: 1, Broken: 1, DAGs: []dag.ID{"x"}})
	v, err := f.Version(f.ctx(), "x", 0)
	f.ok(err)
	f.equal(v.Spec.Tasks[0].ID, dag.TaskID("one"))
}

func testMovedDAG(f fixture) {
	f.define("d", "t")
	f.ok(f.SetPaused(f.ctx(), alice, "d", false))
	run := f.trigger("d")
	moved := file("elsewhere/d.yaml", "source of d", newDAG("d", "t"))
	result, err := f.SaveDAGs(f.ctx(),
		store.Sync{Commit: "c2", Removed: []string{"d.yaml"}, Changed: []store.SpecFile{moved}})
	f.ok(err)
	f.equal(result, store.SyncResult{Added: 1, Archived: 1, DAGs: []dag.ID{"d", "d~1"}})
	row, err := f.DAG(f.ctx(), "d")
	f.ok(err)
	if row.Archived || row.File != "elsewhere/d.yaml" || row.Version != 1 || !row.Paused || row.LastRun != nil {
		f.Errorf("wrong row after the move: %+v", row)
	}
	row, err = f.DAG(f.ctx(), "d~1")
	f.ok(err)
	if !row.Archived || row.ID != "d~1" || row.LastRun == nil || row.LastRun.ID != run.ID ||
		row.LastRun.State != dag.RunFailed {
		f.Errorf("wrong row of the former DAG: %+v", row)
	}
	f.checkCounts("d", "d~1")
}

func testArchive(f fixture) {
	f.define("d", "t")
	f.ok(f.SetPaused(f.ctx(), alice, "d", false))
	f.act("d", store.SetNext{DAG: "d", Next: store.NextRun{RunAfter: someTime}})
	f.equal(f.remove("d.yaml"), store.SyncResult{Archived: 1, DAGs: []dag.ID{"d"}})
	row, err := f.DAG(f.ctx(), "d")
	f.ok(err)
	if !row.Archived || row.Next != (store.NextRun{}) {
		f.Errorf("not archived: %+v", row)
	}
	_, err = f.TriggerRun(f.ctx(), store.Trigger{DAG: "d", By: alice})
	f.is(err, dag.ErrInvalid)
	f.is(f.SetPaused(f.ctx(), alice, "d", true), dag.ErrConflict)
	f.is(f.RequestRemoval(f.ctx(), alice, "d"), dag.ErrConflict)

	f.equal(f.save(file("d.yaml", "source of d", newDAG("d", "t"))), store.SyncResult{Added: 1, DAGs: []dag.ID{"d"}})
	row, err = f.DAG(f.ctx(), "d")
	f.ok(err)
	if row.Archived || row.Paused || row.Version != 1 {
		f.Errorf("the DAG did not come back as it was: %+v", row)
	}
	f.equal(f.remove("d.yaml"), store.SyncResult{Archived: 1, DAGs: []dag.ID{"d"}})
	f.equal(f.remove("d.yaml"), store.SyncResult{})
}

func testListArchived(f fixture) {
	for _, id := range []dag.ID{"a", "b", "c"} {
		f.define(id, "t")
	}
	f.remove("b.yaml")
	for _, filter := range []store.DAGFilter{{OnlyArchived: true}, {OnlyArchived: true, Archived: true},
		{OnlyArchived: true, Search: "B"}} {
		rows, total, err := f.DAGs(f.ctx(), filter)
		f.ok(err)
		if total != 1 || len(rows) != 1 || rows[0].ID != "b" || !rows[0].Archived {
			f.Errorf("archived DAGs with %+v: %d, %+v", filter, total, rows)
		}
	}
	paused := true
	for _, filter := range []store.DAGFilter{{}, {OnlyArchived: true, Paused: &paused}} {
		counts, err := f.CountDAGs(f.ctx(), filter)
		f.ok(err)
		f.equal(counts, store.DAGCounts{All: 2, Paused: 2, Archived: 1})
	}
	counts, err := f.CountDAGs(f.ctx(), store.DAGFilter{IDs: []dag.ID{"a"}})
	f.ok(err)
	f.equal(counts, store.DAGCounts{All: 1, Paused: 1})
}

func testDAGLeftFile(f fixture) {
	f.save(file("f.yaml", "both", newDAG("a", "t"), newDAG("b", "t")))
	result := f.save(file("f.yaml", "one", newDAG("b", "t")))
	f.equal(result, store.SyncResult{Updated: 1, Archived: 1, DAGs: []dag.ID{"a", "b"}})
}

func testPause(f fixture) {
	f.define("d", "t")
	f.ok(f.SetPaused(f.ctx(), alice, "d", true)) // it is paused already
	_, n, err := f.Audit(f.ctx(), store.AuditFilter{DAG: "d"})
	f.ok(err)
	f.equal(n, 0)
	f.ok(f.SetPaused(f.ctx(), alice, "d", false))
	row, err := f.DAG(f.ctx(), "d")
	f.ok(err)
	if row.Paused || row.UnpausedAt.IsZero() {
		f.Errorf("not un-paused: %+v", row)
	}
	f.ok(f.SetPaused(f.ctx(), store.Actor{Via: "cli"}, "d", true))
	entries, n, err := f.Audit(f.ctx(), store.AuditFilter{DAG: "d"})
	f.ok(err)
	f.equal(n, 2)
	f.equal([]string{entries[0].Event, entries[0].By.User, entries[1].Event, entries[1].By.User},
		[]string{"pause", "anonymous", "unpause", "alice"})
	f.is(f.SetPaused(f.ctx(), alice, "absent", true), dag.ErrNotFound)
}

func testDeleteDAG(f fixture) {
	f.is(f.DeleteDAG(f.ctx(), alice, "d"), dag.ErrNotFound)
	f.define("d", "t")
	f.is(f.DeleteDAG(f.ctx(), alice, "d"), dag.ErrConflict)
	r := f.trigger("d")
	f.remove("d.yaml")
	f.is(f.DeleteDAG(f.ctx(), alice, "d"), dag.ErrConflict)
	tasks := f.start(r, "t")
	f.ok(f.SetRunState(f.ctx(), alice, "d", r.ID, dag.RunFailed))
	f.is(f.DeleteDAG(f.ctx(), alice, "d"), dag.ErrConflict) // an attempt is active
	f.equal(len(f.act("d", move(tasks[0], dag.TaskFailed))), 1)
	f.ok(f.DeleteDAG(f.ctx(), alice, "d"))
	_, err := f.DAG(f.ctx(), "d")
	f.is(err, dag.ErrNotFound)
	_, err = f.Run(f.ctx(), "d", r.ID)
	f.is(err, dag.ErrNotFound)

	// A DAG made again under the name has nothing of the old one.
	f.save(file("d.yaml", "other", newDAG("d", "other")))
	v, err := f.Version(f.ctx(), "d", 1)
	f.ok(err)
	f.equal(v.Spec.Tasks[0].ID, dag.TaskID("other"))
	f.checkCounts("d")
}

func testRemoval(f fixture) {
	f.is(f.RequestRemoval(f.ctx(), alice, "d"), dag.ErrNotFound)
	f.define("d", "t")
	f.ok(f.RequestRemoval(f.ctx(), alice, "d"))
	f.ok(f.RequestRemoval(f.ctx(), store.Actor{User: "bob"}, "d"))
	pending, err := f.PendingRemovals(f.ctx())
	f.ok(err)
	if len(pending) != 1 || pending[0].DAG != "d" || pending[0].Path != "d.yaml" || pending[0].By != alice ||
		pending[0].At.IsZero() {
		f.Fatalf("wrong removals: %+v", pending)
	}
	f.ok(f.FinishRemoval(f.ctx(), store.RemovalResult{DAG: "d", DAGCommit: "c9"}))
	f.ok(f.FinishRemoval(f.ctx(), store.RemovalResult{DAG: "d", DAGCommit: "c9"}))
	pending, err = f.PendingRemovals(f.ctx())
	f.ok(err)
	f.equal(len(pending), 0)
	f.ok(f.RequestRemoval(f.ctx(), alice, "d")) // the file was put there again
	pending, err = f.PendingRemovals(f.ctx())
	f.ok(err)
	f.equal(len(pending), 1)
}

// testRestore brings the file of an archived DAG back: as it was stored, or by its
// model's branch.
func testRestore(f fixture) {
	restore := func(id dag.ID, want error) int64 {
		f.Helper()
		push, err := f.RequestRestore(f.ctx(), alice, id)
		f.is(err, want)
		return push
	}
	restore("d", dag.ErrNotFound)
	f.define("d", "t")
	restore("d", dag.ErrConflict)
	f.remove("d.yaml")
	for range 2 { // asking again is asking once
		f.equal(restore("d", nil), int64(0))
		due, _, err := f.DueRemoval(f.ctx(), someTime)
		f.ok(err)
		if due == nil || due.DAG != "d" || due.Path != "d.yaml" || due.Restores != 1 || due.By != alice {
			f.Fatalf("due is %+v", due)
		}
	}
	f.ok(f.FinishRemoval(f.ctx(), store.RemovalResult{DAG: "d"})) // of a removal that is not the newest wish
	f.ok(f.FinishRemoval(f.ctx(), store.RemovalResult{DAG: "d", Restores: 1, MergeRequest: "https://gitlab/mr/1"}))
	pending, err := f.PendingRemovals(f.ctx())
	f.ok(err)
	if len(pending) != 1 || pending[0].MergeRequest == "" {
		f.Fatalf("pending: %+v", pending)
	}
	f.save(file("d.yaml", "source of d", newDAG("d", "t"))) // it is merged
	pending, err = f.PendingRemovals(f.ctx())
	f.ok(err)
	f.equal(len(pending), 0)
	f.ok(f.RequestRemoval(f.ctx(), alice, "d"))
	due, _, err := f.DueRemoval(f.ctx(), someTime)
	f.ok(err)
	if due == nil || due.Restores != 0 {
		f.Errorf("due after the file is to go again: %+v", due)
	}
	entries, _, err := f.Audit(f.ctx(), store.AuditFilter{DAG: "d"})
	f.ok(err)
	var events []string
	for _, e := range entries {
		events = append(events, e.Event)
	}
	f.equal(events, []string{"request_removal", "propose_restoring", "request_restore", "request_restore", "archive"})

	// The file has other DAGs now: it is not written over.
	f.save(file("f.yaml", "both", newDAG("a", "t"), newDAG("b", "t")))
	f.save(file("f.yaml", "one", newDAG("b", "t")))
	restore("a", dag.ErrConflict)

	// A model's.
	m := newDAG("m", "t")
	m.Source = dag.Source{Project: "gbc/risk/m", Branch: "main", Commit: "c1"}
	id, _ := f.record(store.Push{ProjectID: 7, Project: m.Source.Project, Branch: "main", Commit: "c1"})
	spec := store.Spec{DAG: "m", ProjectID: 7, Path: "m.yaml", DAGCommit: "d1", Source: m.Source}
	f.ok(f.FinishPushes(f.ctx(),
		[]store.PushResult{{ID: id, State: store.PushRendered, DAG: "m", Specs: []store.Spec{spec}}}))
	f.save(file("m.yaml", "source of m", m))
	f.remove("m.yaml")
	pushes, err := f.Pushes(f.ctx(), store.PushFilter{ID: restore("m", nil)})
	f.ok(err)
	if len(pushes) != 1 || pushes[0].Via != store.ViaReplay || pushes[0].State != store.PushPending ||
		pushes[0].ProjectID != 7 || pushes[0].Branch != "main" || pushes[0].User != "alice" {
		f.Errorf("pushes: %+v", pushes)
	}
	f.ok(f.ReleaseSpec(f.ctx(), "m")) // its branch was deleted
	restore("m", dag.ErrConflict)
}

// testRefusedRemovals has one removal fail and another proposed: neither stands in
// the way of the others.
func testRefusedRemovals(f fixture) {
	due := func(now time.Time, want dag.ID, wantNext time.Time) {
		f.Helper()
		got, next, err := f.DueRemoval(f.ctx(), now)
		f.ok(err)
		id := dag.ID("")
		if got != nil {
			id = got.DAG
		}
		if id != want || !next.Equal(wantNext) {
			f.Fatalf("due is %q, next %v; want %q, %v", id, next, want, wantNext)
		}
	}
	due(someTime, "", time.Time{})
	for _, id := range []dag.ID{"a", "b"} {
		f.define(id, "t")
		f.ok(f.RequestRemoval(f.ctx(), alice, id))
	}
	due(someTime, "a", time.Time{})
	later := someTime.Add(time.Hour)
	f.ok(f.FinishRemoval(f.ctx(), store.RemovalResult{DAG: "a", Reason: "refused by the remote", RetryAt: later}))
	due(someTime, "b", time.Time{})
	f.ok(f.FinishRemoval(f.ctx(), store.RemovalResult{DAG: "b", MergeRequest: "https://gitlab/mr/1"}))
	due(someTime, "", later)
	due(later, "a", time.Time{})
	pending, err := f.PendingRemovals(f.ctx())
	f.ok(err)
	if len(pending) != 2 || pending[0].Reason != "refused by the remote" || pending[0].Tries != 1 ||
		!pending[0].RetryAt.Equal(later) ||
		pending[1].MergeRequest != "https://gitlab/mr/1" || pending[1].Reason != "" {
		f.Fatalf("removals: %+v", pending)
	}
	f.ok(f.RequestRemoval(f.ctx(), alice, "a")) // asked again: at once
	due(someTime, "a", time.Time{})
	f.ok(f.RequestRemoval(f.ctx(), alice, "b")) // its merge request was closed
	f.ok(f.FinishRemoval(f.ctx(), store.RemovalResult{DAG: "a"}))
	due(someTime, "b", time.Time{})
	f.ok(f.FinishRemoval(f.ctx(), store.RemovalResult{DAG: "b", MergeRequest: "https://gitlab/mr/2"}))
	f.remove("b.yaml") // the merge request is merged
	pending, err = f.PendingRemovals(f.ctx())
	f.ok(err)
	f.equal(len(pending), 0)
}

// filterFixture has four DAGs; gone is archived.
func filterFixture(f fixture) {
	churn, fraud, underscore, gone := newDAG("churn-model", "t"), newDAG("Fraud_model", "t"), newDAG("FraudXmodel",
		"t"), newDAG("gone", "t")
	churn.Tags, churn.Owner, churn.DisplayName = []string{"scoring", "risk"}, "team-a", "Отток"
	fraud.Tags, fraud.PausedUponCreation, fraud.Owner = []string{"scoring"}, false, "team-b"
	f.save(file("1", "1", churn), file("2", "2", fraud), file("3", "3", underscore), file("4", "4", gone))
	f.remove("4")
	f.trigger("churn-model")
	r := f.trigger("Fraud_model")
	f.ok(f.SetRunState(f.ctx(), alice, "Fraud_model", r.ID, dag.RunFailed))
}

func testDAGFilters(f fixture) {
	filterFixture(f)
	yes, no := true, false
	for _, c := range []struct {
		name   string
		filter store.DAGFilter
		want   []dag.ID
	}{
		{"none", store.DAGFilter{}, []dag.ID{"FraudXmodel", "Fraud_model", "churn-model"}},
		{"archived too", store.DAGFilter{Archived: true}, []dag.ID{"FraudXmodel", "Fraud_model", "churn-model", "gone"}},
		{"ids", store.DAGFilter{IDs: []dag.ID{"churn-model", "absent"}}, []dag.ID{"churn-model"}},
		{"no ids", store.DAGFilter{IDs: []dag.ID{}}, []dag.ID{}},
		{"search id", store.DAGFilter{Search: "FRAUD"}, []dag.ID{"FraudXmodel", "Fraud_model"}},
		{"search is literal", store.DAGFilter{Search: "fraud_"}, []dag.ID{"Fraud_model"}},
		{"search owner", store.DAGFilter{Search: "Team-A"}, []dag.ID{"churn-model"}},
		{"search tag", store.DAGFilter{Search: "scor"}, []dag.ID{"Fraud_model", "churn-model"}},
		{"search display name in Cyrillic, any case", store.DAGFilter{Search: "ОТТОК"}, []dag.ID{"churn-model"}},
		{"search percent", store.DAGFilter{Search: "%"}, []dag.ID{}},
		{"search backslash", store.DAGFilter{Search: `\`}, []dag.ID{}},
		{"pattern", store.DAGFilter{IDPattern: "%CHURN%"}, []dag.ID{"churn-model"}},
		{"pattern with any character", store.DAGFilter{IDPattern: "fraud_model"}, []dag.ID{"FraudXmodel", "Fraud_model"}},
		{"pattern ending in a backslash", store.DAGFilter{IDPattern: `churn\`}, []dag.ID{}},
		{"any tag", store.DAGFilter{Tags: []string{"risk", "scoring"}}, []dag.ID{"Fraud_model", "churn-model"}},
		{"all tags", store.DAGFilter{Tags: []string{"risk", "scoring"}, AllTags: true}, []dag.ID{"churn-model"}},
		{"owners", store.DAGFilter{Owners: []string{"team-b", "risk-team"}}, []dag.ID{"FraudXmodel", "Fraud_model"}},
		{"paused", store.DAGFilter{Paused: &yes}, []dag.ID{"FraudXmodel", "churn-model"}},
		{"not paused", store.DAGFilter{Paused: &no}, []dag.ID{"Fraud_model"}},
		{"run states", store.DAGFilter{RunStates: []dag.RunState{dag.RunQueued, dag.RunFailed}},
			[]dag.ID{"Fraud_model", "churn-model"}},
		{"last run state", store.DAGFilter{LastRunState: dag.RunFailed}, []dag.ID{"Fraud_model"}},
		{"several", store.DAGFilter{Search: "model", Tags: []string{"scoring"}, Paused: &yes}, []dag.ID{"churn-model"}},
		{"NUL and broken text", store.DAGFilter{Search: "\x00\xff"}, []dag.ID{}},
	} {
		f.T.Run(c.name, func(t *testing.T) {
			f := fixture{t, f.Store}
			rows, total, err := f.DAGs(f.ctx(), c.filter)
			f.ok(err)
			f.equal(ids(rows), c.want)
			f.equal(total, len(c.want))
		})
	}
}

func testDAGOrders(f fixture) {
	filterFixture(f)
	f.act("FraudXmodel", store.SetNext{DAG: "FraudXmodel", Next: store.NextRun{RunAfter: someTime}})
	for order, want := range map[string][]dag.ID{
		"dag_id":                 {"FraudXmodel", "Fraud_model", "churn-model"},
		"-dag_id":                {"churn-model", "Fraud_model", "FraudXmodel"},
		"next_dagrun_run_after":  {"FraudXmodel", "Fraud_model", "churn-model"},
		"-next_dagrun_run_after": {"FraudXmodel", "Fraud_model", "churn-model"},
		"last_run_state":         {"Fraud_model", "churn-model", "FraudXmodel"},
		"-last_run_state":        {"churn-model", "Fraud_model", "FraudXmodel"},
		"dag_display_name":       {"FraudXmodel", "Fraud_model", "churn-model"},
		"last_run_start_date":    {"FraudXmodel", "Fraud_model", "churn-model"},
	} {
		rows, _, err := f.DAGs(f.ctx(), store.DAGFilter{OrderBy: order})
		f.ok(err)
		f.equal(ids(rows), want)
	}
	rows, total, err := f.DAGs(f.ctx(), store.DAGFilter{Limit: 1, Offset: 1})
	f.ok(err)
	f.equal(ids(rows), []dag.ID{"Fraud_model"})
	f.equal(total, 3)
	rows, _, err = f.DAGs(f.ctx(), store.DAGFilter{Limit: -1, Offset: -5})
	f.ok(err)
	f.equal(len(rows), 3)
	for _, order := range []string{"owner", "--dag_id", "dag_id; DROP TABLE dag", "-"} {
		_, _, err := f.DAGs(f.ctx(), store.DAGFilter{OrderBy: order})
		f.is(err, dag.ErrInvalid)
	}
}

func testDAGCounts(f fixture) {
	filterFixture(f)
	r := f.trigger("churn-model")
	f.start(r, "t")
	yes := true
	counts, err := f.CountDAGs(f.ctx(), store.DAGFilter{Paused: &yes, LastRunState: dag.RunSuccess})
	f.ok(err)
	f.equal(counts, store.DAGCounts{All: 3, Active: 1, Paused: 2, Failed: 1, Running: 1, Archived: 1})
	counts, err = f.CountDAGs(f.ctx(), store.DAGFilter{Search: "churn"})
	f.ok(err)
	f.equal(counts, store.DAGCounts{All: 1, Paused: 1, Running: 1})
}

func testHostileText(f fixture) {
	d := newDAG("d", "t")
	d.Tags = []string{"a\x00b", "'; DROP TABLE dag; --", "\xff"}
	d.DisplayName = strings.Repeat("я", 5000)
	f.save(file("../../x\x00.yaml", "\x00\xfe source", d))
	r, err := f.TriggerRun(f.ctx(), store.Trigger{DAG: "d", Note: "n\x00\xff", By: store.Actor{User: "u\x00", Via: "ui"}})
	f.ok(err)
	got, err := f.Run(f.ctx(), "d", r.ID)
	f.ok(err)
	r.Reason = got.Reason // says what a queued run waits for
	f.equal(got, r)
	f.equal(got.Note, "n\uFFFD")
	tags, err := f.Tags(f.ctx())
	f.ok(err)
	f.equal(fmt.Sprintf("%q", tags), fmt.Sprintf("%q", []string{"'; DROP TABLE dag; --", "ab", "\uFFFD"}))
}
