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

// DAGHead is what stands over every tab of a DAG.
type DAGHead struct {
	DAGRowView
	Tab    string
	Tabs   []Tab
	Former FormerPart
}

// Tab leads to one of the pages of a DAG.
type Tab struct {
	Name, Href string // Name is to be translated
	Current    bool
}

// dagTabs are the pages of a DAG, by name and address.
var dagTabs = []struct{ name, path string }{
	{say("Graph"), "graph"}, {say("Grid"), "grid"}, {say("Runs"), "runs"}, {say("Gantt"), "gantt"},
	{say("Code"), "code"}, {say("Details"), "details"}, {say("Audit"), "audit"},
}

// dagHead reads a DAG for the page of one tab.
func (s *server) dagHead(c echo.Context, tab string) (DAGHead, error) {
	id := dagParam(c)
	row, err := s.Store.DAG(c.Request().Context(), id)
	if err != nil {
		return DAGHead{}, fmt.Errorf("%w", err)
	}
	h := DAGHead{DAGRowView: s.dagRowView(s.reader(c), row, dagsQuery{Number: 1}), Tab: tab, Former: formerPart(c, id)}
	roles, err := s.roles(c.Request().Context(), id)
	if err != nil {
		return DAGHead{}, err
	}
	if h.Refused, err = s.refusalOf(c, row); err != nil {
		return DAGHead{}, err
	}
	h.Role, h.Back = roles[id], c.Request().URL.RequestURI()
	for i := range h.TagLinks {
		h.TagLinks[i].Href = withQuery("/", url.Values{"tag": {h.TagLinks[i].Name}})
	}
	for _, t := range dagTabs {
		h.Tabs = append(h.Tabs, Tab{Name: t.name, Href: dagURL(id, t.path), Current: t.name == tab})
	}
	return h, nil
}

// dagPage fills the frame of a DAG's page.
func (s *server) dagPage(c echo.Context, h DAGHead, title string) Page {
	p := s.page(c, title)
	p.Section, p.Live, p.LiveProject = "dags", string(h.ID), h.Source.Project
	return p
}

// toGraph leads from a DAG's plain address to its first tab.
func (s *server) toGraph(c echo.Context) error {
	if _, err := s.Store.DAG(c.Request().Context(), dagParam(c)); err != nil {
		return err
	}
	return c.Redirect(http.StatusFound, dagURL(dagParam(c), "graph"))
}

// detailsPage shows a DAG's definition as a table.
type detailsPage struct {
	Page
	DAG   DAGHead
	Facts []Fact
	// Docs is Markdown as its author wrote it; it is shown as text.
	Docs      string
	Tasks     []taskFacts
	Removal   *store.Removal // asked for and not done
	Parsed    TimeView
	RemovedAt TimeView
	// RemovalRetry is when a removal that failed is tried again.
	RemovalRetry TimeView
	promotionPart
	provenancePart
}

// Fact is a name and a value, with a link where there is one.
type Fact struct{ Name, Value, Href string } // Name is to be translated

// taskFacts is a task of the definition.
type taskFacts struct {
	*dag.Task
	Command string
	Delay   string // before the first retry
}

func (s *server) dagDetails(c echo.Context) error {
	h, err := s.dagHead(c, "Details")
	if err != nil {
		return err
	}
	removals, err := s.Store.PendingRemovals(c.Request().Context())
	if err != nil {
		return fmt.Errorf("list removals: %w", err)
	}
	rd := s.reader(c)
	p := detailsPage{Page: s.dagPage(c, h, string(h.ID)+" · "+rd.t("Details")), DAG: h, Facts: s.dagFacts(rd, h.DAGRow),
		Docs: h.DocMD}
	for _, r := range removals {
		if r.DAG == h.ID {
			r.Reason = rd.translated(r.Reason)
			p.Removal, p.RemovedAt, p.RemovalRetry = &r, rd.time(r.At, h.Timezone), rd.time(r.RetryAt, h.Timezone)
		}
	}
	for i := range h.DAG.Tasks {
		p.Tasks = append(p.Tasks,
			taskFacts{&h.DAG.Tasks[i], commandLine(&h.DAG.Tasks[i]), rd.duration(h.DAG.Tasks[i].RetryDelay)})
	}
	if p.promotionPart, err = s.promotionPart(c, h); err != nil {
		return err
	}
	if p.provenancePart, err = s.provenancePart(c, h, ""); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "details", p)
}

// dagFacts lists what a person may want to know of a DAG.
func (s *server) dagFacts(rd *reader, row store.DAGRow) []Fact {
	yesNo := map[bool]string{true: rd.t("yes"), false: rd.t("no")}
	facts := []Fact{
		{Name: say("Description"), Value: row.Description},
		{Name: say("Owner"), Value: row.Owner},
		{Name: say("File"), Value: row.File},
		{Name: say("Version"), Value: strconv.Itoa(row.Version), Href: dagURL(row.ID, "code")},
		{Name: say("DAG repository commit"), Value: row.DAGCommit},
		{Name: say("Model repository"), Value: row.Source.Project},
		{Name: say("Model branch"), Value: row.Source.Branch},
		{Name: say("Model commit"), Value: row.Source.Commit, Href: s.commitURL(row.Source.Project, row.Source.Commit)},
		{Name: say("Read at"), Value: rd.time(row.ParsedAt, row.Timezone).Text},
		{Name: say("Start date"), Value: rd.time(row.StartDate, row.Timezone).Text},
		{Name: say("End date"), Value: rd.time(row.EndDate, row.Timezone).Text},
		{Name: say("Time zone"), Value: row.Timezone},
		{Name: say("Catch-up"), Value: yesNo[row.Catchup]},
		{Name: say("Max active runs"), Value: strconv.Itoa(row.MaxActiveRuns)},
		{Name: say("Max active tasks"), Value: strconv.Itoa(row.MaxActiveTasks)},
	}
	if row.RunTimeout > 0 {
		facts = append(facts, Fact{Name: say("Run timeout"), Value: rd.duration(row.RunTimeout)})
	}
	return slices.DeleteFunc(facts, func(f Fact) bool { return f.Value == "" })
}
