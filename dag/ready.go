package dag

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Verdict is what the states of its upstream tasks mean for a task that has not
// started.
type Verdict string

// The verdicts of [Decide].
const (
	// Wait says that upstream tasks must change first.
	Wait Verdict = "wait"
	// Start says that the trigger rule is met.
	Start Verdict = "start"
	// Skip says that the task will not run and becomes skipped.
	Skip Verdict = "skip"
	// UpstreamFail says that the task will not run and becomes upstream_failed.
	UpstreamFail Verdict = "upstream_fail"
)

// Decide applies a task's trigger rule to the states of its upstream tasks; a
// task that states does not hold counts as not started. It follows Airflow
// 3.3's trigger_rule_dep for tasks that are neither mapped nor setup nor
// teardown. The string says why, in words for people. A task that the DAG does
// not have waits for ever.
func Decide(d *DAG, task TaskID, states map[TaskID]TaskState) (Verdict, string) {
	t, ok := d.Task(task)
	if !ok {
		return Wait, "the DAG has no such task"
	}
	if len(t.Upstream) == 0 {
		return Start, "has no upstream task"
	}
	if t.TriggerRule == Always {
		return Start, "trigger rule always asks for nothing"
	}
	u := countUpstream(t, states)
	switch {
	case u.failsTask(t.TriggerRule):
		return UpstreamFail, u.because(t, states, UpstreamFail)
	case u.skipsTask(t.TriggerRule):
		return Skip, u.because(t, states, Skip)
	case u.startsTask(t.TriggerRule):
		return Start, "trigger rule " + string(t.TriggerRule) + " is met"
	}
	return Wait, u.waitsFor(t, states)
}

// Settlement is the final state that a trigger rule gives to a task that will not run.
type Settlement struct {
	Task   TaskID
	State  TaskState // skipped or upstream_failed
	Reason string    // in words for people
}

// Settle returns the tasks that have not started and will never run, as [Decide] says,
// in topological order, so that one decides about those after it. A task that states
// does not hold is left alone.
func Settle(d *DAG, states map[TaskID]TaskState) (settled []Settlement) {
	now := maps.Clone(states)
	for _, id := range Order(d) {
		if state, ok := now[id]; !ok || state != TaskNone {
			continue
		}
		verdict, reason := Decide(d, id, now)
		switch verdict {
		case Skip:
			now[id] = TaskSkipped
		case UpstreamFail:
			now[id] = TaskUpstreamFailed
		default:
			continue
		}
		settled = append(settled, Settlement{Task: id, State: now[id], Reason: reason})
	}
	return settled
}

// upstreamStates counts a task's upstream tasks by state; done counts those
// that have ended, all counts them all.
type upstreamStates struct {
	all, done                                         int
	success, failed, upstreamFailed, skipped, removed int
}

func countUpstream(t *Task, states map[TaskID]TaskState) upstreamStates {
	u := upstreamStates{all: len(t.Upstream)}
	for _, id := range t.Upstream {
		switch states[id] {
		case TaskSuccess:
			u.success++
		case TaskFailed:
			u.failed++
		case TaskUpstreamFailed:
			u.upstreamFailed++
		case TaskSkipped:
			u.skipped++
		case TaskRemoved:
			u.removed++
		default:
			continue
		}
		u.done++
	}
	return u
}

func (u upstreamStates) allDone() bool { return u.done == u.all }

func (u upstreamStates) anyFailed() bool { return u.failed+u.upstreamFailed > 0 }

// failsTask reports whether the rule can no longer be met because something
// failed.
func (u upstreamStates) failsTask(rule TriggerRule) bool {
	switch rule {
	case AllSuccess, NoneFailed, NoneFailedMinOneSuccess:
		return u.anyFailed()
	case OneSuccess:
		return u.allDone() && u.success == 0 && u.skipped < u.done
	case AllDoneMinOneSuccess:
		return u.allDone() && u.success == 0 && u.skipped == 0
	}
	return false
}

