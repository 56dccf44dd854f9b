package ui

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jba/templatecheck"
	"github.com/labstack/echo/v4"
	"golang.org/x/text/language"

	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
)

func TestTemplatesFitTheirPages(t *testing.T) {
	t.Parallel()
	v := newViews()
	pages := map[string]any{
		"dags": dagsPage{}, "graph": graphPage{}, "runs": runsPage{}, "run": runPage{}, "task": taskPage{},
		"code":    codePage{},
		"details": detailsPage{}, "trigger": triggerPage{}, "delete": deletePage{}, "takeover": takeOverPage{},
		"promote": promotePage{}, "log": logPage{}, "models": modelsPage{},
		"confirm": confirmPage{}, "importerrors": importErrorsPage{}, "audit": auditPage{}, "error": errorPage{},
		"grid": gridPage{}, "gantt": ganttPage{},
		"rendered": renderedPage{}, "dagaudit": dagAuditPage{}, "loglines": linesPart{},
		"login": loginPage{}, "tokens": tokensPage{}, "sessions": sessionsPage{},
	}
	files, err := htmlFiles.ReadDir("html")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file.Name(), ".html")
		if name == "layout" || name == "provenance" { // parts of pages
			continue
		}
		data, ok := pages[name]
		if !ok {
			t.Errorf("html/%s has no page struct here", file.Name())
			continue
		}
		if err := templatecheck.CheckHTMLStrict(v.templates[language.English].Lookup(file.Name()), data); err != nil {
			t.Errorf("%s: %v", file.Name(), err)
		}
	}
}

func TestEmptyTableSaysWhatToDo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.get(http.StatusOK, "/").wants(t, "There are no DAGs yet", "Models", "retrain", "DEV", "alice")
	s.get(http.StatusOK, "/?q=churn").wants(t, "No DAG matches")
}

func TestDAGTable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "run_model"), newDAG("fraud-model", "run_model"),
		newDAG("fraud-model-retrain", "a", "b", "c", "d"))
	if err := s.store.SetPaused(t.Context(), store.Actor{User: "a"}, "fraud-model", false); err != nil {
		t.Fatal(err)
	}
	failed := s.run("fraud-model-retrain", "first")
	s.start(failed, dag.TaskInstance{Task: "a", State: dag.TaskSuccess, Try: 1, MaxTries: 1},
		dag.TaskInstance{Task: "b", State: dag.TaskFailed, Try: 1, MaxTries: 1},
		dag.TaskInstance{Task: "c", State: dag.TaskUpstreamFailed, MaxTries: 1},
		dag.TaskInstance{Task: "d", State: dag.TaskUpstreamFailed, MaxTries: 1})
	s.advance("fraud-model-retrain",
		store.EndRun{DAG: failed.DAG, Run: failed.ID, From: dag.RunRunning, State: dag.RunFailed, At: now})

	all := s.get(http.StatusOK, "/")
	all.wants(t, "All 3", "Active 1", "Paused 2", "Failed 1", "Running 0", "3 DAGs", "risk-team",
		"runs, failed: 1", "tasks of the last run, success: 1", "tasks of the last run, upstream failed: 2",
		"Time zone: Europe/Moscow",
		"/dags/fraud-model-retrain/runs?state=failed", "/dags/churn-model/trigger", "/dags/churn-model/delete")
	if on, off := all.attr("toggle-fraud-model", "aria-checked"), all.attr("toggle-churn-model",
		"aria-checked"); on != "true" || off != "false" {
		t.Errorf("toggles are %q and %q, want true and false", on, off)
	}
	tests := []struct {
		query       string
		want, lacks []string
	}{
		{"?state=active", []string{"fraud-model"}, []string{"churn-model", "retrain"}},
		{"?state=paused", []string{"churn-model", "fraud-model-retrain"}, nil},
		{"?state=failed", []string{"fraud-model-retrain"}, []string{"churn-model"}},
		{"?state=running", []string{"No DAG matches"}, []string{"churn-model"}},
		{"?q=CHURN", []string{"churn-model"}, []string{"fraud"}},
		{"?tag=churn-model", []string{"churn-model"}, []string{"fraud"}},
		{"?tag=scoring&tag=nothing", []string{"No DAG matches"}, nil},
		{"?owner=nobody", []string{"No DAG matches"}, nil},
		{"?page=0", []string{"churn-model"}, nil},
		{"?page=x", []string{"churn-model"}, nil},
	}
	for _, test := range tests {
		p := s.get(http.StatusOK, "/"+test.query)
		p.wants(t, test.want...)
		p.lacks(t, test.lacks...)
	}
	s.get(http.StatusUnprocessableEntity, "/?state=odd").wants(t, "odd")
	s.get(http.StatusUnprocessableEntity, "/?sort=odd")
}

