package clustertest

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

type lockMode int

const (
	lockShared lockMode = unix.LOCK_SH
	lockAlone  lockMode = unix.LOCK_EX
)

// lock holds the cluster until the test has ended. The kernel gives it up when
// the process is killed.
func lock(t testing.TB, path string, mode lockMode) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatalf("no Kubernetes for the tests: %v; %s", err, howToStart)
	}
	t.Cleanup(func() { f.Close() })
	if unix.Flock(int(f.Fd()), int(mode)|unix.LOCK_NB) == nil {
		return
	}
	t.Log("the cluster is in use, by tests that break it or that it must not be broken for: waiting")
	for {
		err := unix.Flock(int(f.Fd()), int(mode))
		if err == nil {
			return
		}
		if !errors.Is(err, unix.EINTR) {
			t.Fatalf("lock %s: %v", path, err)
		}
	}
}
