package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"dagwright/dag"
	"dagwright/executor"
)

// Start starts the attempt, or adopts it when there is a claim of it. A
// command that does not exist is no error of Start: the attempt ends with exit
// code 127.
func (x *Executor) Start(ctx context.Context, a executor.Attempt) error {
	argv, err := argvOf(a)
	if err != nil {
		return err
	}
	for {
		t, mine, err := x.reserve(a.Key, claimName(a.Key))
		if err != nil {
			return err
		}
		if mine {
			err := x.launch(ctx, t, a, argv)
			x.settle(t, err)
			return err
		}
		if err := t.await(ctx); err != nil {
			return err
		}
		if t.err == nil {
			x.repeat(t)
			return nil
		}
		// Another call's start failed, so this one tries for itself.
	}
}

// repeat reports once more what is known.
func (x *Executor) repeat(t *attempt) {
	t.mu.Lock()
	events := []dag.AttemptEvent{x.started(t)}
	if t.ended != nil {
		events = append(events, *t.ended)
	}
	t.mu.Unlock()
	x.spawn(func() {
		for _, e := range events {
			x.send(e)
		}
	})
}

// launch claims the attempt and starts it.
func (x *Executor) launch(ctx context.Context, t *attempt, a executor.Attempt, argv []string) error {
	h := header{Key: t.key, Begun: x.config.Now()}
	file, err := x.claims.create(t.name, h)
	if errors.Is(err, fs.ErrExist) {
		adopted, err := x.adopt(t, nil)
		if err != nil {
			return err
		}
		if adopted {
			x.repeat(t)
			return nil
		}
		file, err = x.claims.create(t.name, h)
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	defer file.Close()
	t.begun = h.Begun
	if err := x.run(ctx, t, a, argv, file); err != nil {
		return errors.Join(err, x.removeWork(t.name), x.claims.remove(t.name))
	}
	return nil
}

// run starts the claimed attempt's process. When it returns an error there is
// none.
func (x *Executor) run(ctx context.Context, t *attempt, a executor.Attempt, argv []string, claim *os.File) error {
	dir, extra, err := x.workdir(ctx, t.name, a)
	if err != nil {
		return err
	}
	cmd, bad, err := newCommand(x.shell, dir, argv, x.config.Env, extra, a.Env)
	if err != nil {
		return err
	}
	log, err := x.config.Logs.File(t.key)
	if errors.Is(err, dag.ErrConflict) {
		return fmt.Errorf("attempt has ended before, its log is complete: %w", dag.ErrInvalid)
	}
	if err != nil {
		return err
	}
	defer log.Close()
	if bad != nil {
		if _, err := fmt.Fprintf(claim, "exit %d %s\n", bad.code, bad.reason); err != nil {
			return fmt.Errorf("write claim: %w", err)
		}
		x.spawn(func() { x.watch(t, true) })
		return nil
	}
	pid, pidfd, err := x.fork(cmd, log, claim)
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.forked = true
	t.mu.Unlock()
	t.known(pid, pidfd)
	x.spawn(func() { x.watch(t, true) })
	return nil
}

// workdir is the folder in which the attempt runs, and what it adds to the
// environment.
func (x *Executor) workdir(ctx context.Context, name string, a executor.Attempt) (string, []dag.EnvVar, error) {
	if x.config.Workdir != nil {
		dir, env, err := x.config.Workdir(ctx, a)
		if err != nil {
			return "", nil, fmt.Errorf("make working folder: %w", err)
		}
		return dir, env, nil
	}
	dir := x.work(name)
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", nil, fmt.Errorf("make working folder: %w", err)
	}
	return dir, nil, nil
}

// work is the own working folder of an attempt.
func (x *Executor) work(name string) string { return filepath.Join(x.config.StateDir, "work", name) }

func (x *Executor) removeWork(name string) error {
	if x.config.Workdir != nil {
		return nil
	}
	// The usual folder is empty, and removing it so is one call.
	if unix.Rmdir(x.work(name)) == nil {
		return nil
	}
	if err := os.RemoveAll(x.work(name)); err != nil {
		return fmt.Errorf("remove working folder: %w", err)
	}
	return nil
}

// fork starts the wrapper in a session of its own. It uses syscall.ForkExec,
// as os.StartProcess would keep a thread for each process that is waited for;
// the runtime's poller waits for the pidfd instead.
func (x *Executor) fork(c command, log, claim *os.File) (pid int, pidfd *os.File, err error) {
	x.starting <- struct{}{}
	defer func() { <-x.starting }()
	fd := -1
	pid, err = syscall.ForkExec(c.argv[0], c.argv, &syscall.ProcAttr{
		Dir: c.dir, Env: c.env,
		Files: []uintptr{x.null.Fd(), log.Fd(), log.Fd(), claim.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &fd},
	})
	if errors.Is(err, syscall.E2BIG) {
		return 0, nil, fmt.Errorf("command line and environment are too long: %w", dag.ErrInvalid)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("start process: %w", err)
	}
	return pid, pollable(fd), nil
}

// pollable makes a file of a pidfd that the runtime's poller waits for; nil
// when there is no pidfd.
func pollable(fd int) *os.File {
	if fd < 0 {
		return nil
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil
	}
	return os.NewFile(uintptr(fd), "pidfd")
}
