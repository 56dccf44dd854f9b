package main

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"dagwright/gitlab/gitlabtest"
)

// TestBranchesOfOtherNames gives models.branches other names, one of them with a slash,
// once a DAG is there, and the DAG repository another branch: from then on a push to them
// becomes the DAGs, one to main is ignored, and one to the DAG repository's branch is not.
func TestBranchesOfOtherNames(t *testing.T) {
	t.Parallel()
	gl := gitlabtest.New(t)
	for _, project := range []string{testDAGProject, testModel} {
		gl.CreateProject(project)
	}
	in := startInstance(t, gl, testDAGProject, "")
	gl.HookURL, gl.HookSecret = in.url+"/hooks/gitlab", instanceKey
	model := func(words string) map[string]string {
		return map[string]string{".dagwright.yml": "scoring: {command: [echo, " + words + "]}\n" +
			"retrain: {tasks: [{task_id: train, command: [echo, " + words + "]}]}\n"}
	}
	gl.Commit(testModel, "main", model("default"))
	awaitDAG(t, in, "churn-model")

	in.kill()
	config, err := os.ReadFile(in.path("dagwright.yml"))
	if err != nil {
		t.Fatal(err)
	}
	in.write("dagwright.yml",
		strings.NewReplacer("models: {", "models: {branches: {scoring: release/score, retrain: train}, ",
			"dag_repository: {", "dag_repository: {branch: specs, ").Replace(string(config)))
	in.start()
	gl.HookURL = in.url + "/hooks/gitlab"
	gl.Commit(testModel, "main", model("ignored"))
	if d := gl.Deliveries(); d[len(d)-1].Status != http.StatusOK ||
		!strings.Contains(d[len(d)-1].Answer, `branch \"main\" becomes no DAG; want release/score or train`) {
		t.Errorf("a push to main: %+v", d[len(d)-1])
	}
	for branch, id := range map[string]string{"release/score": "churn-model", "train": "churn-model-retrain"} {
		commit := gl.Commit(testModel, branch, model("from-"+branch))
		in.await(id+" of "+branch, func() bool {
			return strings.Contains(in.get("/api/v2/dags/"+id+"/provenance"), `"commit":"`+commit+`"`)
		})
		if out := in.client("dags", "trigger", id, "--wait"); !strings.Contains(out, "success") {
			t.Errorf("%s ended so:\n%s", id, out)
		}
		if log := in.client("logs", id); !strings.Contains(log, "from-"+branch) {
			t.Errorf("%s logged:\n%s", id, log)
		}
	}
	if !slices.ContainsFunc(gl.Deliveries(), func(d gitlabtest.Delivery) bool {
		return d.Push.Project == testDAGProject && d.Push.Ref == "refs/heads/specs" && d.Status == http.StatusAccepted
	}) {
		t.Errorf("no push to the DAG repository's branch was taken: %+v", gl.Deliveries())
	}
	if page := in.get("/models?state=superseded"); !strings.Contains(page,
		"<code>release/score</code> or <code>train</code>") {
		t.Errorf("the page of models names other branches:\n%s", page)
	}
}
