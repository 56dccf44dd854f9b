package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"dagwright/dag"
)

// ImportError is a broken file of the DAG repository, or a whole one with a DAG that
// the scheduler cannot plan.
type ImportError struct {
	ID     int64
	Path   string
	At     time.Time
	Errors dag.SpecErrors
	// Unplanned is the DAG that cannot be planned; "" where the file is broken.
	Unplanned dag.ID
}

// ImportErrors lists the broken files by path and how many there are.
func (s *Store) ImportErrors(ctx context.Context, limit, offset int) (found []ImportError, total int, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		t.scopeImportError(w)
		if _, err := t.row(`SELECT COUNT(*) FROM import_error e`+w.String(), w.args, &total); err != nil {
			return fmt.Errorf("count import errors: %w", err)
		}
		query := `SELECT e.id, e.path, e.at, e.errors, e.dag_id FROM import_error e` + w.String() + ` ORDER BY e.path` +
			w.page(limit, offset)
		rows, err := t.query(query, w.args...)
		found, err = collect(rows, err, scanImportError)
		return err
	})
	return found, total, err
}

func scanImportError(r scanner) (ImportError, error) {
	var e ImportError
	var faults string
	if err := r.Scan(&e.ID, &e.Path, at(&e.At), &faults, &e.Unplanned); err != nil {
		return e, err
	}
	if err := json.Unmarshal([]byte(faults), &e.Errors); err != nil {
		return e, fmt.Errorf("read import error of %s: %w", e.Path, err)
	}
	return e, nil
}

// setImportError records a broken file in place of what was known about it. of is the
// DAG that the file defined before, "" where that is not one.
func setImportError(t *tx, path string, of dag.ID, faults dag.SpecErrors) error {
	return importError(t, importFault{path: path, of: of, faults: faults},
		`import_error.errors <> excluded.errors OR import_error.project <> excluded.project
		OR import_error.dag_id <> ''`)
}

// importFault is what is wrong with a file, or with a DAG in it.
type importFault struct {
	path      string
	unplanned dag.ID // "" where the file is broken
	of        dag.ID // the DAG to name in the audit log, "" for none
	faults    dag.SpecErrors
}

// importError records a fault. What is known already stays unless replace, a condition
// of SQL, holds.
func importError(t *tx, f importFault, replace string) error {
	text, err := json.Marshal(f.faults)
	if err != nil {
		return fmt.Errorf("write import error: %w", err)
	}
	n, err := t.exec(`INSERT INTO import_error (path, at, errors, project, dag_id) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (path) DO UPDATE SET at = excluded.at, errors = excluded.errors, project = excluded.project, dag_id = excluded.dag_id
		WHERE `+replace, f.path, t.now, string(text), projectOfFile(f.path), f.unplanned)
	if err != nil {
		return fmt.Errorf("write import error: %w", err)
	}
	if n == 0 {
		return nil // the same faults were known
	}
	t.announce(Change{Kind: ChangeImportError, Project: projectOfFile(f.path)})
	extra, err := json.Marshal(f.auditExtra())
	if err != nil {
		return fmt.Errorf("write import error: %w", err)
	}
	return record(t,
		AuditEntry{By: Actor{User: "dagwright", Via: "scheduler"}, Event: "import_error", DAG: f.of, Extra: string(extra)})
}

// maxAuditReason bounds what the audit log says of a fault, in letters.
const maxAuditReason = 300

// auditExtra names the file and its first fault.
func (f importFault) auditExtra() map[string]any {
	extra := map[string]any{"path": f.path}
	if len(f.faults) == 0 {
		return extra
	}
	reason := []rune(f.faults[0].Error())
	if len(reason) > maxAuditReason {
		reason = append(reason[:maxAuditReason-1], '…')
	}
	extra["reason"] = string(reason)
	if more := len(f.faults) - 1; more > 0 {
		extra["more_errors"] = more
	}
	return extra
}

// SetUnplanned records, as an import error of its file, that a DAG cannot be planned,
// and why. Faults of the file itself say more, and stay. A DAG that does not exist or is
// archived has none.
func (s *Store) SetUnplanned(ctx context.Context, id dag.ID, reason string) error {
	return s.write(ctx, func(t *tx) error {
		d, err := lockDAG(t, id)
		if errors.Is(err, dag.ErrNotFound) || err == nil && d.archived {
			return nil
		}
		if err != nil {
			return err
		}
		faults := dag.SpecErrors{{File: d.file, Path: string(id), Reason: reason}}
		return importError(t, importFault{path: d.file, unplanned: id, of: id, faults: faults},
			`import_error.dag_id = excluded.dag_id AND import_error.errors <> excluded.errors`)
	})
}

// ClearUnplanned records that a DAG can be planned.
func (s *Store) ClearUnplanned(ctx context.Context, id dag.ID) error {
	return s.write(ctx, func(t *tx) error {
		rows, err := t.query(`DELETE FROM import_error WHERE dag_id = $1 RETURNING path`, id)
		return each(rows, err, func(r scanner) error {
			var path string
			err := r.Scan(&path)
			t.announce(Change{Kind: ChangeImportError, Project: projectOfFile(path)})
			return err
		})
	})
}

// Unplanned returns the DAGs of which it is recorded that they cannot be planned.
func (s *Store) Unplanned(ctx context.Context) (ids []dag.ID, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		rows, err := t.query(`SELECT dag_id FROM import_error WHERE dag_id <> '' ORDER BY dag_id`)
		ids, err = collect(rows, err, scanID)
		return err
	})
	return ids, err
}

func clearImportError(t *tx, path string) error {
	n, err := t.exec(`DELETE FROM import_error WHERE path = $1`, path)
	if err != nil {
		return fmt.Errorf("clear import error: %w", err)
	}
	if n > 0 {
		t.announce(Change{Kind: ChangeImportError, Project: projectOfFile(path)})
	}
	return nil
}

// RepositoryPath stands, as the path of an import error, for the DAG repository as a
// whole.
const RepositoryPath = "."

// SetRepositoryFault writes down why the DAG repository as a whole cannot be read, as
// an import error of RepositoryPath; "" takes it back. The same fault once more
// changes nothing.
func (s *Store) SetRepositoryFault(ctx context.Context, reason string) error {
	return s.write(ctx, func(t *tx) error {
		if reason == "" {
			return clearImportError(t, RepositoryPath)
		}
		return setImportError(t, RepositoryPath, "", dag.SpecErrors{{File: RepositoryPath, Reason: reason}})
	})
}
