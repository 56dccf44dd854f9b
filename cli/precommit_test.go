package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"dagwright/cli/clitest"
)

// preCommitHook is a hook as https://pre-commit.com/#new-hooks describes it.
type preCommitHook struct {
	ID            string `yaml:"id"`
	Name          string `yaml:"name"`
	Description   string `yaml:"description"`
	Entry         string `yaml:"entry"`
	Language      string `yaml:"language"`
	Files         string `yaml:"files"`
	PassFilenames bool   `yaml:"pass_filenames"`
}

// TestPreCommitHooks reads the repository's hooks for pre-commit, which names of files they
// are for, and runs each in a repository that is right and in one that is not.
func TestPreCommitHooks(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../.pre-commit-hooks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var hooks []preCommitHook
	d := yaml.NewDecoder(bytes.NewReader(source))
	d.KnownFields(true)
	if err := d.Decode(&hooks); err != nil {
		t.Fatal(err)
	}
	const spec = `churn:
  start_date: "2026-01-01"
  tasks:
    - task_id: run
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: registry.example.com/churn:1
`
	for id, test := range map[string]struct {
		args               []string
		files, others      []string
		name, right, wrong string
		words              string
	}{
		"dagwright-model": {
			args:   []string{"--project", "gbc/risk/churn-model"},
			files:  []string{".dagwright.yml", "dagwright.yml", ".dagwright.yaml", ".Dagwright.YML"},
			others: []string{"main.py", "conf/.dagwright.yml", ".dagwright.yml.bak"},
			name:   ".dagwright.yml", right: "owner: risk\n", wrong: "onwer: risk\n",
			words: `.dagwright.yml:1:1: onwer: unknown key; did you mean "owner"?`,
		},
		"dagwright-dags": {
			files: []string{"dags/gbc/churn.yaml", "dags/defaults.yml", "dags/x.YAML"}, others: []string{"README.md", "dags/x.py"},
			name: "churn.yaml", right: spec, wrong: strings.Replace(spec, "image:", "imag:", 1),
			words: "churn.yaml:6",
		},
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(hooks, func(h preCommitHook) bool { return h.ID == id })
			if i < 0 {
				t.Fatal("there is no such hook")
			}
			h := hooks[i]
			command, isOurs := strings.CutPrefix(h.Entry, "dagwright ")
			if !isOurs || h.Language != "golang" || h.Name == "" || h.Description == "" || h.PassFilenames {
				t.Errorf("%+v", h)
			}
			files := regexp.MustCompile(h.Files) // the few words that Python reads alike
			for _, name := range test.files {
				if !files.MatchString(name) {
					t.Errorf("a change of %s does not run it", name)
				}
			}
			for _, name := range test.others {
				if files.MatchString(name) {
					t.Errorf("a change of %s runs it", name)
				}
			}
			p := clitest.NewWorkstation(t, "CI_PROJECT_PATH=", "CI_COMMIT_BRANCH=", "CI_COMMIT_SHA=")
			dir := checkoutOf(t, map[string]string{test.name: test.right})
			p.Dir = dir
			args := append(strings.Fields(command), test.args...)
			p.Run("", ExitDone, "", args...)
			if err := os.WriteFile(filepath.Join(dir, test.name), []byte(test.wrong), 0o644); err != nil {
				t.Fatal(err)
			}
			p.Run("", ExitFailed, test.words, args...)
		})
	}
}
