package clustertest

import (
	"path/filepath"
	"sync"
	"testing"
)

// TestAloneGoesFirst wants the lock alone while it is shared: who comes later to share it
// waits, though it is not taken alone yet.
func TestAloneGoesFirst(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	never := func() { t.Error("a lock that nobody wants alone is waited for") }
	release, err := acquire(path, lockShared, never)
	if err != nil {
		t.Fatal(err)
	}
	another, err := acquire(path, lockShared, never)
	if err != nil {
		t.Fatal(err)
	}
	another()

	order := make(chan lockMode, 2)
	for _, mode := range []lockMode{lockAlone, lockShared} {
		waits := make(chan struct{})
		go func() {
			release, err := acquire(path, mode, sync.OnceFunc(func() { close(waits) }))
			if err != nil {
				t.Error(err)
				return
			}
			order <- mode
			release()
		}()
		<-waits
	}
	release()
	if first, second := <-order, <-order; first != lockAlone || second != lockShared {
		t.Errorf("the lock was taken in the modes %d and %d", first, second)
	}
}
