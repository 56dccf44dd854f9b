package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/executor/executortest"
	"dagwright/tasklog"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		os.Exit(beVictim(dir))
	}
	goleak.VerifyTestMain(m)
}

// systemPath is the PATH that attempts of these tests are given.
var systemPath = []dag.EnvVar{{Name: "PATH", Value: "/usr/local/bin:/usr/bin:/bin"}}

func TestConformance(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) executortest.Harness {
		h := newHome(t)
		return executortest.Harness{
			Executor: h.open(t),
			Reopen:   func(t *testing.T) executor.Executor { return h.open(t) },
			Log:      h.log,
			Shell:    func(script string) []string { return []string{"sh", "-c", script} },
			Shared:   t.TempDir(),
			GivenEnv: []string{"PATH"},
			MaxLog:   maxLog,
		}
	}
	executortest.Run(t, open)
	executortest.RunStopKept(t, open)
}

// maxLog is the most that a log of these tests holds.
const maxLog = 1 << 20

// home is a state folder and a log folder that outlive an executor.
type home struct {
	dir  string
	logs *tasklog.Dir
}

func newHome(t testing.TB) *home {
	t.Helper()
	return openHome(t, t.TempDir())
}

func openHome(t testing.TB, dir string) *home {
	t.Helper()
	logs, err := tasklog.Open(tasklog.Config{Dir: filepath.Join(dir, "logs"), MaxBytesPerTry: maxLog})
	if err != nil {
		t.Fatal(err)
	}
	return &home{dir: dir, logs: logs}
}

func (h *home) open(t testing.TB) *Executor {
	t.Helper()
	x, err := Open(Config{StateDir: filepath.Join(h.dir, "state"), Logs: h.logs, Env: systemPath})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// opened is an executor that is closed with the test.
func (h *home) opened(t testing.TB) *Executor {
	t.Helper()
	x := h.open(t)
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return x
}

func (h *home) log(t *testing.T, key dag.AttemptKey) (string, bool) {
	t.Helper()
	info, err := h.logs.Stat(key)
	if err != nil {
		return "", false
	}
	r, err := h.logs.ReadAt(key, 0, info.Size)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), info.Sealed
}

// awaitLine waits for the first line of a log.
func (h *home) awaitLine(t *testing.T, key dag.AttemptKey, line string) {
	t.Helper()
	seen := errors.New("seen")
	err := h.logs.Follow(t.Context(), key, 0, func(_ int64, lines []byte) error {
		if strings.HasPrefix(string(lines), line+"\n") {
			return seen
		}
		return fmt.Errorf("the log begins with %q", lines)
	})
	if !errors.Is(err, seen) {
		t.Fatal(err)
	}
}

func key(task string) dag.AttemptKey {
	return dag.AttemptKey{DAG: "churn-model", Run: "manual__2026-01-31T03:00:00+00:00", Task: dag.TaskID(task), Try: 1}
}

func attemptOf(task string, cmds ...string) executor.Attempt {
	return executor.Attempt{Key: key(task), Task: dag.Task{ID: dag.TaskID(task), Cmds: cmds}}
}

func start(t testing.TB, x *Executor, a executor.Attempt) {
	t.Helper()
	if err := x.Start(t.Context(), a); err != nil {
		t.Fatalf("Start: %v", err)
	}
}

// next returns the next event in a phase.
func next(t testing.TB, x *Executor, phase dag.AttemptPhase) dag.AttemptEvent {
	t.Helper()
	e, err := nextEvent(t.Context(), x, phase)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func nextEvent(ctx context.Context, x *Executor, phase dag.AttemptPhase) (dag.AttemptEvent, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		select {
		case e := <-x.Events():
			if e.Phase == phase {
				return e, nil
			}
		case <-ctx.Done():
			return dag.AttemptEvent{}, fmt.Errorf("no event %q: %w", phase, ctx.Err())
		}
	}
}
