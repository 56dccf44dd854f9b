package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"dagwright/dag"
)

// wish is what Stop asked for: an end, by force from Deadline on.
type wish struct {
	Deadline time.Time `json:"deadline"`
}

const stopSuffix = ".stop"

// Stop sends SIGTERM to the attempt's process group and, when grace has
// passed, SIGKILL. The wish is kept in a file, so both happen even when
// dagwright is restarted meanwhile. Stopping again can only shorten the grace.
func (x *Executor) Stop(ctx context.Context, key dag.AttemptKey, grace time.Duration) error {
	t, err := x.find(ctx, key)
	if err != nil || t == nil {
		return err
	}
	t.mu.Lock()
	w := wish{Deadline: x.config.Now().Add(max(grace, 0))}
	done := t.hasEnded() || t.wish != nil && !w.Deadline.Before(t.wish.Deadline)
	if !done {
		err = x.claims.writeWish(t.name, w)
	}
	if !done && err == nil {
		t.wish = &w
	}
	t.mu.Unlock()
	if done || err != nil {
		return err
	}
	x.pursue(t)
	return nil
}

// pursue carries out the wish of an attempt whose process is known.
func (x *Executor) pursue(t *attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wish == nil || t.pid == 0 || t.ended != nil || t.closed {
		return
	}
	if t.timer != nil {
		t.timer.Stop()
	}
	left := t.wish.Deadline.Sub(x.config.Now())
	if left <= 0 {
		t.signalGroup(unix.SIGKILL)
		return
	}
	t.signalGroup(unix.SIGTERM)
	t.timer = time.AfterFunc(left, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.ended == nil {
			t.signalGroup(unix.SIGKILL)
		}
	})
}

func (c claims) writeWish(name string, w wish) error {
	b, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("encode stop: %w", err)
	}
	if err := os.WriteFile(c.path(name)+stopSuffix, b, 0o600); err != nil {
		return fmt.Errorf("write stop: %w", err)
	}
	return nil
}

// readWish returns the wish to stop an attempt, or nil. A half-written wish has
// no grace left to keep: its deadline is the zero time.
func (c claims) readWish(name string) (*wish, error) {
	b, err := os.ReadFile(c.path(name) + stopSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read stop: %w", err)
	}
	var w wish
	if json.Unmarshal(b, &w) != nil {
		w = wish{}
	}
	return &w, nil
}

func (c claims) removeWish(name string) error {
	if err := os.Remove(c.path(name) + stopSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove stop: %w", err)
	}
	return nil
}
