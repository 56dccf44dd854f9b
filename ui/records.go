package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// pushStates are the filters of the page of pushes.
var pushStates = []store.PushState{
	store.PushPending, store.PushRendered, store.PushUnchanged, store.PushSuperseded, store.PushRefused, store.PushRemoved,
	store.PushProposed, store.PushCompared, store.PushSkipped,
}

// modelsPage lists pushes of model repositories and what happened to them.
type modelsPage struct {
	Page
	Branches dag.Branches // that become DAGs
	Project  string
	State    string
	States   []FilterView
	Pushes   []PushView
	Older    string
	First    string
}

// PushView is a push as the page shows it.
type PushView struct {
	store.Push
	State     StateView
	Received  TimeView
	Finished  TimeView
	Retry     TimeView
	Lasted    string
	CommitURL string
	DAGURL    string
	ReplayURL string // "" while the push is pending, and for readers who may not
}

func (s *server) models(c echo.Context) error {
	f := store.PushFilter{Project: c.QueryParam("project"), Limit: pageSize}
	state := c.QueryParam("state")
	if state != "" {
		if !slices.Contains(pushStates, store.PushState(state)) {
			return invalid("There is no push state %q.", state)
		}
		f.States = []store.PushState{store.PushState(state)}
	}
	f.Before = before(c)
	pushes, err := s.Store.Pushes(c.Request().Context(), f)
	if err != nil {
		return fmt.Errorf("list pushes: %w", err)
	}
	rd := s.reader(c)
	p := modelsPage{Page: s.page(c, rd.t("Models")), Branches: s.Branches, Project: f.Project, State: state}
	p.Section, p.Live = "models", "*"
	here := func(state, before string) string {
		return withQuery("/models", url.Values{"project": {f.Project}, "state": {state}, "before": {before}})
	}
	p.States = append(p.States, FilterView{Name: say("All"), Href: here("", ""), Current: state == ""})
	for _, st := range pushStates {
		p.States = append(p.States,
			FilterView{Name: pushStateView(st).Words, Href: here(string(st), ""), Current: state == string(st)})
	}
	for _, push := range pushes {
		p.Pushes = append(p.Pushes, s.pushView(rd, push, mayHere(c, dag.RightReplay)))
	}
	if f.Before > 0 {
		p.First = here(state, "")
	}
	if len(pushes) == pageSize {
		p.Older = here(state, strconv.FormatInt(pushes[len(pushes)-1].ID, 10))
	}
	return s.render(c, http.StatusOK, "models", p)
}

func (s *server) pushView(rd *reader, push store.Push, mayReplay bool) PushView {
	v := PushView{
		Push: push, State: pushStateView(push.State), Received: rd.time(push.ReceivedAt, ""),
		Finished: rd.time(push.FinishedAt, ""),
		Retry:    rd.time(push.RetryAt, ""),
	}
	v.Reason = rd.translated(push.Reason)
	if !push.FinishedAt.IsZero() {
		v.Lasted = rd.duration(push.FinishedAt.Sub(push.ReceivedAt))
	}
	if push.State != store.PushPending && mayReplay {
		v.ReplayURL = "/models/" + strconv.FormatInt(push.ID, 10) + "/replay"
	}
	if !push.Deleted {
		v.CommitURL = s.commitURL(push.Project, push.Commit)
	}
	if push.DAG != "" && push.State != store.PushRefused {
		v.DAGURL = dagURL(push.DAG, "")
	}
	return v
}

// before reads the keyset mark of lists by falling id; 0 for the first page.
func before(c echo.Context) int64 {
	n, err := strconv.ParseInt(c.QueryParam("before"), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// importErrorsPage lists the broken files of the DAG repository.
type importErrorsPage struct {
	Page
	Files    []ImportErrorView
	Total    int
	Pager    Pager
	Refusals []RefusalView // on the first page
	More     int           // refusals that are not listed
}

// ImportErrorView is a broken file with its faults.
type ImportErrorView struct {
	store.ImportError
	Since TimeView
}

func (s *server) importErrors(c echo.Context) error {
	number := 1
	if n, err := strconv.Atoi(c.QueryParam("page")); err == nil && n > 1 && n < 1_000_000 {
		number = n
	}
	files, total, err := s.Store.ImportErrors(c.Request().Context(), pageSize, (number-1)*pageSize)
	if err != nil {
		return fmt.Errorf("list import errors: %w", err)
	}
	rd := s.reader(c)
	p := importErrorsPage{Page: s.page(c, rd.t("Import errors")), Total: total,
		Pager: Pager{Page: number, Pages: max(1, (total+pageSize-1)/pageSize)}}
	p.Section, p.Live = "import-errors", "*"
	at := func(n int) string { return withQuery("/import-errors", url.Values{"page": {strconv.Itoa(n)}}) }
	if number > 1 {
		p.Pager.Previous = at(number - 1)
	}
	if number < p.Pager.Pages {
		p.Pager.Next = at(number + 1)
	}
	if number == 1 {
		if p.Refusals, p.More, err = s.refusals(c, store.RefusalFilter{Limit: maxRefusals}); err != nil {
			return err
		}
		p.More -= len(p.Refusals)
	}
	for _, f := range files {
		for i, fault := range f.Errors {
			words := *fault
			words.Reason = rd.fault(fault.Reason)
			f.Errors[i] = &words
		}
		p.Files = append(p.Files, ImportErrorView{f, rd.time(f.At, "")})
	}
	return s.render(c, http.StatusOK, "importerrors", p)
}
