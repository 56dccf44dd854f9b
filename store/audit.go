package store

import (
	"context"
	"fmt"
	"time"

	"dagwright/dag"
)

// AuditEntry is one act of a person or of dagwright itself (Airflow's event
// log).
type AuditEntry struct {
	ID    int64
	At    time.Time
	By    Actor
	Event string // pause, unpause, trigger, mark_failed, mark_success, delete, …
	DAG   dag.ID
	Run   dag.RunID
	Task  dag.TaskID
	Extra string // JSON, never a conf value or secret
}

// AuditFilter selects audit entries; zero fields do not filter.
type AuditFilter struct {
	DAG    dag.ID
	Run    dag.RunID
	Task   dag.TaskID
	Event  string
	User   string
	Before int64 // keyset: only ids below this one
	Limit  int   // 50 when zero
	Offset int
}

func (f AuditFilter) where() *where {
	w := &where{}
	if f.DAG != "" {
		w.add("dag_id = ?", f.DAG)
	}
	if f.Run != "" {
		w.add("run_id = ?", f.Run)
	}
	if f.Task != "" {
		w.add("task_id = ?", f.Task)
	}
	if f.Event != "" {
		w.add("event = ?", f.Event)
	}
	if f.User != "" {
		w.add("user_name = ?", f.User)
	}
	return w
}

// record writes an act into the audit log, in the transaction of the act.
func record(t *tx, e AuditEntry) error {
	_, err := t.exec(`INSERT INTO event_log (at, user_name, via, event, dag_id, run_id, task_id, extra)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		t.now, e.By.name(), e.By.Via, e.Event, e.DAG, e.Run, e.Task, e.Extra)
	if err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	return nil
}

// Audit lists audit entries, newest first, and how many there are in all;
// counting stops at 10,000.
func (s *Store) Audit(ctx context.Context, f AuditFilter) (entries []AuditEntry, total int, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := f.where()
		count := `SELECT COUNT(*) FROM (SELECT 1 FROM event_log` + w.String() + w.number(" LIMIT ?", s.maxCount) + `) AS counted`
		if _, err := t.row(count, w.args, &total); err != nil {
			return fmt.Errorf("count audit log: %w", err)
		}
		w = f.where()
		if f.Before != 0 {
			w.add("id < ?", f.Before)
		}
		query := `SELECT id, at, user_name, via, event, dag_id, run_id, task_id, extra FROM event_log` +
			w.String() + ` ORDER BY id DESC` + w.page(f.Limit, f.Offset)
		rows, err := t.query(query, w.args...)
		entries, err = collect(rows, err, scanAudit)
		return err
	})
	return entries, total, err
}

func scanAudit(r scanner) (AuditEntry, error) {
	var e AuditEntry
	err := r.Scan(&e.ID, at(&e.At), &e.By.User, &e.By.Via, &e.Event, &e.DAG, &e.Run, &e.Task, &e.Extra)
	return e, err
}
