package scheduler

import (
	"container/heap"
	"time"

	"dagwright/dag"
)

// timers say when DAGs are to be looked at. Setting one and finding the next take no
// longer the more there are.
type timers struct {
	at    map[dag.ID]time.Time
	queue timerQueue // has each timer of at, and earlier ones that do not count any more
}

type timer struct {
	dag dag.ID
	at  time.Time
}

func newTimers() *timers { return &timers{at: map[dag.ID]time.Time{}} }

func (t *timers) set(id dag.ID, at time.Time) {
	if old, ok := t.at[id]; ok && old.Equal(at) {
		return
	}
	t.at[id] = at
	if len(t.queue) > 2*len(t.at)+64 {
		t.queue = t.queue[:0]
		for id, at := range t.at {
			t.queue = append(t.queue, timer{id, at})
		}
		heap.Init(&t.queue)
		return
	}
	heap.Push(&t.queue, timer{id, at})
}

func (t *timers) remove(id dag.ID) { delete(t.at, id) }

// next returns the time of the first timer, and false when there is none.
func (t *timers) next() (time.Time, bool) {
	for len(t.queue) > 0 {
		first := t.queue[0]
		if at, ok := t.at[first.dag]; ok && at.Equal(first.at) {
			return at, true
		}
		heap.Pop(&t.queue)
	}
	return time.Time{}, false
}

// due takes the DAGs whose time has come, the first one in front.
func (t *timers) due(now time.Time) (ids []dag.ID) {
	for at, ok := t.next(); ok && !at.After(now); at, ok = t.next() {
		id := heap.Pop(&t.queue).(timer).dag
		t.remove(id)
		ids = append(ids, id)
	}
	return ids
}

// timerQueue is a heap.Interface, the first timer in front.
type timerQueue []timer

func (q timerQueue) Len() int           { return len(q) }
func (q timerQueue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q timerQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push adds a timer, for container/heap.
func (q *timerQueue) Push(x any) { *q = append(*q, x.(timer)) }

// Pop removes the last one, for container/heap.
func (q *timerQueue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}
