package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"dagwright/dag"
	"dagwright/executor"
)

// killSupervisor kills the supervisor of a home.
func (h *home) killSupervisor(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		line, err := os.ReadFile("/proc/" + entry.Name() + "/cmdline")
		if err != nil || !strings.HasPrefix(string(line), "dagwright-supervisor\x00"+h.dir) {
			continue
		}
		var pid int
		if _, err := fmt.Sscan(entry.Name(), &pid); err != nil {
			t.Fatal(err)
		}
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("there is no supervisor")
}

// TestKilledGroup kills an attempt from outside, which ends it as a signal does.
func TestKilledGroup(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	x := h.opened(t)
	start(t, x, attemptOf("killed", "sh", "-c", "echo begun; sleep 60"))
	h.awaitLine(t, key("killed"), "begun")
	if err := unix.Kill(-next(t, x, dag.AttemptStarted).PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if e := next(t, x, dag.AttemptEnded); e.Lost || e.ExitCode != 137 || e.Reason.String() != "killed by SIGKILL" {
		t.Errorf("ended as %+v", e)
	}
}

// TestSupervisorKilled kills the supervisor below a running executor: its
// attempts are lost and nothing of them goes on; the next attempt runs.
func TestSupervisorKilled(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	x := h.opened(t)
	start(t, x, attemptOf("lost", "sh", "-c", `echo $$ > "$0".half; mv "$0".half "$0"; sleep 60`,
		filepath.Join(h.dir, "pid")))
	child := readPID(t, filepath.Join(h.dir, "pid"))
	pidfd := openPidfd(t, child)
	h.killSupervisor(t)
	assertLost(t, h, next(t, x, dag.AttemptEnded))
	assertGone(t, pidfd)
	start(t, x, attemptOf("next", "true"))
	if e := next(t, x, dag.AttemptEnded); !e.Succeeded() {
		t.Errorf("the next attempt ended as %+v", e)
	}
}

// TestSupervisorKilledWhileClosed kills the supervisor while nobody watches:
// the command must not go on beside the next try.
func TestSupervisorKilledWhileClosed(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	x := h.open(t)
	start(t, x, attemptOf("lost", "sh", "-c", `echo $$ > "$0".half; mv "$0".half "$0"; sleep 60`,
		filepath.Join(h.dir, "pid")))
	next(t, x, dag.AttemptStarted)
	pidfd := openPidfd(t, readPID(t, filepath.Join(h.dir, "pid")))
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	h.killSupervisor(t)
	x = h.opened(t)
	events, err := x.List(t.Context())
	if err != nil || len(events) != 1 {
		t.Fatalf("List: %v, %v", events, err)
	}
	assertLost(t, h, events[0])
	assertGone(t, pidfd)
}

// TestUnreadableState gives a state folder whose journal cannot be read: what
// runs must not be taken for lost.
func TestUnreadableState(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	if err := os.MkdirAll(filepath.Join(h.dir, "state", "journal"), 0o700); err != nil {
		t.Fatal(err)
	}
	x, err := Open(Config{StateDir: filepath.Join(h.dir, "state"), Logs: h.logs})
	if err == nil {
		_ = x.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "journal") {
		t.Errorf("Open: %v, want an error about the journal", err)
	}
}

// TestForgottenIsNotRunAgain asks for an attempt once more after it was
// forgotten, also after a restart.
func TestForgottenIsNotRunAgain(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	x := h.open(t)
	a := attemptOf("once", "sh", "-c", `echo run >> "$0"`, filepath.Join(h.dir, "marks"))
	start(t, x, a)
	next(t, x, dag.AttemptEnded)
	if err := x.Forget(t.Context(), a.Key); err != nil {
		t.Fatal(err)
	}
	refused := func() {
		t.Helper()
		start(t, x, a)
		if e := next(t, x, dag.AttemptEnded); e.Succeeded() || e.Lost ||
			!strings.Contains(e.Reason.String(), "has ended before") {
			t.Errorf("started after Forget it ended as %+v", e)
		}
		if err := x.Forget(t.Context(), a.Key); err != nil {
			t.Fatal(err)
		}
	}
	refused()
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = h.opened(t)
	refused()
	if b, err := os.ReadFile(filepath.Join(h.dir, "marks")); err != nil || string(b) != "run\n" {
		t.Errorf("it ran as %q (%v)", b, err)
	}
	left, err := filepath.Glob(filepath.Join(h.dir, "state", "work", "*"))
	if len(left) > 0 || err != nil {
		t.Errorf("left in the state folder: %v %v", left, err)
	}
}

// TestOutputOpenedAnew writes through new descriptors of the output, which
// with a file as output would erase it.
func TestOutputOpenedAnew(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	x := h.opened(t)
	start(t, x, attemptOf("reopens", "sh", "-c",
		`echo one; echo two > /dev/stderr; echo three | tee /dev/stderr > /dev/null
		python3 -c 'open("/dev/stdout", "w").write("four\n")'; echo five`))
	next(t, x, dag.AttemptEnded)
	text, sealed := h.log(t, key("reopens"))
	if diff := cmp.Diff("one\ntwo\nthree\nfour\nfive\n", text); diff != "" || !sealed {
		t.Errorf("the log, sealed %v (-want +got):\n%s", sealed, diff)
	}
}

// TestScarce lets starts fail for lack of something: the attempt waits, says
// what for, and runs when there is enough, or ends when it is stopped.
func TestScarce(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	var short bool
	shortage := make(chan struct{})
	x, err := Open(Config{
		StateDir: filepath.Join(h.dir, "state"), Logs: h.logs, Env: systemPath,
		Workdir: func(_ context.Context, a executor.Attempt) (Workdir, error) {
			select {
			case <-shortage:
				short = false
			default:
				short = true
			}
			if short || a.Task.ID == "stopped" {
				return Workdir{}, &os.PathError{Op: "mkdir", Path: "work", Err: unix.ENOSPC}
			}
			return Workdir{Dir: h.dir}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	start(t, x, attemptOf("waits", "true"))
	if e := next(t, x, dag.AttemptWaiting); e.Reason.String() != "waits for space on dagwright's disk" {
		t.Errorf("it waits as %+v", e)
	}
	close(shortage)
	if e := next(t, x, dag.AttemptEnded); !e.Succeeded() {
		t.Errorf("ended as %+v", e)
	}
	start(t, x, attemptOf("stopped", "true"))
	next(t, x, dag.AttemptWaiting)
	listed, err := x.List(t.Context())
	waiting := 0
	for _, e := range listed {
		if e.Key == key("stopped") && e.Phase == dag.AttemptWaiting {
			waiting++
		}
	}
	if err != nil || waiting != 1 {
		t.Errorf("List: %v, %v", listed, err)
	}
	if err := x.Stop(t.Context(), key("stopped"), time.Hour); err != nil {
		t.Fatal(err)
	}
	if e := next(t, x, dag.AttemptEnded); !e.Stopped || e.Lost ||
		e.Reason.String() != "stopped before its process was started" {
		t.Errorf("ended as %+v", e)
	}
}

// TestSlowWorkdir has a working folder that hangs: other attempts go on, and
// the one that waits can be stopped.
func TestSlowWorkdir(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	x, err := Open(Config{
		StateDir: filepath.Join(h.dir, "state"), Logs: h.logs, Env: systemPath,
		Workdir: func(ctx context.Context, a executor.Attempt) (Workdir, error) {
			if a.Task.ID == "hangs" {
				<-ctx.Done()
				return Workdir{}, ctx.Err()
			}
			return Workdir{Dir: h.dir}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for i := range 50 {
		a := attemptOf("hangs", "true")
		a.Key.Try = i + 1
		start(t, x, a)
	}
	start(t, x, attemptOf("goes on", "true"))
	if e := next(t, x, dag.AttemptEnded); !e.Succeeded() || e.Key.Task != "goes on" {
		t.Errorf("ended as %+v", e)
	}
	if err := x.Stop(t.Context(), key("hangs"), time.Hour); err != nil {
		t.Fatal(err)
	}
	if e := next(t, x, dag.AttemptEnded); !e.Stopped || e.Key.Task != "hangs" {
		t.Errorf("ended as %+v", e)
	}
}

func TestWorkdir(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	folder := t.TempDir()
	fault := make(chan error, 1)
	x, err := Open(Config{
		StateDir: filepath.Join(h.dir, "state"), Logs: h.logs, Env: systemPath,
		Workdir: func(context.Context, executor.Attempt) (Workdir, error) {
			select {
			case err := <-fault:
				return Workdir{}, err
			default:
			}
			env := []dag.EnvVar{{Name: "OUTPUT_DIR", Value: "/out"}, {Name: "WHO", Value: "workdir"}}
			return Workdir{Dir: folder, Env: env, Notes: []string{"a link was left out"}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := os.WriteFile(filepath.Join(folder, "main.sh"),
		[]byte("#!/bin/sh\n"+`echo "$(pwd -P) $OUTPUT_DIR $WHO"`+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	a := attemptOf("work", "./main.sh")
	a.Env = []dag.EnvVar{{Name: "WHO", Value: "attempt"}}
	start(t, x, a)
	next(t, x, dag.AttemptEnded)
	text, _ := h.log(t, a.Key)
	first, rest, _ := strings.Cut(text, "\n")
	if !strings.HasSuffix(first, " dagwright: a link was left out") || rest != folder+" /out attempt\n" {
		t.Errorf("the log is %q", text)
	}
	fault <- fmt.Errorf("commit is gone: %w", dag.ErrInvalid)
	start(t, x, attemptOf("bad", "./main.sh"))
	if e := next(t, x, dag.AttemptEnded); e.ExitCode != 1 || e.Lost ||
		!strings.Contains(e.Reason.String(), "commit is gone") {
		t.Errorf("ended as %+v", e)
	}
	fault <- errors.New("network is down")
	start(t, x, attemptOf("heals", "./main.sh"))
	if e := next(t, x, dag.AttemptEnded); !e.Succeeded() {
		t.Errorf("after healing it ended as %+v", e)
	}
}

// TestRefusedBySystem has commands that are there and cannot be executed.
func TestRefusedBySystem(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	x := h.opened(t)
	for name, test := range map[string]struct {
		text, want string
		code       int
	}{
		"no-interpreter": {"#!/nowhere/python\n", "no-interpreter: no such file or directory", 127},
		"no-shebang":     {"exit 9\n", "exit code 9", 9},
	} {
		file := filepath.Join(h.dir, name)
		if err := os.WriteFile(file, []byte(test.text), 0o755); err != nil {
			t.Fatal(err)
		}
		start(t, x, attemptOf(name, file))
		if e := next(t, x, dag.AttemptEnded); e.ExitCode != test.code || !strings.HasSuffix(e.Reason.String(), test.want) {
			t.Errorf("%s ended as %+v", name, e)
		}
	}
}

func assertLost(t *testing.T, h *home, e dag.AttemptEvent) {
	t.Helper()
	if e.Phase != dag.AttemptEnded || !e.Lost || e.Stopped || e.Reason.IsZero() {
		t.Errorf("reported as %+v, want Lost", e)
	}
	if text, sealed := h.log(t, key("lost")); !sealed || !strings.Contains(text, "dagwright: process vanished") {
		t.Errorf("the log is %q, sealed %v", text, sealed)
	}
}

func openPidfd(t *testing.T, pid int) int {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func assertGone(t *testing.T, pidfd int) {
	t.Helper()
	p := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	if n, err := unix.Poll(p, 60_000); n != 1 {
		t.Errorf("the process goes on (%v)", err)
	}
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
