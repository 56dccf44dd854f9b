package scheduler

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDefaults has a configuration that says nothing, and one that says little.
func TestDefaults(t *testing.T) {
	t.Parallel()
	type values struct {
		Poll                    time.Duration
		MaxActiveTasks, MaxLost int
		Grace, Recheck          time.Duration
	}
	const half = 30 * time.Second
	for name, c := range map[string]struct {
		config Config
		want   values
	}{
		"nothing": {Config{}, values{half, 32, 3, half, half}},
		"below zero": {Config{Poll: -1, MaxActiveTasks: -1, MaxLost: -1, Grace: -1, Recheck: -1},
			values{half, 32, -1, half, half}},
		"the least": {Config{Poll: 1, MaxActiveTasks: 1, MaxLost: 1, Grace: 1, Recheck: 1}, values{1, 1, 1, 1, 1}},
	} {
		got := c.config.withDefaults()
		if diff := cmp.Diff(c.want, values{got.Poll, got.MaxActiveTasks, got.MaxLost, got.Grace, got.Recheck}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got.Now == nil || got.Logger == nil {
			t.Errorf("%s: no default for Now or Logger", name)
		}
	}
}
