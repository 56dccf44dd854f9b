package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/gitrepo"
	"dagwright/macro"
	"dagwright/reason"
	"dagwright/store"
	"dagwright/tasklog"
)

// Config is what a scheduler works with.
type Config struct {
	Store    *store.Store
	Executor executor.Executor
	Logs     *tasklog.Dir
	// Repo is a clone of the DAG repository.
	Repo *gitrepo.Repo
	// Poll is how often the DAG repository is fetched even without news of it; 30 s when
	// zero.
	Poll time.Duration
	// CheckTask says what of a spec's task the instance does not allow; such a
	// spec is not loaded, and its file shows the fault. Nil allows everything.
	CheckTask func(dag.Task) error
	// CheckSpec says why the instance does not take a spec file that can be loaded;
	// defaults are the files of defaults that apply to it. A *dag.SpecError or a
	// dag.ErrInvalid is a fault of the file. After any other error nothing is known:
	// the file shows it, and is checked again with each poll. Nil takes every file.
	CheckSpec func(ctx context.Context, path string, content []byte, defaults []string) error
	// CheckClaims says what a DAG that can be loaded may not claim, such as an owner;
	// its file then shows the fault. ClaimsVersion changes whenever it may decide
	// otherwise. Nil allows everything.
	CheckClaims   func(*dag.DAG) error
	ClaimsVersion func() string
	// Variables are those that templates may read; nil has none.
	Variables macro.Variables
	// Rules changes whenever CheckTask or CheckSpec may decide otherwise. Every spec
	// is then read again.
	Rules string
	// MaxActiveTasks bounds the attempts at once in the whole instance
	// (Airflow's parallelism); 32 when zero.
	MaxActiveTasks int
	// MaxLost is how often a task is tried again because its attempt was lost
	// through no fault of its own, without using up a retry; 3 when zero, never when
	// negative.
	MaxLost int
	// Grace is how long a stopped attempt may take to end by itself; 30 s
	// when zero.
	Grace time.Duration
	// Recheck is how often the store is searched for work that no change announced; 30 s
	// when zero.
	Recheck time.Duration
	// Now is the clock; time.Now when nil.
	Now    func() time.Time
	Logger *slog.Logger
	// Meter hears what the scheduler does; may be nil.
	Meter Meter
	// MayStart reports whether this scheduler surely leads its store still: no attempt is
	// started while it says no. Nil always says yes.
	MayStart func() bool
}

func (c Config) withDefaults() Config {
	if c.Poll <= 0 {
		c.Poll = 30 * time.Second
	}
	if c.MaxActiveTasks <= 0 {
		c.MaxActiveTasks = 32
	}
	if c.MaxLost == 0 {
		c.MaxLost = 3
	}
	if c.Grace <= 0 {
		c.Grace = 30 * time.Second
	}
	if c.Recheck <= 0 {
		c.Recheck = 30 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Meter == nil {
		c.Meter = noMeter{}
	}
	return c
}

// Scheduler runs the DAGs of one DAG repository. There must be one for a
// store.
type Scheduler struct {
	Config
	dispatcher *dispatcher
	syncer     *syncer
}

// New returns a scheduler that does nothing until Run.
func New(c Config) *Scheduler {
	c = c.withDefaults()
	return &Scheduler{Config: c, dispatcher: newDispatcher(c), syncer: newSyncer(c)}
}

// Run schedules until ctx ends; it then returns nil and everything that it
// started has ended, except the attempts, which keep running. The error says what
// could not be read at the start.
func (s *Scheduler) Run(ctx context.Context) error {
	changes := s.Store.SubscribeTo(callsForPlan)
	defer changes.Close()

	l := newLoop(s.Config, s.dispatcher)
	g, ctx := errgroup.WithContext(ctx)
	// What the executor found may be long in coming, as from a cluster that is
	// away; the DAGs need not wait for it.
	g.Go(func() error { s.syncer.run(ctx); return nil })
	g.Go(func() error {
		if err := s.recover(ctx, l); ctx.Err() != nil {
			return nil //nolint:nilerr // its context ended
		} else if err != nil {
			return err
		}
		g.Go(func() error { s.dispatcher.run(ctx); return nil })
		g.Go(func() error { l.run(ctx, changes); return nil })
		return nil
	})
	return g.Wait()
}

// recover matches what the store holds with what the executor finds: ends that
// were missed become events, decided attempts that left no trace are started,
// and traces of attempts that the store has done with are removed.
func (s *Scheduler) recover(ctx context.Context, l *loop) error {
	active, err := s.Store.ActiveAttempts(ctx)
	if err != nil {
		return fmt.Errorf("read active attempts: %w", err)
	}
	found, err := s.Executor.List(ctx)
	if err != nil {
		return fmt.Errorf("list attempts: %w", err)
	}
	known := make(map[dag.AttemptKey]bool, len(found))
	wanted := make(map[dag.AttemptKey]bool, len(active))
	for _, ti := range active {
		wanted[ti.Key()] = true
	}
	for _, e := range found {
		known[e.Key] = true
		s.dispatcher.known.add(e.Key)
		s.recoverFound(e, wanted[e.Key], l) //nolint:contextcheck // what it starts goes on in the dispatcher
	}
	for _, ti := range active {
		if !known[ti.Key()] {
			s.recoverMissing(ti, l)
		}
	}
	ids, err := s.Store.ActiveDAGs(ctx)
	if err != nil {
		return fmt.Errorf("read active DAGs: %w", err)
	}
	if err := l.readAsides(ctx); err != nil {
		return err
	}
	l.mark(ids...)
	s.Logger.Info("scheduler starts", "dags", len(ids), "attempts", len(active), "found", len(found))
	return nil
}

func (s *Scheduler) recoverFound(e dag.AttemptEvent, wanted bool, l *loop) {
	switch {
	case wanted:
		l.events = append(l.events, e)
	case e.Phase == dag.AttemptEnded:
		s.dispatcher.forget(e.Key)
	default:
		s.dispatcher.stop(e.Key)
	}
}

// recoverMissing handles an active attempt without a trace. A queued one was
// decided and perhaps not started: starting it again is safe, since an
// executor starts a key once, unless somebody has stopped it. One that was seen
// running has lost its traces: to start it again could run it twice.
func (s *Scheduler) recoverMissing(ti dag.TaskInstance, l *loop) {
	if ti.State == dag.TaskQueued {
		s.dispatcher.startDecided(ti)
		return
	}
	l.events = append(l.events, dag.AttemptEvent{
		Key: ti.Key(), Phase: dag.AttemptEnded, At: s.Now(), Lost: true,
		Reason: reason.New(reason.Lost),
	})
}
