package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	api "gitlab.com/gitlab-org/api/client-go/v2"

	"dagwright/dag"
)

// MergeRequest proposes the branch Source for Target, within one project.
type MergeRequest struct {
	Source, Target string
	Title          string
	Description    string // Markdown
}

// Proposal is a merge request in GitLab.
type Proposal struct {
	IID int64
	URL string
}

// Propose opens the merge request of a source branch, or brings the one that is
// open up to date: there is never a second one. Unchanged texts make no call
// that changes anything.
func (c *Client) Propose(ctx context.Context, project string, m MergeRequest) (Proposal, error) {
	ctx, cancel, err := c.begin(ctx, project)
	if err != nil {
		return Proposal{}, err
	}
	defer cancel()
	open, err := c.openRequest(ctx, project, m.Source, m.Target)
	if err != nil {
		return Proposal{}, err
	}
	title := cut(m.Title, 255)
	if open == nil {
		made, response, err := c.api.MergeRequests.CreateMergeRequest(project, &api.CreateMergeRequestOptions{
			Title: &title, Description: &m.Description, SourceBranch: &m.Source, TargetBranch: &m.Target,
			RemoveSourceBranch: new(true),
		}, api.WithContext(ctx))
		if statusCode(response) == http.StatusConflict { // somebody was faster
			if open, err = c.openRequest(ctx, project, m.Source, m.Target); err == nil && open == nil {
				err = fmt.Errorf("GitLab says that there is a merge request of %s already, and lists none: %w", m.Source,
					dag.ErrConflict)
			}
			if err != nil {
				return Proposal{}, err
			}
			return Proposal{open.IID, open.WebURL}, nil
		}
		if err != nil {
			return Proposal{}, callError("open merge request of "+m.Source, project, err)
		}
		return Proposal{made.IID, made.WebURL}, nil
	}
	if open.Title == title && open.Description == m.Description {
		return Proposal{open.IID, open.WebURL}, nil
	}
	_, _, err = c.api.MergeRequests.UpdateMergeRequest(project, open.IID, &api.UpdateMergeRequestOptions{
		Title: &title, Description: &m.Description,
	}, api.WithContext(ctx))
	if err != nil {
		return Proposal{}, callError(fmt.Sprintf("update merge request !%d", open.IID), project, err)
	}
	return Proposal{open.IID, open.WebURL}, nil
}

// openRequest finds the open merge request of a source branch, nil when there
// is none.
func (c *Client) openRequest(ctx context.Context, project, source, target string) (*api.BasicMergeRequest, error) {
	options := &api.ListProjectMergeRequestsOptions{State: new("opened"), SourceBranch: &source}
	if target != "" {
		options.TargetBranch = &target
	}
	found, _, err := c.api.MergeRequests.ListProjectMergeRequests(project, options, api.WithContext(ctx))
	if err != nil {
		return nil, callError("list merge requests", project, err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return found[0], nil
}

// Withdraw closes the open merge request of a source branch, with a note that
// says why, and deletes the branch. What does not exist is not an error.
func (c *Client) Withdraw(ctx context.Context, project, source, why string) error {
	ctx, cancel, err := c.begin(ctx, project)
	if err != nil {
		return err
	}
	defer cancel()
	open, err := c.openRequest(ctx, project, source, "")
	if err != nil {
		return err
	}
	if open != nil {
		if _, _, err := c.api.Notes.CreateMergeRequestNote(project, open.IID, &api.CreateMergeRequestNoteOptions{Body: &why},
			api.WithContext(ctx)); err != nil {
			return callError(fmt.Sprintf("write note on merge request !%d", open.IID), project, err)
		}
		if _, _, err := c.api.MergeRequests.UpdateMergeRequest(project, open.IID,
			&api.UpdateMergeRequestOptions{StateEvent: new("close")}, api.WithContext(ctx)); err != nil {
			return callError(fmt.Sprintf("close merge request !%d", open.IID), project, err)
		}
	}
	if _, err := c.api.Branches.DeleteBranch(project, source, api.WithContext(ctx)); err != nil &&
		!errors.Is(err, api.ErrNotFound) {
		return callError("delete branch "+source, project, err)
	}
	return nil
}

// MergeWhenReady makes GitLab merge a merge request once its pipeline has passed, or at
// once when it has none. GitLab says 405 or 422 while it does not know yet whether it
// can be merged; the error is then dag.ErrConflict: try again later.
func (c *Client) MergeWhenReady(ctx context.Context, project string, iid int64) error {
	ctx, cancel, err := c.begin(ctx, project)
	if err != nil {
		return err
	}
	defer cancel()
	_, response, err := c.api.MergeRequests.AcceptMergeRequest(project, iid,
		&api.AcceptMergeRequestOptions{AutoMerge: new(true)}, api.WithContext(ctx))
	switch status := statusCode(response); {
	case err == nil:
		return nil
	case status == http.StatusMethodNotAllowed, status == http.StatusUnprocessableEntity, status == http.StatusConflict:
		return fmt.Errorf("%w: %w", callError(fmt.Sprintf("merge !%d", iid), project, err), dag.ErrConflict)
	}
	return callError(fmt.Sprintf("merge !%d", iid), project, err)
}

// WriteNote writes a note on a merge request, or brings the one that begins with
// the same marker up to date. A marker is an HTML comment, which GitLab does not
// show.
func (c *Client) WriteNote(ctx context.Context, project string, iid int64, marker, text string) error {
	ctx, cancel, err := c.begin(ctx, project)
	if err != nil {
		return err
	}
	defer cancel()
	body := marker + "\n" + text
	options := &api.ListMergeRequestNotesOptions{ListOptions: api.ListOptions{PerPage: 100, Page: 1},
		OrderBy: new("created_at"), Sort: new("asc")}
	for options.Page != 0 {
		notes, response, err := c.api.Notes.ListMergeRequestNotes(project, iid, options, api.WithContext(ctx))
		if err != nil {
			return callError(fmt.Sprintf("list notes of merge request !%d", iid), project, err)
		}
		for _, n := range notes {
			if !strings.HasPrefix(n.Body, marker) {
				continue
			}
			if n.Body == body {
				return nil
			}
			_, _, err := c.api.Notes.UpdateMergeRequestNote(project, iid, n.ID, &api.UpdateMergeRequestNoteOptions{Body: &body},
				api.WithContext(ctx))
			if err != nil {
				return callError(fmt.Sprintf("update note of merge request !%d", iid), project, err)
			}
			return nil
		}
		options.Page = response.NextPage
	}
	_, _, err = c.api.Notes.CreateMergeRequestNote(project, iid, &api.CreateMergeRequestNoteOptions{Body: &body},
		api.WithContext(ctx))
	if err != nil {
		return callError(fmt.Sprintf("write note on merge request !%d", iid), project, err)
	}
	return nil
}
