package instance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"dagwright/executor"
	"dagwright/reason"
	"dagwright/scheduler"
	"dagwright/store"
)

// lead adds an actor of which one process of all on a database runs at a time.
func (a *Instance) lead(role string, run func(context.Context, *store.Lease) error) {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	name := fmt.Sprintf("process %d on %s", os.Getpid(), host)
	a.actors = append(a.actors, func(ctx context.Context) error { return a.store.Lead(ctx, role, name, run) })
}

// runner has the executor of the scheduler's attempts: one for each time in which this
// process leads, since an executor knows the attempts of its own time.
type runner struct {
	open func() (executor.Executor, error)

	mu        sync.Mutex
	current   executor.Executor    // nil when it has been closed
	schedules *scheduler.Scheduler // nil while another process leads
}

// ready opens the executor ahead, so that what is wrong with it is known at the start.
func (r *runner) ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != nil {
		return nil
	}
	exec, err := r.open()
	if err != nil {
		return fmt.Errorf("open executor: %w", err)
	}
	r.current = exec
	return nil
}

// run gives do an executor, and closes it afterwards. Running attempts keep running.
func (r *runner) run(do func(executor.Executor) error) error {
	if err := r.ready(); err != nil {
		return err
	}
	err := do(r.current)
	r.scheduling(nil)
	return errors.Join(err, r.close())
}

// scheduling notes the scheduler that leads here; nil when none does any more.
func (r *runner) scheduling(s *scheduler.Scheduler) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.schedules = s
}

// startsWaiting is how many starts the scheduler has put off; false while none leads here.
func (r *runner) startsWaiting() (int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.schedules == nil {
		return 0, false
	}
	return r.schedules.StartsWaiting(), true
}

func (r *runner) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == nil {
		return nil
	}
	err := r.current.Close()
	r.current = nil
	return err
}

// trouble says what keeps the executor from its work; zero when nothing does.
func (r *runner) trouble() reason.Reason {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.current.(interface{ Trouble() reason.Reason }); ok {
		return e.Trouble()
	}
	return reason.Reason{}
}
