package generator

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dagwright/dag"
	"dagwright/gitlab"
	"dagwright/gitrepo"
	"dagwright/review"
	"dagwright/store"
)

// proposeAll brings each change to a branch of its own in the DAG repository,
// with a merge request.
func (g *Generator) proposeAll(ctx context.Context, work []change) []store.PushResult {
	results := make([]store.PushResult, len(work))
	for i, c := range work {
		r, err := g.propose(ctx, c)
		var drift *driftError
		switch {
		case errors.As(err, &drift):
			r = result(c, outcome{drift: drift}, "")
		case errors.Is(err, dag.ErrInvalid):
			r = store.PushResult{ID: c.push.ID, State: store.PushRefused, Reason: err.Error()}
		case err != nil:
			g.Logger.Warn("propose to the DAG repository", "project", c.push.Project, "err", err)
			r = g.later(c.push, err)
		}
		results[i] = r
	}
	return results
}

// proposalBranch is the one branch of a model's branch. It cannot be another's:
// no project has a path below another project's.
func proposalBranch(p store.Push) string { return "dagwright/" + p.Project + "/" + p.Branch }

// propose makes or updates the merge request of one change, and withdraws it when
// the DAG repository holds the files already.
func (g *Generator) propose(ctx context.Context, c change) (store.PushResult, error) {
	branch := proposalBranch(c.push)
	commit, _, err := g.Repo.Propose(ctx, branch, gitrepo.Commit{
		Message: message([]change{c}), AuthorName: authorName, AuthorEmail: AuthorEmail, When: g.Now(),
		Changes: func(head string) ([]gitrepo.Change, error) { return g.difference(head, c) },
	})
	if err != nil {
		return store.PushResult{}, err
	}
	if commit == "" {
		const why = "dagwright: the DAG repository holds these files already; nothing is left to merge."
		if err := g.GitLab.Withdraw(ctx, g.DAGProject, branch, why); err != nil {
			return store.PushResult{}, err
		}
		head, err := g.Repo.Head()
		return result(c, outcome{}, head), err
	}
	proposal, err := g.GitLab.Propose(ctx, g.DAGProject, gitlab.MergeRequest{
		Source: branch, Target: g.Repo.Branch, Title: subject(c), Description: g.describe(c),
	})
	if err != nil {
		return store.PushResult{}, err
	}
	r := result(c, outcome{changed: true}, commit)
	r.State, r.MergeRequest = store.PushProposed, proposal.URL
	for i := range r.Specs {
		r.Specs[i].MergeRequest = proposal.URL
	}
	if g.AutoMerge {
		if err := g.GitLab.MergeWhenReady(ctx, g.DAGProject, proposal.IID); err != nil {
			r.Reason = "is not merged by itself: " + err.Error()
		}
	}
	return r, nil
}

// describe is the description of a merge request.
func (g *Generator) describe(c change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "From `%s` at [`%s`](%s) (branch `%s`", c.push.Project, short(c.push.Commit),
		g.commitURL(c.push.Project, c.push.Commit), c.push.Branch)
	if c.push.User != "" {
		fmt.Fprintf(&b, ", by `%s`", strings.ReplaceAll(c.push.User, "`", "'"))
	}
	b.WriteString(").\n")
	for _, f := range c.files {
		b.WriteString("\n" + g.review(f).Markdown(g.Now()))
	}
	b.WriteString("\ndagwright keeps this merge request up to date until it is merged.\n")
	return b.String()
}

// compare says what a change would do, and does nothing.
func (g *Generator) compare(ctx context.Context, c *change) store.PushResult {
	head, err := g.Repo.Fetch(ctx)
	if err != nil {
		return g.later(c.push, err)
	}
	var b strings.Builder
	for _, f := range c.files {
		present, err := g.present(head, or(f.oldPath, f.spec.Path))
		if err != nil {
			return g.later(c.push, err)
		}
		var drift *driftError
		switch err := g.checkDrift(head, &f, present); {
		case errors.As(err, &drift) && drift.foreign:
			fmt.Fprintf(&b, "%s was written by hand; it is left alone without overwrite\n", drift.path)
		case errors.As(err, &drift):
			fmt.Fprintf(&b, "%s was edited by hand; it is left alone without overwrite\n", drift.path)
		case err != nil:
			return g.later(c.push, err)
		}
		b.WriteString(g.review(f).Diff())
	}
	r := store.PushResult{ID: c.push.ID, State: store.PushCompared, Reason: or(b.String(), "nothing would change")}
	if len(c.files) > 0 {
		r.DAG = c.files[0].spec.DAG
	}
	return r
}

// review compares a file with the DAG repository's.
func (g *Generator) review(f fileChange) review.Change {
	before := ""
	if head, err := g.Repo.Head(); err == nil && head != "" {
		if content, err := g.Repo.ReadFile(head, or(f.oldPath, f.spec.Path), maxSpecSize); err == nil {
			before = string(content)
		}
	}
	return review.Load(f.spec.Path, before, string(f.content))
}

// commitURL is where GitLab shows a commit.
func (g *Generator) commitURL(project, commit string) string {
	return g.GitLab.WebURL() + "/" + project + "/-/commit/" + commit
}
