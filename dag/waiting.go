package dag

import "fmt"

// WhyQueued says in words what a queued run waits for, when so many runs of
// its DAG are running.
func WhyQueued(d *DAG, running int) string {
	if running >= d.MaxActiveRuns {
		return fmt.Sprintf("waiting for an active run to end (limit %d)", d.MaxActiveRuns)
	}
	return "is about to start, or waits for a free slot of the instance"
}

// WhyNotStarted says in words what a task of a running run waits for before
// its first try.
func WhyNotStarted(d *DAG, task TaskID, states map[TaskID]TaskState) string {
	if verdict, reason := Decide(d, task, states); verdict != Start {
		return reason
	}
	active := 0
	for _, s := range states {
		if s.Active() {
			active++
		}
	}
	if active >= d.MaxActiveTasks {
		return fmt.Sprintf("waiting for a running task of its run to end (limit %d)", d.MaxActiveTasks)
	}
	return "is about to start, or waits for a free slot of the instance"
}
