package ui

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/ui/graph"
)

// graphPage draws a DAG's tasks with their states in one run.
type graphPage struct {
	Page
	DAG    DAGHead
	Choice RunChoice
	Failed []TaskView // what failed in the run, told over the graph
	Graph  template.HTML
	Note   string // when the run's version is not the newest
	Legend []StateView
}

func (s *server) dagGraph(c echo.Context) error {
	h, err := s.dagHead(c, "Graph")
	if err != nil {
		return err
	}
	p := graphPage{Page: s.dagPage(c, h, string(h.ID)), DAG: h}
	if p.Choice, err = s.chooseRun(c, h, "graph"); err != nil {
		return err
	}
	p.About = p.Choice.about()
	if err := s.drawGraph(c, &p); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "graph", p)
}

// drawGraph draws the definition of the chosen run, or the newest one when
// there is no run.
func (s *server) drawGraph(c echo.Context, p *graphPage) error {
	rd := s.reader(c)
	spec, note, err := s.versionOf(c, p.DAG, p.Choice)
	if err != nil {
		return err
	}
	p.Note = note
	if p.Choice.Run == nil {
		p.Graph = drawTasks(rd, spec, nil, nil)
		return nil
	}
	tasks, err := s.Store.TaskInstances(c.Request().Context(), p.DAG.ID, p.Choice.Run.ID)
	if err != nil {
		return fmt.Errorf("read task instances: %w", err)
	}
	states := make(map[dag.TaskID]dag.TaskInstance, len(tasks))
	seen := map[dag.TaskState]bool{}
	for _, t := range tasks {
		states[t.Task] = t
		seen[t.State] = true
		if t.State == dag.TaskFailed {
			p.Failed = append(p.Failed, rd.taskView(t, p.DAG.Timezone))
		}
	}
	for _, state := range taskStates {
		if seen[state] {
			p.Legend = append(p.Legend, taskStateView(state))
		}
	}
	p.Graph = drawTasks(rd, spec, states, func(task dag.TaskID) string { return p.Choice.taskURL(task) })
	return nil
}

// boxWords are the words of a state that fit into a box of the graph.
func boxWords(v StateView) string {
	if v.Name == string(dag.TaskUpstreamFailed) {
		return say("upstream failed (short)")
	}
	return v.Words
}

// drawTasks draws a definition, with the states of a run and the addresses of its tasks
// unless there is none.
func drawTasks(rd *reader, d *dag.DAG, states map[dag.TaskID]dag.TaskInstance,
	href func(dag.TaskID) string) template.HTML {
	var nodes []graph.Node
	var edges []graph.Edge
	for i := range d.Tasks {
		task := &d.Tasks[i]
		n := graph.Node{
			ID: string(task.ID), Label: strings.TrimPrefix(string(task.ID), task.Group+"."), Group: task.Group,
			Class: "s-none", Mark: "·", Title: string(task.ID),
			Href: dagURL(d.ID, "details") + "#task-" + url.PathEscape(string(task.ID)),
		}
		if href != nil {
			ti := states[task.ID]
			v := taskStateView(ti.State)
			n.Class, n.Mark, n.Detail, n.Href = v.Class, v.Mark, rd.t(boxWords(v)), href(task.ID)
			if took := rd.span(ti.StartedAt, ti.EndedAt).Text; took != "" && ti.State.Ended() && ti.Try > 0 {
				n.Detail += " · " + took
			}
			n.Title = string(task.ID) + ": " + rd.t(v.Words)
			if !ti.Reason.IsZero() {
				n.Title += "\n" + rd.reason(ti.Reason)
			}
		}
		nodes = append(nodes, n)
		for _, up := range task.Upstream {
			edges = append(edges, graph.Edge{From: string(up), To: string(task.ID)})
		}
	}
	return graph.SVG(graph.Layout(nodes, edges), rd.t("Tasks of %s", string(d.ID)))
}
