package scheduler

import (
	"time"

	"dagwright/dag"
	"dagwright/store"
)

// Meter hears what a scheduler does, for whoever counts it. Its methods must not wait:
// they are called by the loop and the sync themselves.
type Meter interface {
	// Turned says that the loop turns, with or without something to do.
	Turned()
	// Stepped reports a step that began at a time: what it was shown, what it wrote, and
	// which reports of attempts it took in. Nothing was written when err is not nil, unless
	// it is store.ErrUnknown.
	Stepped(began time.Time, shown store.Snapshot, written []store.Action, events []dag.AttemptEvent, err error)
	// Synced reports a reading of the DAG repository that began at a time. good says that
	// it was reached and has what it should have.
	Synced(began time.Time, good bool)
}

type noMeter struct{}

func (noMeter) Turned()                                                                      {}
func (noMeter) Stepped(time.Time, store.Snapshot, []store.Action, []dag.AttemptEvent, error) {}
func (noMeter) Synced(time.Time, bool)                                                       {}

// Slots returns how many attempts may run at once for a Config.MaxActiveTasks.
func Slots(maxActiveTasks int) int {
	return Config{MaxActiveTasks: maxActiveTasks}.withDefaults().MaxActiveTasks
}

// StartsWaiting returns how many attempts are decided and not handed to the executor yet.
func (s *Scheduler) StartsWaiting() int {
	q := s.dispatcher.starts
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.starts)
}
