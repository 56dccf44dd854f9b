package ui

import (
	"strings"

	"dagwright/dag"
	"dagwright/store"
)

// StateView shows a state by colour, sign and word.
type StateView struct {
	Name  string // as in the data
	Words string // to be translated
	Class string
	Mark  string // tells states apart without colour
}

var stateMarks = map[string]string{
	"queued": "…", "scheduled": "◷", "running": "▶", "success": "✓", "failed": "✕",
	"up_for_retry": "↻", "upstream_failed": "⊘", "skipped": "»", "removed": "–",
}

// stateWords are the states in words.
var stateWords = map[string]string{
	"queued": say("queued"), "scheduled": say("scheduled"), "running": say("running"), "success": say("success"),
	"failed":       say("failed"),
	"up_for_retry": say("up for retry"), "upstream_failed": say("upstream failed"), "skipped": say("skipped"),
	"removed": say("removed"),
}

func stateView(state string) StateView {
	mark, known := stateMarks[state]
	if !known {
		return StateView{Name: state, Words: say("not started"), Class: "s-none", Mark: "·"}
	}
	return StateView{Name: state, Words: stateWords[state], Class: "s-" + strings.ReplaceAll(state, "_", "-"), Mark: mark}
}

func runStateView(s dag.RunState) StateView   { return stateView(string(s)) }
func taskStateView(s dag.TaskState) StateView { return stateView(string(s)) }

// pushStateView colours what happened to a push.
func pushStateView(s store.PushState) StateView {
	v := StateView{Name: string(s), Words: string(s), Class: "s-none", Mark: "·"}
	switch s {
	case store.PushPending:
		v.Words, v.Class, v.Mark = say("pending"), "s-queued", "…"
	case store.PushRendered:
		v.Words, v.Class, v.Mark = say("rendered"), "s-success", "✓"
	case store.PushUnchanged:
		v.Words, v.Class, v.Mark = say("unchanged"), "s-success", "="
	case store.PushProposed:
		v.Words, v.Class, v.Mark = say("merge request opened"), "s-running", "⇡"
	case store.PushCompared:
		v.Words, v.Class, v.Mark = say("only compared"), "s-none", "≈"
	case store.PushRefused:
		v.Words, v.Class, v.Mark = say("rejected"), "s-failed", "✕"
	case store.PushSuperseded:
		v.Words, v.Class, v.Mark = say("superseded"), "s-skipped", "»"
	case store.PushSkipped:
		v.Words, v.Class, v.Mark = say("skipped on request"), "s-skipped", "»"
	case store.PushRemoved:
		v.Words, v.Class, v.Mark = say("DAG removed"), "s-removed", "–"
	}
	return v
}

// Counter is a number of runs or tasks in one state, with a link to them.
type Counter struct {
	StateView
	N    int
	Href string
	What string // "runs", "tasks of the last run"; to be translated
}

// taskStates is the order in which states of tasks are shown.
var taskStates = []dag.TaskState{
	dag.TaskNone, dag.TaskScheduled, dag.TaskQueued, dag.TaskRunning, dag.TaskSuccess, dag.TaskFailed,
	dag.TaskUpForRetry, dag.TaskUpstreamFailed, dag.TaskSkipped, dag.TaskRemoved,
}
