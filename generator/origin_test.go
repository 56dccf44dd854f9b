package generator_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/gitlab/gitlabtest"
	"dagwright/gitrepo"
)

// TestOriginCheck holds that only what promoting the origin's file gives is taken,
// and that no one who writes to the other DAG repository can make it up.
func TestOriginCheck(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../testdata/golden/churn-model.yaml")
	if err != nil {
		t.Fatal(err)
	}
	gl := gitlabtest.New(t)
	gl.CreateProject(dagProject)
	first := gl.Commit(dagProject, "main", map[string]string{churnFile: string(source)})
	side := gl.Commit(dagProject, "side",
		map[string]string{churnFile: strings.Replace(string(source), "main.py", "evil.py", 1)})
	repo, err := gitrepo.Open(gitrepo.Config{URL: gl.CloneURL(dagProject), Branch: "main",
		Dir: filepath.Join(t.TempDir(), "clone.git"), Username: "x", Password: gl.Token})
	if err != nil {
		t.Fatal(err)
	}
	origin := &generator.Origin{Repo: repo, Project: dagProject, Overlay: prod}
	promoted := func(content, from string, o generator.Overlay) string {
		t.Helper()
		out, err := generator.Promote(churnFile, []byte(content), o, from)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	good := promoted(string(source), dagProject+"@"+first, prod)
	if err := origin.Check(t.Context(), churnFile, []byte(good), nil); err != nil {
		t.Errorf("a promoted spec: %v", err)
	}
	zeros := strings.Repeat("0", 40)
	for name, c := range map[string]struct{ path, content, says string }{
		"not promoted": {churnFile, string(source), "did not come by promotion"},
		"another origin": {churnFile, strings.ReplaceAll(good, dagProject+"@", "gbc/mine@"),
			"from gbc/mine; this instance takes promotions from gbc/airflow-dev alone"},
		"no commit":      {churnFile, strings.ReplaceAll(good, first, "main"), `commit "main", which is not a full hash`},
		"unknown commit": {churnFile, strings.ReplaceAll(good, first, zeros), "the branch main there does not have"},
		"another branch": {churnFile,
			promoted(strings.Replace(string(source), "main.py", "evil.py", 1), dagProject+"@"+side, prod),
			"the branch main there does not have"},
		"another path": {"dags/x.yaml", good, "there is no such file"},
		"edited":       {churnFile, strings.Replace(good, "main.py", "evil.py", 1), "churn-model.yaml:"},
		"edited schedule": {churnFile, strings.Replace(good, `schedule: "`, `schedule: "1`, 1),
			"it was changed since it was promoted"},
		"a comment more": {churnFile, good + "# hello\n", "a promotion gives"},
		"without overlay": {churnFile, promoted(string(source), dagProject+"@"+first, generator.Overlay{}),
			"or the overlay was"},
		"a second DAG":       {churnFile, good + strings.ReplaceAll(good, "churn-model:", "churn-two:"), "churn-model.yaml"},
		"what is not a spec": {churnFile, "{{{", "churn-model.yaml"},
		"a spec of no DAG":   {churnFile, "default: {}\n", "churn-model.yaml"},
	} {
		err := origin.Check(t.Context(), c.path, []byte(c.content), nil)
		var fault *dag.SpecError
		if (!errors.As(err, &fault) && !errors.Is(err, dag.ErrInvalid)) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want a fault with %q", name, err, c.says)
		}
	}
	err = origin.Check(t.Context(), churnFile, []byte(good), []string{"dags/defaults.yaml"})
	if err == nil || !strings.Contains(err.Error(), "dags/defaults.yaml changes it") {
		t.Errorf("with defaults: %v", err)
	}
}

// TestOriginThatDoesNotAnswer tells what cannot be known from what is wrong, and
// needs no origin for what it has seen.
func TestOriginThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../testdata/golden/churn-model.yaml")
	if err != nil {
		t.Fatal(err)
	}
	gl := gitlabtest.New(t)
	gl.CreateProject(dagProject)
	first := gl.Commit(dagProject, "main", map[string]string{churnFile: string(source)})
	dir := filepath.Join(t.TempDir(), "clone.git")
	open := func(url string) *generator.Origin {
		t.Helper()
		repo, err := gitrepo.Open(gitrepo.Config{URL: url, Branch: "main", Dir: dir, Username: "x", Password: gl.Token})
		if err != nil {
			t.Fatal(err)
		}
		return &generator.Origin{Repo: repo, Project: dagProject}
	}
	check := func(o *generator.Origin, commit string) error {
		t.Helper()
		content, err := generator.Promote(churnFile, source, generator.Overlay{}, dagProject+"@"+commit)
		if err != nil {
			t.Fatal(err)
		}
		return o.Check(t.Context(), churnFile, content, nil)
	}
	if err := check(open(gl.CloneURL(dagProject)), first); err != nil {
		t.Fatal(err)
	}
	away := open("http://127.0.0.1:1/x.git")
	if err := check(away, first); err != nil {
		t.Errorf("a commit that was seen: %v", err)
	}
	err = check(away, strings.Repeat("1", 40))
	var fault *dag.SpecError
	if err == nil || errors.As(err, &fault) || errors.Is(err, dag.ErrInvalid) {
		t.Errorf("a commit that was not seen: %v, want an error that is not a fault", err)
	}
}
