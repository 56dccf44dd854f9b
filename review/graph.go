package review

import (
	"fmt"
	"strings"

	"dagwright/dag"
)

// Mermaid draws the DAG after the change as a Mermaid flowchart, which GitLab
// shows as a picture. New tasks are green, changed ones yellow, and those that go
// are drawn dashed and red. Without a Before nothing is coloured.
func (c Change) Mermaid() string {
	d := c.After
	if d == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	number := map[dag.TaskID]string{}
	node := func(t *dag.Task, class string) {
		id := fmt.Sprintf("t%d", len(number))
		number[t.ID] = id
		fmt.Fprintf(&b, "  %s[\"%s\"]%s\n", id, label(string(t.ID)), class)
	}
	for i := range d.Tasks {
		node(&d.Tasks[i], c.class(&d.Tasks[i]))
	}
	if c.Before != nil {
		for i := range c.Before.Tasks {
			if _, stays := d.Task(c.Before.Tasks[i].ID); !stays {
				node(&c.Before.Tasks[i], ":::gone")
			}
		}
	}
	for i := range d.Tasks {
		for _, up := range d.Tasks[i].Upstream {
			fmt.Fprintf(&b, "  %s --> %s\n", number[up], number[d.Tasks[i].ID])
		}
	}
	b.WriteString(
		"  classDef added fill:#d4f4dd,stroke:#1a7f37\n  classDef changed fill:#fff3c4,stroke:#9a6700\n  classDef gone fill:#ffe0e0,stroke:#cf222e,stroke-dasharray:4\n")
	return b.String()
}

// class is how the task is coloured.
func (c Change) class(t *dag.Task) string {
	if c.Before == nil {
		return ""
	}
	old, ok := c.Before.Task(t.ID)
	if !ok {
		return ":::added"
	}
	var w words
	if w.task(old, t); len(w.said) > 0 || old.Image != t.Image {
		return ":::changed"
	}
	return ""
}

// label quotes a text for a Mermaid node: only what cannot end it is let through.
func label(s string) string {
	return strings.NewReplacer(`"`, "#quot;", "\n", " ", "<", "#lt;", ">", "#gt;", "`", "'").Replace(s)
}

// Text draws a DAG's graph for a terminal: one line for each task in an order in
// which they can run, with what each waits for.
func Text(d *dag.DAG) string {
	if chain := chainOf(d); chain != "" {
		return chain + "\n"
	}
	var b strings.Builder
	for _, t := range inOrder(d) {
		b.WriteString(string(t.ID))
		if len(t.Upstream) > 0 {
			names := make([]string, len(t.Upstream))
			for i, up := range t.Upstream {
				names[i] = string(up)
			}
			b.WriteString(" ← " + strings.Join(names, ", "))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// chainOf writes tasks that run one after the other in one line, "" when they do
// not.
func chainOf(d *dag.DAG) string {
	order := inOrder(d)
	names := make([]string, len(order))
	for i, t := range order {
		if i == 0 && len(t.Upstream) != 0 || i > 0 && (len(t.Upstream) != 1 || t.Upstream[0] != order[i-1].ID) {
			return ""
		}
		names[i] = string(t.ID)
	}
	return strings.Join(names, " → ")
}

// inOrder sorts tasks so that each comes after those that it waits for, and
// otherwise as in the file. A parsed DAG has no cycle.
func inOrder(d *dag.DAG) []*dag.Task {
	done := map[dag.TaskID]bool{}
	var out []*dag.Task
	var visit func(t *dag.Task)
	visit = func(t *dag.Task) {
		if done[t.ID] {
			return
		}
		done[t.ID] = true
		for _, up := range t.Upstream {
			if before, ok := d.Task(up); ok {
				visit(before)
			}
		}
		out = append(out, t)
	}
	for i := range d.Tasks {
		visit(&d.Tasks[i])
	}
	return out
}
