package scheduler

import (
	"testing"

	"dagwright/store/storetest"
)

// TestMissedChangesAreLookedUpOnce has the loop look at the store once when changes were
// dropped, and again when the store failed.
func TestMissedChangesAreLookedUpOnce(t *testing.T) {
	t.Parallel()
	l := newTestLoop(noon)
	l.Store = storetest.OpenTest(t)
	l.lagged = true
	if err := l.markMissed(t.Context()); err != nil || l.lagged {
		t.Errorf("looked: %v, lagged %v", err, l.lagged)
	}
	if err := l.Store.Close(); err != nil {
		t.Fatal(err)
	}
	l.lagged = true
	if err := l.markMissed(t.Context()); err == nil || !l.lagged {
		t.Errorf("the store failed: %v, lagged %v; want to look again", err, l.lagged)
	}
}
