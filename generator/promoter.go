package generator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dagwright/dag"
	"dagwright/gitlab"
	"dagwright/gitrepo"
	"dagwright/review"
)

// Promoter offers DAGs of one DAG repository to another, that of the next
// instance.
type Promoter struct {
	// From and To are clones of the two DAG repositories, and FromProject and
	// ToProject their GitLab paths.
	From, To               *gitrepo.Repo
	FromProject, ToProject string
	GitLab                 *gitlab.Client
	// Overlay is what the next instance requires.
	Overlay Overlay
	// Now is the clock.
	Now func() time.Time
}

// Promotion is one spec on its way: the file at a commit of the DAG repository that
// it comes from.
type Promotion struct {
	DAG          dag.ID
	Path, Commit string
	By           string // who promotes it

	content []byte // with the overlay
}

// Take reads a DAG's spec at a commit and applies the overlay. The promotion's
// commit is the one that brought the file to what it is, so that promoting it again
// from a later commit is the same promotion. From must have the commit: fetch it
// first. The error is dag.ErrInvalid for a spec that cannot be promoted.
func (p *Promoter) Take(id dag.ID, path, commit, by string) (Promotion, error) {
	source, err := p.From.ReadFile(commit, path, maxSpecSize)
	if err != nil {
		return Promotion{}, fmt.Errorf("read %s of %s at %s: %w", path, p.FromProject, short(commit), err)
	}
	if err := p.checkDefaults(path, commit); err != nil {
		return Promotion{}, err
	}
	if since, err := p.From.Since(commit, path); err == nil {
		commit = since
	} else if !errors.Is(err, dag.ErrNotFound) {
		return Promotion{}, err
	}
	content, err := Promote(path, source, p.Overlay, p.FromProject+"@"+commit)
	if err != nil {
		return Promotion{}, err
	}
	return Promotion{DAG: id, Path: path, Commit: commit, By: by, content: content}, nil
}

// checkDefaults refuses a spec that is not whole without a file of defaults: that
// one is not promoted.
func (p *Promoter) checkDefaults(path, commit string) error {
	for dir := path; dir != ""; {
		at := strings.LastIndexByte(dir, '/')
		dir = dir[:max(at, 0)]
		for _, name := range dag.DefaultsNames() {
			file := strings.TrimPrefix(dir+"/"+name, "/")
			_, err := p.From.ReadFile(commit, file, maxSpecSize)
			switch {
			case err == nil:
				return fmt.Errorf("%s takes values from %s, which is not promoted: write them into the spec: %w", path, file,
					dag.ErrInvalid)
			case !errors.Is(err, dag.ErrNotFound):
				return err
			}
		}
	}
	return nil
}

// Compare shows what a promotion changes in the next instance. It fetches To.
func (p *Promoter) Compare(ctx context.Context, m Promotion) (review.Change, error) {
	head, err := p.To.Fetch(ctx)
	if err != nil {
		return review.Change{}, fmt.Errorf("fetch the DAG repository to promote to: %w", err)
	}
	return p.change(head, m)
}

// change compares with a head of To.
func (p *Promoter) change(head string, m Promotion) (review.Change, error) {
	var before []byte
	if head != "" {
		content, err := p.To.ReadFile(head, m.Path, maxSpecSize)
		if err != nil && !errors.Is(err, dag.ErrNotFound) {
			return review.Change{}, err
		}
		before = content
	}
	return review.Load(m.Path, string(before), string(m.content)), nil
}

// Propose opens the merge request of a promotion, or brings the one that is open
// up to date, and returns its URL. The URL is empty when nothing is left to
// promote; an open merge request of the DAG is then closed.
func (p *Promoter) Propose(ctx context.Context, m Promotion) (url string, err error) {
	var c review.Change
	branch := "dagwright/promote/" + string(m.DAG)
	title := fmt.Sprintf("Promote %s from %s at %s", m.DAG, p.FromProject, short(m.Commit))
	commit, _, err := p.To.Propose(ctx, branch, gitrepo.Commit{
		Message: fmt.Sprintf("%s\n\nPromoted-From: %s@%s %s\nPromoted-By: %s\n", title, p.FromProject, m.Commit,
			m.Path, m.By),
		AuthorName: authorName, AuthorEmail: AuthorEmail, When: p.Now(),
		Changes: func(head string) (_ []gitrepo.Change, err error) {
			if c, err = p.change(head, m); err != nil || c.Diff() == "" {
				return nil, err
			}
			return []gitrepo.Change{{Path: m.Path, Content: m.content}}, nil
		},
	})
	if err != nil {
		return "", fmt.Errorf("promote %s: %w", m.DAG, err)
	}
	if commit == "" {
		return "", p.GitLab.Withdraw(ctx, p.ToProject, branch, "dagwright: the same is there already.")
	}
	proposal, err := p.GitLab.Propose(ctx, p.ToProject, gitlab.MergeRequest{
		Source: branch, Target: p.To.Branch, Title: title, Description: p.describe(m, c),
	})
	return proposal.URL, err
}

func (p *Promoter) describe(m Promotion, c review.Change) string {
	return fmt.Sprintf("`%s` promotes [`%s` at `%s`](%s/%s/-/blob/%s/%s) of %s.\n\n%s",
		strings.ReplaceAll(cmp.Or(m.By, "somebody"), "`", "'"),
		m.Path, short(m.Commit), p.GitLab.WebURL(), p.FromProject, m.Commit, m.Path, p.FromProject, c.Markdown(p.Now()))
}
