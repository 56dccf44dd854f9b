package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/macro"
	"dagwright/reason"
	"dagwright/store"
	"dagwright/tasklog"
)

// maxStartTries bounds how often a start that may heal is tried before the
// attempt counts as lost.
const maxStartTries = 5

// endLimit bounds how long an executor may need to take a wish to stop or to
// forget an attempt.
const endLimit = time.Minute

// dispatcher carries out what the loop decided: it starts, stops and forgets
// attempts beside the loop, so that a slow executor never holds up a decision,
// nor a slow start the end of an attempt.
type dispatcher struct {
	Config
	// events are what attempts report, from the executor and from starts that
	// failed.
	events chan dag.AttemptEvent
	macros *macro.Renderer
	starts *startQueue
	ends   *lanes
	// drops report the ends of attempts that were stopped before they were started.
	drops *jobs
	short func() bool // whether tasks wait for space
	known *known
}

// startWorkers is how many attempts are started at once; half of them are for one
// DAG at most.
func startWorkers() int { return 4 * max(runtime.GOMAXPROCS(0), 2) }

func newDispatcher(c Config) *dispatcher {
	d := &dispatcher{
		Config: c, macros: macro.New(), events: make(chan dag.AttemptEvent, 1024),
		starts: newStartQueue(startWorkers() / 2), ends: newLanes(), drops: newJobs(),
		known: newKnown(),
	}
	d.short = d.isShort
	return d
}

// start starts an attempt of a run that is bound to spec.
func (d *dispatcher) start(k dag.AttemptKey, run dag.Run, spec *dag.DAG) {
	d.known.add(k)
	d.starts.push(&start{key: k, run: run, spec: spec})
}

// startStored starts an attempt of which only the key is known.
func (d *dispatcher) startStored(k dag.AttemptKey) {
	d.known.add(k)
	d.starts.push(&start{key: k})
}

// startDecided starts an attempt that the store has as queued, or reports its end when
// somebody has stopped it.
func (d *dispatcher) startDecided(ti dag.TaskInstance) {
	if ti.Wish != dag.WishNone || ti.Stopping {
		d.drop(ti.Key())
		return
	}
	d.startStored(ti.Key())
}

// stop ends an attempt. One that waits for its start is not started any more.
func (d *dispatcher) stop(k dag.AttemptKey) {
	if d.starts.stop(k) {
		d.drop(k)
	}
	d.ends.push(k, func(ctx context.Context) { d.doStop(ctx, k) })
}

// drop ends an attempt that has not been started and is not wanted any more. It does
// not wait, neither for the loop, which reads the reports, nor for an executor.
func (d *dispatcher) drop(k dag.AttemptKey) {
	d.known.add(k)
	d.drops.push(func(ctx context.Context) { d.dropped(ctx, k) })
}

func (d *dispatcher) forget(k dag.AttemptKey) {
	d.known.remove(k)
	d.ends.push(k, func(ctx context.Context) { d.doForget(ctx, k) })
}

// run works until ctx ends.
func (d *dispatcher) run(ctx context.Context) {
	var wg sync.WaitGroup
	for range startWorkers() {
		wg.Go(func() { d.work(ctx) })
	}
	wg.Go(func() { d.ends.run(ctx) })
	wg.Go(func() { d.drops.work(ctx) })
	wg.Go(func() { d.pump(ctx) })
	wg.Wait()
}

// work starts one attempt after the other until ctx ends.
func (d *dispatcher) work(ctx context.Context) {
	for s := d.starts.next(ctx); s != nil; s = d.starts.next(ctx) {
		d.doStart(ctx, s)
	}
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
			if e.Phase != dag.AttemptEnded {
				d.known.add(e.Key)
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
	ctx, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	if err := d.Executor.Stop(ctx, k, d.Grace); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		d.Logger.Error("stop attempt", "dag", k.DAG, "run", k.Run, "task", k.Task, "try", k.Try, "err", err)
	}
}

func (d *dispatcher) doForget(ctx context.Context, k dag.AttemptKey) {
	ctx, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	if err := d.Executor.Forget(ctx, k); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		d.Logger.Error("forget attempt", "dag", k.DAG, "run", k.Run, "task", k.Task, "try", k.Try, "err", err)
	}
}

// errNotWanted says that the run of an attempt has ended.
var errNotWanted = errors.New("its run has ended")

// doStart prepares an attempt and starts it. A fault that cannot heal ends the
// attempt as failed, one that does not heal in time as lost.
func (d *dispatcher) doStart(ctx context.Context, s *start) {
	err := d.prepare(s)
	if !d.starts.prepared(s) || errors.Is(err, errNotWanted) {
		d.starts.finish(s)
		d.dropped(ctx, s.key)
		return
	}
	if errors.Is(err, store.ErrUnavailable) {
		if !d.starts.delay(s, retryStep) {
			d.dropped(ctx, s.key)
		}
		return
	}
	if err != nil {
		d.starts.finish(s)
		d.startFailed(ctx, s.key, err)
		return
	}
	d.try(ctx, s)
}

