package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// gatherTime is how long changes are gathered for one notification of other processes.
const gatherTime = 10 * time.Millisecond

// maxUntold bounds the changes that wait to be sent. When there are more, others are
// notified that they have missed some.
const maxUntold = 10_000

// tellTimeout bounds one notification, and maxClosing the last one.
const (
	tellTimeout = 10 * time.Second
	maxClosing  = 2 * time.Second
)

// notifier notifies other processes of what this one has committed, by NOTIFY on a connection
// of its own. A NOTIFY inside of a transaction would make all commits of the server take
// turns. What it cannot send at once it sends when there is a connection again, perhaps
// twice. What it never sent, since the process was killed, the others learn late: from the
// next process that starts, or because they look by themselves now and then.
type notifier struct {
	config  *pgx.ConnConfig
	channel string
	origin  string // of this process's notifications
	log     *slog.Logger
	news    chan struct{} // holds one token while something is to be sent
	stopped chan struct{} // closed to stop
	done    chan struct{}

	mu     sync.Mutex
	untold []Change
	missed bool // something was not kept until it could be sent

	conn *pgx.Conn // of run alone
}

// startNotifier connects and notifies others that they may have missed something: the
// process before this one may have been killed.
func startNotifier(ctx context.Context, config *pgx.ConnConfig, channel string, log *slog.Logger) (*notifier, error) {
	n := &notifier{
		config: config, channel: channel, origin: rand.Text(), log: log,
		news: make(chan struct{}, 1), stopped: make(chan struct{}), done: make(chan struct{}),
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	if err := n.send(ctx, nil, true); err != nil {
		n.disconnect()
		return nil, fmt.Errorf("connect to notify other processes: %w", err)
	}
	go n.run()
	return n, nil
}

// tell hands changes over. It never waits.
func (n *notifier) tell(changes []Change) {
	if len(changes) == 0 {
		return
	}
	n.mu.Lock()
	if len(n.untold)+len(changes) > maxUntold {
		n.untold, n.missed = nil, true
	} else {
		n.untold = append(n.untold, changes...)
	}
	n.mu.Unlock()
	n.wake()
}

func (n *notifier) wake() {
	select {
	case n.news <- struct{}{}:
	default:
	}
}

// stop tells what is left and ends.
func (n *notifier) stop() {
	close(n.stopped)
	<-n.done
}

func (n *notifier) run() {
	defer close(n.done)
	defer func() { n.disconnect() }()
	pause := minBackOff
	for {
		select {
		case <-n.stopped:
			n.flush(maxClosing)
			return
		case <-n.news:
		}
		wait := gatherTime
		if n.flush(tellTimeout) {
			pause = minBackOff
		} else {
			wait, pause = pause, min(2*pause, maxBackOff)
			n.wake()
		}
		select {
		case <-n.stopped:
		case <-time.After(wait):
		}
	}
}

// flush tells what is untold, and reports whether that was done.
func (n *notifier) flush(limit time.Duration) bool {
	n.mu.Lock()
	changes, missed := n.untold, n.missed
	n.untold, n.missed = nil, false
	n.mu.Unlock()
	if len(changes) == 0 && !missed {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := n.send(ctx, changes, missed)
	if err == nil {
		return true
	}
	n.log.Warn("other processes cannot be notified of changes, trying again", "err", err)
	n.disconnect()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.untold, n.missed = append(changes, n.untold...), n.missed || missed
	return false
}

func (n *notifier) send(ctx context.Context, changes []Change, missed bool) error {
	texts, err := payloads(n.origin, changes)
	if err != nil {
		return err
	}
	if missed {
		texts = append([]string{n.origin + " missed\n" + missedLine}, texts...)
	}
	if n.conn == nil {
		if n.conn, err = pgx.ConnectConfig(ctx, n.config.Copy()); err != nil {
			return err
		}
	}
	_, err = n.conn.Exec(ctx, `SELECT pg_notify($1, p) FROM unnest($2::text[]) WITH ORDINALITY AS u (p, n) ORDER BY n`,
		n.channel, texts)
	return err
}

func (n *notifier) disconnect() {
	if n.conn != nil {
		closeConn(context.Background(), n.conn)
		n.conn = nil
	}
}
