package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dagwright/dag"
	"dagwright/reason"
)

// Snapshot is what the scheduler decides on: some DAGs with their active runs,
// as one transaction sees them.
type Snapshot struct {
	DAGs []DAGState
	// ActiveTasks is the number of task instances that hold a slot (queued or
	// running) in the whole instance.
	ActiveTasks int
	// Unreadable are the DAGs that were asked for and are left out, since what the
	// database holds of them cannot be read, with the fault.
	Unreadable map[dag.ID]error
}

// DAGState is one DAG in a Snapshot.
type DAGState struct {
	DAG        *dag.DAG // newest version
	Version    int
	Paused     bool
	Archived   bool
	UnpausedAt time.Time
	Next       NextRun
	// LastScheduled is the logical date of the newest scheduled run, zero when
	// there is none.
	LastScheduled time.Time
	// Runs are the running runs, then the queued ones by RunAfter (no more of
	// them than could start: MaxActiveRuns minus the running ones, at least
	// one and 16 at most), then those of Backfill in its own order and within its
	// own limit, then ended runs that still have active attempts.
	Runs []RunDetail
	// Queued is the number of queued runs in all, except for those of Backfill.
	Queued int
	// Backfill is the DAG's backfill that is not completed; nil when there is none.
	Backfill *BackfillState
}

// BackfillState is what a plan needs to know of a backfill.
type BackfillState struct {
	ID            int64
	Paused        bool
	Backwards     bool
	MaxActiveRuns int
	Queued        int // its queued runs in all
}

// RunDetail is a run with the definition it is bound to and its task instances, of which
// there are none until the run has started.
type RunDetail struct {
	dag.Run
	Spec  *dag.DAG
	Tasks []dag.TaskInstance
	// InBackfill says that it is a run of the DAG's Backfill, which has run slots of
	// its own.
	InBackfill bool
}

// Action is one decision of the scheduler. The concrete types below are all
// there are. Each is a compare-and-set: it names the state it was decided on,
// and is left out when that is no longer true.
type Action interface{ action() }

// CreateRun creates a queued run and, in the same transaction, sets the DAG's Next. It is
// left out when a run with that id or logical date exists; Next is set all the same.
type CreateRun struct {
	Run  dag.Run
	Next NextRun
}

// SetNext sets the DAG's next scheduled run.
type SetNext struct {
	DAG  dag.ID
	Next NextRun
}

// StartRun moves a run from queued to running and creates its task instances.
type StartRun struct {
	DAG   dag.ID
	Run   dag.RunID
	At    time.Time
	Tasks []dag.TaskInstance
}

// UpdateTask replaces the task instance that is now in state From at try
// FromTry by Task. When Task has a higher Try, or waited for its retry, the earlier
// one is kept as history, as failed if it had not ended (as Airflow keeps it); a
// lower Try is dag.ErrInvalid.
type UpdateTask struct {
	From    dag.TaskState
	FromTry int
	Task    dag.TaskInstance
}

// EndRun moves a run from running (or queued) to an ended state. Attempts that
// are still active keep their state: the run stays in the DAG's snapshot until
// their end is written.
type EndRun struct {
	DAG    dag.ID
	Run    dag.RunID
	From   dag.RunState
	State  dag.RunState
	At     time.Time
	Reason reason.Reason
}

func (CreateRun) action()  {}
func (SetNext) action()    {}
func (StartRun) action()   {}
func (UpdateTask) action() {}
func (EndRun) action()     {}

