package scheduler

import (
	"context"
	"time"

	"dagwright/dag"
	"dagwright/reason"
)

// holdPause is how long an attempt that waits for space waits before the next
// look.
const holdPause = 2 * time.Second

// isShort reports whether the disk of the task logs has less space than it
// should: a task that starts would take more of it.
func (d *dispatcher) isShort() bool {
	return d.Logs != nil && d.Logs.Short()
}

// hold brings an attempt back after a while, since space is short, unless it is
// stopped before.
func (d *dispatcher) hold(ctx context.Context, s *start) {
	if !s.held {
		s.held = true
		d.report(ctx,
			dag.AttemptEvent{Key: s.key, Phase: dag.AttemptWaiting, At: d.Now(), Reason: reason.New(reason.WaitsForLogSpace)})
	}
	if !d.starts.delay(s, holdPause) {
		d.dropped(ctx, s.key)
	}
}
