package store_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/store/storetest"
)

// TestAnswerToCommitIsLost wants one lost answer to pass unnoticed, and otherwise an
// error that the outcome is unknown, and the next write to work.
func TestAnswerToCommitIsLost(t *testing.T) {
	t.Parallel()
	dsn := postgresDSN(t)
	prepareVictim(t, dsn)
	proxy := storetest.NewProxy(t, dsn)
	s := storetest.Open(t, store.Config{DSN: proxy.DSN()})
	swallowed := proxy.SwallowCommit(0)
	if err := s.WantSync(t.Context()); err != nil {
		t.Errorf("one answer lost: %v", err)
	}
	<-swallowed
	proxy.LoseCommits(2)
	err := s.WantSync(t.Context())
	if !errors.Is(err, store.ErrUnknown) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("error = %v, want one that is ErrUnknown", err)
	}
	if err := s.WantSync(t.Context()); err != nil {
		t.Errorf("the next write: %v", err)
	}
}

// TestSilentServer wants every call to end when the server falls silent, the wait for
// COMMIT too, and the listener to notice.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	dsn := postgresDSN(t)
	prepareVictim(t, dsn)
	proxy := storetest.NewProxy(t, dsn)
	log := lines{text: "connection for changes lost", seen: make(chan struct{}, 1)}
	s := storetest.Open(t, store.Config{DSN: proxy.DSN(), Timeout: time.Second, Logger: slog.New(log)})
	changes := s.Subscribe()
	defer changes.Close()
	proxy.Freeze()
	for name, call := range map[string]func() error{
		"read": func() error { _, err := s.Tags(t.Context()); return err },
		"write": func() error {
			_, err := s.TriggerRun(t.Context(), store.Trigger{DAG: "d"})
			return err
		},
	} {
		err := call()
		if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnknown) {
			t.Errorf("%s: error = %v, want ErrUnavailable", name, err)
		}
	}
	<-log.seen // the listener has noticed, too
	proxy.Thaw()
	<-changes.Lagged
	if _, err := s.Tags(t.Context()); err != nil {
		t.Errorf("after the silence: %v", err)
	}
}

// lines is a log that tells when a line with a text is written.
type lines struct {
	slog.Handler
	text string
	seen chan struct{}
}

func (l lines) Enabled(context.Context, slog.Level) bool { return true }

func (l lines) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, l.text) {
		select {
		case l.seen <- struct{}{}:
		default:
		}
	}
	return nil
}

// TestFailOver takes the first of two hosts away: calls and changes go on by way of the
// second.
func TestFailOver(t *testing.T) {
	t.Parallel()
	dsn := postgresDSN(t)
	prepareVictim(t, dsn)
	first, second := storetest.NewProxy(t, dsn), storetest.NewProxy(t, dsn)
	hosts := first.DSNWith(first.Addr()+","+second.Addr()) + "&target_session_attrs=read-write"
	s := storetest.Open(t, store.Config{DSN: hosts})
	changes := s.Subscribe()
	defer changes.Close()
	if err := s.WantSync(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-changes.C
	first.Close()
	for range 3 {
		if err := s.WantSync(t.Context()); err != nil {
			t.Errorf("write after the fail-over: %v", err)
		}
	}
	<-changes.Lagged // the listener has gone over, too
	if err := s.WantSync(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-changes.C
}

// TestReadOnlyServer wants a server that has become a standby to be left for one that
// writes.
func TestReadOnlyServer(t *testing.T) {
	t.Parallel()
	dsn := postgresDSN(t)
	prepareVictim(t, dsn)
	s := storetest.Open(t, store.Config{DSN: dsn})
	if _, err := s.TriggerRun(t.Context(), store.Trigger{DAG: "d"}); err != nil {
		t.Fatal(err)
	}
	// The pool's connections refuse to write from now on, as after a change of roles;
	// new ones do not.
	store.MakeReadOnly(t, s)
	if _, err := s.TriggerRun(t.Context(), store.Trigger{DAG: "d"}); err != nil {
		t.Errorf("write after the change of roles: %v", err)
	}
}

// TestDeadlockIsRepeated lets two transactions lock two DAGs in opposite order, one of
// them from outside.
func TestDeadlockIsRepeated(t *testing.T) {
	t.Parallel()
	dsn := postgresDSN(t)
	s := storetest.Open(t, store.Config{DSN: dsn})
	saveDAGs(t, s, "a", "b")
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	outside, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	lock := func(id string) error {
		_, err := outside.Exec(ctx, `SELECT 1 FROM dag WHERE dag_id = $1 FOR UPDATE`, id)
		return err
	}
	if err := lock("b"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { // locks a, and waits for b
		_, err := s.Advance(ctx, []dag.ID{"a", "b"}, func(store.Snapshot) []store.Action { return nil })
		done <- err
	}()
	awaitLock(t, dsn)
	if err := lock("a"); err != nil && !strings.Contains(err.Error(), "deadlock") {
		t.Fatal(err)
	}
	if err := outside.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Advance = %v, want the deadlock repeated", err)
	}
}

// awaitLock waits until a connection of the test waits for a lock.
func awaitLock(t *testing.T, dsn string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for waiting := 0; waiting == 0; {
		err := conn.QueryRow(t.Context(), `SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
			AND application_name = current_setting('application_name')`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
}

func saveDAGs(t *testing.T, s *store.Store, ids ...dag.ID) {
	t.Helper()
	sync := store.Sync{Commit: "c"}
	for _, id := range ids {
		spec := &dag.DAG{ID: id, MaxActiveRuns: 4, MaxActiveTasks: 4, Tasks: []dag.Task{{ID: "t"}}}
		sync.Changed = append(sync.Changed, store.SpecFile{Path: string(id) + ".yaml", DAGs: []*dag.DAG{spec}})
	}
	if _, err := s.SaveDAGs(t.Context(), sync); err != nil {
		t.Fatal(err)
	}
}