func TestDAGTablePagesAndStaysSmall(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var dags []*dag.DAG
	for i := range 120 {
		dags = append(dags, newDAG(dag.ID(fmt.Sprintf("model-%03d", i)), "run_model"))
	}
	s.save(dags...)
	first := s.get(http.StatusOK, "/")
	first.wants(t, "model-049", "Page 1 of 3", "/?page=2")
	first.lacks(t, "model-050")
	s.get(http.StatusOK, "/?page=3").wants(t, "model-119", "/?page=2")

	total := 0
	for _, path := range []string{"/", s.server.views.asset("style.css"), s.server.views.asset("app.js"),
		s.server.views.asset("favicon.svg")} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		total += s.do(r).Body.Len()
	}
	if total > 100_000 {
		t.Errorf("the first load is %d bytes, want at most 100,000", total)
	}
	t.Logf("first load: %d bytes", total)
}

func TestToggle(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "run_model"))
	paused := func() bool {
		row, err := s.store.DAG(t.Context(), "churn-model")
		if err != nil {
			t.Fatal(err)
		}
		return row.Paused
	}
	s.posted("/dags/churn-model/pause", url.Values{"paused": {"false"}, "back": {"/?state=paused"}}, "/?state=paused")
	if paused() {
		t.Error("the DAG is paused, want active")
	}
	for _, hostile := range []string{"//evil.example", "https://evil.example/", `/\evil.example`, "javascript:alert(1)",
		"x", "/\tx"} {
		s.posted("/dags/churn-model/pause", url.Values{"paused": {"true"}, "back": {hostile}}, "/dags/churn-model/graph")
	}
	if !paused() {
		t.Error("the DAG is active, want paused")
	}
	if w := s.post("/dags/churn-model/pause", url.Values{"paused": {"false"}},
		"text/plain"); w.Code != http.StatusNoContent {
		t.Errorf("a script gets %d, want 204", w.Code)
	}
	if w := s.post("/dags/absent/pause", url.Values{"paused": {"false"}}, "text/plain"); w.Code != http.StatusNotFound ||
		strings.Contains(w.Body.String(), "<") {
		t.Errorf("a script gets %d %q, want 404 in plain words", w.Code, w.Body)
	}
	if w := s.post("/dags/churn-model/pause", url.Values{"paused": {"maybe"}},
		""); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("a wrong form gets %d, want 422", w.Code)
	}
	if w := s.do(httptest.NewRequest(http.MethodGet, "/dags/churn-model/pause", nil)); w.Code != http.StatusNotFound {
		t.Errorf("GET of an act gets %d, want 404", w.Code)
	}
	long := url.Values{"paused": {"false"}, "back": {strings.Repeat("x", 2<<20)}}
	if w := s.post("/dags/churn-model/pause", long, ""); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a form of 2 MiB gets %d, want 413", w.Code)
	}
}

func TestDAGPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := newDAG("churn-model-retrain", "prepare_data", "train_model", "evaluate_model")
	s.save(d)
	s.get(http.StatusOK, "/dags/churn-model-retrain/graph").wants(t, "has not run yet", "prepare_data",
		"/dags/churn-model-retrain/details#task-train_model")
	r := s.run(d.ID, "")
	s.start(r, dag.TaskInstance{Task: "prepare_data", State: dag.TaskSuccess, Try: 1, MaxTries: 2},
		dag.TaskInstance{Task: "train_model", State: dag.TaskFailed, Try: 1, MaxTries: 2, Reason: reason.Of("exit status 3"),
			StartedAt: now, EndedAt: now.Add(time.Second), HasExitCode: true, ExitCode: 3},
		dag.TaskInstance{Task: "evaluate_model", State: dag.TaskUpstreamFailed, MaxTries: 2})

	if w := s.do(httptest.NewRequest(http.MethodGet, "/dags/churn-model-retrain", nil)); w.Code != http.StatusFound ||
		w.Header().Get("Location") != "/dags/churn-model-retrain/graph" {
		t.Errorf("the plain address gives %d to %q", w.Code, w.Header().Get("Location"))
	}
	graph := s.get(http.StatusOK, "/dags/churn-model-retrain/graph")
	graph.wants(t, "Task train_model failed (exit status 3)", "node s-failed", "node s-success", "node s-upstream-failed",
		taskURL(d.ID, r.ID, "train_model"))
	s.get(http.StatusOK, withQuery("/dags/churn-model-retrain/graph", url.Values{"run": {string(r.ID)}})).wants(t,
		string(r.ID))
	s.get(http.StatusNotFound, "/dags/churn-model-retrain/graph?run=absent")

	s.get(http.StatusOK, "/dags/churn-model-retrain/runs?state=running").wants(t, string(r.ID), "bob")
	s.get(http.StatusOK, "/dags/churn-model-retrain/runs?state=success").wants(t, "No runs in this state")
	s.get(http.StatusUnprocessableEntity, "/dags/churn-model-retrain/runs?state=odd")
	s.get(http.StatusOK, runURL(d.ID, r.ID)).wants(t, "Mark failed", "exit status 3", "1 of 2",
		logURL(d.ID, r.ID, "train_model", 0), "no config")
	s.get(http.StatusOK, taskURL(d.ID, r.ID, "train_model")).wants(t, "exit status 3", "Exit code", "python main.py 'a b'",
		"registry.example.com/churn:3f2a9c1", "prepare_data", "Log")

	code := s.get(http.StatusOK, "/dags/churn-model-retrain/code")
	code.wants(t, "made by a test, 1", `<span class="y-key">schedule</span>`,
		"https://gitlab.example.com/gbc/risk/churn%20model/-/commit/3f2a9c1d", "Version 1")
	s.save(d)
	s.get(http.StatusOK, "/dags/churn-model-retrain/code").wants(t, "made by a test, 2", "Version 2")
	s.get(http.StatusOK, "/dags/churn-model-retrain/code?version=1").wants(t, "made by a test, 1")
	s.get(http.StatusNotFound, "/dags/churn-model-retrain/code?version=9")
	s.get(http.StatusNotFound, "/dags/churn-model-retrain/code?version=-1")
	s.get(http.StatusOK, "/dags/churn-model-retrain/graph").wants(t, "version 1 of the DAG; the newest is 2")
	s.get(http.StatusOK, "/dags/churn-model-retrain/details").wants(t, "dags/churn-model-retrain.yaml", "Europe/Moscow",
		"task-evaluate_model")
	s.get(http.StatusOK, "/audit?dag=churn-model-retrain").wants(t, "Triggered a run", "bob")
}

func TestUnknownIsNotFound(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "run_model"))
	r := s.run("churn-model", "")
	for _, path := range []string{
		"/dags/absent", "/dags/absent/graph", "/dags/absent/runs", "/dags/absent/code", "/dags/absent/details",
		"/dags/absent/trigger", "/dags/absent/delete",
		"/dags/churn-model/runs/absent", "/dags/churn-model/odd", "/odd", "/static/odd.css", "/static/..%2fui.go",
		runURL("churn-model", r.ID) + "/tasks/absent", runURL("churn-model", r.ID) + "/tasks/absent/log",
		runURL("churn-model", r.ID) + "/tasks/run_model/log?try=7",
		runURL("churn-model", r.ID) + "/tasks/run_model/log?try=0",
		runURL("churn-model", r.ID) + "/tasks/run_model/log?try=2",
		runURL("churn-model", r.ID) + "/tasks/run_model/log?try=-1",
		runURL("churn-model", r.ID) + "/tasks/run_model/log?try=x",
		"/dags/%2e%2e%2f%2e%2e%2fetc%2fpasswd/graph", "/dags/%00/graph", "/dags/" + strings.Repeat("x", 5000) + "/graph",
		"/dags/%D0%BC%D0%BE%D0%B4%D0%B5%D0%BB%D1%8C/code",
		"/dags/churn-model/runs?after=absent",
	} {
		s.get(http.StatusNotFound, path)
	}
	for _, path := range []string{"/dags/absent/trigger", "/dags/absent/delete", "/dags/absent/delete-history",
		"/dags/churn-model/runs/absent/note"} {
		if w := s.post(path, url.Values{"note": {"x"}}, ""); w.Code != http.StatusNotFound {
			t.Errorf("POST %s: %d, want 404", path, w.Code)
		}
	}
	if w := s.do(httptest.NewRequest(http.MethodGet, "/api/v2/odd", nil)); strings.Contains(w.Body.String(), "<html") ||
		w.Code != http.StatusNotFound {
		t.Errorf("the API's unknown paths get %d %q, want no page", w.Code, w.Body)
	}
}

