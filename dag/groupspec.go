package dag

import (
	"slices"
	"strings"
)

// group is a task group while its DAG is being read.
type group struct {
	name string
	// path is the name with those of the groups around it: "outer.inner".
	path    string
	tooltip string
	node    *node
	parent  *group
	// bare says that members carry no prefix (prefix_group_id: false).
	bare         bool
	args         *node
	dependencies []*node
	// first and last are the indexes of the tasks that begin and end it, once
	// they are known.
	first, last []int
	known       bool
}

// maxGroupDepth bounds how deep task groups nest.
const maxGroupDepth = 10

func (g *group) depth() int {
	n := 0
	for ; g != nil; g = g.parent {
		n++
	}
	return n
}

// prefix is what the group puts before the ids of its members.
func (g *group) prefix() string {
	switch {
	case g == nil:
		return ""
	case g.bare:
		return g.parent.prefix()
	}
	return g.parent.prefix() + g.name + "."
}

// defaultArgs lists the default_args of the group and those around it, the
// innermost first.
func (g *group) defaultArgs() []*node {
	var all []*node
	for ; g != nil; g = g.parent {
		if g.args != nil {
			all = append(all, g.args)
		}
	}
	return all
}

// contains reports whether another group is this one or lies in it.
func (g *group) contains(other *group) bool {
	for ; other != nil; other = other.parent {
		if other == g {
			return true
		}
	}
	return false
}

var groupKeys = []string{"group_name", "tooltip", "dependencies", "prefix_group_id", "default_args",
	"parent_group_name"}

// ignoredGroupKeys mean nothing here.
var ignoredGroupKeys = map[string]bool{"ui_color": true, "ui_fgcolor": true, "add_suffix_on_collision": true}

// readGroups reads a list of {group_name, …}, or a mapping from name to group.
func (d *dagReader) readGroups() {
	n := d.node.get("task_groups")
	if n == nil || n.kind == nullKind {
		return
	}
	if n.isScalar() {
		d.faults.addAt(n, "must be a list of {group_name, …}, not %s", n.shape())
		return
	}
	if len(n.items)+len(n.pairs) > maxTasks {
		d.faults.addAt(n, "more than %d task groups", maxTasks)
		return
	}
	for _, item := range n.items {
		d.readGroup(item, "")
	}
	for _, p := range n.pairs {
		d.readGroup(p.value, p.key)
	}
	d.nestGroups()
}

func (d *dagReader) readGroup(n *node, key string) {
	if n.kind == nullKind && key != "" {
		n = &node{kind: mapKind, at: n.at, parent: n.parent, key: n.key, index: n.index}
	}
	if n.kind != mapKind {
		d.faults.addAt(n, "a task group must be a mapping {group_name, …}, not %s", n.shape())
		return
	}
	g := &group{name: key, node: n}
	for _, p := range n.pairs {
		d.readGroupKey(g, p)
	}
	switch {
	case g.name == "":
		d.faults.addAt(n, "a task group needs a group_name")
		return
	case CheckID(g.name) != nil || strings.Contains(g.name, "."):
		d.faults.addAt(n, "group name %s is wrong: use letters, digits, \"-\" and \"_\", at most 250", clip(g.name))
		return
	case d.group(g.name) != nil:
		d.faults.addAt(n, "there are two task groups %s", clip(g.name))
		return
	}
	d.groups = append(d.groups, g)
	d.groupsByName[g.name] = g
}

func (d *dagReader) readGroupKey(g *group, p pair) {
	n := p.value
	switch {
	case ignoredGroupKeys[p.key] || n.kind == nullKind && slices.Contains(groupKeys, p.key):
		return
	case !slices.Contains(groupKeys, p.key):
		d.faults.addKey(g.node, p, "unknown key %s%s", clip(p.key), didYouMean(p.key, groupKeys))
		return
	}
	switch p.key {
	case "group_name":
		name, ok := d.readText(n)
		if ok && g.name != "" && name != g.name {
			d.faults.addAt(n, "group_name differs from its key %s; remove one of them", clip(g.name))
		} else if ok {
			g.name = name
		}
	case "tooltip":
		g.tooltip, _ = d.readText(n)
	case "dependencies":
		g.dependencies, _ = d.unwrapList(n)
	case "prefix_group_id":
		prefix, ok := d.readBool(n)
		g.bare = ok && !prefix
	case "default_args":
		if n.kind != mapKind {
			d.faults.addAt(n, "must be a mapping, not %s", n.shape())
			return
		}
		g.args = n
		d.checkDefaultKeys(n)
	}
}

// nestGroups finds each group's parent and, from that, its path.
func (d *dagReader) nestGroups() {
	for _, g := range d.groups {
		n := g.node.get("parent_group_name")
		if n == nil || n.kind == nullKind {
			continue
		}
		name, ok := d.readText(n)
		if !ok {
			continue
		}
		parent := d.group(name)
		switch {
		case parent == nil:
			d.faults.addAt(n, "there is no task group %s%s", clip(name), didYouMean(name, d.groupNames()))
		case g.contains(parent):
			d.faults.addAt(n, "task group %s would lie in itself", clip(g.name))
		default:
			g.parent = parent
		}
	}
	for _, g := range d.groups {
		if g.depth() > maxGroupDepth {
			d.faults.addAt(g.node, "task groups nest deeper than %d", maxGroupDepth)
			g.parent = nil
		}
		g.path = g.name
		for p := g.parent; p != nil; p = p.parent {
			g.path = p.name + "." + g.path
			if len(g.path) > maxID {
				d.faults.addAt(g.node, "the names of its groups together are longer than %d", maxID)
				break
			}
		}
		d.dag.Groups = append(d.dag.Groups, TaskGroup{Name: g.path, Tooltip: g.tooltip})
	}
}

// group finds a group by its name, nil when there is none.
func (d *dagReader) group(name string) *group { return d.groupsByName[name] }

func (d *dagReader) groupNames() []string {
	names := make([]string, len(d.groups))
	for i, g := range d.groups {
		names[i] = g.name
	}
	return names
}
