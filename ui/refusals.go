package ui

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/store"
)

// maxRefusals bounds the refused pushes that a page looks at.
const maxRefusals = 200

// RefusalView is a refused push that is the last of its branch, told where one looks for
// the DAG that it did not become.
type RefusalView struct {
	PushView
	URL string // of the push in the list of pushes
}

// Faults are the lines of the reason, each of which is a fault of the model.
func (v RefusalView) Faults() []string { return strings.Split(v.Reason, "\n") }

// branchOf names a branch of a model's repository.
type branchOf struct{ project, branch string }

// refusals lists the branches whose last push was refused, and how many there are.
func (s *server) refusals(c echo.Context, f store.RefusalFilter) ([]RefusalView, int, error) {
	pushes, total, err := s.Store.Refusals(c.Request().Context(), f)
	if err != nil {
		return nil, 0, fmt.Errorf("list refused pushes: %w", err)
	}
	var views []RefusalView
	for _, push := range pushes {
		views = append(views, RefusalView{s.pushView(s.reader(c), push, false), refusalURL(push)})
	}
	return views, total, nil
}

// refusalURL is where a refused push is listed, with what can be done about it.
func refusalURL(push store.Push) string {
	return withQuery("/models", url.Values{"project": {push.Project}, "state": {string(store.PushRefused)}}) + "#push-" +
		strconv.FormatInt(push.ID, 10)
}

// refusalOf is the refused push at the head of a DAG's branch, nil when there is none.
func (s *server) refusalOf(c echo.Context, row store.DAGRow) (*RefusalView, error) {
	if row.Source.Project == "" || row.Archived {
		return nil, nil
	}
	found, _, err := s.refusals(c, store.RefusalFilter{Project: row.Source.Project, Branch: row.Source.Branch, Limit: 1})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// addRefusals marks the rows whose branch has a refused push at its head, and counts
// these.
func (s *server) addRefusals(c echo.Context, p *dagsPage) error {
	found, total, err := s.refusals(c, store.RefusalFilter{Limit: maxRefusals})
	if err != nil {
		return err
	}
	refused := map[branchOf]*RefusalView{}
	for i, r := range found {
		refused[branchOf{r.Project, r.Branch}] = &found[i]
	}
	for i := range p.Rows {
		row := &p.Rows[i]
		if !row.Archived && row.Source.Project != "" {
			row.Refused = refused[branchOf{row.Source.Project, row.Source.Branch}]
		}
	}
	p.Refusals = total
	return nil
}
