package ui

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// done answers an act: nothing to a script, and to a form the page to see
// next, which is the one that the form names as "back" when it does.
func done(c echo.Context, next string) error {
	if wantsText(c) {
		return c.NoContent(http.StatusNoContent)
	}
	return c.Redirect(http.StatusSeeOther, localPath(c.FormValue("back"), next))
}

// setPaused moves the toggle.
func (s *server) setPaused(c echo.Context) error {
	id := dagParam(c)
	var paused bool
	switch c.FormValue("paused") {
	case "true":
		paused = true
	case "false":
	default:
		return invalid("The form has no field paused: send true or false.")
	}
	if err := s.Store.SetPaused(c.Request().Context(), s.actor(c), id, paused); err != nil {
		return err
	}
	return done(c, dagURL(id, "graph"))
}

// deletePage asks before a DAG's file is removed.
type deletePage struct {
	Page
	DAG     DAGHead
	Runs    int
	Running bool   // a run goes on
	Return  string // how the file comes back; to be translated
	Back    string // the table that the DAG was chosen in, "" for none
}

func (s *server) deleteForm(c echo.Context) error {
	h, err := s.dagHead(c, "")
	if err != nil {
		return err
	}
	p := deletePage{Page: s.dagPage(c, h, s.reader(c).t("Delete %s", string(h.ID))), DAG: h,
		Back: localPath(c.QueryParam("back"), "")}
	p.Live = ""
	for _, n := range h.RunCounts {
		p.Runs += n
	}
	p.Running = h.RunCounts[dag.RunRunning] > 0
	if p.Return, err = s.returns(c, h.ID); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "delete", p)
}

// returns says how a DAG's file would come back once it was removed.
func (s *server) returns(c echo.Context, id dag.ID) (string, error) {
	from, err := s.Store.Provenance(c.Request().Context(), id, "")
	switch {
	case err != nil:
		return "", fmt.Errorf("read provenance: %w", err)
	case from.PromotedProject != "":
		return say("The DAG comes back when it is promoted again."), nil
	case from.Spec != nil:
		return say("The next push to the model's repository makes the DAG again."), nil
	}
	return say("The file was written by hand: it comes back only when it is added again."), nil
}

// requestRemoval asks for the DAG's file to be removed from its repository.
func (s *server) requestRemoval(c echo.Context) error {
	id := dagParam(c)
	if err := s.Store.RequestRemoval(c.Request().Context(), s.actor(c), id); err != nil {
		return err
	}
	notice(c, s.reader(c).t("The file of %s is being removed from the DAG repository.", string(id)))
	return done(c, dagURL(id, "details"))
}

// restore asks for the file of an archived DAG to be brought back.
func (s *server) restore(c echo.Context) error {
	id := dagParam(c)
	ok, err := s.confirmed(c, func() (plan, error) { return s.restorePlan(c, id) })
	if err != nil || !ok {
		return err
	}
	push, err := s.Store.RequestRestore(c.Request().Context(), s.actor(c), id)
	if err != nil {
		return err
	}
	if push != 0 {
		notice(c, s.reader(c).t("The branch of %s is being rendered again.", string(id)))
		return done(c, dagURL(id, "details"))
	}
	notice(c, s.reader(c).t("The file of %s is being restored in the DAG repository.", string(id)))
	return done(c, dagURL(id, "details"))
}

// deleteHistory removes an archived DAG with all its runs.
func (s *server) deleteHistory(c echo.Context) error {
	id := dagParam(c)
	if err := s.Store.DeleteDAG(c.Request().Context(), s.actor(c), id); err != nil {
		return err
	}
	notice(c, s.reader(c).t("The history of %s was deleted.", string(id)))
	return done(c, "/")
}

