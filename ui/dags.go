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

// pageSize is the number of rows in lists that are cut into pages.
const pageSize = 50

// dagsPage is the DAG table.
type dagsPage struct {
	Page
	Branches     dag.Branches // that become DAGs
	Filters      []FilterView
	Query        dagsQuery
	Tags, Owners []Choice // to filter by
	Rows         []DAGRowView
	Total        int
	ImportErrors int
	Refusals     int    // branches that stand at a refused push
	Empty        string // why there are no rows: "none", "filtered", "" when there are some
	Archived     int    // archived DAGs that match where no other does
	ArchivedURL  string // the list of them
	Pager        Pager
	Sorts        map[string]SortView // by column
	WithoutTag   map[string]string   // chosen tag → address without it
	WithoutOwner string              // address without the chosen owner
	Pushes       int                 // recorded so far, where there is no DAG
	MayAct       bool                // whether the reader may act upon any of the rows
}

// SortView is the head of a column that sorts.
type SortView struct {
	Href  string
	Order string // "ascending", "descending", "" when not sorted by it
}

// FilterView is a button over the table.
type FilterView struct {
	Name    string // to be translated
	Href    string
	Count   int
	Current bool
}

// DAGRowView is a row of the table.
type DAGRowView struct {
	store.DAGRow
	Role       dag.Role // the reader's
	Href       string
	TriggerURL string
	DeleteURL  string
	RestoreURL string
	PauseURL   string
	AuditURL   string
	Back       string
	Runs       []Counter
	Tasks      []Counter
	TagLinks   []TagLink
	Schedule   ScheduleView
	Last, Next TimeView
	LastState  StateView
	LastURL    string
	Refused    *RefusalView // the push that the DAG's branch stands at, when it was refused
}

// TagLink is a tag and the list of DAGs that have it.
type TagLink struct{ Name, Href string }

// Pager leads through a list by page number.
type Pager struct {
	Page, Pages    int
	Previous, Next string // addresses, "" where there is none
}

// dagsQuery is the state of the table, which is all in its address.
type dagsQuery struct {
	State  string // "", active, paused, failed, running, archived
	Search string
	Tags   []string
	Owner  string
	Sort   string
	Number int // page, from 1
}

// stateArchived is the dagsQuery.State for archived DAGs, which no other state shows.
const stateArchived = "archived"

// dagSorts are the orders that the table offers, by column.
var dagSorts = map[string]string{"dag": "dag_id", "last": "last_run_start_date", "next": "next_dagrun_run_after"}

// maxChoices bounds the menus of tags and owners; the search finds the rest.
const maxChoices = 30

func readDAGsQuery(c echo.Context) dagsQuery {
	values := c.QueryParams()
	q := dagsQuery{
		State: values.Get("state"), Search: values.Get("q"), Owner: values.Get("owner"), Sort: values.Get("sort"),
		Number: 1,
	}
	for _, tag := range values["tag"] {
		if tag != "" {
			q.Tags = append(q.Tags, tag)
		}
	}
	// A page number that is none, or beyond what can be, means the first page.
	if n, err := strconv.Atoi(values.Get("page")); err == nil && n > 1 && n < 1_000_000 {
		q.Number = n
	}
	return q
}

// url writes the query as an address.
func (q dagsQuery) url() string {
	v := url.Values{"state": {q.State}, "q": {q.Search}, "owner": {q.Owner}, "sort": {q.Sort}, "tag": q.Tags}
	if q.Number > 1 {
		v.Set("page", strconv.Itoa(q.Number))
	}
	return withQuery("/", v)
}

// with returns the address of the first page of a changed query.
func (q dagsQuery) with(change func(*dagsQuery)) string {
	q.Tags = slices.Clone(q.Tags)
	q.Number = 1
	change(&q)
	return q.url()
}

