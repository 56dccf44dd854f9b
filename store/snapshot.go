package store

import (
	"errors"
	"fmt"
	"slices"

	"dagwright/dag"
)

// maxQueued bounds the queued runs that a snapshot shows of one DAG: more than
// that are rarely started in one step, and the next step shows the next ones.
const maxQueued = 16

// snapshot reads what a plan decides on. Records of DAGs, counts of runs, unfinished
// runs and task instances are read in lists of maxList at most, one query a list. Each
// DAG takes one query more for its backfill, one when it has queued runs, one when its
// backfill has, and one for each definition that is not in the cache.
func (s *Store) snapshot(a *advance, ids []dag.ID) (Snapshot, error) {
	sorted := slices.Clone(ids)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	var err error
	if a.dags, err = lockDAGs(a.t, sorted); err != nil {
		return Snapshot{}, err
	}
	counts, err := runCounts(a.t, sorted)
	if err != nil {
		return Snapshot{}, err
	}
	runs, err := unfinishedRuns(a.t, sorted)
	if err != nil {
		return Snapshot{}, err
	}
	out := Snapshot{Unreadable: map[dag.ID]error{}}
	seen := make(map[dag.ID]bool, len(ids))
	for _, id := range ids {
		d := a.dags[id]
		if d == nil || seen[id] {
			continue
		}
		seen[id] = true
		state, err := s.dagState(a, d, runs[id], counts[id])
		if errors.Is(err, errUnreadable) {
			out.Unreadable[id] = err
			delete(a.dags, id) // so that nothing is decided on it
			continue
		}
		if err != nil {
			return Snapshot{}, err
		}
		out.DAGs = append(out.DAGs, state)
	}
	if err := a.addTasks(out.DAGs); err != nil {
		return Snapshot{}, err
	}
	_, err = a.t.row(`SELECT COUNT(*) FROM task_instance WHERE state IN ('queued', 'running')`, nil, &out.ActiveTasks)
	return out, err
}

// dagState puts one DAG together, still without task instances.
func (s *Store) dagState(a *advance, d *dagRecord, unfinished []*runRecord,
	counts map[dag.RunState]int) (DAGState, error) {
	spec, err := s.spec(a.t, d.key(d.version))
	if err != nil {
		return DAGState{}, err
	}
	state := DAGState{
		DAG: spec, Version: d.version, Paused: d.paused, Archived: d.archived, UnpausedAt: d.unpausedAt,
		Next: d.next, LastScheduled: d.lastScheduled, Queued: counts[dag.RunQueued],
	}
	running, stopping := partition(unfinished)
	if state.Backfill, err = activeBackfill(a.t, d.id); err != nil {
		return DAGState{}, err
	}
	var id int64
	if state.Backfill != nil {
		id = state.Backfill.ID
		state.Queued -= state.Backfill.Queued
	}
	queued, err := waitingRuns(a.t, d.id, state,
		slots(spec.MaxActiveRuns, running, func(r *runRecord) bool { return id == 0 || r.backfill != id }))
	if err != nil {
		return DAGState{}, err
	}
	if state.Backfill != nil && !state.Backfill.Paused && state.Backfill.Queued > 0 {
		free := slots(state.Backfill.MaxActiveRuns, running, func(r *runRecord) bool { return r.backfill == id })
		ours, err := backfillRuns(a.t, state.Backfill, free)
		if err != nil {
			return DAGState{}, err
		}
		queued = append(queued, ours...)
	}
	for _, r := range slices.Concat(running, queued, stopping) {
		if r.fault != nil {
			return DAGState{}, r.fault
		}
		a.runs[runKey{r.DAG, r.ID}] = r
		runSpec, err := s.spec(a.t, d.key(r.Version))
		if err != nil {
			return DAGState{}, err
		}
		state.Runs = append(state.Runs, RunDetail{Run: r.Run, Spec: runSpec, InBackfill: id != 0 && r.backfill == id})
	}
	return state, nil
}

func partition(runs []*runRecord) (running, stopping []*runRecord) {
	for _, r := range runs {
		if r.State == dag.RunRunning {
			running = append(running, r)
		} else {
			stopping = append(stopping, r)
		}
	}
	return running, stopping
}

// unfinishedRuns reads the running runs of the DAGs and the ended ones that
// still have active attempts, oldest first.
func unfinishedRuns(t *tx, ids []dag.ID) (map[dag.ID][]*runRecord, error) {
	by := map[dag.ID][]*runRecord{}
	for _, part := range chunks(ids) {
		var args []any
		dags := list(&args, part)
		rows, err := t.query(`SELECT `+runColumns+` FROM dag_run r WHERE r.dag_id IN `+dags+` AND r.state = 'running'
			UNION ALL SELECT `+runColumns+` FROM dag_run r WHERE r.dag_id IN `+dags+` AND r.stopping = 1
			ORDER BY 11, 1`, args...)
		runs, err := collect(rows, err, scanRun)
		if err != nil {
			return nil, fmt.Errorf("read runs: %w", err)
		}
		for _, r := range runs {
			by[r.DAG] = append(by[r.DAG], r)
		}
	}
	return by, nil
}

// slots is how many queued runs a snapshot shows: no more than could start beside
// the running ones that count, at least one and maxQueued at most.
func slots(most int, running []*runRecord, counts func(*runRecord) bool) int {
	for _, r := range running {
		if counts(r) {
			most--
		}
	}
	return min(max(most, 1), maxQueued)
}

// waitingRuns reads a DAG's first queued runs that are in no active backfill.
func waitingRuns(t *tx, id dag.ID, state DAGState, limit int) ([]*runRecord, error) {
	if state.Queued == 0 {
		return nil, nil
	}
	var backfill int64
	if state.Backfill != nil {
		backfill = state.Backfill.ID
	}
	rows, err := t.query(`SELECT `+runColumns+` FROM dag_run r WHERE r.dag_id = $1 AND r.state = 'queued'
		AND (r.backfill = 0 OR r.backfill <> $2) ORDER BY r.run_after, r.id LIMIT $3`, id, backfill, limit)
	runs, err := collect(rows, err, scanRun)
	if err != nil {
		return nil, fmt.Errorf("read queued runs: %w", err)
	}
	return runs, nil
}

// addTasks reads the task instances of all runs of the snapshot, in the order
// of each run's definition.
func (a *advance) addTasks(dags []DAGState) error {
	started := map[int64]*RunDetail{}
	var pks []int64
	for i := range dags {
		for j := range dags[i].Runs {
			r := &dags[i].Runs[j]
			pk := a.runs[runKey{r.DAG, r.ID}].pk
			started[pk] = r
			pks = append(pks, pk)
		}
	}
	for _, part := range chunks(pks) {
		var args []any
		rows, err := a.t.query(`SELECT `+taskColumns+` FROM task_instance t WHERE t.dag_run IN `+list(&args, part), args...)
		err = each(rows, err, func(r scanner) error {
			rec, err := scanTask(r)
			if run := started[rec.run]; err == nil {
				rec.DAG, rec.Run = run.DAG, run.ID
				run.Tasks = append(run.Tasks, rec.TaskInstance)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("read task instances: %w", err)
		}
	}
	for _, run := range started {
		sortTasks(run)
	}
	return nil
}

func sortTasks(run *RunDetail) {
	if len(run.Tasks) < 2 {
		return
	}
	place := make(map[dag.TaskID]int, len(run.Spec.Tasks))
	for i, task := range run.Spec.Tasks {
		place[task.ID] = i
	}
	slices.SortFunc(run.Tasks, func(x, y dag.TaskInstance) int { return place[x.Task] - place[y.Task] })
}
