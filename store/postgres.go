package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"dagwright/store/migrations"
)

// postgresConns bounds the connections of one process, beside the one that listens and
// the one that notifies others.
const postgresConns = 16

// defaultTimeout is how long the statements of a transaction may take.
const defaultTimeout = time.Minute

// postgresTries bounds how often a transaction is repeated when PostgreSQL
// asks for it.
const postgresTries = 10

// postgresDB is a PostgreSQL database. Each write is a transaction and a COMMIT of its
// own on a pooled connection; nothing here groups them, as the writer of SQLite does.
type postgresDB struct {
	db       *sql.DB
	now      func() time.Time
	timeout  time.Duration // of a transaction's statements
	outbox   outbox
	listener *listener
	notifier *notifier
	config   *pgx.ConnConfig // of connections beside the pool
	schema   string
	log      *slog.Logger
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
	noticeLoss(config)
	d := &postgresDB{db: openPool(config, postgresConns), now: c.Now, timeout: cmp.Or(c.Timeout, defaultTimeout),
		config: config, log: c.Logger}
	if err := d.open(ctx, config, c.Logger, f); err != nil {
		return nil, errors.Join(err, d.db.Close())
	}
	return d, nil
}

// openPool opens connections whose transactions the server gives up when this process
// does not go on with them, so that a stopped dagwright keeps no lock.
func openPool(config *pgx.ConnConfig, most int) *sql.DB {
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `SET idle_in_transaction_session_timeout = '60s'`)
		return err
	}))
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db
}

func (d *postgresDB) open(ctx context.Context, config *pgx.ConnConfig, log *slog.Logger, f *feed) error {
	var schemaName string
	if err := d.db.QueryRowContext(ctx, `SELECT COALESCE(current_schema(), '')`).Scan(&schemaName); err != nil {
		return fmt.Errorf("open PostgreSQL database: %w", err)
	}
	if schemaName == "" {
		return errors.New("open PostgreSQL database: no schema of its search_path exists")
	}
	d.schema = schemaName
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
	channel := fmt.Sprintf("dagwright_%016x", uint64(lockID(schemaName)))
	if d.notifier, err = startNotifier(ctx, config, channel, log); err != nil { //nolint:contextcheck // it outlives the context
		return err
	}
	d.outbox.publish = func(changes []Change) {
		f.publish(changes)
		d.notifier.tell(changes)
	}
	if d.listener, err = listen(ctx, config, channel, d.notifier.origin, d.timeout, f, log); err != nil {
		d.notifier.stop()
	}
	return err
}

// lockID is the number of the advisory lock under which a schema is migrated.
func lockID(schemaName string) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "dagwright %s", schemaName)
	return int64(h.Sum64())
}

func (d *postgresDB) close() error {
	err := d.db.Close()
	d.notifier.stop()
	d.listener.stop()
	return err
}

// write repeats the transaction when PostgreSQL says that it met another one, and
// when its connection broke before the COMMIT.
func (d *postgresDB) write(ctx context.Context, fn func(*tx) error) error {
	for try := 1; ; try++ {
		err := d.writeOnce(ctx, fn)
		if err == nil || ctx.Err() != nil || try == postgresTries || !repeatable(err) {
			return unavailable(err)
		}
		pause(ctx, time.Duration(rand.Int64N(int64(try)*int64(repeatPause))))
	}
}

// repeatPause is what the pause before the second try is at most; it grows by as much
// with each try.
const repeatPause = 10 * time.Millisecond

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// repeatable reports whether a transaction that failed in this way left
// nothing behind and may well succeed next time. A unique violation is one of
// them: two transactions inserted the same new thing, and the second will now
// find it. A server that has become read-only is another one's standby now: the
// next connection may lead to that one.
func repeatable(err error) bool {
	if errors.Is(err, ErrUnknown) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "40001", "40P01", "23505", readOnly: // serialization_failure, deadlock_detected, unique_violation
			return true
		}
	}
	var connect *pgconn.ConnectError
	return disconnected(err) && !errors.As(err, &connect)
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
	t := &tx{ctx: stx.statements, session: stx, now: d.now(), locks: true, like: true}
	if err := scoped(ctx, fn)(t); err != nil {
		return stx.undo(err)
	}
	if err := ctx.Err(); err != nil {
		return stx.undo(err)
	}
	place := d.outbox.take(t.changes)
	err = stx.Commit()
	if err != nil {
		err = fmt.Errorf("commit: %w", unknown(err))
	}
	// What may have been written is published too: whoever hears of it reads the store.
	d.outbox.end(place, err == nil || errors.Is(err, ErrUnknown))
	return err
}

