package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dagwright/dag"
)

// taskColumns are the columns that task_instance and task_instance_history
// share.
const taskColumns = `t.dag_run, t.task_id, t.state, t.try_number, t.max_tries, t.queued_at, t.start_date, t.end_date,
	t.retry_at, t.exit_code, t.has_exit_code, t.reason_code, t.reason_args, t.hostname, t.pid, t.wish, t.lost, t.stopping, t.skipped_with_run`

// taskRecord is a row of task_instance or task_instance_history.
type taskRecord struct {
	run int64
	dag.TaskInstance
}

func scanTask(r scanner) (taskRecord, error) {
	var t taskRecord
	err := r.Scan(t.fields()...)
	return t, err
}

func (t *taskRecord) fields() []any {
	return []any{
		&t.run, &t.Task, &t.State, &t.Try, &t.MaxTries, at(&t.QueuedAt), at(&t.StartedAt), at(&t.EndedAt),
		at(&t.RetryAt), &t.ExitCode, &t.HasExitCode, &t.Reason.Code, &t.Reason.Args, &t.Hostname, &t.PID, &t.Wish, &t.Lost,
		&t.Stopping, &t.SkippedWithRun,
	}
}

func taskChange(ti dag.TaskInstance) Change {
	return Change{Kind: ChangeTask, DAG: ti.DAG, Run: ti.Run, Task: ti.Task, State: string(ti.State)}
}

// TaskInstances returns the task instances of a run in the order of the DAG
// version's tasks; before the run has started they are all in TaskNone. The
// Reason of one that has not started says what it waits for.
func (s *Store) TaskInstances(ctx context.Context, id dag.ID, run dag.RunID) (tasks []dag.TaskInstance, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		r, spec, err := s.runWithSpec(t, id, run)
		if err != nil {
			return err
		}
		tasks, err = tasksOf(t, r, spec)
		explainTasks(r, spec, tasks)
		return err
	})
	return tasks, err
}

func (s *Store) runWithSpec(t *tx, id dag.ID, run dag.RunID) (*runRecord, *dag.DAG, error) {
	d, err := findDAG(t, id)
	if err != nil {
		return nil, nil, err
	}
	r, err := findRun(t, id, run)
	if err != nil {
		return nil, nil, err
	}
	spec, err := s.specOfRun(t, d, r)
	return r, spec, err
}

// specOfRun returns the definition of a run. One that cannot be read becomes one with
// the tasks that the run has, so that it can be looked at and ended.
func (s *Store) specOfRun(t *tx, d *dagRecord, r *runRecord) (*dag.DAG, error) {
	spec, readable, err := s.specOr(t, d.key(r.Version))
	if err != nil || readable {
		return spec, err
	}
	rows, err := t.query(`SELECT task_id FROM task_instance WHERE dag_run = $1 ORDER BY task_id`, r.pk)
	spec.Tasks, err = collect(rows, err, func(r scanner) (dag.Task, error) {
		task := dag.Task{TriggerRule: dag.AllSuccess}
		err := r.Scan(&task.ID)
		return task, err
	})
	return spec, err
}

// tasksOf reads a run's task instances in the order of its definition and
// fills up those that are not written yet.
func tasksOf(t *tx, r *runRecord, spec *dag.DAG) ([]dag.TaskInstance, error) {
	rows, err := t.query(`SELECT `+taskColumns+` FROM task_instance t WHERE t.dag_run = $1`, r.pk)
	records, err := collect(rows, err, scanTask)
	if err != nil {
		return nil, fmt.Errorf("read task instances: %w", err)
	}
	written := make(map[dag.TaskID]dag.TaskInstance, len(records))
	for _, rec := range records {
		written[rec.Task] = rec.of(r)
	}
	tasks := make([]dag.TaskInstance, len(spec.Tasks))
	for i, task := range spec.Tasks {
		ti, ok := written[task.ID]
		if !ok {
			ti = dag.TaskInstance{DAG: r.DAG, Run: r.ID, Task: task.ID, MaxTries: task.Retries + 1, Epoch: r.Epoch}
		}
		tasks[i] = ti
	}
	return tasks, nil
}