// setRunState ends a run by hand.
func (s *server) setRunState(c echo.Context) error {
	id, run := dagParam(c), runParam(c)
	state := dag.RunState(c.FormValue("state"))
	if !state.Ended() {
		return invalid("A run can be marked as success or failed, not as %q.", string(state))
	}
	ok, err := s.confirmed(c, func() (plan, error) { return s.markRunPlan(c, id, run, state) })
	if err != nil || !ok {
		return err
	}
	if err := s.Store.SetRunState(c.Request().Context(), s.actor(c), id, run, state); err != nil {
		return err
	}
	return done(c, runURL(id, run))
}

// clearRun lets the tasks of a run, or those that failed, run once more.
func (s *server) clearRun(c echo.Context) error {
	return s.clear(c,
		store.Clear{DAG: dagParam(c), Run: runParam(c), OnlyFailed: c.FormValue("only_failed") != "", By: s.actor(c)})
}

// clear does a clear of one run once it is confirmed.
func (s *server) clear(c echo.Context, cl store.Clear) error {
	ok, err := s.confirmed(c, func() (plan, error) { return s.clearPlan(c, cl) })
	if err != nil || !ok {
		return err
	}
	cleared, err := s.Store.ClearTasks(c.Request().Context(), cl)
	if err != nil {
		return err
	}
	notice(c, s.reader(c).t("%d tasks were cleared", len(cleared)))
	return done(c, runURL(cl.DAG, cl.Run))
}

func (s *server) setRunNote(c echo.Context) error {
	id, run := dagParam(c), runParam(c)
	note := c.FormValue("note")
	if dag.CheckNote(note) != nil {
		return invalid("The note is too long: at most %d characters.", dag.MaxNote)
	}
	if err := s.Store.SetRunNote(c.Request().Context(), s.actor(c), id, run, note); err != nil {
		return err
	}
	notice(c, s.reader(c).t("The note was saved."))
	return done(c, runURL(id, run))
}

// taskKey names the task instance of the address; its try does not matter.
func taskKey(c echo.Context) dag.AttemptKey {
	return dag.AttemptKey{DAG: dagParam(c), Run: runParam(c), Task: taskParam(c)}
}

// clearTask lets a task run once more, with everything after it if wanted.
func (s *server) clearTask(c echo.Context) error {
	k := taskKey(c)
	return s.clear(c, store.Clear{
		DAG: k.DAG, Run: k.Run, Tasks: []dag.TaskID{k.Task}, Downstream: c.FormValue("downstream") != "", By: s.actor(c),
	})
}

// markTask ends a task by hand.
func (s *server) markTask(c echo.Context) error {
	k, state := taskKey(c), dag.TaskState(c.FormValue("state"))
	ok, err := s.confirmed(c, func() (plan, error) { return s.markTaskPlan(c, k, state) })
	if err != nil || !ok {
		return err
	}
	if err := s.Store.MarkTask(c.Request().Context(), s.actor(c), k, state); err != nil {
		return err
	}
	marked := say("%s was marked as success.")
	if state == dag.TaskFailed {
		marked = say("%s was marked as failed.")
	}
	notice(c, s.reader(c).t(marked, string(k.Task)))
	return done(c, runURL(k.DAG, k.Run))
}

// cancelTask stops a task that runs.
func (s *server) cancelTask(c echo.Context) error {
	k := taskKey(c)
	ok, err := s.confirmed(c, func() (plan, error) { return s.cancelPlan(c, k) })
	if err != nil || !ok {
		return err
	}
	if err := s.Store.CancelTask(c.Request().Context(), s.actor(c), k); err != nil {
		return err
	}
	notice(c, s.reader(c).t("%s is being stopped.", string(k.Task)))
	return done(c, runURL(k.DAG, k.Run))
}

// replayPush renders a push's branch once more.
func (s *server) replayPush(c echo.Context) error {
	id, err := strconv.ParseInt(c.Param("push"), 10, 64)
	if err != nil {
		return notFound("There is no push %q.", c.Param("push"))
	}
	if _, err := s.Store.ReplayPush(c.Request().Context(), s.actor(c), id); err != nil {
		return err
	}
	notice(c, s.reader(c).t("The branch is being rendered again."))
	return done(c, "/models")
}
