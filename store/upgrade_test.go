package store_test

import (
	"database/sql"
	"io/fs"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
	"dagwright/store/migrations"
	"dagwright/store/storetest"
)

// migrateTo takes a database back to an older version of the schema.
func migrateTo(t *testing.T, dsn string, version int64) {
	t.Helper()
	driver, address, dialect, files := "pgx", dsn, goose.DialectPostgres, fs.FS(migrations.Postgres)
	folder := "postgres"
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, address, dialect, files, folder = "sqlite", path, goose.DialectSQLite3, migrations.SQLite, "sqlite"
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if files, err = fs.Sub(files, folder); err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(dialect, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.DownTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}

// TestOldReasons wants the sentences of a database that was made before reasons had
// codes to be shown as they were, and attempts that were being stopped to be so still.
func TestOldReasons(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, dsn string) {
		run := storeWithRun(t, dsn)
		const evil = `it said "no"\\ and <b>' in
two lines`
		migrateTo(t, dsn, 115)
		for _, statement := range []string{
			`UPDATE dag_run SET reason = 'task a failed: exit code 3'`,
			`UPDATE task_instance SET reason = 'exit code 3', state = 'failed' WHERE task_id = 'a'`,
			`UPDATE task_instance SET reason = 'stopped: cancelled by alice', state = 'running', try_number = 1 WHERE task_id = 'b'`,
			`UPDATE task_instance SET reason = '` + strings.ReplaceAll(evil, "'", "''") +
				`', state = 'failed' WHERE task_id = 'c'`,
		} {
			rawExec(t, dsn, statement)
		}
		s := storetest.Open(t, store.Config{DSN: dsn})
		r, err := s.Run(t.Context(), "d", run)
		if err != nil || r.Reason != reason.Of("task a failed: exit code 3") {
			t.Errorf("the run's reason is %+v, %v", r.Reason, err)
		}
		want := map[dag.TaskID]reason.Reason{
			"a": reason.New(reason.ExitCode, 3), "b": reason.Of("stopped: cancelled by alice"), "c": reason.Of(evil), "e": {},
		}
		tasks, err := s.TaskInstances(t.Context(), "d", run)
		if err != nil || len(tasks) != len(want) {
			t.Fatalf("%d task instances, %v", len(tasks), err)
		}
		for _, ti := range tasks {
			why := want[ti.Task]
			if ti.Reason.String() != why.String() || ti.Reason.Code != why.Code || ti.Stopping != (ti.Task == "b") {
				t.Errorf("task %s: reason %+v, stopping %t, want %+v", ti.Task, ti.Reason, ti.Stopping, why)
			}
		}
	})
}

// TestOldStates opens a database in which a missing start, or one too many, stood for a
// state that has a column now.
func TestOldStates(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, dsn string) {
		run := storeWithRun(t, dsn)
		migrateTo(t, dsn, 116)
		for _, statement := range []string{
			`UPDATE dag_run SET state = 'queued', start_date = 5`,
			`UPDATE task_instance SET state = 'skipped', start_date = 0 WHERE task_id = 'a'`,
			`UPDATE task_instance SET state = 'skipped', start_date = 5, retry_at = 6 WHERE task_id = 'b'`,
			`UPDATE task_instance SET state = 'skipped', start_date = 5, max_tries = 4, lost = 3 WHERE task_id = 'c'`,
		} {
			rawExec(t, dsn, statement)
		}
		s := storetest.Open(t, store.Config{DSN: dsn})
		if r, err := s.Run(t.Context(), "d", run); err != nil || !r.Cleared {
			t.Errorf("a queued run with a start: cleared %t, %v", r.Cleared, err)
		}
		tasks, err := s.TaskInstances(t.Context(), "d", run)
		if err != nil || len(tasks) != 4 {
			t.Fatalf("%d task instances, %v", len(tasks), err)
		}
		for i, want := range []bool{true, true, false, false} {
			if ti := tasks[i]; ti.GivenUp() != want {
				t.Errorf("task %s is given up: %t", ti.Task, ti.GivenUp())
			}
		}
		if c := tasks[2]; c.MaxTries != 1 || c.Lost != 3 || c.MostTries() != 4 {
			t.Errorf("of 4 tries 3 were lost: %+v", c)
		}
	})
}

// storeWithRun makes a database with a running run of the tasks a, b, c and e.
func storeWithRun(t *testing.T, dsn string) dag.RunID {
	t.Helper()
	s := openStore(t, dsn)
	defer closeStore(t, s)
	d := &dag.DAG{ID: "d", MaxActiveRuns: 1, MaxActiveTasks: 4}
	for _, id := range []dag.TaskID{"a", "b", "c", "e"} {
		d.Tasks = append(d.Tasks, dag.Task{ID: id, TriggerRule: dag.AllSuccess})
	}
	if _, err := s.SaveDAGs(t.Context(),
		store.Sync{Commit: "1", Changed: []store.SpecFile{{Path: "d.yaml", DAGs: []*dag.DAG{d}}}}); err != nil {
		t.Fatal(err)
	}
	r, err := s.TriggerRun(t.Context(), store.Trigger{DAG: "d"})
	if err != nil {
		t.Fatal(err)
	}
	start := store.StartRun{DAG: "d", Run: r.ID, At: r.QueuedAt}
	for _, task := range d.Tasks {
		start.Tasks = append(start.Tasks, dag.TaskInstance{DAG: "d", Run: r.ID, Task: task.ID, MaxTries: 1})
	}
	start.Tasks[3].State = dag.TaskSuccess
	if _, err := s.Advance(t.Context(), []dag.ID{"d"},
		func(store.Snapshot) []store.Action { return []store.Action{start} }); err != nil {
		t.Fatal(err)
	}
	return r.ID
}
