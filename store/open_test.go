package store_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/store/storetest"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"", "sqlite:", "sqlite::memory:", "mysql://x", "postgres://u:secret@[bad",
		"sqlite:" + filepath.Join(t.TempDir(), "absent", "x.db")} {
		_, err := store.Open(t.Context(), store.Config{DSN: dsn, Logger: quiet()})
		if err == nil {
			t.Errorf("%q was opened", dsn)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

// TestOpenPath opens files whose names mean something in a URL.
func TestOpenPath(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b.db", "50%.db", "q?mode=memory.db", "ä#1.db"} {
		path := filepath.Join(t.TempDir(), name)
		closeStore(t, openStore(t, "sqlite:"+path))
		if found, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.db")); err != nil ||
			!cmp.Equal(found, []string{path}) {
			t.Errorf("files are %q, want %q (%v)", found, path, err)
		}
	}
}

func TestOpenAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, dsn string) {
		prepareVictim(t, dsn)
		s := openStore(t, dsn)
		defer closeStore(t, s)
		if _, err := s.DAG(t.Context(), "d"); err != nil {
			t.Error(err)
		}
	})
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, dsn string) {
		closeStore(t, openStore(t, dsn))
		rawExec(t, dsn, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, `+rawTrue(dsn)+`)`)
		_, err := store.Open(t.Context(), store.Config{DSN: dsn, Logger: quiet()})
		if err == nil || !strings.Contains(err.Error(), "99999") || !strings.Contains(err.Error(), "newer dagwright") {
			t.Errorf("error %v does not say that the database is newer", err)
		}
	})
}

func rawTrue(dsn string) string {
	if strings.HasPrefix(dsn, "sqlite:") {
		return "1"
	}
	return "true"
}

// rawExec runs a statement past the store.
func rawExec(t testing.TB, dsn, statement string) {
	t.Helper()
	driver, address := "pgx", dsn
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, address = "sqlite", path
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// TestOpenAtOnce lets several processes' worth of stores migrate one database.
func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, dsn string) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				s, err := store.Open(t.Context(), store.Config{DSN: dsn, Logger: quiet()})
				if err != nil {
					t.Error(err)
					return
				}
				closeStore(t, s)
			})
		}
		wg.Wait()
	})
}

// TestTriggerSameInstant triggers with a clock that stands still: each run gets
// an id and a logical date of its own.
func TestTriggerSameInstant(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, dsn string) {
		prepareVictim(t, dsn)
		now := time.Date(2026, 11, 23, 20, 8, 20, 24068000, time.UTC)
		s := storetest.Open(t, store.Config{DSN: dsn, Now: func() time.Time { return now }})
		var got []dag.RunID
		for range 3 {
			r, err := s.TriggerRun(t.Context(), store.Trigger{DAG: "d"})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r.ID)
		}
		// With the logical date given, the run id alone has to move.
		r, err := s.TriggerRun(t.Context(), store.Trigger{DAG: "d", LogicalDate: now.AddDate(0, 0, -1)})
		if err != nil {
			t.Fatal(err)
		}
		want := []dag.RunID{
			"manual__2026-11-23T20:08:20.024068+00:00", "manual__2026-11-23T20:08:20.024069+00:00",
			"manual__2026-11-23T20:08:20.024070+00:00", "manual__2026-11-23T20:08:20.024071+00:00",
		}
		if diff := cmp.Diff(want, append(got, r.ID)); diff != "" {
			t.Errorf("run ids (-want +got):\n%s", diff)
		}
		if !r.LogicalDate.Equal(now.AddDate(0, 0, -1)) {
			t.Errorf("the given logical date became %s", r.LogicalDate)
		}
	})
}

func TestClosedStore(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		closeStore(t, s)
		if err := s.WantSync(t.Context()); err == nil {
			t.Error("a closed store was written to")
		}
	})
}

// TestGroupCommit holds the writer up, lets writes wait for it, good ones and
// failing ones, and wants each answered for itself.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	dsn := sqliteDSN(t)
	prepareVictim(t, dsn)
	s := openStore(t, dsn)
	defer closeStore(t, s)
	entered, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := s.Advance(t.Context(), nil, func(store.Snapshot) []store.Action {
			close(entered)
			<-release
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-entered
	const writers = 60
	var errs [writers]error
	given, giveUp := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	waiting.Add(writers)
	for i := range writers {
		wg.Go(func() {
			ctx, tr := t.Context(), store.Trigger{DAG: "d"} //nolint:contextcheck // t.Context is the one of this test
			switch i % 3 {
			case 1:
				tr.DAG = "absent"
			case 2:
				ctx = given
			}
			waiting.Done()
			_, errs[i] = s.TriggerRun(ctx, tr)
		})
	}
	waiting.Wait()
	giveUp() // who has given up before the write began has written nothing
	close(release)
	wg.Wait()
	written := 0
	for i, err := range errs {
		switch {
		case err == nil:
			written++
		case i%3 == 1 && errors.Is(err, dag.ErrNotFound):
		case i%3 == 2 && errors.Is(err, context.Canceled):
		default:
			t.Errorf("writer %d: %v", i, err)
		}
	}
	if written < writers/3 {
		t.Errorf("%d writes succeeded, want at least %d", written, writers/3)
	}
	_, total, err := s.Runs(t.Context(), store.RunFilter{})
	if err != nil || total != written {
		t.Errorf("%d runs are there, %d were acknowledged (%v)", total, written, err)
	}
}

// TestListenAcrossStores changes something in one store and hears of it in
// another one of the same PostgreSQL database, once and in order, also after
// the connection was cut.
func TestListenAcrossStores(t *testing.T) {
	t.Parallel()
	dsn := postgresDSN(t)
	prepareVictim(t, dsn)
	a, b := storetest.Open(t, store.Config{DSN: dsn}), storetest.Open(t, store.Config{DSN: dsn})
	subA, subB := a.Subscribe(), b.Subscribe()
	defer subA.Close()
	defer subB.Close()
	for range 3 {
		if _, err := a.TriggerRun(t.Context(), store.Trigger{DAG: "d"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.WantSync(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, sub := range map[string]*store.Subscription{"own": subA, "other": subB} {
		runs := 0
		for c := range sub.C {
			if c.Kind == store.ChangeSyncWanted {
				break
			}
			if c.Kind == store.ChangeRun {
				runs++
			}
		}
		if runs != 3 {
			t.Errorf("%s store heard of %d runs, want 3", name, runs)
		}
	}
	// Every connection of the two stores is cut. They come back by themselves,
	// and say that something may have been missed.
	rawExec(t, dsn, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()`)
	<-subA.Lagged
	<-subB.Lagged
	if _, err := a.TriggerRun(t.Context(), store.Trigger{DAG: "d", Run: "after"}); err != nil {
		t.Fatal(err)
	}
	for c := range subB.C {
		if c.Run == "after" {
			break
		}
	}
}

