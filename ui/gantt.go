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

func (s *server) drawGantt(c echo.Context, p *ganttPage, run dag.Run) error {
	tasks, err := s.Store.RunTries(c.Request().Context(), run.DAG, run.ID)
	if err != nil {
		return fmt.Errorf("read the tries of a run: %w", err)
	}
	rd := s.reader(c)
	var bars []graph.Bar
	for _, tries := range tasks {
		ti := tries[len(tries)-1]
		bar := graph.Bar{Label: string(ti.Task), Href: taskURL(ti.DAG, ti.Run, ti.Task)}
		for _, try := range tries {
			bar.Spans = append(bar.Spans, ganttSpans(rd, try)...)
		}
		bars = append(bars, bar)
		p.Rows = append(p.Rows, rd.taskView(ti, p.DAG.Timezone))
	}
	p.Chart = graph.Gantt(bars, rd.t("When the tasks of %s ran", string(run.ID)), rd.duration)
	return nil
}

// ganttSpans are the time for which a try waited and that for which it ran.
func ganttSpans(rd *reader, t dag.TaskInstance) []graph.Span {
	var spans []graph.Span
	add := func(from, to time.Time, state StateView) {
		open := to.IsZero() && t.State.Active()
		if open {
			to = rd.now
		}
		if from.IsZero() || to.Before(from) {
			return
		}
		took := rd.duration(to.Sub(from))
		if open {
			took = rd.soFar(to.Sub(from))
		}
		says := string(t.Task) + ": " + rd.t(state.Words)
		spans = append(spans, graph.Span{From: from, To: to, Open: open, Class: state.Class, Says: says, Took: took})
	}
	add(t.QueuedAt, t.StartedAt, taskStateView(dag.TaskQueued))
	if t.State != dag.TaskQueued {
		add(t.StartedAt, t.EndedAt, taskStateView(t.State))
	}
	return spans
}
