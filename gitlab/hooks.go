package gitlab

import (
	"context"
	"fmt"
	"strings"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// Hook is a project's webhook as dagwright wants it.
type Hook struct {
	URL string
	// Secret is a signing token when it starts with whsec_, else a secret token.
	// GitLab never tells it back.
	Secret string
	// Branches are the branches whose pushes are sent.
	Branches []string
	// Pipelines and MergeRequests subscribe to these events, too.
	Pipelines, MergeRequests bool
}

// HookChange says what EnsureHook did or would do.
type HookChange string

// The outcomes of EnsureHook.
const (
	HookAdded   HookChange = "added"
	HookUpdated HookChange = "updated"
	HookRotated HookChange = "secret rotated"
	HookSame    HookChange = "unchanged"
)

// EnsureHook adds the hook to a project, or brings the one with the same URL up
// to date; further ones with that URL are deleted. The secret is written again
// only with rotate, or when something else changes: GitLab does not show it. With dryRun
// nothing is changed.
func (c *Client) EnsureHook(ctx context.Context, project string, h Hook, rotate, dryRun bool) (HookChange, error) {
	ctx, cancel, err := c.begin(ctx, project)
	if err != nil {
		return "", err
	}
	defer cancel()
	present, err := c.hooksOf(ctx, project, h.URL)
	if err != nil {
		return "", err
	}
	if len(present) == 0 {
		if dryRun {
			return HookAdded, nil
		}
		if _, _, err := c.api.Projects.AddProjectHook(project, addOptions(h), api.WithContext(ctx)); err != nil {
			return "", callError("add hook", project, err)
		}
		return HookAdded, nil
	}
	change := HookSame
	switch {
	case len(present) > 1 || h.differs(present[0]):
		change = HookUpdated
	case rotate:
		change = HookRotated
	}
	if change == HookSame || dryRun {
		return change, nil
	}
	if _, _, err := c.api.Projects.EditProjectHook(project, present[0].ID, editOptions(h),
		api.WithContext(ctx)); err != nil {
		return "", callError(fmt.Sprintf("edit hook %d", present[0].ID), project, err)
	}
	for _, extra := range present[1:] {
		if _, err := c.api.Projects.DeleteProjectHook(project, extra.ID, api.WithContext(ctx)); err != nil {
			return "", callError(fmt.Sprintf("delete hook %d", extra.ID), project, err)
		}
	}
	return change, nil
}

// hooksOf lists a project's hooks with a URL.
func (c *Client) hooksOf(ctx context.Context, project, url string) ([]*api.ProjectHook, error) {
	options := &api.ListProjectHooksOptions{ListOptions: api.ListOptions{PerPage: 100, Page: 1}}
	var found []*api.ProjectHook
	for options.Page != 0 {
		hooks, response, err := c.api.Projects.ListProjectHooks(project, options, api.WithContext(ctx))
		if err != nil {
			return nil, callError("list hooks", project, err)
		}
		for _, hook := range hooks {
			if hook.URL == url {
				found = append(found, hook)
			}
		}
		options.Page = response.NextPage
	}
	return found, nil
}

// filter is the regular expression that lets the branches through. One filter
// serves all, so that a push to another branch sends nothing.
func (h Hook) filter() string { return "^(" + strings.Join(h.Branches, "|") + ")$" }

func (h Hook) differs(p *api.ProjectHook) bool {
	return !p.PushEvents || p.TagPushEvents || !p.EnableSSLVerification && strings.HasPrefix(h.URL, "https://") ||
		p.PushEventsBranchFilter != h.filter() || p.BranchFilterStrategy != "regex" ||
		p.PipelineEvents != h.Pipelines || p.MergeRequestsEvents != h.MergeRequests
}

func addOptions(h Hook) *api.AddProjectHookOptions {
	o := &api.AddProjectHookOptions{
		URL: &h.URL, Name: new("dagwright"), PushEvents: new(true), TagPushEvents: new(false),
		PushEventsBranchFilter: new(h.filter()), BranchFilterStrategy: new("regex"),
		PipelineEvents: &h.Pipelines, MergeRequestsEvents: &h.MergeRequests, EnableSSLVerification: new(true),
	}
	if strings.HasPrefix(h.Secret, "whsec_") {
		o.SigningToken = &h.Secret
	} else {
		o.Token = &h.Secret
	}
	return o
}

func editOptions(h Hook) *api.EditProjectHookOptions {
	o := &api.EditProjectHookOptions{
		URL: &h.URL, PushEvents: new(true), TagPushEvents: new(false),
		PushEventsBranchFilter: new(h.filter()), BranchFilterStrategy: new("regex"),
		PipelineEvents: &h.Pipelines, MergeRequestsEvents: &h.MergeRequests, EnableSSLVerification: new(true),
	}
	if strings.HasPrefix(h.Secret, "whsec_") {
		o.SigningToken = &h.Secret
	} else {
		o.Token = &h.Secret
	}
	return o
}
