package gitlabtest

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
)

// Hook is a project's hook.
type Hook struct {
	ID                      int64
	URL                     string
	Secret                  string // signing token or secret token; the API never tells it
	BranchFilter            string // a regular expression
	Pipelines, MergeRequest bool
	// Failures counts failed deliveries in a row. After four GitLab disables a hook.
	Failures int
}

// disabledAfter is how many failures in a row GitLab bears.
const disabledAfter = 4

// Disabled reports whether GitLab would deliver nothing for now.
func (h Hook) Disabled() bool { return h.Failures >= disabledAfter }

// Hooks returns a project's hooks.
func (s *Server) Hooks(path string) []Hook {
	p := s.project(path)
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(p.hooks)
}

// wants reports whether a hook takes pushes to a branch.
func (h Hook) wants(branch string) bool {
	filter, err := regexp.Compile(h.BranchFilter)
	return !h.Disabled() && branch != "" && err == nil && filter.MatchString(branch)
}

func describeHook(h Hook) map[string]any {
	return map[string]any{
		"id": h.ID, "url": h.URL, "push_events": true, "tag_push_events": false, "push_events_branch_filter": h.BranchFilter,
		"branch_filter_strategy": "regex", "pipeline_events": h.Pipelines, "merge_requests_events": h.MergeRequest,
		"enable_ssl_verification": true,
	}
}

func (s *Server) listHooks(w http.ResponseWriter, c *call) {
	s.mu.Lock()
	var out []any
	for _, h := range c.project.hooks {
		out = append(out, describeHook(h))
	}
	s.mu.Unlock()
	page(w, c, out)
}

// apply takes over what a call says of a hook.
func (h *Hook) apply(c *call) {
	h.URL, h.BranchFilter = c.text("url"), c.text("push_events_branch_filter")
	h.Pipelines, h.MergeRequest = c.truth("pipeline_events"), c.truth("merge_requests_events")
	for _, field := range []string{"token", "signing_token"} {
		if v := c.text(field); v != "" {
			h.Secret = v
		}
	}
}

func (s *Server) addHook(w http.ResponseWriter, c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastHook++
	h := Hook{ID: s.lastHook}
	h.apply(c)
	c.project.hooks = append(c.project.hooks, h)
	replyStatus(w, http.StatusCreated, describeHook(h))
}

// hookIndex finds the hook that a call names; the caller holds the lock.
func (s *Server) hookIndex(w http.ResponseWriter, c *call) int {
	id, _ := strconv.ParseInt(c.vars["hook"], 10, 64)
	i := slices.IndexFunc(c.project.hooks, func(h Hook) bool { return h.ID == id })
	if i < 0 {
		fail(w, http.StatusNotFound, "404 Not found")
	}
	return i
}

func (s *Server) editHook(w http.ResponseWriter, c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.hookIndex(w, c); i >= 0 {
		c.project.hooks[i].apply(c)
		reply(w, describeHook(c.project.hooks[i]))
	}
}

func (s *Server) deleteHook(w http.ResponseWriter, c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.hookIndex(w, c); i >= 0 {
		c.project.hooks = slices.Delete(c.project.hooks, i, i+1)
		w.WriteHeader(http.StatusNoContent)
	}
}
