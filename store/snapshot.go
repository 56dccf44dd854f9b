package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"dagwright/dag"
)

// maxQueued bounds the queued runs that a snapshot shows of one DAG: more than
// that are rarely started in one step, and the next step shows the next ones.
const maxQueued = 16

// snapshot reads what a plan decides on, in a number of queries that does not grow with
// that of the DAGs: lists of maxList at most, one query a list. A backfill with queued
// runs takes one more, and on SQLite each DAG with queued runs, and each definition that
// is not in the cache.
func (s *Store) snapshot(a *advance, ids []dag.ID) (Snapshot, error) {
	sorted := slices.Clone(ids)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	var err error
	if a.dags, err = holdDAGs(a.t, sorted); err != nil {
		return Snapshot{}, err
	}
	facts, err := a.readFacts()
	if err != nil {
		return Snapshot{}, err
	}
	if err := s.loadSpecs(a, facts); err != nil {
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
		state, err := s.dagState(a, d, facts)
		if errors.Is(err, errUnreadable) {
			out.Unreadable[id] = err
			delete(a.dags, id) // so that nothing is decided on it
			delete(a.live, id)
			continue
		}
		if err != nil {
			return Snapshot{}, err
		}
		out.DAGs = append(out.DAGs, state)
	}
	if err := a.countActive(); err != nil {
		return Snapshot{}, fmt.Errorf("count active task instances: %w", err)
	}
	out.ActiveTasks = a.active
	return out, nil
}

// countActive finds out how many task instances are active.
func (a *advance) countActive() error {
	n, known := a.memory.activeTasks()
	if a.active = n; known {
		return nil
	}
	a.counted = true
	_, err := a.t.row(`SELECT COUNT(*) FROM task_instance WHERE state IN ('queued', 'running')`, nil, &a.active)
	return err
}

// facts are what a snapshot shows of some DAGs, beside their own rows.
type facts struct {
	counts    map[dag.ID]map[dag.RunState]int
	backfills map[dag.ID]*BackfillState
	waiting   map[dag.ID][]*stepRun // the first queued runs that are in no active backfill
	filling   map[dag.ID][]*stepRun // the first queued runs of the backfill
}

// readFacts reads what is to be shown of the step's DAGs, which are locked, and what is
// not remembered of their unfinished runs.
func (a *advance) readFacts() (facts, error) {
	var f facts
	t, ids := a.t, slices.Sorted(maps.Keys(a.dags))
	fresh, err := a.recall(ids)
	if err != nil {
		return f, err
	}
	if f.counts, err = runCounts(t, ids); err != nil {
		return f, err
	}
	if f.backfills, err = activeBackfills(t, ids); err != nil {
		return f, err
	}
	f.filling = map[dag.ID][]*stepRun{}
	for _, id := range slices.Sorted(maps.Keys(f.backfills)) {
		if b := f.backfills[id]; !b.Paused && b.Queued > 0 {
			if f.filling[id], err = backfillRuns(t, b, maxQueued); err != nil {
				return f, err
			}
		}
	}
	if f.waiting, err = f.waitingRuns(t, ids); err != nil {
		return f, err
	}
	for _, queued := range []map[dag.ID][]*stepRun{f.waiting, f.filling} {
		for _, id := range slices.Sorted(maps.Keys(queued)) {
			for _, r := range queued[id] {
				a.runs[runKey{r.DAG, r.ID}] = r
				if r.Cleared { // else it has no task instances yet
					fresh = append(fresh, r)
				}
			}
		}
	}
	return f, a.readTasks(fresh)
}

// recall takes the unfinished runs of DAGs out of the memory, and reads those of the
// others, which it returns: still without task instances.
func (a *advance) recall(ids []dag.ID) (fresh []*stepRun, err error) {
	var missing []dag.ID
	for _, id := range ids {
		l := a.memory.take(id, a.dags[id].rev)
		if l == nil {
			missing = append(missing, id)
			continue
		}
		for _, r := range l.runs {
			r.begin()
		}
		a.live[id] = l
	}
	found, err := unfinishedRuns(a.t, missing)
	if err != nil {
		return nil, err
	}
	for _, id := range missing {
		a.live[id] = newLive(found[id])
		fresh = append(fresh, found[id]...)
	}
	return fresh, nil
}

// queued is how many runs wait that are in no active backfill.
func (f facts) queued(id dag.ID) int {
	n := f.counts[id][dag.RunQueued]
	if b := f.backfills[id]; b != nil {
		n -= b.Queued
	}
	return n
}

