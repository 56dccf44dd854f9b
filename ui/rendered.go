package ui

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"gopkg.in/yaml.v3"

	"dagwright/dag"
	"dagwright/macro"
)

// renderedPage shows a task as its container gets it: with every template
// rendered for one run.
type renderedPage struct {
	Page
	DAG      DAGHead
	Run      RunView
	Task     TaskView
	Rendered *RenderedTask
	Fault    string // why it cannot be rendered
}

// RenderedTask is a task after its templates were rendered.
type RenderedTask struct {
	Image   string
	Command string
	Env     []dag.EnvVar
	Pod     []CodeLine // the further fields of the pod, as YAML
}

func (s *server) renderedPage(c echo.Context) error {
	ctx := c.Request().Context()
	h, err := s.dagHead(c, "Runs")
	if err != nil {
		return err
	}
	run, err := s.Store.Run(ctx, h.ID, runParam(c))
	if err != nil {
		return err
	}
	t, err := s.Store.TaskInstance(ctx, h.ID, run.ID, taskParam(c))
	if err != nil {
		return err
	}
	version, err := s.Store.Version(ctx, h.ID, run.Version)
	if err != nil {
		return fmt.Errorf("read version %d: %w", run.Version, err)
	}
	rd := s.reader(c)
	p := renderedPage{
		Page: s.dagPage(c, h, rd.t("%s as rendered", string(t.Task))), DAG: h, Run: rd.runView(run, h.Timezone),
		Task: rd.taskView(t, h.Timezone),
	}
	rendering, end, err := s.renderings.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	p.Rendered, err = renderTask(rendering, s.Variables, version.Spec, run, t)
	if err != nil && !errors.Is(err, dag.ErrInvalid) && !errors.Is(err, dag.ErrNotFound) {
		return err
	}
	if err != nil {
		p.Fault = rd.words(err)
	}
	return s.render(c, http.StatusOK, "rendered", p)
}

// renderings renders templates for pages: apart from the scheduler's renderer, so
// that no page holds up a start, and few at once, since a task's templates may take
// what macro allows, whoever looks at them.
type renderings struct {
	macros *macro.Renderer
	places chan struct{}
	wait   time.Duration // for a place
}

const (
	renderingPlaces = 2
	renderingWait   = 5 * time.Second
)

func newRenderings() *renderings {
	return &renderings{macros: macro.New(), places: make(chan struct{}, renderingPlaces), wait: renderingWait}
}

// begin waits for a place, and says that the server is busy when there is none in
// time. All that one page renders has the limits of one task. Whoever gets a
// rendering calls end when the page has what it wants of it.
func (r *renderings) begin(ctx context.Context) (rendering *macro.Rendering, end func(), err error) {
	wait := time.NewTimer(r.wait)
	defer wait.Stop()
	select {
	case r.places <- struct{}{}:
		return r.macros.Begin(ctx), func() { <-r.places }, nil
	case <-wait.C:
		return nil, nil, echo.NewHTTPError(http.StatusServiceUnavailable, say("The server is busy rendering other tasks."))
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// renderTask renders a task of a definition for one try of a run.
func renderTask(
	r *macro.Rendering, variables macro.Variables, spec *dag.DAG, run dag.Run, t dag.TaskInstance,
) (*RenderedTask, error) {
	task, ok := spec.Task(t.Task)
	if !ok {
		return nil, notFound("The run's version of the DAG has no task %q.", string(t.Task))
	}
	try := max(1, t.Try)
	rendered, err := r.Render(macro.Context{DAG: spec, Run: run, Task: task, Try: try, MaxTries: max(t.MostTries(), try),
		Started: t.StartedAt, Variables: variables})
	if err != nil {
		return nil, err
	}
	key := dag.AttemptKey{DAG: run.DAG.Taken(), Run: run.ID, Task: t.Task, Try: try, Epoch: run.Epoch}
	out := &RenderedTask{Image: rendered.Image, Command: commandLine(&rendered),
		Env: dag.Environment(rendered.Env, run, key, spec.Owner)}
	if len(rendered.Pod) > 0 {
		text, err := yaml.Marshal(rendered.Pod)
		if err != nil {
			return nil, fmt.Errorf("write pod fields: %w", err)
		}
		out.Pod = highlight(string(text))
	}
	return out, nil
}
