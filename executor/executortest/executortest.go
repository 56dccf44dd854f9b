// Package executortest is the conformance suite of the executor contract. An
// executor's own test hands Run a way to open it; what the suite asks for is
// what the scheduler relies on: nothing lost, nothing run twice, logs complete
// before the end is reported, and all of it across restarts.
package executortest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/executor"
)

// Harness is an executor under test and what the suite needs around it.
type Harness struct {
	// Executor is open and nobody has called List on it.
	Executor executor.Executor
	// Reopen opens an executor on the same state after the old one was closed.
	// The suite closes what it opened.
	Reopen func(t *testing.T) executor.Executor
	// Log returns the whole output of an attempt in its log, and whether the log
	// is sealed. What an executor itself adds, such as timestamps, is left out.
	Log func(t *testing.T, key dag.AttemptKey) (text string, sealed bool)
	// Notes returns the lines of the log that the executor wrote itself; nil
	// where they stand in the output.
	Notes func(t *testing.T, key dag.AttemptKey) string
	// Prepare completes an attempt that the suite has made, with an image for
	// instance; nil where there is nothing to complete.
	Prepare func(*executor.Attempt)
	// Shell gives the cmds that run a script in a POSIX sh where attempts run,
	// with the usual tools (cat, env, sleep) in its PATH.
	Shell func(script string) []string
	// Shared is a folder that attempts see under this path and in which the
	// test reads and writes files.
	Shared string
	// MaxLog is the most in bytes that the log of an attempt holds, between 64 KiB
	// and 4 MiB.
	MaxLog int64
	// GivenEnv holds the names of variables that the executor adds to every
	// attempt.
	GivenEnv []string
}

// wait is how long the suite waits for what must happen; only a fault uses it
// up.
const wait = 5 * time.Minute

// Run runs the suite. open is called for each test and cleans up by itself.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"exit codes", testExitCodes},
		{"environment as given", testEnvironment},
		{"arguments as given", testArguments},
		{"log complete before the end", testLogComplete},
		{"log within its limit", testLogLimit},
		{"flood stopped", testStopFlood},
		{"no command", testNoCommand},
		{"command not found", testCommandNotFound},
		{"started twice runs once", testStartTwice},
		{"stop reaches children", testStopChildren},
		{"stop by force after grace", testStopByForce},
		{"stop without grace", testStopWithoutGrace},
		{"stop of the unknown and the ended", testStopUnknown},
		{"adopted after a restart", testAdopted},
		{"ended while closed", testEndedWhileClosed},
		{"stopped after a restart", testStopAfterRestart},
		{"odd names", testOddNames},
		{"forget", testForget},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			runCase(t, open, test.run)
		})
	}
	// Alone, before those above go on: a hundred at once leave nothing over for them.
	t.Run("a hundred at once", func(t *testing.T) { runCase(t, open, testConcurrency) })
}

// RunStopKept runs the case of an executor that carries a stop out by itself while it is
// closed. Others are asked again by the scheduler, whose store keeps the wish.
func RunStopKept(t *testing.T, open func(t *testing.T) Harness) {
	t.Run("restarted after a stop's deadline", func(t *testing.T) {
		t.Parallel()
		runCase(t, open, testRestartAfterDeadline)
	})
}

func runCase(t *testing.T, open func(t *testing.T) Harness, run func(*testing.T, *suite)) {
	t.Helper()
	h := open(t)
	s := &suite{Harness: h}
	s.use(t, h.Executor)
	defer func() { s.close(t) }()
	run(t, s)
}

// suite is one test's executor, with its events gathered by attempt.
type suite struct {
	Harness
	x      executor.Executor
	listed []dag.AttemptEvent // by List when x was opened

	gathered chan struct{} // closed when x's channel is
	mu       sync.Mutex
	events   map[dag.AttemptKey][]dag.AttemptEvent
	changed  chan struct{} // closed and renewed at each event
}

