package scheduler

import (
	"context"
	"fmt"
	"time"

	"dagwright/dag"
)

// A DAG that cannot be planned is tried again after minAside, and after twice as long
// with each failure, up to maxAside.
const (
	minAside = time.Second
	maxAside = 5 * time.Minute
)

// aside is a DAG that could not be planned. Until its time has come nothing marks it,
// and then it is planned alone: it costs the others nothing.
type aside struct {
	tries int
	due   bool
	// events wait for the DAG. Those that only tell what an attempt waits for do not.
	events []dag.AttemptEvent
}

// putAside takes a DAG out of the loop for a while and shows the fault to people.
func (l *loop) putAside(ctx context.Context, id dag.ID, events []dag.AttemptEvent, fault error) {
	a := l.asides[id]
	if a == nil {
		a = &aside{}
		l.asides[id] = a
	}
	pause := min(minAside<<min(a.tries, 20), maxAside)
	a.tries++
	a.due = false
	a.hold(events)
	l.wake.set(id, l.Now().Add(pause))
	l.Logger.Error("a DAG cannot be planned, its runs wait", "dag", id, "err", fault, "next", pause)
	if err := l.Store.SetUnplanned(ctx, id, unplanned(fault)); err != nil && ctx.Err() == nil {
		l.Logger.Error("record that a DAG cannot be planned", "dag", id, "err", err)
	}
}

// maxFault bounds how much of a fault is shown.
const maxFault = 500

func unplanned(fault error) string {
	text := fault.Error()
	if len(text) > maxFault {
		text = text[:maxFault] + "…"
	}
	return fmt.Sprintf("the scheduler cannot plan this DAG, so its runs wait: %s. It is tried again by itself, "+
		"at least every %.0f minutes, and as soon as its file changes", text, maxAside.Minutes())
}

// hold keeps events for later, the oldest first.
func (a *aside) hold(events []dag.AttemptEvent) {
	for _, e := range events {
		if e.Phase != dag.AttemptWaiting {
			a.events = append(a.events, e)
		}
	}
}

// holdEvents takes the events of DAGs that were put aside out of the loop.
func (l *loop) holdEvents() {
	if len(l.asides) == 0 {
		return
	}
	var rest []dag.AttemptEvent
	for _, e := range l.events {
		if a := l.asides[e.Key.DAG]; a != nil {
			a.hold([]dag.AttemptEvent{e})
		} else {
			rest = append(rest, e)
		}
	}
	l.events = rest
}

// retry lets a DAG that was put aside be planned at once, since it has changed.
func (l *loop) retry(id dag.ID) {
	if a := l.asides[id]; a != nil {
		a.due = true
	}
	l.mark(id)
}

// planned notes that DAGs were planned: none of them is aside any more.
func (l *loop) planned(ctx context.Context, ids []dag.ID, unreadable map[dag.ID]error) {
	for _, id := range ids {
		if l.asides[id] == nil || unreadable[id] != nil {
			continue
		}
		delete(l.asides, id)
		l.Logger.Info("a DAG can be planned again", "dag", id)
		if err := l.Store.ClearUnplanned(ctx, id); err != nil && ctx.Err() == nil {
			l.Logger.Error("record that a DAG can be planned", "dag", id, "err", err)
		}
	}
}

// readAsides takes up what an earlier process had put aside.
func (l *loop) readAsides(ctx context.Context) error {
	ids, err := l.Store.Unplanned(ctx)
	if err != nil {
		return fmt.Errorf("read DAGs that could not be planned: %w", err)
	}
	for _, id := range ids {
		l.asides[id] = &aside{}
		l.retry(id)
	}
	return nil
}
