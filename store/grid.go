package store

import (
	"context"
	"fmt"

	"dagwright/dag"
)

// RunTasks returns the written task instances of several runs of one DAG, by
// run: the cells of a grid. A run that has not started has none.
func (s *Store) RunTasks(ctx context.Context, id dag.ID, runs []dag.RunID) (map[dag.RunID][]dag.TaskInstance, error) {
	out := make(map[dag.RunID][]dag.TaskInstance, len(runs))
	err := s.db.read(ctx, func(t *tx) error {
		clear(out)
		for _, part := range chunks(runs) {
			w := &where{}
			w.add("r.dag_id = ?", id)
			in(w, "r.run_id", part)
			t.scopeOwned(w, "r.dag_id")
			rows, err := t.query(`SELECT `+taskColumns+`, r.run_id FROM task_instance t JOIN dag_run r ON r.id = t.dag_run`+
				w.String()+` ORDER BY t.dag_run, t.task_id`, w.args...)
			err = each(rows, err, func(r scanner) error {
				var rec taskRecord
				err := r.Scan(append(rec.fields(), &rec.TaskInstance.Run)...)
				rec.DAG = id
				out[rec.TaskInstance.Run] = append(out[rec.TaskInstance.Run], rec.TaskInstance)
				return err
			})
			if err != nil {
				return fmt.Errorf("read task instances: %w", err)
			}
		}
		return nil
	})
	return out, err
}
