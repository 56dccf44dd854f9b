package storetest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Postgres makes an empty schema in the PostgreSQL of the tests, drops it when the test
// ends, and returns its DSN.
func Postgres(t testing.TB) string {
	t.Helper()
	base := os.Getenv("DAGWRIGHT_TEST_POSTGRES")
	if base == "" {
		t.Fatal(`PostgreSQL is missing: run "make services" and set DAGWRIGHT_TEST_POSTGRES, or use "make test", which does both`)
	}
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