// filter turns the query into the store's words.
func (q dagsQuery) filter() (store.DAGFilter, error) {
	f := store.DAGFilter{
		Search: q.Search, Tags: q.Tags, AllTags: true, OrderBy: q.Sort,
		Limit: pageSize, Offset: (q.Number - 1) * pageSize,
	}
	if q.Owner != "" {
		f.Owners = []string{q.Owner}
	}
	yes, no := true, false
	switch q.State {
	case "":
	case "active":
		f.Paused = &no
	case "paused":
		f.Paused = &yes
	case "failed":
		f.LastRunState = dag.RunFailed
	case "running":
		f.RunStates = []dag.RunState{dag.RunRunning}
	case stateArchived:
		f.OnlyArchived = true
	default:
		return f, invalid("There is no filter %q; there are active, paused, failed, running and archived.", q.State)
	}
	return f, nil
}

// dagTable shows the DAGs that match the query.
func (s *server) dagTable(c echo.Context) error {
	ctx := c.Request().Context()
	q := readDAGsQuery(c)
	f, err := q.filter()
	if err != nil {
		return err
	}
	rows, total, err := s.Store.DAGs(ctx, f)
	if err != nil {
		return fmt.Errorf("list DAGs: %w", err)
	}
	counts, err := s.Store.CountDAGs(ctx, f)
	if err != nil {
		return fmt.Errorf("count DAGs: %w", err)
	}
	_, broken, err := s.Store.ImportErrors(ctx, 1, 0)
	if err != nil {
		return fmt.Errorf("count import errors: %w", err)
	}
	rd := s.reader(c)
	p := dagsPage{
		Page: s.page(c, rd.t("DAGs")), Branches: s.Branches, Query: q, Total: total, ImportErrors: broken,
		Filters: q.filters(counts), Pager: q.pager(total), Sorts: q.sorts(), WithoutTag: map[string]string{},
	}
	p.Section, p.Live = "dags", "*"
	if err := s.addRows(c, &p, rows); err != nil {
		return err
	}
	if err := s.addRefusals(c, &p); err != nil {
		return err
	}
	for i, tag := range q.Tags {
		p.WithoutTag[tag] = q.with(func(q *dagsQuery) { q.Tags = slices.Delete(q.Tags, i, i+1) })
	}
	p.WithoutOwner = q.with(func(q *dagsQuery) { q.Owner = "" })
	if err := s.addChoices(c, &p); err != nil {
		return err
	}
	if total == 0 {
		p.Empty = "filtered"
		if q.State != stateArchived {
			p.Archived, p.ArchivedURL = counts.Archived, q.with(func(q *dagsQuery) { q.State = stateArchived })
		}
		if counts.All+counts.Archived == 0 && q.Search == "" && len(q.Tags) == 0 && q.Owner == "" {
			p.Empty = "none"
			pushes, err := s.Store.Pushes(ctx, store.PushFilter{Limit: 1})
			if err != nil {
				return fmt.Errorf("look for pushes: %w", err)
			}
			p.Pushes = len(pushes)
		}
	}
	return s.render(c, http.StatusOK, "dags", p)
}

