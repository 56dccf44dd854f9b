package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNotLeader says that another process has taken over the role in whose name something
// was to be written. Nothing was written.
var ErrNotLeader = errors.New("another process has taken over")

// Lease is the right of this process to play a role alone.
type Lease struct {
	// Store writes in the role's name: what is written after another process has taken over
	// is refused with ErrNotLeader, in the same transaction.
	Store *Store
	// term is nil on SQLite, which one process has for itself.
	term *term
}

// Fresh reports whether the database has confirmed the lease within the last seconds, so
// that no other process can have taken over by now. What cannot be refused by the database,
// such as the creation of a pod, asks it first.
func (l *Lease) Fresh() bool { return l.term == nil || l.term.fresh() }

// leadTimes are the times by which leaders and standbys go. A standby takes over when the
// leader's connection has ended, or when the leader, whose connection may live on in a process
// that is stopped, has not beaten for missed and some polls more.
type leadTimes struct {
	beat   time.Duration // from one beat of the leader to the next
	answer time.Duration // for which an answer is waited for
	fresh  time.Duration // for which a beat that was confirmed counts; less than missed
	missed time.Duration
	poll   time.Duration // from one look of a standby to the next
}

var usualLeadTimes = leadTimes{
	beat: 2 * time.Second, answer: 5 * time.Second, fresh: 6 * time.Second, missed: 8 * time.Second, poll: time.Second,
}

// silentPolls is how often a standby must have seen the leader silent before it deposes it.
// One that is just taking the lead over has not beaten yet.
const silentPolls = 3

// Lead calls lead while this process is the one of all on the database that plays role, and
// waits for that first. name tells people who leads. When another process takes over, the
// context that lead was given ends, and when lead has returned, Lead waits for its turn
// again. It returns what lead returned in office, or nil once ctx has ended.
//
// The lease is a session lock of PostgreSQL on a connection of its own, which ends with its
// process, and an epoch that every change of leader raises
// (docs/adr/0094-one-leader-a-role.md).
func (s *Store) Lead(ctx context.Context, role, name string, lead func(context.Context, *Lease) error) error {
	pg := s.postgres
	if pg == nil {
		return lead(ctx, &Lease{Store: s})
	}
	for {
		t := &term{
			config: pg.config, log: pg.log, times: s.lead, role: role, name: name,
			key: lockID(pg.schema + " leads " + role), fence: lockID(pg.schema + " fences " + role),
		}
		if !t.await(ctx) {
			return nil
		}
		own := *s
		own.db = fenced{database: s.db, term: t}
		lease := &Lease{Store: &own, term: t}
		err := t.serve(ctx, func(ctx context.Context) error { return lead(ctx, lease) })
		if !errors.Is(err, ErrNotLeader) {
			return err
		}
		pg.log.Warn("another process has taken over", "role", role)
	}
}

// fenced is a database whose writes are refused once the term is over.
type fenced struct {
	database

	term *term
}

func (f fenced) write(ctx context.Context, fn func(*tx) error) error {
	err := f.database.write(ctx, func(t *tx) error {
		if err := f.term.check(t); err != nil {
			return err
		}
		return fn(t)
	})
	if errors.Is(err, ErrNotLeader) {
		f.term.lose()
	}
	return err
}

// divisionByZero is how the check of the epoch fails.
const divisionByZero = "22012"

// check refuses the transaction when the epoch is not the term's any more, and keeps it from
// being raised until the transaction has ended. The two statements go in one message, and
// each sees what was committed before it began.
func (t *term) check(x *tx) error {
	_, err := x.session.ExecContext(x.ctx, fmt.Sprintf(
		`SELECT pg_advisory_xact_lock_shared(%d); SELECT 1 / count(*) FROM leader WHERE role = '%s' AND epoch = %d`,
		t.fence, t.role, t.epoch), pgx.QueryExecModeSimpleProtocol)
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == divisionByZero {
		return ErrNotLeader
	}
	return err
}

// term is one process's time in a role: from the lock on, until another process leads.
type term struct {
	config     *pgx.ConnConfig
	log        *slog.Logger
	times      leadTimes
	role, name string
	key, fence int64 // of advisory locks: of the leader, and of who writes for it
	epoch      int64

	conn   *pgx.Conn // nil while there is none
	locked bool      // conn holds the lock
	silent int       // how often in a row the leader was seen silent

	mu    sync.Mutex
	heard time.Time          // when the last beat that was confirmed began
	over  context.CancelFunc // ends the term; nil before it has begun
	lost  bool
}

// await waits until this process leads; false when ctx ends before.
func (t *term) await(ctx context.Context) bool {
	told := ""
	for {
		leader, err := t.seize(ctx)
		switch {
		case ctx.Err() != nil:
			t.hangUp(ctx)
			return false
		case err != nil:
			t.log.Warn("cannot ask who leads, trying again", "role", t.role, "err", err)
			t.hangUp(ctx)
		case leader == "":
			t.log.Info("leads", "role", t.role, "epoch", t.epoch)
			return true
		case leader != told:
			told = leader
			t.log.Info("stands by: another process leads", "role", t.role, "leader", leader)
		}
		pause(ctx, t.times.poll)
	}
}

