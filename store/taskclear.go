package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"dagwright/dag"
)

// Clear asks for tasks of a run to be run once more.
type Clear struct {
	DAG dag.ID
	Run dag.RunID
	// Tasks are all tasks of the run when empty.
	Tasks []dag.TaskID
	// Upstream adds everything that comes before Tasks, and Downstream everything
	// that comes after them.
	Upstream, Downstream bool
	// OnlyFailed keeps those that failed or were given up ([dag.TaskInstance.GivenUp]),
	// OnlyRunning those that run; with both, either.
	OnlyFailed, OnlyRunning bool
	// KeepActive refuses the whole clear when a task in it is active.
	KeepActive bool
	// Range says between which times the runs of ClearRuns were chosen, "" for runs that
	// were named. A repeat under the same key is known by it, whatever runs there are then.
	Range string
	By    Actor
}

// ClearTasks makes tasks run once more, in the version of the DAG to which their
// run is bound, and returns them. Their earlier tries stay as history, with
// their logs. One that is active is stopped first. A run that has ended is
// queued again. The error is dag.ErrNotFound for an unknown run or task, and
// dag.ErrConflict when there is nothing to clear, the DAG is archived or
// attempts of the ended run are still being stopped.
func (s *Store) ClearTasks(ctx context.Context, c Clear) ([]dag.TaskID, error) {
	return act(ctx, s, c.By, "ClearTasks", []any{c}, func(t *tx) ([]dag.TaskID, error) {
		cleared, err := s.clearRun(t, c)
		if err != nil {
			return nil, err
		}
		if len(cleared) == 0 {
			return nil, fmt.Errorf("run %q of DAG %q has no such task to clear: %w", c.Run, c.DAG, dag.ErrConflict)
		}
		return cleared, nil
	})
}

// ClearRuns is ClearTasks for several runs of a DAG, all or none of them. It
// returns the task instances that the clear chose, as they are now; none chosen
// is not an error. Clear.Run is not looked at.
func (s *Store) ClearRuns(ctx context.Context, c Clear, runs []dag.RunID) ([]dag.TaskInstance, error) {
	return act(ctx, s, c.By, "ClearRuns", []any{c, named(runs, c.Range)},
		func(t *tx) (chosen []dag.TaskInstance, err error) {
			for _, run := range runs {
				c.Run = run
				found, err := s.chosen(t, c)
				if err != nil {
					return nil, err
				}
				if len(found) == 0 {
					continue
				}
				if _, err := s.clearRun(t, c); err != nil {
					return nil, err
				}
				if found, err = s.reread(t, found); err != nil {
					return nil, err
				}
				chosen = append(chosen, found...)
			}
			return chosen, nil
		})
}

// named are the runs that were named, none for those that a range chose.
func named(runs []dag.RunID, chosenBy string) []dag.RunID {
	if chosenBy != "" {
		return nil
	}
	return runs
}

// ClearChoice returns the task instances that ClearRuns would choose.
func (s *Store) ClearChoice(ctx context.Context, c Clear, runs []dag.RunID) (chosen []dag.TaskInstance, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		chosen = nil
		for _, run := range runs {
			c.Run = run
			found, err := s.chosen(t, c)
			if err != nil {
				return err
			}
			chosen = append(chosen, found...)
		}
		return nil
	})
	return chosen, err
}

func (s *Store) chosen(t *tx, c Clear) ([]dag.TaskInstance, error) {
	r, spec, err := s.runWithSpec(t, c.DAG, c.Run)
	if err != nil {
		return nil, err
	}
	tasks, err := tasksOf(t, r, spec)
	if err != nil {
		return nil, err
	}
	wanted, err := c.selection(spec)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(tasks, func(ti dag.TaskInstance) bool { return !wanted[ti.Task] || !c.keeps(ti) }), nil
}

// reread reads task instances of one run again.
func (s *Store) reread(t *tx, tasks []dag.TaskInstance) ([]dag.TaskInstance, error) {
	r, spec, err := s.runWithSpec(t, tasks[0].DAG, tasks[0].Run)
	if err != nil {
		return nil, err
	}
	now, err := tasksOf(t, r, spec)
	if err != nil {
		return nil, err
	}
	for i := range tasks {
		if tasks[i], err = oneTask(r, now, tasks[i].Task); err != nil {
			return nil, err
		}
	}
	return tasks, nil
}