// use opens the gathering on an executor, as the scheduler does: List first.
func (s *suite) use(t *testing.T, x executor.Executor) {
	t.Helper()
	s.x, s.gathered = x, make(chan struct{})
	s.events, s.changed = map[dag.AttemptKey][]dag.AttemptEvent{}, make(chan struct{})
	go func(done chan struct{}) {
		defer close(done)
		for e := range x.Events() {
			s.mu.Lock()
			s.events[e.Key] = append(s.events[e.Key], e)
			close(s.changed)
			s.changed = make(chan struct{})
			s.mu.Unlock()
		}
	}(s.gathered)
	listed, err := x.List(t.Context())
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	s.listed = listed
}

// close closes the executor and waits for the end of its events.
func (s *suite) close(t *testing.T) {
	t.Helper()
	if s.x == nil {
		return
	}
	if err := s.x.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	<-s.gathered
	s.x = nil
}

func (s *suite) restart(t *testing.T) {
	t.Helper()
	s.close(t)
	s.use(t, s.Reopen(t))
}

func (s *suite) start(t *testing.T, a executor.Attempt) {
	t.Helper()
	if err := s.x.Start(t.Context(), a); err != nil {
		t.Fatalf("Start: %v", err)
	}
}

// await returns the first event of an attempt in a phase.
func (s *suite) await(t *testing.T, key dag.AttemptKey, phase dag.AttemptPhase) dag.AttemptEvent {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	for {
		s.mu.Lock()
		changed, events := s.changed, s.events[key]
		s.mu.Unlock()
		for _, e := range events {
			if e.Phase == phase {
				return e
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("no event %q of %v; there are %v", phase, key, events)
		}
	}
}

// awaitLine waits for a line of the log: the signal that a script has come to
// a point.
func (s *suite) awaitLine(t *testing.T, key dag.AttemptKey, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		text, _ := s.Log(t, key)
		if slices.Contains(strings.Split(text, "\n"), line) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("no line %q in the log:\n%s", line, text)
		}
	}
}

// notes returns what the executor wrote itself into a log, if not more.
func (s *suite) notes(t *testing.T, key dag.AttemptKey) string {
	t.Helper()
	if s.Notes != nil {
		return s.Notes(t, key)
	}
	text, _ := s.Log(t, key)
	return text
}

// awaitNote waits for what the executor says in a log.
func (s *suite) awaitNote(t *testing.T, key dag.AttemptKey, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(s.notes(t, key), text) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the log does not say %q", text)
		}
	}
}

// awaitFile waits for a file: the signal where nobody reads the output.
func (s *suite) awaitFile(t *testing.T, file string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(file); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("no file %s", file)
		}
	}
}

// script makes an attempt that runs a shell script.
func (s *suite) script(task, script string) executor.Attempt {
	a := executor.Attempt{
		Key:  dag.AttemptKey{DAG: "churn-model", Run: "manual__2026-01-31T03:00:00+00:00", Task: dag.TaskID(task), Try: 1},
		Task: dag.Task{ID: dag.TaskID(task), Cmds: s.Shell(script)},
	}
	if s.Prepare != nil {
		s.Prepare(&a)
	}
	return a
}

// listedOf returns the event that List gave for an attempt.
func (s *suite) listedOf(t *testing.T, key dag.AttemptKey) dag.AttemptEvent {
	t.Helper()
	for _, e := range s.listed {
		if e.Key == key {
			return e
		}
	}
	t.Fatalf("List does not know %v; it gave %v", key, s.listed)
	return dag.AttemptEvent{}
}

// envOf reads the output of env, leaving out what the suite must not see.
func envOf(text string, without []string) []string {
	vars := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		name, _, ok := strings.Cut(line, "=")
		// Where sh is bash it sets "_" for every command.
		if ok && name != "_" && !slices.Contains(without, name) {
			vars[line] = true
		}
	}
	return slices.Sorted(maps.Keys(vars))
}

func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}
