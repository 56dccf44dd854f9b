package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

const (
	firstRun = "/api/v2/dags/churn-model-retrain/dagRuns/first"
	clearAll = "/api/v2/dags/churn-model-retrain/clearTaskInstances"
)

// states reads the state of each task of the scene's failed run.
func (f *fixture) states() []string {
	f.Helper()
	return ids(f.get(firstRun+"/taskInstances"), "task_instances", "state")
}

func TestClearTasks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		want       []string // the tasks chosen
		after      []string // states, unless it is a dry run
	}{
		{"dry run of what failed", `{"dag_run_id": "first"}`, []string{"prepare_data"}, nil},
		{"dry run with what comes after",
			`{"dag_run_id": "first", "task_ids": ["prepare_data"], "include_downstream": true, "only_failed": false}`,
			[]string{"prepare_data", "train_model", "register_model"}, nil},
		{"dry run with what comes before",
			`{"dag_run_id": "first", "task_ids": [["train_model", -1]], "include_upstream": true, "only_failed": false}`,
			[]string{"prepare_data", "train_model"}, nil},
		{"dry run of every run", `{"only_failed": false}`, []string{"prepare_data", "train_model", "register_model"}, nil},
		{"dry run of a range without runs", `{"only_failed": false, "end_date": "2020-01-01T00:00:00Z"}`, []string{}, nil},
		{"dry run of the past", `{"dag_run_id": "first", "include_past": true}`, []string{"prepare_data"}, nil},
		{"only what runs", `{"dag_run_id": "first", "only_failed": false, "only_running": true}`, []string{}, nil},
		{"in earnest", `{"dag_run_id": "first", "dry_run": false}`, []string{"prepare_data"},
			[]string{"<nil>", "<nil>", "<nil>"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := scene(t)
			a := f.do("POST", clearAll, test.body)
			got := f.decode(a.body)
			if diff := cmp.Diff(test.want, ids(got, "task_instances", "task_id")); diff != "" {
				t.Errorf("%d (-want +got):\n%s", a.status, diff)
			}
			if test.after == nil {
				test.after = []string{"failed", "<nil>", "<nil>"}
			}
			if diff := cmp.Diff(test.after, f.states()); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
		})
	}
}

func TestActRefusals(t *testing.T) {
	t.Parallel()
	f := scene(t)
	ti := firstRun + "/taskInstances/"
	tests := []struct {
		name, method, path, body string
		status                   int
		detail                   string
	}{
		{"clear of an absent DAG", "POST", "/api/v2/dags/absent/clearTaskInstances", `{}`, 404, "The Dag with ID: `absent`"},
		{"clear of an absent run", "POST", clearAll, `{"dag_run_id": "absent"}`, 404,
			"Dag Run id absent not found in dag churn-model-retrain"},
		{"clear of an absent task", "POST", clearAll, `{"dag_run_id": "first", "task_ids": ["absent"]}`, 404, "absent"},
		{"clear of no task", "POST", clearAll, `{"task_ids": []}`, 422, "at least 1 element"},
		{"clear of a mapped task", "POST", clearAll, `{"task_ids": [["train_model", 3]]}`, 422, "no task is mapped"},
		{"contradiction", "POST", clearAll, `{"only_failed": true, "only_running": true}`, 422,
			"only_failed and only_running both"},
		{"run and range", "POST", clearAll, `{"dag_run_id": "first", "start_date": "2026-01-01T00:00:00Z"}`, 422,
			"Exactly one of dag_run_id or start_date"},
		{"range backwards", "POST", clearAll, `{"start_date": "2026-01-02T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"}`,
			422, "end_date is sooner"},
		{"note on tasks", "POST", clearAll, `{"note": "x"}`, 400, "Notes on task instances"},
		{"another version", "POST", clearAll, `{"run_on_latest_version": true}`, 400, "keeps the version"},
		{"run that is to stay ended", "POST", clearAll, `{"dag_run_id": "first", "dry_run": false, "reset_dag_runs": false}`,
			400, "reset_dag_runs"},
		{"state that cannot be set", "PATCH", ti + "prepare_data", `{"new_state": "running"}`, 422,
			"'running' is not one of ['success', 'failed', 'skipped']"},
		{"no state", "PATCH", ti + "prepare_data", `{"new_state": null}`, 422, "should not be empty"},
		{"state that it has", "PATCH", ti + "prepare_data", `{"new_state": "failed"}`, 409,
			"Task id prepare_data is already in failed state"},
		{"mark of an absent task", "PATCH", ti + "absent", `{"new_state": "failed"}`, 404,
			"Task 'absent' not found in Dag 'churn-model-retrain'"},
		{"mark of a run that waits", "PATCH", "/api/v2/dags/churn-model/dagRuns/waits/taskInstances/run_model",
			`{"new_state": "failed"}`, 409, "mark the run instead"},
		{"delete an absent run", "DELETE", firstRun + "x", "", 404, "run_id: `firstx` was not found"},
		{"clear a run's new tasks", "POST", firstRun + "/clear", `{"only_new": true}`, 400, "only_new"},
		{"batch of one DAG", "POST", "/api/v2/dags/churn-model/dagRuns/list", `{}`, 422, "'~'"},
		{"batch in a wrong order", "POST", "/api/v2/dags/~/dagRuns/list", `{"order_by": "nope"}`, 400,
			"'nope' is disallowed"},
		{"variable", "GET", "/api/v2/variables/x", "", 404, "The Variable with key: `x` was not found"},
		{"external log", "GET", ti + "prepare_data/externalLogUrl/1", "", 400, "does not support external logs"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := f.do(test.method, test.path, test.body)
			if a.status != test.status || !strings.Contains(a.body, test.detail) {
				t.Errorf("%d %.500s\nwant %d with %q", a.status, a.body, test.status, test.detail)
			}
		})
	}
}

