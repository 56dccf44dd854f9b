package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dagwright/dag"
)

// database is what differs between SQLite and PostgreSQL: how a transaction is
// run, and how its changes reach the feed.
type database interface {
	// write runs fn in a transaction that is durable when write returns nil.
	// When it returns an error nothing was written, except for [ErrUnknown]. fn may be called again
	// when the database asks for the transaction to be repeated.
	write(ctx context.Context, fn func(*tx) error) error
	// read runs fn on one consistent view.
	read(ctx context.Context, fn func(*tx) error) error
	// pool tells how its connections are used.
	pool() Pool
	close() error
}

// session runs SQL; *sql.Tx is one.
type session interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// tx is one transaction. Its SQL is the same for both databases except for locks.
type tx struct {
	ctx     context.Context
	session session
	now     time.Time
	// locks says that rows are locked one by one (PostgreSQL); on SQLite a
	// writer has the database for itself.
	locks bool
	// like says that LIKE tells upper from lower case and that there is no GLOB
	// (PostgreSQL).
	like bool
	// scope is the caller's; SQL asks for it, see scopesql.go.
	scope Scope
	// changes are published to the feed once the transaction is committed.
	changes []Change
}

// scoped gives the transactions of fn the scope of ctx.
func scoped(ctx context.Context, fn func(*tx) error) func(*tx) error {
	scope := ScopeOf(ctx)
	return func(t *tx) error {
		t.scope = scope
		return fn(t)
	}
}

// announce gives the feed a change, once the transaction is committed.
func (t *tx) announce(c ...Change) { t.changes = append(t.changes, c...) }

// exec runs a statement and returns how many rows it touched.
func (t *tx) exec(query string, args ...any) (int64, error) {
	res, err := t.session.ExecContext(t.ctx, query, bind(args)...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query runs a query; [collect] reads its answer.
func (t *tx) query(query string, args ...any) (*sql.Rows, error) {
	return t.session.QueryContext(t.ctx, query, bind(args)...)
}

// row runs a query of at most one row and reports whether there is one.
func (t *tx) row(query string, args []any, dest ...any) (found bool, err error) {
	err = t.session.QueryRowContext(t.ctx, query, bind(args)...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// forUpdate is the ending of a query that locks the rows it reads.
func (t *tx) forUpdate() string {
	if t.locks {
		return " FOR UPDATE"
	}
	return ""
}

// scanner is a row to be read, of *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// collect reads all rows of a query.
func collect[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	var all []T
	err = each(rows, err, func(r scanner) error {
		v, err := scan(r)
		all = append(all, v)
		return err
	})
	return all, err
}

// each calls fn for every row of a query.
func each(rows *sql.Rows, err error, fn func(scanner) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// bind turns arguments into what both databases take: times into
// microseconds, booleans into 0 and 1, and text into what PostgreSQL accepts
// as text.
func bind(args []any) []any {
	for i, a := range args {
		switch a := a.(type) {
		case time.Time:
			args[i] = micros(a)
		case bool:
			args[i] = flag(a)
		case string:
			args[i] = cleanText(a)
		case dag.ID:
			args[i] = cleanText(string(a))
		case dag.RunID:
			args[i] = cleanText(string(a))
		case dag.TaskID:
			args[i] = cleanText(string(a))
		case dag.RunState:
			args[i] = string(a)
		case dag.TaskState:
			args[i] = string(a)
		case dag.RunType:
			args[i] = string(a)
		case PushState:
			args[i] = string(a)
		}
	}
	return args
}

// cleanText removes what PostgreSQL refuses in a text: NUL and broken UTF-8.
func cleanText(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}

// micros is how a time is stored: microseconds since 1970, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// stamp reads a stored time into a time.Time.
type stamp time.Time

// Scan takes microseconds since 1970.
func (s *stamp) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a stored time is a %T, not a number", v)
	}
	*s = stamp{}
	if n != 0 {
		*s = stamp(time.UnixMicro(n).UTC())
	}
	return nil
}

// at lets Scan store into t.
func at(t *time.Time) *stamp { return (*stamp)(t) }

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// listSizes are the lengths to which a list of arguments is filled up, so that
// few different statements have to be prepared.
var listSizes = []int{1, 4, 16, 64, 256}

// maxList is the most values that one list may hold.
const maxList = 256

// list appends values to args and returns the SQL list of their placeholders,
// "($3, $4)". An empty list matches nothing. The last value is repeated to
// fill the list up, which changes nothing for IN.
func list[T any](args *[]any, values []T) string {
	if len(values) == 0 {
		return "(NULL)"
	}
	n := len(values)
	for _, size := range listSizes {
		if n <= size {
			n = size
			break
		}
	}
	var b strings.Builder
	for i := range n {
		*args = append(*args, values[min(i, len(values)-1)])
		b.WriteString(separator(i))
		b.WriteString(strconv.Itoa(len(*args)))
	}
	b.WriteByte(')')
	return b.String()
}

func separator(i int) string {
	if i == 0 {
		return "($"
	}
	return ", $"
}
