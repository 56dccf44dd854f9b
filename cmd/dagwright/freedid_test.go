package main

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"dagwright/cli/clitest"
	"dagwright/gitlab/gitlabtest"
)

// TestFreedIDBeginsAnew deletes the branch of one project and pushes another one
// whose DAG has the same id: that is a new DAG, and nothing of the first is its.
func TestFreedIDBeginsAnew(t *testing.T) {
	t.Parallel()
	const other = "gbc/fraud/churn-model"
	gl := gitlabtest.New(t)
	for _, project := range []string{testDAGProject, testModel, other} {
		gl.CreateProject(project)
	}
	in := startInstance(t, gl, testDAGProject, "")
	gl.HookURL, gl.HookSecret = in.url+"/hooks/gitlab", instanceKey
	model := func(owner, command string) map[string]string {
		return map[string]string{".dagwright.yml": fmt.Sprintf("owner: %s\nscoring: {command: [sh, -c, %q]}\n",
			owner, command)}
	}
	newCheckout(t, gl, testModel, "main", model("risk-team", "echo the secret of risk"))
	awaitDAG(t, in, "churn-model")
	in.client("dags", "unpause", "churn-model")
	in.client("dags", "trigger", "churn-model", "--run-id", "same", "--conf", `{"WHOSE": "of risk"}`, "--wait")

	gl.DeleteBranch(testModel, "main")
	in.await("the archived DAG",
		func() bool { return strings.Contains(in.get("/api/v2/dags/churn-model"), `"is_stale":true`) })
	newCheckout(t, gl, other, "main", model("fraud-team", "echo of fraud"))
	in.await("the new DAG", func() bool { return strings.Contains(in.get("/api/v2/dags/churn-model"), "fraud-team") })

	for path, want := range map[string]string{
		"/api/v2/dags/churn-model":                         `"is_paused":true`,
		"/api/v2/dags/churn-model/dagRuns":                 `"total_entries":0`,
		"/api/v2/eventLogs?dag_id=churn-model":             `"total_entries":0`,
		"/api/v2/dags/churn-model/dagVersions":             `"total_entries":1`,
		"/api/v2/dags/churn-model~1":                       `"is_stale":true`,
		"/api/v2/dags/churn-model~1/dagRuns":               "of risk",
		"/api/v2/eventLogs?dag_id=churn-model~1":           `"event":"unpause"`,
		"/api/v2/dags/~/dagRuns":                           "churn-model~1",
		"/dags/churn-model~1/runs":                         "now belongs to another project or file",
		"/dags/churn-model~1/runs/same":                    "same",
		"/dags/churn-model~1/take-over":                    "Take over the history of churn-model~1?",
		"/api/v2/dags?exclude_stale=false&order_by=dag_id": "churn-model~1",
	} {
		if got := in.get(path); !strings.Contains(got, want) {
			t.Errorf("GET %s lacks %q: %.3000s", path, want, got)
		}
	}
	if got := in.get("/api/v2/dags/churn-model/dagRuns") +
		in.get("/dags/churn-model/runs"); strings.Contains(got, "runs/same") {
		t.Errorf("the new owner sees the former one's run: %.3000s", got)
	}

	// A run of the same name leaves traces of its own.
	in.client("dags", "trigger", "churn-model", "--run-id", "same", "--wait")
	log := func(dag string) string {
		return in.get("/api/v2/dags/" + dag + "/dagRuns/same/taskInstances/run_model/logs/1?full_content=true")
	}
	if got := log("churn-model"); !strings.Contains(got, "of fraud") || strings.Contains(got, "risk") {
		t.Errorf("the new owner's log: %s", got)
	}
	if got := log("churn-model~1"); !strings.Contains(got, "the secret of risk") || strings.Contains(got, "fraud") {
		t.Errorf("the former owner's log: %s", got)
	}

	// An admin gives the history back, when no run is in the way.
	takeOver := []string{"dags", "take-over", "churn-model~1", "--yes", "--server", in.url}
	if out, err := clitest.Program(t.Context(), takeOver...).CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "same") {
		t.Errorf("taken over in spite of two runs of one name: %v %s", err, out)
	}
	in.client("runs", "delete", "churn-model", "same", "--yes")
	in.post("/dags/churn-model~1/take-over", url.Values{})
	if got := log("churn-model"); !strings.Contains(got, "the secret of risk") {
		t.Errorf("the log that was taken over: %s", got)
	}
	if got := in.get("/api/v2/eventLogs?dag_id=churn-model&event=take_over"); !strings.Contains(got, `"total_entries":1`) {
		t.Errorf("the audit log: %s", got)
	}
	if got := in.get("/api/v2/dags/churn-model"); !strings.Contains(got, `"is_paused":true`) {
		t.Errorf("taking over un-paused the DAG: %s", got)
	}
}
