package generator_test

import (
	"strings"
	"testing"

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
	s.wantRefused(s.push("gbc/x", "main", "scoring:\n  command: [python, main.py, \"{{ var.value.x }}\"]\n"),
		".dagwright.yml:2:30: scoring.command[2]: var is not available")
	s.wantRefused(s.push("gbc/x", "main", "retrain:\n  tasks:\n    - {task_id: a, command: [sh, -c, \"{% if x %}\"]}\n"),
		".dagwright.yml:3:38: ")
	if refs := s.git(s.dags, "for-each-ref"); refs != "" {
		t.Errorf("the DAG repository has %q, want nothing", refs)
	}
	s.wantState(s.push("gbc/x", "main",
		"env:\n  DAY: \"{{ ds }}\"\n  BRACES: \"{% raw %}{{ mustache }}{% endraw %} {{ '{{' }}\"\n"), store.PushRendered)
}

// TestModelWithoutChecks takes every template when the instance checks none.
func TestModelWithoutChecks(t *testing.T) {
	t.Parallel()
	m, err := generator.ParseModel(".dagwright.yml", []byte("env: {A: \"{{ nope\"}"), generator.DefaultInstance())
	if err != nil || len(m.Env) != 1 || !strings.Contains(m.Env[0].Value, "nope") {
		t.Errorf("%+v, %v", m, err)
	}
}
