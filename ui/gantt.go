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
	now, err := s.Store.TaskInstances(c.Request().Context(), run.DAG, run.ID)
	if err != nil {
		return fmt.Errorf("read the tasks of a run: %w", err)
	}
	rd := s.reader(c)
	bars := []graph.Bar{{Label: rd.t("Whole run"), Href: p.Choice.Run.Href, Page: true}}
	for i, tries := range tasks {
		ti := tries[len(tries)-1]
		bar := graph.Bar{Label: string(ti.Task), Href: p.Choice.taskURL(ti.Task)}
		for _, try := range tries {
			bar.Spans = append(bar.Spans, ganttSpans(rd, try)...)
		}
		bars = append(bars, bar)
		// A task that waited for its retry may have been skipped or marked since its last try.
		if i < len(now) && now[i].Task == ti.Task && now[i].State.Ended() {
			ti = now[i]
		}
		row := rd.taskView(ti, p.DAG.Timezone)
		row.Href = bar.Href
		p.Rows = append(p.Rows, row)
	}
	bars[0].Spans = append(spansBefore(rd, run, bars[1:]), runSpans(rd, run)...)
	p.Chart = graph.Gantt(bars, rd.t("When the tasks of %s ran", string(run.ID)), rd.mark)
	return nil
}

// spansBefore is the time from the first to the last of what ran before the run was
// cleared, which began the run again: none when it was not.
func spansBefore(rd *reader, r dag.Run, bars []graph.Bar) []graph.Span {
	begin := r.QueuedAt
	if r.State != dag.RunQueued && r.StartedAt.Before(begin) {
		begin = r.StartedAt
	}
	var first, last time.Time
	for _, bar := range bars {
		for _, s := range bar.Spans {
			if !s.From.Before(begin) {
				continue
			}
			if first.IsZero() || s.From.Before(first) {
				first = s.From
			}
			if s.To.After(last) {
				last = s.To
			}
		}
	}
	if last.After(begin) {
		last = begin
	}
	return addSpan(rd, nil, rd.t("Whole run"), StateView{Words: say("before it was cleared"), Class: "s-none"}, first,
		last, false)
}

// mark writes a mark of a scale with the given distance between two, all of a scale with
// one precision.
func (rd *reader) mark(at, step time.Duration) string {
	switch {
	case step < 10*time.Millisecond:
		return rd.t("%.3f s", at.Seconds())
	case step < 100*time.Millisecond:
		return rd.t("%.2f s", at.Seconds())
	case step < time.Second:
		return rd.t("%.1f s", at.Seconds())
	case step < time.Minute:
		return rd.soFar(at)
	case at == 0:
		return rd.t("%d min", 0)
	}
	return rd.duration(at)
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
func addSpan(rd *reader, spans []graph.Span, name string, state StateView, from, to time.Time,
	active bool) []graph.Span {
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
