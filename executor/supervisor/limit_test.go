package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dagwright/tasklog/limit"
)

const cutMark = "dagwright: the log is cut here: "

// limited is a spec whose log holds a MiB.
func (p *place) limited(id, script string) Spec {
	p.t.Helper()
	s := p.spec(id, script)
	s.Limits = limit.Limits{MaxBytes: 1 << 20}
	return s
}

// TestLogIsCut writes 10 MB where the log holds a MiB: it is cut with a mark,
// and the process goes on to its own end.
func TestLogIsCut(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c, l := p.dial()
	if _, err := c.Start(t.Context(),
		p.limited("large", "yes 123456789 | head -n 1000000; echo over > last; exit 5")); err != nil {
		t.Fatal(err)
	}
	if end := l.await(t, "large"); end.ExitCode != 5 || end.Lost {
		t.Errorf("it ended as %+v", end)
	}
	if got := p.awaitFile("last"); got != "over" {
		t.Errorf("it has written %q", got)
	}
	text := p.log("large")
	output, rest, _ := strings.Cut(text, "\n2") // the year of the first line of dagwright's own
	if len(output) != 1<<20 || strings.Count(rest, cutMark) != 1 {
		t.Errorf("the log has %d bytes of output and ends with %q", len(output), rest)
	}
	if want := fmt.Sprintf("dagwright: %d bytes of output were dropped\n",
		10_000_000-1<<20); !strings.HasSuffix(text, want) {
		t.Errorf("the log ends with %q, want %q", rest, want)
	}
}

// TestFloodIsCut cuts what writes without an end while nobody is connected,
// after a hand-over, and once; it is stopped in the middle of it.
func TestFloodIsCut(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c, _ := p.dial()
	flood := p.limited("flood", "while ! [ -e go ]; do sleep 0.01; done; exec yes")
	if _, err := c.Start(t.Context(), flood); err != nil {
		t.Fatal(err)
	}
	p.handOver(c)
	c.Close()
	if err := os.WriteFile(filepath.Join(p.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(patience); !strings.Contains(p.log("flood"), cutMark); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("the log is not cut")
		}
	}
	c, l := p.dial()
	p.handOver(c)
	if err := c.Stop(t.Context(), "flood", time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if end := l.await(t, "flood"); end.ExitCode != 143 || end.Lost {
		t.Errorf("it ended as %+v", end)
	}
	text := p.log("flood")
	if strings.Count(text, cutMark) != 1 || strings.Count(text, " bytes of output were dropped\n") != 1 {
		t.Errorf("dagwright says\n%s", text[min(len(text), 1<<20):])
	}
	if most := 1<<20 + 1000; len(text) > most {
		t.Errorf("the log has %d bytes, want %d at most", len(text), most)
	}
}

// handOver makes the supervisor execute this program again.
func (p *place) handOver(c *Client) {
	p.t.Helper()
	link, err := c.await(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	r := request{Op: opHandOver, Build: fmt.Sprintf("/proc/%d/exe", os.Getpid())}
	if _, err := link.call(p.t.Context(), r); !errors.Is(err, errLost) {
		p.t.Fatalf("the supervisor keeps its program: %v", err)
	}
}

// TestDeadlineOutlivesHandOver hands over between a stop and its deadline, and
// once that is past.
func TestDeadlineOutlivesHandOver(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c, l := p.dial()
	p.start(c, "deaf", "trap '' TERM; echo ready > deaf; while :; do sleep 0.01; done")
	p.awaitFile("deaf")
	if err := c.Stop(t.Context(), "deaf", time.Now().Add(200*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	p.handOver(c)
	if end := l.await(t, "deaf"); end.ExitCode != 137 || end.Lost {
		t.Errorf("it ended as %+v", end)
	}
}

// TestUmask gives a process the umask that is asked for, and the usual one.
func TestUmask(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c, l := p.dial()
	for id, test := range map[string]struct {
		umask int
		want  string
	}{
		"usual": {0, "0022\n"},
		"own":   {0o027, "0027\n"},
	} {
		spec := p.spec(id, "umask")
		spec.Umask = test.umask
		if _, err := c.Start(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		l.await(t, id)
		if got := p.log(id); got != test.want {
			t.Errorf("%s: the umask is %q, want %q", id, got, test.want)
		}
	}
}

// TestJournalOnAFullDisk notes an end where the journal cannot be written: the
// supervisor starts nothing new and does not leave until it is.
func TestJournalOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newServer(dir)
	var err error
	if s.journal, err = openJournal(dir, s.replay); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.started = true
	ran := newTask(Spec{ID: "ran"}, 7)
	s.tasks["ran"] = ran
	// Something else runs: else what belongs to nobody were killed, and the
	// supervisors of other tests are children of this process.
	s.tasks["runs"] = newTask(Spec{ID: "runs"}, 6)
	s.note(entry{Op: opStart, ID: "ran", Tag: 7})
	good := s.journal.file
	if s.journal.file, err = os.OpenFile("/dev/full", os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	s.mu.Unlock()
	// The process was reaped.
	ran.exited, ran.exitCode = true, 3
	s.finish(ran)
	s.mu.Lock()
	if ran.End == nil || ran.End.ExitCode != 3 || len(s.unwritten) != 1 {
		t.Errorf("it ended as %+v, %d lines are to be written", ran.End, len(s.unwritten))
	}
	delete(s.tasks, "runs")
	s.leaveIfIdle()
	s.mu.Unlock()
	_, fault := s.start(Spec{ID: "next", Argv: []string{"/bin/true"}}, func() bool { return true })
	if fault == nil || fault.Step != StepJournal {
		t.Errorf("started without a journal: %v", fault)
	}
	select {
	case <-s.done:
		t.Error("the supervisor leaves, and the end is lost")
	default:
	}
	s.mu.Lock()
	s.journal.file = good
	s.mu.Unlock()
	select {
	case <-s.done: // it leaves when all is written
	case <-time.After(patience):
		t.Fatal("the journal is not written again")
	}
	again := newServer(dir)
	if _, err := openJournal(dir, again.replay); err != nil {
		t.Fatal(err)
	}
	if got := again.tasks["ran"]; got == nil || got.End == nil || got.End.ExitCode != 3 {
		t.Errorf("the journal has %+v", got)
	}
	if again.tasks["next"] != nil {
		t.Error("the journal has what was not started")
	}
}
