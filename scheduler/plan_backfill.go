package scheduler

import "dagwright/dag"

// startBackfill starts queued runs of the DAG's backfill, in the order in which the
// snapshot has them, while the backfill has free run slots and the instance has a
// slot for a task of theirs. The DAG's own limit does not count, as in Airflow.
func (d *dagPlan) startBackfill() {
	b := d.state.Backfill
	if b == nil || b.Paused {
		return
	}
	for i := range d.state.Runs {
		run := &d.state.Runs[i]
		if run.State != dag.RunQueued || !run.InBackfill {
			continue
		}
		if d.backfilling >= b.MaxActiveRuns {
			return
		}
		if d.free <= 0 {
			d.waits = true
			return
		}
		d.startRun(run)
	}
	if d.backfilled > 0 && b.Queued > d.backfilled && d.backfilling < b.MaxActiveRuns {
		d.again = append(d.again, d.id())
	}
}
