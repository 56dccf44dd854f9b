package gitlabtest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// MergeRequest is a merge request of a project.
type MergeRequest struct {
	IID                int64
	Source, Target     string
	Title, Description string
	State              string // opened, closed, merged
	Notes              []string
}

// MergeRequests returns a project's merge requests, the oldest first.
func (s *Server) MergeRequests(path string) []MergeRequest {
	p := s.project(path)
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []MergeRequest
	for _, m := range p.requests {
		copied := *m
		copied.Notes = slices.Clone(m.Notes)
		out = append(out, copied)
	}
	return out
}

// OpenMergeRequest opens a merge request as somebody would, and returns its number.
func (s *Server) OpenMergeRequest(path, source, target string) int64 {
	p := s.project(path)
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &MergeRequest{IID: int64(len(p.requests) + 1), Source: source, Target: target, Title: "Merge " + source,
		State: "opened"}
	p.requests = append(p.requests, m)
	return m.IID
}

// Merge merges a merge request as somebody would, and sends the push event.
func (s *Server) Merge(path string, iid int64) {
	s.tb.Helper()
	p := s.project(path)
	s.mu.Lock()
	m := p.requests[iid-1]
	s.mu.Unlock()
	if err := s.merge(p, m); err != nil {
		s.tb.Fatal(err)
	}
}

// merge makes a merge commit, and deletes the source branch.
func (s *Server) merge(p *project, m *MergeRequest) error {
	ctx := s.tb.Context()
	err := s.pushing(p, func() error {
		tree, err := git(ctx, p.dir, "merge-tree", "--write-tree", m.Target, m.Source)
		if err != nil {
			return err
		}
		commit, err := git(ctx, p.dir, "commit-tree", "-p", m.Target, "-p", m.Source, "-m",
			"Merge branch '"+m.Source+"'", tree)
		if err != nil {
			return err
		}
		if _, err := git(ctx, p.dir, "update-ref", "refs/heads/"+m.Target, commit); err != nil {
			return err
		}
		_, err = git(ctx, p.dir, "update-ref", "-d", "refs/heads/"+m.Source)
		return err
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	m.State = "merged"
	s.mu.Unlock()
	return nil
}

func (s *Server) describeRequest(p *project, m *MergeRequest) map[string]any {
	return map[string]any{
		"id": m.IID, "iid": m.IID, "title": m.Title, "description": m.Description, "state": m.State,
		"source_branch": m.Source, "target_branch": m.Target,
		"web_url": fmt.Sprintf("%s/%s/-/merge_requests/%d", s.URL, p.path, m.IID),
	}
}

func (s *Server) listRequests(w http.ResponseWriter, c *call) {
	s.mu.Lock()
	var out []any
	for _, m := range slices.Backward(c.project.requests) {
		state, source, target := c.query.Get("state"), c.query.Get("source_branch"), c.query.Get("target_branch")
		if (state == "" || state == "all" || state == m.State) && (source == "" || source == m.Source) &&
			(target == "" || target == m.Target) {
			out = append(out, s.describeRequest(c.project, m))
		}
	}
	s.mu.Unlock()
	page(w, c, out)
}

func (s *Server) openRequest(w http.ResponseWriter, c *call) {
	p, source := c.project, c.text("source_branch")
	if _, err := git(c.Context(), p.dir, "rev-parse", "--verify", "--quiet", "refs/heads/"+source); err != nil {
		replyStatus(w, http.StatusBadRequest, map[string]any{"message": []string{"The source branch does not exist"}})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range p.requests {
		if m.State == "opened" && m.Source == source && m.Target == c.text("target_branch") {
			replyStatus(w, http.StatusConflict,
				map[string]any{"message": []string{fmt.Sprintf(
					"Another open merge request already exists for this source branch: !%d", m.IID)}})
			return
		}
	}
	m := &MergeRequest{
		IID: int64(len(p.requests) + 1), Source: source, Target: c.text("target_branch"), Title: c.text("title"),
		Description: c.text("description"), State: "opened",
	}
	p.requests = append(p.requests, m)
	replyStatus(w, http.StatusCreated, s.describeRequest(p, m))
}

// request finds the merge request that a call names; it answers 404 when there is
// none. The caller holds no lock.
func (s *Server) request(w http.ResponseWriter, c *call) *MergeRequest {
	iid, _ := strconv.ParseInt(c.vars["iid"], 10, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	if iid < 1 || iid > int64(len(c.project.requests)) {
		fail(w, http.StatusNotFound, "404 Not found")
		return nil
	}
	return c.project.requests[iid-1]
}

func (s *Server) updateRequest(w http.ResponseWriter, c *call) {
	m := s.request(w, c)
	if m == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if title := c.text("title"); title != "" {
		m.Title = title
	}
	if _, ok := c.body["description"]; ok {
		m.Description = c.text("description")
	}
	if c.text("state_event") == "close" {
		m.State = "closed"
	}
	reply(w, s.describeRequest(c.project, m))
}

// mergeRequest merges at once: the DAG repository of a test has no pipeline to
// wait for.
func (s *Server) mergeRequest(w http.ResponseWriter, c *call) {
	m := s.request(w, c)
	if m == nil {
		return
	}
	s.mu.Lock()
	open := m.State == "opened"
	s.mu.Unlock()
	if !open || s.merge(c.project, m) != nil { //nolint:contextcheck // a merge is not broken off when whoever asked has left
		fail(w, http.StatusMethodNotAllowed, "405 Method Not Allowed")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	reply(w, s.describeRequest(c.project, m))
}

func describeNote(id int, body string) map[string]any {
	return map[string]any{"id": id + 1, "body": body}
}

func (s *Server) listNotes(w http.ResponseWriter, c *call) {
	m := s.request(w, c)
	if m == nil {
		return
	}
	s.mu.Lock()
	var out []any
	for i, note := range m.Notes {
		out = append(out, describeNote(i, note))
	}
	s.mu.Unlock()
	page(w, c, out)
}

func (s *Server) addNote(w http.ResponseWriter, c *call) {
	m := s.request(w, c)
	if m == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Notes = append(m.Notes, c.text("body"))
	replyStatus(w, http.StatusCreated, describeNote(len(m.Notes)-1, c.text("body")))
}

func (s *Server) updateNote(w http.ResponseWriter, c *call) {
	m := s.request(w, c)
	if m == nil {
		return
	}
	id, _ := strconv.Atoi(c.vars["note"])
	s.mu.Lock()
	defer s.mu.Unlock()
	if id < 1 || id > len(m.Notes) {
		fail(w, http.StatusNotFound, "404 Not found")
		return
	}
	m.Notes[id-1] = c.text("body")
	reply(w, describeNote(id-1, c.text("body")))
}
