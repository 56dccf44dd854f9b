package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"dagwright/dag"
)

// ImportError is a broken file of the DAG repository.
type ImportError struct {
	ID     int64
	Path   string
	At     time.Time
	Errors dag.SpecErrors
}

// ImportErrors lists the broken files by path and how many there are.
func (s *Store) ImportErrors(ctx context.Context, limit, offset int) (found []ImportError, total int, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		t.scopeImportError(w)
		if _, err := t.row(`SELECT COUNT(*) FROM import_error e`+w.String(), w.args, &total); err != nil {
			return fmt.Errorf("count import errors: %w", err)
		}
		query := `SELECT e.id, e.path, e.at, e.errors FROM import_error e` + w.String() + ` ORDER BY e.path` + w.page(limit, offset)
		rows, err := t.query(query, w.args...)
		found, err = collect(rows, err, scanImportError)
		return err
	})
	return found, total, err
}

func scanImportError(r scanner) (ImportError, error) {
	var e ImportError
	var errors string
	if err := r.Scan(&e.ID, &e.Path, at(&e.At), &errors); err != nil {
		return e, err
	}
	if err := json.Unmarshal([]byte(errors), &e.Errors); err != nil {
		return e, fmt.Errorf("read import error of %s: %w", e.Path, err)
	}
	return e, nil
}

// setImportError records a broken file in place of what was known about it.
func setImportError(t *tx, path string, faults dag.SpecErrors) error {
	text, err := json.Marshal(faults)
	if err != nil {
		return fmt.Errorf("write import error: %w", err)
	}
	n, err := t.exec(`INSERT INTO import_error (path, at, errors, project) VALUES ($1, $2, $3, $4)
		ON CONFLICT (path) DO UPDATE SET at = excluded.at, errors = excluded.errors, project = excluded.project
		WHERE import_error.errors <> excluded.errors OR import_error.project <> excluded.project`, path, t.now, string(text), projectOfFile(path))
	if err != nil {
		return fmt.Errorf("write import error: %w", err)
	}
	if n == 0 {
		return nil // the same faults were known
	}
	t.changed(Change{Kind: ChangeImportError, Project: projectOfFile(path)})
	extra, err := json.Marshal(map[string]string{"path": path})
	if err != nil {
		return fmt.Errorf("write import error: %w", err)
	}
	return record(t, AuditEntry{By: Actor{User: "dagwright", Via: "scheduler"}, Event: "import_error", Extra: string(extra)})
}

func clearImportError(t *tx, path string) error {
	n, err := t.exec(`DELETE FROM import_error WHERE path = $1`, path)
	if err != nil {
		return fmt.Errorf("clear import error: %w", err)
	}
	if n > 0 {
		t.changed(Change{Kind: ChangeImportError, Project: projectOfFile(path)})
	}
	return nil
}
