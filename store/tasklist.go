package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"dagwright/dag"
)

// TaskFilter selects task instances; zero fields do not filter.
type TaskFilter struct {
	// Of selects their runs. Its order and page are not looked at.
	Of     RunFilter
	Runs   []dag.RunID
	Tasks  []dag.TaskID
	States []dag.TaskState
	Tries  []int
	// The bounds are inclusive.
	StartedFrom, StartedTo, EndedFrom, EndedTo time.Time
	MinDuration, MaxDuration                   time.Duration // of those that have ended

	// OrderBy is id (the default: by run, then task), task_id, state, start_date,
	// end_date, duration, try_number, logical_date or run_after, with "-" in front
	// for descending. Anything else is dag.ErrInvalid.
	OrderBy string
	Limit   int // 50 when zero
	Offset  int
}

var taskOrders = map[string]string{
	"id":           "t.dag_run DIR, t.task_id DIR",
	"task_id":      "t.task_id DIR, t.dag_run DIR",
	"state":        "t.state DIR, t.dag_run DIR, t.task_id DIR",
	"start_date":   "t.start_date DIR, t.dag_run DIR, t.task_id DIR",
	"end_date":     "t.end_date DIR, t.dag_run DIR, t.task_id DIR",
	"duration":     "t.end_date - t.start_date DIR, t.dag_run DIR, t.task_id DIR",
	"try_number":   "t.try_number DIR, t.dag_run DIR, t.task_id DIR",
	"logical_date": "r.logical_date DIR, t.dag_run DIR, t.task_id DIR",
	"run_after":    "r.run_after DIR, t.dag_run DIR, t.task_id DIR",
}

func (f TaskFilter) where(t *tx) *where {
	w := f.Of.where(t, f.Of.DAG == "")
	in(w, "r.run_id", f.Runs)
	in(w, "t.task_id", f.Tasks)
	in(w, "t.state", f.States)
	in(w, "t.try_number", f.Tries)
	addBounds(w, "t.start_date", f.StartedFrom, f.StartedTo)
	addBounds(w, "t.end_date", f.EndedFrom, f.EndedTo)
	addDuration(w, "t", f.MinDuration, f.MaxDuration)
	return w
}

// Keeps reports whether a task instance passes the conditions on it itself;
// those on its run are not looked at.
func (f TaskFilter) Keeps(ti dag.TaskInstance) bool {
	return among(f.Tasks, ti.Task) && among(f.States, ti.State) && among(f.Tries, ti.Try) &&
		between(ti.StartedAt, f.StartedFrom, f.StartedTo) && between(ti.EndedAt, f.EndedFrom, f.EndedTo) &&
		lasted(ti.StartedAt, ti.EndedAt, f.MinDuration, f.MaxDuration)
}

func among[T comparable](wanted []T, value T) bool {
	return len(wanted) == 0 || slices.Contains(wanted, value)
}

func between(t, from, to time.Time) bool {
	return (from.IsZero() || !t.Before(from)) && (to.IsZero() || !t.IsZero() && !t.After(to))
}

func lasted(start, end time.Time, least, most time.Duration) bool {
	if least == 0 && most == 0 {
		return true
	}
	took := end.Sub(start)
	return !start.IsZero() && !end.IsZero() && took >= least && (most == 0 || took <= most)
}

// addDuration filters the rows of a table by how long they took.
func addDuration(w *where, table string, least, most time.Duration) {
	if least == 0 && most == 0 {
		return
	}
	w.add(table + ".start_date > 0 AND " + table + ".end_date > 0")
	took := table + ".end_date - " + table + ".start_date"
	if least > 0 {
		w.add(took+" >= ?", least.Microseconds())
	}
	if most > 0 {
		w.add(took+" <= ?", most.Microseconds())
	}
}

// ListTasks lists the task instances of all runs that match, and how many there
// are in all; counting stops at 10,000. Those of a run that has not started are
// not written yet, and so not listed.
func (s *Store) ListTasks(ctx context.Context, f TaskFilter) (tasks []dag.TaskInstance, total int, err error) {
	if f.OrderBy == "" {
		f.OrderBy = "id"
	}
	order, err := orderBy(f.OrderBy, taskOrders)
	if err != nil {
		return nil, 0, err
	}
	const from = ` FROM task_instance t JOIN dag_run r ON r.id = t.dag_run`
	err = s.db.read(ctx, func(t *tx) error {
		tasks = nil
		w := f.where(t)
		count := `SELECT COUNT(*) FROM (SELECT 1` + from + w.String() + w.number(" LIMIT ?", s.maxCount) + `) AS counted`
		if _, err := t.row(count, w.args, &total); err != nil {
			return fmt.Errorf("count task instances: %w", err)
		}
		w = f.where(t)
		rows, err := t.query(`SELECT `+taskColumns+`, r.dag_id, r.run_id, r.epoch`+from+w.String()+order+
			w.page(f.Limit, f.Offset), w.args...)
		tasks, err = collect(rows, err, scanTaskOfRun)
		if err != nil {
			return fmt.Errorf("list task instances: %w", err)
		}
		return nil
	})
	return tasks, total, err
}

// scanTaskOfRun reads taskColumns, the names of the run and its epoch.
func scanTaskOfRun(r scanner) (dag.TaskInstance, error) {
	var rec taskRecord
	err := r.Scan(append(rec.fields(), &rec.DAG, &rec.TaskInstance.Run, &rec.Epoch)...)
	return rec.TaskInstance, err
}
