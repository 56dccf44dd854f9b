package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"dagwright/dag"
	"dagwright/store"
)

func scopeTests() []test {
	return []test{
		{"a scope shows one team's DAGs and nothing of another's", testScopeReads},
		{"what a scope does not have cannot be acted upon", testScopeActs},
		{"selections", testSelections},
		{"a scope with few runs pages through them", testScopePaging},
		{"changes are delivered to those who may see them", testSight},
		{"a DAG belongs to a project by its provenance or its file", testProjectOfDAG},
	}
}

// team is a DAG with everything that a DAG can have. All texts hold its name.
type team struct {
	name     string
	dag      dag.ID
	project  string
	run      dag.RunID
	push     int64
	backfill int64
	id       int64 // of its GitLab project
}

// twoTeams fills the store with the DAGs of "risk", which the scopes of the tests
// have, and of "fraud", of which nothing must be seen.
func twoTeams(f fixture) (risk, fraud team) {
	f.Helper()
	return makeTeam(f, "risk", 1), makeTeam(f, "fraud", 2)
}

func makeTeam(f fixture, name string, id int64) team {
	f.Helper()
	return makeTeamOf(f, name, id, dag.ID(name+"-churn"))
}

// makeTeamOf is makeTeam with a DAG of another id.
func makeTeamOf(f fixture, name string, id int64, dagID dag.ID) team {
	f.Helper()
	tm := team{name: name, dag: dagID, project: "gbc/" + name + "/" + name + "-churn", id: id}
	d := newDAG(tm.dag, dag.TaskID(name+"-task"), "second")
	d.Owner, d.Tags, d.Description = name+"-team", []string{name + "-tag", "common-" + name}, name+" description"
	for i := range d.Tasks {
		d.Tasks[i].Pod = map[string]any{"labels": map[string]any{"team": name, "part": fmt.Sprint(i)}}
	}
	path := "dags/gbc/" + name + "/" + name + "-churn.yaml"
	p := store.Push{ProjectID: id, Project: tm.project, Branch: "main", Commit: name + "-commit", User: name + "-user",
		Title: name + " title", ReceivedAt: someTime}
	tm.push, _ = f.record(p)
	spec := store.Spec{DAG: tm.dag, ProjectID: id, Path: path, DAGCommit: name,
		Source: dag.Source{Project: tm.project, Branch: "main", Commit: p.Commit}}
	f.ok(f.FinishPushes(f.ctx(),
		[]store.PushResult{{ID: tm.push, State: store.PushRendered, DAG: tm.dag, DAGCommit: name,
			Specs: []store.Spec{spec}}}))
	refused := p
	refused.Commit = name + "-refused"
	second, _ := f.record(refused)
	f.ok(f.FinishPushes(f.ctx(), []store.PushResult{{ID: second, State: store.PushRefused, Reason: name + " reason"}}))
	f.save(file(path, "source of "+name, d))
	// A second DAG, so that tags are common to more than one.
	twin := newDAG(dag.ID(name+"-twin"), dag.TaskID(name+"-task"))
	twin.Owner, twin.Tags, twin.Tasks[0].Pod = d.Owner, d.Tags, map[string]any{"labels": map[string]any{"team": name}}
	f.save(file("dags/gbc/"+name+"/"+name+"-twin.yaml", "source of twin of "+name, twin))

	ended := f.trigger(tm.dag)
	f.start(ended, dag.TaskID(name+"-task"), "second")
	f.act(tm.dag, store.EndRun{DAG: tm.dag, Run: ended.ID, From: dag.RunRunning, State: dag.RunFailed, At: someTime})
	run, err := f.TriggerRun(f.ctx(),
		store.Trigger{DAG: tm.dag, Conf: map[string]any{name: 1}, Note: name + " note",
			By: store.Actor{User: name + "-user", Via: "ui"}})
	f.ok(err)
	tm.run = run.ID
	f.start(run, dag.TaskID(name+"-task"), "second")
	_, err = f.RequestPromotion(f.ctx(), alice, tm.dag, 0, true)
	f.ok(err)
	// One that is completed at once, since it has no dates.
	b, err := f.CreateBackfill(f.ctx(),
		store.BackfillRequest{DAG: tm.dag, Reprocess: store.ReprocessNone, MaxActiveRuns: 1,
			By: store.Actor{User: name + "-user"}})
	f.ok(err)
	tm.backfill = b.ID
	f.ok(f.RequestRemoval(f.ctx(), alice, tm.dag))
	broken := store.SpecFile{Path: path, Blob: "broken",
		Errors: dag.SpecErrors{{File: path, Line: 1, Reason: name + " fault"}}}
	f.save(broken)
	return tm
}

