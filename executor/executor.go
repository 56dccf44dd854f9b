// Package executor is the contract between the scheduler and whatever runs a
// task's container: local processes (executor/process) or Kubernetes pods.
//
// The scheduler decides in the store first and calls an executor afterwards,
// so every method may be called again after a crash and must then have the
// same effect as one call. Whatever an executor creates is named by a function
// of [dag.AttemptKey]: a second start finds the first one's traces and adopts
// them.
package executor

import (
	"context"
	"time"

	"dagwright/dag"
)

// Attempt is one try of a task, with every template rendered and nothing left
// to decide.
type Attempt struct {
	Key dag.AttemptKey
	// Task is the rendered task: Cmds, Arguments, Image and Pod are final.
	Task dag.Task
	// Env is the whole environment that the container is given: the task's own
	// variables, the run's conf and the AIRFLOW_CTX_ context, no name twice.
	Env []dag.EnvVar
	// Source is the model commit whose files the attempt works on.
	Source dag.Source
	// Version is the DAG's version that the attempt's run is bound to.
	Version int
	// MayStart is asked right before something is created for the attempt; while it says
	// no, nothing is, since another dagwright may have taken over. Nil always says yes.
	MayStart func() bool
}

// Executor runs attempts. All methods may be called concurrently, also for the
// same key.
//
// Output of the attempt goes to the tasklog of its key, complete before the
// attempt is reported as ended.
type Executor interface {
	// Start starts the attempt, or finds that it exists already. It may return
	// before the attempt runs: what it waits for is then reported by waiting
	// events. A nil error promises an ended event for this key on the Events
	// channel, sooner or later. After a crash the promise holds for what List
	// finds; what it does not find is asked for again. An error says that
	// nothing runs: errors.Is(err, dag.ErrInvalid) when trying again cannot
	// help, anything else may heal.
	Start(ctx context.Context, a Attempt) error

	// Stop ends the attempt and everything that it started: politely first,
	// by force after grace. It returns once the wish is safely on its way; the
	// ended event follows. Stopping what is unknown or has ended is not an error.
	Stop(ctx context.Context, key dag.AttemptKey, grace time.Duration) error

	// List returns every attempt that the executor has traces of, waiting,
	// running or ended, and takes up watching those that have not ended. It is
	// called once after a start, before the first Start.
	List(ctx context.Context) ([]dag.AttemptEvent, error)

	// Forget removes the traces of an ended attempt. It is called after its
	// end is safe in the store. It may return before they are gone; List does
	// not show them any more, except for those that a crash left. Forgetting what
	// is unknown is not an error.
	Forget(ctx context.Context, key dag.AttemptKey) error

	// Events delivers what happens to attempts. There is one channel for the
	// executor's life; it is closed by Close.
	Events() <-chan dag.AttemptEvent

	// Close stops watching and releases resources. Running attempts keep running.
	Close() error
}
