package store

import (
	"fmt"

	"dagwright/dag"
)

// keepTry copies the task instance into the history, if it is still the one
// that was decided on. A try that is there already was kept when it was cleared, or
// when it ended while it waited for its retry.
func keepTry(t *tx, r *runRecord, task dag.TaskID, state dag.TaskState, try int) error {
	_, err := t.exec(`INSERT INTO task_instance_history (dag_run, task_id, state, try_number, max_tries, queued_at,
			start_date, end_date, retry_at, exit_code, has_exit_code, reason_code, reason_args, hostname, pid, wish, lost,
			skipped_with_run)
		SELECT t.dag_run, t.task_id, CASE WHEN t.state IN ('success', 'failed', 'skipped', 'upstream_failed', 'removed')
				THEN t.state ELSE 'failed' END,
			t.try_number, t.max_tries, t.queued_at, t.start_date, t.end_date,
			t.retry_at, t.exit_code, t.has_exit_code, t.reason_code, t.reason_args, t.hostname, t.pid, '', t.lost, t.skipped_with_run
		FROM task_instance t WHERE t.dag_run = $1 AND t.task_id = $2 AND t.state = $3 AND t.try_number = $4
		ON CONFLICT (dag_run, task_id, try_number) DO NOTHING`,
		r.pk, task, state, try)
	if err != nil {
		return fmt.Errorf("keep try %d of task %q: %w", try, task, err)
	}
	return nil
}

// keepEndedTry keeps the try of a task instance that waits for its retry: the try has
// ended by itself, whatever happens to the task.
func keepEndedTry(t *tx, r *runRecord, ti dag.TaskInstance) error {
	if ti.State != dag.TaskUpForRetry || ti.Try == 0 {
		return nil
	}
	return keepTry(t, r, ti.Task, ti.State, ti.Try)
}