// Advance shows plan a snapshot of the given DAGs and writes the actions that
// plan returns, in one transaction, and returns those that took effect, in
// order. plan must be pure: it may be called again when the database asks for
// the transaction to be repeated. It must not call the store. Unknown DAGs are
// left out of the snapshot, and actions on DAGs outside of it are left out.
func (s *Store) Advance(ctx context.Context, ids []dag.ID, plan func(Snapshot) []Action) ([]Action, error) {
	var applied []Action
	err := s.db.write(ctx, func(t *tx) error {
		a := &advance{t: t, ledger: newLedger(t), runs: map[runKey]*runRecord{}}
		snapshot, err := s.snapshot(a, ids)
		if err != nil {
			return fmt.Errorf("read snapshot: %w", err)
		}
		applied, err = a.apply(plan(snapshot))
		for i := range t.changes {
			t.changes[i].Planned = true
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return applied, nil
}

// advance is one call of Advance.
type advance struct {
	t      *tx
	ledger *ledger
	dags   map[dag.ID]*dagRecord
	runs   map[runKey]*runRecord // those of the snapshot, and those met since
}

type runKey struct {
	dag dag.ID
	run dag.RunID
}

func (a *advance) apply(actions []Action) ([]Action, error) {
	var applied []Action
	for _, action := range actions {
		ok, err := a.one(action)
		if err != nil {
			return nil, err
		}
		if ok {
			applied = append(applied, action)
		}
	}
	return applied, a.ledger.flush()
}

// one writes one action and reports whether it took effect.
func (a *advance) one(action Action) (bool, error) {
	switch x := action.(type) {
	case CreateRun:
		return a.createRun(x)
	case SetNext:
		return a.setNext(x.DAG, x.Next), nil
	case StartRun:
		return a.startRun(x)
	case UpdateTask:
		return a.updateTask(x)
	case EndRun:
		return a.endRun(x)
	}
	return false, fmt.Errorf("unknown action %T: %w", action, dag.ErrInvalid)
}

func (a *advance) setNext(id dag.ID, next NextRun) bool {
	d, ok := a.dags[id]
	if ok && d.next != next {
		d.next = next
		a.ledger.touched(d)
	}
	return ok
}

func (a *advance) createRun(x CreateRun) (bool, error) {
	if !a.setNext(x.Run.DAG, x.Next) {
		return false, nil
	}
	x.Run.State, x.Run.Epoch = dag.RunQueued, a.dags[x.Run.DAG].epoch
	pk, err := insertRun(a.t, x.Run, "")
	if err != nil || pk == 0 {
		return false, err
	}
	r := &runRecord{pk: pk, Run: x.Run}
	a.runs[runKey{r.DAG, r.ID}] = r
	a.ledger.created(a.dags[r.DAG], r)
	return true, nil
}

// run finds a run of a DAG of the snapshot; nil when there is none.
func (a *advance) run(id dag.ID, run dag.RunID) (*runRecord, error) {
	if r, ok := a.runs[runKey{id, run}]; ok {
		return r, nil
	}
	if a.dags[id] == nil {
		return nil, nil
	}
	r, err := findRun(a.t, id, run)
	if errors.Is(err, dag.ErrNotFound) {
		return nil, nil
	}
	if err == nil {
		a.runs[runKey{id, run}] = r
	}
	return r, err
}

func (a *advance) startRun(x StartRun) (bool, error) {
	r, err := a.run(x.DAG, x.Run)
	if err != nil || r == nil {
		return false, err
	}
	n, err := a.t.exec(
		`UPDATE dag_run SET state = 'running', cleared = 0, start_date = $2 WHERE id = $1 AND state = 'queued'`, r.pk, x.At)
	if err != nil {
		return false, fmt.Errorf("start run %q of DAG %q: %w", x.Run, x.DAG, err)
	}
	if n == 0 {
		return false, nil
	}
	if r.Cleared { // its task instances are there
		if _, err := a.t.exec(`DELETE FROM task_instance WHERE dag_run = $1`, r.pk); err != nil {
			return false, fmt.Errorf("start run %q of DAG %q again: %w", x.Run, x.DAG, err)
		}
	}
	r.State, r.Cleared, r.StartedAt = dag.RunRunning, false, x.At
	a.ledger.moved(a.dags[x.DAG], r, dag.RunQueued)
	for _, ti := range x.Tasks {
		if ti.State != dag.TaskNone {
			a.t.announce(Change{Kind: ChangeTask, DAG: x.DAG, Run: x.Run, Task: ti.Task, State: string(ti.State)})
		}
	}
	return true, insertTasks(a.t, r.pk, x.Tasks)
}

func (a *advance) updateTask(x UpdateTask) (bool, error) {
	if x.Task.Try < x.FromTry {
		return false, fmt.Errorf("task %q cannot go back from try %d to %d: %w", x.Task.Task, x.FromTry, x.Task.Try,
			dag.ErrInvalid)
	}
	r, err := a.run(x.Task.DAG, x.Task.Run)
	if err != nil || r == nil {
		return false, err
	}
	if x.FromTry > 0 && (x.Task.Try > x.FromTry || x.From == dag.TaskUpForRetry) {
		if err := keepTry(a.t, r, x.Task.Task, x.From, x.FromTry); err != nil {
			return false, err
		}
	}
	args := append(taskArgs(r.pk, x.Task), x.From, x.FromTry)
	n, err := a.t.exec(setTask+` AND state = $20 AND try_number = $21`, args...)
	if err != nil {
		return false, fmt.Errorf("write task %q of run %q of DAG %q: %w", x.Task.Task, r.ID, r.DAG, err)
	}
	if n == 0 {
		return false, nil
	}
	a.t.announce(taskChange(x.Task))
	if r.State.Ended() && x.From.Active() != x.Task.State.Active() {
		return true, noteStopping(a.t, r)
	}
	return true, nil
}

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

// noteStopping keeps the mark of an ended run that still has active attempts.
func noteStopping(t *tx, r *runRecord) error {
	_, err := t.exec(`UPDATE dag_run SET stopping = CASE WHEN EXISTS (
			SELECT 1 FROM task_instance WHERE dag_run = $1 AND state IN ('queued', 'running')) THEN 1 ELSE 0 END
		WHERE id = $1`, r.pk)
	if err != nil {
		return fmt.Errorf("note attempts of run %q of DAG %q: %w", r.ID, r.DAG, err)
	}
	return nil
}

func (a *advance) endRun(x EndRun) (bool, error) {
	if !x.State.Ended() || x.From.Ended() {
		return false, fmt.Errorf("a run cannot end from %q as %q: %w", x.From, x.State, dag.ErrInvalid)
	}
	r, err := a.run(x.DAG, x.Run)
	if err != nil || r == nil || r.State != x.From {
		return false, err
	}
	r.State, r.EndedAt, r.Reason = x.State, x.At, x.Reason
	ended, err := endRun(a.t, r, x.From)
	if err != nil || !ended {
		return false, err
	}
	a.ledger.moved(a.dags[x.DAG], r, x.From)
	return true, nil
}

// ActiveDAGs returns the DAGs that a scheduler must look at after a start:
// those with an unfinished run, an active attempt, or not paused and not
// archived.
func (s *Store) ActiveDAGs(ctx context.Context) (ids []dag.ID, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		rows, err := t.query(`SELECT dag_id FROM dag WHERE is_archived = 0 AND is_paused = 0
			UNION SELECT dag_id FROM dag_run_count WHERE state IN ('queued', 'running') AND n > 0
			UNION SELECT dag_id FROM dag_run WHERE stopping = 1
			ORDER BY dag_id`)
		ids, err = collect(rows, err, scanID)
		return err
	})
	return ids, err
}

// DueDAGs returns the DAGs that a scheduler must look at although no change announced
// them: those with an unfinished run or an active attempt, those whose next run is due,
// and those that were defined or un-paused since a time.
func (s *Store) DueDAGs(ctx context.Context, since time.Time) (ids []dag.ID, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		rows, err := t.query(`SELECT dag_id FROM dag WHERE is_archived = 0 AND is_paused = 0
				AND (next_run_after BETWEEN 1 AND $1 OR unpaused_at >= $2 OR parsed_at >= $2)
			UNION SELECT dag_id FROM dag_run_count WHERE state IN ('queued', 'running') AND n > 0
			UNION SELECT dag_id FROM dag_run WHERE stopping = 1
			ORDER BY dag_id`, t.now, since)
		ids, err = collect(rows, err, scanID)
		return err
	})
	return ids, err
}

// ActiveAttempts returns every attempt that holds a slot, to be matched with
// what the executor finds after a restart.
func (s *Store) ActiveAttempts(ctx context.Context) (attempts []dag.TaskInstance, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		rows, err := t.query(`SELECT ` + taskColumns + `, r.dag_id, r.run_id, r.epoch FROM task_instance t
			JOIN dag_run r ON r.id = t.dag_run WHERE t.state IN ('queued', 'running')
			ORDER BY t.dag_run, t.task_id`)
		attempts, err = collect(rows, err, scanTaskOfRun)
		return err
	})
	return attempts, err
}
