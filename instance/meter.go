package instance

import (
	"context"
	"errors"
	"sync"
	"time"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/metrics"
	"dagwright/reason"
	"dagwright/scheduler"
	"dagwright/store"
)

// meter tells the metrics what the scheduler does.
type meter struct {
	metrics *metrics.Metrics
	store   *store.Store
	synced  chan reading // the newest reading whose pushes were not looked at

	mu sync.Mutex
	// asked has the attempts that the executor was asked for and that do not run yet, and
	// imageless those that wait for an image, both since when. An attempt leaves both when
	// it starts or ends, so they are bounded by the attempts at once.
	asked, imageless map[dag.AttemptKey]time.Time
}

// reading is a reading of the DAG repository.
type reading struct{ began, ended time.Time }

var _ scheduler.Meter = (*meter)(nil)

func newMeter(m *metrics.Metrics, s *store.Store) *meter {
	return &meter{
		metrics: m, store: s, synced: make(chan reading, 1),
		asked: map[dag.AttemptKey]time.Time{}, imageless: map[dag.AttemptKey]time.Time{},
	}
}

// Turned implements scheduler.Meter.
func (m *meter) Turned() { m.metrics.Beat(time.Now()) }

// Synced implements scheduler.Meter.
func (m *meter) Synced(began time.Time, good bool) {
	now := time.Now()
	m.metrics.Synced(now, now.Sub(began), good)
	if !good {
		return
	}
	select {
	case <-m.synced: // the newer one covers it
	default:
	}
	m.synced <- reading{began, now}
}

// run observes how long pushes took to become DAGs, until ctx ends. A spec that was
// committed before a reading began is part of it.
func (m *meter) run(ctx context.Context) error {
	from := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-m.synced:
			from = m.delivered(ctx, from, r)
		}
	}
}

// delivered observes the pushes that came with a reading and were committed after from. It
// returns where the next reading goes on.
func (m *meter) delivered(ctx context.Context, from time.Time, r reading) time.Time {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	received, err := m.store.DeliveredPushes(ctx, from, r.began)
	if err != nil {
		return from // they are part of the next one
	}
	for _, at := range received {
		m.metrics.Delivered(r.ended.Sub(at))
	}
	return r.began
}

// Stepped implements scheduler.Meter.
func (m *meter) Stepped(began time.Time, shown store.Snapshot, written []store.Action, events []dag.AttemptEvent,
	err error) {
	now := time.Now()
	m.metrics.Stepped(now, now.Sub(began), err == nil)
	if err != nil && !errors.Is(err, store.ErrUnknown) {
		return
	}
	ends := map[dag.AttemptKey]dag.AttemptEvent{}
	for _, e := range events {
		m.heard(e)
		if e.Phase == dag.AttemptEnded {
			ends[e.Key] = e
		}
	}
	for _, action := range written {
		switch a := action.(type) {
		case store.StartRun:
			m.runStarted(a, shown)
		case store.UpdateTask:
			m.taskChanged(a, ends)
		case store.EndRun:
			m.metrics.RunEnded(string(a.State))
		}
	}
}

func (m *meter) runStarted(a store.StartRun, shown store.Snapshot) {
	for i := range shown.DAGs {
		for j := range shown.DAGs[i].Runs {
			if r := &shown.DAGs[i].Runs[j]; r.DAG == a.DAG && r.ID == a.Run {
				m.metrics.RunStarted(a.At.Sub(r.RunAfter))
				return
			}
		}
	}
}

func (m *meter) taskChanged(a store.UpdateTask, ends map[dag.AttemptKey]dag.AttemptEvent) {
	t := a.Task
	if a.From == dag.TaskQueued && t.State == dag.TaskRunning {
		m.metrics.AttemptStarted(t.StartedAt.Sub(t.QueuedAt))
	}
	if e, ok := ends[t.Key()]; ok && a.From.Active() && !t.State.Active() {
		m.metrics.AttemptEnded(outcomeOf(e), t.EndedAt.Sub(t.StartedAt))
	}
	switch {
	case t.State == dag.TaskUpForRetry && a.From != dag.TaskUpForRetry:
		m.metrics.TaskRetried()
	case t.State.Ended() && !a.From.Ended():
		m.metrics.TaskEnded(string(t.State))
	}
}

func outcomeOf(e dag.AttemptEvent) string {
	switch {
	case e.Lost:
		return "lost"
	case e.Stopped:
		return "stopped"
	case e.Succeeded():
		return "success"
	}
	return "failed"
}

// heard observes the waits that an attempt's report ends.
func (m *meter) heard(e dag.AttemptEvent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.Phase == dag.AttemptWaiting {
		if _, known := m.imageless[e.Key]; !known && e.Reason.Code == reason.ImagePull {
			m.imageless[e.Key] = e.At
		}
		return
	}
	if at, ok := m.asked[e.Key]; ok && e.Phase == dag.AttemptStarted {
		m.metrics.PodStarted(e.At.Sub(at))
	}
	if at, ok := m.imageless[e.Key]; ok {
		m.metrics.ImageCame(e.At.Sub(at))
	}
	delete(m.asked, e.Key)
	delete(m.imageless, e.Key)
}

// watch returns an executor that tells the meter for which attempts it is asked.
func (m *meter) watch(x executor.Executor) executor.Executor { return &watched{x, m} }

type watched struct {
	executor.Executor
	meter *meter
}

// Start implements executor.Executor. The error is that of the executor.
func (w *watched) Start(ctx context.Context, a executor.Attempt) error {
	w.meter.mu.Lock()
	if _, known := w.meter.asked[a.Key]; !known {
		w.meter.asked[a.Key] = time.Now()
	}
	w.meter.mu.Unlock()
	err := w.Executor.Start(ctx, a)
	if err != nil {
		w.meter.mu.Lock()
		delete(w.meter.asked, a.Key)
		w.meter.mu.Unlock()
	}
	return err
}
