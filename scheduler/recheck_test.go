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
	l.ended[runKey{"d", "r"}] = true
	if err := l.markMissed(t.Context()); err != nil || len(l.ended) != 1 {
		t.Errorf("nothing was missed: %v, %d ended runs known, want 1", err, len(l.ended))
	}
	l.lagged = true
	if err := l.markMissed(t.Context()); err != nil || l.lagged || len(l.ended) != 0 {
		t.Errorf("looked: %v, lagged %v, %d ended runs known", err, l.lagged, len(l.ended))
	}
	if err := l.Store.Close(); err != nil {
		t.Fatal(err)
	}
	l.lagged = true
	if err := l.markMissed(t.Context()); err == nil || !l.lagged {
		t.Errorf("the store failed: %v, lagged %v; want to look again", err, l.lagged)
	}
}