// clearRun clears the tasks of one run and returns them.
func (s *Store) clearRun(t *tx, c Clear) (cleared []dag.TaskID, err error) {
	a, err := s.openAct(t, c.By, c.DAG, c.Run)
	if err != nil {
		return nil, err
	}
	wanted, err := c.selection(a.spec)
	if err != nil {
		return nil, err
	}
	for _, ti := range a.tasks {
		if !wanted[ti.Task] || !c.keeps(ti) || ti.State == dag.TaskNone { // which will run anyway
			continue
		}
		if c.KeepActive && ti.State.Active() {
			return nil, fmt.Errorf("task %q of run %q is %s: %w", ti.Task, c.Run, ti.State, dag.ErrConflict)
		}
		if err := a.clear(ti); err != nil {
			return nil, err
		}
		cleared = append(cleared, ti.Task)
	}
	if len(cleared) == 0 {
		return nil, nil
	}
	if err := a.requeue(); err != nil {
		return nil, err
	}
	return cleared, record(t,
		AuditEntry{By: c.By, Event: "clear", DAG: c.DAG, Run: c.Run, Task: onlyTask(cleared), Extra: tasksExtra(cleared)})
}

// keeps reports whether the clear is for task instances like that one.
func (c Clear) keeps(ti dag.TaskInstance) bool {
	switch {
	case !c.OnlyFailed && !c.OnlyRunning:
		return true
	case ti.State == dag.TaskFailed || ti.GivenUp():
		return c.OnlyFailed
	default:
		return c.OnlyRunning && ti.State == dag.TaskRunning
	}
}

// selection is the set of tasks that the clear names.
func (c Clear) selection(spec *dag.DAG) (map[dag.TaskID]bool, error) {
	wanted := make(map[dag.TaskID]bool, len(spec.Tasks))
	for _, id := range c.Tasks {
		if _, ok := spec.Task(id); !ok {
			return nil, fmt.Errorf("run %q of DAG %q has no task %.250q: %w", c.Run, c.DAG, id, dag.ErrNotFound)
		}
		wanted[id] = true
	}
	if len(c.Tasks) == 0 {
		for i := range spec.Tasks {
			wanted[spec.Tasks[i].ID] = true
		}
	}
	addRelatives(spec, wanted, c.Upstream, c.Downstream)
	return wanted, nil
}

// addRelatives adds everything that comes before the tasks of the set, after
// them, or both.
func addRelatives(spec *dag.DAG, set map[dag.TaskID]bool, upstream, downstream bool) {
	before := maps.Clone(set)
	if upstream {
		addUpstream(spec, before)
	}
	if downstream {
		addDownstream(spec, set)
	}
	maps.Copy(set, before)
}

// addUpstream adds every task that comes before one of the set.
func addUpstream(spec *dag.DAG, set map[dag.TaskID]bool) {
	order := dag.Order(spec)
	for _, id := range slices.Backward(order) { // downstream tasks come first
		if task, _ := spec.Task(id); set[id] {
			for _, up := range task.Upstream {
				set[up] = true
			}
		}
	}
}

// addDownstream adds every task that comes after one of the set.
func addDownstream(spec *dag.DAG, set map[dag.TaskID]bool) {
	for _, id := range dag.Order(spec) { // upstream tasks come first
		task, _ := spec.Task(id)
		if slices.ContainsFunc(task.Upstream, func(up dag.TaskID) bool { return set[up] }) {
			set[id] = true
		}
	}
}

// onlyTask names the task of an act on a single one.
func onlyTask(tasks []dag.TaskID) dag.TaskID {
	if len(tasks) == 1 {
		return tasks[0]
	}
	return ""
}

// maxAuditTasks bounds how many tasks an audit entry names.
const maxAuditTasks = 50

func tasksExtra(tasks []dag.TaskID) string {
	if len(tasks) < 2 {
		return ""
	}
	extra := map[string]any{"tasks": tasks[:min(len(tasks), maxAuditTasks)]}
	if len(tasks) > maxAuditTasks {
		extra["more"] = len(tasks) - maxAuditTasks
	}
	b, err := json.Marshal(extra)
	if err != nil {
		return "" // strings and numbers can always be written
	}
	return string(b)
}
