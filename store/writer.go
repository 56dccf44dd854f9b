package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// maxGroup and maxGroupTime bound one durable transaction of the writer, so
// that the first write of a group does not wait for ever more behind it.
const (
	maxGroup     = 256
	maxGroupTime = 20 * time.Millisecond
)

var errClosed = errors.New("the store is closed")

// writer is the one goroutine that writes to a SQLite database. It puts the
// writes that wait into one durable transaction (group commit), each in a
// savepoint of its own, so that one that fails does not undo the others. A
// write is answered after the commit.
type writer struct {
	session *sqliteSession
	now     func() time.Time
	publish func([]Change)
	failed  func() // is called when a group was rolled back
	commit  func() error
	queue   chan *writeRequest
	stopped chan struct{} // closed to stop
	done    chan struct{} // closed when the goroutine has ended
}

// writeRequest is one write that waits for the writer.
type writeRequest struct {
	fn    func(*tx) error
	begun atomic.Bool // taken by the writer, or given up by the caller
	reply chan error

	changes []Change
	err     error
}

func startWriter(s *sqliteSession, now func() time.Time, publish func([]Change), failed func()) *writer {
	w := &writer{
		commit:  func() error { return s.run(context.Background(), "COMMIT") },
		session: s, now: now, publish: publish, failed: failed,
		queue:   make(chan *writeRequest, maxGroup),
		stopped: make(chan struct{}), done: make(chan struct{}),
	}
	go w.run()
	return w
}

// write hands fn to the writer and waits for the answer. ctx ends the waiting
// only as long as the write has not begun: after that the caller learns what
// became of it.
func (w *writer) write(ctx context.Context, fn func(*tx) error) error {
	r := &writeRequest{fn: fn, reply: make(chan error, 1)}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.done:
		return errClosed
	case w.queue <- r:
	}
	select {
	case err := <-r.reply:
		return err
	case <-ctx.Done():
		if r.begun.CompareAndSwap(false, true) {
			return ctx.Err()
		}
	case <-w.done:
	}
	select {
	case err := <-r.reply:
		return err
	case <-w.done:
	}
	// The writer may have answered just before it ended.
	select {
	case err := <-r.reply:
		return err
	default:
		return errClosed
	}
}

// stop ends the writer after the group that is under way.
func (w *writer) stop() {
	close(w.stopped)
	<-w.done
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case <-w.stopped:
			return
		case r := <-w.queue:
			w.group(r)
		}
	}
}

// group writes first and whatever else is waiting in one durable transaction.
func (w *writer) group(first *writeRequest) {
	if err := w.session.run(context.Background(), "BEGIN IMMEDIATE"); err != nil {
		if first.begun.CompareAndSwap(false, true) {
			first.reply <- fmt.Errorf("begin writing: %w", err)
		}
		return
	}
	members, err := w.fill(first)
	if err == nil {
		if err = w.commit(); err != nil {
			// What SQLite could not finish it may find finished when it opens the file
			// again, since its log may have reached the disk.
			err = fmt.Errorf("commit: %w", unknown(err))
		}
	}
	if err != nil {
		// SQLite may have rolled back by itself already.
		_ = w.session.run(context.Background(), "ROLLBACK")
		w.failed()
	}
	w.answer(members, err)
	w.session.trim()
}

// fill runs waiting writes until none is left or the group is full. The error
// means that the whole transaction is lost.
func (w *writer) fill(first *writeRequest) (members []*writeRequest, err error) {
	end := time.Now().Add(maxGroupTime)
	for r := first; r != nil; r = w.next(len(members), end) {
		if !r.begun.CompareAndSwap(false, true) {
			continue // its caller has given up
		}
		members = append(members, r)
		if err := w.one(r); err != nil {
			return members, err
		}
	}
	return members, nil
}

func (w *writer) next(n int, end time.Time) *writeRequest {
	if n >= maxGroup || time.Now().After(end) {
		return nil
	}
	select {
	case r := <-w.queue:
		return r
	default:
		return nil
	}
}

// one runs a single write in its savepoint. What the write itself returns is
// kept for its caller; the error here means that the transaction is lost.
func (w *writer) one(r *writeRequest) error {
	ctx := context.Background()
	if err := w.session.run(ctx, "SAVEPOINT one"); err != nil {
		return fmt.Errorf("begin write: %w", err)
	}
	t := &tx{ctx: ctx, session: w.session, now: w.now()}
	if r.err = r.fn(t); r.err != nil {
		// When SQLite has ended the transaction by itself (disk full, I/O error)
		// there is no savepoint any more, and the group is lost.
		if err := w.session.run(ctx, "ROLLBACK TO one"); err != nil {
			return r.err
		}
	} else {
		r.changes = t.changes
	}
	if err := w.session.run(ctx, "RELEASE one"); err != nil {
		return fmt.Errorf("end write: %w", err)
	}
	return nil
}

// answer notifies the feed, then the callers. A change that may have been written is
// published too: whoever hears of it reads the store.
func (w *writer) answer(members []*writeRequest, err error) {
	for _, r := range members {
		if err != nil && r.err == nil {
			r.err = err
		}
		if r.err == nil || errors.Is(r.err, ErrUnknown) {
			w.publish(r.changes)
		}
		r.reply <- r.err
	}
}
