package store

import (
	"slices"
	"sync"
)

// outbox hands the changes of committed transactions of this process to the feed. Those
// about one DAG keep the order of their commits: a transaction takes its ticket before
// its COMMIT, under the locks that keep the next one about the same DAG waiting. A COMMIT
// whose answer is late holds up what is said of its own DAGs alone.
type outbox struct {
	publish func([]Change)

	mu      sync.Mutex
	tickets []*ticket // in the order of the commits
}

// ticket is the place of one transaction.
type ticket struct {
	changes []Change
	ended   bool
}

// subject is what changes keep their order about.
type subject struct{ dag, other string }

func (c Change) subject() subject {
	if c.DAG != "" {
		return subject{dag: string(c.DAG)}
	}
	return subject{other: string(c.Kind) + " " + c.Project}
}

// take gives a transaction its place. The transaction says what became of it by end.
func (o *outbox) take(changes []Change) *ticket {
	t := &ticket{changes: changes}
	if len(changes) == 0 {
		return t
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tickets = append(o.tickets, t)
	return t
}

// end publishes the changes of a transaction, or drops them when nothing was written,
// together with those that have waited for it.
func (o *outbox) end(t *ticket, written bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if t.ended = true; !written {
		t.changes = nil
	}
	held := map[subject]bool{}
	o.tickets = slices.DeleteFunc(o.tickets, func(t *ticket) bool {
		waits := !t.ended || slices.ContainsFunc(t.changes, func(c Change) bool { return held[c.subject()] })
		if !waits {
			o.publish(t.changes)
			return true
		}
		for _, c := range t.changes {
			held[c.subject()] = true
		}
		return false
	})
}
