package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// place is a folder with a supervisor, and a log for each id.
type place struct {
	t   *testing.T
	dir string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	return &place{t, t.TempDir()}
}

// listener gathers what a client receives.
type listener struct {
	mu      sync.Mutex
	list    []Status
	ended   map[string]Status
	changed chan struct{}
	times   int // of Connected
}

func (l *listener) Connected(list []Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list, l.times = list, l.times+1
	for _, s := range list {
		if s.End != nil {
			l.ended[s.ID] = s
		}
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *listener) Ended(s Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended[s.ID] = s
	close(l.changed)
	l.changed = make(chan struct{})
}

// await returns the end of an id.
func (l *listener) await(t *testing.T, id string) End {
	t.Helper()
	limit := time.After(patience)
	for {
		l.mu.Lock()
		s, ok := l.ended[id]
		changed := l.changed
		l.mu.Unlock()
		if ok {
			return *s.End
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("no end of %s", id)
		}
	}
}

func (p *place) dial() (*Client, *listener) {
	p.t.Helper()
	l := &listener{ended: map[string]Status{}, changed: make(chan struct{})}
	c, err := Dial(p.t.Context(), p.dir, l)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(c.Close)
	return c, l
}

func (p *place) spec(id, script string) Spec {
	p.t.Helper()
	log := filepath.Join(p.dir, id+".log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return Spec{
		ID: id, Argv: []string{"/bin/sh", "-c", script}, Dir: p.dir, Log: log,
		Env: []string{"PATH=" + os.Getenv("PATH")},
	}
}

func (p *place) start(c *Client, id, script string) Status {
	p.t.Helper()
	s, err := c.Start(p.t.Context(), p.spec(id, script))
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func (p *place) log(id string) string {
	p.t.Helper()
	b, err := os.ReadFile(filepath.Join(p.dir, id+".log"))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

// awaitFile returns the content of a file as soon as it ends with a newline.
func (p *place) awaitFile(name string) string {
	p.t.Helper()
	for limit := time.Now().Add(patience); time.Now().Before(limit); time.Sleep(2 * time.Millisecond) {
		if b, err := os.ReadFile(filepath.Join(p.dir, name)); err == nil && strings.HasSuffix(string(b), "\n") {
			return strings.TrimSpace(string(b))
		}
	}
	p.t.Fatalf("no file %s", name)
	return ""
}

func alive(t *testing.T, pid string) bool {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	fields := statOf(n)
	return len(fields) > 0 && fields[0] != "Z" && fields[0] != "X"
}

func TestOutputAndExit(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c, l := p.dial()
	for id, test := range map[string]struct {
		script, log string
		code        int
	}{
		"out and err": {"echo out; echo err >&2; exit 3", "out\nerr\n", 3},
		"dev stderr": {"echo 1; echo 2 > /dev/stderr; echo 3 | tee /dev/stderr; echo 4 > /dev/stdout; echo 5",
			"1\n2\n3\n3\n4\n5\n", 0},
		"killed":        {"echo x; kill -KILL $$", "x\n", 137},
		"no last line":  {"printf x", "x", 0},
		"holds the end": {"sleep 60 & echo over", "over\n", 0},
	} {
		p.start(c, id, test.script)
		if end := l.await(t, id); end.ExitCode != test.code || end.Lost || end.At.IsZero() {
			t.Errorf("%s ended as %+v", id, end)
		}
		if got := p.log(id); got != test.log {
			// tee writes its two outputs in any order
			t.Errorf("%s: the log is %q, want %q", id, got, test.log)
		}
	}
}

// TestInheritedDescriptors keeps what dagwright was started with, such as the lock of a
// script, from the supervisor and from tasks.
func TestInheritedDescriptors(t *testing.T) {
	t.Parallel()
	held, err := os.Create(filepath.Join(t.TempDir(), "held.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	fd, err := syscall.Dup(int(held.Fd())) // which is passed on, unlike Go's own
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	p := newPlace(t)
	c, l := p.dial()
	p.start(c, "a", "ls -l /proc/$$/fd; echo; ls -l /proc/$PPID/fd")
	l.await(t, "a")
	own, supervisor, ok := strings.Cut(p.log("a"), "\n\n")
	if !ok || !strings.Contains(supervisor, lockName) {
		t.Fatalf("descriptors of task and supervisor: %s", p.log("a"))
	}
	if strings.Contains(own, "held.lock") || strings.Contains(supervisor, "held.lock") {
		t.Errorf("what dagwright was started with was passed on:\n%s\n%s", own, supervisor)
	}
	if n := strings.Count(own, " -> "); n != 3 {
		t.Errorf("the task has %d descriptors, want 3:\n%s", n, own)
	}
}

// escapes are ways in which a child leaves the process group, the session or
// the sight of its parent.
var escapes = map[string]string{
	"background":  `sh -c 'echo $$ > "$1"; exec sleep 600' sh "$FILE" &`,
	"setsid":      `setsid sh -c 'echo $$ > "$1"; exec sleep 600' sh "$FILE" &`,
	"nohup":       `nohup sh -c 'echo $$ > "$1"; exec sleep 600' sh "$FILE" > /dev/null 2>&1 &`,
	"double fork": `(setsid sh -c '(sh -c "echo \$\$ > \"\$1\"; exec sleep 600" sh "$1" &)' sh "$FILE" &)`,
	"clean env":   `(env -i /usr/bin/setsid /bin/sh -c '(cd /; exec < /dev/null > /dev/null 2>&1; trap "" TERM HUP; /bin/sh -c "echo \$\$ > \"\$1\"; exec /bin/sleep 600" sh "$1" &)' sh "$FILE" &)`,
}

func TestNothingOutlivesItsTask(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c, l := p.dial()
	p.start(c, "neighbour", `(setsid sh -c 'echo $$ > neighbour.pid; exec sleep 600' &) ; sleep 600`)
	neighbour := p.awaitFile("neighbour.pid")
	for name, escape := range escapes {
		for _, ending := range []string{"by itself", "stopped", "killed"} {
			id := name + " " + ending
			script := fmt.Sprintf("FILE='%s/%s.pid'\n%s\n", p.dir, id, escape) +
				`while ! [ -s "$FILE" ]; do sleep 0.01; done; echo ready > "$FILE.ready"` + "\n"
			if ending != "by itself" {
				script += "sleep 600"
			}
			s := p.start(c, id, script)
			pid := p.awaitFile(id + ".pid")
			p.awaitFile(id + ".pid.ready")
			var err error
			switch ending {
			case "stopped":
				err = c.Stop(t.Context(), id, time.Now().Add(patience))
			case "killed":
				err = syscall.Kill(s.PID, syscall.SIGKILL)
			}
			if err != nil {
				t.Fatal(err)
			}
			l.await(t, id)
			if alive(t, pid) {
				t.Errorf("%s: the child lives on after the end", id)
			}
		}
	}
	if !alive(t, neighbour) {
		t.Error("a child of another task was killed")
	}
	if err := c.Stop(t.Context(), "neighbour", time.Now()); err != nil {
		t.Fatal(err)
	}
	if end := l.await(t, "neighbour"); end.ExitCode != 137 {
		t.Errorf("stopped without grace it ended as %+v", end)
	}
	if alive(t, neighbour) {
		t.Error("the neighbour's child lives on")
	}
}

// TestHiddenChild lowers the mark of a child, which then belongs to nobody: it
// is ended when nothing runs.
func TestHiddenChild(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c, l := p.dial()
	p.start(c, "hides", `python3 -c '
import os, resource
if os.fork() == 0:
    os.setsid()
    resource.prlimit(0, 10, (5, 5))
    if os.fork() == 0:
        open("hidden.pid", "w").write(str(os.getpid()) + "\n")
        os.execvp("sleep", ["sleep", "600"])
    os._exit(0)
'; while ! [ -s hidden.pid ]; do sleep 0.01; done`)
	pid := p.awaitFile("hidden.pid")
	l.await(t, "hides")
	for limit := time.Now().Add(patience); alive(t, pid); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("the child lives on")
		}
	}
}

func TestStartIsOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c, l := p.dial()
	spec := p.spec("once", "echo run >> marks")
	for range 3 {
		if _, err := c.Start(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	l.await(t, "once")
	s, err := c.Start(t.Context(), spec)
	if err != nil || s.End == nil {
		t.Errorf("started after the end: %+v, %v", s, err)
	}
	if got := p.awaitFile("marks"); got != "run" {
		t.Errorf("it ran as %q", got)
	}
	if err := c.Forget(t.Context(), "once"); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(spec.Log, 0o400); err != nil {
		t.Fatal(err)
	}
	var fault *StartError
	if _, err := c.Start(t.Context(), spec); !errors.As(err, &fault) || fault.Step != StepSealed {
		t.Errorf("started with a sealed log: %v", err)
	}
}

func TestStartFaults(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c, _ := p.dial()
	for name, test := range map[string]struct {
		change func(*Spec)
		step   Step
		errno  syscall.Errno
	}{
		"no program":  {func(s *Spec) { s.Argv[0] = "/nowhere/sh" }, StepRun, syscall.ENOENT},
		"no folder":   {func(s *Spec) { s.Dir = "/nowhere" }, StepRun, syscall.ENOENT},
		"a folder":    {func(s *Spec) { s.Argv[0] = "/etc" }, StepRun, syscall.EACCES},
		"too long":    {func(s *Spec) { s.Env = append(s.Env, "A="+strings.Repeat("x", 200_000)) }, StepRun, syscall.E2BIG},
		"no log file": {func(s *Spec) { s.Log += "x" }, StepLog, syscall.ENOENT},
	} {
		spec := p.spec("fault", "true")
		test.change(&spec)
		var fault *StartError
		_, err := c.Start(t.Context(), spec)
		if !errors.As(err, &fault) || fault.Step != test.step || !errors.Is(err, test.errno) {
			t.Errorf("%s: %v, %+v", name, err, fault)
		}
	}
}

// TestSupervisorKilled kills the supervisor: what ran is lost, also what had
// left its session, and the client goes on with a new one.
func TestSupervisorKilled(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c, l := p.dial()
	p.start(c, "ended", "exit 4")
	l.await(t, "ended")
	p.start(c, "lost", escapesTo("left.pid")+"sleep 600")
	pid := p.awaitFile("left.pid")
	p.kill()
	if end := l.await(t, "lost"); !end.Lost {
		t.Errorf("it ended as %+v", end)
	}
	if alive(t, pid) {
		t.Error("the child lives on")
	}
	if end := l.await(t, "ended"); end.ExitCode != 4 || end.Lost {
		t.Errorf("what had ended is reported as %+v", end)
	}
	p.start(c, "next", "echo works")
	l.await(t, "next")
	if got := p.log("next"); got != "works\n" {
		t.Errorf("the log is %q", got)
	}
}

func escapesTo(file string) string {
	return "FILE=" + file + "\n" + strings.ReplaceAll(escapes["clean env"], "cd /;", "") + "\n"
}

// kill ends the supervisor of the place.
func (p *place) kill() {
	p.t.Helper()
	if err := syscall.Kill(p.supervisor(), syscall.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
}

// supervisor finds the supervisor by its command line.
func (p *place) supervisor() int {
	p.t.Helper()
	for _, pid := range processes() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.HasPrefix(string(b), processName+"\x00"+p.dir+"\x00") {
			return pid
		}
	}
	p.t.Fatal("there is no supervisor")
	return 0
}

// TestAdopted leaves a process and comes back, while it runs and when it has
// ended.
func TestAdopted(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c, _ := p.dial()
	p.start(c, "goes on", `echo begun; while ! [ -e go ]; do sleep 0.01; done; echo over; exit 5`)
	// What ends the session of its dagwright, such as a terminal that hangs up, is not for it.
	const session = 3 // the field, after the command's name
	pid := p.supervisor()
	if fields := statOf(pid); len(fields) <= session || fields[session] != strconv.Itoa(pid) {
		t.Errorf("supervisor %d has no session of its own: %v", pid, fields)
	}
	c.Close()
	c, l := p.dial()
	if len(l.list) != 1 || l.list[0].ID != "goes on" || l.list[0].End != nil {
		t.Errorf("the list is %+v", l.list)
	}
	c.Close()
	if err := os.WriteFile(filepath.Join(p.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// The supervisor leaves when it has noted the end.
	for limit := time.Now().Add(patience); p.has(socketName); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("the supervisor does not end")
		}
	}
	c, l = p.dial()
	if end := l.await(t, "goes on"); end.ExitCode != 5 || end.Lost {
		t.Errorf("it ended as %+v", end)
	}
	if got := p.log("goes on"); got != "begun\nover\n" {
		t.Errorf("the log is %q", got)
	}
	if err := c.Forget(t.Context(), "goes on"); err != nil {
		t.Error(err)
	}
	c.Close()
	if _, l = p.dial(); len(l.list) != 0 {
		t.Errorf("after Forget the list is %+v", l.list)
	}
}

func (p *place) has(name string) bool {
	_, err := os.Stat(filepath.Join(p.dir, name))
	return err == nil
}

// TestHandOver replaces the program of the supervisor while a process writes.
func TestHandOver(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c, l := p.dial()
	const lines = 3000
	s := p.start(c, "writes", fmt.Sprintf(`i=0; while [ $i -lt %d ]; do echo "line $i"; i=$((i+1)); done; exit 6`, lines))
	p.start(c, "waits", "while ! [ -e go ]; do sleep 0.01; done")
	p.start(c, "ended", "exit 7")
	l.await(t, "ended")
	before := p.supervisor()
	for range 3 {
		p.handOver(c)
		again := Spec{ID: "writes", Argv: []string{"/bin/false"}, Log: filepath.Join(p.dir, "writes.log")}
		if got, err := c.Start(t.Context(), again); err != nil || got.PID != s.PID {
			t.Errorf("it is not known any more: %+v, %v", got, err)
		}
		if after := p.handedOver(); after != before {
			t.Fatalf("the supervisor was process %d and is %d", before, after)
		}
	}
	if end := l.await(t, "writes"); end.ExitCode != 6 || end.Lost {
		t.Errorf("it ended as %+v", end)
	}
	var want strings.Builder
	for i := range lines {
		fmt.Fprintf(&want, "line %d\n", i)
	}
	if p.log("writes") != want.String() {
		t.Error("the log is not whole")
	}
	if err := os.WriteFile(filepath.Join(p.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if end := l.await(t, "waits"); end.ExitCode != 0 || end.Lost {
		t.Errorf("it ended as %+v", end)
	}
	if end := l.await(t, "ended"); end.ExitCode != 7 {
		t.Errorf("what had ended is reported as %+v", end)
	}
}

// handedOver is the process of a supervisor that was handed over: its command
// line says so.
func (p *place) handedOver() int {
	p.t.Helper()
	for _, pid := range processes() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && string(b) == processName+"\x00"+p.dir+"\x00" {
			return pid
		}
	}
	p.t.Fatal("no supervisor was handed over")
	return 0
}
