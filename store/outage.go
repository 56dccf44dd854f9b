package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlitecode "modernc.org/sqlite/lib"
)

// ErrUnavailable says that the database did not answer in time or cannot write now.
// Nothing of what was asked for was done, unless the error is ErrUnknown too.
var ErrUnavailable = errors.New("the database is unavailable")

// ErrUnknown is the ErrUnavailable of a write whose COMMIT got no answer: it may have
// been done or not. Callers read again before they rely on either.
var ErrUnknown = fmt.Errorf("the answer to COMMIT was lost: %w", ErrUnavailable)

// errUnreadable says that what the database holds cannot be read: a fault of the one
// row, and of nothing else.
var errUnreadable = errors.New("unreadable")

// unavailable marks an error that comes from the database's state and not from what
// was asked of it.
func unavailable(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) || !outage(err) {
		return err
	}
	return fmt.Errorf("%w (%w)", err, ErrUnavailable)
}

// unknown marks the error of a COMMIT, unless the database said that it rolled back.
func unknown(err error) error {
	if rolledBack(err) {
		return unavailable(err)
	}
	return fmt.Errorf("%w (%w)", err, ErrUnknown)
}

// outage reports whether an error may be met by any statement, whatever it says.
func outage(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return outageState(pg.Code)
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return outageCode(lite.Code())
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errClosed) || disconnected(err)
}

// disconnected reports whether the connection to PostgreSQL broke or could not be made.
func disconnected(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code[:2] == "08" || pg.Code == "57P01" || pg.Code == "57P02" || pg.Code == "57P03"
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) ||
		pgconn.SafeToRetry(err)
}

// readOnly is PostgreSQL's refusal to write on a standby, as a former primary is.
const readOnly = "25006"

// outageState reports whether a SQLSTATE concerns the server and not the statement:
// connection, read-only, transaction rollback, resources, lock, operator, system.
func outageState(code string) bool {
	switch code[:min(2, len(code))] {
	case "08", "40", "53", "55", "57", "58", "XX":
		return true
	}
	return code == readOnly
}

// outageCode is outageState for SQLite's result codes.
func outageCode(code int) bool {
	switch code & 0xff {
	case sqlitecode.SQLITE_BUSY, sqlitecode.SQLITE_LOCKED, sqlitecode.SQLITE_NOMEM, sqlitecode.SQLITE_READONLY,
		sqlitecode.SQLITE_INTERRUPT, sqlitecode.SQLITE_IOERR, sqlitecode.SQLITE_CORRUPT, sqlitecode.SQLITE_FULL,
		sqlitecode.SQLITE_CANTOPEN, sqlitecode.SQLITE_PROTOCOL, sqlitecode.SQLITE_NOTADB:
		return true
	}
	return false
}

// rolledBack reports whether a failed COMMIT surely wrote nothing: PostgreSQL refused
// it. pgconn.SafeToRetry is not asked: it is true, too, where the connection ended
// while the answer was awaited.
func rolledBack(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return errors.Is(err, pgx.ErrTxCommitRollback) || errors.Is(err, sql.ErrTxDone)
	}
	switch pg.Code[:min(2, len(pg.Code))] {
	case "22", "23", "25", "40":
		return pg.Code != "40003" // statement_completion_unknown
	}
	return false
}
