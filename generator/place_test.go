package generator_test

import (
	"strings"
	"testing"

	"dagwright/store"
)

// TestReservedNames has projects whose names mean something else where a DAG's file or
// key stands: each is refused at its push, and the others of its group go on.
func TestReservedNames(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for project, words := range map[string]string{
		"gbc/risk/defaults": "has its defaults in files of that name", "gbc/risk/Defaults": "has its defaults",
		"gbc/risk/DEFAULTS": "has its defaults",
		"gbc/risk/.hidden":  "begin with a dot", "gbc/.risk/x": "begins with a dot",
		"gbc/risk/default": "a meaning of its own", "gbc/risk/Default": "a meaning of its own",
		"gbc/risk/task_groups":     "a meaning of its own",
		"gbc/risk/default-retrain": "a meaning of its own", "gbc/risk/__init__": "Python gives",
		"gbc/risk/__main__": "Python gives",
		"gbc/risk.yaml/x":   "where another project's file may have to be", "gbc/risk.py/x": "where another",
		"gbc/risk.YML/x": "where another",
	} {
		s.wantRefused(s.push(project, "main", ""), words)
	}
	s.wantRefused(s.push("gbc/risk/default", "retrain", ""), "a meaning of its own")
	for file, words := range map[string]string{
		"models: [{name: defaults}]":                ".dagwright.yml:1:17: models[0].name: the name \"defaults\" is reserved",
		"models: [{name: daily}, {name: Daily}]":    `the name "Daily" is there twice`,
		"models: [{name: a}, {name: A-Retrain}]":    `the name "A-Retrain" is there twice`,
		"models: [{name: __init__}, {name: daily}]": "Python gives",
	} {
		s.wantRefused(s.push("gbc/risk/many", "main", file), words)
	}
	s.wantRefused(s.push("gbc/risk/a.yaml", "main", "models: [{name: daily}]"),
		"where another project's file may have to be")
	if refs := s.git(s.dags, "for-each-ref"); refs != "" {
		t.Errorf("the DAG repository has %q, want nothing", refs)
	}
	if specs, err := s.store.Specs(t.Context()); err != nil || len(specs) != 0 {
		t.Errorf("names are taken by %+v, %v", specs, err)
	}
	// What merely looks like them is taken.
	for _, project := range []string{"gbc/risk/defaults", "gbc/risk/README", "gbc/risk/my-defaults", "gbc/risk/a.yaml",
		"gbc/defaults/x"} {
		branch := "main"
		if strings.HasSuffix(project, "/defaults") {
			branch = "retrain"
		}
		s.wantState(s.push(project, branch, ""), store.PushRendered)
	}
}

// TestNamesThatDifferByCase are one name to a checkout on some systems.
func TestNamesThatDifferByCase(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.wantState(s.push("gbc/risk/churn", "main", ""), store.PushRendered)
	s.wantRefused(s.push("gbc/sales/Churn", "main", ""),
		`the DAG name "Churn" differs from "churn" of project gbc/risk/churn by upper and lower case alone`)
	s.wantState(s.push("gbc/risk/churn", "main", "owner: again"), store.PushRendered)
}
