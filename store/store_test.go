package store_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"dagwright/store"
	"dagwright/store/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimEnv) != "" {
		victim()
		return
	}
	goleak.VerifyTestMain(m)
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Store { return storetest.OpenTest(t) })
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	postgresDSN(t) // one failure tells more than one in each test
	storetest.Run(t, func(t *testing.T) *store.Store {
		return storetest.Open(t, store.Config{DSN: postgresDSN(t)})
	})
}

// databases are the two kinds of database, for tests of both that need more
// than an open store.
func databases() map[string]func(testing.TB) string {
	return map[string]func(testing.TB) string{"SQLite": sqliteDSN, "PostgreSQL": postgresDSN}
}

func onBoth(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Helper()
	for name, dsn := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, dsn(t))
		})
	}
}

func sqliteDSN(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "dagwright.db") }

func postgresDSN(t testing.TB) string { return storetest.Postgres(t) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestEveryReadKeepsToItsScope(t *testing.T) {
	t.Parallel()
	storetest.CheckScopes(t)
}