var firstQueued = &bulk{
	columns: 2, numbers: []bool{false, true},
	sqlite: `SELECT ` + runColumns + ` FROM dag_run r WHERE r.dag_id = $1 AND r.state = 'queued'
		AND (r.backfill = 0 OR r.backfill <> $2) ORDER BY r.run_after, r.id LIMIT ` + strconv.Itoa(maxQueued),
	postgres: `SELECT ` + runColumns + ` FROM unnest($1::text[], $2::bigint[]) AS v (dag, backfill) CROSS JOIN LATERAL (
			SELECT * FROM dag_run WHERE dag_id = v.dag AND state = 'queued'
				AND (dag_run.backfill = 0 OR dag_run.backfill <> v.backfill) ORDER BY run_after, id LIMIT ` +
		strconv.Itoa(maxQueued) + `) r ORDER BY r.dag_id, r.run_after, r.id`,
}

func (f facts) waitingRuns(t *tx, ids []dag.ID) (map[dag.ID][]*stepRun, error) {
	var rows [][]any
	for _, id := range ids {
		if f.queued(id) == 0 {
			continue
		}
		var backfill int64
		if b := f.backfills[id]; b != nil {
			backfill = b.ID
		}
		rows = append(rows, []any{id, backfill})
	}
	found := map[dag.ID][]*stepRun{}
	err := t.bulkRows(firstQueued, rows, func(row scanner) error {
		r, err := scanStepRun(row)
		if err == nil {
			found[r.DAG] = append(found[r.DAG], r)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read queued runs: %w", err)
	}
	return found, nil
}

// dagState puts one DAG together. Its task instances are copies, since a plan works on
// them.
func (s *Store) dagState(a *advance, d *dagRecord, f facts) (DAGState, error) {
	spec, err := s.spec(a.t, d.key(d.version))
	if err != nil {
		return DAGState{}, err
	}
	state := DAGState{
		DAG: spec, Version: d.version, Paused: d.paused, Archived: d.archived, UnpausedAt: d.unpausedAt,
		Next: d.next, LastScheduled: d.lastScheduled, Queued: f.queued(d.id), Backfill: f.backfills[d.id],
	}
	var id int64
	running, stopping := partition(a.live[d.id].runs)
	waiting, filling := f.waiting[d.id], f.filling[d.id]
	if b := state.Backfill; b != nil {
		id = b.ID
		free := slots(b.MaxActiveRuns, running, func(r *stepRun) bool { return r.backfill == id })
		filling = filling[:min(free, len(filling))]
	}
	free := slots(spec.MaxActiveRuns, running, func(r *stepRun) bool { return id == 0 || r.backfill != id })
	waiting = waiting[:min(free, len(waiting))]
	state.Runs = make([]RunDetail, 0, len(running)+len(waiting)+len(filling)+len(stopping))
	for _, runs := range [][]*stepRun{running, waiting, filling, stopping} {
		for _, r := range runs {
			if r.fault != nil {
				return DAGState{}, r.fault
			}
			if r.spec == nil {
				runSpec, err := s.spec(a.t, d.key(r.Version))
				if err != nil {
					return DAGState{}, err
				}
				r.bind(runSpec)
			}
			state.Runs = append(state.Runs, RunDetail{
				Run: r.Run, Spec: r.spec, Tasks: slices.Clone(r.tasks), InBackfill: id != 0 && r.backfill == id, Edition: r.edition,
			})
		}
	}
	return state, nil
}

func partition(runs []*stepRun) (running, stopping []*stepRun) {
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
func unfinishedRuns(t *tx, ids []dag.ID) (map[dag.ID][]*stepRun, error) {
	by := map[dag.ID][]*stepRun{}
	for _, part := range chunks(ids) {
		var args []any
		dags := list(&args, part)
		rows, err := t.query(`SELECT `+runColumns+` FROM dag_run r WHERE r.dag_id IN `+dags+` AND r.state = 'running'
			UNION ALL SELECT `+runColumns+` FROM dag_run r WHERE r.dag_id IN `+dags+` AND r.stopping = 1
			ORDER BY 11, 1`, args...)
		runs, err := collect(rows, err, scanStepRun)
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
func slots(most int, running []*stepRun, counts func(*stepRun) bool) int {
	for _, r := range running {
		if counts(r) {
			most--
		}
	}
	return min(max(most, 1), maxQueued)
}

func scanStepRun(row scanner) (*stepRun, error) {
	r, err := scanRun(row)
	if err != nil {
		return nil, err
	}
	return newStepRun(r), nil
}

// readTasks reads the task instances of runs.
func (a *advance) readTasks(runs []*stepRun) error {
	byKey := make(map[int64]*stepRun, len(runs))
	pks := make([]int64, len(runs))
	for i, r := range runs {
		byKey[r.pk], pks[i] = r, r.pk
	}
	for _, part := range chunks(pks) {
		var args []any
		rows, err := a.t.query(`SELECT `+taskColumns+` FROM task_instance t WHERE t.dag_run IN `+list(&args, part), args...)
		err = each(rows, err, func(row scanner) error {
			rec, err := scanTask(row)
			if run := byKey[rec.run]; err == nil {
				run.tasks = append(run.tasks, rec.of(run.runRecord))
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("read task instances: %w", err)
		}
	}
	return nil
}
