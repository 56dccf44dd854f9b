package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"dagwright/store/migrations"
)

// postgresConns bounds the connections of one process, beside the one that
// listens.
const postgresConns = 16

// postgresTries bounds how often a transaction is repeated when PostgreSQL
// asks for it.
const postgresTries = 10

// postgresDB is a PostgreSQL database. The server itself groups the commits of
// connections that write at once.
type postgresDB struct {
	db       *sql.DB
	now      func() time.Time
	channel  string
	listener *listener
}

func openPostgres(ctx context.Context, c Config, f *feed) (*postgresDB, error) {
	config, err := pgx.ParseConfig(c.DSN)
	if err != nil {
		// pgx leaves the password out of this error.
		return nil, fmt.Errorf("PostgreSQL address: %w", err)
	}
	if _, ok := config.RuntimeParams["application_name"]; !ok {
		config.RuntimeParams["application_name"] = "dagwright"
	}
	d := &postgresDB{db: stdlib.OpenDB(*config), now: c.Now}
	d.db.SetMaxOpenConns(postgresConns)
	d.db.SetMaxIdleConns(postgresConns)
	d.db.SetConnMaxIdleTime(5 * time.Minute)
	if err := d.open(ctx, config, c.Logger, f); err != nil {
		return nil, errors.Join(err, d.db.Close())
	}
	return d, nil
}

func (d *postgresDB) open(ctx context.Context, config *pgx.ConnConfig, log *slog.Logger, f *feed) error {
	var schemaName string
	if err := d.db.QueryRowContext(ctx, `SELECT COALESCE(current_schema(), '')`).Scan(&schemaName); err != nil {
		return fmt.Errorf("open PostgreSQL database: %w", err)
	}
	if schemaName == "" {
		return errors.New("open PostgreSQL database: no schema of its search_path exists")
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockID(schemaName)), lock.WithLockTimeout(1, 300))
	if err != nil {
		return fmt.Errorf("lock migrations: %w", err)
	}
	s := schema{
		dialect: goose.DialectPostgres, files: migrations.Postgres, dir: "postgres",
		options: []goose.ProviderOption{goose.WithSessionLocker(locker)},
	}
	if err := migrate(ctx, d.db, s, log); err != nil {
		return fmt.Errorf("PostgreSQL database: %w", err)
	}
	// Other programs, and other schemas of this database, have other channels.
	d.channel = fmt.Sprintf("dagwright_%016x", uint64(lockID(schemaName)))
	d.listener, err = listen(ctx, config, d.channel, f, log)
	return err
}

// lockID is the number of the advisory lock under which a schema is migrated.
func lockID(schemaName string) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "dagwright %s", schemaName)
	return int64(h.Sum64())
}

func (d *postgresDB) close() error {
	d.listener.stop()
	return d.db.Close()
}

// write repeats the transaction when PostgreSQL says that it met another one.
func (d *postgresDB) write(ctx context.Context, fn func(*tx) error) error {
	for try := 1; ; try++ {
		err := d.writeOnce(ctx, fn)
		if err == nil || try == postgresTries || !repeatable(err) {
			return err
		}
	}
}

// repeatable reports whether a transaction that failed in this way left
// nothing behind and may well succeed next time. A unique violation is one of
// them: two transactions inserted the same new thing, and the second will now
// find it.
func repeatable(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "40001", "40P01", "23505": // serialization_failure, deadlock_detected, unique_violation
		return true
	}
	return false
}

func (d *postgresDB) writeOnce(ctx context.Context, fn func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// The statements end with ctx; COMMIT does not, so that the caller learns
	// whether it was done.
	stx, err := d.begin(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin writing: %w", err)
	}
	t := &tx{ctx: ctx, session: stx, now: d.now(), locks: true, like: true}
	if err := scoped(ctx, fn)(t); err != nil {
		return stx.undo(err)
	}
	if err := notify(t, d.channel); err != nil {
		return stx.undo(fmt.Errorf("notify: %w", err))
	}
	if err := ctx.Err(); err != nil {
		return stx.undo(err)
	}
	if err := stx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// begin waits for a connection as long as ctx says; the transaction itself
// does not end with ctx. A pool that was idle while the server was started
// again holds dead connections: each is met once, and passed over here.
func (d *postgresDB) begin(ctx context.Context, options *sql.TxOptions) (*pgTx, error) {
	for try := 1; ; try++ {
		conn, err := d.db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		stx, err := conn.BeginTx(context.WithoutCancel(ctx), options)
		if err == nil {
			return &pgTx{Tx: stx, conn: conn}, nil
		}
		err = errors.Join(err, conn.Close())
		if try > postgresConns || ctx.Err() != nil {
			return nil, err
		}
	}
}

// pgTx is a transaction that gives its connection back when it ends.
type pgTx struct {
	*sql.Tx
	conn *sql.Conn
}

// Commit ends the transaction.
func (t *pgTx) Commit() error { return errors.Join(t.Tx.Commit(), t.conn.Close()) }

// undo rolls the transaction back and returns why, nil after reading. That the
// rollback failed as well, its connection being gone, adds nothing.
func (t *pgTx) undo(why error) error {
	_ = t.Rollback()
	_ = t.conn.Close()
	return why
}

func (d *postgresDB) read(ctx context.Context, fn func(*tx) error) error {
	stx, err := d.begin(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin reading: %w", err)
	}
	return stx.undo(scoped(ctx, fn)(&tx{ctx: ctx, session: stx, now: d.now(), like: true}))
}

// maxPayload is a little less than the 8,000 bytes that a notification may
// have.
const maxPayload = 7800

// notify sends the transaction's changes to every process that listens, this
// one too: PostgreSQL delivers them after the commit, in the order of commits.
func notify(t *tx, channel string) error {
	payloads, err := payloads(t.changes)
	if err != nil || len(payloads) == 0 {
		return err
	}
	_, err = t.exec(`SELECT pg_notify($1, p) FROM unnest($2::text[]) WITH ORDINALITY AS u (p, n) ORDER BY n`, channel, payloads)
	return err
}

// payloads writes changes as lines of JSON and packs them into as few
// notifications as they fit in. Each begins with its number, since PostgreSQL
// drops a notification that equals another one of the transaction.
func payloads(changes []Change) ([]string, error) {
	var all []string
	var b []byte
	for _, c := range changes {
		line, err := json.Marshal(c)
		if err != nil {
			return nil, fmt.Errorf("write change: %w", err)
		}
		if len(b) > 0 && len(b)+len(line)+1 > maxPayload {
			all = append(all, string(b))
			b = nil
		}
		if len(b) == 0 {
			b = fmt.Appendf(b, "%d", len(all))
		}
		b = append(append(b, '\n'), line...)
	}
	if len(b) > 0 {
		all = append(all, string(b))
	}
	return all, nil
}
