package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/rogpeppe/go-internal/diff"

	"dagwright/store"
)

// codePage shows the spec file of one version, or what changed since another.
type codePage struct {
	Page
	DAG       DAGHead
	Version   store.Version
	Created   TimeView
	Lines     []CodeLine
	Base      int // the version that this one is compared with; 0 for none
	Diff      []DiffLine
	Plain     string // address without the comparison
	Previous  string // address of the comparison with the version before
	Versions  []VersionView
	CommitURL string // of the model's commit
}

// DiffLine is a line of a comparison. Class is "add", "cut", "hunk" or "".
type DiffLine struct{ Class, Text string }

// VersionView is an entry of the list of versions.
type VersionView struct {
	Number  int
	Href    string
	DiffURL string // compares it with the one shown
	Created TimeView
	Current bool
}

func (s *server) dagCode(c echo.Context) error {
	ctx, rd := c.Request().Context(), s.reader(c)
	h, err := s.dagHead(c, "Code")
	if err != nil {
		return err
	}
	number, err := versionParam(c, "version")
	if err != nil {
		return err
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
		Page: s.dagPage(c, h, string(h.ID)+" · "+rd.t("Code")), DAG: h, Version: version,
		Created: rd.time(version.CreatedAt, h.Timezone), Lines: highlight(version.Source),
		CommitURL: s.commitURL(version.Spec.Source.Project, version.Spec.Source.Commit),
	}
	p.Self = pinned(c, "version", strconv.Itoa(version.Number)) // a new version does not change what is read
	here := func(version, base int) string {
		v := url.Values{"version": {strconv.Itoa(version)}}
		if base > 0 {
			v.Set("diff", strconv.Itoa(base))
		}
		return withQuery(dagURL(h.ID, "code"), v)
	}
	for _, v := range versions {
		view := VersionView{Number: v.Number, Created: rd.time(v.CreatedAt, h.Timezone), Current: v.Number == version.Number,
			Href: here(v.Number, 0)}
		if !view.Current {
			view.DiffURL = here(version.Number, v.Number)
		}
		p.Versions = append(p.Versions, view)
	}
	p.Plain = here(version.Number, 0)
	if version.Number > 1 {
		p.Previous = here(version.Number, version.Number-1)
	}
	if err := s.addDiff(c, &p); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "code", p)
}

// versionParam reads the number of a version; 0 when none is named.
func versionParam(c echo.Context, name string) (int, error) {
	text := c.QueryParam(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, notFound("There is no version %q of this DAG.", text)
	}
	return n, nil
}

// addDiff compares the version with the one that the request names.
func (s *server) addDiff(c echo.Context, p *codePage) error {
	base, err := versionParam(c, "diff")
	if err != nil || base == 0 {
		return err
	}
	old, err := s.Store.Version(c.Request().Context(), p.DAG.ID, base)
	if err != nil {
		return err
	}
	p.Base, p.Diff = base, diffLines(old.Source, p.Version.Source)
	return nil
}

// diffLines compares two files line by line; no lines when they are equal.
func diffLines(from, to string) []DiffLine {
	text := string(diff.Diff("old", []byte(from), "new", []byte(to)))
	var out []DiffLine
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if i < 3 { // the names of the files
			continue
		}
		out = append(out, DiffLine{diffClass(line), line})
	}
	return out
}

// diffClass is the Class of a line of a difference.
func diffClass(line string) string {
	switch {
	case strings.HasPrefix(line, "+"):
		return "add"
	case strings.HasPrefix(line, "-"):
		return "cut"
	case strings.HasPrefix(line, "@@"):
		return "hunk"
	}
	return ""
}