// scopedRead is one read of the store: of everything that there is to see, with
// how many things that are of one team, or of one DAG.
type scopedRead struct {
	method string
	list   func(ctx context.Context, f fixture) (any, int, error)
	want   int
	one    func(ctx context.Context, f fixture, tm team) (any, error)
}

func scopedReads() []scopedRead {
	return []scopedRead{
		{method: "DAGs", want: 2,
			list: func(ctx context.Context, f fixture) (any, int, error) { return counted(f.DAGs(ctx, store.DAGFilter{})) }},
		{method: "DAGs", want: 1, list: func(ctx context.Context, f fixture) (any, int, error) {
			return counted(f.DAGs(ctx,
				store.DAGFilter{Search: "churn", OrderBy: "-last_run_start_date", RunStates: []dag.RunState{dag.RunFailed}}))
		}},
		{method: "CountDAGs", want: 2, list: func(ctx context.Context, f fixture) (any, int, error) {
			c, err := f.CountDAGs(ctx, store.DAGFilter{})
			return map[string]any{"risk": c}, c.Active + c.Paused, err
		}},
		{method: "CountDAGs", want: 1, list: func(ctx context.Context, f fixture) (any, int, error) {
			c, err := f.CountDAGs(ctx, store.DAGFilter{})
			return map[string]any{"risk": c}, c.Running, err
		}},
		{method: "Tags", want: 2,
			list: func(ctx context.Context, f fixture) (any, int, error) { return length(f.Tags(ctx)) }},
		{method: "Owners", want: 1,
			list: func(ctx context.Context, f fixture) (any, int, error) { return length(f.Owners(ctx, false, 10)) }},
		{method: "CommonTags", want: 2,
			list: func(ctx context.Context, f fixture) (any, int, error) { return length(f.CommonTags(ctx, false, 10)) }},
		{method: "Runs", want: 2,
			list: func(ctx context.Context, f fixture) (any, int, error) { return counted(f.Runs(ctx, store.RunFilter{})) }},
		{method: "Runs", want: 2, list: func(ctx context.Context, f fixture) (any, int, error) {
			return counted(f.Runs(ctx, store.RunFilter{States: []dag.RunState{dag.RunFailed, dag.RunRunning}, OrderBy: "state"}))
		}},
		{method: "Runs", want: 1, list: func(ctx context.Context, f fixture) (any, int, error) {
			return counted(f.Runs(ctx, store.RunFilter{States: []dag.RunState{dag.RunFailed}, IDPattern: "manual%"}))
		}},
		{method: "Pushes", want: 2, list: func(ctx context.Context, f fixture) (any, int, error) {
			return length(f.Pushes(ctx, store.PushFilter{}))
		}},
		{method: "Pushes", want: 1, list: func(ctx context.Context, f fixture) (any, int, error) {
			return length(f.Pushes(ctx, store.PushFilter{Project: "gbc", States: []store.PushState{store.PushRefused}}))
		}},
		{method: "Refusals", want: 1, list: func(ctx context.Context, f fixture) (any, int, error) {
			return counted(f.Refusals(ctx, store.RefusalFilter{}))
		}},
		{method: "Specs", want: 1,
			list: func(ctx context.Context, f fixture) (any, int, error) { return length(f.Specs(ctx)) }},
		{method: "ImportErrors", want: 1,
			list: func(ctx context.Context, f fixture) (any, int, error) { return counted(f.ImportErrors(ctx, 10, 0)) }},
		{method: "Audit", want: 6, list: func(ctx context.Context, f fixture) (any, int, error) {
			return counted(f.Audit(ctx, store.AuditFilter{}))
		}},
		{method: "ListTasks", want: 4, list: func(ctx context.Context, f fixture) (any, int, error) {
			return counted(f.ListTasks(ctx, store.TaskFilter{}))
		}},
		{method: "FormerDAGs", want: 0, list: func(ctx context.Context, f fixture) (any, int, error) {
			former, err := f.FormerDAGs(ctx, "risk-churn")
			return map[string]any{"risk": former}, len(former), err
		}},
		{method: "PendingRemovals", want: 1,
			list: func(ctx context.Context, f fixture) (any, int, error) { return length(f.PendingRemovals(ctx)) }},

		{method: "DAG", one: func(ctx context.Context, f fixture, tm team) (any, error) { return f.DAG(ctx, tm.dag) }},
		{method: "Visible", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			seen, err := f.Visible(ctx, tm.dag)
			return notNone(tm.name, err, seen)
		}},
		{method: "Runs", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			runs, n, err := f.Runs(ctx, store.RunFilter{DAG: tm.dag})
			return notNone(runs, err, n > 0)
		}},
		{method: "Audit", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			entries, n, err := f.Audit(ctx, store.AuditFilter{DAG: tm.dag})
			return notNone(entries, err, n > 0)
		}},
		{method: "Pushes", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			pushes, err := f.Pushes(ctx, store.PushFilter{ID: tm.push})
			return notNone(pushes, err, len(pushes) > 0)
		}},
		{method: "RunCounts", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			counts, err := f.RunCounts(ctx, []dag.ID{tm.dag})
			return notNone(counts, err, len(counts[tm.dag]) > 0)
		}},
		{method: "RunTasks", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			cells, err := f.RunTasks(ctx, tm.dag, []dag.RunID{tm.run})
			return notNone(cells, err, len(cells) > 0)
		}},
		{method: "Run",
			one: func(ctx context.Context, f fixture, tm team) (any, error) { return f.Run(ctx, tm.dag, tm.run) }},
		{method: "TaskInstances", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			return f.TaskInstances(ctx, tm.dag, tm.run)
		}},
		{method: "TaskInstance", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			return f.TaskInstance(ctx, tm.dag, tm.run, dag.TaskID(tm.name+"-task"))
		}},
		{method: "RunTries", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			return f.RunTries(ctx, tm.dag, tm.run)
		}},
		{method: "Tries", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			return f.Tries(ctx, tm.dag, tm.run, dag.TaskID(tm.name+"-task"))
		}},
		{method: "ListTasks", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			tasks, n, err := f.ListTasks(ctx, store.TaskFilter{Of: store.RunFilter{DAG: tm.dag}})
			return notNone(tasks, err, n > 0)
		}},
		{method: "CheckTrigger", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			err := f.CheckTrigger(ctx, store.Trigger{DAG: tm.dag})
			if errors.Is(err, dag.ErrInvalid) {
				err = nil // an archived DAG is seen and refused
			}
			return tm.dag, err
		}},
		{method: "ClearChoice", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			return f.ClearChoice(ctx, store.Clear{DAG: tm.dag}, []dag.RunID{tm.run})
		}},
		{method: "MarkChoice",
			one: func(ctx context.Context, f fixture, tm team) (any, error) { return f.MarkChoice(ctx, marking(tm)) }},
		{method: "Promotions",
			one: func(ctx context.Context, f fixture, tm team) (any, error) { return f.Promotions(ctx, tm.dag, 10) }},
		{method: "Provenance", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			return f.Provenance(ctx, tm.dag, tm.run)
		}},
		{method: "RunTries",
			one: func(ctx context.Context, f fixture, tm team) (any, error) { return f.RunTries(ctx, tm.dag, tm.run) }},
		{method: "Backfill",
			one: func(ctx context.Context, f fixture, tm team) (any, error) { return f.Backfill(ctx, tm.backfill) }},
		{method: "Backfills", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			found, n, err := f.Backfills(ctx, tm.dag, 10, 0)
			return notNone(found, err, n > 0)
		}},
		{method: "BackfillChoice", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			req := request(days(1))
			req.DAG = tm.dag
			found, err := f.BackfillChoice(ctx, req)
			return notNone(any(map[string]any{tm.name: found}), err, len(found) > 0)
		}},
		{method: "Version",
			one: func(ctx context.Context, f fixture, tm team) (any, error) { return f.Version(ctx, tm.dag, 1) }},
		{method: "Versions",
			one: func(ctx context.Context, f fixture, tm team) (any, error) { return f.Versions(ctx, tm.dag) }},
		{method: "Spec", one: func(ctx context.Context, f fixture, tm team) (any, error) { return f.Spec(ctx, tm.dag) }},
		{method: "SpecsOf", one: func(ctx context.Context, f fixture, tm team) (any, error) {
			specs, err := f.SpecsOf(ctx, tm.id, "main")
			return notNone(specs, err, len(specs) > 0)
		}},
	}
}

