package generator_test

import (
	"fmt"
	"strings"
	"testing"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/macro"
	"dagwright/podspec"
	"dagwright/store"
)

// TestTemplatesAreCheckedAtThePush refuses a model whose env or command cannot be
// rendered in any run, with the place in its file, and commits nothing.
func TestTemplatesAreCheckedAtThePush(t *testing.T) {
	t.Parallel()
	templates := macro.New()
	s := newSite(t, func(i *generator.Instance) {
		i.CheckTask, i.CheckTemplate = podspec.Config{Instance: "dev", Namespace: "models"}.Check, templates.CheckText
	})
	s.wantRefused(s.push("gbc/x", "main", "env:\n  DAY: \"{{ dss }}\"\n"),
		".dagwright.yml:2:8: env.DAY: dss is not defined")
	s.wantRefused(s.push("gbc/x", "main", "env:\n  JSON: '{\"a\": {{\"b\": 1}}'\n"), ".dagwright.yml:2:9: env.JSON: ",
		"syntax is wrong")
	s.wantRefused(s.push("gbc/x", "main", "scoring:\n  command: [python, main.py, \"{{ conn.x }}\"]\n"),
		".dagwright.yml:2:30: scoring.command[2]: conn is not available")
	s.wantRefused(s.push("gbc/x", "main", "retrain:\n  tasks:\n    - {task_id: a, command: [sh, -c, \"{% if x %}\"]}\n"),
		".dagwright.yml:3:38: ")
	if refs := s.git(s.dags, "for-each-ref"); refs != "" {
		t.Errorf("the DAG repository has %q, want nothing", refs)
	}
	s.wantState(s.push("gbc/x", "main",
		"env:\n  DAY: \"{{ ds }}\"\n  BRACES: \"{% raw %}{{ mustache }}{% endraw %} {{ '{{' }}\"\n"), store.PushRendered)
}

// TestVariablesAreCheckedAtThePush refuses a model that names a variable which its project
// may not read, with the place in its file.
func TestVariablesAreCheckedAtThePush(t *testing.T) {
	t.Parallel()
	templates := macro.New()
	s := newSite(t, func(i *generator.Instance) {
		i.CheckVariables = func(d *dag.DAG) error {
			return templates.CheckVariables(d, func(d *dag.DAG, name string) (string, error) {
				if name == "bucket" && d.Source.Project == "gbc/x" {
					return "s3://models", nil
				}
				return "", fmt.Errorf("variable %s is not for DAGs of %s", name, d.Source.Project)
			})
		}
	})
	s.wantRefused(s.push("gbc/y", "main", "env:\n  BUCKET: \"{{ var.value.bucket }}\"\n"),
		".dagwright.yml:2:11: env.BUCKET: variable bucket is not for DAGs of gbc/y")
	s.wantRefused(s.push("gbc/x", "main", "scoring:\n  command: [sh, \"{{ var.json.get('limits', {}).x }}\"]\n"),
		".dagwright.yml:2:12: scoring.command[1]: variable limits is not for DAGs of gbc/x")
	s.wantState(s.push("gbc/x", "main", "env:\n  BUCKET: \"{{ var.value.bucket }}\"\n"), store.PushRendered)
}

// TestModelWithoutChecks takes every template when the instance checks none.
func TestModelWithoutChecks(t *testing.T) {
	t.Parallel()
	m, err := generator.ParseModel(".dagwright.yml", []byte("env: {A: \"{{ nope\"}"), generator.DefaultInstance())
	if err != nil || len(m.Env) != 1 || !strings.Contains(m.Env[0].Value, "nope") {
		t.Errorf("%+v, %v", m, err)
	}
}
