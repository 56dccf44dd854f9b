package webhook_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/webhook"
)

// TestDefaults has a configuration that says nothing, and one that says little.
func TestDefaults(t *testing.T) {
	t.Parallel()
	type values struct {
		DAGBranch     string
		Branches      dag.Branches
		MaxConcurrent int
		Wait          time.Duration
	}
	usual := values{"main", dag.Branches{Scoring: "main", Retrain: "retrain"}, 8, 10 * time.Second}
	for name, c := range map[string]struct {
		config webhook.Config
		want   values
	}{
		"nothing":    {webhook.Config{}, usual},
		"below zero": {webhook.Config{MaxConcurrent: -1, Wait: -1}, usual},
		"the least": {
			webhook.Config{DAGBranch: "dags", Branches: dag.Branches{Retrain: "x"}, MaxConcurrent: 1, Wait: 1},
			values{"dags", dag.Branches{Scoring: "main", Retrain: "x"}, 1, 1},
		},
	} {
		r := webhook.New(c.config)
		got := values{r.DAGBranch, r.Branches, r.MaxConcurrent, r.Wait}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if r.Client == nil || r.Now == nil || r.Logger == nil {
			t.Errorf("%s: no default for Client, Now or Logger", name)
		}
	}
}
