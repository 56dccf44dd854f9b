package ui

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// DAGHead is what stands over every tab of a DAG.
type DAGHead struct {
	DAGRowView
	Tab  string
	Tabs []Tab
}

// Tab leads to one of the pages of a DAG.
type Tab struct {
	Name, Href string
	Current    bool
}

// dagHead reads a DAG for the page of one tab.
func (s *server) dagHead(c echo.Context, tab string) (DAGHead, error) {
	id := dagParam(c)
	row, err := s.Store.DAG(c.Request().Context(), id)
	if err != nil {
		return DAGHead{}, fmt.Errorf("%w", err)
	}
	h := DAGHead{DAGRowView: s.dagRowView(row, dagsQuery{Number: 1}), Tab: tab}
	h.Back = c.Request().URL.RequestURI()
	for i := range h.TagLinks {
		h.TagLinks[i].Href = withQuery("/", url.Values{"tag": {h.TagLinks[i].Name}})
	}
	for _, t := range []string{"Graph", "Runs", "Code", "Details"} {
		h.Tabs = append(h.Tabs, Tab{Name: t, Href: dagURL(id, map[string]string{"Graph": "graph", "Runs": "runs", "Code": "code", "Details": "details"}[t]), Current: t == tab})
	}
	return h, nil
}

// dagPage fills the frame of a DAG's page.
func (s *server) dagPage(c echo.Context, h DAGHead, title string) Page {
	p := s.page(c, title)
	p.Section = "dags"
	p.Events = withQuery("/events", url.Values{"dag": {string(h.ID)}})
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
	DAG       DAGHead
	Facts     []Fact
	Tasks     []taskFacts
	Removal   *store.Removal // asked for and not done
	Parsed    TimeView
	RemovedAt TimeView
}

// Fact is a name and a value, with a link where there is one.
type Fact struct{ Name, Value, Href string }

// taskFacts is a task of the definition.
type taskFacts struct {
	*dag.Task
	Command string
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
	p := detailsPage{Page: s.dagPage(c, h, string(h.ID)+" · details"), DAG: h, Facts: s.dagFacts(h.DAGRow)}
	for _, r := range removals {
		if r.DAG == h.ID {
			p.Removal, p.RemovedAt = &r, showTime(r.At, h.Timezone)
		}
	}
	for i := range h.DAG.Tasks {
		p.Tasks = append(p.Tasks, taskFacts{&h.DAG.Tasks[i], commandLine(&h.DAG.Tasks[i])})
	}
	return s.render(c, http.StatusOK, "details", p)
}

// dagFacts lists what a person may want to know of a DAG.
func (s *server) dagFacts(row store.DAGRow) []Fact {
	yesNo := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	facts := []Fact{
		{Name: "Description", Value: row.Description},
		{Name: "Owner", Value: row.Owner},
		{Name: "File", Value: row.File},
		{Name: "Version", Value: fmt.Sprint(row.Version), Href: dagURL(row.ID, "code")},
		{Name: "DAG repository commit", Value: row.DAGCommit},
		{Name: "Model repository", Value: row.Source.Project},
		{Name: "Model branch", Value: row.Source.Branch},
		{Name: "Model commit", Value: row.Source.Commit, Href: s.commitURL(row.Source.Project, row.Source.Commit)},
		{Name: "Read at", Value: showTime(row.ParsedAt, "").Title},
		{Name: "Start date", Value: showTime(row.StartDate, "").Title},
		{Name: "End date", Value: showTime(row.EndDate, "").Title},
		{Name: "Time zone", Value: row.Timezone},
		{Name: "Catch-up", Value: yesNo(row.Catchup)},
		{Name: "Active runs at most", Value: fmt.Sprint(row.MaxActiveRuns)},
		{Name: "Active tasks at most", Value: fmt.Sprint(row.MaxActiveTasks)},
		{Name: "Documentation", Value: row.DocMD},
	}
	if row.RunTimeout > 0 {
		facts = append(facts, Fact{Name: "Run time-out", Value: row.RunTimeout.String()})
	}
	var known []Fact
	for _, f := range facts {
		if f.Value != "" {
			known = append(known, f)
		}
	}
	return known
}