// begin waits for a connection as long as ctx and the time-out say; the transaction
// itself does not end with ctx. A pool that was idle while the server was started
// again holds dead connections: each is met once, and passed over here.
func (d *postgresDB) begin(ctx context.Context, options *sql.TxOptions) (*pgTx, error) {
	t := &pgTx{}
	t.statements, t.stop = context.WithTimeout(ctx, d.timeout)
	whole, cancel := context.WithCancel(context.WithoutCancel(ctx))
	t.cancel, t.timer = cancel, time.AfterFunc(d.timeout, cancel)
	for try := 1; ; try++ {
		err := t.begin(d.db, whole, options)
		if err == nil {
			return t, nil
		}
		if whole.Err() != nil {
			err = fmt.Errorf("%w after %s: %w", context.DeadlineExceeded, d.timeout, err)
		}
		if try > postgresConns || t.statements.Err() != nil || errors.As(err, new(*pgconn.ConnectError)) {
			t.release()
			return nil, err
		}
	}
}

// pgTx is a transaction that gives its connection back when it ends.
type pgTx struct {
	*sql.Tx
	conn *sql.Conn
	// statements is the context of the statements: it ends with the caller's, and when
	// the time of the transaction is over.
	statements context.Context
	stop       func() // ends statements
	timer      *time.Timer
	cancel     func() // ends everything, a COMMIT too
}

func (t *pgTx) begin(db *sql.DB, whole context.Context, options *sql.TxOptions) (err error) {
	if t.conn, err = db.Conn(t.statements); err != nil { //nolint:contextcheck // derived from the caller's, see pgTx
		return err
	}
	if t.Tx, err = t.conn.BeginTx(whole, options); err != nil {
		return errors.Join(err, t.conn.Close())
	}
	return nil
}

// commitTimeout bounds the wait for the answer to a COMMIT.
const commitTimeout = 15 * time.Second

// Commit ends the transaction.
func (t *pgTx) Commit() error {
	t.timer.Reset(commitTimeout)
	err := t.Tx.Commit()
	t.giveBack(err)
	return err
}

// undo rolls the transaction back and returns why, nil after reading. That the
// rollback failed as well, its connection being gone, adds nothing.
func (t *pgTx) undo(why error) error {
	t.timer.Reset(commitTimeout)
	_ = t.Rollback()
	t.giveBack(why)
	return why
}

// giveBack returns the connection to the pool, except for one that leads to a server which
// does not write any more.
func (t *pgTx) giveBack(err error) {
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == readOnly {
		_ = t.conn.Raw(func(any) error { return driver.ErrBadConn }) // takes it out of the pool
	}
	_ = t.conn.Close() // what was wrong with it the transaction has told
	t.release()
}

// release ends what watches over the transaction's time.
func (t *pgTx) release() {
	t.timer.Stop()
	t.stop()
	t.cancel()
}

func (d *postgresDB) read(ctx context.Context, fn func(*tx) error) error {
	stx, err := d.begin(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return unavailable(fmt.Errorf("begin reading: %w", err))
	}
	return unavailable(stx.undo(scoped(ctx, fn)(&tx{ctx: stx.statements, session: stx, now: d.now(), like: true})))
}

// maxPayload is a little less than the 8,000 bytes that a notification may
// have.
const maxPayload = 7800

// missedLine says, in place of changes, that changes may be missing.
const missedLine = "missed"

// notice is a change as processes tell each other of it.
type notice struct {
	Change
	Planned bool `json:"planned,omitempty"`
}

// payloads writes changes as lines of JSON and packs them into as few notifications as
// they fit in. Each begins with the process that it is from and its number, since
// PostgreSQL drops a notification that equals another one of the transaction.
func payloads(origin string, changes []Change) ([]string, error) {
	var all []string
	var b []byte
	for _, c := range changes {
		line, err := json.Marshal(notice{c, c.Planned})
		if err != nil {
			return nil, fmt.Errorf("write change: %w", err)
		}
		if len(b) > 0 && len(b)+len(line)+1 > maxPayload {
			all = append(all, string(b))
			b = nil
		}
		if len(b) == 0 {
			b = fmt.Appendf(b, "%s %d", origin, len(all))
		}
		b = append(append(b, '\n'), line...)
	}
	if len(b) > 0 {
		all = append(all, string(b))
	}
	return all, nil
}
