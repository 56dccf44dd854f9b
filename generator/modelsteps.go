package generator

import (
	"maps"
	"slices"
	"strings"

	"dagwright/dag"
)

// maxSteps bounds a retraining.
const maxSteps = 50

// needed is one task that another needs, with its place.
type needed struct {
	id dag.TaskID
	at *field
}

func (r *modelReader) steps(n *field) []Step {
	list := r.list(n)
	if len(list) > maxSteps {
		r.fault(n, "%d tasks are too many; %d at most", len(list), maxSteps)
		return nil
	}
	seen := map[dag.TaskID]bool{}
	steps, needs := make([]Step, len(list)), make([][]needed, len(list))
	for i, item := range list {
		s, before := &steps[i], len(r.faults)
		r.keys(item, r.step(s, &needs[i]))
		switch {
		case s.ID != "" && seen[s.ID]:
			r.fault(item, "task_id %q is there twice", s.ID)
		case s.ID == "" && before == len(r.faults):
			r.fault(item, "task_id is missing")
		}
		seen[s.ID] = true
	}
	if len(list) == 0 && n.kind == listKind {
		r.fault(n, "want at least one task, or leave the key out for the usual four")
	}
	r.checkGraph(steps, needs)
	return steps
}

func (r *modelReader) step(s *Step, needs *[]needed) map[string]func(*field) {
	readers := r.taskSettings(&s.TaskSettings)
	readers["pod"] = func(f *field) { r.pod(f, &s.TaskSettings) }
	readers["task_id"] = func(f *field) { s.ID = dag.TaskID(r.taskID(f)) }
	readers["command"] = func(f *field) {
		s.Command = r.command(f)
		s.say("command", f)
	}
	readers["trigger_rule"] = func(f *field) { s.TriggerRule = r.triggerRule(f) }
	readers["needs"] = func(f *field) {
		s.Needs, *needs = []dag.TaskID{}, r.needs(f)
		for _, need := range *needs {
			s.Needs = append(s.Needs, need.id)
		}
	}
	return readers
}

func (r *modelReader) needs(n *field) []needed {
	list := r.list(n)
	if len(list) > maxSteps {
		r.fault(n, "%d tasks are too many; %d at most", len(list), maxSteps)
		return nil
	}
	var out []needed
	for _, item := range list {
		switch id := dag.TaskID(r.taskID(item)); {
		case id == "":
		case slices.ContainsFunc(out, func(o needed) bool { return o.id == id }):
			r.fault(item, "%q is there twice", id)
		default:
			out = append(out, needed{id, item})
		}
	}
	return out
}

func (r *modelReader) triggerRule(n *field) dag.TriggerRule {
	s, ok := r.text(n)
	if rule := dag.TriggerRule(s); slices.Contains(dag.TriggerRules, rule) {
		return rule
	}
	if ok {
		names := make([]string, len(dag.TriggerRules))
		for i, rule := range dag.TriggerRules {
			names[i] = string(rule)
		}
		r.fault(n, "there is no trigger rule %.40q; there are %s", s, strings.Join(names, ", "))
	}
	return ""
}

// checkGraph refuses needs that no order of the tasks fulfils.
func (r *modelReader) checkGraph(steps []Step, needs [][]needed) {
	index := map[dag.TaskID]int{}
	for i, s := range steps {
		index[s.ID] = i
	}
	for i, s := range steps {
		for _, need := range needs[i] {
			if _, there := index[need.id]; !there {
				r.fault(need.at, "there is no task %q%s", need.id, dag.DidYouMean(string(need.id), taskNames(index)))
			} else if need.id == s.ID {
				r.fault(need.at, "the task needs itself")
			}
		}
	}
	r.checkCircle(steps, needs, index)
}

func taskNames(index map[dag.TaskID]int) []string {
	var names []string
	for _, id := range slices.Sorted(maps.Keys(index)) {
		if id != "" {
			names = append(names, string(id))
		}
	}
	return names
}

// checkCircle names one circle of tasks that wait for each other, if there is any. It follows
// each need once.
func (r *modelReader) checkCircle(steps []Step, needs [][]needed, index map[dag.TaskID]int) {
	const unseen, open, done = 0, 1, 2
	state := make([]int, len(steps))
	var path []dag.TaskID
	var visit func(i int) bool
	visit = func(i int) bool {
		state[i], path = open, append(path, steps[i].ID)
		for _, need := range needs[i] {
			next, there := index[need.id]
			switch {
			case !there || next == i || state[next] == done:
			case state[next] == open:
				var circle strings.Builder
				for _, id := range path[slices.Index(path, need.id):] {
					circle.WriteString(string(id) + " needs ")
				}
				r.fault(need.at, "the tasks wait for each other in a circle: %s%s", circle.String(), need.id)
				return true
			case visit(next):
				return true
			}
		}
		state[i], path = done, path[:len(path)-1]
		return false
	}
	for i := range steps {
		if state[i] == unseen && visit(i) {
			return
		}
	}
}
