package ui

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
)

// done answers an act: nothing to a script, and to a form the page to see
// next.
func done(c echo.Context, next string) error {
	if wantsText(c) {
		return c.NoContent(http.StatusNoContent)
	}
	return c.Redirect(http.StatusSeeOther, next)
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
		return invalid("The form lacks the field paused: want true or false.")
	}
	if err := s.Store.SetPaused(c.Request().Context(), s.actor(c), id, paused); err != nil {
		return err
	}
	return done(c, localPath(c.FormValue("back"), dagURL(id, "graph")))
}

// deletePage asks before a DAG's file is removed.
type deletePage struct {
	Page
	DAG  DAGHead
	Runs int
}

func (s *server) deleteForm(c echo.Context) error {
	h, err := s.dagHead(c, "")
	if err != nil {
		return err
	}
	p := deletePage{Page: s.dagPage(c, h, "Delete "+string(h.ID)), DAG: h}
	for _, n := range h.RunCounts {
		p.Runs += n
	}
	return s.render(c, http.StatusOK, "delete", p)
}

// requestRemoval asks for the DAG's file to be removed from its repository.
func (s *server) requestRemoval(c echo.Context) error {
	id := dagParam(c)
	if err := s.Store.RequestRemoval(c.Request().Context(), s.actor(c), id); err != nil {
		return err
	}
	return done(c, dagURL(id, "details"))
}

// deleteHistory removes an archived DAG with all its runs.
func (s *server) deleteHistory(c echo.Context) error {
	if err := s.Store.DeleteDAG(c.Request().Context(), s.actor(c), dagParam(c)); err != nil {
		return err
	}
	return done(c, "/")
}

// setRunState ends a run by hand.
func (s *server) setRunState(c echo.Context) error {
	id, run := dagParam(c), runParam(c)
	state := dag.RunState(c.FormValue("state"))
	if !state.Ended() {
		return invalid("A run can be marked as success or failed, not as %q.", string(state))
	}
	if err := s.Store.SetRunState(c.Request().Context(), s.actor(c), id, run, state); err != nil {
		return err
	}
	return done(c, runURL(id, run))
}

// maxNote bounds a note, in bytes.
const maxNote = 10_000

func (s *server) setRunNote(c echo.Context) error {
	id, run := dagParam(c), runParam(c)
	note := c.FormValue("note")
	if len(note) > maxNote {
		return invalid("The note is too long: at most %d bytes.", maxNote)
	}
	if err := s.Store.SetRunNote(c.Request().Context(), s.actor(c), id, run, note); err != nil {
		return err
	}
	return done(c, runURL(id, run))
}