func TestEncodedIDsAreDecoded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "run_model"))
	r := s.run("churn-model", "manual+1:2~3")
	s.get(http.StatusOK, runURL(r.DAG, r.ID)).wants(t, "manual+1:2~3")
	s.get(http.StatusOK, "/dags/churn%2Dmodel/runs/manual%2B1%3A2~3").wants(t, "manual+1:2~3")
}

func TestRunsPageByKeyset(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "run_model"))
	for i := range pageSize + 5 {
		if _, err := s.store.TriggerRun(t.Context(),
			store.Trigger{DAG: "churn-model", Run: dag.RunID(fmt.Sprintf("run-%03d", i)),
				LogicalDate: now.AddDate(0, 0, i)}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]int{}
	next := "/dags/churn-model/runs?state=queued"
	pages := 0
	for ; next != "" && pages < 5; pages++ {
		p := s.get(http.StatusOK, next)
		next = ""
		for _, link := range p.links() {
			if strings.HasPrefix(link, "/dags/churn-model/runs/run-") {
				seen[link]++
			}
			if strings.Contains(link, "after=") {
				next = link
			}
		}
	}
	if len(seen) != pageSize+5 || pages != 2 {
		t.Errorf("%d runs on %d pages, want %d on 2", len(seen), pages, pageSize+5)
	}
	for link, n := range seen {
		if n != 1 {
			t.Errorf("%s is shown %d times", link, n)
		}
	}
}

func TestMarkRunAndNote(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "run_model"))
	r := s.run("churn-model", "one")
	here := runURL(r.DAG, r.ID)
	s.posted(here+"/note", url.Values{"note": {"for the audit"}}, here)
	s.posted(here+"/state", url.Values{"state": {"failed"}}, here)
	s.get(http.StatusOK, here).wants(t, "for the audit", "failed")
	s.get(http.StatusOK, here).lacks(t, "Mark failed")
	if w := s.post(here+"/state", url.Values{"state": {"failed"}}, ""); w.Code != http.StatusConflict {
		t.Errorf("marking an ended run gives %d, want 409", w.Code)
	}
	if w := s.post(here+"/state", url.Values{"state": {"running"}}, ""); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("marking as running gives %d, want 422", w.Code)
	}
	if w := s.post(here+"/note", url.Values{"note": {strings.Repeat("ж", dag.MaxNote+1)}},
		""); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("a long note gives %d, want 422", w.Code)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := newDAG("churn-model", "run_model")
	d.Source = dag.Source{} // written by hand
	s.save(d)
	p := s.get(http.StatusOK, "/dags/churn-model/delete")
	p.wants(t, "dags/churn-model.yaml", "History stays, with logs and code.", "written by hand")
	p.lacks(t, "0 runs", "The next push", "Runs that have started")
	s.posted("/dags/churn-model/delete", nil, "/dags/churn-model/details")
	removals, err := s.store.PendingRemovals(t.Context())
	if err != nil || len(removals) != 1 || removals[0].By.User != "alice" {
		t.Fatalf("removals are %+v, %v; want one by alice", removals, err)
	}
	s.get(http.StatusOK, "/dags/churn-model/details").wants(t, "alice asked to remove")
	if w := s.post("/dags/churn-model/delete-history", nil, ""); w.Code != http.StatusConflict {
		t.Errorf("deleting the history of a DAG with a file gives %d, want 409", w.Code)
	}
	s.sync(store.Sync{Commit: "gone", Removed: []string{"dags/churn-model.yaml"}})
	s.get(http.StatusOK, "/").wants(t, `href="/?state=archived">Archived <span class="n">1</span>`)
	s.get(http.StatusOK, "/").lacks(t, `id="dag-churn-model"`, "There are no DAGs yet")
	s.get(http.StatusOK, "/?q=CHURN").wants(t, "No DAG matches", "1 archived DAG matches",
		`href="/?q=CHURN&state=archived"`)
	s.get(http.StatusOK, "/?q=fraud").lacks(t, "archived DAG")
	s.get(http.StatusOK, "/?state=archived").wants(t, "<option>scoring</option>", "<option>churn-model</option>",
		"<option>risk-team</option>")
	s.get(http.StatusOK, "/?state=archived").wants(t, `id="dag-churn-model"`, "/dags/churn-model/restore",
		"Delete the history of churn-model")
	s.get(http.StatusOK, "/?state=archived").lacks(t, "none of these runs starts", "<p>Next runs:")
	for _, tab := range []string{"graph", "grid", "gantt", "runs"} {
		s.get(http.StatusOK, "/dags/churn-model/"+tab).lacks(t, "none of these runs starts", "<p>Next runs:")
		s.get(http.StatusOK, "/dags/churn-model/"+tab).wants(t, "archived: its file is gone", "/dags/churn-model/restore")
		s.get(http.StatusOK, "/dags/churn-model/"+tab).lacks(t, "/dags/churn-model/trigger")
	}
	s.asked("/dags/churn-model/restore", nil).wants(t, "Restore the file of churn-model?",
		"will be brought back into the DAG repository")
	s.get(http.StatusOK, "/?state=archived").wants(t, "/dags/churn-model/delete?back=%2f%3fstate%3darchived")
	s.get(http.StatusOK, "/dags/churn-model/delete?back=%2f%3fstate%3darchived").wants(t,
		`name="back" value="/?state=archived"`)
	s.posted("/dags/churn-model/restore", nil, "/dags/churn-model/details")
	s.get(http.StatusOK, "/dags/churn-model/details").wants(t, "alice asked to restore")
	s.get(http.StatusOK, "/dags/churn-model/delete").wants(t, "Delete the history")
	s.posted("/dags/churn-model/delete-history", nil, "/")
	s.get(http.StatusNotFound, "/dags/churn-model/graph")
}

