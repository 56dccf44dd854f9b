package process

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/executor"
)

// TestAwayServerIsWaitedFor has a model's repository away for more tries than a start
// has: the attempt waits, says what for, and runs once it is back.
func TestAwayServerIsWaitedFor(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	var tries atomic.Int32
	x, err := Open(Config{
		StateDir: filepath.Join(h.dir, "state"), Logs: h.logs, Env: systemPath,
		Workdir: func(context.Context, executor.Attempt) (Workdir, error) {
			if tries.Add(1) <= maxStartTries {
				return Workdir{}, fmt.Errorf("fetch gbc/x: %w", ErrAway)
			}
			return Workdir{Dir: h.dir}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	start(t, x, attemptOf("a", "true"))
	if e := next(t, x,
		dag.AttemptWaiting); e.Reason.String() != "waits for the model's repository, which cannot be fetched" {
		t.Errorf("it waits as %+v", e)
	}
	if e := next(t, x, dag.AttemptEnded); !e.Succeeded() {
		t.Errorf("ended as %+v", e)
	}
}

// TestAwayServerIsNotWaitedForEver gives an attempt up as lost, so that its own retries
// stay.
func TestAwayServerIsNotWaitedForEver(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	x, err := Open(Config{
		StateDir: filepath.Join(h.dir, "state"), Logs: h.logs, Env: systemPath, AwayPatience: time.Nanosecond,
		Workdir: func(context.Context, executor.Attempt) (Workdir, error) {
			return Workdir{}, fmt.Errorf("fetch gbc/x: %w", ErrAway)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	start(t, x, attemptOf("a", "true"))
	if e := next(t, x, dag.AttemptEnded); !e.Lost ||
		e.Reason.String() != "not started: make working folder: fetch gbc/x: a server is away" {
		t.Errorf("ended as %+v", e)
	}
}

// TestLostSupervisorIsLogged kills a supervisor with two attempts: the log says once
// how many were lost.
func TestLostSupervisorIsLogged(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	var log bytes.Buffer // read after Close
	x, err := Open(Config{
		StateDir: filepath.Join(h.dir, "state"), Logs: h.logs, Env: systemPath,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b", "over"} {
		script := "echo begun; sleep 60"
		if id == "over" {
			script = "true"
		}
		start(t, x, attemptOf(id, "sh", "-c", script))
		if id == "over" {
			next(t, x, dag.AttemptEnded)
			break
		}
		h.awaitLine(t, key(id), "begun")
	}
	h.killSupervisor(t)
	for range 2 {
		if e := next(t, x, dag.AttemptEnded); !e.Lost {
			t.Errorf("ended as %+v", e)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "attempts=2") {
		t.Errorf("the log is %q", text)
	}
}
