package scheduler

import (
	"context"
	"testing"
	"time"

	"dagwright/dag"
)

// TestAttemptsAreEndedBesideEachOther hangs with one attempt: another one's things are done, and the
// first one's come in their order.
func TestAttemptsAreEndedBesideEachOther(t *testing.T) {
	t.Parallel()
	l := newLanes()
	slow, other := dag.AttemptKey{Task: "slow"}, dag.AttemptKey{Task: "other"}
	release, done := make(chan struct{}), make(chan string, 3)
	l.push(slow, func(context.Context) { <-release; done <- "stop slow" })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); l.run(ctx) }()
	l.push(slow, func(context.Context) { done <- "forget slow" })
	l.push(other, func(context.Context) { done <- "stop other" })
	for i, want := range []string{"stop other", "stop slow", "forget slow"} {
		if i == 1 {
			close(release)
		}
		select {
		case got := <-done:
			if got != want {
				t.Errorf("%q was done, want %q", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%q was not done", want)
		}
	}
	cancel()
	<-ended
	if len(l.queues) != 0 {
		t.Errorf("lanes are left: %v", l.queues)
	}
}
