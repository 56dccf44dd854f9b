package process

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"dagwright/dag"
	"dagwright/executor/supervisor"
)

// attempt is what the executor knows about one attempt from its start, or from
// the supervisor, until Forget.
type attempt struct {
	key  dag.AttemptKey
	name string // the supervisor's id

	// settled is closed when the supervisor has the attempt, or it has ended
	// without one; the start of an attempt that runs was reported by then.
	settled chan struct{}
	// wanted is closed by Stop, for an attempt that is not settled.
	wanted chan struct{}

	mu      sync.Mutex
	begun   time.Time
	pid     int
	stopped bool
	waiting *dag.AttemptEvent // what it waits for
	ended   *dag.AttemptEvent
	ending  sync.Once // takes in the end
}

// note is what the supervisor keeps of an attempt.
type note struct {
	Key   dag.AttemptKey `json:"key"`
	Begun time.Time      `json:"begun"`
}

var errClosed = errors.New("executor is closed")

// idOf names an attempt for the supervisor.
func idOf(key dag.AttemptKey) string {
	h := sha256.New()
	// Ids hold no control characters, so no two keys give the same bytes.
	fmt.Fprintf(h, "%s\n%s\n%s\n%d", key.DAG, key.Run, key.Task, key.Try)
	if key.Epoch > 0 { // the first owner's attempts keep the names that they always had
		fmt.Fprintf(h, "\n%d", key.Epoch)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func newAttempt(key dag.AttemptKey) *attempt {
	return &attempt{key: key, name: idOf(key), settled: make(chan struct{}), wanted: make(chan struct{})}
}

// reserve returns the attempt of a key, and whether it is new. The caller that
// made it must settle it.
func (x *Executor) reserve(key dag.AttemptKey) (t *attempt, mine bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, false, errClosed
	}
	if t := x.attempts[idOf(key)]; t != nil {
		return t, false, nil
	}
	t = newAttempt(key)
	x.attempts[t.name] = t
	return t, true, nil
}

func (x *Executor) drop(t *attempt) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.attempts[t.name] == t {
		delete(x.attempts, t.name)
	}
}

// find returns the attempt of a key, or nil when there is none.
func (x *Executor) find(key dag.AttemptKey) *attempt {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.attempts[idOf(key)]
}

// all lists the attempts.
func (x *Executor) all() []*attempt {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := make([]*attempt, 0, len(x.attempts))
	for _, t := range x.attempts {
		list = append(list, t)
	}
	return list
}

// event is the present state of the attempt.
func (x *Executor) event(t *attempt) dag.AttemptEvent {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ended != nil:
		return *t.ended
	case t.waiting != nil:
		return *t.waiting
	}
	return x.started(t)
}

// started is the event of the attempt's begin. t.mu is held.
func (x *Executor) started(t *attempt) dag.AttemptEvent {
	return dag.AttemptEvent{
		Key: t.key, Phase: dag.AttemptStarted, At: t.begun, Hostname: x.hostname, PID: t.pid,
	}
}

func (t *attempt) isSettled() bool {
	select {
	case <-t.settled:
		return true
	default:
		return false
	}
}

// Connected takes in what the supervisor knows: at the beginning, and when a
// new one had to be started. It is supervisor.Handler's.
func (x *Executor) Connected(list []supervisor.Status) {
	known := map[string]bool{}
	lost := 0
	for _, s := range list {
		known[s.ID] = true
		if s.End != nil && s.End.Lost && !x.hasEnded(s.ID) {
			lost++
		}
		x.adopt(s)
	}
	if lost > 0 {
		x.config.Logger.Warn("the supervisor of local processes was killed, or the machine went down: "+
			"what it ran is lost, and is run again without using up a retry", "attempts", lost)
	}
	for _, t := range x.all() {
		if !known[t.name] && t.isSettled() {
			// The state folder was emptied: nobody knows what happened to it.
			x.spawn(func() { x.end(t, supervisor.Status{End: &supervisor.End{Lost: true, At: x.config.Now()}}) })
		}
	}
	x.connected = true
}

// hasEnded reports whether the end of an attempt is known.
func (x *Executor) hasEnded(id string) bool {
	x.mu.Lock()
	t := x.attempts[id]
	x.mu.Unlock()
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended != nil
}

// Ended takes in the end of a process. It is supervisor.Handler's.
func (x *Executor) Ended(s supervisor.Status) {
	x.mu.Lock()
	t := x.attempts[s.ID]
	x.mu.Unlock()
	if t == nil {
		return // its start was given up when the executor was closed
	}
	x.spawn(func() {
		if t.await(x.ctx) == nil {
			x.end(t, s)
		}
	})
}

// adopt takes over what the supervisor knows of an attempt. One that is just
// being started hears of it from there.
func (x *Executor) adopt(s supervisor.Status) {
	var n note
	if err := json.Unmarshal(s.Note, &n); err != nil || idOf(n.Key) != s.ID {
		x.config.Logger.Error("the supervisor of local processes knows an attempt that is none", "id", s.ID, "err", err)
		return
	}
	t, mine, err := x.reserve(n.Key)
	if err != nil {
		return
	}
	if mine {
		t.begun, t.pid, t.stopped = n.Begun, s.PID, s.Stopped
		close(t.settled)
	}
	switch {
	case s.End == nil || !t.isSettled():
	case !x.connected:
		x.conclude(t, s) // List reports it
	default:
		x.spawn(func() { x.end(t, s) })
	}
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
