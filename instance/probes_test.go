package instance

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"dagwright/dag"
	"dagwright/tasklog"
)

// TestProbes asks the address of the probes, which shows no pages and takes no
// hooks.
func TestProbes(t *testing.T) {
	t.Parallel()
	a := running(t)

	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/": 404, "/api/v2/dags": 404,
		"/hooks/gitlab": 404} {
		if got := status(t, "http://"+a.probes.Addr().String()+path); got != want {
			t.Errorf("probes' address, GET %s: got %d, want %d", path, got, want)
		}
	}
	if got := status(t, a.URL()+"/readyz"); got != 200 {
		t.Errorf("pages' address, GET /readyz: got %d, want 200", got)
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

// TestTroubles wants readiness to say what is short while pages are served.
func TestTroubles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config tasklog.Config
		want   string
	}{
		"space": {tasklog.Config{}, ""},
		"short": {tasklog.Config{MinFree: 1 << 62}, "no task is started: the disk of the task logs has "},
	} {
		test.config.Dir = t.TempDir()
		logs, err := tasklog.Open(test.config)
		if err != nil {
			t.Fatal(err)
		}
		defer logs.Close()
		got := ""
		for _, trouble := range (&Instance{logs: logs}).troubles() {
			got += trouble.String()
		}
		if got != test.want && (test.want == "" || !strings.HasPrefix(got, test.want)) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// running is an instance of pages and hooks over a new database that answers until the
// test ends.
func running(t *testing.T) *Instance {
	t.Helper()
	dir := t.TempDir()
	a, err := Open(t.Context(), Settings{
		Components: []string{"webhook", "ui"}, Database: dag.NewSecret("sqlite:" + filepath.Join(dir, "db")),
		Logs: tasklog.Config{Dir: filepath.Join(dir, "logs")}, Logger: slog.New(slog.DiscardHandler),
		Pages: PageSettings{Listen: "127.0.0.1:0", Probes: "127.0.0.1:0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, a.Close()); err != nil {
			t.Errorf("end of the instance: %v", err)
		}
	})
	return a
}
