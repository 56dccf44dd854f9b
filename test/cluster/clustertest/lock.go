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
	release, err := acquire(path, mode, func() {
		t.Log("the cluster is in use, by tests that break it or that it must not be broken for: waiting")
	})
	if err != nil {
		t.Fatalf("no Kubernetes for the tests: %v; %s", err, howToStart)
	}
	t.Cleanup(release)
}

// acquire takes the lock at path, and calls busy before each wait.
//
// Who wants it alone goes first, and holds a second lock from the moment on that he wants it;
// whoever shares must have passed that one. Else those that share would follow one another for
// ever, and all who want it alone would have it in the end, with nothing left beside them.
func acquire(path string, mode lockMode, busy func()) (release func(), err error) {
	first, err := openLock(path + ".first")
	if err != nil {
		return nil, err
	}
	f, err := openLock(path)
	if err != nil {
		first.Close()
		return nil, err
	}
	release = func() {
		f.Close()
		first.Close()
	}
	pass := lockAlone // of those that share, one after the other passes
	if mode == lockAlone {
		pass = lockShared
	}
	if err := errors.Join(wait(first, pass, busy), wait(f, mode, busy)); err != nil {
		release()
		return nil, err
	}
	if mode == lockShared {
		first.Close()
	}
	return release, nil
}

func openLock(path string) (*os.File, error) { return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) }

// wait locks a file, and calls busy first when it cannot do it at once.
func wait(f *os.File, mode lockMode, busy func()) error {
	if unix.Flock(int(f.Fd()), int(mode)|unix.LOCK_NB) == nil {
		return nil
	}
	busy()
	for {
		err := unix.Flock(int(f.Fd()), int(mode))
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
