package cijob_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/cijob"
)

// TestDefaults has a configuration that says nothing, and one that says little.
func TestDefaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config       cijob.Config
		wantBranches []string
		wantWait     time.Duration
	}{
		"nothing":     {cijob.Config{}, []string{"main", "retrain"}, 5 * time.Minute},
		"below zero":  {cijob.Config{Wait: -1}, []string{"main", "retrain"}, 5 * time.Minute},
		"the least":   {cijob.Config{Wait: 1, Branches: []string{"x"}}, []string{"x"}, 1},
		"no branches": {cijob.Config{Branches: []string{}}, []string{}, 5 * time.Minute},
	} {
		h := cijob.New(c.config)
		if diff := cmp.Diff(c.wantBranches, h.Branches); diff != "" || h.Wait != c.wantWait || h.Logger == nil {
			t.Errorf("%s: branches (-want +got)\n%s\nwait %v, want %v; logger %v", name, diff, h.Wait, c.wantWait, h.Logger)
		}
	}
}