func TestMarkTask(t *testing.T) {
	t.Parallel()
	f := scene(t)
	const path, body = firstRun + "/taskInstances/prepare_data", `{"new_state": "Skipped", "include_downstream": true}`
	all := []string{"prepare_data", "train_model", "register_model"}
	if diff := cmp.Diff(all,
		ids(f.decode(f.do("PATCH", path+"/dry_run", body).body), "task_instances", "task_id")); diff != "" {
		t.Errorf("dry run (-want +got):\n%s", diff)
	}
	if got := f.states(); got[0] != "failed" {
		t.Errorf("after the dry run: %v", got)
	}
	// A mask without the state changes nothing.
	f.do("PATCH", path+"?update_mask=note", body)
	if got := f.states(); got[0] != "failed" {
		t.Errorf("after a masked state: %v", got)
	}
	if diff := cmp.Diff(all, ids(f.decode(f.do("PATCH", path, body).body), "task_instances", "task_id")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"skipped", "skipped", "skipped"}, f.states()); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}

func TestClearRun(t *testing.T) {
	t.Parallel()
	f := scene(t)
	got := f.decode(f.do("POST", firstRun+"/clear", `{"only_failed": true}`).body)
	if diff := cmp.Diff([]string{"prepare_data"}, ids(got, "task_instances", "task_id")); diff != "" {
		t.Errorf("dry run (-want +got):\n%s", diff)
	}
	got = f.decode(f.do("POST", firstRun+"/clear", `{"dry_run": false, "note": "once more"}`).body)
	if got["state"] != "queued" || got["note"] != "once more" {
		t.Errorf("after the clear: state %v, note %v", got["state"], got["note"])
	}
	// The state queued is Airflow's older word for it.
	f = scene(t)
	got = f.decode(f.do("PATCH", firstRun, `{"state": "queued"}`).body)
	if got["state"] != "queued" || f.states()[0] != "<nil>" {
		t.Errorf("after the state queued: state %v, tasks %v", got["state"], f.states())
	}
}

func TestDeleteRun(t *testing.T) {
	t.Parallel()
	f := scene(t)
	log := firstRun + "/taskInstances/prepare_data/logs/2"
	f.get(log)
	if a := f.do("DELETE", firstRun, ""); a.status != http.StatusNoContent || a.body != "" {
		t.Errorf("delete: %d %s", a.status, a.body)
	}
	for _, path := range []string{firstRun, log} {
		if a := f.do("GET", path, ""); a.status != http.StatusNotFound {
			t.Errorf("GET %s after the delete: %d", path, a.status)
		}
	}
	if _, err := f.logs.Stat(dag.AttemptKey{DAG: "churn-model-retrain", Run: "first", Task: "prepare_data",
		Try: 2}); err == nil {
		t.Error("the log is still there")
	}
	run := f.trigger("churn-model-retrain", "first")
	f.start(run, "prepare_data", "train_model", "register_model")
	if a := f.do("DELETE", firstRun, ""); a.status != http.StatusConflict ||
		!strings.Contains(a.body, "cannot be deleted in running state") {
		t.Errorf("delete while it runs: %d %s", a.status, a.body)
	}
}