// skipsTask reports whether the rule can no longer be met although nothing went
// wrong. It is asked after failsTask.
func (u upstreamStates) skipsTask(rule TriggerRule) bool {
	switch rule {
	case AllSuccess, NoneSkipped, AllDoneMinOneSuccess:
		return u.skipped > 0
	case AllFailed:
		return u.success+u.skipped > 0
	case OneSuccess:
		return u.allDone() && u.skipped == u.done
	case OneFailed:
		return u.allDone() && !u.anyFailed()
	case OneDone:
		return u.allDone() && u.failed+u.success == 0
	case NoneFailedMinOneSuccess:
		return u.skipped == u.all
	case AllSkipped:
		return u.success > 0 || u.anyFailed()
	}
	return false
}

// startsTask reports whether the rule is met. Removed upstream tasks count as
// neither success nor failure, so rules about all of them then wait, as in
// Airflow; [Outcome] ends a run in which nothing else can happen.
func (u upstreamStates) startsTask(rule TriggerRule) bool {
	switch rule {
	case AllSuccess:
		return u.success == u.all
	case AllFailed:
		return u.failed+u.upstreamFailed == u.all
	case AllDone, AllDoneSetupSuccess, AllDoneMinOneSuccess, NoneSkipped:
		// No spec can name a setup task, so that AllDoneSetupSuccess asks for
		// nothing more than AllDone.
		return u.allDone()
	case OneSuccess:
		return u.success > 0
	case OneFailed:
		return u.anyFailed()
	case OneDone:
		return u.failed+u.success > 0
	case NoneFailed, NoneFailedMinOneSuccess:
		return u.success+u.skipped == u.all
	case AllSkipped:
		return u.skipped == u.all
	}
	return false
}

// because says which upstream tasks decided against the task.
func (u upstreamStates) because(t *Task, states map[TaskID]TaskState, v Verdict) string {
	var guilty []TaskState
	nobody := "no upstream task succeeded"
	switch rule := t.TriggerRule; {
	case v == UpstreamFail:
		guilty = []TaskState{TaskFailed, TaskUpstreamFailed}
	case rule == OneFailed:
		nobody = "no upstream task failed"
	case rule == OneDone:
		nobody = "no upstream task succeeded or failed"
	case rule == AllFailed:
		guilty = []TaskState{TaskSuccess, TaskSkipped}
	case rule == AllSkipped:
		guilty = []TaskState{TaskSuccess, TaskFailed, TaskUpstreamFailed}
	default:
		guilty = []TaskState{TaskSkipped}
	}
	names := namesOf(t, states, func(s TaskState) bool { return slices.Contains(guilty, s) })
	return fmt.Sprintf("trigger rule %s cannot be met: %s", t.TriggerRule, cmp.Or(names, nobody))
}

func (u upstreamStates) waitsFor(t *Task, states map[TaskID]TaskState) string {
	names := namesOf(t, states, func(s TaskState) bool { return !s.Ended() })
	if names == "" {
		return fmt.Sprintf("trigger rule %s cannot be met: upstream tasks were removed", t.TriggerRule)
	}
	return "waits for " + names
}

// maxNamed bounds how many upstream tasks a reason names.
const maxNamed = 3

// namesOf lists the upstream tasks whose state is wanted: "a (running), b
// (queued) and 4 more".
func namesOf(t *Task, states map[TaskID]TaskState, wanted func(TaskState) bool) string {
	var b strings.Builder
	n := 0
	for _, id := range t.Upstream {
		state := states[id]
		if !wanted(state) {
			continue
		}
		if n++; n > maxNamed {
			continue
		}
		if n > 1 {
			b.WriteString(", ")
		}
		b.WriteString(string(id) + " (" + stateWord(state) + ")")
	}
	if n > maxNamed {
		fmt.Fprintf(&b, " and %d more", n-maxNamed)
	}
	return b.String()
}

func stateWord(s TaskState) string {
	if s == TaskNone {
		return "not started"
	}
	return string(s)
}
