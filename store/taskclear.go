package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"dagwright/dag"
)

// Clear asks for tasks of a run to be run once more.
type Clear struct {
	DAG dag.ID
	Run dag.RunID
	// Tasks are all tasks of the run when empty.
	Tasks []dag.TaskID
	// Downstream adds everything that comes after Tasks.
	Downstream bool
	// OnlyFailed keeps those that failed or whose upstream did.
	OnlyFailed bool
	By         Actor
}

// ClearTasks makes tasks run once more, in the version of the DAG to which their
// run is bound, and returns them. Their earlier tries stay as history, with
// their logs. One that is active is stopped first. A run that has ended is
// queued again. The error is dag.ErrNotFound for an unknown run or task, and
// dag.ErrConflict when there is nothing to clear, the DAG is archived or
// attempts of the ended run are still being stopped.
func (s *Store) ClearTasks(ctx context.Context, c Clear) (cleared []dag.TaskID, err error) {
	err = s.db.write(ctx, func(t *tx) error {
		a, err := s.openAct(t, c.By, c.DAG, c.Run)
		if err != nil {
			return err
		}
		wanted, err := c.selection(a)
		if err != nil {
			return err
		}
		cleared = nil
		for _, ti := range a.tasks {
			if !wanted[ti.Task] || c.OnlyFailed && ti.State != dag.TaskFailed && ti.State != dag.TaskUpstreamFailed {
				continue
			}
			if ti.State == dag.TaskNone {
				continue // it will run anyway
			}
			if err := a.clear(ti); err != nil {
				return err
			}
			cleared = append(cleared, ti.Task)
		}
		if len(cleared) == 0 {
			return fmt.Errorf("run %q of DAG %q has no such task to clear: %w", c.Run, c.DAG, dag.ErrConflict)
		}
		if err := a.requeue(); err != nil {
			return err
		}
		return record(t, AuditEntry{By: c.By, Event: "clear", DAG: c.DAG, Run: c.Run, Task: onlyTask(cleared), Extra: tasksExtra(cleared)})
	})
	return cleared, err
}

// selection is the set of tasks that the clear names.
func (c Clear) selection(a *taskAct) (map[dag.TaskID]bool, error) {
	wanted := make(map[dag.TaskID]bool, len(a.spec.Tasks))
	for _, id := range c.Tasks {
		if _, ok := a.spec.Task(id); !ok {
			return nil, fmt.Errorf("run %q of DAG %q has no task %.250q: %w", c.Run, c.DAG, id, dag.ErrNotFound)
		}
		wanted[id] = true
	}
	if len(c.Tasks) == 0 {
		for i := range a.spec.Tasks {
			wanted[a.spec.Tasks[i].ID] = true
		}
	}
	if c.Downstream {
		addDownstream(a.spec, wanted)
	}
	return wanted, nil
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
