package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/macro"
	"dagwright/tasklog"
)

// maxStartTries bounds how often a start that may heal is tried before the
// attempt counts as lost.
const maxStartTries = 5

// dispatcher carries out what the loop decided: it starts, stops and forgets
// attempts beside the loop, so that a slow executor never holds up a decision,
// nor a slow start the end of an attempt.
type dispatcher struct {
	Config
	// events are what attempts report, from the executor and from starts that
	// failed.
	events chan dag.AttemptEvent
	macros *macro.Renderer
	starts *jobs
	ends   *jobs
}

func newDispatcher(c Config) *dispatcher {
	return &dispatcher{
		Config: c, macros: macro.New(), events: make(chan dag.AttemptEvent, 1024), starts: newJobs(), ends: newJobs(),
	}
}

// start starts an attempt of a run that is bound to spec.
func (d *dispatcher) start(k dag.AttemptKey, run dag.Run, spec *dag.DAG) {
	d.starts.push(func(ctx context.Context) { d.doStart(ctx, k, run, spec) })
}

// startStored starts an attempt of which only the key is known.
func (d *dispatcher) startStored(k dag.AttemptKey) {
	d.starts.push(func(ctx context.Context) { d.doStartStored(ctx, k) })
}

func (d *dispatcher) stop(k dag.AttemptKey) {
	d.ends.push(func(ctx context.Context) { d.doStop(ctx, k) })
}

func (d *dispatcher) forget(k dag.AttemptKey) {
	d.ends.push(func(ctx context.Context) { d.doForget(ctx, k) })
}

// run works until ctx ends.
func (d *dispatcher) run(ctx context.Context) {
	var wg sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		wg.Go(func() { d.starts.work(ctx) })
	}
	wg.Go(func() { d.ends.work(ctx) })
	wg.Go(func() { d.pump(ctx) })
	wg.Wait()
}

// pump passes the executor's events on to the loop.
func (d *dispatcher) pump(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-d.Executor.Events():
			if !ok {
				return
			}
			d.report(ctx, e)
		}
	}
}

func (d *dispatcher) report(ctx context.Context, e dag.AttemptEvent) {
	select {
	case <-ctx.Done():
	case d.events <- e:
	}
}

func (d *dispatcher) doStop(ctx context.Context, k dag.AttemptKey) {
	if err := d.Executor.Stop(ctx, k, d.Grace); err != nil && ctx.Err() == nil {
		d.Logger.Error("stop attempt", "dag", k.DAG, "run", k.Run, "task", k.Task, "try", k.Try, "err", err)
	}
}

func (d *dispatcher) doForget(ctx context.Context, k dag.AttemptKey) {
	if err := d.Executor.Forget(ctx, k); err != nil && ctx.Err() == nil {
		d.Logger.Error("forget attempt", "dag", k.DAG, "run", k.Run, "task", k.Task, "try", k.Try, "err", err)
	}
}

// doStartStored reads the attempt's run and starts it.
func (d *dispatcher) doStartStored(ctx context.Context, k dag.AttemptKey) {
	run, err := d.Store.Run(ctx, k.DAG, k.Run)
	if err != nil {
		d.startFailed(ctx, k, err)
		return
	}
	version, err := d.Store.Version(ctx, k.DAG, run.Version)
	if err != nil {
		d.startFailed(ctx, k, err)
		return
	}
	d.doStart(ctx, k, run, version.Spec)
}

// doStart starts an attempt. A fault that cannot heal ends the attempt as
// failed, one that does not heal in time as lost.
func (d *dispatcher) doStart(ctx context.Context, k dag.AttemptKey, run dag.Run, spec *dag.DAG) {
	a, err := d.attempt(ctx, k, run, spec)
	if err != nil {
		d.startFailed(ctx, k, err)
		return
	}
	d.try(ctx, a, 1)
}

// try starts an attempt; a fault that may heal brings it back after a while.
func (d *dispatcher) try(ctx context.Context, a executor.Attempt, n int) {
	err := d.Executor.Start(ctx, a)
	switch {
	case err == nil:
	case errors.Is(err, dag.ErrInvalid) || n == maxStartTries:
		d.startFailed(ctx, a.Key, err)
	default:
		time.AfterFunc(time.Duration(n)*500*time.Millisecond, func() {
			d.starts.push(func(ctx context.Context) { d.try(ctx, a, n+1) })
		})
	}
}

// startFailed reports that an attempt did not start, unless the scheduler is
// ending: then the attempt is left to the next start of dagwright.
func (d *dispatcher) startFailed(ctx context.Context, k dag.AttemptKey, err error) {
	if ctx.Err() != nil {
		return
	}
	e := dag.AttemptEvent{Key: k, Phase: dag.AttemptEnded, At: d.Now(), Reason: "not started: " + err.Error()}
	if errors.Is(err, dag.ErrInvalid) {
		e.ExitCode = 1
	} else {
		e.Lost = true
	}
	d.Logger.Warn("attempt not started", "dag", k.DAG, "run", k.Run, "task", k.Task, "try", k.Try, "err", err)
	d.writeLog(k, e.Reason)
	d.report(ctx, e)
}

// writeLog puts a line of dagwright's own into the attempt's log, where people
// look first, and closes the log.
func (d *dispatcher) writeLog(k dag.AttemptKey, line string) {
	f, err := d.Logs.File(k)
	if errors.Is(err, dag.ErrConflict) {
		return // complete already: an attempt of before a restart
	}
	if err != nil {
		d.Logger.Error("open task log", "dag", k.DAG, "run", k.Run, "task", k.Task, "err", err)
		return
	}
	_, err = f.Write(append(tasklog.AppendLine(nil, tasklog.Line{Time: d.Now(), Own: true, Text: line}), '\n'))
	if err = errors.Join(err, f.Close(), d.Logs.Seal(k)); err != nil {
		d.Logger.Error("write task log", "dag", k.DAG, "run", k.Run, "task", k.Task, "err", err)
	}
}

// attempt renders the task for one try.
func (d *dispatcher) attempt(ctx context.Context, k dag.AttemptKey, run dag.Run, spec *dag.DAG) (executor.Attempt, error) {
	task, ok := spec.Task(k.Task)
	if !ok {
		return executor.Attempt{}, fmt.Errorf("task %s is not in version %d of the DAG: %w", k.Task, run.Version, dag.ErrInvalid)
	}
	rendered, err := d.macros.Render(ctx, macro.Context{
		DAG: spec, Run: run, Task: task, Try: k.Try, MaxTries: task.Retries + 1,
	})
	if err != nil {
		return executor.Attempt{}, renderError{err}
	}
	return executor.Attempt{
		Key: k, Task: rendered, Source: spec.Source, Version: run.Version,
		Env: dag.Environment(rendered.Env, run, k, spec.Owner),
	}, nil
}

// renderError is a fault of a task's templates. Its text may quote a value of
// the run's conf, so it belongs into the task's log and not into dagwright's.
type renderError struct{ error }

func (e renderError) Unwrap() error { return e.error }

// LogValue keeps the text out of dagwright's log.
func (e renderError) LogValue() slog.Value {
	return slog.StringValue("the task's templates cannot be rendered; the task's log says why")
}
