package scheduler

import (
	"context"
	"fmt"
	"time"

	"dagwright/dag"
)

// recheck asks the store for what the loop may have missed: all DAGs after the feed
// dropped changes, now and then those with something to do, since a notification may be
// lost without a word, and attempts that were decided and not started.
func (l *loop) recheck(ctx context.Context) error {
	// A clock that was set back is not a reason to wait until it has caught up.
	if now := l.Now(); !now.Before(l.nextCheck) || now.Before(l.nextCheck.Add(-2*l.Recheck)) {
		if err := l.markSilent(ctx, now); err != nil {
			return err
		}
	}
	if err := l.markMissed(ctx); err != nil {
		return err
	}
	return l.startUndone(ctx)
}

// markSilent marks the DAGs that have something to do, announced or not.
func (l *loop) markSilent(ctx context.Context, now time.Time) error {
	// Twice the interval, so that what was committed during the last look is seen.
	ids, err := l.Store.DueDAGs(ctx, now.Add(-2*l.Recheck))
	if err != nil {
		return fmt.Errorf("read due DAGs: %w", err)
	}
	l.nextCheck = now.Add(l.Recheck)
	l.doubt = true
	l.mark(ids...)
	return nil
}

// markMissed marks every DAG that may have something to do, when the feed
// dropped changes.
func (l *loop) markMissed(ctx context.Context) error {
	if !l.lagged {
		return nil
	}
	ids, err := l.Store.ActiveDAGs(ctx)
	if err != nil {
		return fmt.Errorf("read active DAGs: %w", err)
	}
	l.lagged = false
	for _, id := range ids {
		l.retry(id)
	}
	return nil
}

// startUndone starts the attempts that the store has as queued and that nobody started,
// because the answer to the step that queued them was lost. It does so whenever a step
// has failed, before the next one.
func (l *loop) startUndone(ctx context.Context) error {
	if !l.doubt {
		return nil
	}
	active, err := l.Store.ActiveAttempts(ctx)
	if err != nil {
		return fmt.Errorf("read active attempts: %w", err)
	}
	l.doubt = false
	for _, ti := range active {
		k := ti.Key()
		if ti.State != dag.TaskQueued || l.dispatcher.known.has(k) {
			continue
		}
		l.Logger.Warn("attempt was decided but not started, starting it", "dag", k.DAG, "run", k.Run, "task", k.Task,
			"try", k.Try)
		l.dispatcher.startDecided(ti)
	}
	return nil
}