// TestDeleteSaysHowTheDAGComesBack asks to delete DAGs of which each came another way.
func TestDeleteSaysHowTheDAGComesBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	generated, promoted := newDAG("generated", "run_model"), newDAG("promoted", "run_model")
	promoted.Tasks[0].Pod = map[string]any{"annotations": map[string]any{
		dag.AnnotationPromoted: "gbc/airflow-dev@fedcba9876543210",
	}}
	s.save(generated, promoted)
	id, _, err := s.store.RecordPush(t.Context(),
		store.Push{ProjectID: 7, Project: "gbc/churn-model", Branch: "main", Commit: "abc", ReceivedAt: now})
	if err != nil {
		t.Fatal(err)
	}
	spec := store.Spec{DAG: "generated", ProjectID: 7, Path: "dags/generated.yaml", DAGCommit: "d1",
		Source: generated.Source}
	result := store.PushResult{ID: id, State: store.PushRendered, DAG: "generated", Specs: []store.Spec{spec}}
	if err := s.store.FinishPushes(t.Context(), []store.PushResult{result}); err != nil {
		t.Fatal(err)
	}
	s.start(s.run("generated", "one"), dag.TaskInstance{Task: "run_model", MaxTries: 1})
	s.get(http.StatusOK, "/dags/generated/delete").wants(t, "Runs that have started continue to their end.",
		"History stays, with logs and code: 1 run.", "The next push to the model's repository makes the DAG again.")
	p := s.get(http.StatusOK, "/dags/promoted/delete")
	p.wants(t, "The DAG comes back when it is promoted again.")
	p.lacks(t, "The next push", "Runs that have started")
}

