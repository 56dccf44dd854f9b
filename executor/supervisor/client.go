package supervisor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// dialPatience bounds how long a supervisor may need to come up, with the
	// time in which it ends what one before it left behind.
	dialPatience = 30 * time.Second
	// dialPause is the pause between two tries.
	dialPause = 10 * time.Millisecond
	// faultsName is a file with what supervisors could tell nobody, and
	// mostFaults its size in bytes from which it is started over.
	faultsName = "supervisor.log"
	mostFaults = 1 << 20
)

// errLost says that the connection broke before the answer came: what was asked
// for may have happened, and may be asked for again.
var errLost = errors.New("the connection to the supervisor is lost")

// ErrClosed says that the client was closed before the answer came.
var ErrClosed = errors.New("the connection to the supervisor is closed")

// errBusy says that another supervisor has the folder.
var errBusy = errors.New("another supervisor has the folder")

// Handler receives what happens. Its methods are called one at a time and must
// not wait for an answer of the client.
type Handler interface {
	// Connected gives everything that the supervisor knows, at first and each
	// time that a new one had to be started.
	Connected(list []Status)
	// Ended says that a process has ended; its output is in its log.
	Ended(s Status)
}

// Client is a connection to the supervisor of a folder. When it breaks the
// client connects again, to a new supervisor if need be.
type Client struct {
	dir     string
	handler Handler
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	beside  sync.WaitGroup

	mu     sync.Mutex
	link   *link         // nil while there is none
	linked chan struct{} // closed when there is one
}

