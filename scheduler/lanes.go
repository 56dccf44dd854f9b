package scheduler

import (
	"context"
	"sync"

	"dagwright/dag"
)

// lanes do things about attempts: those about one attempt one after the other,
// and those about others meanwhile, so that an executor that is slow with one
// attempt holds up nobody else's. What is in it is in the store already, so it
// is bounded by the attempts that there are.
type lanes struct {
	mu     sync.Mutex
	ctx    context.Context // of the things to do; nil before run
	queues map[dag.AttemptKey][]func(context.Context)
	busy   sync.WaitGroup
}

func newLanes() *lanes { return &lanes{queues: map[dag.AttemptKey][]func(context.Context){}} }

// push queues a thing to do about an attempt.
func (l *lanes) push(k dag.AttemptKey, job func(context.Context)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue, working := l.queues[k]
	l.queues[k] = append(queue, job)
	if !working && l.ctx != nil && l.ctx.Err() == nil {
		l.begin(k)
	}
}

// run works until ctx ends and what was begun has returned.
func (l *lanes) run(ctx context.Context) {
	l.mu.Lock()
	l.ctx = ctx
	for k := range l.queues {
		l.begin(k) //nolint:contextcheck // it has l.ctx
	}
	l.mu.Unlock()
	<-ctx.Done()
	// push begins nothing from now on, for it looks at ctx under the mutex.
	l.mu.Lock()
	l.mu.Unlock() //nolint:staticcheck // the one that pushes just now has come first
	l.busy.Wait()
}

// begin works on one attempt's queue until it is empty. l.mu is held.
func (l *lanes) begin(k dag.AttemptKey) {
	ctx := l.ctx
	l.busy.Go(func() {
		for job := l.next(k); job != nil; job = l.next(k) {
			if ctx.Err() == nil {
				job(ctx)
			}
		}
	})
}

// next takes the oldest thing to do about an attempt; the lane is gone with the
// last one.
func (l *lanes) next(k dag.AttemptKey) func(context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := l.queues[k]
	if len(queue) == 0 {
		delete(l.queues, k)
		return nil
	}
	l.queues[k] = queue[1:]
	return queue[0]
}
