package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"

	"dagwright/store/migrations"
)

// sqliteReaders is how many reads of SQLite may go on at once.
const sqliteReaders = 4

// sqliteDB is a SQLite database in WAL mode: one connection that writes and a
// few that read beside it.
type sqliteDB struct {
	writing *sql.DB
	reading *sql.DB
	writer  *writer
	readers chan *sqliteSession
	closed  chan struct{} // closed by close
	reserve *reserve      // nil for none
	now     func() time.Time
	path    string
}

func openSQLite(ctx context.Context, path string, c Config, f *feed, failed func()) (*sqliteDB, error) {
	if path == "" || path == ":memory:" {
		return nil, fmt.Errorf("SQLite needs the path of a file, as in sqlite:dagwright.db")
	}
	d := &sqliteDB{path: path, now: c.Now, readers: make(chan *sqliteSession, sqliteReaders), closed: make(chan struct{})}
	if err := d.open(ctx, path, c.Logger); err != nil {
		_ = d.closeHandles() // the first error says more
		return nil, d.explain(err)
	}
	conn, err := d.writing.Conn(ctx)
	if err != nil {
		_ = d.closeHandles() // the first error says more
		return nil, d.explain(err)
	}
	if c.Reserve > 0 {
		if d.reserve, err = openReserve(path, c.Reserve, c.Logger); err != nil { //nolint:contextcheck // it outlives the context of Open
			_ = conn.Close()
			_ = d.closeHandles() // the first error says more
			return nil, fmt.Errorf("keep room for SQLite database %s: %w", path, err)
		}
	}
	d.writer = startWriter(newSQLiteSession(conn), c.Now, f.publish, failed) //nolint:contextcheck // the writer outlives the context of Open; stop ends it
	return d, nil
}

func (d *sqliteDB) open(ctx context.Context, path string, log *slog.Logger) (err error) {
	if d.writing, err = sql.Open("sqlite",
		sqliteDSN(path, "foreign_keys(1)", "synchronous(FULL)", "journal_mode(WAL)",
			"journal_size_limit(67108864)")); err != nil {
		return err
	}
	d.writing.SetMaxOpenConns(1)
	s := schema{dialect: goose.DialectSQLite3, files: migrations.SQLite, dir: "sqlite"}
	if err := migrate(ctx, d.writing, s, log); err != nil {
		return err
	}
	if d.reading, err = sql.Open("sqlite", sqliteDSN(path, "query_only(1)")); err != nil {
		return err
	}
	for range sqliteReaders {
		conn, err := d.reading.Conn(ctx)
		if err != nil {
			return fmt.Errorf("open for reading: %w", err)
		}
		d.readers <- newSQLiteSession(conn)
	}
	return nil
}

// explain names the file and, as far as it can be seen, what is wrong with it: SQLite
// itself says only "unable to open database file".
func (d *sqliteDB) explain(err error) error {
	if err == nil {
		return nil
	}
	file, cause := d.path, ""
	if full, err := filepath.Abs(file); err == nil {
		file = full
	}
	if lite := (*sqlite.Error)(nil); errors.As(err, &lite) {
		cause = fileFault(file, lite.Code()&0xff)
	}
	return fmt.Errorf("SQLite database %s: %s%w", file, cause, err)
}

func sqliteDSN(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append(pragmas, "busy_timeout(10000)", "temp_store(MEMORY)", "cache_size(-16384)"),
		"_txlock": {"immediate"}}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func (d *sqliteDB) write(ctx context.Context, fn func(*tx) error) error {
	err := d.writer.write(ctx, scoped(ctx, fn))
	if err != nil && outage(err) {
		return unavailable(d.explain(err))
	}
	return err
}

func (d *sqliteDB) read(ctx context.Context, fn func(*tx) error) error {
	err := d.readOnce(ctx, fn)
	if err != nil && outage(err) {
		return unavailable(d.explain(err))
	}
	return err
}

func (d *sqliteDB) readOnce(ctx context.Context, fn func(*tx) error) error {
	var s *sqliteSession
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-d.closed:
		return errClosed
	case s = <-d.readers:
	}
	defer func() { d.readers <- s }()
	// BEGIN and END run without ctx, so that the connection is always left
	// outside a transaction.
	bg := context.WithoutCancel(ctx)
	if err := s.run(bg, "BEGIN"); err != nil {
		return fmt.Errorf("begin reading: %w", err)
	}
	err := scoped(ctx, fn)(&tx{ctx: ctx, session: s, now: d.now()})
	if end := s.run(bg, "ROLLBACK"); err == nil && end != nil {
		return fmt.Errorf("end reading: %w", end)
	}
	s.trim()
	return err
}

// close waits for the write that is under way and for all reads. Closing what
// is closed is not an error.
func (d *sqliteDB) close() error {
	select {
	case <-d.closed:
		return nil
	default:
		close(d.closed)
	}
	d.writer.stop()
	err := d.writer.session.close()
	for range sqliteReaders {
		err = errors.Join(err, (<-d.readers).close())
	}
	return errors.Join(err, d.closeHandles())
}

// closeHandles closes the files, except for those of connections that are in use, which
// database/sql leaves open.
func (d *sqliteDB) closeHandles() error {
	for len(d.readers) > 0 {
		_ = (<-d.readers).close() // opening failed
	}
	var err error
	for _, db := range []*sql.DB{d.reading, d.writing} {
		if db != nil {
			if e := db.Close(); e != nil && err == nil {
				err = e
			}
		}
	}
	if e := d.reserve.close(); err == nil {
		err = e
	}
	return err
}

// maxStatements is how many prepared statements a connection keeps.
const maxStatements = 300

// sqliteSession is one connection with its prepared statements. It is used by
// one goroutine at a time.
type sqliteSession struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func newSQLiteSession(conn *sql.Conn) *sqliteSession {
	return &sqliteSession{conn: conn, stmts: map[string]*sql.Stmt{}}
}

// close closes the statements first: SQLite keeps a connection, and its files, open for each
// that is left.
func (s *sqliteSession) close() error {
	var err error
	for _, stmt := range s.stmts {
		err = errors.Join(err, stmt.Close())
	}
	return errors.Join(err, s.conn.Close())
}

func (s *sqliteSession) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := s.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s.stmts[query] = stmt
	return stmt, nil
}

// ExecContext runs a prepared statement.
func (s *sqliteSession) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := s.prepare(ctx, query) //nolint:sqlclosecheck // kept for the next use; trim closes it
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// QueryContext runs a prepared query.
func (s *sqliteSession) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := s.prepare(ctx, query) //nolint:sqlclosecheck // kept for the next use; trim closes it
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// QueryRowContext runs a prepared query of one row.
func (s *sqliteSession) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	stmt, err := s.prepare(ctx, query) //nolint:sqlclosecheck // kept for the next use; trim closes it
	if err != nil {
		// database/sql offers no other way to return an error as a Row.
		return s.conn.QueryRowContext(ctx, query, args...)
	}
	return stmt.QueryRowContext(ctx, args...)
}

func (s *sqliteSession) run(ctx context.Context, statement string) error {
	_, err := s.ExecContext(ctx, statement)
	return err
}

// trim forgets the prepared statements when they have become many. Nothing
// may be reading from one.
func (s *sqliteSession) trim() {
	if len(s.stmts) <= maxStatements {
		return
	}
	for query, stmt := range s.stmts {
		_ = stmt.Close() // it is only dropped; nothing was pending on it
		delete(s.stmts, query)
	}
}
