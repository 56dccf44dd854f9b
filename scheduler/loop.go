package scheduler

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/timetable"
)

// maxStep bounds the DAGs of one transaction, so that a start with many DAGs
// does not hold up the first of them.
const maxStep = 200

// retryStep is how long the loop waits after a step for which the store was not
// available, and maxStepTime how long it waits for one.
const (
	retryStep   = time.Second
	maxStepTime = 20 * time.Second
)

// loop decides. All its state belongs to the goroutine of run.
type loop struct {
	Config
	dispatcher *dispatcher

	dirty     []dag.ID // in the order of marking, no DAG twice
	isDirty   map[dag.ID]bool
	events    []dag.AttemptEvent
	wake      *timers
	starved   []dag.ID // wait for a slot of the instance, the longest waiting first, no DAG twice
	isStarved map[dag.ID]bool
	resting   rests
	taken     map[dag.ID]time.Time
	asides    map[dag.ID]*aside
	lagged    bool // changes were missed, and the DAGs not marked yet
	doubt     bool // it is not known whether all that was decided was started
	// nextCheck is when the store is next searched for work that no change announced.
	nextCheck time.Time
	limit     int // of DAGs in one step
	tables    timetables
}

type runKey struct {
	dag dag.ID
	run dag.RunID
}

func newLoop(c Config, d *dispatcher) *loop {
	return &loop{
		Config: c, dispatcher: d,
		isDirty: map[dag.ID]bool{}, isStarved: map[dag.ID]bool{}, wake: newTimers(), resting: rests{},
		taken: map[dag.ID]time.Time{}, limit: maxStep, tables: timetables{},
		asides: map[dag.ID]*aside{}, nextCheck: c.Now().Add(c.Recheck),
	}
}

// mark asks for a look at the DAGs, except for those that were put aside.
func (l *loop) mark(ids ...dag.ID) {
	for _, id := range ids {
		if a := l.asides[id]; !l.isDirty[id] && (a == nil || a.due) {
			l.isDirty[id] = true
			l.dirty = append(l.dirty, id)
		}
	}
}

func (l *loop) run(ctx context.Context, changes *store.Subscription) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		if len(l.dirty)+len(l.events) == 0 && !l.lagged {
			l.wait(ctx, changes, timer)
		}
		l.Meter.Turned()
		l.drain(changes)
		l.markDue()
		err := l.recheck(ctx)
		if err == nil {
			err = l.step(ctx)
		}
		if err != nil && ctx.Err() == nil {
			l.Logger.Error("scheduling step failed, trying again", "err", err)
			sleep(ctx, retryStep)
		}
	}
}

// wait returns when there is news, or when a DAG's time has come.
func (l *loop) wait(ctx context.Context, changes *store.Subscription, timer *time.Timer) {
	timer.Reset(l.untilWake())
	select {
	case <-ctx.Done():
	case <-timer.C:
	case c := <-changes.C:
		l.heard(c)
	case <-changes.Lagged:
		l.lagged = true
	case e := <-l.dispatcher.events:
		l.events = append(l.events, e)
	}
}

// drain takes everything that is waiting, so that one transaction serves it.
func (l *loop) drain(changes *store.Subscription) {
	for {
		select {
		case c := <-changes.C:
			l.heard(c)
		case <-changes.Lagged:
			l.lagged = true
		case e := <-l.dispatcher.events:
			l.events = append(l.events, e)
		default:
			return
		}
	}
}

// callsForPlan wants the changes that may call for a decision. The loop's own need no
// second look, and must not fill the queue: a step makes thousands.
func callsForPlan(c store.Change) bool {
	return !c.Planned && (c.Kind == store.ChangeDAG || c.Kind == store.ChangeRun)
}

// heard marks the DAG of a change.
func (l *loop) heard(c store.Change) {
	if c.Kind == store.ChangeDAG {
		l.retry(c.DAG)
		return
	}
	l.mark(c.DAG)
}

// longestWait bounds a wait, since timers stand still while a machine sleeps
// and know nothing of a clock that was set.
const longestWait = 30 * time.Second

func (l *loop) untilWake() time.Duration {
	first := l.Now().Add(longestWait)
	if l.nextCheck.Before(first) {
		first = l.nextCheck
	}
	if t, ok := l.wake.next(); ok && t.Before(first) {
		first = t
	}
	return max(first.Sub(l.Now()), 0)
}

func (l *loop) markDue() {
	for _, id := range l.wake.due(l.Now()) {
		l.retry(id)
	}
}

