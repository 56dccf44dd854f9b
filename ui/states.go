package ui

import (
	"strings"

	"dagwright/dag"
	"dagwright/store"
)

// StateView shows a state by colour, sign and word.
type StateView struct {
	Name  string // as in the data
	Words string
	Class string
	Mark  string // tells states apart without colour
}

var stateMarks = map[string]string{
	"queued": "…", "scheduled": "◷", "running": "▶", "success": "✓", "failed": "✕",
	"up_for_retry": "↻", "upstream_failed": "⊘", "skipped": "»", "removed": "–",
}

func stateView(state string) StateView {
	mark, known := stateMarks[state]
	if !known {
		return StateView{Name: state, Words: "not started", Class: "s-none", Mark: "·"}
	}
	return StateView{Name: state, Words: strings.ReplaceAll(state, "_", " "), Class: "s-" + strings.ReplaceAll(state, "_", "-"), Mark: mark}
}

func runStateView(s dag.RunState) StateView   { return stateView(string(s)) }
func taskStateView(s dag.TaskState) StateView { return stateView(string(s)) }

// pushStateView colours what became of a push.
func pushStateView(s store.PushState) StateView {
	v := StateView{Name: string(s), Words: string(s), Class: "s-none", Mark: "·"}
	switch s {
	case store.PushPending:
		v.Class, v.Mark = "s-queued", "…"
	case store.PushRendered:
		v.Class, v.Mark = "s-success", "✓"
	case store.PushUnchanged:
		v.Class, v.Mark = "s-success", "="
	case store.PushRefused:
		v.Class, v.Mark = "s-failed", "✕"
	case store.PushSuperseded:
		v.Class, v.Mark = "s-skipped", "»"
	case store.PushRemoved:
		v.Class, v.Mark = "s-removed", "–"
	}
	return v
}

// Counter is a number of runs or tasks in one state, with a link to them.
type Counter struct {
	StateView
	N    int
	Href string
	What string // "runs", "tasks"
}

// taskStates is the order in which states of tasks are shown.
var taskStates = []dag.TaskState{
	dag.TaskNone, dag.TaskScheduled, dag.TaskQueued, dag.TaskRunning, dag.TaskSuccess, dag.TaskFailed,
	dag.TaskUpForRetry, dag.TaskUpstreamFailed, dag.TaskSkipped, dag.TaskRemoved,
}