// try starts an attempt; a fault that may heal brings it back after a while.
func (d *dispatcher) try(ctx context.Context, s *start) {
	if why := d.held(); !why.IsZero() {
		d.hold(ctx, s, why)
		return
	}
	s.tries++
	err := d.Executor.Start(ctx, *s.attempt)
	switch {
	case err == nil:
		if d.starts.finish(s) {
			// The wish came while it was being started, and may have found nothing.
			d.ends.push(s.key, func(ctx context.Context) { d.doStop(ctx, s.key) }) //nolint:contextcheck // lanes have their own
		}
	case errors.Is(err, dag.ErrInvalid) || s.tries == maxStartTries:
		d.starts.finish(s)
		d.startFailed(ctx, s.key, err)
	default:
		if !d.starts.delay(s, time.Duration(s.tries)*500*time.Millisecond) {
			d.dropped(ctx, s.key)
		}
	}
}

// dropped reports the end of an attempt that was stopped before it was started.
func (d *dispatcher) dropped(ctx context.Context, k dag.AttemptKey) {
	if ctx.Err() != nil {
		return
	}
	const terminated = 143 // as a shell reports SIGTERM
	e := dag.AttemptEvent{
		Key: k, Phase: dag.AttemptEnded, At: d.Now(), ExitCode: terminated, Stopped: true,
		Reason: reason.New(reason.StoppedBeforeStart),
	}
	d.writeLog(k, e.Reason.String())
	d.report(ctx, e)
}

// startFailed reports that an attempt did not start, unless the scheduler is
// ending: then the attempt is left to the next start of dagwright.
func (d *dispatcher) startFailed(ctx context.Context, k dag.AttemptKey, err error) {
	if ctx.Err() != nil {
		return
	}
	e := dag.AttemptEvent{Key: k, Phase: dag.AttemptEnded, At: d.Now(), Reason: reason.New(reason.NotStarted, err)}
	switch {
	case errors.Is(err, macro.ErrEveryTry), errors.As(err, new(environmentError)):
		e.ExitCode, e.Final = 1, true
		e.Reason = reason.New(reason.NeverStarts, err)
	case errors.Is(err, dag.ErrInvalid):
		e.ExitCode = 1
	default:
		e.Lost = true
	}
	d.Logger.Warn("attempt not started", "dag", k.DAG, "run", k.Run, "task", k.Task, "try", k.Try, "err", err)
	d.writeLog(k, e.Reason.String())
	d.report(ctx, e)
}

// writeLog puts a line of dagwright's own into the attempt's log, where people
// look first, and closes the log.
func (d *dispatcher) writeLog(k dag.AttemptKey, line string) {
	f, err := d.Logs.File(k)
	if errors.Is(err, dag.ErrConflict) {
		return // complete already: an attempt from before a restart
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

// prepare reads what is not known of an attempt yet, and renders its task. It ends
// with s.ctx.
func (d *dispatcher) prepare(s *start) error {
	if s.attempt != nil {
		return nil
	}
	if s.spec == nil {
		if err := d.readStored(s); err != nil {
			return err
		}
	}
	attempt, err := d.attempt(s)
	if err != nil {
		return err
	}
	s.attempt = &attempt
	return nil
}

// readStored reads the run of an attempt and the version that it is bound to.
func (d *dispatcher) readStored(s *start) error {
	run, err := d.Store.Run(s.ctx, s.key.DAG, s.key.Run)
	if err != nil {
		return err
	}
	if run.State.Ended() {
		return errNotWanted
	}
	version, err := d.Store.Version(s.ctx, s.key.DAG, run.Version)
	if err != nil {
		return err
	}
	s.run, s.spec = run, version.Spec
	return nil
}

// attempt renders the task for one try.
func (d *dispatcher) attempt(s *start) (executor.Attempt, error) {
	task, ok := s.spec.Task(s.key.Task)
	if !ok {
		return executor.Attempt{}, fmt.Errorf("task %s is not in version %d of the DAG: %w", s.key.Task, s.run.Version,
			dag.ErrInvalid)
	}
	rendered, err := d.macros.Render(s.ctx, macro.Context{
		DAG: s.spec, Run: s.run, Task: task, Try: s.key.Try, MaxTries: task.Retries + 1,
		Started: d.Now(), Variables: d.Variables,
	})
	if err != nil {
		return executor.Attempt{}, renderError{err}
	}
	env := dag.Environment(rendered.Env, s.run, s.key, s.spec.Owner)
	// What is too long for the kernel would end every start with an error that names
	// nothing.
	if err := dag.CheckEnvironment(env, append(slices.Clone(rendered.Cmds), rendered.Arguments...)); err != nil {
		return executor.Attempt{}, environmentError{err}
	}
	return executor.Attempt{
		Key: s.key, Task: rendered, Source: s.spec.Source, Version: s.run.Version, Env: env, MayStart: d.MayStart,
	}, nil
}

// environmentError is an environment of which a process cannot be started. Tries have
// the same.
type environmentError struct{ error }

func (e environmentError) Unwrap() error { return e.error }

// renderError is a fault of a task's templates. Its text may quote a value of
// the run's conf, so it belongs into the task's log and not into dagwright's.
type renderError struct{ error }

func (e renderError) Unwrap() error { return e.error }

// LogValue keeps the text out of dagwright's log.
func (e renderError) LogValue() slog.Value {
	return slog.StringValue("the task's templates cannot be rendered; the task's log says why")
}
