package api

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProvenance(t *testing.T) {
	t.Parallel()
	f := scene(t)
	const path = "/api/v2/dags/churn-model-retrain/provenance"
	for _, unknown := range []string{"/api/v2/dags/absent/provenance", path + "?dag_run_id=absent"} {
		if status := f.do(http.MethodGet, unknown, "").status; status != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", unknown, status)
		}
	}
	dag := f.get(path)
	if dag["version_number"] == nil || dag["dag_commit"] == "" || dag["path"] == "" || dag["dag_run"] != nil ||
		dag["promoted_from"] != nil {
		t.Errorf("of the DAG: %v", dag)
	}
	run, _ := f.get(path + "?dag_run_id=first")["dag_run"].(map[string]any)
	got := map[string]any{"dag_run_id": run["dag_run_id"], "state": run["state"], "tries": ids(run, "pods", "try_number"),
		"tasks": ids(run, "pods", "task_id"), "states": ids(run, "pods", "state")}
	want := map[string]any{
		"dag_run_id": "first", "state": "failed", "tries": []string{"1", "2"},
		"tasks": []string{"prepare_data", "prepare_data"}, "states": []string{"failed", "failed"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("of the run (-want +got):\n%s", diff)
	}
}
