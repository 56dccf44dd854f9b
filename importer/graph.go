package importer

import (
	"errors"
	"maps"
	"slices"
)

// maxEdges bounds the dependencies of one DAG.
const maxEdges = 50_000

// errEdges says that a DAG has too many dependencies.
var errEdges = errors.New("the tasks have more than 50000 dependencies")

// graph holds which tasks wait for which, by index in the file.
type graph struct {
	tasks    []int
	upstream map[int]map[int]bool
	count    int
}

// newGraph takes the dependencies between the tasks of one DAG. Those of a group are of its
// first tasks, and on it of its last, as in Airflow.
func newGraph(c *content, dag int) (*graph, error) {
	g := &graph{upstream: map[int]map[int]bool{}}
	for i, t := range c.tasks {
		if t.dag == dag {
			g.tasks = append(g.tasks, i)
			g.upstream[i] = map[int]bool{}
		}
	}
	for _, e := range c.edges {
		if e[0].group < 0 && e[1].group < 0 {
			if err := g.add(e[0].task, e[1].task); err != nil {
				return nil, err
			}
		}
	}
	for _, e := range c.edges {
		if e[0].group < 0 && e[1].group < 0 {
			continue
		}
		for _, from := range g.ends(c, e[0], true) {
			for _, to := range g.ends(c, e[1], false) {
				if err := g.add(from, to); err != nil {
					return nil, err
				}
			}
		}
	}
	return g, nil
}

// add makes a task wait for another, if both are of this DAG.
func (g *graph) add(from, to int) error {
	ups, ok := g.upstream[to]
	if _, also := g.upstream[from]; !ok || !also || from == to || ups[from] {
		return nil
	}
	if g.count++; g.count > maxEdges {
		return errEdges
	}
	ups[from] = true
	return nil
}

// ends lists the task that an end of a dependency is, or the last or first tasks of a group.
func (g *graph) ends(c *content, e end, last bool) []int {
	if e.group < 0 {
		return []int{e.task}
	}
	inside := map[int]bool{}
	for _, t := range g.tasks {
		if c.lies(c.tasks[t].group, e.group) {
			inside[t] = true
		}
	}
	out := maps.Clone(inside)
	for t := range inside {
		for up := range g.upstream[t] {
			if inside[up] && last {
				delete(out, up)
			}
			if inside[up] && !last {
				delete(out, t)
			}
		}
	}
	return slices.Sorted(maps.Keys(out))
}

// lies reports whether a group is another or lies in it.
func (c *content) lies(group, in int) bool {
	for range c.groups {
		if group == in {
			return true
		}
		if group < 0 {
			return false
		}
		group = c.groups[group].parent
	}
	return group == in
}

// joinOver takes a task out: what waits for it waits for what it waits for.
func (g *graph) joinOver(task int) error {
	ups := g.upstream[task]
	delete(g.upstream, task)
	g.tasks = slices.DeleteFunc(slices.Clone(g.tasks), func(t int) bool { return t == task })
	for to, all := range g.upstream {
		if !all[task] {
			continue
		}
		delete(all, task)
		for from := range ups {
			if err := g.add(from, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// before lists the tasks that a task waits for.
func (g *graph) before(task int) []int { return slices.Sorted(maps.Keys(g.upstream[task])) }