// step plans the dirty DAGs and acts on what was written. On an error nothing is lost:
// events and DAGs stay for the next step.
func (l *loop) step(ctx context.Context) error {
	l.holdEvents()
	freed := 0
	for _, e := range l.events {
		l.mark(e.Key.DAG)
		if e.Phase == dag.AttemptEnded {
			freed++
		}
	}
	l.dirty = append(l.takeStarved(freed), l.dirty...)
	if len(l.dirty) == 0 {
		return nil
	}
	ids, events := l.take()
	return l.plan(ctx, ids, events)
}

// plan plans DAGs in one transaction. When that fails for a reason that lies with one of
// them, halves are planned until that one is found, and it is put aside. The error says
// that the store was not available: the DAGs and events are back in the loop then.
func (l *loop) plan(ctx context.Context, ids []dag.ID, events []dag.AttemptEvent) error {
	err := l.advance(ctx, ids, events)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil || errors.Is(err, store.ErrUnavailable):
		l.limit = max(len(ids)/2, 1) // what was too much for its time may not be in parts
		l.putBack(ids, events)
		// What became of the step is not known.
		l.doubt = true
		return err
	case len(ids) == 1:
		l.putAside(ctx, ids[0], events, err)
		return nil
	}
	first, second := ids[:len(ids)/2], ids[len(ids)/2:]
	ofFirst, ofSecond := eventsOf(events, first)
	if err := l.plan(ctx, first, ofFirst); err != nil {
		l.putBack(second, ofSecond)
		return err
	}
	return l.plan(ctx, second, ofSecond)
}

// advance plans DAGs in one transaction and acts on what was written.
func (l *loop) advance(ctx context.Context, ids []dag.ID, events []dag.AttemptEvent) error {
	// A step whose answer does not come must not hold up everything. Whether it was
	// written is then found out.
	limited, cancel := context.WithTimeout(ctx, maxStepTime)
	defer cancel()
	var s situation
	var p plan
	began := l.Now()
	applied, err := l.Store.Advance(limited, ids, func(snapshot store.Snapshot) []store.Action {
		s = l.situation(snapshot, events)
		p = makePlan(s)
		return p.actions
	})
	l.Meter.Stepped(began, s.snapshot, applied, s.events, err)
	if err != nil {
		return err
	}
	l.limit = min(2*l.limit, maxStep)
	l.startQueued(s.snapshot, applied)
	l.planned(ctx, ids, s.snapshot.Unreadable)
	l.carryOut(ids, p, applied, s.events) //nolint:contextcheck // what it starts goes on in the dispatcher
	for _, id := range slices.Sorted(maps.Keys(s.snapshot.Unreadable)) {
		held, _ := eventsOf(events, []dag.ID{id})
		l.putAside(ctx, id, held, s.snapshot.Unreadable[id])
	}
	return nil
}

// putBack returns what a step took.
func (l *loop) putBack(ids []dag.ID, events []dag.AttemptEvent) {
	for _, id := range ids {
		l.retry(id)
	}
	l.events = append(slices.Clone(events), l.events...)
}

// eventsOf tells the events of some DAGs from the others.
func eventsOf(events []dag.AttemptEvent, ids []dag.ID) (theirs, others []dag.AttemptEvent) {
	for _, e := range events {
		if slices.Contains(ids, e.Key.DAG) {
			theirs = append(theirs, e)
		} else {
			others = append(others, e)
		}
	}
	return theirs, others
}

// take removes the DAGs and events of the next step from the loop. A DAG that was put
// aside is a step of its own.
func (l *loop) take() ([]dag.ID, []dag.AttemptEvent) {
	n := min(len(l.dirty), l.limit)
	for i, id := range l.dirty[:n] {
		if l.asides[id] != nil {
			n = max(i, 1)
			break
		}
	}
	ids := slices.Clone(l.dirty[:n])
	l.dirty = append([]dag.ID(nil), l.dirty[n:]...)
	taken := make(map[dag.ID]bool, n)
	for _, id := range ids {
		delete(l.isDirty, id)
		taken[id] = true
	}
	if a := l.asides[ids[0]]; a != nil {
		events := a.events
		a.events = nil
		return ids, events
	}
	var now, later []dag.AttemptEvent
	for _, e := range l.events {
		if taken[e.Key.DAG] {
			now = append(now, e)
		} else {
			later = append(later, e)
		}
	}
	l.events = later
	return ids, now
}

