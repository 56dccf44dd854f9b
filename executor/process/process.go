package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/tasklog"
)

// Config is what an executor of local processes needs.
type Config struct {
	// StateDir keeps the claims. It must be on a local file system.
	StateDir string
	// Logs receive the output of the attempts.
	Logs *tasklog.Dir
	// Workdir gives the folder in which an attempt runs and variables to add to
	// its environment. It may be called again for the same attempt. An error
	// that is dag.ErrInvalid fails the attempt for good. Nil stands for a fresh
	// empty folder that Forget removes.
	Workdir func(context.Context, executor.Attempt) (dir string, env []dag.EnvVar, err error)
	// Env is given to every attempt, such as PATH. Variables of Workdir and
	// then those of the attempt win over it.
	Env []dag.EnvVar
	// MaxStarting is how many processes are forked at the same time; 0 means
	// GOMAXPROCS. It does not limit how many run.
	MaxStarting int
	// Logger is told of faults that no caller hears of; nil discards them.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// eventBuffer is how many events may wait for the receiver before the
// attempts' goroutines do.
const eventBuffer = 1024

// Executor runs attempts as local processes. Open makes it.
type Executor struct {
	config   Config
	claims   claims
	shell    string
	hostname string
	null     *os.File
	starting chan struct{} // holds a token for each fork under way
	events   chan dag.AttemptEvent
	done     chan struct{} // closed by Close

	mu       sync.Mutex
	closed   bool
	attempts map[string]*attempt // by claim name
	running  sync.WaitGroup      // the goroutines of attempts
}

var _ executor.Executor = (*Executor)(nil)

// Open makes the state folder if need be and returns an executor on it. Only
// one executor may use the folder at a time.
func Open(c Config) (*Executor, error) {
	if c.StateDir == "" || c.Logs == nil {
		return nil, fmt.Errorf("open process executor: StateDir and Logs are required: %w", dag.ErrInvalid)
	}
	c = withDefaults(c)
	dir, err := filepath.Abs(c.StateDir)
	if err != nil {
		return nil, fmt.Errorf("find state folder: %w", err)
	}
	c.StateDir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	shell, err := findShell()
	if err != nil {
		return nil, err
	}
	hostname, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("find host name: %w", err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	return &Executor{
		config: c, claims: claims{dir}, shell: shell, hostname: hostname, null: null,
		starting: make(chan struct{}, c.MaxStarting),
		events:   make(chan dag.AttemptEvent, eventBuffer),
		done:     make(chan struct{}),
		attempts: map[string]*attempt{},
	}, nil
}

func withDefaults(c Config) Config {
	if c.MaxStarting <= 0 {
		c.MaxStarting = runtime.GOMAXPROCS(0)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// findShell prefers dash, which starts in half the time of bash.
func findShell() (string, error) {
	for _, path := range []string{"/bin/dash", "/usr/bin/dash", "/bin/sh"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("local processes need /bin/sh, and there is none")
}

// Events delivers what happens to attempts until Close.
func (x *Executor) Events() <-chan dag.AttemptEvent { return x.events }

// Close stops watching and returns when nothing of the executor is left but
// the attempts, which go on. Closing again is no error.
func (x *Executor) Close() error {
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return nil
	}
	x.closed = true
	close(x.done)
	for _, t := range x.attempts {
		t.abandon()
	}
	x.mu.Unlock()
	x.running.Wait()
	close(x.events)
	return x.null.Close()
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
	case <-x.done:
	case x.events <- e:
	}
}
