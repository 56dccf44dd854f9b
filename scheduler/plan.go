package scheduler

import (
	"slices"
	"time"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/timetable"
)

// situation is everything that a plan depends on.
type situation struct {
	now      time.Time
	snapshot store.Snapshot
	// events are the attempts' reports that the store does not know yet.
	events []dag.AttemptEvent
	// taken holds, for a DAG, a logical date at which a scheduled run could
	// not be created because another run has that date.
	taken map[dag.ID]time.Time
	// timetables are the parsed schedules of the snapshot's DAGs. One that is
	// missing does not run by itself.
	timetables map[dag.ID]*timetable.Timetable
	// known are the runs that an earlier plan found at rest.
	known rests
	// maxTasks bounds the attempts that hold a slot in the whole instance.
	maxTasks int
	// maxLost bounds how often a task is tried again because its attempt was
	// lost through no fault of its own.
	maxLost int
}

// plan is what to do about a situation.
type plan struct {
	actions []store.Action
	// stops are attempts to end; their end is reported as an event later.
	stops []dag.AttemptKey
	// wake says when to look at a DAG again even if nothing happens.
	wake map[dag.ID]time.Time
	// again are DAGs that have more to do than one snapshot shows.
	again []dag.ID
	// starved are DAGs with a task that waits for a slot of the instance.
	starved []dag.ID
	// free is how many slots of the instance the plan leaves.
	free int
	// resting are the runs of the situation in which there is nothing to do.
	resting rests
}

// makePlan decides what happens next. It is pure except for the snapshot's
// slices, which it uses as its working copy.
//
// The slots that ended attempts leave are free for every DAG of the plan, and the DAG
// that holds the fewest is served first: one with a thousand runs would else take each
// slot that its own attempts leave, and keep the others out for good.
func makePlan(s situation) plan {
	p := plan{wake: map[dag.ID]time.Time{}, resting: rests{}, free: s.maxTasks - s.snapshot.ActiveTasks}
	byDAG := eventsByDAG(s.events)
	plans := make([]*dagPlan, len(s.snapshot.DAGs))
	for i := range s.snapshot.DAGs {
		d := &dagPlan{situation: &s, plan: &p, state: &s.snapshot.DAGs[i]}
		d.applyEvents(byDAG[d.id()])
		delete(byDAG, d.id())
		d.held = d.activeTasks()
		plans[i] = d
	}
	slices.SortStableFunc(plans, func(a, b *dagPlan) int { return a.held - b.held })
	for _, d := range plans {
		d.decide()
	}
	// What is left is about DAGs that the store does not know any more.
	for _, events := range byDAG {
		for _, e := range events {
			p.stopOrphan(e)
		}
	}
	return p
}

func eventsByDAG(events []dag.AttemptEvent) map[dag.ID][]dag.AttemptEvent {
	by := map[dag.ID][]dag.AttemptEvent{}
	for _, e := range events {
		by[e.Key.DAG] = append(by[e.Key.DAG], e)
	}
	return by
}

// dagPlan plans one DAG.
type dagPlan struct {
	*situation
	*plan
	state *store.DAGState

	held    int // slots of the instance that its attempts hold when the plan begins
	running int // runs that hold one of the DAG's run slots
	started int // queued runs that this step started
	// The same of the DAG's backfill, which has slots of its own.
	backfilling, backfilled int
	waits                   bool
	// Of the run that is being looked at: when to look again, and whether it has a task
	// that waits for a slot of the instance.
	runWake time.Time
	hungry  bool
}

func (d *dagPlan) id() dag.ID { return d.state.DAG.ID }

// activeTasks counts the DAG's attempts that hold a slot of the instance.
func (d *dagPlan) activeTasks() (n int) {
	for _, run := range d.state.Runs {
		for _, ti := range run.Tasks {
			if ti.State.Active() {
				n++
			}
		}
	}
	return n
}

// decide takes the DAG through one step after its events, in the order in which slots
// become free: ends first, then what may start.
func (d *dagPlan) decide() {
	for i := range d.state.Runs {
		if r := &d.state.Runs[i]; r.State == dag.RunRunning {
			*d.slots(r)++
			d.look(r)
		} else if r.State.Ended() {
			d.stopLeftovers(r)
		}
	}
	d.startRuns()
	d.startBackfill()
	d.scheduleRun()
	if d.waits {
		d.starved = append(d.starved, d.id())
	}
}

// wakeAt asks to look at the DAG again at t, or earlier.
func (d *dagPlan) wakeAt(t time.Time) {
	if d.runWake.IsZero() || t.Before(d.runWake) {
		d.runWake = t
	}
	if old, ok := d.wake[d.id()]; !ok || t.Before(old) {
		d.wake[d.id()] = t
	}
}

// slots counts the run slots that are taken of those to which the run belongs.
func (d *dagPlan) slots(run *store.RunDetail) *int {
	if run.InBackfill {
		return &d.backfilling
	}
	return &d.running
}

func (d *dagPlan) add(a store.Action) { d.actions = append(d.actions, a) }

// update records a change of a task instance and takes it over into the
// working copy.
func (d *dagPlan) update(ti *dag.TaskInstance, change func(*dag.TaskInstance)) {
	from, try := ti.State, ti.Try
	change(ti)
	d.add(store.UpdateTask{From: from, FromTry: try, Task: *ti})
}
