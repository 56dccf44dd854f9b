package dag

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// addCheckedFaults reports what [Parser.CheckTask] found, each fault at the value that it
// is about, or as near to it as the file has something. Of a task that has been read with
// faults, only what is about an argument without one counts: the others may be missing
// from the task for their fault alone.
func (d *dagReader) addCheckedFaults(t *taskSpec, err error, read SpecErrors) {
	for _, e := range specErrors(err) {
		if len(read) > 0 {
			n := t.argument(d, pathSteps(e.Path)[0])
			if n == nil || slices.ContainsFunc(read, func(f *SpecError) bool { return isBelow(f.Path, n.path()) }) {
				continue
			}
		}
		at, path := d.placeInTask(t, e.Path)
		d.faults.add(at, path, "%s", e.Reason)
	}
}

// isBelow reports whether a path is another one or leads on from it.
func isBelow(path, parent string) bool {
	rest, ok := strings.CutPrefix(path, parent)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// addDAGFaults reports what [Parser.CheckDAG] found, likewise.
func (d *dagReader) addDAGFaults(err error) {
	for _, e := range specErrors(err) {
		at, path := d.placeInDAG(e)
		d.faults.add(at, path, "%s", e.Reason)
	}
}

// addDAGNotes notes what [Parser.NoteDAG] says, likewise.
func (d *dagReader) addDAGNotes(all SpecErrors) {
	for _, e := range all {
		at, path := d.placeInDAG(e)
		d.faults.note(NoteInstance, at, path, "%s", e.Reason)
	}
}

// placeInDAG finds what a fault of the DAG is about, by its path.
func (d *dagReader) placeInDAG(e *SpecError) (place, string) {
	steps := pathSteps(e.Path)
	if steps[0] == "tasks" && len(steps) > 2 {
		if i, err := strconv.Atoi(steps[1]); err == nil && i < len(d.tasks) {
			_, path, _ := strings.Cut(e.Path, ".")
			return d.placeInTask(d.tasks[i], path)
		}
	}
	n := d.node.get(steps[0])
	if n == nil {
		path := d.node.path()
		if e.Path != "" {
			path = joinPath(path, e.Path)
		}
		return d.node.at, path
	}
	return n.below(e.Path)
}

// specErrors lists the faults of an error; one that has no place is a fault of the
// whole.
func specErrors(err error) SpecErrors {
	var many SpecErrors
	var one *SpecError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &many):
		return many
	case errors.As(err, &one):
		return SpecErrors{one}
	}
	return SpecErrors{{Reason: reasonOf(err)}}
}

// placeInTask finds what a path in a task leads to.
func (d *dagReader) placeInTask(t *taskSpec, path string) (place, string) {
	n := t.argument(d, pathSteps(path)[0])
	if n == nil {
		return t.node.at, strings.TrimSuffix(t.node.path()+"."+path, ".")
	}
	return n.below(path)
}

// below finds the value to which the steps of a path lead from n, which is that of the
// first step, or the last that the file has.
func (n *node) below(whole string) (place, string) {
	steps := pathSteps(whole)
	// An inherited argument has a path of its own.
	path := n.path() + strings.TrimPrefix(whole, steps[0])
	for _, step := range steps[1:] {
		next := n.step(step)
		if next == nil {
			break
		}
		n = next
	}
	return n.at, path
}

// argument finds an argument of the task where it stands: in the task, in one of
// its groups' or in the DAG's default_args; nil when it stands nowhere.
func (t *taskSpec) argument(d *dagReader, name string) *node {
	for _, m := range append([]*node{t.node}, append(t.group.defaultArgs(), d.args)...) {
		if m == nil {
			continue
		}
		if n := m.get(name); n != nil {
			return n
		}
	}
	return nil
}

// step goes one step down from a value: to a key, in either spelling of the
// Kubernetes client, or to an element, by its index or name. It is nil where the
// file has nothing.
func (n *node) step(step string) *node {
	if n.kind == listKind {
		return n.element(step)
	}
	for _, p := range n.pairs {
		if p.key == step || KubernetesName(p.key) == step {
			return p.value
		}
	}
	return nil
}

func (n *node) element(step string) *node {
	if i, err := strconv.Atoi(step); err == nil && i < len(n.items) {
		return n.items[i]
	}
	for _, item := range n.items {
		if name := item.get("name"); name != nil && name.text == step {
			return item
		}
	}
	return nil
}

// pathSteps takes a path such as volumes[0].hostPath apart. There is always a
// first step.
func pathSteps(path string) []string {
	return strings.Split(strings.ReplaceAll(strings.ReplaceAll(path, "]", ""), "[", "."), ".")
}
