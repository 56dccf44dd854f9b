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
	// Edition is another number for a run in which something has changed, or may have, since
	// an earlier snapshot of this Store.
	Edition int64
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
//
// What a step left is remembered: the next one reads only what somebody else has changed.
func (s *Store) Advance(ctx context.Context, ids []dag.ID, plan func(Snapshot) []Action) ([]Action, error) {
	applied, err := s.advance(ctx, ids, plan)
	if errors.Is(err, errStale) { // what was remembered of the DAGs is gone now
		applied, err = s.advance(ctx, ids, plan)
	}
	return applied, err
}

func (s *Store) advance(ctx context.Context, ids []dag.ID, plan func(Snapshot) []Action) ([]Action, error) {
	var applied []Action
	var a *advance
	err := s.db.write(ctx, func(t *tx) error {
		a = newAdvance(t, s.memory)
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
		s.memory.forget()
		return nil, err
	}
	a.remember()
	return applied, nil
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
