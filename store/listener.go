package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// minBackOff and maxBackOff bound the pause before the listener connects
// again.
const (
	minBackOff = 100 * time.Millisecond
	maxBackOff = 5 * time.Second
)

// A listener that has heard nothing for silence asks whether the server is there, and
// waits pingTimeout for the answer.
const (
	silence     = 15 * time.Second
	pingTimeout = 10 * time.Second
)

// listener receives the changes of other processes through LISTEN and hands them
// to the feed. When its connection breaks it connects again, for as long as it
// takes, and tells the subscribers that they may have missed something.
type listener struct {
	config   *pgx.ConnConfig
	channel  string
	own      string // origin of this process's own notifications, which the feed has already
	feed     *feed
	log      *slog.Logger
	silence  time.Duration // after which the server is asked whether it is there
	patience time.Duration // with its answer
	cancel   context.CancelFunc
	done     chan struct{}
}

// listen returns once it is listening.
func listen(ctx context.Context, config *pgx.ConnConfig, channel, own string, timeout time.Duration, f *feed,
	log *slog.Logger) (*listener, error) {
	l := &listener{
		config: config, channel: channel, own: own, feed: f, log: log,
		silence: min(silence, timeout), patience: min(pingTimeout, timeout), done: make(chan struct{}),
	}
	conn, err := l.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("listen for changes: %w", err)
	}
	// The listener outlives the context of Open; stop ends it.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = cancel
	go l.run(running, conn)
	return l, nil
}

func (l *listener) stop() {
	l.cancel()
	<-l.done
}

func (l *listener) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, l.config.Copy())
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+l.channel); err != nil {
		closeConn(ctx, conn)
		return nil, err
	}
	return conn, nil
}

// closeConn closes a connection properly, also when ctx has ended.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // nothing was left to be sent on it
}

func (l *listener) run(ctx context.Context, conn *pgx.Conn) {
	defer close(l.done)
	for conn != nil {
		err := l.receive(ctx, conn)
		closeConn(ctx, conn)
		if ctx.Err() != nil {
			return
		}
		l.log.Warn("connection for changes lost, connecting again", "err", err)
		if conn = l.reconnect(ctx); conn != nil {
			l.log.Info("listening for changes again")
			l.feed.lost()
		}
	}
}

// receive hands notifications on until the connection breaks. A silent connection is
// asked now and then, since one that was lost without a word is silent too.
func (l *listener) receive(ctx context.Context, conn *pgx.Conn) error {
	for {
		n, err := l.next(ctx, conn)
		if err != nil {
			return err
		}
		if n == nil {
			continue
		}
		origin, changes, err := parsePayload(n.Payload)
		if origin == l.own {
			continue
		}
		if err != nil {
			if !errors.Is(err, errMissed) {
				l.log.Error("notification not understood", "err", err)
			}
			l.feed.lost()
		}
		l.feed.publish(changes)
	}
}

// next waits for a notification; nil when none came and the server answered a ping.
func (l *listener) next(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	silent, cancel := context.WithTimeout(ctx, l.silence)
	defer cancel()
	n, err := conn.WaitForNotification(silent)
	if err == nil || ctx.Err() != nil || silent.Err() == nil {
		return n, err
	}
	answer, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	if err := conn.Ping(answer); err != nil {
		return nil, fmt.Errorf("no answer to a ping: %w", err)
	}
	return nil, nil
}

// reconnect tries until it succeeds; nil when ctx ends first.
func (l *listener) reconnect(ctx context.Context) *pgx.Conn {
	for pause := minBackOff; ; pause = min(2*pause, maxBackOff) {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		conn, err := l.connect(ctx)
		if err == nil {
			return conn
		}
		if ctx.Err() == nil {
			l.log.Warn("database cannot be reached", "err", err, "next", min(2*pause, maxBackOff))
		}
	}
}

// errMissed says that the sender of a notification could not tell all.
var errMissed = errors.New("changes may be missing")

// parsePayload reads what payloads wrote, and which process it is from.
func parsePayload(payload string) (origin string, changes []Change, err error) {
	head, rest, _ := strings.Cut(payload, "\n")
	origin, _, _ = strings.Cut(head, " ")
	if rest == missedLine {
		return origin, nil, errMissed
	}
	for line := range strings.SplitSeq(rest, "\n") {
		var n notice
		if err := json.Unmarshal([]byte(line), &n); err != nil {
			return origin, changes, fmt.Errorf("read change: %w", err)
		}
		n.Change.Planned = n.Planned
		changes = append(changes, n.Change)
	}
	return origin, changes, nil
}