// of names the record's run and its epoch.
func (t taskRecord) of(r *runRecord) dag.TaskInstance {
	t.DAG, t.Run, t.Epoch = r.DAG, r.ID, r.Epoch
	return t.TaskInstance
}

// TaskInstance returns one task instance, or dag.ErrNotFound.
func (s *Store) TaskInstance(ctx context.Context, id dag.ID, run dag.RunID, task dag.TaskID) (dag.TaskInstance, error) {
	var out dag.TaskInstance
	err := s.db.read(ctx, func(t *tx) error {
		r, spec, err := s.runWithSpec(t, id, run)
		if err != nil {
			return err
		}
		tasks, err := tasksOf(t, r, spec)
		if err != nil {
			return err
		}
		explainTasks(r, spec, tasks)
		out, err = oneTask(r, tasks, task)
		return err
	})
	return out, err
}

func oneTask(r *runRecord, tasks []dag.TaskInstance, task dag.TaskID) (dag.TaskInstance, error) {
	for _, ti := range tasks {
		if ti.Task == task {
			return ti, nil
		}
	}
	return dag.TaskInstance{}, fmt.Errorf("run %q of DAG %q has no task %.250q: %w", r.ID, r.DAG, task, dag.ErrNotFound)
}

// RunTries returns every try of every task of a run, in the order of its
// definition, each task's tries first to last, as Tries does.
func (s *Store) RunTries(ctx context.Context, id dag.ID, run dag.RunID) ([][]dag.TaskInstance, error) {
	return s.readTries(ctx, id, run, "")
}

