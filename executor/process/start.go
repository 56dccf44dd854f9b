package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/executor/supervisor"
	"dagwright/reason"
	"dagwright/tasklog"
)

const (
	// maxStartTries bounds how often a start that may heal is tried before the
	// attempt counts as lost. What the machine is short of is waited for instead.
	maxStartTries = 5
	// startPause and maxStartPause bound the growing pause between two tries.
	startPause    = 500 * time.Millisecond
	maxStartPause = 30 * time.Second
	// exitTerm stands for an attempt that was stopped before it began.
	exitTerm = 128 + int(unix.SIGTERM)
)

// ErrAway says, as an error of Config.Workdir, that another server does not answer, or
// not as it should. The attempt waits for it.
var ErrAway = errors.New("a server is away")

// Start starts the attempt, or finds that it was started. It returns at once: a
// command that does not exist, and a working folder that cannot be made, are
// reported as the attempt's end.
func (x *Executor) Start(_ context.Context, a executor.Attempt) error {
	argv, err := argvOf(a)
	if err != nil {
		return err
	}
	t, mine, err := x.reserve(a.Key)
	if err != nil {
		return err
	}
	if mine {
		x.spawn(func() { x.launch(t, a, argv) }) //nolint:contextcheck // an attempt outlives the call that starts it
	} else if t.isSettled() {
		x.repeat(t)
	}
	return nil
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

// launch starts an attempt, however long that takes, and settles it.
func (x *Executor) launch(t *attempt, a executor.Attempt, argv []string) {
	ctx, cancel := context.WithCancel(x.ctx)
	defer cancel()
	go func() {
		select {
		case <-t.wanted:
			cancel()
		case <-ctx.Done():
		}
	}()
	pause, since := startPause, time.Now()
	for try := 1; ; try++ {
		status, err := x.try(ctx, t, a, argv)
		if err == nil {
			x.begun(t, status)
			return
		}
		scarce, isScarce := scarcity(err)
		switch {
		case x.ctx.Err() != nil:
			x.drop(t) // the next dagwright is asked for it again
			return
		case ctx.Err() != nil:
			x.unstarted(t, dag.AttemptEvent{ExitCode: exitTerm, Stopped: true, Reason: reason.New(reason.StoppedBeforeProcess)})
			return
		case isScarce:
			try = 0
			x.wait(t, reason.New(scarce))
		case errors.Is(err, dag.ErrInvalid):
			x.unstarted(t, dag.AttemptEvent{ExitCode: 1, Reason: reason.New(reason.NotStarted, err)})
			return
		case errors.Is(err, ErrAway) && time.Since(since) < x.config.AwayPatience:
			try = 0
			x.wait(t, reason.New(reason.WaitsForRepository))
		case try == maxStartTries || errors.Is(err, ErrAway):
			x.unstarted(t, dag.AttemptEvent{Lost: true, Reason: reason.New(reason.NotStarted, err)})
			return
		default:
			x.wait(t, reason.New(reason.TriedAgain, err))
		}
		x.logger(t).Warn("local process is not started yet", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, maxStartPause)
	}
}

// begun takes in that the supervisor has the attempt, perhaps since long.
func (x *Executor) begun(t *attempt, s supervisor.Status) {
	var n note
	_ = json.Unmarshal(s.Note, &n) // it is what try wrote
	t.mu.Lock()
	t.begun, t.pid, t.waiting = n.Begun, s.PID, nil
	e := x.started(t)
	t.mu.Unlock()
	x.send(e)
	close(t.settled)
	if s.End != nil {
		x.end(t, s)
		return
	}
	select {
	case <-t.wanted:
		// A Stop came while the supervisor was asked.
		x.stopLate(t)
	default:
	}
}

// wait reports what the attempt waits for, when that is new.
func (x *Executor) wait(t *attempt, why reason.Reason) {
	e := dag.AttemptEvent{Key: t.key, Phase: dag.AttemptWaiting, At: x.config.Now(), Reason: why, Hostname: x.hostname}
	t.mu.Lock()
	said := t.waiting != nil && t.waiting.Reason == why
	t.waiting = &e
	t.mu.Unlock()
	if !said {
		x.send(e)
	}
}

// unstarted ends an attempt that the supervisor was never asked for.
func (x *Executor) unstarted(t *attempt, e dag.AttemptEvent) {
	e.Key, e.Phase, e.At, e.Hostname = t.key, dag.AttemptEnded, x.config.Now(), x.hostname
	if err := errors.Join(x.removeWork(t.name), x.closeLog(t, e)); err != nil {
		x.logger(t).Error("close task log", "err", err)
	}
	t.mu.Lock()
	t.begun, t.waiting, t.ended = e.At, nil, &e
	t.mu.Unlock()
	t.ending.Do(func() {}) // it is taken in
	close(t.settled)
	x.send(e)
}

// scarcity says what the machine is short of, when that is why a start failed.
func scarcity(err error) (code reason.Code, scarce bool) {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return reason.WaitsForDisk, true
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM):
		return reason.WaitsForMemory, true
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return reason.WaitsForDescriptor, true
	}
	return "", false
}

