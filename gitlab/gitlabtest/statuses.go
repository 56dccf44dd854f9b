package gitlabtest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// Status is a commit's status.
type Status struct {
	Name, State, Ref, TargetURL, Description string
}

// Statuses returns the statuses of a commit, in the order in which they were first
// set.
func (s *Server) Statuses(path, commit string) []Status {
	p := s.project(path)
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(p.statuses[commit])
}

func (s *Server) listStatuses(w http.ResponseWriter, c *call) {
	s.mu.Lock()
	var out []any
	for i, st := range c.project.statuses[c.vars["sha"]] {
		if name := c.query.Get("name"); name == "" || name == st.Name {
			out = append(out, describeStatus(i, c.vars["sha"], st))
		}
	}
	s.mu.Unlock()
	page(w, c, out)
}

func describeStatus(id int, commit string, st Status) map[string]any {
	return map[string]any{
		"id": id + 1, "sha": commit, "ref": st.Ref, "status": st.State, "name": st.Name, "target_url": st.TargetURL,
		"description": st.Description,
	}
}

// setStatus follows GitLab's state machine as far as its refusals are known: a
// state cannot be entered from itself, except for the end states, and nothing goes
// back to pending.
func (s *Server) setStatus(w http.ResponseWriter, c *call) {
	commit := c.vars["sha"]
	if !c.project.known(c.Request, commit) {
		fail(w, http.StatusNotFound, "404 Commit Not Found")
		return
	}
	next := Status{Name: c.text("name"), State: c.text("state"), Ref: c.text("ref"), TargetURL: c.text("target_url"),
		Description: c.text("description")}
	if len([]rune(next.Description)) > 255 {
		fail(w, http.StatusBadRequest, "description is too long (maximum is 255 characters)")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := c.project.statuses[commit]
	i := slices.IndexFunc(all, func(st Status) bool { return st.Name == next.Name && st.Ref == next.Ref })
	if i < 0 {
		i = len(all)
		all = append(all, Status{})
	} else if before := all[i].State; before == next.State && (before == "pending" || before == "running") ||
		next.State == "pending" {
		event := map[string]string{"pending": "enqueue", "running": "run", "success": "success", "failed": "drop",
			"canceled": "cancel"}[next.State]
		fail(w, http.StatusBadRequest,
			fmt.Sprintf("Cannot transition status via :%s from :%s (Reason(s): Status cannot transition via %q)", event,
				before, event))
		return
	}
	all[i] = next
	if c.project.statuses == nil {
		c.project.statuses = map[string][]Status{}
	}
	c.project.statuses[commit] = all
	replyStatus(w, http.StatusCreated, describeStatus(i, commit, next))
}

// Job is a job of a pipeline.
type Job struct {
	Name, Stage, Status string
	AllowFailure        bool
}

// pipeline is a pipeline of a commit.
type pipeline struct {
	id          int64
	ref, commit string
	status      string
	jobs        []Job
}

// SetPipeline makes the newest pipeline of a branch's commit, or changes it.
func (s *Server) SetPipeline(path, branch, commit, status string, jobs ...Job) {
	p := s.project(path)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pl := range p.pipelines {
		if pl.ref == branch && pl.commit == commit {
			pl.status, pl.jobs = status, jobs
			return
		}
	}
	p.pipelines = append(p.pipelines,
		&pipeline{id: int64(len(p.pipelines) + 1), ref: branch, commit: commit, status: status, jobs: jobs})
}

func (s *Server) listPipelines(w http.ResponseWriter, c *call) {
	s.mu.Lock()
	var out []any
	for _, pl := range slices.Backward(c.project.pipelines) {
		if pl.commit == c.query.Get("sha") && pl.ref == c.query.Get("ref") {
			out = append(out, map[string]any{
				"id": pl.id, "sha": pl.commit, "ref": pl.ref, "status": pl.status,
				"web_url": fmt.Sprintf("%s/%s/-/pipelines/%d", s.URL, c.project.path, pl.id),
			})
		}
	}
	s.mu.Unlock()
	page(w, c, out)
}

func (s *Server) listJobs(w http.ResponseWriter, c *call) {
	s.mu.Lock()
	var out []any
	for _, pl := range c.project.pipelines {
		if strconv.FormatInt(pl.id, 10) != c.vars["pipeline"] {
			continue
		}
		for i, j := range pl.jobs {
			out = append(out,
				map[string]any{"id": i + 1, "name": j.Name, "stage": j.Stage, "status": j.Status, "allow_failure": j.AllowFailure})
		}
	}
	s.mu.Unlock()
	page(w, c, out)
}