func marking(tm team) store.Mark {
	return store.Mark{DAG: tm.dag, Runs: []dag.RunID{tm.run}, Task: dag.TaskID(tm.name + "-task"),
		State: dag.TaskSuccess, By: alice}
}

// scopedAct is one act of a person upon a DAG.
type scopedAct struct {
	method string
	do     func(ctx context.Context, f fixture, tm team) error
}

func scopedActs() []scopedAct {
	task := func(tm team) dag.AttemptKey {
		return dag.AttemptKey{DAG: tm.dag, Run: tm.run, Task: dag.TaskID(tm.name + "-task")}
	}
	return []scopedAct{
		{"SetPaused", func(ctx context.Context, f fixture, tm team) error { return f.SetPaused(ctx, alice, tm.dag, false) }},
		{"PauseAll", func(ctx context.Context, f fixture, tm team) error {
			changed, err := f.PauseAll(ctx, alice, []dag.ID{tm.dag}, true)
			_, err = notNone(changed, err, len(changed) > 0)
			return err
		}},
		{"TriggerRun", func(ctx context.Context, f fixture, tm team) error {
			_, err := f.TriggerRun(ctx, store.Trigger{DAG: tm.dag, By: alice})
			return err
		}},
		{"CreateBackfill", func(ctx context.Context, f fixture, tm team) error {
			_, err := f.CreateBackfill(ctx,
				store.BackfillRequest{DAG: tm.dag, Reprocess: store.ReprocessNone, MaxActiveRuns: 1, By: alice})
			return err
		}},
		{"PauseBackfill", func(ctx context.Context, f fixture, tm team) error {
			_, err := f.PauseBackfill(ctx, alice, tm.backfill, true)
			return completed(err)
		}},
		{"CancelBackfill", func(ctx context.Context, f fixture, tm team) error {
			_, err := f.CancelBackfill(ctx, alice, tm.backfill)
			return completed(err)
		}},
		{"SetRunNote", func(ctx context.Context, f fixture, tm team) error {
			return f.SetRunNote(ctx, alice, tm.dag, tm.run, "x")
		}},
		{"ClearTasks", func(ctx context.Context, f fixture, tm team) error {
			_, err := f.ClearTasks(ctx, store.Clear{DAG: tm.dag, Run: tm.run, By: alice})
			return err
		}},
		{"ClearRuns", func(ctx context.Context, f fixture, tm team) error {
			_, err := f.ClearRuns(ctx, store.Clear{DAG: tm.dag, By: alice}, []dag.RunID{tm.run})
			return err
		}},
		{"MarkTasks", func(ctx context.Context, f fixture, tm team) error {
			_, err := f.MarkTasks(ctx, marking(tm))
			return err
		}},
		{"MarkTask", func(ctx context.Context, f fixture, tm team) error {
			return f.MarkTask(ctx, alice, task(tm), dag.TaskFailed)
		}},
		{"CancelTask", func(ctx context.Context, f fixture, tm team) error { return f.CancelTask(ctx, alice, task(tm)) }},
		{"SetRunState", func(ctx context.Context, f fixture, tm team) error {
			return f.SetRunState(ctx, alice, tm.dag, tm.run, dag.RunFailed)
		}},
		{"ReplayPush", func(ctx context.Context, f fixture, tm team) error {
			_, err := f.ReplayPush(ctx, alice, tm.push)
			return err
		}},
		{"RerenderPushes", func(ctx context.Context, f fixture, tm team) error {
			pushes, err := f.RerenderPushes(ctx, alice, []dag.ID{tm.dag}, store.ViaRerender)
			_, err = notNone(pushes, err, len(pushes) > 0)
			return err
		}},
		{"RequestPromotion", func(ctx context.Context, f fixture, tm team) error {
			_, err := f.RequestPromotion(ctx, alice, tm.dag, 0, false)
			return err
		}},
		{"DeleteRun", func(ctx context.Context, f fixture, tm team) error {
			_, err := f.DeleteRun(ctx, alice, tm.dag, tm.run)
			return err
		}},
		{"RequestRemoval",
			func(ctx context.Context, f fixture, tm team) error { return f.RequestRemoval(ctx, alice, tm.dag) }},
		{"TakeOver", func(ctx context.Context, f fixture, tm team) error { return f.TakeOver(ctx, alice, tm.dag) }},
		{"RequestRestore", func(ctx context.Context, f fixture, tm team) error {
			_, err := f.RequestRestore(ctx, alice, tm.dag)
			return notArchived(err)
		}},
		{"DeleteDAG", func(ctx context.Context, f fixture, tm team) error { return f.DeleteDAG(ctx, alice, tm.dag) }},
	}
}

