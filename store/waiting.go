package store

import (
	"dagwright/dag"
	"dagwright/reason"
)

// explainTasks gives the task instances that have not started a reason, so
// that no page has to leave open why nothing happens.
func explainTasks(r *runRecord, spec *dag.DAG, tasks []dag.TaskInstance) {
	if r.State.Ended() {
		return
	}
	states := make(map[dag.TaskID]dag.TaskState, len(tasks))
	for _, ti := range tasks {
		states[ti.Task] = ti.State
	}
	for i := range tasks {
		switch ti := &tasks[i]; {
		case ti.State != dag.TaskNone || !ti.Reason.IsZero():
		case r.State == dag.RunQueued:
			ti.Reason = reason.New(reason.WaitsForRun)
		default:
			ti.Reason = dag.WhyNotStarted(spec, ti.Task, states)
		}
	}
}

// explainRuns gives queued runs a reason.
func (s *Store) explainRuns(t *tx, runs []dag.Run) error {
	waiting := map[dag.ID]*dag.DAG{}
	for _, r := range runs {
		if r.State != dag.RunQueued || waiting[r.DAG] != nil {
			continue
		}
		d, err := findDAG(t, r.DAG)
		if err != nil {
			return err
		}
		if waiting[r.DAG], _, err = s.specOr(t, d.key(d.version)); err != nil {
			return err
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	ids := make([]dag.ID, 0, len(waiting))
	for id := range waiting {
		ids = append(ids, id)
	}
	counts, err := runCounts(t, ids)
	if err != nil {
		return err
	}
	for i := range runs {
		if r := &runs[i]; r.State == dag.RunQueued && r.Reason.IsZero() && r.Type == dag.RunBackfill {
			r.Reason = reason.New(reason.WaitsForBackfill)
		} else if r.State == dag.RunQueued && r.Reason.IsZero() {
			r.Reason = dag.WhyQueued(waiting[r.DAG], counts[r.DAG][dag.RunRunning])
		}
	}
	return nil
}
