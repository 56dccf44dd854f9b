package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"dagwright/dag"
)

// advance is one call of Advance. Actions are first applied to what is known of the runs,
// in their order; what has changed is then written in as few statements as it takes,
// each with the states that the step began with as its condition.
type advance struct {
	t      *tx
	memory *memory
	ledger *ledger
	dags   map[dag.ID]*dagRecord
	live   map[dag.ID]*live    // unfinished runs of the DAGs
	runs   map[runKey]*stepRun // others of the snapshot, and those met since; nil for what is not there
	// changed are the runs of which the step has changed something.
	changed []*stepRun
	tries   [][]any // for the history
	// active is how many task instances are active, counted in this step or known before,
	// and moreActive how many the step adds.
	active, moreActive int
	counted            bool
}

type runKey struct {
	dag dag.ID
	run dag.RunID
}

// stepRun is a run of a step with its task instances.
type stepRun struct {
	*runRecord
	spec    *dag.DAG // nil where it was not asked for
	tasks   []dag.TaskInstance
	edition int64
	// was is the run's state before the step, and before are task instances that the step
	// has changed, as they were.
	was     dag.RunState
	moved   bool
	changed bool
	before  map[dag.TaskID]dag.TaskInstance
	place   map[dag.TaskID]int // of a task in tasks; nil until it is asked for
	// started says that the step began it: its task instances are new, and those of an
	// earlier life, if it has one, go.
	started, again bool
}

func (r *stepRun) task(id dag.TaskID) *dag.TaskInstance {
	if r.place == nil {
		r.place = make(map[dag.TaskID]int, len(r.tasks))
		for i, ti := range r.tasks {
			r.place[ti.Task] = i
		}
	}
	if i, ok := r.place[id]; ok {
		return &r.tasks[i]
	}
	return nil
}

// bind gives a run its definition, which orders its task instances.
func (r *stepRun) bind(spec *dag.DAG) {
	r.spec = spec
	r.sort()
}

// sort brings the task instances into the order of the run's definition.
func (r *stepRun) sort() {
	if r.spec == nil || len(r.tasks) < 2 {
		return
	}
	place := make(map[dag.TaskID]int, len(r.spec.Tasks))
	for i, task := range r.spec.Tasks {
		place[task.ID] = i
	}
	slices.SortStableFunc(r.tasks, func(x, y dag.TaskInstance) int { return place[x.Task] - place[y.Task] })
	r.place = nil
}

func (r *stepRun) active() bool {
	return slices.ContainsFunc(r.tasks, func(ti dag.TaskInstance) bool { return ti.State.Active() })
}

func newStepRun(r *runRecord) *stepRun {
	return &stepRun{runRecord: r, was: r.State, edition: editions.Add(1)}
}

// editions numbers what is read of runs, and what steps make of them.
var editions atomic.Int64

// begin makes a run of an earlier step one of this step.
func (r *stepRun) begin() {
	r.was, r.moved, r.changed, r.before, r.started, r.again = r.State, false, false, nil, false, false
}

func newAdvance(t *tx, m *memory) *advance {
	return &advance{t: t, memory: m, ledger: newLedger(t), live: map[dag.ID]*live{}, runs: map[runKey]*stepRun{}}
}

// remember keeps what a committed step has left.
func (a *advance) remember() {
	changed := map[dag.ID][]*stepRun{}
	for _, r := range a.changed {
		changed[r.DAG] = append(changed[r.DAG], r)
	}
	for id, l := range a.live {
		l.settle(changed[id])
		l.rev = a.dags[id].rev
		a.memory.put(id, l)
	}
	a.memory.count(a.counted, a.active, a.moreActive)
}

func (a *advance) apply(actions []Action) ([]Action, error) {
	created, err := a.create(actions)
	if err != nil {
		return nil, err
	}
	var applied []Action
	for i, action := range actions {
		ok, err := a.one(action, created[i])
		if err != nil {
			return nil, err
		}
		if ok {
			applied = append(applied, action)
		}
	}
	return applied, a.write()
}

