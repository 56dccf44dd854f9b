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

// AuditEvents are the events of the audit log, sorted.
var AuditEvents = []string{
	"archive", "backfill", "cancel", "cancel_backfill", "clear", "compare_promotion", "create_token", "delete",
	"delete_run", ViaDryRun, "end_session", "import_error", "logout_refused", "mark_failed", "mark_success",
	"mark_task_failed", "mark_task_skipped", "mark_task_success", ViaOverwrite, "pause", "pause_backfill", "promote",
	"propose_removal", "propose_restoring", "refused", "remove_file", "replay_push", "request_removal",
	"request_restore", ViaRerender, "restore_file", "revoke_token", "set_aside", "set_note", "sign_in",
	"sign_in_refused", "sign_out", "take_over", "token_refused", "trigger", "unpause", "unpause_backfill",
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
