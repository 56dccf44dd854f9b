package dag_test

import (
	"testing"

	"dagwright/dag"
)

func TestPathsOfProjects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		project, path   string
		same, below, of bool
	}{
		{"gbc/risk/churn-model", "gbc/risk/churn-model", true, false, true},
		{"gbc/risk/churn-model", "gbc/risk", false, true, true},
		{"gbc/risk/churn-model", "gbc", false, true, true},
		{"GBC/Risk/churn-model", "gbc/risk/CHURN-model", true, false, true},
		{"gbc/risk/churn-model", "Gbc/RISK", false, true, true},
		{"gbc-evil/x", "gbc", false, false, false},
		{"gbc.evil/x", "gbc", false, false, false},
		{"gbc/riskx/y", "gbc/risk", false, false, false},
		{"evil/gbc/x", "gbc", false, false, false},
		{"gbc", "gbc/risk", false, false, false},
		{"gbc/", "gbc", false, false, false},
		{"gbc/x", "", false, false, false},
		{"/x", "", false, false, false},
		{"", "", true, false, false},
		{"", "gbc", false, false, false},
		{"gbc/ris\u212a/x", "gbc/risk", false, false, false}, // the Kelvin sign, a K to Unicode
		{"gbc/[x", "gbc/{x", false, false, false},
		{"gbc/@x", "gbc/`x", false, false, false},
	} {
		same, below, of := dag.SamePath(c.project, c.path), dag.IsBelowPath(c.project, c.path), dag.IsOfPath(c.project, c.path)
		if same != c.same || below != c.below || of != c.of {
			t.Errorf("%q and %q: same %t, below %t, of %t; want %t, %t, %t", c.project, c.path, same, below, of, c.same,
				c.below, c.of)
		}
	}
}
