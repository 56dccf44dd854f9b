package scheduler

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
)

func attemptOf(id dag.ID, task dag.TaskID) *start {
	return &start{key: dag.AttemptKey{DAG: id, Run: "r", Task: task, Try: 1}}
}

// taken takes what may be worked on now.
func taken(q *startQueue) []*start {
	var all []*start
	for s := q.take(context.Background()); s != nil; s = q.take(context.Background()) {
		all = append(all, s)
	}
	return all
}

func names(all []*start) []string {
	var out []string
	for _, s := range all {
		out = append(out, string(s.key.DAG)+"."+string(s.key.Task))
	}
	return out
}

// TestLanes holds that DAGs take turns, that a DAG prepares one attempt at a time,
// and that it starts no more than its part at once.
func TestLanes(t *testing.T) {
	t.Parallel()
	q := newStartQueue(2)
	for _, task := range []dag.TaskID{"1", "2", "3", "4"} {
		q.push(attemptOf("a", task))
	}
	q.push(attemptOf("b", "1"))
	q.push(attemptOf("b", "1")) // is on its way already
	first := taken(q)
	if diff := cmp.Diff([]string{"a.1", "b.1"}, names(first)); diff != "" {
		t.Errorf("while both prepare (-want +got):\n%s", diff)
	}
	for _, s := range first {
		if !q.prepared(s) {
			t.Errorf("%v was stopped", s.key)
		}
	}
	q.push(attemptOf("b", "2"))
	second := taken(q)
	if diff := cmp.Diff([]string{"a.2", "b.2"}, names(second)); diff != "" {
		t.Errorf("while the first start (-want +got):\n%s", diff)
	}
	for _, s := range second {
		q.prepared(s)
	}
	if more := taken(q); more != nil {
		t.Errorf("a third of a DAG was taken: %v", names(more))
	}
	for _, s := range append(first, second...) {
		q.finish(s)
	}
	if diff := cmp.Diff([]string{"a.3"}, names(taken(q))); diff != "" {
		t.Errorf("afterwards (-want +got):\n%s", diff)
	}
}

// TestStopOfAStart tells what happens to an attempt that is stopped on its way.
func TestStopOfAStart(t *testing.T) {
	t.Parallel()
	q := newStartQueue(1)
	waiting, other := attemptOf("a", "waiting"), attemptOf("a", "other")
	q.push(waiting)
	q.push(other)
	if !q.stop(waiting.key) || q.stop(waiting.key) {
		t.Error("a waiting attempt is dropped, once")
	}
	s := q.next(t.Context())
	if s != other {
		t.Fatalf("took %v, want the other", s.key)
	}
	if q.stop(s.key) {
		t.Error("one that is being prepared is its worker's")
	}
	if s.ctx.Err() == nil {
		t.Error("the preparation goes on")
	}
	if q.prepared(s) {
		t.Error("the worker does not hear of the stop")
	}
	q.finish(s)

	q.push(attemptOf("a", "starting"))
	s = q.next(t.Context())
	if !q.prepared(s) || q.stop(s.key) || !q.finish(s) {
		t.Error("one that is being started is stopped after its start")
	}

	delayed := attemptOf("b", "delayed")
	q.push(delayed)
	s = q.next(t.Context())
	if !q.prepared(s) || !q.delay(s, time.Hour) || !q.stop(s.key) {
		t.Error("one that is tried again later is dropped")
	}
	q.comeBack(s)
	q.push(attemptOf("b", "stopped"))
	s = q.next(t.Context())
	if s.key.Task != "stopped" {
		t.Errorf("took %v, want nothing of the dropped one", s.key)
	}
	q.stop(s.key)
	q.prepared(s)
	if q.delay(s, time.Hour) {
		t.Error("a stopped attempt is tried again")
	}
	if len(q.lanes)+len(q.turns)+len(q.starts) > 0 {
		t.Errorf("the queue keeps %v, %v, %v", q.lanes, q.turns, q.starts)
	}
}

// TestNextEnds holds that waiting for an attempt ends with the scheduler.
func TestNextEnds(t *testing.T) {
	t.Parallel()
	q := newStartQueue(1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan *start)
	go func() { ended <- q.next(ctx) }()
	cancel()
	if s := <-ended; s != nil {
		t.Errorf("took %v from an empty queue", s.key)
	}
}