// completed drops the refusal of an act on a backfill that was found, and is done.
func completed(err error) error {
	if errors.Is(err, store.ErrCompleted) {
		return nil
	}
	return err
}

// notArchived drops the refusal of an act on a DAG that was found, and has its file.
func notArchived(err error) error {
	if errors.Is(err, dag.ErrConflict) {
		return nil
	}
	return err
}

// actorsOnly are the methods that no page and no route calls, with their callers. They
// are used with contexts that have no scope.
var actorsOnly = map[string]string{
	"Lead":    "the scheduler and the generator",
	"Advance": "scheduler", "ActiveDAGs": "scheduler", "ActiveAttempts": "scheduler", "DueDAGs": "scheduler",
	"SetUnplanned": "scheduler", "ClearUnplanned": "scheduler", "Unplanned": "scheduler", "SaveDAGs": "scheduler",
	"SyncedFiles":        "scheduler",
	"SetRepositoryFault": "scheduler",
	"RecordPush":         "webhook", "WantSync": "webhook", "WakePushes": "webhook", "WantPreview": "webhook",
	"TouchProject":  "webhook",
	"PendingPushes": "generator", "FinishPushes": "generator", "SettledPush": "generator", "NextPushRetry": "generator",
	"UnreportedPushes": "generator", "WriteReports": "generator", "NewestOfCommit": "generator",
	"PendingPreviews": "generator", "FinishPreview": "generator",
	"ModelProjects": "generator", "ProjectState": "generator", "SaveProject": "generator", "TakeProject": "generator",
	"RecordSkip": "webhook", "WantedHead": "generator", "DueRemoval": "generator",
	"ClaimSpec": "generator", "ReleaseSpec": "generator", "FinishRemoval": "generator",
	"PendingPromotions": "generator", "FinishPromotion": "generator",
	// Sessions and tokens are people's and not DAGs'; package auth asks by whom.
	"StartSession": "auth", "Session": "auth", "Sessions": "auth", "UseSession": "auth", "ClaimRefresh": "auth",
	"RefreshSession": "auth",
	// A person's own acts, whatever they were upon.
	"Acted":   "api and ui",
	"Figures": "metrics", "DeliveredPushes": "metrics",
	"EndSession": "auth", "EndSessionsOf": "auth", "SavePerson": "auth", "Note": "auth",
	"CreateToken": "auth", "Token": "auth", "Tokens": "auth", "UseToken": "auth", "RevokeToken": "auth",
}

