package webhook

import (
	"context"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// patience is how long a body may come as slowly as it likes while others wait for
	// its place.
	patience = time.Second
	// flow is how many bytes a second, on average, keep a place after that.
	flow = 64 << 10
	// crowding is how long a client that has most of the places may keep one while a
	// client waits that has fewer. Bodies of GitLab's are read by then.
	crowding = 250 * time.Millisecond
	// recheck is the shortest time after which places are checked again.
	recheck = 50 * time.Millisecond
)

// turns hands out the places in which bodies are read. Who sent a body is known at its
// end only, so a place is for a body that flows: while nobody waits, its holder keeps
// it; to those that wait it loses it when it is slow, or when its client crowds out
// others. Of those that wait, the client that has the fewest places is served, by turns.
type turns struct {
	most int // how many places there are

	mu    sync.Mutex
	held  map[*turn]bool
	queue map[string][]*turn // of those that wait, by client; none is empty
	order []string           // the clients in queue, the one that was served last at the end
	timer *time.Timer        // looks again while somebody waits
}

// turn is a place that somebody waits for or has.
type turn struct {
	turns    *turns
	client   string
	deadline func(time.Time) // bounds reads of the body
	granted  chan struct{}   // closed with the place
	since    time.Time       // when it was granted
	bytes    atomic.Int64    // what came of the body

	// lost says that the place has to be given back: reads fail. turns.mu guards it.
	lost bool
}

func newTurns(most int) *turns {
	return &turns{most: most, held: map[*turn]bool{}, queue: map[string][]*turn{}}
}

// take waits for a place until ctx ends or wait has passed: then it is nil. deadline sets
// until when the body may be read, which is for another wait from now on.
func (t *turns) take(ctx context.Context, client string, wait time.Duration, deadline func(time.Time)) *turn {
	mine := &turn{turns: t, client: client, deadline: deadline, granted: make(chan struct{})}
	if !t.enter(mine) {
		timeout := time.NewTimer(wait)
		defer timeout.Stop()
		select {
		case <-mine.granted:
		case <-timeout.C:
		case <-ctx.Done():
		}
		if t.leave(mine) {
			return nil
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !mine.lost {
		deadline(time.Now().Add(wait))
	}
	return mine
}

// enter queues for a place and reports whether there was one at once.
func (t *turns) enter(mine *turn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue[mine.client]) == 0 {
		t.order = append(t.order, mine.client)
	}
	t.queue[mine.client] = append(t.queue[mine.client], mine)
	t.settle()
	return t.held[mine]
}

// leave ends waiting, and reports whether there was no place yet.
func (t *turns) leave(mine *turn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[mine] {
		return false
	}
	t.unqueue(mine)
	t.settle()
	return true
}

// unqueue takes one out of its client's queue, and moves the client to the end of the
// order.
func (t *turns) unqueue(mine *turn) {
	t.order = slices.DeleteFunc(t.order, func(c string) bool { return c == mine.client })
	rest := slices.DeleteFunc(t.queue[mine.client], func(w *turn) bool { return w == mine })
	if len(rest) == 0 {
		delete(t.queue, mine.client)
		return
	}
	t.queue[mine.client] = rest
	t.order = append(t.order, mine.client)
}

// giveBack ends a turn and reports whether the place had been lost. The turn's deadline
// is not set any more afterwards.
func (mine *turn) giveBack() (lost bool) {
	t := mine.turns
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.held, mine)
	t.settle()
	return mine.lost
}

// settle gives free places to those that wait and takes places from those that have to
// go. t.mu is held.
func (t *turns) settle() {
	now := time.Now()
	for len(t.order) > 0 && len(t.held) < t.most {
		next := t.next()
		t.unqueue(next)
		next.since = now
		t.held[next] = true
		close(next.granted)
	}
	waiting, leaving := 0, 0
	for _, q := range t.queue {
		waiting += len(q)
	}
	for h := range t.held {
		if h.lost {
			leaving++
		}
	}
	for ; leaving < waiting; leaving++ {
		v := t.slowest(now, func(h *turn) bool { return h.slowAt().After(now) })
		if v == nil && leaving == 0 { // one by one, since counts change with each
			v = t.crowder(now)
		}
		if v == nil {
			break
		}
		v.lost = true
		v.deadline(now.Add(-time.Second)) // fails the read under way; its goroutine gives the place back
	}
	t.lookAgain(now, leaving < waiting)
}

// next is who is served next: the client with the fewest places, of these the one that
// was served least recently.
func (t *turns) next() *turn {
	places := t.places()
	best := t.order[0]
	for _, c := range t.order[1:] {
		if places[c] < places[best] {
			best = c
		}
	}
	return t.queue[best][0]
}

// places counts the places that each client has and is not about to give back.
func (t *turns) places() map[string]int {
	n := map[string]int{}
	for h := range t.held {
		if !h.lost {
			n[h.client]++
		}
	}
	return n
}

// slowest is the slowest of those that have a place, except for those to be kept.
func (t *turns) slowest(now time.Time, keep func(*turn) bool) *turn {
	var worst *turn
	for h := range t.held {
		if h.lost || keep(h) {
			continue
		}
		if worst == nil || h.rate(now) < worst.rate(now) {
			worst = h
		}
	}
	return worst
}

// crowder is the slowest of the client that has the most places, when somebody waits
// that would still have fewer with one of these.
func (t *turns) crowder(now time.Time) *turn {
	client := t.crowd()
	return t.slowest(now, func(h *turn) bool {
		return client == nil || h.client != *client || now.Sub(h.since) < crowding
	})
}

// crowd is the client whose places are too many, if there is one.
func (t *turns) crowd() *string {
	places := t.places()
	var most *string
	for c, n := range places {
		if most == nil || n > places[*most] {
			most = &c
		}
	}
	if most == nil || len(t.order) == 0 || places[*most] < places[t.next().client]+2 {
		return nil
	}
	return most
}

// lookAgain sees that places are looked at when the next one may have to go.
func (t *turns) lookAgain(now time.Time, wanted bool) {
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
	if !wanted {
		return
	}
	crowd := t.crowd()
	wait := patience
	for h := range t.held {
		if h.lost {
			continue
		}
		wait = min(wait, h.slowAt().Sub(now))
		if crowd != nil && h.client == *crowd {
			wait = min(wait, h.since.Add(crowding).Sub(now))
		}
	}
	t.timer = time.AfterFunc(max(wait, recheck), func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.settle()
	})
}

// slowAt is when a body is too slow for its place, if no more comes of it.
func (mine *turn) slowAt() time.Time {
	paid := time.Duration(float64(mine.bytes.Load()) / flow * float64(time.Second))
	return mine.since.Add(max(paid, patience))
}

// rate is how many bytes a second came of a body.
func (mine *turn) rate(now time.Time) float64 {
	return float64(mine.bytes.Load()) / max(now.Sub(mine.since).Seconds(), 1e-9)
}

// reader counts what comes of a body.
func (mine *turn) reader(body io.ReadCloser) io.ReadCloser { return &turnReader{body, mine} }

type turnReader struct {
	io.ReadCloser
	turn *turn
}

func (r *turnReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.turn.bytes.Add(int64(n))
	return n, err
}
