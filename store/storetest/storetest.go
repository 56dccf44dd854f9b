// Package storetest is for tests that need a store: OpenTest gives them one,
// and Run is the conformance suite that every database must pass.
//
// The suite states what package store promises, in terms of its exported
// names only, so that SQLite and PostgreSQL are held to the same words.
package storetest

import (
	"log/slog"
	"path/filepath"
	"testing"

	"dagwright/store"
)

// OpenTest opens a new store on SQLite in a folder of the test and closes it
// when the test ends.
func OpenTest(t testing.TB) *store.Store {
	t.Helper()
	return Open(t, store.Config{DSN: "sqlite:" + filepath.Join(t.TempDir(), "dagwright.db")})
}

// Open opens a store for a test, without logging unless c has a Logger, and
// closes it when the test ends. A subscription that is open then fails the test:
// whoever subscribes closes it, or each request of a client would leave one.
func Open(t testing.TB, c store.Config) *store.Store {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if n := s.Subscribers(); n > 0 {
			t.Errorf("%d subscriptions were not closed", n)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return s
}
