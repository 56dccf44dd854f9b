package process

import (
	"context"
	"time"

	"dagwright/dag"
)

// Stop sends SIGTERM to the attempt's process group and, when grace has
// passed, SIGKILL. The supervisor keeps the wish, so both happen even when
// dagwright is restarted meanwhile. Stopping again can only shorten the grace.
// An attempt that is not started yet ends at once.
func (x *Executor) Stop(ctx context.Context, key dag.AttemptKey, grace time.Duration) error {
	t := x.find(key)
	if t == nil {
		return nil
	}
	t.mu.Lock()
	ended := t.ended != nil
	if !ended && !t.stopped {
		t.stopped = true
		close(t.wanted)
	}
	t.mu.Unlock()
	if ended || !t.isSettled() {
		return nil
	}
	return x.sup.Stop(ctx, t.name, time.Now().Add(max(grace, 0)))
}

// stopLate stops an attempt that began in the moment in which it was stopped:
// it has done nothing yet that would need grace.
func (x *Executor) stopLate(t *attempt) {
	if err := x.sup.Stop(x.ctx, t.name, time.Now()); err != nil && x.ctx.Err() == nil {
		x.logger(t).Error("stop attempt", "err", err)
	}
}