// try makes what the attempt needs and asks the supervisor for it.
func (x *Executor) try(ctx context.Context, t *attempt, a executor.Attempt, argv []string) (supervisor.Status, error) {
	var none supervisor.Status
	work, err := x.workdir(ctx, t.name, a)
	if err != nil {
		return none, err
	}
	env, err := mergeEnv(x.config.Env, work.Env, a.Env)
	if err != nil {
		return none, err
	}
	noted, err := json.Marshal(note{Key: t.key, Begun: x.config.Now()})
	if err != nil {
		return none, fmt.Errorf("encode attempt: %w", err)
	}
	spec := supervisor.Spec{
		ID: t.name, Note: noted, Env: listEnv(env), Dir: work.Dir,
		Limits: x.config.Logs.Limits(), Umask: x.config.Umask,
	}
	path, bad := lookUp(argv[0], work.Dir, env["PATH"])
	if bad != nil {
		spec.End = bad.end(x.config.Now())
	} else {
		spec.Argv = append([]string{path}, argv[1:]...)
	}
	if spec.Log, err = x.openLog(t.key, work.Notes); err != nil {
		return none, err
	}
	if ctx.Err() != nil {
		return none, ctx.Err()
	}
	return x.ask(argv[0], spec)
}

// ask asks the supervisor to start a process. A command that cannot be executed is
// an end, which the supervisor keeps as well. A Stop does not break off the
// question, since then nobody knew the answer.
func (x *Executor) ask(command string, spec supervisor.Spec) (supervisor.Status, error) {
	status, err := x.sup.Start(x.ctx, spec)
	var fault *supervisor.StartError
	if !errors.As(err, &fault) {
		return status, err
	}
	_, scarce := scarcity(err)
	switch {
	case fault.Step == supervisor.StepSealed:
		return status, fmt.Errorf("attempt has ended before, its log is complete: %w", dag.ErrInvalid)
	case fault.Step != supervisor.StepRun || scarce || errors.Is(err, syscall.ETXTBSY):
		return status, err
	case errors.Is(err, syscall.E2BIG):
		return status, fmt.Errorf("command line and environment are too long: %w", dag.ErrInvalid)
	}
	if _, err := os.Stat(spec.Dir); err != nil {
		return status, fmt.Errorf("working folder: %w", err)
	}
	spec.Argv, spec.End = nil, refusedBySystem(command, fault.Errno).end(x.config.Now())
	return x.sup.Start(x.ctx, spec)
}

// openLog makes the attempt's log and returns its path. Notes are written into
// a log that is empty.
func (x *Executor) openLog(key dag.AttemptKey, notes []string) (string, error) {
	log, err := x.config.Logs.File(key)
	if errors.Is(err, dag.ErrConflict) {
		return "", fmt.Errorf("attempt has ended before, its log is complete: %w", dag.ErrInvalid)
	}
	if err != nil {
		return "", err
	}
	defer log.Close()
	info, err := log.Stat()
	if err != nil || info.Size() > 0 || len(notes) == 0 {
		return log.Name(), err
	}
	var text []byte
	for _, line := range notes {
		text = append(tasklog.AppendLine(text, tasklog.Line{Time: x.config.Now(), Own: true, Text: line}), '\n')
	}
	_, err = log.Write(text)
	return log.Name(), err
}

// workdir is the folder in which the attempt runs, and what comes with it.
func (x *Executor) workdir(ctx context.Context, name string, a executor.Attempt) (Workdir, error) {
	if x.config.Workdir != nil {
		w, err := x.config.Workdir(ctx, a)
		if err != nil {
			return Workdir{}, fmt.Errorf("make working folder: %w", err)
		}
		// The supervisor has a working folder of its own.
		w.Dir, err = filepath.Abs(w.Dir)
		return w, err
	}
	dir := x.work(name)
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return Workdir{}, fmt.Errorf("make working folder: %w", err)
	}
	return Workdir{Dir: dir}, nil
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