// CheckScopes fails for methods of a store that take a context and are neither
// proved to keep to its scope nor known to be for actors only.
func CheckScopes(t *testing.T) {
	t.Helper()
	proved := map[string]bool{}
	for _, r := range scopedReads() {
		proved[r.method] = true
	}
	for _, a := range scopedActs() {
		proved[a.method] = true
	}
	typ := reflect.TypeFor[*store.Store]()
	ctx := reflect.TypeFor[context.Context]()
	for m := range typ.Methods() {
		takes := m.Type.NumIn() > 1 && m.Type.In(1) == ctx
		switch who := actorsOnly[m.Name]; {
		case takes && !proved[m.Name] && who == "":
			t.Errorf("Store.%s takes a context: add it to scopedReads or scopedActs, which prove that it keeps to the scope, or to actorsOnly with who calls it",
				m.Name)
		case proved[m.Name] && who != "":
			t.Errorf("Store.%s is proved and in actorsOnly", m.Name)
		}
		delete(proved, m.Name)
	}
	for name := range proved {
		t.Errorf("Store.%s is proved, but there is none", name)
	}
}

// notNone turns an empty answer into dag.ErrNotFound, as reads of one thing give
// it.
func notNone[T any](v T, err error, some bool) (T, error) {
	if err == nil && !some {
		err = dag.ErrNotFound
	}
	return v, err
}

func counted[T any](rows []T, total int, err error) (any, int, error) {
	if err == nil && len(rows) != total {
		err = fmt.Errorf("%d rows, but a total of %d", len(rows), total)
	}
	return rows, total, err
}

func length[T any](rows []T, err error) (any, int, error) { return rows, len(rows), err }

// riskScopes are scopes that have the DAGs of "risk" alone, said in every way.
func riskScopes() map[string]store.Scope {
	any := func(s ...store.Selection) store.Scope { return store.Scope{Any: s} }
	return map[string]store.Scope{
		"group":            any(store.Selection{Projects: []string{"gbc/risk"}}),
		"group with slash": any(store.Selection{Projects: []string{"/gbc/risk/"}}),
		"owner":            any(store.Selection{Owners: []string{"risk-team", "nobody"}}),
		"tag":              any(store.Selection{Tags: []string{"risk-tag"}}),
		"label":            any(store.Selection{Labels: []string{"team=risk"}}),
		"ids":              any(store.Selection{DAGs: []string{"risk-churn", "risk-twin"}}),
		"pattern":          any(store.Selection{DAGs: []string{"risk-*"}}),
		"all of it": any(store.Selection{DAGs: []string{"r*k-*"}, Owners: []string{"risk-team"},
			Tags: []string{"risk-tag"}, Labels: []string{"team=risk"}, Projects: []string{"gbc"}}),
		"several": any(store.Selection{Owners: []string{"nobody"}}, store.Selection{DAGs: []string{"risk-churn"}},
			store.Selection{DAGs: []string{"*-twin"}, Tags: []string{"risk-tag"}}),
		"project and owner": any(store.Selection{Projects: []string{"gbc/risk/risk-churn"}},
			store.Selection{Owners: []string{"risk-team"}}),
	}
}

