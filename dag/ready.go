package dag

import (
	"cmp"
	"maps"
	"slices"

	"dagwright/reason"
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
// teardown. The reason says why. A task that the DAG does not have waits for ever.
func Decide(d *DAG, task TaskID, states map[TaskID]TaskState) (Verdict, reason.Reason) {
	t, ok := d.Task(task)
	if !ok {
		return Wait, reason.New(reason.UnknownTask)
	}
	v := t.verdict(states)
	return v, t.because(states, v)
}

// MayStart reports whether [Decide] says that a task may start. It is asked of every
// task that waits, and says nothing more.
func MayStart(d *DAG, task TaskID, states map[TaskID]TaskState) bool {
	t, ok := d.Task(task)
	return ok && t.verdict(states) == Start
}

func (t *Task) verdict(states map[TaskID]TaskState) Verdict {
	if len(t.Upstream) == 0 || t.TriggerRule == Always {
		return Start
	}
	u := countUpstream(t, states)
	switch {
	case u.failsTask(t.TriggerRule):
		return UpstreamFail
	case u.skipsTask(t.TriggerRule):
		return Skip
	case u.startsTask(t.TriggerRule):
		return Start
	}
	return Wait
}

// because says why the verdict is what it is.
func (t *Task) because(states map[TaskID]TaskState, v Verdict) reason.Reason {
	switch {
	case len(t.Upstream) == 0:
		return reason.New(reason.NoUpstream)
	case t.TriggerRule == Always:
		return reason.New(reason.RuleAlways)
	case v == Start:
		return reason.New(reason.RuleMet, t.TriggerRule)
	case v == Wait:
		return t.waitsFor(states)
	}
	return t.guilty(states, v)
}

// Settlement is the final state that a trigger rule gives to a task that will not run.
type Settlement struct {
	Task   TaskID
	State  TaskState // skipped or upstream_failed
	Reason reason.Reason
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
		t, _ := d.Task(id)
		verdict, end := t.verdict(now), TaskSkipped
		switch verdict {
		case Skip:
		case UpstreamFail:
			end = TaskUpstreamFailed
		default:
			continue
		}
		settled = append(settled, Settlement{Task: id, State: end, Reason: t.guilty(now, verdict)})
		now[id] = end
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

// guilty says which upstream tasks decided against the task.
func (t *Task) guilty(states map[TaskID]TaskState, v Verdict) reason.Reason {
	var guilty []TaskState
	nobody := reason.NoneSucceeded
	switch rule := t.TriggerRule; {
	case v == UpstreamFail:
		guilty = []TaskState{TaskFailed, TaskUpstreamFailed}
	case rule == OneFailed:
		nobody = reason.NoneFailed
	case rule == OneDone:
		nobody = reason.NoneDone
	case rule == AllFailed:
		guilty = []TaskState{TaskSuccess, TaskSkipped}
	case rule == AllSkipped:
		guilty = []TaskState{TaskSuccess, TaskFailed, TaskUpstreamFailed}
	default:
		guilty = []TaskState{TaskSkipped}
	}
	names := namesOf(t, states, func(s TaskState) bool { return slices.Contains(guilty, s) })
	return reason.New(reason.RuleFailed, t.TriggerRule, cmp.Or(names, reason.New(nobody)))
}

func (t *Task) waitsFor(states map[TaskID]TaskState) reason.Reason {
	names := namesOf(t, states, func(s TaskState) bool { return !s.Ended() })
	if names.IsZero() {
		return reason.New(reason.RuleFailed, t.TriggerRule, reason.New(reason.UpstreamRemoved))
	}
	return reason.New(reason.WaitsForTasks, names)
}

// maxNamed bounds how many upstream tasks a reason names.
const maxNamed = 3

// namesOf lists the upstream tasks whose state is wanted: "a (running), b
// (queued) and 4 more"; none gives no reason.
func namesOf(t *Task, states map[TaskID]TaskState, wanted func(TaskState) bool) (names reason.Reason) {
	n := 0
	for _, id := range t.Upstream {
		if !wanted(states[id]) {
			continue
		}
		switch n++; {
		case n == 1:
			names = taskIn(id, states[id])
		case n <= maxNamed:
			names = reason.New(reason.Both, names, taskIn(id, states[id]))
		}
	}
	if n > maxNamed {
		names = reason.New(reason.AndMore, names, n-maxNamed)
	}
	return names
}

// taskIn names a task and its state.
func taskIn(id TaskID, state TaskState) reason.Reason {
	if state == TaskNone {
		return reason.New(reason.TaskNotStarted, id)
	}
	return reason.New(reason.TaskIs, id, state)
}
