package store

import (
	"context"
	"database/sql"
	"testing"
	"time"
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

// HurryLeaders makes leaders of the store beat, and standbys look, many times a second.
func HurryLeaders(s *Store) {
	s.lead = leadTimes{
		beat: 20 * time.Millisecond, answer: 10 * time.Second, fresh: 700 * time.Millisecond, missed: time.Second,
		poll: 10 * time.Millisecond,
	}
}

// AwaitBeat waits until a lease is confirmed once more.
func AwaitBeat(t *testing.T, l *Lease) {
	t.Helper()
	heard := func() time.Time {
		l.term.mu.Lock()
		defer l.term.mu.Unlock()
		return l.term.heard
	}
	before := heard()
	for start := time.Now(); !heard().After(before); time.Sleep(time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatal("the lease was not confirmed")
		}
	}
}

// WriteSlowly calls within in the middle of a transaction that writes.
func WriteSlowly(ctx context.Context, s *Store, within func()) error {
	return s.db.write(ctx, func(x *tx) error {
		within()
		_, err := x.exec(`DELETE FROM leader WHERE role = 'nobody'`)
		return err
	})
}
