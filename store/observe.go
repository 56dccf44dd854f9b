package store

import (
	"context"
	"time"
)

// TxKind tells transactions apart for whoever observes them.
type TxKind string

// The kinds of transaction.
const (
	ReadTx  TxKind = "read"
	WriteTx TxKind = "write"
)

// observed is a database that reports its transactions.
type observed struct {
	database
	observe func(TxKind, time.Duration, error)
}

func (o observed) write(ctx context.Context, fn func(*tx) error) error {
	began := time.Now()
	err := o.database.write(ctx, fn)
	o.observe(WriteTx, time.Since(began), err)
	return err
}

func (o observed) read(ctx context.Context, fn func(*tx) error) error {
	began := time.Now()
	err := o.database.read(ctx, fn)
	o.observe(ReadTx, time.Since(began), err)
	return err
}

// Pool says how the connections of a database are used.
type Pool struct {
	InUse, Most int
	// Waits is how often a transaction has waited for a connection since the start, and
	// Waited for how long in all; PostgreSQL only.
	Waits  int64
	Waited time.Duration
}

// Pool says how the connections of the database are used now.
func (s *Store) Pool() Pool { return s.db.pool() }

func (d *sqliteDB) pool() Pool {
	p := Pool{InUse: sqliteReaders - len(d.readers), Most: sqliteReaders + 1}
	if len(d.writer.queue) > 0 { // one write is under way, at least
		p.InUse++
	}
	return p
}

func (d *postgresDB) pool() Pool {
	s := d.db.Stats()
	return Pool{InUse: s.InUse, Most: s.MaxOpenConnections, Waits: s.WaitCount, Waited: s.WaitDuration}
}
