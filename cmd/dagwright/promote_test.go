package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dagwright/cli/clitest"
	"dagwright/gitlab/gitlabtest"
)

const testProdProject = "gbc/airflow-prod"

// A DAG goes from one running instance to another: a push makes it in DEV, promote
// proposes it, somebody merges, and PROD runs it.
func TestPromotionBetweenInstances(t *testing.T) {
	t.Parallel()
	gl := gitlabtest.New(t)
	for _, project := range []string{testDAGProject, testProdProject, testModel} {
		gl.CreateProject(project)
	}
	gl.Commit(testProdProject, "main", map[string]string{"README.md": "DAGs of PROD\n"})
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(gl.Token), 0o600); err != nil {
		t.Fatal(err)
	}
	const overlay = `{namespace: models-prod, images: {registry.example.com: registry.prod.example.com}, resources: {limits: {memory: 4Gi}}, tags: [prod]}`
	dev := startInstance(t, gl, testDAGProject, fmt.Sprintf(`
promotion:
  url: %q
  project: %s
  username: dagwright
  password_file: %s
  overlay: %s
`, gl.CloneURL(testProdProject), testProdProject, token, overlay))
	prod := startInstance(t, gl, testProdProject, fmt.Sprintf(`
environment: PROD
kubernetes: {policy: {namespaces: [models-prod]}}
promotion:
  only_promoted: true
  from: {url: %q, project: %s, username: dagwright, password_file: %s, overlay: %s}
`, gl.CloneURL(testDAGProject), testDAGProject, token, overlay))
	gl.HookURL, gl.HookSecret = dev.url+"/hooks/gitlab", instanceKey
	work := newCheckout(t, gl, testModel, "main", nil, exampleModel(t))
	awaitDAG(t, dev, "churn-model")

	promote := func(more ...string) string {
		t.Helper()
		args := append([]string{"promote", "churn-model", "--config", dev.path("dagwright.yml"), "--by", "ann"}, more...)
		out, err := clitest.Program(t.Context(), args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if out := promote("--dry-run"); !strings.Contains(out, "+      namespace: models-prod") ||
		len(gl.MergeRequests(testProdProject)) != 0 {
		t.Errorf("dry run:\n%s", out)
	}
	first, second := promote(), promote()
	requests := gl.MergeRequests(testProdProject)
	if len(requests) != 1 || first != second || !strings.Contains(first, "/merge_requests/1") {
		t.Fatalf("%q, %q, %+v", first, second, requests)
	}
	commit := gl.Head(testDAGProject, "main")
	for _, words := range []string{"`ann` promotes", commit, "```mermaid", "A new DAG, churn-model",
		"registry.prod.example.com/gbc/risk/churn-model:" + work.git(work.dir, "rev-parse", "HEAD")[:8],
		"memory: 4Gi", "prod"} {
		if !strings.Contains(requests[0].Description, words) {
			t.Errorf("the description lacks %q:\n%s", words, requests[0].Description)
		}
	}
	gl.Merge(testProdProject, 1)
	awaitDAG(t, prod, "churn-model")
	if out := prod.client("dags", "trigger", "churn-model", "--wait"); !strings.Contains(out, "success") {
		t.Errorf("in PROD it ended so:\n%s", out)
	}
	if chain := prod.get("/api/v2/dags/churn-model/provenance"); !strings.Contains(chain,
		`"promoted_from":{"project":"gbc/airflow-dev","dag_commit":"`+commit+`"}`) ||
		!strings.Contains(chain, `"commit":"`+work.git(work.dir, "rev-parse", "HEAD")+`"`) ||
		!strings.Contains(chain, `"template":"default.yaml.tmpl"`) {
		t.Errorf("where PROD's DAG is from: %s", chain)
	}
	if out := promote(); !strings.Contains(out, "there is nothing to promote") {
		t.Errorf("promoted again: %s", out)
	}

	// The same by the button: a comparison first, then the merge request.
	better := gl.Commit(testModel, "main", map[string]string{"NOTES": "better"})
	dev.await("the new version",
		func() bool { return strings.Contains(dev.get("/api/v2/dagSources/churn-model"), better) })
	if out := dev.client("dags", "promote", "churn-model", "--dry-run"); !strings.Contains(out, better[:8]) {
		t.Errorf("dags promote --dry-run:\n%s", out)
	}
	dev.post("/dags/churn-model/promote", url.Values{"version": {"2"}, "step": {"compare"}})
	dev.await("the comparison", func() bool {
		return strings.Contains(dev.get("/dags/churn-model/promote"), "Open the merge request")
	})
	if n := len(gl.MergeRequests(testProdProject)); n != 1 {
		t.Errorf("a comparison made a merge request: %d", n)
	}
	dev.post("/dags/churn-model/promote", url.Values{"version": {"2"}, "step": {"propose"}})
	dev.await("the merge request",
		func() bool { return strings.Contains(dev.get("/dags/churn-model/details"), "/merge_requests/2") })
	if m := gl.MergeRequests(testProdProject)[1]; !strings.Contains(m.Description, "`anonymous` promotes") {
		t.Errorf("the description:\n%s", m.Description)
	}
	gl.Merge(testProdProject, 2)
	prod.await("the new version",
		func() bool { return strings.Contains(prod.get("/api/v2/dagSources/churn-model"), better) })
	if audit := dev.get("/api/v2/eventLogs?event=promote"); !strings.Contains(audit, `"total_entries":1`) {
		t.Errorf("the audit log: %s", audit)
	}
	if out := dev.client("dags", "promote", "churn-model", "--version", "2"); !strings.Contains(out,
		"there is nothing to promote") {
		t.Errorf("dags promote:\n%s", out)
	}

	// What somebody commits to PROD by hand is not taken, and the last good version
	// stays.
	spec := "dags/gbc/risk/churn-model.yaml"
	promoted, _ := gl.File(testProdProject, "main", spec)
	gl.Commit(testProdProject, "main",
		map[string]string{spec: strings.Replace(promoted, "retries: 1", "retries: 9", 1),
			"dags/mine.yaml": strings.ReplaceAll(promoted, "churn-model:", "mine:")})
	prod.await("the import errors", func() bool {
		errors := prod.get("/api/v2/importErrors")
		return strings.Contains(errors, "it was changed since it was promoted") &&
			strings.Contains(errors, "dags/mine.yaml") && strings.Contains(errors, "there is no such file")
	})
	if source := prod.get("/api/v2/dagSources/churn-model"); !strings.Contains(source, "retries: 1") {
		t.Errorf("the last good version is lost:\n%s", source)
	}
	gl.Commit(testProdProject, "main", map[string]string{spec: promoted, "dags/mine.yaml": ""})
	prod.await("no import error",
		func() bool { return strings.Contains(prod.get("/api/v2/importErrors"), `"total_entries":0`) })

	// The command for the fleet, against DEV.
	if out := dev.client("rerender", "--dry-run"); !strings.Contains(out,
		"churn-model (gbc/risk/churn-model, main): nothing would change") {
		t.Errorf("rerender --dry-run:\n%s", out)
	}
	if out := dev.client("rerender", "churn"); !strings.Contains(out, "unchanged") {
		t.Errorf("rerender:\n%s", out)
	}
}

func TestHooksInstall(t *testing.T) {
	t.Parallel()
	gl := gitlabtest.New(t)
	for _, project := range []string{testDAGProject, testModel, "gbc/risk/fraud-model", "other/x"} {
		gl.CreateProject(project)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"token": gl.Token, "secret": instanceKey,
		"new": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := func(secret string, more ...string) string {
		t.Helper()
		args := append([]string{"hooks", "install", "--gitlab", gl.URL, "--token-file", filepath.Join(dir, "token"), "--url",
			publicURL + "/hooks/gitlab",
			"--secret-file", filepath.Join(dir, secret), "--group", "gbc", "--skip", testDAGProject, "--project", "other/x"},
			more...)
		out, err := clitest.Program(t.Context(), args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if strings.Contains(string(out), gl.Token) || strings.Contains(string(out), "whsec_") {
			t.Errorf("a secret is in the output:\n%s", out)
		}
		return string(out)
	}
	for _, c := range []struct {
		secret, flag, says string
		hooks              int
	}{
		{"secret", "--dry-run", "would be added", 0},
		{"secret", "--rotate=false", "added", 1},
		{"secret", "--rotate=false", "unchanged", 1},
		{"new", "--rotate", "secret rotated", 1},
		{"new", "--pipelines=false", "updated", 1},
	} {
		out := install(c.secret, c.flag)
		if strings.Count(out, c.says) != 3 || len(gl.Hooks("other/x")) != c.hooks || len(gl.Hooks(testDAGProject)) != 0 {
			t.Errorf("%s: %d hooks, want three times %q:\n%s", c.flag, len(gl.Hooks("other/x")), c.says, out)
		}
	}
	if h := gl.Hooks(testModel)[0]; !strings.HasPrefix(h.Secret, "whsec_AAAA") || h.Pipelines {
		t.Errorf("hook %+v", h)
	}
	gl.Fail("GET", "/projects/:id/hooks", 1, gitlabtest.Failure{Status: 403, Message: "403 Forbidden"})
	out, err := clitest.Program(t.Context(), "hooks", "install", "--gitlab", gl.URL, "--token-file",
		filepath.Join(dir, "token"), "--url", publicURL+"/hooks/gitlab", "--secret-file", filepath.Join(dir, "secret"),
		"--project", testModel).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "1 of 1 projects failed") || !strings.Contains(string(out), "403") {
		t.Errorf("a refusal: %v\n%s", err, out)
	}
}
