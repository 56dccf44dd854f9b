package auth_test

import (
	"strings"
	"testing"

	"dagwright/auth"
	"dagwright/dag"
)

// TestClaims checks what a model's author writes against the owners and tags that give
// roles.
func TestClaims(t *testing.T) {
	t.Parallel()
	rules, err := auth.ParseRules("rules.yml", []byte(`
rules:
  - {groups: [risk], role: operator, dags: {owners: [risk-team], projects: [gbc/risk, gbc/shared/x]}}
  - {groups: [risk], role: viewer, dags: {owners: [risk-team]}}
  - {groups: [ops], role: operator, dags: {owners: [ops], tags: [night]}}
  - {groups: [all], role: viewer, dags: {tags: [scoring]}}
  - {groups: [fraud], role: viewer, dags: {ids: ["fraud-*"], projects: [gbc/fraud]}}
`))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		project, owner string
		tags           []string
		fault          string
	}{
		"mapped":          {"gbc/risk/x", "risk-team", []string{"scoring", "x"}, ""},
		"mapped subgroup": {"gbc/risk/a/b", "risk-team", nil, ""},
		"mapped project":  {"gbc/shared/x", "risk-team", nil, ""},
		"a neighbour": {"gbc/risk-evil/x", "risk-team", nil,
			`owner: "risk-team" gives roles (auth rules), and is for projects of gbc/risk, gbc/shared/x alone`},
		"another project":    {"gbc/shared/xy", "risk-team", nil, "is for projects of"},
		"another group":      {"gbc/sales/x", "risk-team", nil, "is for projects of"},
		"a user's namespace": {"risk-team/x", "risk-team", nil, "is for projects of"},
		"other case":         {"gbc/sales/x", "Risk-Team", nil, "is for projects of"},
		"spaces":             {"gbc/sales/x", " risk-team ", nil, "is for projects of"},
		"path in other case": {"GBC/risk/x", "risk-team", nil, ""},
		"one of several":     {"gbc/sales/x", "sales, risk-team", nil, "is for projects of"},
		"nobody may": {"gbc/risk/x", "ops", nil,
			`owner: "ops" gives roles (auth rules), and no rule names projects that may have it`},
		"a tag":                {"gbc/risk/x", "me", []string{"scoring", "night"}, `tags[1]: "night" gives roles`},
		"a tag in other case":  {"gbc/risk/x", "me", []string{"NIGHT"}, `tags[0]: "NIGHT" gives roles`},
		"the kind's own tag":   {"gbc/sales/x", "me", []string{"scoring"}, ""},
		"an owner of no rule":  {"gbc/sales/x", "sales", []string{"x"}, ""},
		"written by hand":      {"", "risk-team", []string{"night"}, ""},
		"an id is not a claim": {"gbc/sales/fraud-x", "sales", nil, ""},
		"no owner":             {"gbc/sales/x", "", nil, ""},
		"all of a rule's rest": {"gbc/fraud/x", "fraud", nil, ""},
	} {
		err := rules.CheckClaims(&dag.DAG{Owner: c.owner, Tags: c.tags, Source: dag.Source{Project: c.project}})
		if (c.fault == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v, want %q", name, err, c.fault)
		}
	}
	if err := auth.Rules(nil).CheckClaims(&dag.DAG{Owner: "x", Source: dag.Source{Project: "a/b"}}); err != nil {
		t.Errorf("without rules: %v", err)
	}
	if v := rules.ClaimsVersion(); v == "" || v == rules[1:].ClaimsVersion() || v != rules[:4].ClaimsVersion() {
		t.Errorf("versions: %q", v)
	}
	if v := rules[4:].ClaimsVersion(); v != "" {
		t.Errorf("without owners and tags the version is %q", v)
	}
}
