package pod

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/podspec"
	"dagwright/tasklog"
)

// Config is what an executor of pods needs.
type Config struct {
	// Client reaches the core/v1 API of the cluster; Dial makes one.
	Client rest.Interface
	// Pods says how pods are built and what the instance allows.
	Pods podspec.Config
	// Logs receive the output of the attempts.
	Logs *tasklog.Dir
	// Workers is how many attempts are worked on at the same time; 16 when
	// zero. It does not limit how many run.
	Workers int
	// Logger gets the faults that no caller gets; nil discards them.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

const (
	// eventBuffer is how many events may wait for the receiver before the
	// workers do.
	eventBuffer = 1024
	// firstPause and lastPause bound the growing pause before a request that
	// failed is repeated.
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
	// closeTime is how long Close waits for the traces of ended attempts to be
	// removed; what is left is found by the next List.
	closeTime = 5 * time.Second
)

// Executor runs attempts as pods. Open makes it.
type Executor struct {
	config   Config
	queue    workqueue.TypedRateLimitingInterface[dag.AttemptKey]
	lanes    *lanes     // the order of queue
	watchers []*watcher // one for each namespace
	events   chan dag.AttemptEvent
	// ctx lives until Close; everything that the executor started ends with it.
	ctx    context.Context //nolint:containedctx // of the executor's own goroutines
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	away     bool     // Kubernetes has not answered yet
	silent   *silence // Kubernetes does not answer any more; nil while it does
	working  bool
	attempts map[dag.AttemptKey]*attempt
	byPod    map[string]*attempt   // the same, by namespace/name
	lines    map[string]*quotaLine // of attempts that wait for quota, by namespace
	// releasing counts the attempts that are forgotten and whose pod is still there.
	releasing int
	released  chan struct{} // closed and renewed when releasing falls to 0
	// gone holds the pods whose traces have been removed, until the informers
	// know it too.
	gone map[string]bool // by UID
	// closing is closed when Close begins.
	closing chan struct{}
	// sweepers delete what is done, by namespace. The map does not change.
	sweepers map[string]*sweeper
	// foreign holds the pods that bear the instance's name and are of another database.
	foreign map[string]*corev1.Pod // by UID
}

var _ executor.Executor = (*Executor)(nil)

// Open returns an executor. It does not need the API server yet; List waits for
// it.
func Open(c Config) (*Executor, error) {
	if c.Client == nil || c.Logs == nil || c.Pods.Namespace == "" {
		return nil, fmt.Errorf("open pod executor: Client, Logs and a namespace are required: %w", dag.ErrInvalid)
	}
	if c.Workers <= 0 {
		c.Workers = 16
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	ctx, cancel := context.WithCancel(context.Background())
	x := &Executor{
		config: c, ctx: ctx, cancel: cancel,
		lanes:    newLanes(),
		events:   make(chan dag.AttemptEvent, eventBuffer),
		attempts: map[dag.AttemptKey]*attempt{},
		byPod:    map[string]*attempt{},
		lines:    map[string]*quotaLine{},
		gone:     map[string]bool{},
		foreign:  map[string]*corev1.Pod{},
		released: make(chan struct{}),
		closing:  make(chan struct{}),
		sweepers: map[string]*sweeper{},
	}
	x.queue = newQueue(x.lanes)
	for _, namespace := range namespaces(c.Pods) {
		w, err := x.newWatcher(namespace)
		if err != nil {
			cancel()
			return nil, err
		}
		x.watchers = append(x.watchers, w)
		x.sweepers[namespace] = newSweeper(x, w)
	}
	return x, nil
}

// namespaces lists where pods of the instance may be.
func namespaces(c podspec.Config) []string {
	all := append([]string{c.Namespace}, c.Policy.Namespaces...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Start asks for the attempt's pod. The error is dag.ErrInvalid when the task
// cannot become a pod or breaks the instance's policy.
func (x *Executor) Start(_ context.Context, a executor.Attempt) error {
	in := podspec.Input{Key: a.Key, Task: a.Task, Env: a.Env, Source: a.Source, Version: a.Version}
	wanted, err := x.config.Pods.Build(in)
	if err != nil {
		return fmt.Errorf("make pod: %w", err)
	}
	_, o, ok := x.config.Pods.Read(wanted)
	if !ok {
		return fmt.Errorf("make pod: it has not the marks of its attempt: %w", dag.ErrInvalid)
	}
	if x.sweepers[wanted.Namespace] == nil {
		return fmt.Errorf("make pod: namespace %s is not watched; name it in kubernetes.policy.namespaces without \"*\": %w",
			wanted.Namespace, dag.ErrInvalid)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return errClosed
	}
	if t := x.attempts[a.Key]; t != nil {
		t.repeat = true
		x.queue.Add(a.Key)
		return nil
	}
	x.lanes.begin(a.Key)
	x.add(&attempt{
		key: a.Key, namespace: wanted.Namespace, name: wanted.Name, options: o,
		wanted: wanted, begun: x.config.Now(), mayStart: a.MayStart,
	})
	return nil
}

var errClosed = errors.New("the executor is closed")

// Stop asks for the end of the attempt's pod. A task that has set its own
// termination_grace_period is given that instead of grace.
func (x *Executor) Stop(_ context.Context, key dag.AttemptKey, grace time.Duration) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.attempts[key]
	if t == nil || t.stop != nil {
		return nil
	}
	t.stop = &grace
	x.queue.Add(key)
	return nil
}

// List waits until the API server has listed the pods, which may take as long as it is
// unavailable.
func (x *Executor) List(ctx context.Context) ([]dag.AttemptEvent, error) {
	for _, w := range x.watchers {
		if err := w.start(ctx, x); err != nil {
			return nil, err
		}
	}
	var events []dag.AttemptEvent
	for _, w := range x.watchers {
		for _, pod := range w.list() {
			if t := x.adopt(pod); t != nil {
				events = append(events, x.listed(t, pod))
			}
		}
	}
	x.startWorkers()
	return events, nil
}

// Forget removes the traces of an ended attempt beside the caller. The error is
// dag.ErrConflict when it has not ended.
func (x *Executor) Forget(_ context.Context, key dag.AttemptKey) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.attempts[key]
	switch {
	case t == nil || t.forgotten:
		return nil
	case t.ended == nil:
		return fmt.Errorf("forget attempt: it has not ended: %w", dag.ErrConflict)
	}
	t.forgotten = true
	x.releasing++
	x.queue.Add(key)
	return nil
}

// Events delivers what happens to attempts until Close.
func (x *Executor) Events() <-chan dag.AttemptEvent { return x.events }

// Close stops watching and returns when nothing of the executor is left but the pods,
// which keep running. Traces of ended attempts that cannot be removed in time are found
// by the next List. Closing again is not an error.
func (x *Executor) Close() error {
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return nil
	}
	x.closed = true
	x.mu.Unlock()
	close(x.closing)
	x.awaitReleased()
	x.cancel()
	x.queue.ShutDown()
	x.work.Wait()
	for _, w := range x.watchers {
		w.wait()
	}
	close(x.events)
	return nil
}

func (x *Executor) awaitReleased() {
	limit := time.NewTimer(closeTime)
	defer limit.Stop()
	for {
		x.mu.Lock()
		left, changed := x.releasing, x.released
		x.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			return
		}
	}
}

// startWorkers starts the goroutines that work on the queue, once.
func (x *Executor) startWorkers() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed || x.working {
		return
	}
	x.working = true
	x.work.Go(x.feelPulse)
	for _, s := range x.sweepers {
		x.work.Go(s.run)
	}
	for range x.config.Workers {
		x.work.Go(x.worker)
	}
}

func (x *Executor) worker() {
	for {
		key, shutdown := x.queue.Get()
		if shutdown {
			return
		}
		x.handle(key)
		x.queue.Done(key)
	}
}

// send delivers an event unless the executor is closed.
func (x *Executor) send(e dag.AttemptEvent) {
	select {
	case <-x.ctx.Done():
	case x.events <- e:
	}
}

func (x *Executor) logger(key dag.AttemptKey) *slog.Logger {
	return x.config.Logger.With("dag", key.DAG, "run", key.Run, "task", key.Task, "try", key.Try)
}
