package ui

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
)

// dagURL is the address of a DAG's page: dagURL(id, "runs").
func dagURL(id dag.ID, tab string) string {
	u := "/dags/" + url.PathEscape(string(id))
	if tab != "" {
		u += "/" + tab
	}
	return u
}

func runURL(id dag.ID, run dag.RunID) string {
	return dagURL(id, "runs/"+url.PathEscape(string(run)))
}

func taskURL(id dag.ID, run dag.RunID, task dag.TaskID) string {
	return runURL(id, run) + "/tasks/" + url.PathEscape(string(task))
}

// logURL is the address of one try's log; the newest one when try is 0.
func logURL(id dag.ID, run dag.RunID, task dag.TaskID, try int) string {
	u := taskURL(id, run, task) + "/log"
	if try > 0 {
		u += "?try=" + strconv.Itoa(try)
	}
	return u
}

// withQuery appends the values that are not empty.
func withQuery(path string, values url.Values) string {
	for key, vs := range values {
		if len(vs) == 0 || len(vs) == 1 && vs[0] == "" {
			delete(values, key)
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// pinned is the request's address with a value that it may have left to the
// server to choose.
func pinned(c echo.Context, name, value string) string {
	values := c.Request().URL.Query()
	values.Set(name, value)
	return c.Request().URL.EscapedPath() + "?" + values.Encode()
}

// withBack is an address whose page leads back to another one of this server when an act
// on it is done.
func withBack(href, back string) string {
	return href + "?" + url.Values{"back": {back}}.Encode()
}

// sameElsewhere is the address of the same page of another instance. That one has
// the same DAGs and runs of its own: of a run's pages the list of runs is the
// same, and of versions and pushes the newest.
func sameElsewhere(here string) string {
	u, err := url.Parse(here)
	if err != nil {
		return "/"
	}
	path := u.EscapedPath()
	if dagPath, _, ok := strings.Cut(path, "/runs/"); ok {
		return dagPath + "/runs"
	}
	query := u.Query()
	for _, own := range []string{"run", "after", "before", "from", "version", "base", "page"} {
		query.Del(own)
	}
	return withQuery(path, query)
}

// param returns a decoded path parameter. echo leaves it encoded exactly when
// the request's path was not written the usual way.
func param(c echo.Context, name string) string {
	raw := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return raw
	}
	text, err := url.PathUnescape(raw)
	if err != nil {
		return raw
	}
	return text
}

func dagParam(c echo.Context) dag.ID      { return dag.ID(param(c, "dag")) }
func runParam(c echo.Context) dag.RunID   { return dag.RunID(param(c, "run")) }
func taskParam(c echo.Context) dag.TaskID { return dag.TaskID(param(c, "task")) }

// localPath returns where a form wants to go back to when that is a path of
// this server, and otherwise the fallback: a form of another site must not
// send people elsewhere.
func localPath(wanted, fallback string) string {
	u, err := url.Parse(wanted)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return fallback
	}
	if !strings.HasPrefix(wanted, "/") || strings.HasPrefix(wanted, "//") || strings.ContainsAny(wanted, "\\\r\n\t") {
		return fallback
	}
	return wanted
}

// commitURL is the address of a model's commit in GitLab, "" when unknown.
func (s *server) commitURL(project, commit string) string {
	if s.GitLabURL == "" || project == "" || commit == "" {
		return ""
	}
	var parts []string
	for part := range strings.SplitSeq(project, "/") {
		parts = append(parts, url.PathEscape(part))
	}
	return strings.TrimSuffix(s.GitLabURL, "/") + "/" + strings.Join(parts, "/") + "/-/commit/" + url.PathEscape(commit)
}

func queryEscape(text string) string { return url.QueryEscape(text) }

func shortCommit(commit string) string {
	if len(commit) > 8 {
		return commit[:8]
	}
	return commit
}
