package scheduler

import (
	"context"
	"testing"

	"dagwright/dag"
	"dagwright/executor"
)

// lateExecutor does not know its attempts until late is closed, as one whose
// cluster is away; at once when late is nil.
type lateExecutor struct {
	executor.Executor

	late chan struct{}
}

func (x lateExecutor) List(ctx context.Context) ([]dag.AttemptEvent, error) {
	if x.late != nil {
		select {
		case <-x.late:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return x.Executor.List(ctx)
}

// TestSyncWhileRecoveryWaits starts while the executor is away: DAGs are taken
// over, runs can be triggered, the scheduler can be stopped, and what was
// triggered runs once the executor is back.
func TestSyncWhileRecoveryWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.late = make(chan struct{})
	w.commit(map[string]string{"dags/early.yaml": shell("early", "", "echo one")})
	w.up()
	w.awaitDAG("early")
	w.down()
	w.up()
	run := w.trigger("early", nil)
	w.commit(map[string]string{"dags/second.yaml": shell("second", "", "echo two")})
	w.awaitDAG("second")
	if r, err := w.store.Run(t.Context(), "early", run); err != nil || r.State != dag.RunQueued {
		t.Errorf("the run is %s before the executor is there (%v)", r.State, err)
	}
	close(w.late)
	w.awaitRun("early", run, dag.RunSuccess)
}