func testScopeReads(f fixture) {
	risk, fraud := twoTeams(f)
	for name, scope := range riskScopes() {
		ctx := store.WithScope(f.ctx(), scope)
		for _, r := range scopedReads() {
			what := fmt.Sprintf("%s under %s", r.method, name)
			if r.list != nil {
				got, n, err := r.list(ctx, f)
				checkShown(f, what, got, err)
				if n != r.want {
					f.Errorf("%s: %d things, want %d", what, n, r.want)
				}
				continue
			}
			got, err := r.one(ctx, f, risk)
			checkShown(f, what, got, err)
			checkHidden(f, what, fraud, r, ctx)
		}
	}
	none := store.WithScope(f.ctx(), store.Scope{})
	for _, r := range scopedReads() {
		if r.list != nil {
			if _, n, err := r.list(none, f); n != 0 || err != nil {
				f.Errorf("%s under the zero scope: %d things, error %v", r.method, n, err)
			}
			continue
		}
		checkHidden(f, r.method+" under the zero scope", risk, r, none)
	}
}

// checkShown wants an answer in which "risk" stands and "fraud" does not.
func checkShown(f fixture, what string, got any, err error) {
	f.Helper()
	text, jsonErr := json.Marshal(got)
	f.ok(jsonErr)
	switch {
	case err != nil:
		f.Errorf("%s: %v", what, err)
	case strings.Contains(string(text), "fraud"):
		f.Errorf("%s shows what is another team's: %s", what, text)
	case !strings.Contains(string(text), "risk"):
		f.Errorf("%s does not show what is its own: %s", what, text)
	}
}

// checkHidden wants a read of one team's DAG to say what it says of a DAG that
// there is not.
func checkHidden(f fixture, what string, tm team, r scopedRead, ctx context.Context) {
	f.Helper()
	_, err := r.one(ctx, f, tm)
	if !errors.Is(err, dag.ErrNotFound) {
		f.Errorf("%s: reading of %s: %v, want %v", what, tm.dag, err, dag.ErrNotFound)
		return
	}
	absent := tm
	absent.dag, absent.push, absent.id = "absent", 1<<40, 1<<40
	_, other := r.one(ctx, f, absent)
	if got := strings.ReplaceAll(err.Error(), string(tm.dag), "absent"); other == nil || got != other.Error() {
		f.Errorf("%s: reading of what is hidden says %q, of what there is not %q", what, err, other)
	}
}

func testScopeActs(f fixture) {
	risk, fraud := twoTeams(f)
	everything := func() string {
		var all []any
		for _, r := range scopedReads() {
			if r.list != nil {
				got, n, err := r.list(f.ctx(), f)
				all = append(all, got, n, fmt.Sprint(err))
			} else {
				got, err := r.one(f.ctx(), f, fraud)
				all = append(all, got, fmt.Sprint(err))
			}
		}
		text, err := json.Marshal(all)
		f.ok(err)
		return string(text)
	}
	for name, scope := range riskScopes() {
		ctx := store.WithScope(f.ctx(), scope)
		for _, a := range scopedActs() {
			if a.method == "RerenderPushes" {
				continue // it writes to the audit log that nothing was chosen
			}
			before := everything()
			f.is(a.do(ctx, f, fraud), dag.ErrNotFound)
			if after := everything(); after != before {
				f.Fatalf("%s under %s changed something:\n%s\n%s", a.method, name, before, after)
			}
		}
	}
	ctx := store.WithScope(f.ctx(), store.Scope{Any: []store.Selection{{Projects: []string{"gbc/risk"}}}})
	for _, a := range scopedActs() {
		if err := a.do(ctx, f, risk); errors.Is(err, dag.ErrNotFound) {
			f.Errorf("%s upon one's own DAG: %v", a.method, err)
		}
	}
	pushes, err := f.RerenderPushes(ctx, alice, []dag.ID{fraud.dag, risk.dag}, store.ViaRerender)
	f.ok(err)
	f.equal(len(pushes), 1)
}

