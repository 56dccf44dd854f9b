package gitlabtest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// call is one request of the API, checked against the contract.
type call struct {
	*http.Request
	operation *operation
	vars      map[string]string
	query     url.Values
	body      map[string]any
	project   *project
}

// text returns a field of the body, "" when it is absent.
func (c *call) text(field string) string { s, _ := c.body[field].(string); return s }

// truth returns a field of the body, false when it is absent.
func (c *call) truth(field string) bool { b, _ := c.body[field].(bool); return b }

// serveAPI answers the REST calls of gitlab.Client, with GitLab's words. A request
// that breaks the contract fails the test.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("PRIVATE-TOKEN") != s.Token && r.Header.Get("Authorization") != "Bearer "+s.Token {
		fail(w, http.StatusUnauthorized, "401 Unauthorized")
		return
	}
	c, problem := readCall(r)
	if problem != "" {
		s.tb.Errorf("%s %s: %s", r.Method, r.URL, problem)
		fail(w, http.StatusBadRequest, problem)
		return
	}
	if s.failed(w, c) {
		return
	}
	if id, ok := c.vars["id"]; ok && strings.HasPrefix(c.operation.path, "/projects/") {
		if c.project = s.project(id); c.project == nil {
			fail(w, http.StatusNotFound, "404 Project Not Found")
			return
		}
	}
	s.answer(w, c) //nolint:contextcheck // events are sent even when whoever asked has left
}

// readCall reads a request. problem says what of it breaks the contract.
func readCall(r *http.Request) (c *call, problem string) {
	segments := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/api/v4/"), "/")
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		if err != nil {
			return nil, err.Error()
		}
		segments[i] = decoded
	}
	c = &call{Request: r, query: r.URL.Query()}
	if c.operation, c.vars = find(r.Method, segments); c.operation == nil {
		return nil, "the contract has no such call"
	}
	content, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	if err != nil {
		return nil, err.Error()
	}
	if len(content) > 0 {
		d := json.NewDecoder(strings.NewReader(string(content)))
		d.UseNumber()
		if err := d.Decode(&c.body); err != nil {
			return nil, "body: " + err.Error()
		}
	}
	if err := c.operation.check(c.query, c.body); err != nil {
		return nil, err.Error()
	}
	return c, ""
}

// answer hands a call to what answers it.
func (s *Server) answer(w http.ResponseWriter, c *call) {
	p := c.project
	switch c.operation.method + " " + c.operation.path {
	case "GET /personal_access_tokens/self":
		s.describeToken(w)
	case "GET /projects/:id":
		reply(w, s.describeProject(p))
	case "GET /groups/:id/projects":
		s.serveGroup(w, c)
	case "GET /projects/:id/repository/branches/:branch":
		p.serveBranch(w, c.Request, c.vars["branch"])
	case "DELETE /projects/:id/repository/branches/:branch":
		s.deleteBranch(w, c)
	case "GET /projects/:id/repository/commits/:sha":
		p.serveCommit(w, c.Request, c.vars["sha"])
	case "GET /projects/:id/repository/merge_base":
		p.serveMergeBase(w, c.Request)
	case "GET /projects/:id/repository/compare":
		p.serveCompare(w, c)
	case "GET /projects/:id/repository/tree":
		p.serveTree(w, c)
	case "GET /projects/:id/repository/files/:path/raw":
		p.serveRaw(w, c.Request, c.vars["path"])
	case "GET /projects/:id/repository/commits/:sha/statuses":
		s.listStatuses(w, c)
	case "POST /projects/:id/statuses/:sha":
		s.setStatus(w, c)
	case "GET /projects/:id/pipelines":
		s.listPipelines(w, c)
	case "GET /projects/:id/pipelines/:pipeline/jobs":
		s.listJobs(w, c)
	default:
		s.answerMore(w, c)
	}
}

// answerMore is the second half of answer: merge requests and hooks.
func (s *Server) answerMore(w http.ResponseWriter, c *call) {
	switch c.operation.method + " " + c.operation.path {
	case "GET /projects/:id/merge_requests":
		s.listRequests(w, c)
	case "POST /projects/:id/merge_requests":
		s.openRequest(w, c)
	case "PUT /projects/:id/merge_requests/:iid":
		s.updateRequest(w, c)
	case "PUT /projects/:id/merge_requests/:iid/merge":
		s.mergeRequest(w, c)
	case "GET /projects/:id/merge_requests/:iid/notes":
		s.listNotes(w, c)
	case "POST /projects/:id/merge_requests/:iid/notes":
		s.addNote(w, c)
	case "PUT /projects/:id/merge_requests/:iid/notes/:note":
		s.updateNote(w, c)
	case "GET /projects/:id/hooks":
		s.listHooks(w, c)
	case "POST /projects/:id/hooks":
		s.addHook(w, c)
	case "PUT /projects/:id/hooks/:hook":
		s.editHook(w, c)
	case "DELETE /projects/:id/hooks/:hook":
		s.deleteHook(w, c)
	}
}

// describeToken is the token of whoever asks, as the API shows it.
func (s *Server) describeToken(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]any{"id": 1, "name": "dagwright", "active": true, "revoked": false, "expires_at": nil}
	if s.tokenExpires != "" {
		out["expires_at"] = s.tokenExpires
	}
	reply(w, out)
}

// ExpireToken sets the day on which the token expires, as in 2026-03-01; "" for never.
func (s *Server) ExpireToken(day string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokenExpires = day
}

// describeProject is a project as the API shows it.
func (s *Server) describeProject(p *project) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]any{
		"id": p.id, "path_with_namespace": p.path, "web_url": s.URL + "/" + p.path, "default_branch": "main",
		"archived": p.archived,
	}
	if p.deleting {
		out["marked_for_deletion_on"] = "2026-01-31"
	}
	return out
}

func (s *Server) serveGroup(w http.ResponseWriter, c *call) {
	s.mu.Lock()
	var found []*project
	for path, p := range s.projects {
		if strings.HasPrefix(path, c.vars["id"]+"/") {
			found = append(found, p)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(found, func(a, b *project) int { return int(a.id - b.id) })
	all := make([]any, len(found))
	for i, p := range found {
		all[i] = s.describeProject(p)
	}
	page(w, c, all)
}

// page answers one page of a list, with GitLab's headers.
func page(w http.ResponseWriter, c *call, all []any) {
	number, size := 1, 20
	if n, err := strconv.Atoi(c.query.Get("page")); err == nil && n > 0 {
		number = n
	}
	if n, err := strconv.Atoi(c.query.Get("per_page")); err == nil && n > 0 {
		size = min(n, 100)
	}
	from := min((number-1)*size, len(all))
	to := min(from+size, len(all))
	next := ""
	if to < len(all) {
		next = strconv.Itoa(number + 1)
	}
	w.Header().Set("X-Next-Page", next)
	w.Header().Set("X-Total", strconv.Itoa(len(all)))
	reply(w, all[from:to:to])
}

func reply(w http.ResponseWriter, body any) { replyStatus(w, http.StatusOK, body) }

func replyStatus(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func fail(w http.ResponseWriter, status int, message string) {
	replyStatus(w, status, map[string]string{"message": message})
}
