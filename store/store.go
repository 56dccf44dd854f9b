// Package store is where the actors meet: it keeps everything that dagwright
// knows (pushes, DAGs and their versions, runs, task instances, import errors,
// the audit log) in one SQL database, SQLite or PostgreSQL, and tells
// subscribers what changed.
//
// An exported method is one transaction. Every change of a state is a
// compare-and-set: what was decided on an old view is refused, never written.
// [Store.Advance] is the scheduler's one door: it shows a snapshot, takes
// decisions and writes them in the same transaction.
//
// On SQLite all writes go through one goroutine, which puts the writes that
// wait for it into one durable transaction (group commit). On PostgreSQL every
// write that touches a DAG or its runs locks the DAG's row first, so that
// writers of the same DAG take turns.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Config says which database to open.
type Config struct {
	// DSN is "sqlite:PATH" (PATH ":memory:" is not supported) or a
	// "postgres://" URL.
	DSN string
	// Timeout bounds a transaction on PostgreSQL, from the wait for a connection on, except
	// for its COMMIT, which has 15 s; a minute when zero.
	Timeout time.Duration
	// Now is the clock; time.Now when nil.
	Now    func() time.Time
	Logger *slog.Logger
	// Reserve is how many bytes of the disk are kept for SQLite's database, and as
	// many again for its write-ahead log, whoever fills the rest; 0 is none.
	Reserve int64
	// Observe is called after each transaction, with how long it took from the wait for its
	// turn on; it must not wait, and may be nil.
	Observe func(kind TxKind, took time.Duration, err error)
}

// Store is an open database. Its methods are safe for concurrent use.
type Store struct {
	db database
	// postgres is what db leads to; nil on SQLite.
	postgres *postgresDB
	feed     *feed
	specs    *specCache
	// memory is what the steps of this store have left.
	memory *memory
	id     string
	lead   leadTimes
	// maxCount is how far rows are counted where no counter is kept.
	maxCount int
}

// Actor is who does something, for the audit log.
type Actor struct {
	User string // "anonymous" when nobody signed in
	Via  string // ui, rest_api, cli, scheduler, generator, webhook
}

func (a Actor) name() string {
	if a.User == "" {
		return "anonymous"
	}
	return a.User
}

// Open opens the database and brings its schema up to date. A database that a
// newer dagwright has migrated is refused.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	s := &Store{feed: newFeed(), specs: newSpecCache(), memory: newMemory(), lead: usualLeadTimes, maxCount: maxCount}
	var err error
	if path, ok := strings.CutPrefix(c.DSN, "sqlite:"); ok {
		s.db, err = openSQLite(ctx, path, c, s.feed, s.specs.purge)
		return s.opened(ctx, c, err)
	}
	if strings.HasPrefix(c.DSN, "postgres://") || strings.HasPrefix(c.DSN, "postgresql://") {
		s.postgres, err = openPostgres(ctx, c, s.feed)
		s.db = s.postgres
		return s.opened(ctx, c, err)
	}
	return nil, fmt.Errorf("the database must be sqlite:PATH or a postgres:// URL")
}

// opened ends Open: it reads who the database is.
func (s *Store) opened(ctx context.Context, c Config, err error) (*Store, error) {
	if err != nil {
		return nil, err
	}
	err = s.db.read(ctx, func(t *tx) error {
		found, err := t.row(`SELECT id FROM database_identity`, nil, &s.id)
		if err == nil && !found {
			err = errors.New("table database_identity is empty")
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read who the database is: %w", err), s.db.close())
	}
	if c.Observe != nil {
		s.db = observed{s.db, c.Observe}
	}
	return s, nil
}

// ID is the random name that the database was given when it was made, 16 hex digits: what
// bears another one was not made for this database, whatever its other names.
func (s *Store) ID() string { return s.id }

// Close waits for the transactions that are under way and closes the database.
// It must be called once; the store is not used afterwards.
func (s *Store) Close() error { return s.db.close() }

// maxCount is where a listing stops counting its total, for filters that no
// counter serves: nobody pages further, and counting a million rows is slow.
const maxCount = 10_000