// Dial connects to the supervisor of a folder, and starts it if there is none.
// It waits for 30 seconds at most. One client of a folder counts: the one that
// came last.
//
//nolint:contextcheck // the client outlives the call, and Close ends it
func Dial(ctx context.Context, dir string, h Handler) (*Client, error) {
	c := &Client{dir: dir, handler: h, linked: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	first, list, err := c.connect(ctx)
	if err != nil {
		c.cancel()
		return nil, err
	}
	h.Connected(list)
	c.use(first)
	c.beside.Go(func() { c.run(first) })
	return c, nil
}

// Close disconnects from the supervisor, which runs as long as a process does. It
// returns when the handler is not called any more.
func (c *Client) Close() {
	c.cancel()
	c.mu.Lock()
	if c.link != nil {
		_ = c.link.socket.Close()
	}
	c.mu.Unlock()
	c.beside.Wait()
}

// Start starts a process, or finds it when one with its id was started before.
// The error is a *StartError, and then nothing runs, or ErrClosed or that of ctx,
// and then it is unknown.
func (c *Client) Start(ctx context.Context, spec Spec) (Status, error) {
	m, err := c.call(ctx, request{Op: opStart, Spec: &spec})
	if err != nil {
		return Status{}, err
	}
	if m.Fault != nil {
		return Status{}, m.Fault
	}
	if m.Status == nil {
		return Status{}, errors.New("the supervisor's answer has no status")
	}
	return *m.Status, nil
}

// Stop sends SIGTERM to a process and its group, and SIGKILL at the deadline.
// What is unknown or has ended is left alone. A second Stop can only bring the
// deadline forward.
func (c *Client) Stop(ctx context.Context, id string, deadline time.Time) error {
	_, err := c.call(ctx, request{Op: opStop, ID: id, Deadline: deadline})
	return err
}

// Forget drops what has ended, and its id may be used again. An unknown id is not an
// error.
func (c *Client) Forget(ctx context.Context, id string) error {
	_, err := c.call(ctx, request{Op: opForget, ID: id})
	return err
}

// call sends a request and waits for its answer. All requests may be repeated,
// so one whose answer is lost is sent again when there is a connection.
func (c *Client) call(ctx context.Context, r request) (message, error) {
	for {
		l, err := c.await(ctx)
		if err != nil {
			return message{}, err
		}
		m, err := l.call(ctx, r)
		if errors.Is(err, errLost) {
			continue
		}
		if err == nil && m.Error != "" {
			err = errors.New(m.Error)
		}
		return m, err
	}
}

// await waits for a connection that is not known to be broken.
func (c *Client) await(ctx context.Context) (*link, error) {
	for {
		c.mu.Lock()
		l, linked := c.link, c.linked
		c.mu.Unlock()
		if c.ctx.Err() != nil {
			return nil, ErrClosed
		}
		if l != nil {
			return l, nil
		}
		select {
		case <-linked:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.ctx.Done():
			return nil, ErrClosed
		}
	}
}

func (c *Client) use(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = l
	close(c.linked)
	if c.ctx.Err() != nil {
		_ = l.socket.Close()
	}
}

// run passes on what the supervisor tells, and connects again when it is gone.
func (c *Client) run(l *link) {
	for {
		l.read(c.handler.Ended)
		c.mu.Lock()
		c.link, c.linked = nil, make(chan struct{})
		c.mu.Unlock()
		l.fail()
		next, list := c.reconnect()
		if next == nil {
			return
		}
		c.handler.Connected(list)
		c.use(next)
		l = next
	}
}

// reconnect tries until there is a connection; nil when the client is closed.
func (c *Client) reconnect() (*link, []Status) {
	for c.ctx.Err() == nil {
		l, list, err := c.connect(c.ctx)
		if err == nil {
			return l, list
		}
		select {
		case <-c.ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return nil, nil
}

// connect makes a connection, and starts a supervisor where there is none. One
// of another build is asked to become this one.
func (c *Client) connect(ctx context.Context) (*link, []Status, error) {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	asked := false
	for {
		l, hello, err := c.greet(ctx)
		if err == nil && hello.Build != ownBuild() && !asked {
			asked = true
			l.handOver(ctx)
			continue // it is this build now, or has said no
		}
		if err == nil {
			return l, hello.List, nil
		}
		if isAbsent(err) {
			err = start(ctx, c.dir)
		}
		if err != nil && !errors.Is(err, errBusy) && !errors.Is(err, errLost) {
			return nil, nil, fmt.Errorf("start the supervisor of local processes: %w", err)
		}
		if err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("reach the supervisor of local processes in %s: %w", c.dir, errors.Join(ctx.Err(), err))
		case <-time.After(dialPause):
		}
	}
}

// isAbsent reports whether nobody listens.
func isAbsent(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist)
}

// greet connects and says hello.
func (c *Client) greet(ctx context.Context) (*link, message, error) {
	folder, err := os.Open(c.dir)
	if err != nil {
		return nil, message{}, err
	}
	defer folder.Close()
	socket, err := net.DialUnix("unix", nil, socketAddr(folder))
	if err != nil {
		return nil, message{}, err
	}
	l := newLink(socket)
	hello, err := l.hello(ctx)
	if err != nil {
		_ = socket.Close()
		return nil, message{}, errors.Join(errLost, err)
	}
	return l, hello, nil
}

// start starts a supervisor and waits until it listens.
func start(ctx context.Context, dir string) error {
	log, err := os.OpenFile(filepath.Join(dir, faultsName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	if info, err := log.Stat(); err == nil && info.Size() > mostFaults {
		_ = log.Truncate(0)
	}
	said, says, err := os.Pipe()
	if err != nil {
		return err
	}
	defer said.Close()
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{processName, dir, "fresh"}, Env: []string{}, Dir: "/",
		Stderr: log, ExtraFiles: []*os.File{says}, SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	err = cmd.Start()
	_ = says.Close()
	if err != nil {
		return err
	}
	// It usually outlives this process; if not, its place is to be given back.
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop := context.AfterFunc(ctx, func() { _ = said.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	text, err := io.ReadAll(io.LimitReader(said, 4096))
	if err != nil {
		return errors.Join(ctx.Err(), err)
	}
	if string(text) == ready {
		return nil
	}
	var exit *exec.ExitError
	if errors.As(<-ended, &exit) && exit.ExitCode() == exitBusy {
		return errBusy
	}
	return errors.New("it ended: " + strings.TrimSpace(string(text)))
}

// link is one connection.
type link struct {
	socket  *net.UnixConn
	decoder *json.Decoder

	sending sync.Mutex // held while a request is written

	mu      sync.Mutex
	seq     uint64
	waiting map[uint64]chan message // by the number of the request
	broken  bool
}

func newLink(socket *net.UnixConn) *link {
	return &link{socket: socket, decoder: json.NewDecoder(bufio.NewReader(socket)), waiting: map[uint64]chan message{}}
}

// hello makes this the connection that counts. The answer comes first: nothing
// else is sent to this client before it.
func (l *link) hello(ctx context.Context) (message, error) {
	defer l.bound(ctx)()
	err := l.send(request{Op: opHello, Protocol: protocol, Build: ownBuild()})
	var m message
	if err == nil {
		err = l.decoder.Decode(&m)
	}
	return m, err
}

// bound ends reading and writing with ctx, until the returned function is
// called.
func (l *link) bound(ctx context.Context) func() {
	stop := context.AfterFunc(ctx, func() { _ = l.socket.SetDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}

// handOver asks the supervisor to become this program, and waits until the
// connection breaks, as then it has, or the answer is that it cannot. This link
// is not used any more: ends may have been reported meanwhile.
func (l *link) handOver(ctx context.Context) {
	defer l.socket.Close()
	defer l.bound(ctx)()
	const seq = 1
	err := l.send(request{Op: opHandOver, Seq: seq, Build: fmt.Sprintf("/proc/%d/exe", os.Getpid())})
	for m := (message{}); err == nil && m.Seq != seq; {
		m = message{}
		err = l.decoder.Decode(&m)
	}
}

func (l *link) send(r request) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	l.sending.Lock()
	defer l.sending.Unlock()
	_, err = l.socket.Write(append(b, '\n'))
	return err
}

func (l *link) call(ctx context.Context, r request) (message, error) {
	answer := make(chan message, 1)
	l.mu.Lock()
	if l.broken {
		l.mu.Unlock()
		return message{}, errLost
	}
	l.seq++
	r.Seq = l.seq
	l.waiting[r.Seq] = answer
	l.mu.Unlock()
	if err := l.send(r); err != nil {
		_ = l.socket.Close() // read ends, and with it all that wait
	}
	select {
	case m, ok := <-answer:
		if !ok {
			return m, errLost
		}
		return m, nil
	case <-ctx.Done():
		l.mu.Lock()
		delete(l.waiting, r.Seq)
		l.mu.Unlock()
		return message{}, ctx.Err()
	}
}

// read passes on answers and ends until the connection breaks.
func (l *link) read(ended func(Status)) {
	for {
		var m message
		if err := l.decoder.Decode(&m); err != nil {
			break
		}
		if m.Seq == 0 && m.Status != nil {
			ended(*m.Status)
			continue
		}
		l.mu.Lock()
		answer := l.waiting[m.Seq]
		delete(l.waiting, m.Seq)
		l.mu.Unlock()
		if answer != nil {
			answer <- m
		}
	}
	_ = l.socket.Close()
}

// fail ends all calls. The client has no link by then, so that they wait for the
// next one.
func (l *link) fail() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
	for _, answer := range l.waiting {
		close(answer)
	}
}
