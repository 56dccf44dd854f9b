package executortest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
)

// stubborn is a script whose child appends to the file $0 again and again, so
// that the file tells whether the child still lives.
const stubborn = `sh -c 'echo child ready; while :; do sleep 0.05; echo child >> "$1"; done' sh "$0" & echo ready; wait`

// assertSilent fails if somebody still writes to a file: the children append
// to it every 50 ms.
func assertSilent(t *testing.T, file string) {
	t.Helper()
	size := func() int64 {
		info, err := os.Stat(file)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	before := size()
	select {
	case <-time.After(300 * time.Millisecond):
	case <-t.Context().Done():
	}
	if after := size(); after != before {
		t.Errorf("a child still runs: its file grew from %d to %d bytes", before, after)
	}
}

func testStopChildren(t *testing.T, s *suite) {
	file := filepath.Join(s.Shared, "child")
	a := s.script("stop", stubborn)
	a.Task.Arguments = []string{file}
	s.start(t, a)
	s.awaitLine(t, a.Key, "ready")
	s.awaitLine(t, a.Key, "child ready")
	for range 2 {
		if err := s.x.Stop(t.Context(), a.Key, wait); err != nil {
			t.Fatalf("Stop: %v", err)
		}
	}
	if e := s.await(t, a.Key, dag.AttemptEnded); !e.Stopped || e.Succeeded() || e.Reason.IsZero() {
		t.Errorf("a stopped attempt is reported as %+v", e)
	}
	assertSilent(t, file)
}

func testStopByForce(t *testing.T, s *suite) {
	file := filepath.Join(s.Shared, "child")
	a := s.script("force", `trap '' TERM; `+stubborn)
	a.Task.Arguments = []string{file}
	s.start(t, a)
	s.awaitLine(t, a.Key, "child ready")
	if err := s.x.Stop(t.Context(), a.Key, 100*time.Millisecond); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	if e := s.await(t, a.Key, dag.AttemptEnded); !e.Stopped || e.Lost || e.ExitCode != 137 {
		t.Errorf("an attempt stopped by force is reported as %+v", e)
	}
	assertSilent(t, file)
}

func testStopWithoutGrace(t *testing.T, s *suite) {
	file := filepath.Join(s.Shared, "child")
	a := s.script("no-grace", `trap '' TERM; `+stubborn)
	a.Task.Arguments = []string{file}
	s.start(t, a)
	s.awaitLine(t, a.Key, "child ready")
	if err := s.x.Stop(t.Context(), a.Key, 0); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	if e := s.await(t, a.Key, dag.AttemptEnded); !e.Stopped || e.Lost || e.ExitCode != 137 {
		t.Errorf("an attempt stopped without grace is reported as %+v", e)
	}
	assertSilent(t, file)
}

// testStopFlood stops what writes without an end, after its log was cut.
func testStopFlood(t *testing.T, s *suite) {
	a := s.script("flood", `trap 'exit 9' TERM; while :; do echo `+strings.Repeat("x", 999)+`; done`)
	s.start(t, a)
	s.awaitNote(t, a.Key, "the log is cut here: ")
	if err := s.x.Stop(t.Context(), a.Key, wait); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	if e := s.await(t, a.Key, dag.AttemptEnded); !e.Stopped || e.Lost || e.Succeeded() {
		t.Errorf("a stopped flood is reported as %+v", e)
	}
	if text, sealed := s.Log(t, a.Key); !sealed || int64(len(text)) > s.MaxLog+1000 {
		t.Errorf("its log has %d bytes, sealed %v", len(text), sealed)
	}
}

// testRestartAfterDeadline is away when the grace of a stop runs out.
func testRestartAfterDeadline(t *testing.T, s *suite) {
	const grace = 300 * time.Millisecond
	file := filepath.Join(s.Shared, "child")
	a := s.script("deadline", `trap '' TERM; `+stubborn)
	a.Task.Arguments = []string{file}
	s.start(t, a)
	s.awaitLine(t, a.Key, "child ready")
	if err := s.x.Stop(t.Context(), a.Key, grace); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	deadline := time.After(grace)
	s.close(t)
	<-deadline
	s.use(t, s.Reopen(t))
	e := s.listedOf(t, a.Key)
	if e.Phase != dag.AttemptEnded {
		e = s.await(t, a.Key, dag.AttemptEnded)
	}
	if !e.Stopped || e.Lost || e.ExitCode != 137 {
		t.Errorf("stopped before the restart it ended as %+v", e)
	}
	assertSilent(t, file)
}

func testStopUnknown(t *testing.T, s *suite) {
	a := s.script("ended", "exit 0")
	if err := s.x.Stop(t.Context(), a.Key, 0); err != nil {
		t.Errorf("Stop of an unknown attempt: %v", err)
	}
	s.start(t, a)
	s.await(t, a.Key, dag.AttemptEnded)
	if err := s.x.Stop(t.Context(), a.Key, 0); err != nil {
		t.Errorf("Stop of an ended attempt: %v", err)
	}
	s.restart(t)
	if e := s.listedOf(t, a.Key); !e.Succeeded() {
		t.Errorf("stopped after its end it is listed as %+v", e)
	}
}

func testAdopted(t *testing.T, s *suite) {
	a := s.script("adopted", `echo begun; while ! [ -e "$0" ]; do sleep 0.01; done; echo done; exit 7`)
	file := filepath.Join(s.Shared, "go")
	a.Task.Arguments = []string{file}
	s.start(t, a)
	begun := s.await(t, a.Key, dag.AttemptStarted)
	s.awaitLine(t, a.Key, "begun")
	s.restart(t)
	if e := s.listedOf(t, a.Key); e.Phase != dag.AttemptStarted || !e.At.Equal(begun.At) || e.PID != begun.PID {
		t.Errorf("a running attempt is listed as %+v, began as %+v", e, begun)
	}
	s.start(t, a) // must find it
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if e := s.await(t, a.Key, dag.AttemptEnded); e.ExitCode != 7 || e.Lost || e.Stopped {
		t.Errorf("the adopted attempt ended as %+v", e)
	}
	if text, sealed := s.Log(t, a.Key); !sealed || len(text) < len("begun\ndone\n") || text[:11] != "begun\ndone\n" {
		t.Errorf("the log is %q, sealed %v", text, sealed)
	}
}

func testEndedWhileClosed(t *testing.T, s *suite) {
	file := filepath.Join(s.Shared, "go")
	a := s.script("closed", `echo begun; while ! [ -e "$0" ]; do sleep 0.01; done; echo over; : > "$0.over"; exit 5`)
	a.Task.Arguments = []string{file}
	s.start(t, a)
	s.awaitLine(t, a.Key, "begun")
	s.close(t)
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s.awaitFile(t, file+".over")
	s.use(t, s.Reopen(t))
	e := s.listedOf(t, a.Key)
	if e.Phase == dag.AttemptStarted { // it may need a moment after its last line
		e = s.await(t, a.Key, dag.AttemptEnded)
	}
	if e.Phase != dag.AttemptEnded || e.ExitCode != 5 || e.Lost {
		t.Errorf("an attempt that ended meanwhile is listed as %+v", e)
	}
	if text, sealed := s.Log(t, a.Key); !sealed || !strings.HasPrefix(text, "begun\nover\n") {
		t.Errorf("its log is %q, sealed %v", text, sealed)
	}
}

func testStopAfterRestart(t *testing.T, s *suite) {
	file := filepath.Join(s.Shared, "child")
	asked, later := s.script("asked", `trap '' TERM; `+stubborn), s.script("later", stubborn)
	asked.Task.Arguments, later.Task.Arguments = []string{file}, []string{file}
	s.start(t, asked)
	s.start(t, later)
	s.awaitLine(t, asked.Key, "child ready")
	s.awaitLine(t, later.Key, "child ready")
	// The first is asked before the restart and has grace left after it.
	if err := s.x.Stop(t.Context(), asked.Key, 200*time.Millisecond); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	s.restart(t)
	if err := s.x.Stop(t.Context(), asked.Key, 200*time.Millisecond); err != nil {
		t.Fatalf("Stop again: %v", err)
	}
	if err := s.x.Stop(t.Context(), later.Key, wait); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	for _, a := range []dag.AttemptKey{asked.Key, later.Key} {
		if e := s.await(t, a, dag.AttemptEnded); !e.Stopped || e.Lost {
			t.Errorf("%s ended as %+v", a.Task, e)
		}
	}
	assertSilent(t, file)
}

func testForget(t *testing.T, s *suite) {
	a := s.script("forget", "exit 4")
	if err := s.x.Forget(t.Context(), a.Key); err != nil {
		t.Errorf("Forget of an unknown attempt: %v", err)
	}
	s.start(t, a)
	s.await(t, a.Key, dag.AttemptEnded)
	for range 2 {
		if err := s.x.Forget(t.Context(), a.Key); err != nil {
			t.Errorf("Forget: %v", err)
		}
	}
	if listed, err := s.x.List(t.Context()); err != nil || len(listed) != 0 {
		t.Errorf("List after Forget: %v, %v", listed, err)
	}
	s.restart(t)
	if len(s.listed) != 0 {
		t.Errorf("listed after Forget and a restart: %v", s.listed)
	}
	_, sealed := s.Log(t, a.Key)
	if text := s.notes(t, a.Key); text == "" || !sealed {
		t.Errorf("Forget took the log: %q, sealed %v", text, sealed)
	}
}