// one applies one action and reports whether it took effect.
func (a *advance) one(action Action, created *stepRun) (bool, error) {
	switch x := action.(type) {
	case CreateRun:
		return a.created(x, created), nil
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

// create writes the runs that actions create, and returns those that did not exist
// before, by the place of their action.
func (a *advance) create(actions []Action) (map[int]*stepRun, error) {
	places := map[runKey]int{}
	var rows [][]any
	for i, action := range actions {
		x, ok := action.(CreateRun)
		if !ok || a.dags[x.Run.DAG] == nil {
			continue
		}
		k := runKey{x.Run.DAG, x.Run.ID}
		if _, twice := places[k]; twice {
			continue
		}
		places[k] = i
		x.Run.State, x.Run.Epoch = dag.RunQueued, a.dags[x.Run.DAG].epoch
		row, err := runValues(x.Run, "")
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	created := make(map[int]*stepRun, len(rows))
	err := a.t.bulkRows(insertRuns, rows, func(row scanner) error {
		var pk int64
		var k runKey
		if err := row.Scan(&pk, &k.dag, &k.run); err != nil {
			return err
		}
		i, ok := places[k]
		if !ok {
			return fmt.Errorf("run %q of DAG %q was written under another name", k.run, k.dag)
		}
		r := &runRecord{pk: pk, Run: actions[i].(CreateRun).Run}
		r.State, r.Epoch = dag.RunQueued, a.dags[k.dag].epoch
		created[i] = newStepRun(r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("create runs: %w", err)
	}
	return created, nil
}

func (a *advance) created(x CreateRun, r *stepRun) bool {
	if !a.setNext(x.Run.DAG, x.Next) || r == nil {
		return false
	}
	a.runs[runKey{r.DAG, r.ID}] = r
	a.ledger.created(a.dags[r.DAG], r.runRecord)
	a.ledger.touched(a.dags[r.DAG])
	return true
}

// run finds a run of a DAG of the snapshot; nil when there is none.
func (a *advance) run(id dag.ID, run dag.RunID) (*stepRun, error) {
	if a.dags[id] == nil {
		return nil, nil
	}
	if r := a.live[id].byID[run]; r != nil {
		return r, nil
	}
	k := runKey{id, run}
	if r, ok := a.runs[k]; ok {
		return r, nil
	}
	found, err := findRun(a.t, id, run)
	if errors.Is(err, dag.ErrNotFound) {
		a.runs[k] = nil
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := newStepRun(found)
	a.runs[k] = r
	return r, a.readTasks([]*stepRun{r})
}

// touch notes that the step changes a run.
func (a *advance) touch(r *stepRun) {
	if !r.changed {
		r.changed = true
		r.edition = editions.Add(1)
		a.changed = append(a.changed, r)
	}
}

func (a *advance) startRun(x StartRun) (bool, error) {
	r, err := a.run(x.DAG, x.Run)
	if err != nil || r == nil || r.State != dag.RunQueued {
		return false, err
	}
	a.touch(r)
	r.moved, r.started, r.again = true, true, r.Cleared
	r.State, r.Cleared, r.StartedAt = dag.RunRunning, false, storedTime(x.At)
	r.tasks, r.place = make([]dag.TaskInstance, 0, len(x.Tasks)), make(map[dag.TaskID]int, len(x.Tasks))
	a.ledger.moved(a.dags[x.DAG], r.runRecord, dag.RunQueued)
	for _, ti := range x.Tasks {
		if _, twice := r.place[ti.Task]; twice {
			return false, fmt.Errorf("run %q of DAG %q cannot start with task %q twice", x.Run, x.DAG, ti.Task)
		}
		r.place[ti.Task] = len(r.tasks)
		r.tasks = append(r.tasks, storedTask(r.runRecord, ti))
		if ti.State.Active() {
			a.moreActive++
		}
		if ti.State != dag.TaskNone {
			a.t.announce(Change{Kind: ChangeTask, DAG: x.DAG, Run: x.Run, Task: ti.Task, State: string(ti.State)})
		}
	}
	r.sort()
	return true, nil
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
	ti := r.task(x.Task.Task)
	if ti == nil || ti.State != x.From || ti.Try != x.FromTry {
		return false, nil
	}
	a.touch(r)
	if x.FromTry > 0 && (x.Task.Try > x.FromTry || x.From == dag.TaskUpForRetry) {
		a.tries = append(a.tries, tryValues(r.pk, *ti))
	}
	if _, again := r.before[ti.Task]; !again && !r.started {
		if r.before == nil {
			r.before = map[dag.TaskID]dag.TaskInstance{}
		}
		r.before[ti.Task] = *ti
	}
	*ti = storedTask(r.runRecord, x.Task)
	a.moreActive += activeSlots(x.Task.State) - activeSlots(x.From)
	a.t.announce(taskChange(x.Task))
	if r.State.Ended() && x.From.Active() != x.Task.State.Active() {
		r.moved, r.stopping = true, r.active()
	}
	return true, nil
}

// activeSlots is how many slots a task instance holds.
func activeSlots(s dag.TaskState) int {
	if s.Active() {
		return 1
	}
	return 0
}

func (a *advance) endRun(x EndRun) (bool, error) {
	if !x.State.Ended() || x.From.Ended() {
		return false, fmt.Errorf("a run cannot end from %q as %q: %w", x.From, x.State, dag.ErrInvalid)
	}
	r, err := a.run(x.DAG, x.Run)
	if err != nil || r == nil || r.State != x.From {
		return false, err
	}
	a.touch(r)
	r.moved = true
	r.State, r.EndedAt, r.Reason, r.Cleared = x.State, storedTime(x.At), x.Reason, false
	r.stopping = r.active()
	a.ledger.moved(a.dags[x.DAG], r.runRecord, x.From)
	return true, nil
}

// errStale says that the database holds something else than what was known of it under
// the locks of a step: nothing of the step may be written.
var errStale = errors.New("the runs of a step are not as they were when it was decided")

// write writes what the actions have changed.
func (a *advance) write() error {
	if err := a.writeRuns(); err != nil {
		return fmt.Errorf("write runs: %w", err)
	}
	if err := a.writeTasks(); err != nil {
		return fmt.Errorf("write task instances: %w", err)
	}
	backfills := map[int64]bool{}
	for _, r := range a.changed {
		if r.State.Ended() && !r.was.Ended() && r.backfill != 0 {
			backfills[r.backfill] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(backfills)) {
		if err := completeBackfill(a.t, id); err != nil {
			return err
		}
	}
	if err := a.raise(); err != nil {
		return err
	}
	return a.ledger.flush()
}

// raise gives the DAGs of which the step has changed something another revision.
func (a *advance) raise() error {
	touched := map[dag.ID]*dagRecord{}
	for _, r := range a.changed {
		touched[r.DAG] = a.dags[r.DAG]
	}
	maps.Copy(touched, a.ledger.dirty)
	return raise(a.t, slices.Collect(maps.Values(touched)))
}

var setRuns = newBulk(`UPDATE dag_run SET state = {state}, stopping = {stopping}, cleared = {cleared}, start_date = {start},
	end_date = {end}, reason_code = {code}, reason_args = {args} {from} WHERE id = {id} AND state = {was}`,
	"#id", "was", "state", "#stopping", "#cleared", "#start", "#end", "code", "args")

func (a *advance) writeRuns() error {
	var rows [][]any
	var again []int64
	for _, r := range a.changed {
		if r.moved {
			rows = append(rows, []any{r.pk, r.was, r.State, r.stopping, r.Cleared, r.StartedAt, r.EndedAt, r.Reason.Code,
				r.Reason.Args})
		}
		if r.again {
			again = append(again, r.pk)
		}
	}
	if err := a.exactly(setRuns, rows); err != nil {
		return err
	}
	for _, part := range chunks(again) {
		var args []any
		if _, err := a.t.exec(`DELETE FROM task_instance WHERE dag_run IN `+list(&args, part), args...); err != nil {
			return err
		}
	}
	return nil
}

var (
	setTasks = newBulk(`UPDATE task_instance SET state = {state}, try_number = {try}, max_tries = {most}, queued_at = {queued},
		start_date = {start}, end_date = {end}, retry_at = {retry}, exit_code = {exit}, has_exit_code = {has_exit},
		reason_code = {code}, reason_args = {args}, hostname = {host}, pid = {pid}, wish = {wish}, lost = {lost},
		stopping = {stopping}, skipped_with_run = {skipped} {from}
		WHERE dag_run = {run} AND task_id = {task} AND state = {was} AND try_number = {was_try}`,
		append(slices.Clone(taskFields), "was", "#was_try")...)
	insertTries = newBulk(`INSERT INTO task_instance_history (dag_run, task_id, state, try_number, max_tries, queued_at,
		start_date, end_date, retry_at, exit_code, has_exit_code, reason_code, reason_args, hostname, pid, wish, lost,
		stopping, skipped_with_run) {values} ON CONFLICT (dag_run, task_id, try_number) DO NOTHING`, taskFields...)
)

func (a *advance) writeTasks() error {
	var fresh, changed [][]any
	for _, r := range a.changed {
		if r.started {
			for _, ti := range r.tasks {
				fresh = append(fresh, taskArgs(r.pk, ti))
			}
			continue
		}
		for _, ti := range r.tasks {
			if was, ok := r.before[ti.Task]; ok {
				changed = append(changed, append(taskArgs(r.pk, ti), was.State, was.Try))
			}
		}
	}
	if err := insertTaskRows(a.t, fresh); err != nil {
		return err
	}
	if _, err := a.t.bulk(insertTries, a.tries); err != nil {
		return err
	}
	return a.exactly(setTasks, changed)
}

// exactly runs a statement that must touch one row for each row of values.
func (a *advance) exactly(b *bulk, rows [][]any) error {
	n, err := a.t.bulk(b, rows)
	if err == nil && n != int64(len(rows)) {
		err = fmt.Errorf("%d of %d rows were written: %w", n, len(rows), errStale)
	}
	return err
}

// tryValues are the values of an earlier try for the history, where each has ended.
func tryValues(run int64, ti dag.TaskInstance) []any {
	if !ti.State.Ended() {
		ti.State = dag.TaskFailed
	}
	ti.Wish, ti.Stopping = dag.WishNone, false
	return taskArgs(run, ti)
}

// storedTask is a task instance as it is read back.
func storedTask(r *runRecord, ti dag.TaskInstance) dag.TaskInstance {
	ti.DAG, ti.Run, ti.Epoch = r.DAG, r.ID, r.Epoch
	ti.QueuedAt, ti.StartedAt, ti.EndedAt = storedTime(ti.QueuedAt), storedTime(ti.StartedAt), storedTime(ti.EndedAt)
	ti.RetryAt = storedTime(ti.RetryAt)
	ti.Hostname, ti.Reason.Args = cleanText(ti.Hostname), cleanText(ti.Reason.Args)
	return ti
}