func testSelections(f fixture) {
	f.save(
		file("dags/gbc/risk/a.yaml", "a", withTags(newDAG("a", "t"), "x")),
		file("dags/gbc/risk-2/b.yaml", "b", withTags(newDAG("b", "t"), "x", "y")),
		file("dags/gbc/risk/deep/c.yaml", "c", newDAG("C_[x]?", "t")),
		file("elsewhere.yaml", "d", newDAG("gbc.risk", "t")),
	)
	for _, c := range []struct {
		name  string
		scope []store.Selection
		want  []dag.ID
	}{
		{"nothing", nil, []dag.ID{}},
		{"the zero selection", []store.Selection{{}}, []dag.ID{"C_[x]?", "a", "b", "gbc.risk"}},
		{"a group ends at a slash", []store.Selection{{Projects: []string{"gbc/risk"}}}, []dag.ID{"C_[x]?", "a"}},
		{"part of a segment", []store.Selection{{Projects: []string{"gbc/ris", "gb", "risk"}}}, []dag.ID{}},
		{"a project", []store.Selection{{Projects: []string{"gbc/risk-2/b"}}}, []dag.ID{"b"}},
		{"no project", []store.Selection{{Projects: []string{"", "/"}}}, []dag.ID{}},
		{"case of a path", []store.Selection{{Projects: []string{"GBC/risk"}}}, []dag.ID{}},
		{"case of an id", []store.Selection{{DAGs: []string{"A", "B*", "c_*"}}}, []dag.ID{}},
		{"everything by pattern", []store.Selection{{DAGs: []string{"*"}}}, []dag.ID{"C_[x]?", "a", "b", "gbc.risk"}},
		{"a pattern's other signs", []store.Selection{{DAGs: []string{"?", "[ab]*", "_*", "%", "*_[x]?"}}},
			[]dag.ID{"C_[x]?"}},
		{"a dot is a dot", []store.Selection{{DAGs: []string{"gbc.*"}}}, []dag.ID{"gbc.risk"}},
		{"any tag", []store.Selection{{Tags: []string{"y", "z"}}}, []dag.ID{"b"}},
		{"every field", []store.Selection{{Tags: []string{"x"}, DAGs: []string{"b"}, Projects: []string{"gbc/risk"}}},
			[]dag.ID{}},
		{"any selection", []store.Selection{{Tags: []string{"y"}}, {DAGs: []string{"a"}}}, []dag.ID{"a", "b"}},
		{"SQL", []store.Selection{{Owners: []string{"' OR 1=1 --"}, DAGs: []string{"' OR '1'='1*"}}}, []dag.ID{}},
	} {
		rows, n, err := f.DAGs(store.WithScope(f.ctx(), store.Scope{Any: c.scope}), store.DAGFilter{})
		f.ok(err)
		if got := ids(rows); !slices.Equal(got, c.want) || n != len(c.want) {
			f.Errorf("%s: %v, total %d, want %v", c.name, got, n, c.want)
		}
	}
	// Acts upon no DAG are for those who see everything.
	f.save(store.SpecFile{Path: "x.yaml", Blob: "b", Errors: dag.SpecErrors{{File: "x.yaml", Reason: "broken"}}})
	_, all, err := f.Audit(f.ctx(), store.AuditFilter{Event: "import_error"})
	f.ok(err)
	_, some, err := f.Audit(store.WithScope(f.ctx(), store.Scope{Any: []store.Selection{{}}}),
		store.AuditFilter{Event: "import_error"})
	f.ok(err)
	f.equal([]int{all, some}, []int{1, 0})
}

func withTags(d *dag.DAG, tags ...string) *dag.DAG {
	d.Tags = tags
	return d
}

func testScopePaging(f fixture) {
	f.define("mine", "t")
	f.define("theirs", "t")
	var want []dag.RunID
	for i := range 12 {
		want = append([]dag.RunID{f.trigger("mine").ID}, want...)
		if i%3 == 0 {
			f.trigger("theirs")
		}
	}
	ctx := store.WithScope(f.ctx(), store.Scope{Any: []store.Selection{{DAGs: []string{"mine"}}}})
	for _, states := range [][]dag.RunState{nil, {dag.RunQueued}, {dag.RunQueued, dag.RunRunning}} {
		var got []dag.RunID
		filter := store.RunFilter{States: states, Limit: 5}
		for {
			page, total, err := f.Runs(ctx, filter)
			f.ok(err)
			f.equal(total, len(want))
			if len(page) == 0 {
				break
			}
			got = append(got, runIDs(page)...)
			filter.After = &page[len(page)-1]
		}
		f.equal(got, want)
		page, _, err := f.Runs(ctx, store.RunFilter{States: states, Limit: 4, Offset: 3})
		f.ok(err)
		f.equal(runIDs(page), want[3:7])
	}
}

