package pod

import (
	"sync"

	"k8s.io/client-go/util/workqueue"

	"dagwright/dag"
)

// lanes is the order in which the workers get attempts: those that are to begin
// wait behind all others. In a burst of starts an attempt that has ended is then
// handled at once, and not after a thousand creations.
type lanes struct {
	mu     sync.Mutex
	begins map[dag.AttemptKey]bool // to wait, or waiting, in starts
	starts workqueue.Queue[dag.AttemptKey]
	others workqueue.Queue[dag.AttemptKey]
}

func newLanes() *lanes {
	return &lanes{
		begins: map[dag.AttemptKey]bool{},
		starts: workqueue.DefaultQueue[dag.AttemptKey](), others: workqueue.DefaultQueue[dag.AttemptKey](),
	}
}

// newQueue is the workers' queue: keys come in the order of the lanes, and those
// whose work has failed come back after a growing pause.
func newQueue(order *lanes) workqueue.TypedRateLimitingInterface[dag.AttemptKey] {
	ordered := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[dag.AttemptKey]{Queue: order})
	delaying := workqueue.NewTypedDelayingQueueWithConfig(
		workqueue.TypedDelayingQueueConfig[dag.AttemptKey]{Queue: ordered})
	return workqueue.NewTypedRateLimitingQueueWithConfig(
		workqueue.NewTypedItemExponentialFailureRateLimiter[dag.AttemptKey](firstPause, lastPause),
		workqueue.TypedRateLimitingQueueConfig[dag.AttemptKey]{DelayingQueue: delaying})
}

// begin says that the next push of the key is an attempt that is to begin.
func (l *lanes) begin(key dag.AttemptKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begins[key] = true
}

// Touch leaves a key that is added again where it waits.
func (l *lanes) Touch(dag.AttemptKey) {}

// Push adds a key.
func (l *lanes) Push(key dag.AttemptKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begins[key] {
		l.starts.Push(key)
	} else {
		l.others.Push(key)
	}
}

// Len is how many keys wait.
func (l *lanes) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.starts.Len() + l.others.Len()
}

// Pop takes the key whose turn it is.
func (l *lanes) Pop() dag.AttemptKey {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.others.Len() > 0 {
		return l.others.Pop()
	}
	key := l.starts.Pop()
	delete(l.begins, key)
	return key
}
