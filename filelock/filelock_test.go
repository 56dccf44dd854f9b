package filelock

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSQLiteIsHeldByOne refuses a second holder of a SQLite database, by whatever name
// it goes, with who holds it, and lets the next one in when the first has ended.
func TestSQLiteIsHeldByOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "dagwright.db"), filepath.Join(dir, "link.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	l, err := TakeSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TakeSQLite(link); !errors.Is(err, ErrLocked) {
		t.Errorf("a second lock of this process: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := TakeSQLite(link)
	if err != nil {
		t.Fatalf("the lock outlived its holder: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLockTellsItsHolder asks another process, which is killed then.
func TestLockTellsItsHolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), python, "-c", `
import fcntl, os, sys
f = open(sys.argv[1], "w")
fcntl.lockf(f, fcntl.LOCK_EX)
f.write('{"pid": %d, "host": "node-7", "since": "2026-01-31T06:00:00Z"}' % os.getpid())
f.flush()
print("held", flush=True)
sys.stdin.read()`, path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	_, err = Take(path)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "on node-7 since 2026-01-31T06:00:00Z") {
		t.Errorf("error = %v, want who holds it", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	l, err := Take(path)
	if err != nil {
		t.Fatalf("after kill -9: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLockIsNotInherited lets a child have the lock's file open, as every child
// has in the moment of its fork: the lock must be free when dagwright is
// gone.
func TestLockIsNotInherited(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	l, err := Take(path)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), "cat")
	child.ExtraFiles = []*os.File{l.file}
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, err = Take(path)
	if err != nil {
		t.Fatalf("it is still locked: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
}