func TestListInstances(t *testing.T) {
	t.Parallel()
	f := scene(t)
	const all = "/api/v2/dags/~/dagRuns/~/taskInstances"
	tests := []struct {
		query string
		want  []string
	}{
		{all + "?order_by=task_id", []string{"prepare_data", "register_model", "train_model"}},
		{all + "?state=failed", []string{"prepare_data"}},
		{all + "?state=none&order_by=-task_id", []string{"train_model", "register_model"}},
		{all + "?try_number=2", []string{"prepare_data"}},
		{all + "?duration_gte=2.5", []string{"prepare_data"}},
		{all + "?duration_gt=3", []string{}},
		{all + "?limit=1&order_by=task_id", []string{"prepare_data"}},
		{all + "?dag_id_pattern=retrain&task_id=train_model", []string{"train_model"}},
		{all + "?run_id_prefix_pattern=wai", []string{}},
		{all + "?map_index=3", []string{}},
		{"/api/v2/dags/churn-model-retrain/dagRuns/~/taskInstances?task_id=prepare_data", []string{"prepare_data"}},
		{"/api/v2/dags/~/dagRuns/first/taskInstances?task_id=prepare_data", []string{"prepare_data"}},
		{firstRun + "/taskInstances?order_by=-task_id", []string{"train_model", "register_model", "prepare_data"}},
		{firstRun + "/taskInstances?duration_lt=3", []string{}},
		{firstRun + "/taskInstances?state=no_status", []string{"train_model", "register_model"}},
		// A run that has not started has task instances all the same.
		{"/api/v2/dags/churn-model/dagRuns/waits/taskInstances", []string{"run_model"}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, ids(f.get(test.query), "task_instances", "task_id")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.query, diff)
		}
	}
	if a := f.do("GET", "/api/v2/dags/absent/dagRuns/~/taskInstances", ""); a.status != http.StatusNotFound {
		t.Errorf("of an absent DAG: %d", a.status)
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()
	f := scene(t)
	tests := []struct {
		path, body, list, field string
		want                    []string
	}{
		{"/api/v2/dags/~/dagRuns/list", `{}`, "dag_runs", "dag_run_id", []string{"first", "waits"}},
		{"/api/v2/dags/~/dagRuns/list", `{"order_by": "-id", "page_limit": 1}`, "dag_runs", "dag_run_id", []string{"waits"}},
		{"/api/v2/dags/~/dagRuns/list", `{"dag_ids": ["churn-model"], "states": ["queued"]}`, "dag_runs", "dag_run_id",
			[]string{"waits"}},
		{"/api/v2/dags/~/dagRuns/list", `{"duration_gt": 10}`, "dag_runs", "dag_run_id", []string{}},
		{"/api/v2/dags/~/dagRuns/list", `{"logical_date_lte": "2020-01-01T00:00:00Z"}`, "dag_runs", "dag_run_id", []string{}},
		{"/api/v2/dags/~/dagRuns/~/taskInstances/list", `{"dag_run_ids": ["first"], "state": ["failed"]}`, "task_instances",
			"task_id", []string{"prepare_data"}},
		{"/api/v2/dags/~/dagRuns/~/taskInstances/list", `{"task_ids": ["train_model"], "order_by": "-id"}`, "task_instances",
			"task_id", []string{"train_model"}},
	}
	for _, test := range tests {
		a := f.do("POST", test.path, test.body)
		if diff := cmp.Diff(test.want, ids(f.decode(a.body), test.list, test.field)); diff != "" {
			t.Errorf("%s %s: %d (-want +got):\n%s", test.path, test.body, a.status, diff)
		}
	}
}