// takeStarved takes the DAGs that have waited longest for one of the free slots. They
// are planned first, so that a DAG with many runs does not keep others out.
func (l *loop) takeStarved(free int) []dag.ID {
	n := min(max(free, 0), len(l.starved))
	var ids []dag.ID
	for _, id := range l.starved[:n] {
		delete(l.isStarved, id)
		if a := l.asides[id]; !l.isDirty[id] && (a == nil || a.due) {
			l.isDirty[id] = true
			ids = append(ids, id)
		}
	}
	l.starved = slices.Delete(l.starved, 0, n)
	return ids
}

func (l *loop) situation(snapshot store.Snapshot, events []dag.AttemptEvent) situation {
	// Those of a DAG that is not shown, though it is there, wait for it.
	events = slices.DeleteFunc(slices.Clone(events),
		func(e dag.AttemptEvent) bool { return snapshot.Unreadable[e.Key.DAG] != nil })
	s := situation{
		now: l.Now(), snapshot: snapshot, events: events, taken: l.taken, known: l.resting,
		timetables: map[dag.ID]*timetable.Timetable{},
		maxTasks:   l.MaxActiveTasks, maxLost: l.MaxLost,
	}
	for i := range snapshot.DAGs {
		d := snapshot.DAGs[i].DAG
		tt, err := l.tables.parse(d.Schedule)
		if err != nil {
			l.Logger.Error("schedule is not valid", "dag", d.ID, "err", err)
			continue
		}
		s.timetables[d.ID] = tt
	}
	return s
}

// carryOut acts on a committed step: attempts are started and stopped, ended
// ones forgotten, and the plan's wishes for the next look noted.
func (l *loop) carryOut(ids []dag.ID, p plan, applied []store.Action, events []dag.AttemptEvent) {
	l.noteTaken(p.actions, applied)
	for _, k := range p.stops {
		if !l.dispatcher.known.has(k) {
			// Decided, but never started: nothing but this reports its end.
			l.dispatcher.drop(k)
			continue
		}
		l.dispatcher.stop(k)
	}
	for _, e := range events {
		if e.Phase == dag.AttemptEnded {
			l.dispatcher.forget(e.Key)
		}
	}
	for _, id := range ids {
		l.wake.remove(id)
		delete(l.resting, id)
	}
	maps.Copy(l.resting, p.resting)
	for id, t := range p.wake {
		l.wake.set(id, t)
	}
	for _, id := range p.starved {
		if !l.isStarved[id] {
			l.isStarved[id] = true
			l.starved = append(l.starved, id)
		}
	}
	l.dirty = append(l.dirty, l.takeStarved(p.free)...)
	l.mark(p.again...)
}

// startQueued starts the attempts of the task instances that became queued.
func (l *loop) startQueued(snapshot store.Snapshot, applied []store.Action) {
	var queued []dag.TaskInstance
	for _, a := range applied {
		switch a := a.(type) {
		case store.StartRun:
			queued = append(queued, a.Tasks...)
		case store.UpdateTask:
			if a.From != dag.TaskQueued {
				queued = append(queued, a.Task)
			}
		}
	}
	queued = slices.DeleteFunc(queued, func(ti dag.TaskInstance) bool { return ti.State != dag.TaskQueued })
	if len(queued) == 0 {
		return
	}
	runs := map[runKey]*store.RunDetail{}
	for i := range snapshot.DAGs {
		for j := range snapshot.DAGs[i].Runs {
			r := &snapshot.DAGs[i].Runs[j]
			runs[runKey{r.DAG, r.ID}] = r
		}
	}
	for _, ti := range queued {
		r := runs[runKey{ti.DAG, ti.Run}]
		l.dispatcher.start(ti.Key(), r.Run, r.Spec)
	}
}

// noteTaken remembers the logical dates at which a scheduled run could not be
// created because another run has that date, so that the schedule moves on.
func (l *loop) noteTaken(planned, applied []store.Action) {
	created := map[runKey]bool{}
	for _, a := range applied {
		if c, ok := a.(store.CreateRun); ok {
			created[runKey{c.Run.DAG, c.Run.ID}] = true
		}
	}
	for _, a := range planned {
		if c, ok := a.(store.CreateRun); ok && !created[runKey{c.Run.DAG, c.Run.ID}] {
			l.taken[c.Run.DAG] = c.Run.LogicalDate
			l.mark(c.Run.DAG)
		}
	}
}

// timetables caches parsed schedules.
type timetables map[dag.Schedule]*timetable.Timetable

func (t timetables) parse(s dag.Schedule) (*timetable.Timetable, error) {
	if tt, ok := t[s]; ok {
		return tt, nil
	}
	tt, err := timetable.Parse(s)
	if err != nil {
		return nil, err
	}
	t[s] = tt
	return tt, nil
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
