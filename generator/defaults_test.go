package generator_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/generator"
)

// TestDefaults has a configuration that says nothing, and one that says little.
func TestDefaults(t *testing.T) {
	t.Parallel()
	type values struct {
		Branches                dag.Branches
		Deliver                 generator.Delivery
		MissingGrace, Reconcile time.Duration
	}
	usual := values{
		dag.Branches{Scoring: "main", Retrain: "retrain"},
		generator.DeliverPush, 24 * time.Hour, 5 * time.Minute,
	}
	own := dag.Branches{Scoring: "a", Retrain: "b"}
	for name, c := range map[string]struct {
		config generator.Config
		want   values
	}{
		"nothing":    {generator.Config{}, usual},
		"below zero": {generator.Config{MissingGrace: -1, Reconcile: -1}, usual},
		"the least": {
			generator.Config{Branches: own, Deliver: generator.DeliverMergeRequest, MissingGrace: 1, Reconcile: 1},
			values{own, generator.DeliverMergeRequest, 1, 1},
		},
	} {
		g := generator.New(c.config)
		if diff := cmp.Diff(c.want, values{g.Branches, g.Deliver, g.MissingGrace, g.Reconcile}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if g.Now == nil || g.Logger == nil {
			t.Errorf("%s: no default for Now or Logger", name)
		}
	}
}
