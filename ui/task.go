package ui

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
)

// taskPage is one task instance. The script shows it as a small window over
// the graph.
type taskPage struct {
	Page
	DAG                           DAGHead
	Run                           dag.Run
	RunURL                        string
	Task                          TaskView
	Spec                          *dag.Task // nil when the run's version has no such task
	Command                       string
	Upstream                      string
	Namespace                     string // that the task names; "" for the instance's own
	Tries                         []TryView
	SpecURL                       string // of the rendered task
	ClearURL, StateURL, CancelURL string
	Back                          string // where acts lead afterwards; "" for the run's page
	After                         int    // tasks that come after it
	CanClear, CanMark, CanCancel  bool
}

// TryView is one try with its log.
type TryView struct {
	TaskView
	LogURL  string
	Current bool
}

func (s *server) taskPage(c echo.Context) error {
	ctx := c.Request().Context()
	h, err := s.dagHead(c, "Runs")
	if err != nil {
		return err
	}
	r, err := s.Store.Run(ctx, h.ID, runParam(c))
	if err != nil {
		return err
	}
	t, err := s.Store.TaskInstance(ctx, h.ID, r.ID, taskParam(c))
	if err != nil {
		return err
	}
	version, err := s.Store.Version(ctx, h.ID, r.Version)
	if err != nil {
		return fmt.Errorf("read version %d: %w", r.Version, err)
	}
	p := taskPage{Page: s.dagPage(c, h, string(t.Task)), DAG: h, Run: r, RunURL: runURL(h.ID, r.ID),
		Task: s.reader(c).taskView(t, h.Timezone)}
	here := p.Task.Href
	p.Back = localPath(c.QueryParam("back"), "")
	p.SpecURL, p.ClearURL, p.StateURL, p.CancelURL = here+"/spec", here+"/clear", here+"/state", here+"/cancel"
	if spec, ok := version.Spec.Task(t.Task); ok {
		p.Spec, p.Command = spec, commandLine(spec)
		p.Upstream = joinTasks(spec.Upstream)
		p.Namespace, _ = spec.Pod["namespace"].(string)
		p.After = len(downstream(version.Spec, t.Task)) - 1
	}
	p.CanClear = t.State != dag.TaskNone && h.Can(dag.RightClear)
	p.CanMark = r.State != dag.RunQueued && h.Can(dag.RightMarkTask)
	p.CanCancel = t.State.Active() && t.Wish == dag.WishNone && h.Can(dag.RightCancel)
	if p.Tries, err = s.tries(c, h, t); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "task", p)
}

// tries lists the tries that have begun.
func (s *server) tries(c echo.Context, h DAGHead, t dag.TaskInstance) ([]TryView, error) {
	all, err := s.Store.Tries(c.Request().Context(), t.DAG, t.Run, t.Task)
	if err != nil {
		return nil, fmt.Errorf("read tries: %w", err)
	}
	var views []TryView
	for _, try := range all {
		if try.Try > 0 {
			views = append(views,
				TryView{TaskView: s.reader(c).taskView(try, h.Timezone), LogURL: logURL(t.DAG, t.Run, t.Task, try.Try)})
		}
	}
	return views, nil
}

// commandLine shows a container's command as one would type it.
func commandLine(t *dag.Task) string {
	var words []string
	for _, w := range append(append([]string{}, t.Cmds...), t.Arguments...) {
		if w == "" || strings.ContainsAny(w, " \t\n\"'$\\|&;<>(){}*?#") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// downstream is a task and everything that comes after it.
func downstream(d *dag.DAG, id dag.TaskID) map[dag.TaskID]bool {
	after := map[dag.TaskID]bool{id: true}
	for _, next := range dag.Order(d) {
		task, _ := d.Task(next)
		if slices.ContainsFunc(task.Upstream, func(up dag.TaskID) bool { return after[up] }) {
			after[next] = true
		}
	}
	return after
}

func joinTasks(ids []dag.TaskID) string {
	var names []string
	for _, id := range ids {
		names = append(names, string(id))
	}
	return strings.Join(names, ", ")
}
