package process

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"dagwright/dag"
)

// attempt is what the executor knows about one attempt from its start, or from
// List, until Forget.
type attempt struct {
	key  dag.AttemptKey
	name string // of its claim

	// settled is closed when it is known whether the attempt was started; err
	// may be read from then on and is nil if it was.
	settled chan struct{}
	err     error

	mu     sync.Mutex
	begun  time.Time
	pid    int         // of the wrapper; 0 while unknown
	forked bool        // by this executor, and so its child
	pidfd  *os.File    // of the wrapper; nil while unknown or not to be had
	wish   *wish       // what Stop asked for
	timer  *time.Timer // ends the grace time
	ended  *dag.AttemptEvent
	closed bool // by Executor.Close
}

var errClosed = errors.New("executor is closed")

// reserve returns the attempt of a key, and whether it is new. The caller that
// made it must settle it.
func (x *Executor) reserve(key dag.AttemptKey, name string) (t *attempt, mine bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, false, errClosed
	}
	if t := x.attempts[name]; t != nil {
		return t, false, nil
	}
	t = &attempt{key: key, name: name, settled: make(chan struct{})}
	x.attempts[name] = t
	return t, true, nil
}

// settle says that the attempt was started, or why it was not; then it is as
// unknown as before.
func (x *Executor) settle(t *attempt, err error) {
	if t.err = err; err != nil {
		x.drop(t)
	}
	close(t.settled)
}

func (x *Executor) drop(t *attempt) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.attempts[t.name] == t {
		delete(x.attempts, t.name)
	}
}

// find returns the attempt of a key, or nil when there is none.
func (x *Executor) find(ctx context.Context, key dag.AttemptKey) (*attempt, error) {
	x.mu.Lock()
	t := x.attempts[claimName(key)]
	x.mu.Unlock()
	if t == nil {
		return nil, nil
	}
	if err := t.await(ctx); err != nil {
		return nil, err
	}
	if t.err != nil {
		return nil, nil //nolint:nilerr // what never started is no attempt; Start returned the error
	}
	return t, nil
}

// await waits until the attempt is settled.
func (t *attempt) await(ctx context.Context) error {
	select {
	case <-t.settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// event is the present state of the attempt.
func (x *Executor) event(t *attempt) dag.AttemptEvent {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended != nil {
		return *t.ended
	}
	return x.started(t)
}

// started is the event of the attempt's begin. t.mu is held.
func (x *Executor) started(t *attempt) dag.AttemptEvent {
	return dag.AttemptEvent{
		Key: t.key, Phase: dag.AttemptStarted, At: t.begun, Hostname: x.hostname, PID: t.pid,
	}
}

// abandon ends the watching of the attempt and leaves it alone.
func (t *attempt) abandon() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.timer != nil {
		t.timer.Stop()
	}
	if t.pidfd != nil {
		_ = t.pidfd.Close()
	}
}

// known notes the wrapper's identity.
func (t *attempt) known(pid int, pidfd *os.File) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pid, t.pidfd = pid, pidfd
	if t.closed && pidfd != nil {
		_ = pidfd.Close()
	}
}
