package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	api "gitlab.com/gitlab-org/api/client-go/v2"

	"dagwright/dag"
)

// StatusState is the state of a commit's status.
type StatusState string

// The states that dagwright sets, of those that GitLab knows.
const (
	StatusPending  StatusState = "pending"
	StatusSuccess  StatusState = "success"
	StatusFailed   StatusState = "failed"
	StatusCanceled StatusState = "canceled"
)

// Status is what is shown beside a commit, as a job of an external stage.
type Status struct {
	Name        string // such as dagwright/scoring
	State       StatusState
	Branch      string
	TargetURL   string // where a click leads; may be empty
	Description string // one line; cut at 255 characters, GitLab's limit
}

// SetStatus sets a status of a commit. A status that is set already is not an error. The
// error is dag.ErrConflict when GitLab keeps another state and says that it cannot be
// left, and dag.ErrInvalid when GitLab takes no status of this commit at all (a limit of
// jobs, a commit that is gone): trying again is then useless.
func (c *Client) SetStatus(ctx context.Context, project, commit string, s Status) error {
	ctx, cancel, err := c.begin(ctx, project)
	if err != nil {
		return err
	}
	defer cancel()
	if !isHash(commit) {
		return fmt.Errorf("commit %.80q: want a full hash: %w", commit, dag.ErrInvalid)
	}
	options := &api.SetCommitStatusOptions{State: api.BuildStateValue(s.State), Name: &s.Name,
		Description: new(cut(s.Description, 255))}
	if s.Branch != "" {
		options.Ref = &s.Branch
	}
	if s.TargetURL != "" {
		options.TargetURL = &s.TargetURL
	}
	what := "set status " + s.Name + " of commit " + commit
	for try := 0; ; try++ {
		_, response, err := c.api.Commits.SetCommitStatus(project, commit, options, api.WithContext(ctx))
		if err == nil {
			return nil
		}
		switch status := statusCode(response); {
		case status == http.StatusConflict && try < lockedTries:
			// The pipeline is locked by another writer; GitLab asks to try again.
			if err := sleep(ctx, 100*time.Millisecond<<try); err != nil {
				return callError(what, project, err)
			}
		case status == http.StatusBadRequest && strings.Contains(err.Error(), "Cannot transition status"):
			return c.keptStatus(ctx, project, commit, s)
		case status == http.StatusUnprocessableEntity, errors.Is(err, api.ErrNotFound), status == http.StatusBadRequest:
			return fmt.Errorf("%w: %w", callError(what, project, err), dag.ErrInvalid)
		default:
			return callError(what, project, err)
		}
	}
}

// lockedTries bounds the tries against a locked pipeline.
const lockedTries = 4

// keptStatus reads back what a status is after GitLab refused to change it: most
// often it is what was wanted.
func (c *Client) keptStatus(ctx context.Context, project, commit string, s Status) error {
	options := &api.GetCommitStatusesOptions{Name: &s.Name}
	if s.Branch != "" {
		options.Ref = &s.Branch
	}
	found, _, err := c.api.Commits.GetCommitStatuses(project, commit, options, api.WithContext(ctx))
	if err != nil {
		return callError("read status "+s.Name+" of commit "+commit, project, err)
	}
	kept := "none"
	for _, f := range found {
		if kept = f.Status; kept == string(s.State) {
			return nil
		}
	}
	return fmt.Errorf("status %s of commit %s of %s is %s and GitLab does not let it become %s: %w", s.Name, commit,
		project, kept, s.State, dag.ErrConflict)
}

// statusCode is a reply's status, 0 when there was no reply.
func statusCode(r *api.Response) int {
	if r == nil || r.Response == nil {
		return 0
	}
	return r.StatusCode
}

// cut shortens a text to n characters and one line.
func cut(text string, n int) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return text
}

// sleep waits unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
