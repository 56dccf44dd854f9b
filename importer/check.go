package importer

import (
	"errors"
	"slices"
	"strings"

	"dagwright/dag"
)

// essential are a task's arguments without which it would be another task.
var essential = []string{"arguments", "cmds", "dependencies", "env_vars", "image", "operator", "task_group_name", "task_id"}

// check has a spec parsed and takes out of it what the parser refuses. It returns the
// spec's text; ok is false after it has reported why there is none.
func (d *dagBuilder) check(s *spec, parser dag.Parser) (text []byte, ok bool) {
	const rounds = 200 // one for each fault: some hide others
	for range rounds {
		text, err := encode(mapping{{s.id, s.root}})
		if err == nil {
			_, err = parser.Parse(d.at.file, text)
		}
		if err == nil {
			return text, true
		}
		faults := faultsOf(err)
		if first := s.target(faults[0]); first.canGo() {
			d.refused(first, first.key+" is left out", faults[0].Reason)
			s.take(first)
			continue
		}
		for _, f := range faults {
			d.refused(s.target(f), "the DAG is not written", f.Reason)
		}
		return nil, false
	}
	d.left(d.at, "", "the DAG is not written: it has too many faults")
	return nil, false
}

// refused reports what a parser or policy has refused.
func (d *dagBuilder) refused(t target, text, reason string) {
	if t.key != "" && !strings.HasPrefix(text, t.key) {
		reason = t.key + ": " + reason
	}
	d.report(Line{File: t.at.file, Line: t.at.line, DAG: d.id, Task: t.task, Text: text, Reason: reason,
		Advice: advice[t.key], Left: true})
}

func faultsOf(err error) dag.SpecErrors {
	var faults dag.SpecErrors
	if errors.As(err, &faults) {
		return faults
	}
	return dag.SpecErrors{{Reason: err.Error()}}
}

// target is what a fault of a spec is about: a key of the DAG, of default_args or of a task.
type target struct {
	at        place
	task, key string
	steps     []string
	owner     mapping
}

func (s *spec) target(f *dag.SpecError) target {
	steps := pathSteps(strings.TrimPrefix(strings.TrimPrefix(f.Path, s.id), "."))
	t := target{at: s.at.of(steps[0]), key: steps[0], steps: steps, owner: s.root}
	switch {
	case t.key == "default_args" && len(steps) > 1:
		t.owner, _ = s.root.get(t.key).(mapping)
		t.key = steps[1]
	case t.key == "tasks" && len(steps) > 1:
		list, _ := s.root.get(t.key).([]any)
		i := index(steps[1], len(list))
		t.owner, _ = list[i].(mapping)
		t.key, t.at, t.task = "", s.tasks[i].at, s.tasks[i].id
		if len(steps) > 2 {
			t.key, t.at = steps[2], t.at.of(steps[2])
		}
	}
	return t
}

// canGo reports whether the spec means something without the target.
func (t target) canGo() bool {
	return t.owner.has(t.key) && t.key != "tasks" && t.key != "task_groups" &&
		(t.task == "" || !slices.Contains(essential, t.key))
}

// take takes a target out.
func (s *spec) take(t target) {
	rest := t.owner.without(t.key)
	switch {
	case t.steps[0] == "default_args" && len(t.steps) > 1:
		s.root = s.root.set("default_args", rest)
	case t.steps[0] == "tasks":
		list := slices.Clone(s.root.get("tasks").([]any))
		list[index(t.steps[1], len(list))] = rest
		s.root = s.root.set("tasks", list)
	default:
		s.root = rest
	}
}

func index(step string, length int) int {
	i := 0
	for _, r := range step {
		i = i*10 + int(r-'0')
	}
	return min(max(i, 0), length-1)
}

// pathSteps takes a path such as tasks[0].volumes apart. There is always a first step.
func pathSteps(path string) []string {
	return strings.Split(strings.ReplaceAll(strings.ReplaceAll(path, "]", ""), "[", "."), ".")
}
