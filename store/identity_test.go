package store

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRenameKnowsTheSchema fails when a table or a column of table dag comes that
// renameDAG does not know.
func TestRenameKnowsTheSchema(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(),
		Config{DSN: "sqlite:" + filepath.Join(t.TempDir(), "db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	names := func(query string) (found []string) {
		err := s.db.read(t.Context(), func(tx *tx) error {
			rows, err := tx.query(query)
			found, err = collect(rows, err, func(r scanner) (name string, err error) { return name, r.Scan(&name) })
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	// Provenance and what is remembered of deleted DAGs are of whoever has the id;
	// pushes go by their project; the import error of a DAG ends with its plans.
	known := append([]string{"dag", "generated_spec", "push", "dag_deleted", "import_error"}, dagTables...)
	for _, table := range names(
		`SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'dag_id'`) {
		if !slices.Contains(known, table) {
			t.Errorf("table %s has a dag_id: say in dagTables that its rows go with their DAG's id, or here why not", table)
		}
	}
	source, err := os.ReadFile("identity.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(source), "func renameDAG(")
	for _, column := range names(`SELECT name FROM pragma_table_info('dag')`) {
		if strings.Count(body, column) < 2 {
			t.Errorf("renameDAG does not copy column %s of table dag", column)
		}
	}
}