func testSight(f fixture) {
	risk, fraud := twoTeams(f)
	ctx := store.WithScope(f.ctx(), store.Scope{Any: []store.Selection{{Owners: []string{"risk-team"}}}})
	v := f.Sight()
	for _, c := range []struct {
		name   string
		change store.Change
		want   bool
	}{
		{"own DAG", store.Change{Kind: store.ChangeDAG, DAG: risk.dag}, true},
		{"own run", store.Change{Kind: store.ChangeRun, DAG: risk.dag}, true},
		{"foreign DAG", store.Change{Kind: store.ChangeDAG, DAG: fraud.dag}, false},
		{"foreign run", store.Change{Kind: store.ChangeRun, DAG: fraud.dag}, false},
		{"unknown DAG", store.Change{Kind: store.ChangeTask, DAG: "absent"}, false},
		{"push of one's project", store.Change{Kind: store.ChangePush, Project: risk.project}, true},
		{"push of a foreign project", store.Change{Kind: store.ChangePush, Project: fraud.project}, false},
		{"refused push of a foreign project for one's DAG",
			store.Change{Kind: store.ChangePush, DAG: risk.dag, Project: fraud.project, State: "refused"}, false},
		{"a file's error", store.Change{Kind: store.ChangeImportError, Project: risk.project}, true},
		{"work of the instance", store.Change{Kind: store.ChangeSyncWanted}, false},
	} {
		got, err := v.Sees(ctx, c.change)
		f.ok(err)
		if got != c.want {
			f.Errorf("%s: seen is %t", c.name, got)
		}
		everything, err := v.Sees(f.ctx(), c.change)
		f.ok(err)
		if !everything {
			f.Errorf("%s is hidden from a scope that has everything", c.name)
		}
	}
	// The DAG goes to another team: that is delivered once, and nothing after it.
	moved := newDAG(risk.dag, "t")
	moved.Owner = "somebody"
	f.save(file("dags/gbc/risk/risk-churn.yaml", "moved", moved))
	for i, want := range []bool{true, false, false} {
		got, err := v.Sees(ctx,
			store.Change{Kind: []store.ChangeKind{store.ChangeDAG, store.ChangeRun, store.ChangeDAG}[i], DAG: risk.dag})
		f.ok(err)
		f.equal(got, want)
	}
}

func testProjectOfDAG(f fixture) {
	annotated := func(id dag.ID, project string) *dag.DAG {
		d := newDAG(id, "a", "b")
		for i := range d.Tasks {
			d.Tasks[i].Pod = map[string]any{"annotations": map[string]any{"dagwright/project": project}}
		}
		return d
	}
	half := annotated("half", "gbc/risk/churn")
	half.Tasks[1].Pod = nil
	f.save(
		file("dags/gbc/risk/churn-retrain.yaml", "1", annotated("churn-retrain", "gbc/risk/churn")),
		file("dags/gbc/risk/many/one.yaml", "2", annotated("one", "gbc/risk/many")),
		file("dags/gbc/fraud/liar.yaml", "3", annotated("liar", "gbc/risk/churn")),
		file("dags/gbc/risk/half.yaml", "4", half),
		file("dags/gbc/risk/plain.yml", "5", newDAG("plain", "t")),
		file("churn.yaml", "6", annotated("outside", "gbc/risk/churn")),
	)
	see := func(project string) []dag.ID {
		rows, _, err := f.DAGs(store.WithScope(f.ctx(), store.Scope{Any: []store.Selection{{Projects: []string{project}}}}),
			store.DAGFilter{})
		f.ok(err)
		return ids(rows)
	}
	f.equal(see("gbc/risk/churn"), []dag.ID{"churn-retrain"})
	f.equal(see("gbc/risk"), []dag.ID{"churn-retrain", "half", "one", "plain"})
	f.equal(see("gbc/risk/plain"), []dag.ID{"plain"})
	f.equal(see("gbc/fraud"), []dag.ID{"liar"})
	// Provenance knows better, and the feed tells.
	id, _ := f.record(push("main", "c1", ""))
	sub := f.listen()
	spec := store.Spec{DAG: "plain", ProjectID: 7, Path: "dags/gbc/risk/plain.yml",
		Source: dag.Source{Project: "gbc/moved/plain"}}
	f.ok(f.FinishPushes(f.ctx(), []store.PushResult{{ID: id, State: store.PushUnchanged, Specs: []store.Spec{spec}}}))
	f.equal(see("gbc/moved"), []dag.ID{"plain"})
	for f.next(sub).Kind != store.ChangeDAG {
		continue // the push
	}
	f.save(file("dags/gbc/risk/plain.yml", "5b", newDAG("plain", "t")))
	f.equal(see("gbc/moved"), []dag.ID{"plain"})
}
