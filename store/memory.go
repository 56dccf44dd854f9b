package store

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"dagwright/dag"
)

// maxRemembered bounds the task instances that a memory holds: some 400 bytes each.
const maxRemembered = 200_000

// recount is how long the number of active task instances is believed. Another process
// may change it, though one scheduler works on a store at a time.
const recount = 10 * time.Second

// memory holds the unfinished runs of DAGs as the steps of this store left them, so that
// a step reads only those again where somebody else has written. A revision tells: it is
// drawn at random by every write that locks the DAG, and read under that lock. A step
// takes what it works on out of the memory and puts it back after its commit; a step that
// fails, or whose outcome is not known, leaves nothing.
type memory struct {
	mu    sync.Mutex
	dags  map[dag.ID]*live
	tasks int // in all of them
	// active is the number of active task instances as of counted, zero when it is not known.
	active  int
	counted time.Time
}

// live is what is known of one DAG's unfinished runs.
type live struct {
	rev   int64
	runs  []*stepRun // running, and ended with active attempts; by RunAfter and key
	byID  map[dag.RunID]*stepRun
	tasks int
}

func newMemory() *memory { return &memory{dags: map[dag.ID]*live{}} }

func newLive(runs []*stepRun) *live {
	l := &live{runs: runs, byID: make(map[dag.RunID]*stepRun, len(runs))}
	for _, r := range runs {
		l.byID[r.ID] = r
	}
	return l
}

// take removes what is known of a DAG, and returns it if it is of that revision.
func (m *memory) take(id dag.ID, rev int64) *live {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.dags[id]
	if l == nil {
		return nil
	}
	m.drop(id)
	if l.rev != rev {
		m.counted = time.Time{} // another process may be at work
		return nil
	}
	return l
}

func (m *memory) drop(id dag.ID) {
	m.tasks -= m.dags[id].tasks
	delete(m.dags, id)
}

// put keeps what a committed step left of a DAG.
func (m *memory) put(id dag.ID, l *live) {
	if len(l.runs) == 0 || l.rev == 0 {
		return
	}
	l.tasks = 0
	for _, r := range l.runs {
		l.tasks += len(r.tasks)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dags[id] != nil {
		m.drop(id)
	}
	m.dags[id] = l
	m.tasks += l.tasks
	for other := range m.dags {
		if m.tasks <= maxRemembered {
			return
		}
		if other != id {
			m.drop(other)
		}
	}
}

// pass notes a write that changed no run that has started.
func (m *memory) pass(id dag.ID, from, to int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.dags[id]; l != nil && l.rev == from {
		l.rev = to
	}
}

// activeTasks returns the number of active task instances, if it is known.
func (m *memory) activeTasks() (n int, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.active, time.Since(m.counted) < recount
}

// count keeps the number of active task instances after a step: what was counted in it,
// or else what it changed.
func (m *memory) count(counted bool, n, change int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if counted {
		m.active, m.counted = n, time.Now()
	}
	m.active += change
}

// forget makes the number of active task instances be counted again.
func (m *memory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counted = time.Time{}
}

// settle takes over what a step has done to the runs: those that have started come in,
// and those that are over go.
func (l *live) settle(changed []*stepRun) {
	for _, r := range changed {
		if r.unfinished() && l.byID[r.ID] == nil {
			at, _ := slices.BinarySearchFunc(l.runs, r, byStart)
			l.runs = slices.Insert(l.runs, at, r)
			l.byID[r.ID] = r
		}
	}
	l.runs = slices.DeleteFunc(l.runs, func(r *stepRun) bool {
		if r.unfinished() {
			return false
		}
		delete(l.byID, r.ID)
		return true
	})
}

func byStart(a, b *stepRun) int {
	return cmp.Or(a.RunAfter.Compare(b.RunAfter), cmp.Compare(a.pk, b.pk))
}

func (r *stepRun) unfinished() bool { return r.State == dag.RunRunning || r.stopping }
