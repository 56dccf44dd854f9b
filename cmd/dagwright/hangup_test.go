package main

import (
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestHangupIsOutlived sends the signal that ends a program which does not ask for it.
func TestHangupIsOutlived(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	defer r.Close()
	stop := outliveHangup(slog.New(slog.NewTextHandler(w, nil)))
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 1000)
	n, err := r.Read(line)
	if err != nil || !strings.Contains(string(line[:n]), "SIGHUP changes nothing") {
		t.Errorf("the log says %q, %v", line[:n], err)
	}
}

// TestTakenAddress starts "dev" where another program listens: it makes nothing.
func TestTakenAddress(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := filepath.Join(t.TempDir(), "dev")
	err = runDev(t.Context(), devFlags{dir: dir, listen: taken.Addr().String(), logLevel: "warn"}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) || !strings.Contains(err.Error(), "--listen 127.0.0.1:8081") {
		t.Errorf("dev on a taken address: %v; want the address and how to choose another", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("dev on a taken address made its folder")
	}
}

// TestDevListensOnLoopbackOnly holds that nobody from elsewhere is let in unasked.
func TestDevListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:8080"} {
		dir := filepath.Join(t.TempDir(), "dev")
		err := runDev(t.Context(), devFlags{dir: dir, listen: listen, logLevel: "warn"}, io.Discard, io.Discard)
		if exitCode(err) != exitUsage || !strings.Contains(err.Error(), "127.0.0.1:8080") {
			t.Errorf("dev at %s: %v", listen, err)
		}
	}
}
