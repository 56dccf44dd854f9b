package scheduler

import (
	"sync"

	"dagwright/dag"
)

// known is the set of attempts that this process has started or found, and whose end
// the store does not have yet. Several goroutines may use it.
type known struct {
	mu   sync.Mutex
	keys map[dag.AttemptKey]struct{}
}

func newKnown() *known { return &known{keys: map[dag.AttemptKey]struct{}{}} }

func (k *known) add(key dag.AttemptKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[key] = struct{}{}
}

func (k *known) remove(key dag.AttemptKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, key)
}

func (k *known) has(key dag.AttemptKey) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.keys[key]
	return ok
}
