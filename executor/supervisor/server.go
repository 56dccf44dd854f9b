package supervisor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	// processName is argv[0] of a supervisor.
	processName = "dagwright-supervisor"
	socketName  = "supervisor.sock"
	lockName    = "supervisor.lock"
	// readyFD is where a new supervisor says that it listens, or what is wrong.
	readyFD = 3
	// firstClient is how long a new supervisor waits for its first client.
	firstClient = 30 * time.Second
	// journalPause is the pause between two tries to write what the journal did
	// not take.
	journalPause = time.Second
	// exitBusy says that another supervisor has the folder.
	exitBusy = 75
)

// ready is what a new supervisor says when it listens.
const ready = "ready\n"

func init() {
	if len(os.Args) > 1 && os.Args[0] == processName {
		os.Exit(supervise(os.Args[1], len(os.Args) > 2))
	}
}

// server is a supervisor.
type server struct {
	dir     string
	null    *os.File
	lock    *os.File
	listen  *net.UnixListener
	done    chan struct{} // closed when nothing is left to do
	forking sync.Mutex    // held during a start; it is locked before mu

	mu      sync.Mutex
	journal *journal
	// unwritten is what the journal did not take, and retry the next try.
	unwritten []entry
	retry     *time.Timer
	tag       uint64           // of the last fork; the next is lower
	tasks     map[string]*task // by id, until Forget
	mains     map[int]*task    // by process id, until reaped
	forks     int              // under way: their process ids are not known yet
	early     map[int]int      // exit codes of what ended while a fork was under way
	reaped    chan struct{}    // closed and renewed when children were reaped
	client    *conn            // the newest; others are dropped
	started   bool             // a client has come
}

// supervise is the life of a supervisor, which is fresh unless it was handed
// over. It returns its exit status.
func supervise(dir string, fresh bool) int {
	said := os.Stderr
	if fresh {
		said = os.NewFile(readyFD, "ready")
		if err := closeInherited(readyFD); err != nil {
			_, _ = fmt.Fprintln(said, err)
			return 1
		}
	}
	s, err := openServer(dir)
	if err != nil {
		_, _ = fmt.Fprintln(said, err)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return exitBusy
		}
		return 1
	}
	if fresh {
		_, _ = said.WriteString(ready)
		_ = said.Close()
	}
	s.serve()
	return 0
}

// openServer takes the folder, ends what an earlier supervisor left behind, and
// listens.
func openServer(dir string) (*server, error) {
	s := newServer(dir)
	if err := becomeSubreaper(); err != nil {
		return nil, err
	}
	handed, err := readHandOver(dir)
	if err != nil {
		return nil, err
	}
	if handed != nil {
		if err := closeInherited(handed.descriptors()...); err != nil {
			return nil, err
		}
		s.lock = os.NewFile(uintptr(handed.Lock), lockName)
		syscall.CloseOnExec(handed.Lock)
	} else if s.lock, err = takeLock(dir); err != nil {
		return nil, err
	}
	if s.tag, err = firstTag(); err != nil {
		return nil, err
	}
	if s.null, err = os.Open(os.DevNull); err != nil {
		return nil, err
	}
	if s.journal, err = openJournal(dir, s.replay); err != nil {
		return nil, err
	}
	s.takeUp(handed)
	s.listen, err = listenIn(dir)
	return s, err
}

func newServer(dir string) *server {
	return &server{
		dir: dir, done: make(chan struct{}), tasks: map[string]*task{}, mains: map[int]*task{},
		early: map[int]int{}, reaped: make(chan struct{}),
	}
}

// takeLock takes the folder, for as long as this process lives. The error is
// syscall.EWOULDBLOCK when another supervisor has it.
func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return f, nil
}

// listenIn makes the socket. The address of a socket is short, so it leads
// through a descriptor of the folder.
func listenIn(dir string) (*net.UnixListener, error) {
	name := filepath.Join(dir, socketName)
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	l, err := net.ListenUnix("unix", socketAddr(folder))
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	return l, os.Chmod(name, 0o600)
}

func socketAddr(folder *os.File) *net.UnixAddr {
	return &net.UnixAddr{Net: "unix", Name: fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), socketName)}
}

// serve works until no client is connected and nothing runs.
func (s *server) serve() {
	// Signals that end a terminal's or a service's processes are for those that
	// it supervises. They are not ignored, since children would inherit that.
	deaf := make(chan os.Signal, 1)
	signal.Notify(deaf, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go s.accept()
	first := time.AfterFunc(firstClient, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.started = true
		s.leaveIfIdle()
	})
	defer first.Stop()
	s.reap() // what ended during a hand-over
	for {
		select {
		case <-ended:
			s.reap()
		case <-deaf:
		case <-s.done:
			s.killOrphans(s.nobodys)
			_ = os.Remove(filepath.Join(s.dir, socketName))
			return
		}
	}
}

func (s *server) accept() {
	for {
		c, err := s.listen.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(killPause) // such as too many open files
			continue
		}
		go newConn(s, c).run()
	}
}

// leaveIfIdle ends the supervisor when nothing is left. s.mu is held.
func (s *server) leaveIfIdle() {
	if s.client != nil || !s.started || s.busy() || len(s.unwritten) > 0 {
		return
	}
	select {
	case <-s.done:
	default:
		close(s.done)
	}
}

// busy reports whether something runs. s.mu is held.
func (s *server) busy() bool {
	for _, t := range s.tasks {
		if t.End == nil {
			return true
		}
	}
	return false
}

// replay takes in an entry of the journal.
func (s *server) replay(e entry) {
	t := s.tasks[e.ID]
	if e.Op == opStart {
		t = newTask(Spec{ID: e.ID, Note: e.Note}, e.Tag)
		t.forked = true
		s.tasks[e.ID] = t
		return
	}
	if t == nil {
		return
	}
	switch e.Op {
	case opRun:
		t.PID = e.PID
	case opStop:
		t.Stopped, t.deadline = true, e.Deadline
	case opEnd:
		t.End = e.End
	case opForget:
		delete(s.tasks, e.ID)
	}
}

// takeUp goes on with what was handed over, and ends as lost what an earlier
// supervisor, which was killed, had begun.
func (s *server) takeUp(h *handOver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.adopt(h)
	lost := map[uint64]bool{}
	for id, t := range s.tasks {
		if t.End == nil && !kept[id] {
			lost[t.tag] = true
		}
	}
	if !killLeft(lost) {
		fmt.Fprintln(os.Stderr, "some processes of lost attempts do not end")
	}
	var ends []entry
	for id, t := range s.tasks {
		if t.End == nil && !kept[id] {
			t.End = &End{Lost: true, At: time.Now()}
			ends = append(ends, entry{Op: opEnd, ID: id, End: t.End})
		}
	}
	s.note(ends...)
}
