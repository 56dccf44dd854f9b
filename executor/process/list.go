package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"dagwright/dag"
)

// List returns every attempt that has a claim and takes up watching those that
// run. A claim whose command never ran is removed, so that Start may run it.
func (x *Executor) List(ctx context.Context) ([]dag.AttemptEvent, error) {
	entries, err := os.ReadDir(x.config.StateDir)
	if err != nil {
		return nil, fmt.Errorf("list claims: %w", err)
	}
	orphans, err := scanGroups()
	if err != nil {
		return nil, err
	}
	var events []dag.AttemptEvent
	for _, entry := range entries {
		if !isClaimName(entry.Name()) {
			continue
		}
		t, err := x.take(ctx, entry.Name(), orphans)
		if err != nil {
			return nil, err
		}
		if t != nil {
			events = append(events, x.event(t))
		}
	}
	return events, x.sweep(entries)
}

// take returns the attempt of a claim, nil when there is none after all.
func (x *Executor) take(ctx context.Context, name string, orphans processGroups) (*attempt, error) {
	t, mine, err := x.reserve(dag.AttemptKey{}, name)
	if err != nil {
		return nil, err
	}
	if !mine {
		if err := t.await(ctx); err != nil || t.err != nil {
			return nil, err
		}
		return t, nil
	}
	adopted, err := x.adopt(t, orphans)
	if err == nil && !adopted {
		x.settle(t, dag.ErrNotFound)
		return nil, nil
	}
	x.settle(t, err)
	return t, err
}

// adopt takes over a claim that this executor did not make: it watches one
// that is held and concludes one that is free. It removes a claim whose command
// never ran and returns false.
func (x *Executor) adopt(t *attempt, orphans processGroups) (bool, error) {
	cl, held, err := x.inspectLeft(t.name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !held && (!cl.hasHeader || cl.pid == 0 && !cl.exited) {
		return false, errors.Join(x.removeWork(t.name), x.claims.removeWish(t.name), x.claims.remove(t.name))
	}
	if claimName(cl.Key) != t.name {
		return false, fmt.Errorf("claim %s is of another attempt: %w", t.name, dag.ErrConflict)
	}
	w, err := x.claims.readWish(t.name)
	if err != nil {
		return false, err
	}
	t.key, t.begun, t.pid, t.wish = cl.Key, cl.Begun, cl.pid, w
	if held {
		x.spawn(func() { x.watch(t, false) })
		return true, nil
	}
	x.conclude(t, orphans)
	return true, nil
}

// inspectLeft inspects a claim that was found. While dagwright forks, the child
// has copies of all that is open, also of the locks of other claims, until it
// becomes another program; should dagwright be killed just then, a claim
// without a wrapper seems to have one. So a claim that is held without a pid is
// looked at again until it is free, or its wrapper has said its pid.
func (x *Executor) inspectLeft(name string) (cl claim, held bool, err error) {
	for pause := firstLook; ; pause *= 2 {
		cl, held, err = x.claims.inspect(name)
		if err != nil || !held || cl.pid != 0 || pause > lastLook {
			return cl, held, err
		}
		select {
		case <-x.done:
			return claim{}, false, errClosed
		case <-time.After(pause):
		}
	}
}

// sweep removes what belongs to no claim: wishes and working folders whose
// claim was removed in the moment in which dagwright was killed.
func (x *Executor) sweep(entries []os.DirEntry) error {
	var errs []error
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), stopSuffix); ok && x.stray(name) {
			errs = append(errs, x.claims.removeWish(name))
		}
	}
	if x.config.Workdir != nil {
		return errors.Join(errs...)
	}
	folders, err := os.ReadDir(x.work(""))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, fmt.Errorf("list working folders: %w", err))
	}
	for _, folder := range folders {
		if x.stray(folder.Name()) {
			errs = append(errs, x.removeWork(folder.Name()))
		}
	}
	return errors.Join(errs...)
}

func (x *Executor) stray(name string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return isClaimName(name) && x.attempts[name] == nil
}

// Forget removes the claim of an ended attempt. The error is dag.ErrConflict
// when it still runs. The claim goes last, so that a Forget that was cut short
// is asked for again.
func (x *Executor) Forget(ctx context.Context, key dag.AttemptKey) error {
	t, err := x.find(ctx, key)
	if err != nil || t == nil {
		return err
	}
	t.mu.Lock()
	ended, stopped := t.ended != nil, t.wish != nil
	t.mu.Unlock()
	if !ended {
		return fmt.Errorf("forget attempt: it still runs: %w", dag.ErrConflict)
	}
	if err := x.removeWork(t.name); err != nil {
		return err
	}
	if stopped {
		if err := x.claims.removeWish(t.name); err != nil {
			return err
		}
	}
	if err := x.claims.remove(t.name); err != nil {
		return err
	}
	x.drop(t)
	return nil
}