// TestUseAfterClose wants an error, not a wait, from a store that is closed.
func TestUseAfterClose(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + filepath.Join(t.TempDir(), "dagwright.db")})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := s.Tags(t.Context()); err == nil {
		t.Error("reading after Close gave no error")
	}
	if err := s.WantSync(t.Context()); err == nil {
		t.Error("writing after Close gave no error")
	}
}

// TestSQLiteClosesItsFiles wants no descriptor of the database's files after Close: a file
// that is removed would keep its place on the disk until the process ends.
func TestSQLiteClosesItsFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + path, Logger: quiet(), Reserve: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	// A connection that has prepared statements is another case than one without.
	if _, err := s.DAG(t.Context(), "d"); !errors.Is(err, dag.ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := s.TriggerRun(t.Context(), store.Trigger{DAG: "d"}); !errors.Is(err, dag.ErrNotFound) {
		t.Fatal(err)
	}
	if n := descriptors(t, path); n == 0 {
		t.Fatal("no file of an open database was found")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := descriptors(t, path); n != 0 {
		t.Errorf("%d files of a closed database are open", n)
	}
}

// descriptors counts the process's descriptors of files whose paths begin so.
func descriptors(t *testing.T, path string) (n int) {
	t.Helper()
	const folder = "/proc/self/fd"
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if file, err := os.Readlink(filepath.Join(folder, e.Name())); err == nil && strings.HasPrefix(file, path) {
			n++
		}
	}
	return n
}