func TestMoreRunFilters(t *testing.T) {
	t.Parallel()
	f := scene(t)
	if a := f.do("POST", "/api/v2/dags/churn-model-retrain/dagRuns",
		`{"logical_date": null, "dag_run_id": "withconf", "conf": {"REGION": "North"}}`); a.status != http.StatusOK {
		t.Fatal(a.body)
	}
	tests := []struct {
		query string
		want  []string
	}{
		{"?conf_contains=north", []string{"withconf"}},
		{"?triggering_user_name_pattern=AN", []string{"first", "waits", "withconf"}},
		{"?triggering_user_name_pattern=bob", []string{}},
		{"?dag_id_prefix_pattern=churn-model-", []string{"first", "withconf"}},
		{"?run_id_prefix_pattern=wa", []string{"waits"}},
		{"?dag_version=1&order_by=-dag_run_id", []string{"withconf", "waits", "first"}},
		{"?dag_version=2", []string{}},
		{"?duration_gte=1", []string{"first"}},
		{"?start_date_gte=2026-01-01T00:00:00Z", []string{"first"}},
		// As Airflow's own client writes times.
		{"?start_date_gte=2026-01-01T00%3A00%3A00.000000%2B0000", []string{"first"}},
		{"?end_date_lt=2026-01-01T00:00:00Z", []string{}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want,
			ids(f.get("/api/v2/dags/~/dagRuns"+test.query), "dag_runs", "dag_run_id")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.query, diff)
		}
	}
}

func TestEmptyLists(t *testing.T) {
	t.Parallel()
	f := scene(t)
	for _, e := range emptyLists {
		if got := f.get("/api/v2" + e.path + "?limit=5&order_by=id"); got["total_entries"] != float64(0) ||
			len(got[e.name].([]any)) != 0 {
			t.Errorf("%s: %v", e.path, got)
		}
	}
	if got := f.get("/api/v2/pools"); !slices.Equal(ids(got, "pools", "name"), []string{"default_pool"}) {
		t.Errorf("pools: %v", got)
	}
}

func TestDependencies(t *testing.T) {
	t.Parallel()
	f := scene(t)
	got := f.get("/api/v2/dags/churn-model/dagRuns/waits/taskInstances/run_model/dependencies")
	if diff := cmp.Diff([]string{"Dagrun Running"}, ids(got, "dependencies", "name")); diff != "" {
		t.Errorf("of a run that waits (-want +got):\n%s", diff)
	}
	got = f.get(firstRun + "/taskInstances/prepare_data/dependencies")
	if len(got["dependencies"].([]any)) != 0 {
		t.Errorf("of a task that has ended: %v", got)
	}
}

// What a request does besides asks for its own right.
func TestActsWithinARequest(t *testing.T) {
	t.Parallel()
	f := scene(t)
	_, err := f.store.TriggerRun(f.Context(), store.Trigger{DAG: "churn-model", Run: "again"})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		method, path, body string
		want               []dag.Right
	}{
		{"PATCH", "/dags/churn-model/dagRuns/again", `{"note": "x"}`, []dag.Right{dag.RightMarkRun, dag.RightNote}},
		{"PATCH", "/dags/churn-model/dagRuns/again", `{"state": "failed"}`, []dag.Right{dag.RightMarkRun, dag.RightMarkRun}},
		{"PATCH", "/dags/churn-model/dagRuns/again", `{"state": "queued"}`, []dag.Right{dag.RightMarkRun, dag.RightClear}},
		{"POST", "/dags/churn-model/dagRuns", `{"logical_date": null, "unpause": true}`,
			[]dag.Right{dag.RightTrigger, dag.RightPause}},
		{"DELETE", "/dags/churn-model/dagRuns/again", "", []dag.Right{dag.RightDeleteHistory}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, f.rights(test.method, test.path, test.body)); diff != "" {
			t.Errorf("%s %s %s: rights (-want +got):\n%s", test.method, test.path, test.body, diff)
		}
	}
}

// A path about all DAGs asks for a right over none in particular; what it shows is
// what the store lets one see.
func TestWildcardsAskForNoDAG(t *testing.T) {
	t.Parallel()
	f := scene(t)
	e := echo.New()
	Register(e, Config{Store: f.store, Logs: f.logs, Allow: func(_ echo.Context, _ dag.Right, id dag.ID) error {
		if id != "" {
			return dag.ErrForbidden
		}
		return nil
	}})
	for _, path := range []string{"/dags/~/dagRuns", "/dags/~/dagRuns/~/taskInstances", "/dags/%7E/dagRuns"} {
		if w := f.serve(e, "GET", prefix+path); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := f.serve(e, "GET", prefix+"/dags/churn-model/dagRuns"); w.Code != http.StatusForbidden {
		t.Errorf("of one DAG: %d", w.Code)
	}
}
