package scheduler

import (
	"context"
	"slices"
	"sync"
	"time"

	"dagwright/dag"
	"dagwright/executor"
)

// startQueue holds the attempts that are to be started, in a lane for each DAG.
// Lanes take turns, a lane prepares one attempt at a time, and it has a part of
// the workers at most: whatever the templates of one DAG do, and however slowly
// its attempts start, others get their turn. The queue is unbounded, since all
// that is in it is in the store already.
type startQueue struct {
	perLane int // attempts of one DAG that are worked on at once

	mu     sync.Mutex
	lanes  map[dag.ID]*lane
	turns  []dag.ID // the lanes in which an attempt waits, the next one first
	starts map[dag.AttemptKey]*start
	ready  chan struct{} // holds one token while an attempt may wait
}

type lane struct {
	waiting   []*start
	working   int
	preparing bool
}

// start is an attempt on its way to the executor.
type start struct {
	key dag.AttemptKey
	run dag.Run
	// spec is nil when run and spec are to be read from the store.
	spec *dag.DAG
	// attempt is nil until it is prepared.
	attempt *executor.Attempt
	tries   int
	held    bool // it was reported that the attempt waits for space

	// Of the queue:
	stage   stage
	stopped bool
	ctx     context.Context // ends when the attempt is stopped while it is prepared
	cancel  context.CancelFunc
}

type stage int

const (
	stageWaiting stage = iota
	stagePreparing
	stageStarting
	stageDelayed
)

func newStartQueue(perLane int) *startQueue {
	return &startQueue{
		perLane: max(perLane, 1), lanes: map[dag.ID]*lane{}, starts: map[dag.AttemptKey]*start{},
		ready: make(chan struct{}, 1),
	}
}

// push adds an attempt, unless it is on its way already.
func (q *startQueue) push(s *start) {
	q.mu.Lock()
	if q.starts[s.key] == nil {
		q.starts[s.key] = s
		q.enqueue(s)
	}
	q.mu.Unlock()
	q.signal()
}

func (q *startQueue) enqueue(s *start) {
	s.stage = stageWaiting
	l := q.lanes[s.key.DAG]
	if l == nil {
		l = &lane{}
		q.lanes[s.key.DAG] = l
	}
	if l.waiting = append(l.waiting, s); len(l.waiting) == 1 {
		q.turns = append(q.turns, s.key.DAG)
	}
}

func (q *startQueue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// next waits for an attempt whose turn it is; nil says that ctx has ended. Whoever
// takes one says prepared, and in the end finish or delay.
func (q *startQueue) next(ctx context.Context) *start {
	for ctx.Err() == nil {
		if s := q.take(ctx); s != nil {
			q.signal() // wakes the next worker, should there be more
			return s
		}
		select {
		case <-ctx.Done():
		case <-q.ready:
		}
	}
	return nil
}

func (q *startQueue) take(ctx context.Context) *start {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := slices.IndexFunc(q.turns, func(id dag.ID) bool {
		l := q.lanes[id]
		return l.working < q.perLane && !l.preparing
	})
	if at < 0 {
		return nil
	}
	id := q.turns[at]
	q.turns = slices.Delete(q.turns, at, at+1)
	l := q.lanes[id]
	s := l.waiting[0]
	l.waiting = slices.Delete(l.waiting, 0, 1)
	if len(l.waiting) > 0 {
		q.turns = append(q.turns, id)
	}
	l.working++
	l.preparing = true
	s.stage = stagePreparing
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// prepared says that an attempt is rendered, or cannot be, so that the next of its
// DAG may be. It is false when the attempt was stopped meanwhile.
func (q *startQueue) prepared(s *start) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.cancel()
	s.stage = stageStarting
	q.lanes[s.key.DAG].preparing = false
	q.signal()
	return !s.stopped
}

// finish takes an attempt out of the queue, and reports whether it was stopped on
// its way.
func (q *startQueue) finish(s *start) (stopped bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.starts, s.key)
	q.leave(s)
	return s.stopped
}

// delay brings an attempt back after a while. It is false when the attempt was
// stopped: then it is out of the queue.
func (q *startQueue) delay(s *start, after time.Duration) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.leave(s)
	if s.stopped {
		delete(q.starts, s.key)
		return false
	}
	s.stage = stageDelayed
	time.AfterFunc(after, func() { q.comeBack(s) })
	return true
}

func (q *startQueue) comeBack(s *start) {
	q.mu.Lock()
	if q.starts[s.key] == s {
		q.enqueue(s)
	}
	q.mu.Unlock()
	q.signal()
}

// leave gives the worker of an attempt back to the lanes.
func (q *startQueue) leave(s *start) {
	l := q.lanes[s.key.DAG]
	l.working--
	q.forgetIdle(s.key.DAG, l)
	q.signal()
}

func (q *startQueue) forgetIdle(id dag.ID, l *lane) {
	if l.working == 0 && len(l.waiting) == 0 {
		delete(q.lanes, id)
	}
}

// stop takes an attempt that no worker has yet out of the queue, and reports
// whether it was there. Of one that is being worked on it ends the preparation;
// its worker hears of it.
func (q *startQueue) stop(k dag.AttemptKey) (dropped bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.starts[k]
	if s == nil {
		return false
	}
	s.stopped = true
	switch s.stage {
	case stagePreparing:
		s.cancel()
		return false
	case stageStarting:
		return false
	case stageWaiting:
		l := q.lanes[k.DAG]
		l.waiting = slices.DeleteFunc(l.waiting, func(w *start) bool { return w == s })
		if len(l.waiting) == 0 {
			q.turns = slices.DeleteFunc(q.turns, func(id dag.ID) bool { return id == k.DAG })
			q.forgetIdle(k.DAG, l)
		}
	}
	delete(q.starts, k)
	return true
}
