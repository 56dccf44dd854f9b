package process

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/executor/supervisor"
	"dagwright/tasklog"
)

// Config is what an executor of local processes needs.
type Config struct {
	// StateDir is the supervisor's folder. It must be on a local file system.
	StateDir string
	// Logs receive the output of the attempts.
	Logs *tasklog.Dir
	// Workdir gives the folder in which an attempt runs, variables to add to its
	// environment, and notes for the attempt's log. It may be called again for the
	// same attempt, and may take its time. An error that is dag.ErrInvalid fails
	// the attempt for good. Nil stands for a fresh empty folder that Forget
	// removes.
	Workdir func(context.Context, executor.Attempt) (Workdir, error)
	// AwayPatience is how long an attempt waits when Workdir fails with ErrAway,
	// before it counts as lost; 15 minutes when zero.
	AwayPatience time.Duration
	// Env is given to every attempt, such as PATH. Variables of Workdir and
	// then those of the attempt win over it.
	Env []dag.EnvVar
	// Umask is that of the attempts (umask(2)); 0 stands for 022.
	Umask int
	// Logger gets the faults that no caller gets; nil discards them.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Workdir is where an attempt works.
type Workdir struct {
	Dir string
	Env []dag.EnvVar
	// Notes are lines for the beginning of the attempt's log.
	Notes []string
}

// awayPatience is long enough for a GitLab that is being updated.
const awayPatience = 15 * time.Minute

// eventBuffer is how many events may wait for the receiver before the
// attempts' goroutines do.
const eventBuffer = 1024

// Executor runs attempts as local processes. Open makes it.
type Executor struct {
	config   Config
	hostname string
	sup      *supervisor.Client
	events   chan dag.AttemptEvent
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	// connected says that Connected was called; only it reads and writes this.
	connected bool

	mu       sync.Mutex
	closed   bool
	attempts map[string]*attempt // by the supervisor's id
	running  sync.WaitGroup      // the goroutines of attempts
}

var _ executor.Executor = (*Executor)(nil)

// Open makes the state folder if need be and returns an executor on it. It
// waits up to 30 seconds for the folder's supervisor, which it starts if none
// runs. Only one executor may use the folder at a time.
func Open(c Config) (*Executor, error) {
	if c.StateDir == "" || c.Logs == nil {
		return nil, fmt.Errorf("open process executor: StateDir and Logs are required: %w", dag.ErrInvalid)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.AwayPatience <= 0 {
		c.AwayPatience = awayPatience
	}
	dir, err := filepath.Abs(c.StateDir)
	if err != nil {
		return nil, fmt.Errorf("find state folder: %w", err)
	}
	c.StateDir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	hostname, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("find host name: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	x := &Executor{
		config: c, hostname: hostname, ctx: ctx, cancel: cancel,
		events: make(chan dag.AttemptEvent, eventBuffer), attempts: map[string]*attempt{},
	}
	if x.sup, err = supervisor.Dial(ctx, dir, x); err != nil {
		cancel()
		return nil, fmt.Errorf("open process executor: %w", err)
	}
	return x, nil
}

// Events delivers what happens to attempts until Close.
func (x *Executor) Events() <-chan dag.AttemptEvent { return x.events }

// Close stops watching and returns when nothing of the executor is left but the attempts,
// which keep running. Closing again is not an error.
func (x *Executor) Close() error {
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return nil
	}
	x.closed = true
	x.cancel()
	x.mu.Unlock()
	x.sup.Close()
	x.running.Wait()
	close(x.events)
	return nil
}

// spawn runs f beside the caller; Close waits for it. After Close it does
// nothing.
func (x *Executor) spawn(f func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.closed {
		x.running.Go(f)
	}
}

// send delivers an event unless the executor is closed.
func (x *Executor) send(e dag.AttemptEvent) {
	select {
	case <-x.ctx.Done():
	case x.events <- e:
	}
}
