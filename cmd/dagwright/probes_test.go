package main

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"

	"dagwright/dag"
	"dagwright/tasklog"
)

// TestProbes asks the address of the probes, which shows no pages and takes no
// hooks.
func TestProbes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, err := openApp(t.Context(), settings{
		Listen: "127.0.0.1:0", Probes: "127.0.0.1:0", Components: []string{"webhook", "ui"},
		Database: dag.NewSecret("sqlite:" + filepath.Join(dir, "db")), Logs: tasklog.Config{Dir: filepath.Join(dir, "logs")}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.run(ctx) }()

	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/": 404, "/api/v2/dags": 404, "/hooks/gitlab": 404} {
		if got := status(t, "http://"+a.probes.Addr().String()+path); got != want {
			t.Errorf("probes' address, GET %s: got %d, want %d", path, got, want)
		}
	}
	if got := status(t, a.url()+"/readyz"); got != 200 {
		t.Errorf("pages' address, GET /readyz: got %d, want 200", got)
	}

	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	if err := a.close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func status(t *testing.T, url string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}
