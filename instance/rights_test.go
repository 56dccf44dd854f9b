package instance

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/store"
	"dagwright/tasklog"
)

var updateGolden = flag.Bool("update", false, "rewrite the golden files in testdata")

// TestRights holds what every route of the running router answers to whom against
// testdata/rights.txt. The DAG asked for is "risk-churn". A route without a row
// fails; -update writes the table, which is then to be read by eye.
//
// A cell is the answer's status; "+" behind it says that an act upon the DAG was
// written to the audit log. An answer to those who may not see the DAG must not
// have the word that is in all of its texts.
func TestRights(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	people := people()
	var table strings.Builder
	fmt.Fprintf(&table, "%-98s", "")
	for _, p := range people {
		fmt.Fprintf(&table, " %-9s", p.name)
	}
	table.WriteString("\n")
	shared := h.open(t)
	for _, r := range requests(shared.router.Routes()) {
		fmt.Fprintf(&table, "%-98s", strings.TrimSpace(r.method+" "+r.route+" "+r.note))
		for _, p := range people {
			if r.method == http.MethodGet {
				fmt.Fprintf(&table, " %-9s", h.ask(t, shared, r, p))
				continue
			}
			// On a house as it was before, which is gone afterwards: they are many.
			t.Run(r.method+" "+r.route+" "+p.name, func(t *testing.T) {
				fmt.Fprintf(&table, " %-9s", h.ask(t, h.open(t), r, p))
			})
		}
		table.WriteString("\n")
	}
	got := trimLines(table.String())
	path := filepath.Join("testdata", "rights.txt")
	if *updateGolden {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run the test with -update, then read the file", err)
	}
	if diff := gocmp.Diff(string(want), got); diff != "" {
		t.Errorf("routes answer otherwise than testdata/rights.txt says (-want +got); if that is meant, run the test with -update and read the file:\n%s",
			diff)
	}
}

func trimLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// somebody is one column of the table.
type somebody struct {
	name   string
	grants []auth.Grant
	// sees says that the somebody may see the DAG.
	sees bool
}

func people() []somebody {
	all := store.Scope{All: true}
	team := func(name string) store.Scope {
		return store.Scope{Any: []store.Selection{{Projects: []string{"gbc/" + name}}}}
	}
	return []somebody{
		{"anonymous", nil, false},
		{"none", []auth.Grant{{Role: dag.RoleNone, Scope: all}}, false},
		{"viewer", []auth.Grant{{Role: dag.RoleViewer, Scope: all}}, true},
		{"operator", []auth.Grant{{Role: dag.RoleOperator, Scope: all}}, true},
		{"admin", []auth.Grant{{Role: dag.RoleAdmin, Scope: all}}, true},
		{"team", []auth.Grant{{Role: dag.RoleOperator, Scope: team("risk")}}, true},
		{"other", []auth.Grant{{Role: dag.RoleOperator, Scope: team("fraud")}}, false},
		{"half", []auth.Grant{{Role: dag.RoleOperator, Scope: team("fraud")}, {Role: dag.RoleViewer, Scope: team("risk")}},
			true},
	}
}

// ownWord stands in every text of the DAG.
const ownWord = "wonderfulrisk"