// Tries returns every try of a task instance, first to last; the last one is
// the task instance itself, unless it was cleared and has not started again.
func (s *Store) Tries(ctx context.Context, id dag.ID, run dag.RunID, task dag.TaskID) ([]dag.TaskInstance, error) {
	if task == "" {
		return nil, fmt.Errorf("run %.250q has no task without a name: %w", run, dag.ErrNotFound)
	}
	all, err := s.readTries(ctx, id, run, task)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// readTries reads the tries of one task, or of all when only is empty.
func (s *Store) readTries(ctx context.Context, id dag.ID, run dag.RunID, only dag.TaskID) (tries [][]dag.TaskInstance,
	err error) {
	err = s.db.read(ctx, func(t *tx) error {
		r, spec, err := s.runWithSpec(t, id, run)
		if err != nil {
			return err
		}
		tasks, err := tasksOf(t, r, spec)
		if err != nil {
			return err
		}
		if only != "" {
			last, err := oneTask(r, tasks, only)
			if err != nil {
				return err
			}
			tasks = []dag.TaskInstance{last}
		}
		rows, err := t.query(`SELECT `+taskColumns+` FROM task_instance_history t
			WHERE t.dag_run = $1 AND ($2 = '' OR t.task_id = $2) ORDER BY t.task_id, t.try_number`, r.pk, only)
		records, err := collect(rows, err, scanTask)
		if err != nil {
			return fmt.Errorf("read tries: %w", err)
		}
		earlier := map[dag.TaskID][]dag.TaskInstance{}
		for _, rec := range records {
			earlier[rec.Task] = append(earlier[rec.Task], rec.of(r))
		}
		for _, last := range tasks {
			tries = append(tries, withLast(earlier[last.Task], last))
		}
		return nil
	})
	return tries, err
}

// withLast appends the task instance itself to its earlier tries.
func withLast(tries []dag.TaskInstance, last dag.TaskInstance) []dag.TaskInstance {
	if n := len(tries); n > 0 && tries[n-1].Try == last.Try {
		return tries
	}
	return append(tries, last)
}

// insertRows is how many task instances one statement inserts at most on SQLite.
const insertRows = 16

// insertTasks writes the task instances of a run that has none.
func insertTasks(t *tx, run int64, tasks []dag.TaskInstance) error {
	rows := make([][]any, len(tasks))
	for i, ti := range tasks {
		rows[i] = taskArgs(run, ti)
	}
	if err := insertTaskRows(t, rows); err != nil {
		return fmt.Errorf("write task instances: %w", err)
	}
	return nil
}

const insertTask = `INSERT INTO task_instance (dag_run, task_id, state, try_number, max_tries, queued_at,
	start_date, end_date, retry_at, exit_code, has_exit_code, reason_code, reason_args,
	hostname, pid, wish, lost, stopping, skipped_with_run) `

var bulkInsertTasks = newBulk(insertTask+`{values}`, taskFields...)

// insertTaskRows writes new task instances, which are rows of taskArgs.
func insertTaskRows(t *tx, rows [][]any) error {
	if t.locks {
		_, err := t.bulk(bulkInsertTasks, rows)
		return err
	}
	for part := range slices.Chunk(rows, insertRows) {
		if _, err := t.exec(insertTask+`VALUES `+placeholders(len(part), len(taskFields)),
			slices.Concat(part...)...); err != nil {
			return err
		}
	}
	return nil
}

// taskFields are the names that bulk statements give to taskArgs.
var taskFields = []string{"#run", "task", "state", "#try", "#most", "#queued", "#start", "#end", "#retry", "#exit", "#has_exit",
	"code", "args", "host", "#pid", "wish", "#lost", "#stopping", "#skipped"}

// setTask replaces a task instance by the values of taskArgs; more conditions
// may follow.
const setTask = `UPDATE task_instance SET state = $3, try_number = $4, max_tries = $5, queued_at = $6,
		start_date = $7, end_date = $8, retry_at = $9, exit_code = $10, has_exit_code = $11,
		reason_code = $12, reason_args = $13, hostname = $14, pid = $15, wish = $16, lost = $17, stopping = $18,
		skipped_with_run = $19
	WHERE dag_run = $1 AND task_id = $2`

func taskArgs(run int64, ti dag.TaskInstance) []any {
	return []any{
		run, ti.Task, ti.State, ti.Try, ti.MaxTries, ti.QueuedAt, ti.StartedAt, ti.EndedAt,
		ti.RetryAt, ti.ExitCode, ti.HasExitCode, ti.Reason.Code, ti.Reason.Args, ti.Hostname, ti.PID, ti.Wish, ti.Lost,
		ti.Stopping, ti.SkippedWithRun,
	}
}

// placeholders is "($1, $2), ($3, $4)" for two rows of two columns.
func placeholders(rows, columns int) string {
	var b strings.Builder
	for i := range rows {
		if i > 0 {
			b.WriteString("), ")
		}
		for j := range columns {
			b.WriteString(separator(j))
			b.WriteString(strconv.Itoa(i*columns + j + 1))
		}
	}
	b.WriteByte(')')
	return b.String()
}

// countTasks counts the task instances of runs by state.
func countTasks(t *tx, runs []int64) (map[int64]map[dag.TaskState]int, error) {
	counts := map[int64]map[dag.TaskState]int{}
	for _, part := range chunks(runs) {
		var args []any
		rows, err := t.query(`SELECT dag_run, state, COUNT(*) FROM task_instance WHERE dag_run IN `+
			list(&args, part)+` GROUP BY dag_run, state`, args...)
		err = each(rows, err, func(r scanner) error {
			var run int64
			var state dag.TaskState
			var n int
			if err := r.Scan(&run, &state, &n); err != nil {
				return err
			}
			if counts[run] == nil {
				counts[run] = map[dag.TaskState]int{}
			}
			counts[run][state] = n
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return counts, nil
}
