package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"dagwright/dag"
	"dagwright/executor"
)

func TestKilledGroupIsLost(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	x := h.opened(t)
	start(t, x, attemptOf("lost", "sh", "-c", "echo begun; sleep 60"))
	h.awaitLine(t, key("lost"), "begun")
	if err := unix.Kill(-next(t, x, dag.AttemptStarted).PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	assertLost(t, h, next(t, x, dag.AttemptEnded))
}

func TestKilledGroupIsLostWhileClosed(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	x := h.open(t)
	start(t, x, attemptOf("lost", "sh", "-c", "echo begun; sleep 60"))
	h.awaitLine(t, key("lost"), "begun")
	pid := next(t, x, dag.AttemptStarted).PID
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(-pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	assertLost(t, h, endOf(t, h.opened(t)))
}

// TestOrphanIsKilled kills the wrapper alone while nobody watches: the command
// must not go on beside the next try.
func TestOrphanIsKilled(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	x := h.open(t)
	start(t, x, attemptOf("lost", "sh", "-c", `echo $$ > "$0".half; mv "$0".half "$0"; sleep 60`, filepath.Join(h.dir, "pid")))
	wrapper := next(t, x, dag.AttemptStarted).PID
	child := readPID(t, filepath.Join(h.dir, "pid"))
	pidfd, err := unix.PidfdOpen(child, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(wrapper, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Wait4(wrapper, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	assertLost(t, h, endOf(t, h.opened(t)))
	p := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	if n, err := unix.Poll(p, 60_000); n != 1 {
		t.Errorf("the command goes on without its wrapper (%v)", err)
	}
}

// TestStrangerIsLeftAlone gives a claim the pid of a process that is not the
// wrapper, as after a number was used again.
func TestStrangerIsLeftAlone(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	stranger := exec.CommandContext(t.Context(), "sleep", "60")
	stranger.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	x := h.opened(t)
	f, err := x.claims.create(claimName(key("lost")), header{Key: key("lost"), Begun: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(f, "pid %d\n", stranger.Process.Pid)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	assertLost(t, h, endOf(t, x))
	if err := x.Stop(t.Context(), key("lost"), 0); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if err := stranger.Process.Signal(unix.Signal(0)); err != nil {
		t.Errorf("the stranger was killed: %v", err)
	}
	if err := stranger.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := stranger.Wait(); !errors.As(err, &exit) {
		t.Errorf("Wait: %v", err)
	}
}

// TestHalfMadeClaims leaves claims as kills between two steps of a start do.
// None of their commands has run, so Start runs each.
func TestHalfMadeClaims(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"empty":             "",
		"half a key":        `{"key":{"DAG":"chu`,
		"key only":          `{"key":{"DAG":"churn-model","Run":"manual__2026-01-31T03:00:00+00:00","Task":"half","Try":1}}` + "\n",
		"key and half pid":  `{"key":{"DAG":"churn-model","Run":"manual__2026-01-31T03:00:00+00:00","Task":"half","Try":1}}` + "\npid 12",
		"key and half exit": `{"key":{"DAG":"churn-model","Run":"manual__2026-01-31T03:00:00+00:00","Task":"half","Try":1}}` + "\nexit 12",
	} {
		for _, listed := range []bool{true, false} {
			t.Run(fmt.Sprint(name, "/listed=", listed), func(t *testing.T) {
				t.Parallel()
				x := newHome(t).opened(t)
				if err := os.WriteFile(x.claims.path(claimName(key("half"))), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				if listed {
					if events, err := x.List(t.Context()); err != nil || len(events) != 0 {
						t.Fatalf("List: %v, %v", events, err)
					}
				}
				start(t, x, attemptOf("half", "sh", "-c", "exit 9"))
				if e := next(t, x, dag.AttemptEnded); e.ExitCode != 9 || e.Lost {
					t.Errorf("ended as %+v", e)
				}
			})
		}
	}
}

// TestHalfMadeClaimHeldByAFork leaves half a claim whose lock is held a moment
// longer, as by a process that was being forked when dagwright was killed. The
// command has not run, so nothing is listed and Start runs it.
func TestHalfMadeClaimHeldByAFork(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"empty":    "",
		"key only": `{"key":{"DAG":"churn-model","Run":"manual__2026-01-31T03:00:00+00:00","Task":"half","Try":1}}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newHome(t).opened(t)
			file := x.claims.path(claimName(key("half")))
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			fork, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := unix.Flock(int(fork.Fd()), unix.LOCK_EX); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(20*time.Millisecond, func() { _ = fork.Close() })
			if events, err := x.List(t.Context()); err != nil || len(events) != 0 {
				t.Fatalf("List: %v, %v", events, err)
			}
			start(t, x, attemptOf("half", "sh", "-c", "exit 9"))
			if e := next(t, x, dag.AttemptEnded); e.ExitCode != 9 || e.Lost {
				t.Errorf("ended as %+v", e)
			}
		})
	}
}

// TestForgottenIsNotRunAgain asks for an attempt once more after it was
// forgotten, also after a restart.
func TestForgottenIsNotRunAgain(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	x := h.open(t)
	a := attemptOf("once", "true")
	start(t, x, a)
	next(t, x, dag.AttemptEnded)
	if err := x.Forget(t.Context(), a.Key); err != nil {
		t.Fatal(err)
	}
	if err := x.Start(t.Context(), a); !errors.Is(err, dag.ErrInvalid) {
		t.Errorf("Start after Forget: %v, want dag.ErrInvalid", err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = h.opened(t)
	if err := x.Start(t.Context(), a); !errors.Is(err, dag.ErrInvalid) {
		t.Errorf("Start after Forget and a restart: %v, want dag.ErrInvalid", err)
	}
	left, err := filepath.Glob(filepath.Join(h.dir, "state", "*"))
	if diff := cmp.Diff([]string{filepath.Join(h.dir, "state", "work")}, left); diff != "" || err != nil {
		t.Errorf("left in the state folder (-want +got):\n%s%v", diff, err)
	}
}

// TestLeftChildrenAreEnded starts a child that the command leaves behind.
func TestLeftChildrenAreEnded(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	x := h.opened(t)
	file := filepath.Join(h.dir, "pid")
	start(t, x, attemptOf("leaves", "sh", "-c", `sleep 60 & echo $! > "$0"`, file))
	if e := next(t, x, dag.AttemptEnded); !e.Succeeded() {
		t.Errorf("ended as %+v", e)
	}
	pidfd, err := unix.PidfdOpen(readPID(t, file), 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	p := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	if n, err := unix.Poll(p, 60_000); n != 1 {
		t.Errorf("the child is still there (%v)", err)
	}
}

// TestNoPidfd follows an attempt as on a kernel without pidfd.
func TestNoPidfd(t *testing.T) {
	t.Parallel()
	x := newHome(t).opened(t)
	a := attemptOf("old-kernel", "sh", "-c", "exit 6")
	got, mine, err := x.reserve(a.Key, claimName(a.Key))
	if err != nil || !mine {
		t.Fatal(mine, err)
	}
	f, err := x.claims.create(got.name, header{Key: a.Key})
	if err != nil {
		t.Fatal(err)
	}
	log, err := x.config.Logs.File(a.Key)
	if err != nil {
		t.Fatal(err)
	}
	cmd, _, err := newCommand(x.shell, t.TempDir(), a.Task.Cmds, systemPath)
	if err != nil {
		t.Fatal(err)
	}
	pid, pidfd, err := x.fork(cmd, log, f)
	if err = errors.Join(err, pidfd.Close(), f.Close(), log.Close()); err != nil {
		t.Fatal(err)
	}
	got.forked = true
	got.known(pid, nil)
	x.settle(got, nil)
	x.spawn(func() { x.watch(got, true) })
	if e := next(t, x, dag.AttemptEnded); e.ExitCode != 6 || e.Lost {
		t.Errorf("ended as %+v", e)
	}
}

func TestWorkdir(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	folder := t.TempDir()
	var fault error
	x, err := Open(Config{
		StateDir: filepath.Join(h.dir, "state"), Logs: h.logs, Env: systemPath,
		Workdir: func(context.Context, executor.Attempt) (string, []dag.EnvVar, error) {
			return folder, []dag.EnvVar{{Name: "OUTPUT_DIR", Value: "/out"}, {Name: "WHO", Value: "workdir"}}, fault
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := os.WriteFile(filepath.Join(folder, "main.sh"), []byte("#!/bin/sh\n"+`echo "$(pwd -P) $OUTPUT_DIR $WHO"`+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	a := attemptOf("work", "./main.sh")
	a.Env = []dag.EnvVar{{Name: "WHO", Value: "attempt"}}
	start(t, x, a)
	next(t, x, dag.AttemptEnded)
	if text, _ := h.log(t, a.Key); text != folder+" /out attempt\n" {
		t.Errorf("the log is %q", text)
	}
	fault = fmt.Errorf("commit is gone: %w", dag.ErrInvalid)
	if err := x.Start(t.Context(), attemptOf("bad", "./main.sh")); !errors.Is(err, dag.ErrInvalid) {
		t.Errorf("Start: %v, want dag.ErrInvalid", err)
	}
	fault = errors.New("network is down")
	err = x.Start(t.Context(), attemptOf("bad", "./main.sh"))
	if err == nil || errors.Is(err, dag.ErrInvalid) {
		t.Errorf("Start: %v, want an error that may heal", err)
	}
	fault = nil
	start(t, x, attemptOf("bad", "./main.sh"))
	if e := next(t, x, dag.AttemptEnded); !e.Succeeded() {
		t.Errorf("after healing it ended as %+v", e)
	}
}

func assertLost(t *testing.T, h *home, e dag.AttemptEvent) {
	t.Helper()
	if e.Phase != dag.AttemptEnded || !e.Lost || e.Stopped || e.Reason == "" {
		t.Errorf("reported as %+v, want Lost", e)
	}
	if text, sealed := h.log(t, key("lost")); !sealed || !strings.Contains(text, "dagwright: process vanished") {
		t.Errorf("the log is %q, sealed %v", text, sealed)
	}
}

// endOf is the end of the one attempt that List knows. A fork of a test beside
// this one may hold a copy of the lock for a moment; then the end comes after
// List.
func endOf(t *testing.T, x *Executor) dag.AttemptEvent {
	t.Helper()
	events, err := x.List(t.Context())
	if err != nil || len(events) != 1 {
		t.Fatalf("List: %v, %v", events, err)
	}
	if events[0].Phase == dag.AttemptEnded {
		return events[0]
	}
	return next(t, x, dag.AttemptEnded)
}

// readPID reads a process number as soon as a script has written it.
func readPID(t *testing.T, file string) int {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		var pid int
		if b, err := os.ReadFile(file); err == nil {
			if _, err := fmt.Sscan(string(b), &pid); err == nil {
				return pid
			}
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("no process number was written")
		}
	}
}
