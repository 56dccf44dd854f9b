package dev

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dagwright/usage"
)

// TestMain makes the test binary what the hooks of a test's repositories call.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "post-receive" {
		os.Exit(hook(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func hook(args []string) int {
	var r Repository
	flags := flag.NewFlagSet("post-receive", flag.ExitOnError)
	flags.StringVar(&r.Dir, "dir", "", "")
	flags.StringVar(&r.Project, "project", "", "")
	flags.Int64Var(&r.ProjectID, "project-id", 0, "")
	_ = flags.Parse(args) // it exits
	if err := PostReceive(context.Background(), r, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
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
	err = Run(t.Context(), Config{Dir: dir, Listen: taken.Addr().String(), LogLevel: "warn"}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) ||
		!strings.Contains(err.Error(), "--listen 127.0.0.1:8081") {
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
		err := Run(t.Context(), Config{Dir: dir, Listen: listen, LogLevel: "warn"}, io.Discard, io.Discard)
		if !errors.As(err, &usage.Error{}) || !strings.Contains(err.Error(), "127.0.0.1:8080") {
			t.Errorf("dev at %s: %v", listen, err)
		}
	}
}
