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

// where is the filter as SQL. Under a scope, acts upon no DAG are left out; the
// rest is looked up row by row, or, when narrow, from the scope's DAGs.
func (f AuditFilter) where(t *tx, narrow bool) *where {
	w := &where{}
	if f.DAG != "" {
		w.add("e.dag_id = ?", f.DAG)
	}
	if f.Run != "" {
		w.add("e.run_id = ?", f.Run)
	}
	if f.Task != "" {
		w.add("e.task_id = ?", f.Task)
	}
	if f.Event != "" {
		w.add("e.event = ?", f.Event)
	}
	if f.User != "" {
		w.add("e.user_name = ?", f.User)
	}
	if narrow {
		t.scopeFrom(w, "e.dag_id")
	} else {
		t.scopeOwned(w, "e.dag_id")
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
		w := f.where(t, f.DAG == "")
		count := `SELECT COUNT(*) FROM (SELECT 1 FROM event_log e` + w.String() + w.number(" LIMIT ?", s.maxCount) +
			`) AS counted`
		if _, err := t.row(count, w.args, &total); err != nil {
			return fmt.Errorf("count audit log: %w", err)
		}
		narrow := !t.scope.All && f.DAG == "" && total < s.maxCount
		w = f.where(t, narrow)
		if f.Before != 0 {
			w.add("e.id < ?", f.Before)
		}
		order := ` ORDER BY e.id DESC`
		if narrow {
			order = sorted(order)
		}
		query := `SELECT e.id, e.at, e.user_name, e.via, e.event, e.dag_id, e.run_id, e.task_id, e.extra FROM event_log e` +
			w.String() + order + w.page(f.Limit, f.Offset)
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

// Note writes an act into the audit log that changed nothing in the store, such as
// a refusal.
func (s *Store) Note(ctx context.Context, e AuditEntry) error {
	return s.plainAct(ctx, e.By, "Note", []any{e}, func(t *tx) error { return record(t, e) })
}
