package scheduler

import (
	"time"

	"dagwright/dag"
	"dagwright/store"
)

// rest is a running run in which a plan found nothing to do. A run of that edition needs
// no other look before its time, so that a DAG with a thousand runs costs a step no more
// than one with the few that have news.
type rest struct {
	edition int64
	wake    time.Time // when something happens in it by itself; zero for never
}

// rests are those of some DAGs.
type rests map[dag.ID]map[dag.RunID]rest

// look plans a running run, unless it is at rest.
func (d *dagPlan) look(run *store.RunDetail) {
	known, ok := d.known[d.id()][run.ID]
	if ok && run.Edition != 0 && known.edition == run.Edition && (known.wake.IsZero() || d.now.Before(known.wake)) {
		d.keepRest(run, known)
		return
	}
	before := len(d.actions)
	d.runWake, d.hungry = time.Time{}, false
	d.advanceRun(run)
	if run.Edition != 0 && len(d.actions) == before && !d.hungry {
		d.keepRest(run, rest{edition: run.Edition, wake: d.runWake})
	}
}

func (d *dagPlan) keepRest(run *store.RunDetail, r rest) {
	if !r.wake.IsZero() {
		d.wakeAt(r.wake)
	}
	if d.resting[d.id()] == nil {
		d.resting[d.id()] = map[dag.RunID]rest{}
	}
	d.resting[d.id()][run.ID] = r
}