// house is an instance whose database is made once and copied for each act.
type house struct {
	dir  string
	run  dag.RunID
	push int64
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{dir: t.TempDir()}
	s, err := store.Open(t.Context(),
		store.Config{DSN: "sqlite:" + filepath.Join(h.dir, "db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h.fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return h
}

// fill makes the DAG with a failed run, its log, a push and a broken file.
func (h *house) fill(t *testing.T, s *store.Store) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const file, project = "dags/gbc/risk/risk-churn.yaml", "gbc/risk/risk-churn"
	id, _, err := s.RecordPush(ctx,
		store.Push{ProjectID: 1, Project: project, Branch: "main", Commit: strings.Repeat("a", 40), User: ownWord,
			Title: ownWord, ReceivedAt: at})
	must(err)
	h.push = id
	spec := store.Spec{DAG: "risk-churn", ProjectID: 1, Path: file,
		Source: dag.Source{Project: project, Branch: "main", Commit: strings.Repeat("a", 40)}, Template: ownWord}
	must(s.FinishPushes(ctx,
		[]store.PushResult{{ID: id, State: store.PushRendered, DAG: "risk-churn", Specs: []store.Spec{spec}}}))
	d := &dag.DAG{
		ID: "risk-churn", Description: ownWord, Owner: ownWord, Tags: []string{ownWord}, Timezone: "UTC", MaxActiveRuns: 1,
		MaxActiveTasks:     1,
		PausedUponCreation: true, Schedule: dag.Schedule{Kind: dag.ScheduleNone},
		Tasks: []dag.Task{{ID: "run_model", Operator: dag.KubernetesPodOperator, TriggerRule: dag.AllSuccess,
			Image: "example/" + ownWord, Retries: 1}},
	}
	_, err = s.SaveDAGs(ctx,
		store.Sync{Commit: "c1", Changed: []store.SpecFile{{Path: file, Blob: "b", Source: ownWord, DAGs: []*dag.DAG{d}}}})
	must(err)
	run, err := s.TriggerRun(ctx,
		store.Trigger{DAG: "risk-churn", Run: "one", Conf: map[string]any{"K": ownWord}, Note: ownWord,
			By: store.Actor{User: ownWord}})
	must(err)
	h.run = run.ID
	ti := dag.TaskInstance{DAG: "risk-churn", Run: run.ID, Task: "run_model", State: dag.TaskRunning, Try: 1, MaxTries: 2,
		QueuedAt: at, StartedAt: at, Hostname: ownWord}
	_, err = s.Advance(ctx, []dag.ID{"risk-churn"}, func(store.Snapshot) []store.Action {
		return []store.Action{store.StartRun{DAG: "risk-churn", Run: run.ID, At: at, Tasks: []dag.TaskInstance{ti}}}
	})
	must(err)
	_, err = s.SaveDAGs(ctx,
		store.Sync{Commit: "c2",
			Changed: []store.SpecFile{{Path: file, Blob: "c", Errors: dag.SpecErrors{{File: file, Line: 1, Reason: ownWord}}}}})
	must(err)
	logs, err := tasklog.Open(tasklog.Config{Dir: filepath.Join(h.dir, "logs")})
	must(err)
	f, err := logs.File(dag.AttemptKey{DAG: "risk-churn", Run: run.ID, Task: "run_model", Try: 1})
	must(err)
	_, err = io.WriteString(f, ownWord+"\n")
	must(err)
	must(f.Close())
	must(logs.Seal(dag.AttemptKey{DAG: "risk-churn", Run: run.ID, Task: "run_model", Try: 1}))
	must(logs.Close())
}

// servedHouse is the house's instance, in memory, over a copy of its database.
type servedHouse struct {
	store  *store.Store
	router *echo.Echo
}

func (h *house) open(t *testing.T) servedHouse {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"db", "db-wal"} {
		data, err := os.ReadFile(filepath.Join(h.dir, name))
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return serveHouse(t, "sqlite:"+filepath.Join(dir, "db"),
		Settings{Logs: tasklog.Config{Dir: filepath.Join(h.dir, "logs")}, GitLab: GitLabSettings{Audience: "dagwright"}})
}

// serveHouse makes the routes of an instance of pages and hooks over a database.
func serveHouse(t *testing.T, dsn string, s Settings) servedHouse {
	t.Helper()
	s.Pages.Listen, s.Components, s.Database = "127.0.0.1:0", []string{"webhook", "ui"}, dag.NewSecret(dsn)
	s.GitLab.HookSecrets = []dag.Secret{dag.NewSecret("hook-secret")}
	s.DAGs.Project, s.GitLab.URL = "gbc/airflow-dev", "https://gitlab.example.com"
	s.Logger = slog.New(slog.DiscardHandler)
	a, err := Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = a.listener.Close() // nothing was served on it
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	ended := make(chan struct{})
	close(ended) // streams end at once
	return servedHouse{a.store, a.router(ended)}
}

// acts counts what the audit log has of the DAG, except for refusals.
func (in servedHouse) acts(t *testing.T) (n int) {
	t.Helper()
	entries, _, err := in.store.Audit(t.Context(), store.AuditFilter{DAG: "risk-churn", Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Event != "refused" {
			n++
		}
	}
	return n
}

// asked is one row of the table.
type asked struct {
	method, route, note string
	query, form, json   string
}

// bodies are what acts need to be more than refused as empty, and further rows for
// routes that do several things.
func bodies() []asked {
	return []asked{
		{method: "POST", route: "/dags", note: "pause", form: "act=unpause&dag=risk-churn"},
		{method: "POST", route: "/dags", note: "trigger", form: "act=trigger&dag=risk-churn"},
		{method: "POST", route: "/dags/:dag/pause", form: "paused=false"},
		{method: "POST", route: "/dags/:dag/trigger", form: "conf={}"},
		{method: "POST", route: "/dags/:dag/runs", note: "clear", form: "act=clear&run=one"},
		{method: "POST", route: "/dags/:dag/runs", note: "mark", form: "act=failed&run=one"},
		{method: "POST", route: "/dags/:dag/runs/:run/state", form: "state=failed"},
		{method: "POST", route: "/dags/:dag/runs/:run/note", form: "note=x"},
		{method: "POST", route: "/dags/:dag/runs/:run/tasks/:task/state", form: "state=failed"},
		{method: "POST", route: "/settings", form: "theme=dark"},
		{method: "PATCH", route: "/api/v2/dags", query: "dag_id_pattern=%25", json: `{"is_paused": false}`},
		{method: "PATCH", route: "/api/v2/dags/:dag_id", json: `{"is_paused": false}`},
		{method: "POST", route: "/api/v2/dags/:dag_id/dagRuns", json: `{"logical_date": null}`},
		{method: "PATCH", route: "/api/v2/dags/:dag_id/dagRuns/:dag_run_id", note: "state", json: `{"state": "failed"}`},
		{method: "PATCH", route: "/api/v2/dags/:dag_id/dagRuns/:dag_run_id", note: "note", json: `{"note": "x"}`},
		{method: "GET", route: "/api/v2/dags/:dag_id/dagRuns/:dag_run_id/wait", query: "interval=1"},
		{method: "POST", route: "/api/v2/dags/:dag_id/clearTaskInstances", note: "try", json: `{"only_failed": false}`},
		{method: "POST", route: "/api/v2/dags/:dag_id/clearTaskInstances", note: "clear",
			json: `{"only_failed": false, "dry_run": false}`},
		{method: "POST", route: "/api/v2/backfills",
			json: `{"dag_id": "risk-churn", "from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-03T00:00:00Z"}`},
		{method: "POST", route: "/api/v2/backfills/dry_run",
			json: `{"dag_id": "risk-churn", "from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-03T00:00:00Z"}`},
		{method: "GET", route: "/api/v2/backfills", query: "dag_id=risk-churn"},
		{method: "GET", route: "/api/v2/dagStats", query: "dag_ids=risk-churn"},
		{method: "POST", route: "/api/v2/dags/:dag_id/dagRuns/:dag_run_id/clear", json: `{"dry_run": false}`},
		{method: "PATCH", route: "/api/v2/dags/:dag_id/dagRuns/:dag_run_id/taskInstances/:task_id",
			json: `{"new_state": "failed"}`},
		{method: "PATCH", route: "/api/v2/dags/:dag_id/dagRuns/:dag_run_id/taskInstances/:task_id/dry_run",
			json: `{"new_state": "failed"}`},
		{method: "POST", route: "/api/v2/dags/:dag_id/dagRuns/:dag_run_id/taskInstances/list", json: `{}`},
		{method: "POST", route: "/api/v2/dags/:dag_id/dagRuns/list", json: `{}`},
		{method: "GET", route: "/events", query: "dag=risk-churn"},
		{method: "POST", route: "/api/v2/rerender", json: `{"pattern": "risk-churn"}`},
	}
}

// requests are a row for each route, and for some several.
func requests(routes []*echo.Route) []asked {
	var rows []asked
	for _, r := range routes {
		method := r.Method
		if method == echo.RouteNotFound {
			method = http.MethodGet
		}
		found := false
		for _, b := range bodies() {
			if b.method == method && b.route == r.Path {
				rows, found = append(rows, b), true
			}
		}
		if !found {
			rows = append(rows, asked{method: method, route: r.Path})
		}
	}
	slices.SortStableFunc(rows, func(a, b asked) int {
		return cmp.Or(cmp.Compare(a.route, b.route), cmp.Compare(a.method, b.method), cmp.Compare(a.note, b.note))
	})
	return rows
}

// path fills the route's parameters.
func (h *house) path(r asked) string {
	values := map[string]string{
		"dag": "risk-churn", "dag_id": "risk-churn", "run": string(h.run), "dag_run_id": string(h.run), "task": "run_model",
		"task_id":        "run_model",
		"version_number": "1", "try_number": "1", "import_error_id": "1", "event_log_id": "1", "file": "app.js",
		"connection_id": "x", "pool_name": "default_pool", "variable_key": "x", "xcom_key": "return_value",
		"backfill_id": "1",
		"token":       "none", "token_id": "none", "session": "none",
		"push": strconv.FormatInt(h.push, 10), "push_id": strconv.FormatInt(h.push, 10),
	}
	parts := strings.Split(r.route, "/")
	for i, part := range parts {
		name, isParam := strings.CutPrefix(part, ":")
		if isParam && values[name] != "" {
			parts[i] = url.PathEscape(values[name])
		}
		if part == "*" {
			parts[i] = "risk-churn"
		}
	}
	return strings.Join(parts, "/") + "?" + r.query
}

// ask sends a request as somebody and gives the table's cell.
func (h *house) ask(t *testing.T, in servedHouse, r asked, p somebody) string {
	t.Helper()
	before := in.acts(t)
	var body io.Reader
	if text := cmp.Or(r.form, r.json); text != "" {
		body = strings.NewReader(text)
	}
	req := httptest.NewRequestWithContext(auth.With(t.Context(), auth.Identity{Name: p.name, Grants: p.grants}), r.method,
		h.path(r), body)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if r.json != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	in.router.ServeHTTP(w, req)
	told := fmt.Sprint(w.Header()) + w.Body.String()
	if !p.sees && strings.Contains(told, ownWord) {
		t.Errorf("%s %s tells %q what it must not: %.2000s", r.method, r.route, p.name, told)
	}
	cell := strconv.Itoa(w.Code)
	if in.acts(t) > before {
		cell += "+"
	}
	return cell
}

// TestRightsCoverParameters wants every parameter of a route to be filled in by
// TestRights, which would ask for what there is not otherwise.
func TestRightsCoverParameters(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, r := range requests(h.open(t).router.Routes()) {
		if strings.Contains(h.path(r), ":") {
			t.Errorf("%s %s: give its parameter a value in house.path", r.method, r.route)
		}
	}
}

// TestUndeclaredMethods sends every method to every route as an admin: those that
// have no row must not be answered with more than a refusal.
func TestUndeclaredMethods(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	in := h.open(t)
	admin := people()[slices.IndexFunc(people(), func(p somebody) bool { return p.name == "admin" })]
	declared := map[string]bool{}
	rows := requests(in.router.Routes())
	for _, r := range rows {
		declared[r.method+" "+r.route] = true
	}
	for _, r := range rows {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
			if declared[method+" "+r.route] {
				continue
			}
			status := strings.TrimSuffix(h.ask(t, in, asked{method: method, route: r.route}, admin), "+")
			// 422: the last word stands where another route has an id.
			if !slices.Contains([]string{"404", "405", "204", "422"}, status) {
				t.Errorf("%s %s is answered with %s", method, r.route, status)
			}
		}
	}
}
