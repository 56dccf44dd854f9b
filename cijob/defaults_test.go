package cijob_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/cijob"
	"dagwright/dag"
)

// TestDefaults has a configuration that says nothing, and one that says little.
func TestDefaults(t *testing.T) {
	t.Parallel()
	usual := dag.Branches{Scoring: "main", Retrain: "retrain"}
	for name, c := range map[string]struct {
		config       cijob.Config
		wantBranches dag.Branches
		wantWait     time.Duration
	}{
		"nothing":    {cijob.Config{}, usual, 5 * time.Minute},
		"below zero": {cijob.Config{Wait: -1}, usual, 5 * time.Minute},
		"the least": {cijob.Config{Wait: 1, Branches: dag.Branches{Scoring: "x"}},
			dag.Branches{Scoring: "x", Retrain: "retrain"}, 1},
	} {
		h := cijob.New(c.config)
		if diff := cmp.Diff(c.wantBranches, h.Branches); diff != "" || h.Wait != c.wantWait || h.Logger == nil {
			t.Errorf("%s: branches (-want +got)\n%s\nwait %v, want %v; logger %v", name, diff, h.Wait, c.wantWait, h.Logger)
		}
	}
}
