package scheduler

import (
	"context"
	"sync"
)

// jobs is a queue of things to do. It is unbounded, since all that is in it is
// in the store already.
type jobs struct {
	mu    sync.Mutex
	queue []func(context.Context)
	ready chan struct{} // holds one token while the queue may be non-empty
}

func newJobs() *jobs { return &jobs{ready: make(chan struct{}, 1)} }

func (j *jobs) push(job func(context.Context)) {
	j.mu.Lock()
	j.queue = append(j.queue, job)
	j.mu.Unlock()
	j.signal()
}

func (j *jobs) signal() {
	select {
	case j.ready <- struct{}{}:
	default:
	}
}

// pop takes the oldest job, nil when there is none.
func (j *jobs) pop() func(context.Context) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.queue) == 0 {
		return nil
	}
	job := j.queue[0]
	j.queue[0] = nil // so that a finished job does not live on in the queue
	j.queue = j.queue[1:]
	return job
}

// work does one job after the other until ctx ends. Several goroutines may
// work on the same queue.
func (j *jobs) work(ctx context.Context) {
	for ctx.Err() == nil {
		job := j.pop()
		if job == nil {
			select {
			case <-ctx.Done():
			case <-j.ready:
			}
			continue
		}
		j.signal() // wakes the next worker, should there be more
		job(ctx)
	}
}