func TestModelsAndImportErrors(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.get(http.StatusOK, "/models").wants(t, "No pushes")
	s.get(http.StatusOK, "/import-errors").wants(t, "All files are valid")
	id, _, err := s.store.RecordPush(t.Context(),
		store.Push{ProjectID: 7, Project: "gbc/churn-model", Branch: "main", Commit: "abcdef0123456789", User: "Carol",
			Title: "Fix features", ReceivedAt: now})
	if err != nil {
		t.Fatal(err)
	}
	err = s.store.FinishPushes(t.Context(),
		[]store.PushResult{{ID: id, State: store.PushRefused,
			Reason: ".dagwright.yml:3: scoring.schedule: no cron expression"}})
	if err != nil {
		t.Fatal(err)
	}
	s.get(http.StatusOK, "/models").wants(t, "rejected", "no cron expression", "gbc/churn-model", "Fix features",
		"https://gitlab.example.com/gbc/churn-model/-/commit/abcdef0123456789")
	s.get(http.StatusOK, "/models?state=rendered").lacks(t, "Fix features")
	s.get(http.StatusOK, "/models?project=nothing").lacks(t, "Fix features")
	s.get(http.StatusUnprocessableEntity, "/models?state=odd")

	s.save(newDAG("churn-model", "run_model"))
	s.sync(store.Sync{Commit: "broken", Changed: []store.SpecFile{{Path: "dags/churn-model.yaml", Blob: "b", Source: "x",
		Errors: dag.SpecErrors{{File: "dags/churn-model.yaml", Line: 4, Column: 2, Path: "churn-model.tasks",
			Reason: "unknown key"}}}}})
	s.get(http.StatusOK, "/").wants(t, "1 broken file", "broken file")
	s.get(http.StatusOK, "/import-errors").wants(t, "dags/churn-model.yaml", "churn-model.yaml:4:2", "unknown key")
	s.get(http.StatusOK, "/dags/churn-model/graph").wants(t, "the last good version stays in use")
}

