package importer

// taskName is how a task is named: in the spec, by its group there ("" for none), and by
// its whole id.
type taskName struct{ short, group, full string }

// taskID is a task's id as the file has it, without its groups.
func (d *dagBuilder) taskID(t int) string {
	if id, ok := d.content.tasks[t].kwargs.get("task_id").(string); ok {
		return id
	}
	return unknownText
}

// names finds the tasks' names. Where two groups have the same name, two tasks the same id in
// different groups, or a group puts no prefix before its tasks, dag-factory does not find
// them: such tasks carry their whole ids, outside of a group.
func (d *dagBuilder) names() map[int]taskName {
	groups, ids := map[string]int{}, map[string]int{}
	for i, g := range d.groups {
		if g.dag == d.index {
			groups[d.groupID(i)]++
		}
	}
	for _, t := range d.graph.tasks {
		ids[d.taskID(t)]++
	}
	names := map[int]taskName{}
	for _, t := range d.graph.tasks {
		id, group := d.taskID(t), d.content.tasks[t].group
		n := taskName{short: id, full: d.prefix(group) + id}
		unique := ids[id] == 1
		for g := group; g >= 0; g = d.groups[g].parent {
			unique = unique && groups[d.groupID(g)] == 1 && d.groups[g].kwargs.get("prefix_group_id") != false
		}
		switch {
		case group >= 0 && unique:
			n.group = d.groupID(group)
		case group >= 0:
			n.short = n.full
			d.note(d.content.tasks[t].at, "task %s is written outside of its group, where dag-factory would not find it", n.full)
		}
		names[t] = n
	}
	return names
}

func (d *dagBuilder) groupID(g int) string {
	group := d.groups[g]
	id, _ := group.kwargs.get("group_id").(string)
	if len(group.args) > 0 {
		id, _ = group.args[0].(string)
	}
	return id
}

// prefix is what a group puts before the ids of its tasks: its own whole id, or nothing, not
// even the ids of the groups around it (Airflow's TaskGroup.child_id).
func (d *dagBuilder) prefix(group int) string {
	if group < 0 || d.groups[group].kwargs.get("prefix_group_id") == false {
		return ""
	}
	return d.prefix(d.groups[group].parent) + d.groupID(group) + "."
}

// groupList makes the groups in which tasks are.
func (d *dagBuilder) groupList(names map[int]taskName) []any {
	used := map[int]bool{}
	for t, name := range names {
		for g := d.content.tasks[t].group; g >= 0 && name.group != ""; g = d.groups[g].parent {
			used[g] = true
		}
	}
	var list []any
	for i, g := range d.groups {
		if !used[i] {
			continue
		}
		m := mapping{{"group_name", d.groupID(i)}}
		if tooltip, ok := g.kwargs.get("tooltip").(string); ok && tooltip != "" {
			m = append(m, field{"tooltip", tooltip})
		}
		if g.parent >= 0 {
			m = append(m, field{"parent_group_name", d.groupID(g.parent)})
		}
		if defaults, ok := g.kwargs.get("default_args").(dict); ok && len(defaults) > 0 {
			m = append(m, field{"default_args", d.arguments(defaults, g.at, "", g.at.of("default_args"))})
		}
		list = append(list, m)
	}
	return list
}
