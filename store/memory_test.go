package store_test

import (
	"testing"

	"dagwright/store/storetest"
)

// TestRevisions wants every write to raise the revision of the DAG whose runs it changes.
func TestRevisions(t *testing.T) {
	t.Parallel()
	for name, dsn := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn(t) // one failure tells more than one in each test
			storetest.RunRevisions(t, func(t *testing.T) string { return dsn(t) })
		})
	}
}

// TestMemory wants what a store remembers to equal what is there.
func TestMemory(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, dsn string) { storetest.RunMemory(t, dsn, 60) })
}
