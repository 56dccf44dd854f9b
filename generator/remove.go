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

// removeOne works on the removal, or the restoring, that has waited longest, and reports whether there
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
	result.DAG, result.Restores = due.DAG, due.Restores
	if err != nil {
		result.Reason, result.RetryAt = err.Error(), g.Now().Add(retryAfter(due.Tries))
	}
	g.Logger.Info("removal handled", "dag", due.DAG, "path", due.Path, "restores", due.Restores, "commit",
		result.DAGCommit, "merge_request", result.MergeRequest, "err", err)
	return true, g.Store.FinishRemoval(ctx, result)
}

// retryAfter is how long to wait after a failed try: 5 s, doubled with each, 5
// minutes at most.
func retryAfter(tries int) time.Duration { return min(5*time.Second<<min(tries, 10), 5*time.Minute) }

// removeFile removes a DAG's file, or brings it back, in the way in which DAGs are
// delivered.
func (g *Generator) removeFile(ctx context.Context, r store.Removal) (store.RemovalResult, error) {
	var content []byte
	if r.Restores != 0 {
		v, err := g.Store.Version(ctx, r.DAG, r.Restores)
		if err != nil {
			return store.RemovalResult{}, err
		}
		content = []byte(v.Source)
	}
	if g.Deliver == DeliverMergeRequest && g.GitLab != nil {
		return g.proposeRemoval(ctx, r, content)
	}
	head, _, err := g.Repo.Push(ctx, g.removal(r, content))
	return store.RemovalResult{DAGCommit: head}, err
}

// removal is the commit that removes a DAG's file, and its loader; one with content
// brings the file back.
func (g *Generator) removal(r store.Removal, content []byte) gitrepo.Commit {
	changes := func(head string) ([]gitrepo.Change, error) { return g.removing(head, r.Path) }
	if content != nil {
		changes = func(head string) ([]gitrepo.Change, error) { return g.restoring(head, r.Path, content) }
	}
	return gitrepo.Commit{
		Message: removalTitle(r) + "\n", AuthorName: authorName, AuthorEmail: AuthorEmail, When: g.Now(), Changes: changes,
	}
}

func (g *Generator) removing(head, path string) ([]gitrepo.Change, error) {
	loader, err := g.withoutLoader(head, path)
	if err != nil {
		return nil, err
	}
	if gone, err := g.holds(head, path, nil); gone || err != nil {
		return loader, err
	}
	return append(loader, gitrepo.Change{Path: path}), nil
}

// restoring brings a file back. One that has come to its path meanwhile is somebody
// else's work, and stays.
func (g *Generator) restoring(head, path string, content []byte) ([]gitrepo.Change, error) {
	if same, err := g.holds(head, path, content); same || err != nil {
		return nil, err
	}
	free, err := g.holds(head, path, nil)
	switch {
	case err != nil:
		return nil, err
	case !free:
		return nil, fmt.Errorf("the DAG repository has another file at %s", path)
	}
	return []gitrepo.Change{{Path: path, Content: content}}, nil
}

func removalTitle(r store.Removal) string {
	if r.Restores != 0 {
		return fmt.Sprintf("%s: restore version %d, as %s asked", r.DAG, r.Restores, r.By.User)
	}
	return fmt.Sprintf("%s: remove, as %s asked", r.DAG, r.By.User)
}

// proposeRemoval makes the merge request that removes a DAG's file, or brings it back.
// Whether it is merged is up to people: the removal is not tried again by itself.
func (g *Generator) proposeRemoval(ctx context.Context, r store.Removal, content []byte) (store.RemovalResult, error) {
	branch := removalBranch(r.DAG)
	commit, _, err := g.Repo.Propose(ctx, branch, g.removal(r, content))
	if err != nil {
		return store.RemovalResult{}, err
	}
	if commit == "" {
		const why = "dagwright: the DAG repository is as was asked already; nothing is left to merge."
		if err := g.GitLab.Withdraw(ctx, g.DAGProject, branch, why); err != nil {
			return store.RemovalResult{}, err
		}
		head, err := g.Repo.Head()
		return store.RemovalResult{DAGCommit: head}, err
	}
	words := "`%s` asked to remove `%s`, which archives the DAG. Its history stays.\n\n%s"
	if r.Restores != 0 {
		words = "`%s` asked to restore `%s`, which brings the archived DAG back.\n\n%s"
	}
	words = fmt.Sprintf(words, strings.ReplaceAll(r.By.User, "`", "'"), r.Path,
		g.review(fileChange{spec: store.Spec{Path: r.Path}, content: content}).Markdown(g.Now()))
	proposal, err := g.GitLab.Propose(ctx, g.DAGProject, gitlab.MergeRequest{
		Source: branch, Target: g.Repo.Branch, Title: removalTitle(r), Description: words,
	})
	if err != nil {
		return store.RemovalResult{}, err
	}
	if g.AutoMerge {
		if err := g.GitLab.MergeWhenReady(ctx, g.DAGProject, proposal.IID); err != nil {
			g.Logger.Warn("a removal's merge request is not merged by itself", "dag", r.DAG, "merge_request", proposal.URL,
				"err", err)
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
