package pod

import (
	"slices"
	"time"

	"dagwright/dag"
)

// askPause is how long after one attempt of a line the next one asks for its pod
// when nothing has changed: others may have freed what is missing.
const askPause = time.Second

// quotaLine is the attempts of one namespace that wait for quota, in the order of their
// coming. Only who has the turn asks for its pod: one after the other, so that
// the API server hears no more of a thousand that wait than of two; and each in
// turn, so that a pod that no quota will ever take holds up nobody.
type quotaLine struct {
	waiting []dag.AttemptKey
	next    int // whose turn it is when nothing has changed
	// turns holds those that may ask and have not yet.
	turns map[dag.AttemptKey]bool
	timer *time.Timer
}

// mayAsk reports whether an attempt may ask for its pod now. One that may not
// stands in the line afterwards.
func (x *Executor) mayAsk(t *attempt) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	l := x.lines[t.namespace]
	if l == nil {
		return true
	}
	if l.turns[t.key] {
		delete(l.turns, t.key)
		return true
	}
	l.add(t.key)
	return false
}

// standInLine is for an attempt whose pod a quota has refused.
func (x *Executor) standInLine(t *attempt) {
	x.mu.Lock()
	defer x.mu.Unlock()
	l := x.lines[t.namespace]
	if l == nil {
		l = &quotaLine{turns: map[dag.AttemptKey]bool{}}
		x.lines[t.namespace] = l
		l.timer = time.AfterFunc(askPause, func() { x.tick(t.namespace, l) })
	}
	l.add(t.key)
}

// passLine is for an attempt whose pod exists: it waits no more, and there may be
// room for another.
func (x *Executor) passLine(t *attempt) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.leave(t) {
		return
	}
	if l := x.lines[t.namespace]; l != nil {
		x.giveTurn(l, l.rotate())
	}
}

// leave takes an attempt out of its line, and reports whether it was in one. x.mu
// is held.
func (x *Executor) leave(t *attempt) bool {
	l := x.lines[t.namespace]
	if l == nil {
		return false
	}
	i := slices.Index(l.waiting, t.key)
	if i < 0 {
		return false
	}
	delete(l.turns, t.key)
	l.waiting = slices.Delete(l.waiting, i, i+1)
	if i < l.next {
		l.next--
	}
	if len(l.waiting) == 0 {
		l.timer.Stop()
		delete(x.lines, t.namespace)
	}
	return true
}

// wakeLine lets the attempt that has waited longest, and the one whose turn it is, ask
// for their pods, now that a pod of the namespace has ended. x.mu is held.
func (x *Executor) wakeLine(namespace string) {
	l := x.lines[namespace]
	if l == nil {
		return
	}
	oldest, other := l.waiting[0], l.rotate()
	x.giveTurn(l, oldest)
	if other != oldest {
		x.giveTurn(l, other)
	}
}

// tick gives the turn to the next one of a line, unless one that has it has not
// asked yet: the API server may be slow.
func (x *Executor) tick(namespace string, l *quotaLine) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed || x.lines[namespace] != l {
		return
	}
	if len(l.turns) == 0 {
		x.giveTurn(l, l.rotate())
	}
	l.timer.Reset(askPause)
}

// giveTurn lets an attempt ask. x.mu is held.
func (x *Executor) giveTurn(l *quotaLine, key dag.AttemptKey) {
	l.turns[key] = true
	x.queue.Add(key)
}

func (l *quotaLine) add(key dag.AttemptKey) {
	if !slices.Contains(l.waiting, key) {
		l.waiting = append(l.waiting, key)
	}
}

// rotate returns whose turn it is, and goes on to the next.
func (l *quotaLine) rotate() dag.AttemptKey {
	l.next %= len(l.waiting)
	key := l.waiting[l.next]
	l.next++
	return key
}
