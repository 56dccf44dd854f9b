package ui

import (
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// maxBulk bounds how many things one act may be about: a page's worth.
const maxBulk = 2 * pageSize

// maxTold bounds how many refusals of a bulk act a notice tells.
const maxTold = 3

// bulkDAGs pauses, un-pauses or triggers the chosen DAGs.
func (s *server) bulkDAGs(c echo.Context) error {
	var ids []dag.ID
	for _, id := range c.Request().Form["dag"] {
		ids = append(ids, dag.ID(id))
	}
	if len(ids) == 0 || len(ids) > maxBulk {
		return invalid("Choose 1 to %d DAGs first.", maxBulk)
	}
	var err error
	switch act := c.FormValue("act"); act {
	case "pause", "unpause":
		err = s.pauseChosen(c, ids, act == "pause")
	case "trigger":
		s.triggerChosen(c, ids)
	default:
		return invalid("There is no act %q.", act)
	}
	if err != nil {
		return err
	}
	return done(c, "/")
}

func (s *server) pauseChosen(c echo.Context, ids []dag.ID, paused bool) error {
	for _, id := range ids {
		if err := s.Allow(c, dag.ActPause, id); err != nil {
			return err
		}
	}
	changed, err := s.Store.PauseAll(c.Request().Context(), s.actor(c), ids, paused)
	if err != nil {
		return err
	}
	notice(c, s.reader(c).t("%d DAGs changed", len(changed)))
	return nil
}

// triggerChosen starts a run of each DAG that can have one, and tells why the
// others have none.
func (s *server) triggerChosen(c echo.Context, ids []dag.ID) {
	r := bulkResult{rd: s.reader(c)}
	for _, id := range ids {
		err := s.Allow(c, dag.ActTrigger, id)
		if err == nil {
			err = s.triggerPlain(c, id)
		}
		r.add(string(id), err)
	}
	notice(c, r.text("%d runs were started"))
}

// triggerPlain starts a run with the defaults. A param that needs a value
// refuses it.
func (s *server) triggerPlain(c echo.Context, id dag.ID) error {
	row, err := s.Store.DAG(c.Request().Context(), id)
	if err != nil {
		return err
	}
	for _, param := range row.Params {
		f := newParamField(param)
		if f.requireDefault(s.reader(c)); f.Error != "" {
			return invalid("The param %s needs a value.", param.Name)
		}
	}
	_, err = s.Store.TriggerRun(c.Request().Context(), store.Trigger{DAG: id, By: s.actor(c)})
	return err
}

// bulkRuns clears or marks the chosen runs.
func (s *server) bulkRuns(c echo.Context) error {
	ctx, id, by := c.Request().Context(), dagParam(c), s.actor(c)
	chosen := c.Request().Form["run"]
	if len(chosen) == 0 || len(chosen) > maxBulk {
		return invalid("Choose 1 to %d runs first.", maxBulk)
	}
	act := c.FormValue("act")
	r := bulkResult{rd: s.reader(c)}
	for _, run := range chosen {
		var err error
		switch act {
		case "clear":
			_, err = s.Store.ClearTasks(ctx, store.Clear{DAG: id, Run: dag.RunID(run), By: by})
		case "clear_failed":
			_, err = s.Store.ClearTasks(ctx, store.Clear{DAG: id, Run: dag.RunID(run), OnlyFailed: true, By: by})
		case "success", "failed":
			if err = s.Allow(c, dag.ActMarkRun, id); err == nil {
				err = s.Store.SetRunState(ctx, by, id, dag.RunID(run), dag.RunState(act))
			}
		default:
			return invalid("There is no act %q.", act)
		}
		r.add(run, err)
	}
	notice(c, r.text("%d runs changed"))
	return done(c, dagURL(id, "runs"))
}

// bulkResult collects what became of each thing of a bulk act. Each was changed
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
