package generator

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"dagwright/store"
)

const (
	// prepareLimit bounds the branches that are read from GitLab at the same time, and
	// slowLimit those of them that take longer than slowAfter.
	prepareLimit = 16
	slowLimit    = 64
	slowAfter    = 2 * time.Second
	// gatherTime is how long what is prepared waits for others, to be one commit with
	// them. A preparation that lasts longer is not waited for.
	gatherTime = time.Second
)

// preparer prepares the waiting pushes of branches beside the loop that delivers them: a
// project for which GitLab does not answer holds up no other. busy belongs to that loop.
type preparer struct {
	prepare func(context.Context, []store.Push) (*change, []store.PushResult)
	busy    map[branchKey]*preparation
	done    chan prepared // has room for all
	// places are for preparations, and slow for those that take long: they give their
	// place to others.
	places, slow chan struct{}
	slowAfter    time.Duration
	running      sync.WaitGroup
}

// preparation is one on its way.
type preparation struct {
	pushes int
	begun  atomic.Pointer[time.Time] // nil while it waits for a place
}

// prepared is what became of the waiting pushes of a branch.
type prepared struct {
	branch  branchKey
	change  *change // nil when there is nothing to deliver
	results []store.PushResult
}

func (g *Generator) newPreparer() *preparer {
	return &preparer{
		prepare: g.prepare, busy: map[branchKey]*preparation{}, done: make(chan prepared, batch),
		places: make(chan struct{}, prepareLimit), slow: make(chan struct{}, slowLimit), slowAfter: slowAfter,
	}
}

// begin begins with the branches that are not prepared already.
func (p *preparer) begin(ctx context.Context, pushes []store.Push) {
	for _, group := range byBranch(pushes) {
		key := keyOf(group[0])
		if p.busy[key] != nil || len(p.busy) == cap(p.done) {
			continue
		}
		work := &preparation{pushes: len(group)}
		p.busy[key] = work
		p.running.Go(func() {
			done := prepared{branch: key}
			p.inPlace(ctx, work, func() { done.change, done.results = p.prepare(ctx, group) })
			p.done <- done
		})
	}
}

// inPlace calls f when there is a place, unless ctx ends first.
func (p *preparer) inPlace(ctx context.Context, work *preparation, f func()) {
	select {
	case <-ctx.Done():
		return
	case p.places <- struct{}{}:
	}
	work.begun.Store(new(time.Now()))
	at := &place{of: p.places}
	defer at.leave()
	aside := time.AfterFunc(p.slowAfter, func() { at.move(p.slow) })
	defer aside.Stop()
	f()
}

// place is what a preparation holds while it works.
type place struct {
	mu sync.Mutex
	of chan struct{} // nil when it was left
}

// move changes to another place, if there is one.
func (p *place) move(to chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		return
	}
	select {
	case to <- struct{}{}:
		<-p.of
		p.of = to
	default:
	}
}

func (p *place) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	<-p.of
	p.of = nil
}

// gather takes what is prepared, the first and those that follow soon.
func (p *preparer) gather(ctx context.Context, first prepared) []prepared {
	ready := []prepared{p.take(first)}
	limit := time.NewTimer(gatherTime)
	defer limit.Stop()
	for p.young() {
		select {
		case d := <-p.done:
			ready = append(ready, p.take(d))
		case <-limit.C:
			return ready
		case <-ctx.Done():
			return ready
		}
	}
	return ready
}

func (p *preparer) take(d prepared) prepared {
	delete(p.busy, d.branch)
	return d
}

// young reports whether a preparation is likely to end soon.
func (p *preparer) young() bool {
	for _, work := range p.busy {
		if begun := work.begun.Load(); begun == nil || time.Since(*begun) < gatherTime {
			return true
		}
	}
	return len(p.done) > 0
}

// pushes is how many are being prepared.
func (p *preparer) pushes() (n int) {
	for _, work := range p.busy {
		n += work.pushes
	}
	return n
}
