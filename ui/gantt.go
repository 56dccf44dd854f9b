package ui

import (
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/ui/graph"
)

// ganttPage shows when each task of a run waited and ran.
type ganttPage struct {
	Page
	DAG    DAGHead
	Choice RunChoice
	Chart  template.HTML
	Rows   []TaskView
}

func (s *server) dagGantt(c echo.Context) error {
	h, err := s.dagHead(c, "Gantt")
	if err != nil {
		return err
	}
	p := ganttPage{Page: s.dagPage(c, h, string(h.ID)+" · "+s.reader(c).t("Gantt")), DAG: h}
	if p.Choice, err = s.chooseRun(c, h, "gantt"); err != nil {
		return err
	}
	p.About = p.Choice.about()
	if run := p.Choice.Run; run != nil {
		if err := s.drawGantt(c, &p, run.Run); err != nil {
			return err
		}
	}
	return s.render(c, http.StatusOK, "gantt", p)
}

// drawGantt draws the run, with its wait for its turn, and under it its tasks.
func (s *server) drawGantt(c echo.Context, p *ganttPage, run dag.Run) error {
	tasks, err := s.Store.RunTries(c.Request().Context(), run.DAG, run.ID)
	if err != nil {
		return fmt.Errorf("read the tries of a run: %w", err)
	}
	rd := s.reader(c)
	bars := []graph.Bar{{Label: rd.t("Whole run"), Href: p.Choice.Run.Href, Page: true, Spans: runSpans(rd, run)}}
	for _, tries := range tasks {
		ti := tries[len(tries)-1]
		bar := graph.Bar{Label: string(ti.Task), Href: p.Choice.taskURL(ti.Task)}
		for _, try := range tries {
			bar.Spans = append(bar.Spans, ganttSpans(rd, try)...)
		}
		bars = append(bars, bar)
		row := rd.taskView(ti, p.DAG.Timezone)
		row.Href = bar.Href
		p.Rows = append(p.Rows, row)
	}
	p.Chart = graph.Gantt(bars, rd.t("When the tasks of %s ran", string(run.ID)), rd.duration)
	return nil
}

// runSpans are the time for which a run waited for its turn, and that for which it ran.
// One that was cleared keeps when it started, which is before it was queued again.
func runSpans(rd *reader, r dag.Run) []graph.Span {
	var spans []graph.Span
	name, waiting := rd.t("Whole run"), r.StartedAt
	if r.State == dag.RunQueued {
		waiting = time.Time{}
	}
	spans = addSpan(rd, spans, name, runStateView(dag.RunQueued), r.QueuedAt, waiting, r.State == dag.RunQueued)
	if r.State != dag.RunQueued {
		spans = addSpan(rd, spans, name, runStateView(r.State), r.StartedAt, r.EndedAt, !r.State.Ended())
	}
	return spans
}

// ganttSpans are the time for which a try waited and that for which it ran.
func ganttSpans(rd *reader, t dag.TaskInstance) []graph.Span {
	name := string(t.Task)
	spans := addSpan(rd, nil, name, taskStateView(dag.TaskQueued), t.QueuedAt, t.StartedAt, t.State.Active())
	if t.State != dag.TaskQueued {
		spans = addSpan(rd, spans, name, taskStateView(t.State), t.StartedAt, t.EndedAt, t.State.Active())
	}
	return spans
}

// addSpan adds what something was from one moment to another; to now when it has no end
// and still goes on. It adds nothing when it was not so at all.
func addSpan(rd *reader, spans []graph.Span, name string, state StateView, from, to time.Time, active bool) []graph.Span {
	open := to.IsZero() && active
	if open {
		to = rd.now
	}
	if from.IsZero() || to.Before(from) {
		return spans
	}
	took := rd.duration(to.Sub(from))
	if open {
		took = rd.soFar(to.Sub(from))
	}
	says := name + ": " + rd.t(state.Words)
	return append(spans, graph.Span{From: from, To: to, Open: open, Class: state.Class, Says: says, Took: took})
}
