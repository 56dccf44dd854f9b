package store

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReserve fills the disk to its last byte: what is decided is still written
// down, and what is read is right.
func TestReserve(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("this test mounts a disk of its own: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	s, err := Open(t.Context(),
		Config{DSN: "sqlite:" + filepath.Join(disk, "x.db"), Reserve: 8 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	flood(t, filepath.Join(disk, "flood"))
	for i := range 500 {
		err := s.Note(t.Context(), AuditEntry{Event: "cancel", DAG: "d", Extra: "{}"})
		if err != nil {
			t.Fatalf("write %d on a full disk: %v", i, err)
		}
	}
	if _, n, err := s.Audit(t.Context(), AuditFilter{}); n != 500 || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
}

// flood writes a file until nothing more fits.
func flood(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4096, 1} {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
		err = nil
	}
}
