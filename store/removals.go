package store

import (
	"context"
	"fmt"
	"time"

	"dagwright/dag"
)

// RequestRemoval asks the generator to remove the DAG's file from the DAG
// repository; the DAG is archived once the scheduler sees that it is gone.
// Until then the request is in PendingRemovals; asking again changes nothing.
// The error is dag.ErrNotFound when there is no such DAG and dag.ErrConflict
// when it is archived. A ChangeDAG follows.
func (s *Store) RequestRemoval(ctx context.Context, by Actor, id dag.ID) error {
	return s.db.write(ctx, func(t *tx) error {
		d, err := lockDAG(t, id)
		if err != nil {
			return err
		}
		if d.archived {
			return fmt.Errorf("DAG %q is archived, its file is gone already: %w", id, dag.ErrConflict)
		}
		n, err := t.exec(`INSERT INTO removal (dag_id, path, user_name, via, asked_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (dag_id) DO UPDATE SET path = excluded.path, user_name = excluded.user_name, via = excluded.via,
				asked_at = excluded.asked_at, done_at = 0, dag_commit = ''
			WHERE removal.done_at <> 0`, id, d.file, by.name(), by.Via, t.now)
		if err != nil {
			return fmt.Errorf("ask for removal of DAG %q: %w", id, err)
		}
		if n == 0 {
			return nil
		}
		t.changed(Change{Kind: ChangeDAG, DAG: id})
		return record(t, AuditEntry{By: by, Event: "request_removal", DAG: id})
	})
}

// Removal is a file that the generator is asked to remove.
type Removal struct {
	DAG  dag.ID
	Path string
	By   Actor
	At   time.Time
}

// PendingRemovals lists the removals asked for and not done, oldest first.
func (s *Store) PendingRemovals(ctx context.Context) (removals []Removal, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		w.add("m.done_at = 0")
		t.scopeOwned(w, "m.dag_id")
		rows, err := t.query(`SELECT m.dag_id, m.path, m.user_name, m.via, m.asked_at FROM removal m`+
			w.String()+` ORDER BY m.asked_at, m.dag_id`, w.args...)
		removals, err = collect(rows, err, func(r scanner) (Removal, error) {
			var m Removal
			err := r.Scan(&m.DAG, &m.Path, &m.By.User, &m.By.Via, at(&m.At))
			return m, err
		})
		return err
	})
	return removals, err
}

// FinishRemoval marks a removal as done and wants a sync. Finishing what is
// not pending changes nothing.
func (s *Store) FinishRemoval(ctx context.Context, id dag.ID, dagCommit string) error {
	return s.db.write(ctx, func(t *tx) error {
		n, err := t.exec(`UPDATE removal SET done_at = $2, dag_commit = $3 WHERE dag_id = $1 AND done_at = 0`, id, t.now, dagCommit)
		if err != nil {
			return fmt.Errorf("finish removal of DAG %q: %w", id, err)
		}
		if n == 0 {
			return nil
		}
		t.changed(Change{Kind: ChangeSyncWanted}, Change{Kind: ChangeDAG, DAG: id})
		return record(t, AuditEntry{By: Actor{User: "dagwright", Via: "generator"}, Event: "remove_file", DAG: id})
	})
}
