package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"dagwright/dag"
)

// List returns every attempt that the supervisor knows or that waits for what
// the machine is short of, and removes working folders that belong to none.
func (x *Executor) List(context.Context) ([]dag.AttemptEvent, error) {
	var events []dag.AttemptEvent
	for _, t := range x.all() {
		if e := x.event(t); t.isSettled() || e.Phase == dag.AttemptWaiting {
			events = append(events, e)
		}
	}
	return events, x.sweep()
}

// sweep removes working folders whose attempt was forgotten in the moment in
// which dagwright was killed.
func (x *Executor) sweep() error {
	if x.config.Workdir != nil {
		return nil
	}
	folders, err := os.ReadDir(x.work(""))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list working folders: %w", err)
	}
	var errs []error
	for _, folder := range folders {
		if x.isStray(folder.Name()) {
			errs = append(errs, x.removeWork(folder.Name()))
		}
	}
	return errors.Join(errs...)
}

func (x *Executor) isStray(name string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.attempts[name] == nil
}

// Forget drops an ended attempt. The error is dag.ErrConflict when it still
// runs. The supervisor forgets it last, so that a Forget that was cut short is
// asked for again.
func (x *Executor) Forget(ctx context.Context, key dag.AttemptKey) error {
	t := x.find(key)
	if t == nil {
		return nil
	}
	t.mu.Lock()
	ended := t.ended != nil
	t.mu.Unlock()
	if !ended {
		return fmt.Errorf("forget attempt: it still runs: %w", dag.ErrConflict)
	}
	if err := x.removeWork(t.name); err != nil {
		return err
	}
	if err := x.sup.Forget(ctx, t.name); err != nil {
		return fmt.Errorf("forget attempt: %w", err)
	}
	x.drop(t)
	return nil
}
