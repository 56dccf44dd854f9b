package dag

import (
	"fmt"
	"strings"
)

// maxEdges bounds the dependencies of one DAG: between two groups there is one
// for each pair of their tasks.
const maxEdges = 50_000

// connect turns the names of dependencies into edges between tasks, and checks
// that they are a graph without a cycle.
func (d *dagReader) connect() {
	g := d.newGraph()
	for i, t := range d.tasks {
		for _, n := range t.dependencies {
			d.dependTask(g, i, n)
		}
	}
	for _, gr := range d.groups {
		for _, n := range gr.dependencies {
			d.dependGroup(g, gr, n)
		}
	}
	if cycle := g.cycle(); cycle != nil {
		d.reportCycle(cycle)
	}
	for i, t := range d.tasks {
		for _, up := range g.upstream[i] {
			t.task.Upstream = append(t.task.Upstream, d.tasks[up].task.ID)
		}
		d.dag.Tasks = append(d.dag.Tasks, t.task)
	}
}

// graph holds the edges between tasks by their index in the file.
type graph struct {
	upstream [][]int
	edges    map[[2]int]bool
	// tries counts the edges that were asked for, also those there already.
	tries int
	full  bool
	// byName finds the tasks that a name may mean: by full id and by the id as
	// it is written.
	byName map[string][]int
}

func (d *dagReader) newGraph() *graph {
	g := &graph{upstream: make([][]int, len(d.tasks)), byName: make(map[string][]int, len(d.tasks))}
	ids, names := make(map[TaskID]*node, len(d.tasks)), make(map[string]bool, len(d.tasks))
	for i, t := range d.tasks {
		if t.name == "" {
			continue
		}
		at := t.node
		if id := at.get("task_id"); id != nil {
			at = id
		}
		if first := ids[t.task.ID]; first != nil {
			d.faults.addAt(at, "task id %s stands here a second time; the first is in line %d", clip(string(t.task.ID)),
				first.at.line)
			continue
		}
		ids[t.task.ID] = at
		if names[t.name] {
			d.faults.airflow(at, "two tasks of a DAG have different ids, also in different groups")
		}
		names[t.name] = true
		g.byName[string(t.task.ID)] = append(g.byName[string(t.task.ID)], i)
		if t.name != string(t.task.ID) {
			g.byName[t.name] = append(g.byName[t.name], i)
		}
	}
	return g
}

func (g *graph) add(from, to int) {
	e := [2]int{from, to}
	if g.edges == nil {
		g.edges = map[[2]int]bool{}
	}
	if g.tries++; g.tries > maxEdges {
		g.full = true
		return
	}
	if g.edges[e] {
		return
	}
	g.edges[e] = true
	g.upstream[to] = append(g.upstream[to], from)
}

// dependTask makes a task wait for what a dependency names.
func (d *dagReader) dependTask(g *graph, task int, n *node) {
	for _, up := range d.lookUp(g, n, d.tasks[task].group) {
		if up == task {
			d.faults.addAt(n, "task %s depends on itself", clip(string(d.tasks[task].task.ID)))
			continue
		}
		g.add(up, task)
	}
	d.checkEdges(g, n)
}

// dependGroup makes the first tasks of a group wait for what a dependency names.
func (d *dagReader) dependGroup(g *graph, gr *group, n *node) {
	ups := d.lookUp(g, n, gr.parent)
	roots, _ := d.ends(gr)
	for _, up := range ups {
		if gr.contains(d.tasks[up].group) {
			d.faults.addAt(n, "task group %s depends on a task of its own", clip(gr.name))
			return
		}
		for _, root := range roots {
			g.add(up, root)
		}
		if g.full {
			break
		}
	}
	d.checkEdges(g, n)
}

func (d *dagReader) checkEdges(g *graph, n *node) {
	if g.full {
		d.faults.add(n.at, string(d.dag.ID), "more than %d dependencies between tasks", maxEdges)
	}
}

