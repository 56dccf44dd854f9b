package ui

import (
	"errors"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// maxBulk bounds how many things one act may be about: a page's worth.
const maxBulk = 2 * pageSize

// maxTold bounds how many refusals of a bulk act a notice tells.
const maxTold = 3

// bulkDAGs pauses, un-pauses or triggers the chosen DAGs once that is confirmed.
func (s *server) bulkDAGs(c echo.Context) error {
	var ids []dag.ID
	for _, id := range c.Request().Form["dag"] {
		ids = append(ids, dag.ID(id))
	}
	if len(ids) == 0 || len(ids) > maxBulk {
		return invalid("Select 1 to %d DAGs first.", maxBulk)
	}
	act := c.FormValue("act")
	switch act {
	case "pause", "unpause":
		for _, id := range ids {
			if err := s.Allow(c, dag.RightPause, id); err != nil {
				return err
			}
		}
	case "trigger": // asks for each DAG
	default:
		return invalid("There is no action %q.", act)
	}
	ok, err := s.confirmed(c, func() (plan, error) { return s.bulkDAGsPlan(c, ids, act), nil })
	if err != nil || !ok {
		return err
	}
	if act == "trigger" {
		if err := s.triggerChosen(c, ids); err != nil {
			return err
		}
	} else if err := s.pauseChosen(c, ids, act == "pause"); err != nil {
		return err
	}
	return done(c, "/")
}

// bulkDAGsPlan lists what an act would change of each DAG.
func (s *server) bulkDAGsPlan(c echo.Context, ids []dag.ID, act string) plan {
	rd, p := s.reader(c), plan{Back: "/"}
	for _, id := range ids {
		row, err := s.actable(c, id, act)
		view := planRow{Name: string(id), Href: dagURL(id, "graph"), State: pausedView(row.Paused)}
		switch act {
		case "pause":
			view.What = rd.t("will be paused: no further run starts by schedule")
		case "unpause":
			view.What = rd.t("will follow its schedule")
		default:
			view.What = rd.t("a run will start")
			p.Unpause = p.Unpause || err == nil && row.Paused
		}
		p.add(rd, view, err)
	}
	switch act {
	case "pause":
		p.Button = rd.t("Pause %d DAGs", len(p.Rows))
	case "unpause":
		p.Button = rd.t("Un-pause %d DAGs", len(p.Rows))
	default:
		p.Button = rd.t("Trigger %d DAGs", len(p.Rows))
	}
	return p
}

// pausedView shows whether a DAG follows its schedule, as a state.
func pausedView(paused bool) StateView {
	if paused {
		return StateView{Name: "paused", Words: say("paused"), Class: "s-none", Mark: "‖"}
	}
	return StateView{Name: "active", Words: say("active"), Class: "s-success", Mark: "▶"}
}

// actable reads a DAG; the error says why the act would do nothing to it.
func (s *server) actable(c echo.Context, id dag.ID, act string) (store.DAGRow, error) {
	row, err := s.Store.DAG(c.Request().Context(), id)
	switch {
	case err != nil:
		return row, err
	case row.Archived:
		return row, invalid("The file of this DAG is gone.")
	case act == "trigger":
		return row, s.plainTrigger(c, row)
	case row.Paused == (act == "pause"):
		return row, invalid("It is in this state already.")
	}
	return row, nil
}

// plainTrigger says why a DAG cannot be triggered with the defaults, if so.
func (s *server) plainTrigger(c echo.Context, row store.DAGRow) error {
	if err := s.Allow(c, dag.RightTrigger, row.ID); err != nil {
		return err
	}
	for _, param := range row.Params {
		if param.Required() {
			return invalid("The param %s needs a value.", param.Name)
		}
	}
	return nil
}

func (s *server) pauseChosen(c echo.Context, ids []dag.ID, paused bool) error {
	changed, err := s.Store.PauseAll(c.Request().Context(), s.actor(c), ids, paused)
	if err != nil {
		return err
	}
	notice(c, s.reader(c).t("%d DAGs changed", len(changed)))
	return nil
}

// triggerChosen starts a run of each DAG that can have one, and tells why the
// others have none. It un-pauses them as the trigger of a single one does: unless
// somebody who was asked took the tick away. The error says that the store was not
// available, perhaps only after some.
func (s *server) triggerChosen(c echo.Context, ids []dag.ID) error {
	r := bulkResult{rd: s.reader(c)}
	unpause := c.FormValue("unpause") != "" || c.FormValue("shown") == ""
	for _, id := range ids {
		_, err := s.actable(c, id, "trigger")
		if err == nil {
			_, err = s.Store.TriggerRun(c.Request().Context(), store.Trigger{DAG: id, Unpause: unpause, By: s.actor(c)})
		}
		if errors.Is(err, store.ErrUnavailable) {
			return err
		}
		r.add(string(id), err)
	}
	notice(c, r.text("%d runs were started"))
	return nil
}

// bulkRuns clears or marks the chosen runs once that is confirmed.
func (s *server) bulkRuns(c echo.Context) error {
	id := dagParam(c)
	var runs []dag.RunID
	for _, run := range c.Request().Form["run"] {
		runs = append(runs, dag.RunID(run))
	}
	if len(runs) == 0 || len(runs) > maxBulk {
		return invalid("Select 1 to %d runs first.", maxBulk)
	}
	act := c.FormValue("act")
	switch act {
	case "clear", "clear_failed":
	case "success", "failed":
		if err := s.Allow(c, dag.RightMarkRun, id); err != nil {
			return err
		}
	default:
		return invalid("There is no action %q.", act)
	}
	ok, err := s.confirmed(c, func() (plan, error) { return s.bulkRunsPlan(c, id, runs, act), nil })
	if err != nil || !ok {
		return err
	}
	r := bulkResult{rd: s.reader(c)}
	for _, run := range runs {
		err := s.actOnRun(c, id, run, act)
		if errors.Is(err, store.ErrUnavailable) {
			return err
		}
		r.add(string(run), err)
	}
	notice(c, r.text("%d runs changed"))
	return done(c, dagURL(id, "runs"))
}

// bulkClear is the clear of one run that a bulk act stands for.
func (s *server) bulkClear(c echo.Context, id dag.ID, run dag.RunID, act string) store.Clear {
	return store.Clear{DAG: id, Run: run, OnlyFailed: act == "clear_failed", By: s.actor(c)}
}

func (s *server) actOnRun(c echo.Context, id dag.ID, run dag.RunID, act string) error {
	ctx := c.Request().Context()
	if act == "success" || act == "failed" {
		return s.Store.SetRunState(ctx, s.actor(c), id, run, dag.RunState(act))
	}
	_, err := s.Store.ClearTasks(ctx, s.bulkClear(c, id, run, act))
	return err
}

// bulkRunsPlan lists what an act would change of each run.
func (s *server) bulkRunsPlan(c echo.Context, id dag.ID, runs []dag.RunID, act string) plan {
	rd, p := s.reader(c), plan{Back: dagURL(id, "runs"), Danger: act == "failed"}
	tasks := 0
	for _, run := range runs {
		row := planRow{Name: string(run), Href: runURL(id, run), State: runStateView("")}
		r, err := s.Store.Run(c.Request().Context(), id, run)
		if err == nil {
			row.State = runStateView(r.State)
			var n int
			row.What, n, err = s.bulkRunWords(c, r, act)
			tasks += n
		}
		p.add(rd, row, err)
	}
	switch act {
	case "success":
		p.Button = rd.t("Mark %d runs as success", len(p.Rows))
	case "failed":
		p.Button = rd.t("Mark %d runs as failed", len(p.Rows))
	default:
		p.Button = rd.t("Clear %d tasks", tasks)
	}
	return p
}

// bulkRunWords says what an act would do to a run, and to how many of its tasks
// when it is a clear.
func (s *server) bulkRunWords(c echo.Context, r dag.Run, act string) (words string, tasks int, err error) {
	rd := s.reader(c)
	if act == "success" || act == "failed" {
		if r.State == dag.RunState(act) {
			return "", 0, conflict(say("The run has this state already."))
		}
		return markedRun(rd, dag.RunState(act)), 0, nil
	}
	cl := s.bulkClear(c, r.DAG, r.ID, act)
	chosen, err := s.toClear(c, cl)
	if err != nil {
		return "", 0, err
	}
	settled, err := s.settledAfter(c, cl.DAG, cl.Run, chosen, dag.TaskNone)
	if err != nil {
		return "", 0, err
	}
	var ended, active, settles []dag.TaskID
	for _, ti := range chosen {
		_, ends := settled[ti.Task]
		switch {
		case ti.State.Active():
			active = append(active, ti.Task)
		case ends:
			settles = append(settles, ti.Task)
		default:
			ended = append(ended, ti.Task)
		}
	}
	var parts []string
	tell := func(words string, tasks []dag.TaskID) {
		if len(tasks) > 0 {
			parts = append(parts, rd.t(words, shorten(joinTasks(tasks), maxRecentText)))
		}
	}
	tell(say("will run again: %s"), ended)
	tell(say("will be stopped and run again: %s"), active)
	tell(say("will not run, by their trigger rules: %s"), settles)
	return strings.Join(parts, "; "), len(chosen), nil
}

// bulkResult collects what happened to each thing of a bulk act. Each was changed
// in a transaction of its own.
type bulkResult struct {
	rd      *reader
	changed int
	refused []string
}

func (r *bulkResult) add(name string, err error) {
	if err == nil {
		r.changed++
		return
	}
	r.refused = append(r.refused, name+": "+r.rd.words(err))
}

// text says how many were changed, and why others were not.
func (r *bulkResult) text(changed string) string {
	lines := []string{r.rd.t(changed, r.changed)}
	lines = append(lines, r.refused[:min(len(r.refused), maxTold)]...)
	if more := len(r.refused) - maxTold; more > 0 {
		lines = append(lines, r.rd.t("and %d more", more))
	}
	return strings.Join(lines, "\n")
}
