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

// sendEvents sends an event for each ref that differs, in the order of names.
func (s *Server) sendEvents(p *project, before, after map[string]string) {
	if s.HookURL == "" {
		return
	}
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, ref := range slices.Sorted(maps.Keys(all)) {
		if before[ref] != after[ref] {
			s.sendEvent(s.describe(p, ref, before[ref], after[ref]))
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

// sendEvent sends one event and writes down the answer. Like GitLab it does not
// send it again.
func (s *Server) sendEvent(push gitlab.Push) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.tb.Context()), 10*time.Second)
	defer cancel()
	d := Delivery{Push: push}
	request, err := gitlab.NewPushRequest(ctx, s.HookURL, s.HookSecret, push)
	if err == nil {
		var response *http.Response
		if response, err = http.DefaultClient.Do(request); err == nil {
			answer, readErr := io.ReadAll(io.LimitReader(response.Body, 8<<10))
			err = errors.Join(readErr, response.Body.Close())
			d.Status, d.Answer = response.StatusCode, string(answer)
		}
	}
	if err != nil {
		d.Answer = err.Error()
	}
	s.mu.Lock()
	s.deliveries = append(s.deliveries, d)
	s.mu.Unlock()
}