// lookUp finds the tasks that a dependency stands for: one task, or the last
// tasks of a group. A name means a task of the same group first.
func (d *dagReader) lookUp(g *graph, n *node, near *group) []int {
	name, ok := d.readText(n)
	if !ok || g.full {
		return nil
	}
	for outer := near; outer != nil; outer = outer.parent {
		if found := g.byName[outer.prefix()+name]; len(found) == 1 {
			d.noteFullID(n, found[0])
			return found
		}
	}
	found := g.byName[name]
	switch {
	case len(found) == 1:
		d.noteFullID(n, found[0])
		return found
	case len(found) > 1:
		d.faults.addAt(n, "%s may be %s or %s; write one of these", clip(name), d.tasks[found[0]].task.ID,
			d.tasks[found[1]].task.ID)
		return nil
	}
	if gr := d.group(name); gr != nil {
		_, last := d.ends(gr)
		if len(last) == 0 {
			d.faults.addAt(n, "task group %s has no tasks", clip(name))
		}
		return last
	}
	if !d.faults.full() {
		d.faults.addAt(n, "there is no task or task group %s%s", clip(name), didYouMean(name, d.dependencyNames()))
	}
	return nil
}

// noteFullID notes a dependency by the id that a task has with its groups: dag-factory
// finds tasks by the id that the file writes.
func (d *dagReader) noteFullID(n *node, task int) {
	if name := d.tasks[task].name; n.text != name {
		d.faults.airflow(n, "dependencies name a task without its groups; write %s", clip(name))
	}
}

// maxCandidates bounds the names that a misspelt one is compared with.
const maxCandidates = 300

func (d *dagReader) dependencyNames() []string {
	if len(d.tasks)+len(d.groups) > maxCandidates {
		return nil
	}
	names := d.groupNames()
	for _, t := range d.tasks {
		names = append(names, string(t.task.ID))
	}
	return names
}

// ends lists the tasks that begin a group and those that end it, judged by the
// dependencies that its tasks name themselves.
func (d *dagReader) ends(gr *group) (first, last []int) {
	if gr.known {
		return gr.first, gr.last
	}
	gr.known = true
	members := map[string]int{}
	var inside []int
	for i, t := range d.tasks {
		if gr.contains(t.group) {
			inside = append(inside, i)
			members[string(t.task.ID)], members[t.name] = i, i
		}
	}
	waits, awaited := map[int]bool{}, map[int]bool{}
	for _, i := range inside {
		for _, n := range d.tasks[i].dependencies {
			if up, ok := members[n.text]; ok {
				waits[i], awaited[up] = true, true
			}
		}
	}
	for _, i := range inside {
		if !waits[i] {
			gr.first = append(gr.first, i)
		}
		if !awaited[i] {
			gr.last = append(gr.last, i)
		}
	}
	return gr.first, gr.last
}

// cycle returns the tasks of a cycle in the order in which they wait for each
// other, nil when there is none. Depth first, without recursion: a chain can be
// as long as the DAG.
func (g *graph) cycle() []int {
	const (
		unseen = iota
		open
		closed
	)
	state := make([]int, len(g.upstream))
	for start := range g.upstream {
		path := []int{}
		next := []int{}
		push := func(i int) { state[i] = open; path = append(path, i); next = append(next, 0) }
		if state[start] == unseen {
			push(start)
		}
		for len(path) > 0 {
			top := len(path) - 1
			i := path[top]
			if next[top] == len(g.upstream[i]) {
				state[i] = closed
				path, next = path[:top], next[:top]
				continue
			}
			up := g.upstream[i][next[top]]
			next[top]++
			switch state[up] {
			case unseen:
				push(up)
			case open:
				for k, v := range path {
					if v == up {
						return path[k:]
					}
				}
			}
		}
	}
	return nil
}

// maxCycleShown bounds how many tasks of a cycle the message names.
const maxCycleShown = 10

func (d *dagReader) reportCycle(cycle []int) {
	first := cycle[0]
	for _, i := range cycle {
		first = min(first, i)
	}
	for cycle[0] != first {
		cycle = append(cycle[1:], cycle[0])
	}
	// The path runs upstream; people read it in the order of execution.
	var names []string
	for k := len(cycle); k >= 0; k-- {
		if len(names) == maxCycleShown {
			names = append(names, fmt.Sprintf("… (%d tasks)", len(cycle)))
			break
		}
		names = append(names, string(d.tasks[cycle[k%len(cycle)]].task.ID))
	}
	at := d.tasks[first].node
	if n := at.get("dependencies"); n != nil {
		at = n
	}
	d.faults.addAt(at, "the tasks wait for each other in a cycle: %s", strings.Join(names, " → "))
}
