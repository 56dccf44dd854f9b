package dag

import (
	"time"

	"dagwright/reason"
)

// AttemptPhase is how far an attempt has come.
type AttemptPhase string

// The phases that an executor reports. An attempt that waits is asked for but
// its container does not run yet; Reason says what it waits for.
const (
	AttemptWaiting AttemptPhase = "waiting"
	AttemptStarted AttemptPhase = "started"
	AttemptEnded   AttemptPhase = "ended"
)

// AttemptEvent is what an executor reports about one attempt. An event may be
// reported more than once; the store ignores what it knows already.
type AttemptEvent struct {
	Key   AttemptKey
	Phase AttemptPhase
	At    time.Time

	// ExitCode of an ended attempt. It is meaningless when Lost is set.
	ExitCode int
	// Lost says that the attempt ended without a result of its own: its
	// process vanished, its node died. Such an end is the infrastructure's
	// fault and uses up no retry.
	Lost bool
	// Stopped says that the attempt ended because Stop was called.
	Stopped bool
	// Final says that no other try would end otherwise, so that none is made
	// (Airflow's AirflowFailException).
	Final bool
	// Reason says why the attempt failed, or what it waits for; zero on success.
	Reason reason.Reason

	// Hostname and PID tell people where the attempt ran.
	Hostname string
	PID      int
}

// Succeeded reports whether the event ends an attempt well.
func (e AttemptEvent) Succeeded() bool {
	return e.Phase == AttemptEnded && !e.Lost && !e.Stopped && e.ExitCode == 0
}