// seize takes the lead if nobody has it, or says who has.
func (t *term) seize(ctx context.Context) (leader string, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.times.answer)
	defer cancel()
	if err := t.lock(ctx); err != nil {
		return "", err
	}
	if t.locked {
		return "", t.begin(ctx)
	}
	var silent bool
	err = t.conn.QueryRow(ctx, `SELECT holder || ' since ' || to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'),
		beat < clock_timestamp() - $2 * interval '1 microsecond' FROM leader WHERE role = $1`,
		t.role, t.times.missed.Microseconds()).Scan(&leader, &silent)
	if errors.Is(err, pgx.ErrNoRows) {
		return "a process that begins just now", nil
	}
	if err != nil {
		return "", err
	}
	return leader, t.look(ctx, silent, leader)
}

// look deposes a leader that has been silent for long.
func (t *term) look(ctx context.Context, silent bool, leader string) error {
	if !silent {
		t.silent = 0
		return nil
	}
	if t.silent++; t.silent < silentPolls {
		return nil
	}
	t.silent = 0
	t.log.Warn("the leader is silent and is deposed", "role", t.role, "leader", leader)
	return t.depose(ctx, t.key)
}

// lock connects if need be, and asks for the lock.
func (t *term) lock(ctx context.Context) error {
	if t.conn == nil {
		conn, err := pgx.ConnectConfig(ctx, t.config.Copy())
		if err != nil {
			return err
		}
		t.conn, t.locked = conn, false
		// The server is to notice soon that this machine is gone; these have no meaning on a
		// Unix socket.
		if _, err := conn.Exec(ctx, `SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2;
			SET tcp_keepalives_count = 3`, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
	}
	if t.locked {
		return nil
	}
	return t.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, t.key).Scan(&t.locked)
}

// begin raises the epoch. A transaction of the leader before, which a stopped process may
// have left open, is ended.
func (t *term) begin(ctx context.Context) error {
	began := time.Now()
	tx, err := t.conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx) //nolint:errcheck // after the commit it has nothing to do
	if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '1s'`); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, t.fence); err != nil {
		return errors.Join(err, tx.Rollback(ctx), t.depose(ctx, t.fence))
	}
	if err := tx.QueryRow(ctx, `INSERT INTO leader AS l (role, epoch, holder, since, beat)
		VALUES ($1, 1, $2, clock_timestamp(), clock_timestamp()) ON CONFLICT (role) DO UPDATE
		SET epoch = l.epoch + 1, holder = excluded.holder, since = excluded.since, beat = excluded.beat
		RETURNING epoch`, t.role, t.name).Scan(&t.epoch); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	t.confirmed(began)
	return nil
}

// depose ends the connections of other processes that hold an advisory lock.
func (t *term) depose(ctx context.Context, lock int64) error {
	_, err := t.conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_locks
		WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid() AND objsubid = 1
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND classid::bigint = ($1::bigint >> 32) & 4294967295 AND objid::bigint = $1::bigint & 4294967295`, lock)
	return err
}

// serve runs lead for as long as the term lasts. The error is ErrNotLeader when another
// process has taken over meanwhile.
func (t *term) serve(ctx context.Context, lead func(context.Context) error) error {
	office, over := context.WithCancel(ctx)
	t.mu.Lock()
	t.over = over
	t.mu.Unlock()
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		t.keepBeating(office)
	}()
	err := lead(office)
	over()
	<-beating
	t.hangUp(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost && ctx.Err() == nil {
		return ErrNotLeader
	}
	return err
}

// keepBeating confirms the lease until it is lost or ctx ends. It connects
// again when its connection breaks: while nobody else has taken over, the term goes on.
func (t *term) keepBeating(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, t.times.beat)
		if err := t.beat(ctx); err != nil && ctx.Err() == nil {
			t.log.Warn("the lease could not be confirmed, trying again", "role", t.role, "err", err)
			t.hangUp(ctx)
		}
	}
}

func (t *term) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.times.answer)
	defer cancel()
	began := time.Now()
	if err := t.lock(ctx); err != nil {
		return err
	}
	tag, err := t.conn.Exec(ctx, `UPDATE leader SET beat = clock_timestamp() WHERE role = $1 AND epoch = $2`,
		t.role, t.epoch)
	switch {
	case err != nil:
		return err
	case tag.RowsAffected() == 0:
		t.lose()
		return nil
	}
	t.confirmed(began)
	return nil
}

// confirmed notes that the lease was good at a time.
func (t *term) confirmed(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard = at
}

// fresh goes by the monotonic clock, which runs on while a process is stopped.
func (t *term) fresh() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.lost && time.Since(t.heard) < t.times.fresh
}

// lose ends the term because another process leads.
func (t *term) lose() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost = true
	if t.over != nil {
		t.over()
	}
}

// hangUp ends the connection, and with it the lock.
func (t *term) hangUp(ctx context.Context) {
	if t.conn != nil {
		closeConn(ctx, t.conn)
		t.conn, t.locked = nil, false
	}
}
