package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/store"
)

// scene fills a store with one of everything: two DAGs, a broken file, a run
// that failed at its second try, one that waits, and their logs.
func scene(t *testing.T) *fixture {
	f := newFixture(t).withDAGs()
	f.sync("decade", store.SpecFile{
		Path: "dags/risk/broken.yaml", Blob: "b",
		Errors: dag.SpecErrors{{File: "dags/risk/broken.yaml", Line: 3, Column: 5, Path: "x.schedule",
			Reason: "is not a schedule"}},
	})
	run := f.trigger("churn-model-retrain", "first")
	f.start(run, "prepare_data", "train_model", "register_model")
	f.end(f.begin(run, "prepare_data", dag.TaskNone, 0), dag.TaskUpForRetry, "exit code 1")
	second := f.begin(run, "prepare_data", dag.TaskUpForRetry, 1)
	key := dag.AttemptKey{DAG: run.DAG, Run: run.ID, Task: "prepare_data", Try: 2}
	f.write(key, "reading <data>\nno such column\n")
	f.seal(key)
	f.end(second, dag.TaskFailed, "exit code 1")
	f.endRun(run, dag.RunFailed, "prepare_data failed")
	f.trigger("churn-model", "waits")
	return f
}

func TestGolden(t *testing.T) {
	t.Parallel()
	const runs = "/api/v2/dags/churn-model-retrain/dagRuns"
	const ti = runs + "/first/taskInstances"
	tests := []struct{ name, method, path, body, header string }{
		{name: "dags", path: "/api/v2/dags"},
		{name: "dag", path: "/api/v2/dags/churn-model"},
		{name: "details", path: "/api/v2/dags/churn-model/details"},
		{name: "tasks", path: "/api/v2/dags/churn-model-retrain/tasks?order_by=-task_id"},
		{name: "versions", path: "/api/v2/dags/churn-model/dagVersions"},
		{name: "version", path: "/api/v2/dags/churn-model/dagVersions/1"},
		{name: "source", path: "/api/v2/dagSources/churn-model"},
		{name: "tags", path: "/api/v2/dagTags"},
		{name: "stats", path: "/api/v2/dagStats?dag_ids=churn-model-retrain&dag_ids=churn-model"},
		{name: "import_errors", path: "/api/v2/importErrors"},
		{name: "event_logs", path: "/api/v2/eventLogs?limit=2"},
		{name: "runs", path: runs},
		{name: "run", path: runs + "/first"},
		{name: "task_instances", path: ti},
		{name: "tries", path: ti + "/prepare_data/tries"},
		{name: "log", path: ti + "/prepare_data/logs/2"},
		{name: "log_ndjson", path: ti + "/prepare_data/logs/2", header: "Accept: application/x-ndjson"},
		{name: "wait", path: runs + "/first/wait?interval=1"},
		{name: "health", path: "/api/v2/monitor/health"},
		{name: "version_of_program", path: "/api/v2/version"},
		{name: "pause", method: "PATCH", path: "/api/v2/dags/churn-model", body: `{"is_paused": false}`},
		{name: "trigger", method: "POST", path: runs,
			body: `{"logical_date": null, "conf": {"N": 12345678901234567}, "note": "by hand"}`},

		{name: "error_dag", path: "/api/v2/dags/absent"},
		{name: "error_run", path: runs + "/absent"},
		{name: "error_task_instance", path: ti + "/absent"},
		{name: "error_log", path: ti + "/prepare_data/logs/7"},
		{name: "error_order", path: "/api/v2/dags?order_by=nope"},
		{name: "error_query", path: "/api/v2/dags?limit=x&offset=-1&paused=maybe&tags_match_mode=some"},
		{name: "error_patch", method: "PATCH", path: "/api/v2/dags/churn-model", body: `{"nope": 1}`},
		{name: "error_conf", method: "POST", path: runs, body: `{"logical_date": null, "conf": [1]}`},
		{name: "error_no_date", method: "POST", path: runs, body: `{"conf": {}}`},
		{name: "error_twice", method: "POST", path: runs, body: `{"logical_date": null, "dag_run_id": "first"}`},
		{name: "error_json", method: "POST", path: runs, body: `{"logical_date": nil}`},
		{name: "error_route", path: "/api/v2/nowhere"},
		{name: "error_method", method: "PUT", path: "/api/v2/dags/churn-model"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := scene(t)
			if test.method == "" {
				test.method = "GET"
			}
			var header []string
			if test.header != "" {
				header = []string{test.header}
			}
			golden(t, test.name, test.method+" "+test.path, f.do(test.method, test.path, test.body, header...))
		})
	}
}

// golden compares an answer with testdata/<name>.txt.
func golden(t *testing.T, name, request string, a answer) {
	t.Helper()
	body := a.body
	var indented bytes.Buffer
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/json") &&
		json.Indent(&indented, []byte(body), "", "  ") == nil {
		body = strings.TrimRight(indented.String(), "\n") + "\n"
	}
	got := fmt.Sprintf("%s\n%d %s\n\n%s", request, a.status, a.header.Get("Content-Type"), body)
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run the test with -update)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("answer changed (-want +got):\n%s", diff)
	}
}
