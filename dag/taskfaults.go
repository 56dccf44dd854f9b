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
		d.addTaskFault(t, e)
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
		steps := pathSteps(e.Path)
		if steps[0] == "tasks" && len(steps) > 2 {
			if i, err := strconv.Atoi(steps[1]); err == nil && i < len(d.tasks) {
				d.addTaskFault(d.tasks[i], &SpecError{Path: strings.Join(steps[2:], "."), Reason: e.Reason})
				continue
			}
		}
		n := d.node.get(steps[0])
		if n == nil {
			path := d.node.path()
			if e.Path != "" {
				path = joinPath(path, e.Path)
			}
			d.faults.add(d.node.at, path, "%s", e.Reason)
			continue
		}
		d.addFaultBelow(n, e, steps)
	}
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

func (d *dagReader) addTaskFault(t *taskSpec, e *SpecError) {
	steps := pathSteps(e.Path)
	n := t.argument(d, steps[0])
	if n == nil {
		d.faults.add(t.node.at, strings.TrimSuffix(t.node.path()+"."+e.Path, "."), "%s", e.Reason)
		return
	}
	d.addFaultBelow(n, e, steps)
}

// addFaultBelow reports a fault at the value to which the steps of its path lead from
// the one of the first step.
func (d *dagReader) addFaultBelow(n *node, e *SpecError, steps []string) {
	// An inherited argument has a path of its own.
	path := n.path() + strings.TrimPrefix(e.Path, steps[0])
	for _, step := range steps[1:] {
		next := n.step(step)
		if next == nil {
			break
		}
		n = next
	}
	d.faults.add(n.at, path, "%s", e.Reason)
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
