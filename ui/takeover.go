package ui

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
)

// takeOverPage asks before what a former owner of a DAG's id left is given to the
// DAG that has the id now.
type takeOverPage struct {
	Page
	DAG     DAGHead
	Taken   dag.ID // the id that went on
	Runs    int
	PostURL string
}

func (s *server) takeOverForm(c echo.Context) error {
	h, err := s.dagHead(c, "")
	if err != nil {
		return err
	}
	if !h.ID.Former() {
		return notFound("This DAG has kept its own id: there is no history to take over.")
	}
	p := takeOverPage{
		Page: s.dagPage(c, h, s.reader(c).t("Take over %s", string(h.ID))), DAG: h, Taken: h.ID.Taken(),
		PostURL: dagURL(h.ID, "take-over"),
	}
	p.Live = ""
	for _, n := range h.RunCounts {
		p.Runs += n
	}
	return s.render(c, http.StatusOK, "takeover", p)
}

// takeOverFormer gives what a former owner of a DAG's id left to the DAG that has it now.
func (s *server) takeOverFormer(c echo.Context) error {
	id := dagParam(c)
	if err := s.Store.TakeOver(c.Request().Context(), s.actor(c), id); err != nil {
		return err
	}
	notice(c, s.reader(c).t("The history of %s now belongs to %s.", string(id), string(id.Taken())))
	return done(c, dagURL(id.Taken(), "runs"))
}

// FormerPart tells on the pages of a DAG whose id went to another owner where it is
// from.
type FormerPart struct {
	Taken       dag.ID // "" for a DAG that has its own id
	TakeOverURL string // "" where the reader may not take it over
}

func formerPart(c echo.Context, id dag.ID) (part FormerPart) {
	if !id.Former() {
		return part
	}
	part.Taken = id.Taken()
	if mayHere(c, dag.RightTakeOver) {
		part.TakeOverURL = dagURL(id, "take-over")
	}
	return part
}
