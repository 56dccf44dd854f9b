package main

import (
	"encoding/json"
	"encoding/xml"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/cli/clitest"
	"dagwright/gitlab/gitlabtest"
	"dagwright/gitrepo"
	"dagwright/testdata"
)

const (
	testDAGProject = "gbc/airflow-dev"
	testModel      = "gbc/risk/churn-model"
)

// pipelineFile is the pipeline of a model: three stages on main, two on retrain.
// The image is not built, since there is no builder; the rest is what a model has.
const pipelineFile = `
include:
  - component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/scoring@$CI_COMMIT_SHA
    inputs: {server: $SERVER}
  - component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/retrain@$CI_COMMIT_SHA
    inputs: {server: $SERVER}

stages: [build, test, dag]

build-image:
  stage: build
  script: [python3 -m py_compile main.py retrain.py]

unit:
  stage: test
  script: [python3 -c "import churn"]
  rules:
    - if: $CI_COMMIT_BRANCH == "main"
`

// workTree is a clone of a project in which pipelines are run.
type workTree struct {
	*testing.T
	gitlab  *gitlabtest.Server
	project string
	dir     string
	bin     string // holds the program as dagwright
}

// newCheckout clones a project, fills it with files and pushes them to a branch.
func newCheckout(t *testing.T, gl *gitlabtest.Server, project, branch string, files map[string]string,
	trees ...fs.FS) *workTree {
	t.Helper()
	c := &workTree{T: t, gitlab: gl, project: project, dir: filepath.Join(t.TempDir(), "work"), bin: t.TempDir()}
	script := "#!/bin/sh\nexec env " + clitest.AsProgram + "=1 " + "'" + os.Args[0] + "'" + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(c.bin, "dagwright"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	address := strings.Replace(gl.CloneURL(project), "http://", "http://ann:"+gl.Token+"@", 1)
	c.git(t.TempDir(), "clone", "--quiet", address, c.dir)
	c.git(c.dir, "checkout", "--quiet", "-B", branch)
	cloned, err := filepath.Glob(filepath.Join(c.dir, "*.py"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tree := range trees {
		if len(cloned) > 0 {
			break // another branch has them
		}
		if err := os.CopyFS(c.dir, tree); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		file := filepath.Join(c.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c.git(c.dir, "add", "--all")
	c.git(c.dir, "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "--quiet", "--allow-empty",
		"--message", "Add the model")
	c.git(c.dir, "push", "--quiet", "origin", branch)
	return c
}

func (c *workTree) git(dir string, args ...string) string {
	c.Helper()
	out, err := gitrepo.Git(c.Context(), dir, args...)
	if err != nil {
		c.Fatal(err)
	}
	return out
}

// run runs the checkout's pipeline and returns what it prints.
func (c *workTree) run(branch string, variables ...string) (string, error) {
	c.Helper()
	return c.runner(branch, nil, variables...)
}

// runner runs gitlab-ci-local with more flags.
func (c *workTree) runner(branch string, flags []string, variables ...string) (string, error) {
	c.Helper()
	runner, err := filepath.Abs("../../test/gitlabci/node_modules/.bin/gitlab-ci-local")
	if err == nil {
		_, err = os.Stat(runner)
	}
	if err != nil {
		c.Fatalf(`gitlab-ci-local is missing: run "make setup", or use "make test", which does it (%v)`, err)
	}
	head := c.git(c.dir, "rev-parse", "HEAD")
	args := append([]string{"--force-shell-executor", "--home", c.TempDir()}, flags...)
	for _, v := range append(variables,
		"DAGWRIGHT_ID_TOKEN"+"="+c.gitlab.IDToken(c.project, branch, head, publicURL, nil)) {
		args = append(args, "--variable", v)
	}
	cmd := exec.CommandContext(c.Context(), runner, args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "PATH="+c.bin+":"+os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=/dev/null", "NO_COLOR=1", "FORCE_COLOR=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// ciComponents returns the project's CI Components as a tree of a repository.
func ciComponents(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := filepath.Glob("../../ci/templates/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no components: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out["templates/"+filepath.Base(file)] = string(text)
	}
	return out
}

func exampleModel(t *testing.T) fs.FS {
	t.Helper()
	tree, err := fs.Sub(testdata.Models(), "churn-model")
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// The pipelines of a model, run for real, end in DAGs that the scheduler runs. No
// hook is sent: only the jobs report the commits.
func TestModelPipelines(t *testing.T) {
	t.Parallel()
	gl := gitlabtest.New(t)
	gl.CreateProject(testDAGProject)
	gl.CreateProject(testModel)
	in := startInstance(t, gl, testDAGProject, "")
	files := ciComponents(t)
	files[".gitlab-ci.yml"] = pipelineFile
	for branch, c := range map[string]struct {
		dag    string
		stages []string
		graph  string
	}{
		"main": {"churn-model", []string{"build-image", "unit", "dagwright-scoring"}, "run_model"},
		"retrain": {"churn-model-retrain", []string{"build-image", "dagwright-retrain"},
			"prepare_data → train_model → evaluate_model → register_model"},
	} {
		work := newCheckout(t, gl, testModel, branch, files, exampleModel(t))
		out, err := work.run(branch, "SERVER="+in.url)
		if err != nil {
			t.Fatalf("%s: %v\n%s", branch, err, out)
		}
		for _, words := range append(c.stages, "A new DAG, "+c.dag, c.graph, "Next runs, once it is active",
			"See "+publicURL+"/dags/"+c.dag, "rendered") {
			if !strings.Contains(out, words) {
				t.Errorf("%s: the pipeline does not say %q:\n%s", branch, words, out)
			}
		}
		if branch == "retrain" && strings.Contains(out, "dagwright-scoring") {
			t.Errorf("the scoring job ran on retrain:\n%s", out)
		}
		report, err := os.ReadFile(filepath.Join(work.dir, "dagwright.md"))
		if err != nil || !strings.Contains(string(report), "```mermaid") {
			t.Errorf("report %.200s, %v", report, err)
		}
		awaitDAG(t, in, c.dag)
		if out := in.client("dags", "trigger", c.dag, "--wait"); !strings.Contains(out, "success") {
			t.Errorf("%s ended so:\n%s", c.dag, out)
		}
	}
}

// awaitDAG waits until an instance's scheduler has taken a DAG over. It is another
// process, so it is asked again and again.
func awaitDAG(t *testing.T, in *site, dag string) {
	t.Helper()
	deadline := time.After(scriptPatience)
	for {
		_, err := clitest.Program(t.Context(), "dags", "show", dag, "--server", in.url).Output()
		if err == nil {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-deadline:
			t.Fatalf("DAG %s never came: %v; import errors: %s", dag, err, in.get("/api/v2/importErrors"))
		}
	}
}

// await waits until something holds of the instance.
func (in *site) await(what string, holds func() bool) {
	in.Helper()
	deadline := time.After(scriptPatience)
	for !holds() {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-deadline:
			in.Fatalf("it never came to this: %s; import errors: %s", what, in.get("/api/v2/importErrors"))
		}
	}
}

// Without a server the job pushes by itself, with a token.
func TestPipelineThatPushes(t *testing.T) {
	t.Parallel()
	gl := gitlabtest.New(t)
	gl.CreateProject(testDAGProject)
	gl.CreateProject(testModel)
	files := ciComponents(t)
	files[".gitlab-ci.yml"] = strings.ReplaceAll(pipelineFile, "{server: $SERVER}",
		"{dag_repository: $REPOSITORY, registry: registry.example.com/x}")
	work := newCheckout(t, gl, testModel, "main", files, exampleModel(t))
	for _, words := range []string{"pushed as ", "unchanged"} {
		out, err := work.run("main", "REPOSITORY="+gl.CloneURL(testDAGProject), "DAGWRIGHT_PUSH_TOKEN"+"="+gl.Token)
		if err != nil || !strings.Contains(out, words) {
			t.Fatalf("%v, want %q\n%s", err, words, out)
		}
		if strings.Contains(out, gl.Token) {
			t.Error("the token is in the log")
		}
	}
	const file = "dags/gbc/risk/churn-model.yaml"
	spec, ok := gl.File(testDAGProject, "main", file)
	if !ok || !strings.Contains(spec, "registry.example.com/x/gbc/risk/churn-model:") {
		t.Errorf("spec\n%s", spec)
	}

	// What somebody edited by hand stays, unless it is said that it must not.
	edited := strings.Replace(spec, "retries: 1", "retries: 5", 1)
	gl.Commit(testDAGProject, "main", map[string]string{file: edited})
	push := func(more ...string) (string, error) {
		t.Helper()
		cmd := clitest.Program(t.Context(),
			append([]string{"generate", work.dir, "--project", testModel, "--branch", "main", "--push",
				gl.CloneURL(testDAGProject)}, more...)...)
		cmd.Env = append(cmd.Env, "DAGWRIGHT_PUSH_TOKEN"+"="+gl.Token)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := push()
	if now, _ := gl.File(testDAGProject, "main", file); err == nil || now != edited ||
		!strings.Contains(out, "was edited by hand in the DAG repository") || !strings.Contains(out, "--force") {
		t.Errorf("over an edit by hand: %v\n%s", err, out)
	}
	out, err = push("--force")
	if now, _ := gl.File(testDAGProject, "main", file); err != nil || strings.Contains(now, "retries: 5") ||
		!strings.Contains(out, "pushed as ") {
		t.Errorf("by force: %v\n%s", err, out)
	}
}

const brokenSpec = "churn:\n  schedule: '61 * * * *'\n  tasks:\n    - {task_id: a, image: x}\n"

// The DAG repository's own pipeline shows faults where GitLab looks for them.
func TestPipelineOfTheDAGRepository(t *testing.T) {
	t.Parallel()
	gl := gitlabtest.New(t)
	gl.CreateProject(testDAGProject)
	good, err := os.ReadFile("../../testdata/golden/churn-model.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files := ciComponents(t)
	files[".gitlab-ci.yml"] = exampleFile(t, "dag-repository")
	files["dags/gbc/good.yaml"] = string(good)
	work := newCheckout(t, gl, testDAGProject, "main", files)
	if out, err := work.run("main"); err != nil || !strings.Contains(out, "1 file with 1 DAG: no faults") {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(work.dir, "dags/gbc/bad.yaml"), []byte(brokenSpec), 0o644); err != nil {
		t.Fatal(err)
	}
	work.git(work.dir, "add", "--all")
	out, err := work.run("main")
	if err == nil {
		t.Errorf("the pipeline passed\n%s", out)
	}
	quality, err := os.ReadFile(filepath.Join(work.dir, "gl-code-quality-report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var issues []struct { // as GitLab reads them
		Fingerprint, Severity string
		Location              struct {
			Path  string
			Lines struct{ Begin int }
		}
	}
	if err := json.Unmarshal(quality, &issues); err != nil || len(issues) == 0 {
		t.Fatalf("%s, %v", quality, err)
	}
	if at := issues[0].Location; at.Path != "dags/gbc/bad.yaml" || at.Lines.Begin != 2 ||
		issues[0].Severity != "blocker" || len(issues[0].Fingerprint) != 64 {
		t.Errorf("issue %+v", issues[0])
	}
	text, err := os.ReadFile(filepath.Join(work.dir, "dagwright-junit.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Cases    []struct {
			Failure *struct{} `xml:"failure"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal(text, &suite); err != nil || suite.Tests != 2 || suite.Failures != 1 ||
		suite.Cases[1].Failure != nil {
		t.Errorf("suite %+v, %v", suite, err)
	}
}

// exampleFile is an example's pipeline, with the components of the checkout in
// place of released ones.
func exampleFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../ci/examples/" + name + "/.gitlab-ci.yml")
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`gbc/dagwright-ci/(\w+)@1`).ReplaceAllString(string(text),
		"$$CI_PROJECT_PATH/$1@$$CI_COMMIT_SHA")
}

// The example of a model's pipeline is one that GitLab's schema allows, with the
// jobs in their stages.
func TestExamplePipelineOfAModel(t *testing.T) {
	t.Parallel()
	gl := gitlabtest.New(t)
	gl.CreateProject(testModel)
	files := ciComponents(t)
	files[".gitlab-ci.yml"] = exampleFile(t, "model")
	for branch, want := range map[string][]string{
		"main":    {"build-image build", "unit test", "dagwright-scoring dag"},
		"retrain": {"build-image build", "dagwright-retrain dag"},
	} {
		out, err := newCheckout(t, gl, testModel, branch, files, exampleModel(t)).runner(branch, []string{"--list-csv"})
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var got []string
		for line := range strings.Lines(out) {
			if fields := strings.Split(line, ";"); len(fields) > 3 && fields[0] != "name" {
				got = append(got, fields[0]+" "+fields[1])
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s\n%s", branch, diff, out)
		}
	}
}

// A refused DAG fails the job, with the reason and its place.
func TestPipelineOfARefusedModel(t *testing.T) {
	t.Parallel()
	gl := gitlabtest.New(t)
	gl.CreateProject(testDAGProject)
	gl.CreateProject(testModel)
	in := startInstance(t, gl, testDAGProject, "")
	files := ciComponents(t)
	files[".gitlab-ci.yml"] = pipelineFile
	files[".dagwright.yml"] = "onwer: x\n"
	out, err := newCheckout(t, gl, testModel, "main", files, exampleModel(t)).run("main", "SERVER="+in.url)
	if err == nil || !strings.Contains(out, `.dagwright.yml:1:1: onwer: unknown key; did you mean "owner"?`) {
		t.Errorf("%v\n%s", err, out)
	}
}
