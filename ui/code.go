package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"dagwright/store"
)

// codePage shows the spec file of one version.
type codePage struct {
	Page
	DAG       DAGHead
	Version   store.Version
	Created   TimeView
	Lines     []CodeLine
	Versions  []VersionView
	CommitURL string // of the model's commit
}

// VersionView is an entry of the list of versions.
type VersionView struct {
	Number  int
	Href    string
	Created TimeView
	Current bool
}

func (s *server) dagCode(c echo.Context) error {
	ctx := c.Request().Context()
	h, err := s.dagHead(c, "Code")
	if err != nil {
		return err
	}
	number := 0
	if text := c.QueryParam("version"); text != "" {
		if number, err = strconv.Atoi(text); err != nil || number < 1 {
			return notFound("There is no version %q of this DAG.", text)
		}
	}
	version, err := s.Store.Version(ctx, h.ID, number)
	if err != nil {
		return err
	}
	versions, err := s.Store.Versions(ctx, h.ID)
	if err != nil {
		return fmt.Errorf("list versions: %w", err)
	}
	p := codePage{
		Page: s.dagPage(c, h, string(h.ID)+" · code"), DAG: h, Version: version,
		Created: showTime(version.CreatedAt, h.Timezone), Lines: highlight(version.Source),
		CommitURL: s.commitURL(version.Spec.Source.Project, version.Spec.Source.Commit),
	}
	for _, v := range versions {
		p.Versions = append(p.Versions, VersionView{
			Number: v.Number, Created: showTime(v.CreatedAt, h.Timezone), Current: v.Number == version.Number,
			Href: withQuery(dagURL(h.ID, "code"), url.Values{"version": {strconv.Itoa(v.Number)}}),
		})
	}
	return s.render(c, http.StatusOK, "code", p)
}
