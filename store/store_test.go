package store_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
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
	postgresServer(t) // one failure tells more than one in each test
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

// postgresServer is the address of the PostgreSQL that the tests use.
func postgresServer(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv("DAGWRIGHT_TEST_POSTGRES")
	if dsn == "" {
		t.Fatal(`PostgreSQL is missing: run "make services" and set DAGWRIGHT_TEST_POSTGRES, or use "make test", which does both`)
	}
	return dsn
}

// postgresDSN makes an empty schema of its own and drops it when the test ends.
func postgresDSN(t testing.TB) string {
	t.Helper()
	base := postgresServer(t)
	name := "test_" + strings.ToLower(rand.Text()[:16])
	onServer(t, base, "CREATE SCHEMA "+name)
	t.Cleanup(func() { onServer(t, base, "DROP SCHEMA "+name+" CASCADE") })
	u, err := url.Parse(base)
	if err != nil {
		t.Fatalf("DAGWRIGHT_TEST_POSTGRES: %v", err)
	}
	q := u.Query()
	q.Set("search_path", name)
	q.Set("application_name", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// onServer runs one statement on a connection of its own. It is used while
// cleaning up too, when the test's context has ended.
func onServer(t testing.TB, dsn, statement string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatalf("connect to PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestEveryReadKeepsToItsScope(t *testing.T) {
	t.Parallel()
	storetest.CheckScopes(t)
}
