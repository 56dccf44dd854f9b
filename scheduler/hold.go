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

// held says what keeps all attempts from being started; zero when nothing does.
func (d *dispatcher) held() reason.Reason {
	switch {
	case d.short():
		return reason.New(reason.WaitsForLogSpace)
	case d.MayStart != nil && !d.MayStart():
		return reason.New(reason.WaitsForLease)
	}
	return reason.Reason{}
}

// hold brings an attempt back after a while, for that reason, unless it is
// stopped before.
func (d *dispatcher) hold(ctx context.Context, s *start, why reason.Reason) {
	if !s.held {
		s.held = true
		d.report(ctx, dag.AttemptEvent{Key: s.key, Phase: dag.AttemptWaiting, At: d.Now(), Reason: why})
	}
	if !d.starts.delay(s, holdPause) {
		d.dropped(ctx, s.key)
	}
}
