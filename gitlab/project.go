package gitlab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	api "gitlab.com/gitlab-org/api/client-go/v2"

	"dagwright/dag"
)

// ProjectInfo is what GitLab says of a project.
type ProjectInfo struct {
	ID       int64
	Path     string
	Archived bool
	// Deleting is set while GitLab keeps a project that somebody has deleted.
	Deleting bool
	WebURL   string
}

// LookUpProject asks for a project by its path or its id in digits. A path that a
// project once had leads nowhere: the id is what stays. The error is
// dag.ErrNotFound when GitLab answers 404, which it does also for a project that
// the token may not see any more: do not take it for a deletion by itself.
func (c *Client) LookUpProject(ctx context.Context, project string) (ProjectInfo, error) {
	ctx, cancel, err := c.begin(ctx, project)
	if err != nil {
		return ProjectInfo{}, err
	}
	defer cancel()
	p, _, err := c.api.Projects.GetProject(project, nil, api.WithContext(ctx))
	if errors.Is(err, api.ErrNotFound) {
		return ProjectInfo{}, fmt.Errorf("project %s: %w", project, dag.ErrNotFound)
	}
	if err != nil {
		return ProjectInfo{}, callError("read project", project, err)
	}
	return projectInfo(p)
}

func projectInfo(p *api.Project) (ProjectInfo, error) {
	if p.ID <= 0 || checkProject(p.PathWithNamespace) != nil {
		return ProjectInfo{}, fmt.Errorf("GitLab: project %d has the path %.200q, which is none", p.ID, p.PathWithNamespace)
	}
	return ProjectInfo{
		ID: p.ID, Path: p.PathWithNamespace, Archived: p.Archived, Deleting: p.MarkedForDeletionOn != nil, WebURL: p.WebURL,
	}, nil
}

// maxProjects bounds the projects of a group.
const maxProjects = 20_000

// GroupProjects lists the projects of a group and of the groups below it, by
// path.
func (c *Client) GroupProjects(ctx context.Context, group string) ([]ProjectInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	options := &api.ListGroupProjectsOptions{
		ListOptions: api.ListOptions{PerPage: 100, Page: 1}, IncludeSubGroups: new(true), WithShared: new(false),
	}
	var out []ProjectInfo
	for options.Page != 0 {
		projects, response, err := c.api.Groups.ListGroupProjects(group, options, api.WithContext(ctx))
		if err != nil {
			return nil, callError("list projects", "group "+group, err)
		}
		for _, p := range projects {
			info, err := projectInfo(p)
			if err != nil {
				return nil, err
			}
			out = append(out, info)
		}
		if len(out) > maxProjects {
			return nil, fmt.Errorf("group %s has more than %d projects: %w", group, maxProjects, dag.ErrInvalid)
		}
		options.Page = response.NextPage
	}
	slices.SortFunc(out, func(a, b ProjectInfo) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// RootNames lists the names in the root of the repository at a commit, the first
// thousand.
func (c *Client) RootNames(ctx context.Context, project, commit string) (names []string, err error) {
	ctx, cancel, err := c.begin(ctx, project)
	if err != nil {
		return nil, err
	}
	defer cancel()
	if !isHash(commit) {
		return nil, fmt.Errorf("commit %.80q: want a full hash: %w", commit, dag.ErrInvalid)
	}
	const most = 1000
	options := &api.ListTreeOptions{Ref: &commit, ListOptions: api.ListOptions{PerPage: 100, Page: 1}}
	for options.Page != 0 && len(names) < most {
		entries, response, err := c.api.Repositories.ListTree(project, options, api.WithContext(ctx))
		if err != nil {
			return nil, callError("list files", project, err)
		}
		for _, e := range entries {
			names = append(names, e.Name)
		}
		options.Page = response.NextPage
	}
	return names, nil
}

// HasFolder reports whether a repository has a folder at a commit. One without files does
// not exist in git.
func (c *Client) HasFolder(ctx context.Context, project, commit, path string) (bool, error) {
	ctx, cancel, err := c.begin(ctx, project)
	if err != nil {
		return false, err
	}
	defer cancel()
	if !isHash(commit) {
		return false, fmt.Errorf("commit %.80q: want a full hash: %w", commit, dag.ErrInvalid)
	}
	options := &api.ListTreeOptions{Ref: &commit, Path: &path, ListOptions: api.ListOptions{PerPage: 1, Page: 1}}
	entries, _, err := c.api.Repositories.ListTree(project, options, api.WithContext(ctx))
	if errors.Is(err, api.ErrNotFound) {
		// GitLab says so of a commit that is not there, too.
		if err := c.noFile(ctx, project, commit, path); !errors.Is(err, dag.ErrNotFound) {
			return false, err
		}
		return false, nil
	}
	if err != nil {
		return false, callError("list files", project, err)
	}
	return len(entries) > 0, nil
}

// ChangedPaths lists the files that differ between two commits, both names of a
// renamed one. whole is false when GitLab did not compare everything (it gives up
// on large differences): any file may have changed then. The error is
// dag.ErrNotFound when the project lacks either commit.
func (c *Client) ChangedPaths(ctx context.Context, project, from, to string) (paths []string, whole bool, err error) {
	ctx, cancel, err := c.begin(ctx, project)
	if err != nil {
		return nil, false, err
	}
	defer cancel()
	if !isHash(from) || !isHash(to) {
		return nil, false, fmt.Errorf("commits %.80q and %.80q: want full hashes: %w", from, to, dag.ErrInvalid)
	}
	// Straight: the two trees, also where history was rewritten.
	diff, _, err := c.api.Repositories.Compare(project, &api.CompareOptions{From: &from, To: &to, Straight: new(true)},
		api.WithContext(ctx))
	if errors.Is(err, api.ErrNotFound) {
		return nil, false, c.notFound(ctx, project, "commit "+from+" or "+to)
	}
	if err != nil {
		return nil, false, callError("compare commits", project, err)
	}
	const gitLabsLimit = 1000 // files in a comparison, unless an administrator raised it
	for _, d := range diff.Diffs {
		paths = append(paths, d.NewPath)
		if d.OldPath != d.NewPath {
			paths = append(paths, d.OldPath)
		}
	}
	return paths, !diff.CompareTimeout && len(diff.Diffs) < gitLabsLimit, nil
}
