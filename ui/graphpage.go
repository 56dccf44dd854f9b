package ui

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/ui/graph"
)

// graphRuns is how many of the newest runs the selector offers.
const graphRuns = 25

// graphPage draws a DAG's tasks with their states in one run.
type graphPage struct {
	Page
	DAG    DAGHead
	Run    *RunView // nil while there is no run
	Runs   []RunView
	Failed []TaskView // what failed in the run, told over the graph
	Graph  template.HTML
	Note   string // when the run's version is not the newest
	Legend []StateView
}

func (s *server) dagGraph(c echo.Context) error {
	ctx := c.Request().Context()
	h, err := s.dagHead(c, "Graph")
	if err != nil {
		return err
	}
	p := graphPage{Page: s.dagPage(c, h, string(h.ID)), DAG: h}
	runs, _, err := s.Store.Runs(ctx, store.RunFilter{DAG: h.ID, Limit: graphRuns})
	if err != nil {
		return fmt.Errorf("list runs: %w", err)
	}
	for _, r := range runs {
		p.Runs = append(p.Runs, s.runView(r, h.Timezone))
	}
	if len(p.Runs) > 0 {
		p.Run = &p.Runs[0]
	}
	if wanted := dag.RunID(c.QueryParam("run")); wanted != "" {
		r, err := s.Store.Run(ctx, h.ID, wanted)
		if err != nil {
			return err
		}
		v := s.runView(r, h.Timezone)
		p.Run = &v
	}
	if err := s.drawGraph(c, &p); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "graph", p)
}

// drawGraph draws the definition of the chosen run, or the newest one when
// there is no run.
func (s *server) drawGraph(c echo.Context, p *graphPage) error {
	ctx := c.Request().Context()
	if p.Run == nil {
		p.Graph = drawTasks(p.DAG.DAGRow.DAG, "", nil)
		return nil
	}
	version, err := s.Store.Version(ctx, p.DAG.ID, p.Run.Version)
	if err != nil {
		return fmt.Errorf("read version %d: %w", p.Run.Version, err)
	}
	if p.Run.Version != p.DAG.Version {
		p.Note = fmt.Sprintf("This run has version %d of the DAG; the newest is %d.", p.Run.Version, p.DAG.Version)
	}
	tasks, err := s.Store.TaskInstances(ctx, p.DAG.ID, p.Run.ID)
	if err != nil {
		return fmt.Errorf("read task instances: %w", err)
	}
	states := make(map[dag.TaskID]dag.TaskInstance, len(tasks))
	seen := map[dag.TaskState]bool{}
	for _, t := range tasks {
		states[t.Task] = t
		seen[t.State] = true
		if t.State == dag.TaskFailed {
			p.Failed = append(p.Failed, s.taskView(t, p.DAG.Timezone))
		}
	}
	for _, state := range taskStates {
		if seen[state] {
			p.Legend = append(p.Legend, taskStateView(state))
		}
	}
	p.Graph = drawTasks(version.Spec, p.Run.ID, states)
	return nil
}

// drawTasks draws a definition; states may be nil, and run empty.
func drawTasks(d *dag.DAG, run dag.RunID, states map[dag.TaskID]dag.TaskInstance) template.HTML {
	var nodes []graph.Node
	var edges []graph.Edge
	for i := range d.Tasks {
		task := &d.Tasks[i]
		n := graph.Node{
			ID: string(task.ID), Label: strings.TrimPrefix(string(task.ID), task.Group+"."), Group: task.Group,
			Class: "s-none", Mark: "·", Title: string(task.ID), Href: dagURL(d.ID, "details") + "#task-" + url.PathEscape(string(task.ID)),
		}
		if run != "" {
			v := taskStateView(states[task.ID].State)
			n.Class, n.Mark, n.Detail, n.Href = v.Class, v.Mark, v.Words, taskURL(d.ID, run, task.ID)
			n.Title = string(task.ID) + ": " + v.Words
		}
		nodes = append(nodes, n)
		for _, up := range task.Upstream {
			edges = append(edges, graph.Edge{From: string(up), To: string(task.ID)})
		}
	}
	return graph.SVG(graph.Layout(nodes, edges), "Tasks of "+string(d.ID))
}