func (s *server) addRows(c echo.Context, p *dagsPage, rows []store.DAGRow) error {
	ids := make([]dag.ID, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	roles, err := s.roles(c.Request().Context(), ids...)
	if err != nil {
		return err
	}
	for _, row := range rows {
		v := s.dagRowView(s.reader(c), row, p.Query)
		v.Role = roles[row.ID]
		p.Rows = append(p.Rows, v)
		p.MayAct = p.MayAct || v.Can(dag.RightPause)
	}
	return nil
}

// addChoices fills the menus of tags and owners.
func (s *server) addChoices(c echo.Context, p *dagsPage) error {
	if wantsFragment(c) {
		return nil // the menus are not refreshed
	}
	menus := s.choices
	if p.Query.State == stateArchived {
		menus = s.archived
	}
	tags, owners, err := menus.read(c.Request().Context(), s.Store, s.Now())
	if err != nil {
		return err
	}
	for _, tag := range tags {
		if !slices.Contains(p.Query.Tags, tag) {
			p.Tags = append(p.Tags, Choice{Value: tag, Name: tag})
		}
	}
	for _, owner := range owners {
		p.Owners = append(p.Owners, Choice{Value: owner, Name: owner, Current: owner == p.Query.Owner})
	}
	return nil
}

// sorts are the heads of the columns that sort.
func (q dagsQuery) sorts() map[string]SortView {
	views := map[string]SortView{}
	for column, by := range dagSorts {
		v := SortView{Href: q.with(func(q *dagsQuery) { q.Sort = toggleSort(q.Sort, by) })}
		switch q.Sort {
		case by:
			v.Order = "ascending"
		case "-" + by:
			v.Order = "descending"
		}
		views[column] = v
	}
	return views
}

// toggleSort sorts by a column, and the other way round when it is sorted by
// it already.
func toggleSort(now, by string) string {
	if now == by {
		return "-" + by
	}
	return by
}

// filters are the buttons 1 to 3 of the guide, and three more.
func (q dagsQuery) filters(n store.DAGCounts) []FilterView {
	var views []FilterView
	for _, f := range []struct {
		name, state string
		count       int
	}{
		{say("All"), "", n.All}, {say("Active"), "active", n.Active}, {say("Paused"), "paused", n.Paused},
		{say("Running"), "running", n.Running}, {say("Failed"), "failed", n.Failed},
		{say("Archived"), stateArchived, n.Archived},
	} {
		views = append(views, FilterView{Name: f.name, Count: f.count, Current: q.State == f.state,
			Href: q.with(func(q *dagsQuery) { q.State = f.state })})
	}
	return views
}

func (q dagsQuery) pager(total int) Pager {
	p := Pager{Page: q.Number, Pages: max(1, (total+pageSize-1)/pageSize)}
	at := func(n int) string { return q.with(func(q *dagsQuery) { q.Number = n }) }
	if p.Page > 1 {
		p.Previous = at(min(p.Page-1, p.Pages))
	}
	if p.Page < p.Pages {
		p.Next = at(p.Page + 1)
	}
	return p
}

// dagRowView makes a row; q is where its links lead back to.
func (s *server) dagRowView(rd *reader, row store.DAGRow, q dagsQuery) DAGRowView {
	v := DAGRowView{
		DAGRow: row, Href: dagURL(row.ID, "graph"), TriggerURL: dagURL(row.ID, "trigger"),
		DeleteURL: dagURL(row.ID, "delete"), RestoreURL: dagURL(row.ID, "restore"),
		PauseURL: dagURL(row.ID, "pause"), AuditURL: dagURL(row.ID, "audit"), Back: q.url(), Runs: runCounters(row),
		Schedule: scheduleView(rd, row),
	}
	for _, tag := range row.Tags {
		v.TagLinks = append(v.TagLinks, TagLink{tag, q.with(func(q *dagsQuery) {
			if !slices.Contains(q.Tags, tag) {
				q.Tags = append(q.Tags, tag)
			}
		})})
	}
	if !row.Paused && !row.Archived {
		v.Next = rd.time(row.Next.RunAfter, row.Timezone)
	}
	if run := row.LastRun; run != nil {
		v.Last, v.LastState, v.LastURL = rd.time(run.RunAfter, row.Timezone), runStateView(run.State), runURL(row.ID, run.ID)
		for _, state := range taskStates {
			if n := row.LastTasks[state]; n > 0 {
				v.Tasks = append(v.Tasks,
					Counter{StateView: taskStateView(state), N: n, What: say("tasks of the last run"), Href: v.LastURL})
			}
		}
	}
	return v
}

// runCounters are the circles of column 5 of the guide: always all four, so
// that a colour has its place.
func runCounters(row store.DAGRow) []Counter {
	var counters []Counter
	for _, state := range dag.RunStates {
		counters = append(counters, Counter{StateView: runStateView(state), N: row.RunCounts[state], What: say("runs"),
			Href: withQuery(dagURL(row.ID, "runs"), url.Values{"state": {string(state)}})})
	}
	return counters
}
