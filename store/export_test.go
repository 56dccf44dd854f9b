package store

import (
	"database/sql"
	"testing"
)

// MakeReadOnly makes the idle connections of the store's pool refuse to write.
func MakeReadOnly(t *testing.T, s *Store) {
	t.Helper()
	db := s.db.(*postgresDB).db
	var conns []*sql.Conn
	for range db.Stats().Idle {
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.ExecContext(t.Context(), `SET default_transaction_read_only = on`); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// LoseAnswers lets the commits of a SQLite store be done and fail all the same, as long
// as lose says so.
func LoseAnswers(s *Store, lose func() error) {
	w := s.db.(*sqliteDB).writer
	commit := w.commit
	w.commit = func() error {
		if err := commit(); err != nil {
			return err
		}
		return lose()
	}
}
