package ui

import (
	"fmt"
	"slices"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// choiceRuns is how many of the newest runs a selector offers.
const choiceRuns = 25

// RunChoice is the run that a page is about, and the selector for another one.
// The address decides: one that names a run stays with it, and one that names
// none follows the newest.
type RunChoice struct {
	Run    *RunView // nil while there is no run
	Pinned bool     // the address names the run
	PinURL string   // names the run that is shown, while the page follows the newest
	Runs   []RunView
	Action string // the page's own address, for the selector's form
	Newer  string // addresses of the neighbours, "" where there is none
	Older  string
}

// chooseRun reads the run that the request names, the newest one otherwise.
func (s *server) chooseRun(c echo.Context, h DAGHead, tab string) (RunChoice, error) {
	ctx, rd := c.Request().Context(), s.reader(c)
	wanted := dag.RunID(c.QueryParam("run"))
	choice := RunChoice{Action: dagURL(h.ID, tab), Pinned: wanted != ""}
	runs, _, err := s.Store.Runs(ctx, store.RunFilter{DAG: h.ID, Limit: choiceRuns})
	if err != nil {
		return choice, fmt.Errorf("list runs: %w", err)
	}
	at := slices.IndexFunc(runs, func(r dag.Run) bool { return r.ID == wanted })
	switch {
	case wanted == "" && len(runs) > 0:
		at = 0
	case wanted != "" && at < 0:
		r, err := s.Store.Run(ctx, h.ID, wanted)
		if err != nil {
			return choice, err
		}
		runs, at = append(runs, r), len(runs)
	}
	for _, r := range runs {
		choice.Runs = append(choice.Runs, rd.runView(r, h.Timezone))
	}
	if at >= 0 {
		choice.Run, choice.PinURL = &choice.Runs[at], choice.address(at)
		choice.addNeighbours(at)
	}
	return choice, nil
}

func (rc *RunChoice) addNeighbours(at int) {
	if at > 0 {
		rc.Newer = rc.address(at - 1)
	}
	if at+1 < len(rc.Runs) {
		rc.Older = rc.address(at + 1)
	}
}

// address names one of the runs.
func (rc *RunChoice) address(i int) string {
	return rc.Action + "?run=" + queryEscape(string(rc.Runs[i].ID))
}

// taskURL is the address of a task of the run, from which acts lead back to this page
// with the same run.
func (rc *RunChoice) taskURL(task dag.TaskID) string {
	return withBack(taskURL(rc.Run.DAG, rc.Run.Run.ID, task), rc.PinURL)
}

// about names the run for Page.About.
func (rc *RunChoice) about() string {
	if rc.Run == nil {
		return "no run"
	}
	return "run " + string(rc.Run.ID)
}

// versionOf reads the definition to which the chosen run is bound; the newest
// one when there is no run. The note says when they differ.
func (s *server) versionOf(c echo.Context, h DAGHead, choice RunChoice) (spec *dag.DAG, note string, err error) {
	if choice.Run == nil || choice.Run.Version == h.Version {
		return h.DAGRow.DAG, "", nil
	}
	version, err := s.Store.Version(c.Request().Context(), h.ID, choice.Run.Version)
	if err != nil {
		return nil, "", fmt.Errorf("read version %d: %w", choice.Run.Version, err)
	}
	return version.Spec, s.reader(c).t("This run has version %d of the DAG; the newest is %d.", choice.Run.Version,
		h.Version), nil
}
