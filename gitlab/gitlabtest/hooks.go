package gitlabtest

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"dagwright/gitlab"
)

// maxRefs is how many refs of one kind a push may move and still send events
// (GitLab's push_event_hooks_limit).
const maxRefs = 3

// sendEvents sends an event for each ref that differs, in the order of names, and
// none when there are too many.
func (s *Server) sendEvents(p *project, before, after map[string]string) {
	all := maps.Clone(before)
	maps.Copy(all, after)
	var moved []string
	for _, ref := range slices.Sorted(maps.Keys(all)) {
		if before[ref] != after[ref] {
			moved = append(moved, ref)
		}
	}
	if len(moved) > maxRefs {
		return
	}
	for _, ref := range moved {
		push := s.describe(p, ref, before[ref], after[ref])
		if s.HookURL != "" {
			s.sendEvent(s.HookURL, s.HookSecret, push)
		}
		branch, _ := strings.CutPrefix(ref, "refs/heads/")
		for _, h := range s.Hooks(p.path) {
			if h.wants(branch) {
				s.count(p, h.ID, s.sendEvent(h.URL, h.Secret, push))
			}
		}
	}
}

// count counts failures in a row of a project's hook.
func (s *Server) count(p *project, hook int64, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range p.hooks {
		if p.hooks[i].ID != hook {
			continue
		}
		p.hooks[i].Failures++
		if status/100 == 2 {
			p.hooks[i].Failures = 0
		}
	}
}

// describe says about a moved ref what GitLab would.
func (s *Server) describe(p *project, ref, before, after string) gitlab.Push {
	ctx := s.tb.Context()
	zeros := strings.Repeat("0", 40)
	push := gitlab.Push{
		ProjectID: p.id, Project: p.path, Ref: ref, Before: before, After: after,
		WebURL: s.URL + "/" + p.path, GitHTTPURL: s.CloneURL(p.path), UserName: "Ann Author", UserUsername: "ann",
	}
	if before == "" {
		push.Before = zeros
	}
	if after == "" {
		push.After = zeros
		return push
	}
	if message, err := git(ctx, p.dir, "log", "-1", "--format=%B", after); err == nil {
		push.Message = message
		push.Title, _, _ = strings.Cut(message, "\n")
	}
	count := []string{"rev-list", "--count", after}
	if before != "" {
		count = append(count, "^"+before)
	}
	if n, err := git(ctx, p.dir, count...); err == nil {
		push.Commits, _ = strconv.ParseInt(n, 10, 64)
	}
	return push
}

// sendEvent sends one push event and writes down the answer, whose status it
// returns. Like GitLab it does not send it again.
func (s *Server) sendEvent(url, secret string, push gitlab.Push) int {
	ctx, cancel := s.hookContext()
	defer cancel()
	request, err := gitlab.NewPushRequest(ctx, url, secret, push)
	if err != nil {
		s.tb.Errorf("build push event: %v", err)
		return 0
	}
	return s.deliver(request, Delivery{Push: push})
}

// SendEvent sends an event of any kind to HookURL, as GitLab does, and returns the
// answer's status.
func (s *Server) SendEvent(kind, body string) int {
	ctx, cancel := s.hookContext()
	defer cancel()
	request, err := gitlab.NewEventRequest(ctx, s.HookURL, s.HookSecret, kind, []byte(body))
	if err != nil {
		s.tb.Errorf("build event: %v", err)
		return 0
	}
	return s.deliver(request, Delivery{})
}

// hookContext gives a hook GitLab's own time, also after the test has ended.
func (s *Server) hookContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(s.tb.Context()), 10*time.Second)
}

func (s *Server) deliver(request *http.Request, d Delivery) int {
	d.Event = request.Header.Get("X-Gitlab-Event")
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		answer, readErr := io.ReadAll(io.LimitReader(response.Body, 8<<10))
		err = errors.Join(readErr, response.Body.Close())
		d.Status, d.Answer = response.StatusCode, string(answer)
	}
	if err != nil {
		d.Answer = err.Error()
	}
	s.mu.Lock()
	s.deliveries = append(s.deliveries, d)
	s.mu.Unlock()
	return d.Status
}