// TestHostileText puts a payload into every text that a stranger can choose.
func TestHostileText(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}</textarea></pre>`
	d := newDAG("churn-model", "run_model")
	d.DisplayName, d.Description, d.DocMD, d.Owner, d.Tags = evil, evil, evil, evil, []string{evil}
	d.Timezone, d.Schedule.Timezone, d.Schedule.Expr = evil, evil, evil
	d.Source = dag.Source{Project: evil, Branch: evil, Commit: evil}
	d.Params = []dag.Param{{Name: "P", Default: evil, Description: evil,
		Schema: map[string]any{"title": evil, "type": "string"}},
		{Name: "E", Default: evil, Schema: map[string]any{"enum": []any{evil}}}}
	d.Groups = []dag.TaskGroup{{Name: evil, Tooltip: evil}}
	task := &d.Tasks[0]
	task.Group, task.Image, task.Cmds, task.Owner, task.TriggerRule = evil, evil, []string{evil}, evil, evil
	source := "churn-model: " + evil + "\n# " + evil + "\n"
	s.sync(store.Sync{Commit: evil, Changed: []store.SpecFile{
		{Path: "dags/" + evil, Blob: "b", Source: source, DAGs: []*dag.DAG{d}},
		{Path: evil, Blob: "c", Source: source, Errors: dag.SpecErrors{{File: evil, Line: 1, Path: evil, Reason: evil}}},
	}})
	r, err := s.store.TriggerRun(t.Context(),
		store.Trigger{DAG: d.ID, Run: "one", Conf: map[string]any{"EVIL": evil}, Note: evil,
			By: store.Actor{User: evil, Via: evil}})
	if err != nil {
		t.Fatal(err)
	}
	s.start(r, dag.TaskInstance{Task: "run_model", State: dag.TaskFailed, Try: 1, MaxTries: 1, Reason: reason.Of(evil),
		Hostname: evil})
	s.write(r, "run_model", evil+"\x00\xff\n", true)
	if _, _, err := s.store.RecordPush(t.Context(),
		store.Push{ProjectID: 1, Project: evil, Branch: evil, Commit: evil, User: evil, Title: evil,
			ReceivedAt: now}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/", "/?q=" + url.QueryEscape(evil), "/?tag=" + url.QueryEscape(evil), "/?owner=" + url.QueryEscape(evil), "/models",
		"/models?project=" + url.QueryEscape(evil),
		"/import-errors", "/audit", "/audit?dag=" + url.QueryEscape(evil),
		"/dags/churn-model/graph", "/dags/churn-model/runs", "/dags/churn-model/code", "/dags/churn-model/details",
		"/dags/churn-model/trigger", "/dags/churn-model/delete",
		runURL(r.DAG, r.ID), taskURL(r.DAG, r.ID, "run_model"), logURL(r.DAG, r.ID, "run_model", 0),
	} {
		checkNoPayload(t, path, s.get(http.StatusOK, path))
	}
	checkNoPayload(t, "404", s.get(http.StatusNotFound, "/dags/"+url.PathEscape(evil)+"/graph"))
	checkNoPayload(t, "422", s.get(http.StatusUnprocessableEntity, "/?state="+url.QueryEscape(evil)))
	form := url.Values{"mode": {"config"}, "conf": {evil}, "param.P": {evil + "2"}, "note": {evil}, "run_id": {evil},
		"logical_date": {evil}}
	w := s.post("/dags/churn-model/trigger", form, "")
	if w.Code != http.StatusUnprocessableEntity {
		t.Fatalf("status %d, want 422", w.Code)
	}
	checkNoPayload(t, "trigger", checkPage(t, "trigger", w))
}

func checkNoPayload(t *testing.T, path string, p page) {
	t.Helper()
	for n := range p.root.Descendants() {
		if n.Data == "img" && n.Type == 3 {
			t.Errorf("%s: the payload came out as HTML", path)
		}
	}
	if strings.Contains(p.source, "<script>alert") || strings.Contains(p.source, "<img") {
		t.Errorf("%s: the payload came out unescaped", path)
	}
}

func TestUnexpectedErrorKeepsItsCause(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var log strings.Builder
	s.server.Logger = slog.New(slog.NewTextHandler(&log, nil))
	fail := func(echo.Context) error { return errors.New("disk of the database is full") }
	s.echo.GET("/fail", fail, s.server.headers, s.server.failures)
	p := s.get(http.StatusInternalServerError, "/fail")
	p.wants(t, "Something went wrong", "this number")
	p.lacks(t, "disk")
	_, number, _ := strings.Cut(p.text, "this number: ")
	number, _, _ = strings.Cut(number, " ")
	if !strings.Contains(log.String(), "disk of the database is full") || len(number) < 10 ||
		!strings.Contains(log.String(), number) {
		t.Errorf("the log lacks the cause or the request %q: %s", number, &log)
	}
}

func TestStaticFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, name := range []string{"style.css", "app.js", "favicon.svg"} {
		w := s.do(httptest.NewRequest(http.MethodGet, s.server.views.asset(name), nil))
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") ||
			w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d, headers %v", name, w.Code, w.Header())
		}
	}
	w := s.do(httptest.NewRequest(http.MethodGet, "/static/app.js?v=other", nil))
	if strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
		t.Error("an address with another digest may be kept for ever")
	}
}

func TestHighlightKeepsTheText(t *testing.T) {
	t.Parallel()
	source := "# c\nkey: \"a # b\" # c\n- - x: {{ ds }} y\n\"q:k\": 12\nhttp://x: 'it''s'\n\tz:\n\n  {{ open\nlist: [a, 'b']\n"
	var b strings.Builder
	for _, line := range highlight(source) {
		for _, span := range line.Spans {
			b.WriteString(span.Text)
		}
		b.WriteByte('\n')
	}
	if b.String() != source {
		t.Errorf("got %q\nwant %q", b.String(), source)
	}
	want := []Span{{"key", "key"}, {"", ":"}, {"", " "}, {"string", `"a # b" `}, {"comment", "# c"}}
	if got := highlightLine(`key: "a # b" # c`); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzHighlight(f *testing.F) {
	for _, seed := range []string{"a: b", "- - ", `"`, `'a': b`, "x: {{a}}{{", "#", "\t- :", `k: "\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var b strings.Builder
		for _, span := range highlightLine(line) {
			b.WriteString(span.Text)
		}
		if b.String() != line {
			t.Errorf("got %q, want %q", b.String(), line)
		}
	})
}

// TestGridTellsRunsOfOneDayApart reads the heads of the grid's columns.
func TestGridTellsRunsOfOneDayApart(t *testing.T) {
	t.Parallel()
	rd := &reader{zones: newZones()}
	at := func(text string) dag.Run {
		when, err := time.Parse(time.DateTime, text)
		if err != nil {
			t.Fatal(err)
		}
		return dag.Run{LogicalDate: when}
	}
	runs := []dag.Run{at("2026-03-01 06:00:00"), at("2026-03-02 06:00:00"), at("2026-03-02 07:30:00"),
		at("2026-03-02 08:15:01"), at("2026-03-02 08:15:02")}
	want := []string{"03-01", "03-02 06:00", "03-02 07:30", "03-02 08:15:01", "03-02 08:15:02"}
	if got := gridLabels(rd, runs, "UTC"); !slices.Equal(got, want) {
		t.Errorf("heads %q, want %q", got, want)
	}
}
