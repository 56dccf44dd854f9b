package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// AuditList is a piece of the list of who did what.
type AuditList struct {
	Entries []AuditView
	User    string // whose acts; everybody's when empty
	Action  string // the page's own address, for its form
	First   string
	Older   string
}

// AuditView is an entry with links to what it is about.
type AuditView struct {
	store.AuditEntry
	At      TimeView
	What    string // the event in words
	Via     string // by what door it came, in words
	Details string
	DAGURL  string
	RunURL  string
}

// auditPage lists who did what in the whole instance.
type auditPage struct {
	Page
	DAGFilter string
	List      AuditList
}

func (s *server) audit(c echo.Context) error {
	id := c.QueryParam("dag")
	p := auditPage{Page: s.page(c, s.reader(c).t("Audit")), DAGFilter: id}
	p.Section, p.Live = "audit", "*"
	var err error
	p.List, err = s.auditList(c, dag.ID(id), "/audit")
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "audit", p)
}

// dagAuditPage lists who did what with one DAG.
type dagAuditPage struct {
	Page
	DAG  DAGHead
	List AuditList
}

func (s *server) dagAudit(c echo.Context) error {
	h, err := s.dagHead(c, "Audit")
	if err != nil {
		return err
	}
	p := dagAuditPage{Page: s.dagPage(c, h, string(h.ID)+" · "+s.reader(c).t("Audit")), DAG: h}
	if p.List, err = s.auditList(c, h.ID, dagURL(h.ID, "audit")); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "dagaudit", p)
}

// auditList reads a piece of the list; path is the page's own.
func (s *server) auditList(c echo.Context, id dag.ID, path string) (AuditList, error) {
	f := store.AuditFilter{DAG: id, User: c.QueryParam("user"), Before: before(c), Limit: pageSize}
	entries, _, err := s.Store.Audit(c.Request().Context(), f)
	if err != nil {
		return AuditList{}, fmt.Errorf("list audit entries: %w", err)
	}
	l := AuditList{User: f.User, Action: path}
	here := func(before string) string {
		v := url.Values{"user": {f.User}, "before": {before}}
		if path == "/audit" {
			v.Set("dag", string(id))
		}
		return withQuery(path, v)
	}
	rd := s.reader(c)
	for _, e := range entries {
		v := AuditView{
			AuditEntry: e, At: rd.time(e.At, ""), Details: rd.auditExtra(e.Extra),
			What: named(rd, auditWords, e.Event), Via: named(rd, viaWords, e.By.Via),
		}
		if e.DAG != "" {
			v.DAGURL = dagURL(e.DAG, "")
			if e.Run != "" {
				v.RunURL = runURL(e.DAG, e.Run)
			}
		}
		l.Entries = append(l.Entries, v)
	}
	if f.Before > 0 {
		l.First = here("")
	}
	if len(entries) == pageSize {
		l.Older = here(strconv.FormatInt(entries[len(entries)-1].ID, 10))
	}
	return l, nil
}
