package store_test

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"dagwright/store"
	"dagwright/store/storetest"
)

// office is a candidate for the role of the test, and what became of it.
type office struct {
	store  *store.Store
	leases chan *store.Lease
	ended  chan struct{} // one for each time in office
	resign func()        // ends the candidacy and waits for its end
}

// candidate asks for the lead until it resigns, or the test ends.
func candidate(t *testing.T, dsn, name string) *office {
	t.Helper()
	s := storetest.Open(t, store.Config{DSN: dsn})
	store.HurryLeaders(s)
	ctx, cancel := context.WithCancel(t.Context())
	o := &office{store: s, leases: make(chan *store.Lease, 9), ended: make(chan struct{}, 9)}
	done := make(chan error, 1)
	go func() {
		done <- s.Lead(ctx, "scheduler", name, func(ctx context.Context, l *store.Lease) error {
			o.leases <- l
			<-ctx.Done()
			o.ended <- struct{}{}
			return nil
		})
	}()
	o.resign = sync.OnceFunc(func() {
		cancel()
		if err := await(t, done, "the end of "+name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	t.Cleanup(o.resign)
	return o
}

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

// writeAs writes something in the name of a lease.
func writeAs(t *testing.T, l *store.Lease) error {
	t.Helper()
	_, _, err := l.Store.RecordPush(t.Context(), store.Push{
		ProjectID: 7, Project: "gbc/risk/churn", Branch: "main", Commit: "0123456789abcdef0123456789abcdef01234567",
		Delivery: rand.Text(), Via: store.ViaWebhook,
	})
	return err
}

func TestOneLeads(t *testing.T) {
	t.Parallel()
	dsn := postgresDSN(t)
	a := candidate(t, dsn, "a")
	first := await(t, a.leases, "the lead of a")
	b := candidate(t, dsn, "b")
	if err := writeAs(t, first); err != nil {
		t.Errorf("the leader writes: %v", err)
	}
	select {
	case <-b.leases:
		t.Fatal("two lead")
	case <-time.After(100 * time.Millisecond): // time in which b looks again and again
	}

	a.resign()
	second := await(t, b.leases, "the lead of b")
	if !second.Fresh() {
		t.Error("a new lease is not fresh")
	}
	if err := writeAs(t, second); err != nil {
		t.Errorf("the new leader writes: %v", err)
	}
	if err := writeAs(t, first); !errors.Is(err, store.ErrNotLeader) {
		t.Errorf("the old leader writes: %v, want ErrNotLeader", err)
	}
	if err := writeAs(t, &store.Lease{Store: a.store}); err != nil {
		t.Errorf("who writes for no role, as a hook does: %v", err)
	}
}

// A leader that is stopped, or cut off, keeps its connections. A standby takes over all the
// same, and what the old one then does changes nothing.
func TestSilentLeaderIsDeposed(t *testing.T) {
	t.Parallel()
	dsn := postgresDSN(t)
	proxy := storetest.NewProxy(t, dsn)
	a := candidate(t, proxy.DSN(), "a")
	old := await(t, a.leases, "the lead of a")
	b := candidate(t, dsn, "b")

	proxy.Freeze()
	lease := await(t, b.leases, "the lead of b")
	if err := writeAs(t, lease); err != nil {
		t.Errorf("the new leader writes: %v", err)
	}
	if old.Fresh() {
		t.Error("a lease of which nothing was heard for long is fresh")
	}
	proxy.Thaw()
	await(t, a.ended, "the end of a's time")
	if err := writeAs(t, old); !errors.Is(err, store.ErrNotLeader) {
		t.Errorf("the old leader writes: %v, want ErrNotLeader", err)
	}
	b.resign()
	again := await(t, a.leases, "the second lead of a")
	if err := writeAs(t, again); err != nil {
		t.Errorf("a leads again and writes: %v", err)
	}
}

// What the old leader had begun to write is not committed after another one has taken over.
func TestOpenTransactionIsEnded(t *testing.T) {
	t.Parallel()
	dsn := postgresDSN(t)
	proxy := storetest.NewProxy(t, dsn)
	a := candidate(t, proxy.DSN(), "a")
	old := await(t, a.leases, "the lead of a")
	b := candidate(t, dsn, "b")
	written := make(chan error, 1)
	within := make(chan struct{})
	go func() {
		written <- store.WriteSlowly(t.Context(), old.Store, func() {
			proxy.Freeze()
			close(within)
			await(t, b.leases, "the lead of b")
			proxy.Thaw()
		})
	}()
	await(t, within, "the transaction")
	if err := await(t, written, "the answer"); err == nil || errors.Is(err, store.ErrUnknown) {
		t.Errorf("the transaction of the old leader: %v, want an error that says that it was not done", err)
	}
}

// A connection that breaks takes no one out of office while nobody else is there.
func TestLeaderConnectsAgain(t *testing.T) {
	t.Parallel()
	dsn := postgresDSN(t)
	a := candidate(t, dsn, "a")
	lease := await(t, a.leases, "the lead of a")
	for range 3 {
		rawExec(t, dsn, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE pid <> pg_backend_pid() AND application_name = current_schema()`)
		store.AwaitBeat(t, lease)
	}
	if err := writeAs(t, lease); err != nil {
		t.Errorf("the leader writes: %v", err)
	}
	if len(a.ended) > 0 {
		t.Error("the leader was taken out of office")
	}
}

// SQLite is one process's alone, so that nobody is waited for.
func TestSQLiteLeads(t *testing.T) {
	s := storetest.OpenTest(t)
	want := errors.New("done")
	err := s.Lead(t.Context(), "scheduler", "a", func(_ context.Context, l *store.Lease) error {
		if !l.Fresh() {
			t.Error("not fresh")
		}
		if err := writeAs(t, l); err != nil {
			t.Error(err)
		}
		return want
	})
	if !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}

func TestIdentityIsTheDatabases(t *testing.T) {
	for name, dsn := range databases() {
		t.Run(name, func(t *testing.T) {
			here, there := dsn(t), dsn(t)
			a := storetest.Open(t, store.Config{DSN: here}).ID()
			again := storetest.Open(t, store.Config{DSN: here}).ID()
			other := storetest.Open(t, store.Config{DSN: there}).ID()
			if a != again || a == other || len(a) != 16 {
				t.Errorf("opened twice: %q and %q; another one: %q", a, again, other)
			}
		})
	}
}
