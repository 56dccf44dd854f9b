package generator

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"dagwright/dag"
	"dagwright/gitlab"
	"dagwright/gitrepo"
	"dagwright/store"
)

// removeOne works on the removal that has waited longest, and reports whether there
// was one. A removal that is refused keeps its reason and its own next try: it stands
// in the way of no push and of no other removal.
func (g *Generator) removeOne(ctx context.Context) (worked bool, err error) {
	due, _, err := g.Store.DueRemoval(ctx, g.Now())
	if err != nil || due == nil {
		return false, err
	}
	result, err := g.removeFile(ctx, *due)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	result.DAG = due.DAG
	if err != nil {
		result.Reason, result.RetryAt = err.Error(), g.Now().Add(retryAfter(due.Tries))
	}
	g.Logger.Info("removal handled", "dag", due.DAG, "path", due.Path, "commit", result.DAGCommit, "merge_request", result.MergeRequest, "err", err)
	return true, g.Store.FinishRemoval(ctx, result)
}

// retryAfter is how long to wait after a failed try: 5 s, doubled with each, 5
// minutes at most.
func retryAfter(tries int) time.Duration { return min(5*time.Second<<min(tries, 10), 5*time.Minute) }

// removeFile removes a DAG's file in the way in which DAGs are delivered.
func (g *Generator) removeFile(ctx context.Context, r store.Removal) (store.RemovalResult, error) {
	if g.Deliver == DeliverMergeRequest && g.GitLab != nil {
		return g.proposeRemoval(ctx, r)
	}
	head, _, err := g.Repo.Push(ctx, g.removal(r))
	return store.RemovalResult{DAGCommit: head}, err
}

// removal is the commit that removes a DAG's file, and its loader.
func (g *Generator) removal(r store.Removal) gitrepo.Commit {
	return gitrepo.Commit{
		Message: removalTitle(r) + "\n", AuthorName: authorName, AuthorEmail: AuthorEmail, When: g.Now(),
		Changes: func(head string) ([]gitrepo.Change, error) {
			loader, err := g.withoutLoader(head, r.Path)
			if err != nil {
				return nil, err
			}
			if gone, err := g.holds(head, r.Path, nil); gone || err != nil {
				return loader, err
			}
			return append(loader, gitrepo.Change{Path: r.Path}), nil
		},
	}
}

func removalTitle(r store.Removal) string {
	return fmt.Sprintf("%s: remove, as %s asked", r.DAG, r.By.User)
}

// proposeRemoval makes the merge request that removes a DAG's file. Whether it is
// merged is up to people: the removal is not tried again by itself.
func (g *Generator) proposeRemoval(ctx context.Context, r store.Removal) (store.RemovalResult, error) {
	branch := removalBranch(r.DAG)
	commit, _, err := g.Repo.Propose(ctx, branch, g.removal(r))
	if err != nil {
		return store.RemovalResult{}, err
	}
	if commit == "" {
		const why = "dagwright: the file is gone already; nothing is left to merge."
		if err := g.GitLab.Withdraw(ctx, g.DAGProject, branch, why); err != nil {
			return store.RemovalResult{}, err
		}
		head, err := g.Repo.Head()
		return store.RemovalResult{DAGCommit: head}, err
	}
	words := fmt.Sprintf("`%s` asked to remove `%s`, which archives the DAG. Its history stays.\n\n%s",
		strings.ReplaceAll(r.By.User, "`", "'"), r.Path, g.review(fileChange{spec: store.Spec{Path: r.Path}}).Markdown(g.Now()))
	proposal, err := g.GitLab.Propose(ctx, g.DAGProject, gitlab.MergeRequest{
		Source: branch, Target: g.Repo.Branch, Title: removalTitle(r), Description: words,
	})
	if err != nil {
		return store.RemovalResult{}, err
	}
	if g.AutoMerge {
		if err := g.GitLab.MergeWhenReady(ctx, g.DAGProject, proposal.IID); err != nil {
			g.Logger.Warn("a removal's merge request is not merged by itself", "dag", r.DAG, "merge_request", proposal.URL, "err", err)
		}
	}
	return store.RemovalResult{MergeRequest: proposal.URL}, nil
}

// removalBranch is the branch of a DAG's removal. Its first part is another than
// that of proposals, since a project's path could be any DAG's id. The digest keeps
// two DAGs apart, since a branch may not hold every dot that an id may.
func removalBranch(id dag.ID) string {
	digest := sha256.Sum256([]byte(id))
	return fmt.Sprintf("dagwright-removal/%s-%x", strings.ReplaceAll(string(id), ".", "-"), digest[:4])
}
