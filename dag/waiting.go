package dag

import "dagwright/reason"

// WhyQueued says what a queued run waits for, when so many runs of
// its DAG are running.
func WhyQueued(d *DAG, running int) reason.Reason {
	if running >= d.MaxActiveRuns {
		return reason.New(reason.WaitsForRunSlot, d.MaxActiveRuns)
	}
	return reason.New(reason.AboutToStart)
}

// WhyNotStarted says what a task of a running run waits for before
// its first try.
func WhyNotStarted(d *DAG, task TaskID, states map[TaskID]TaskState) reason.Reason {
	if verdict, why := Decide(d, task, states); verdict != Start {
		return why
	}
	active := 0
	for _, s := range states {
		if s.Active() {
			active++
		}
	}
	if active >= d.MaxActiveTasks {
		return reason.New(reason.WaitsForTaskSlot, d.MaxActiveTasks)
	}
	return reason.New(reason.AboutToStart)
}
