package generator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"dagwright/dag"
	"dagwright/gitrepo"
	"dagwright/store"
)

// maxSpecSize bounds the spec that is read back for comparison.
const maxSpecSize = 1 << 20

// The author of the commits in the DAG repository.
const (
	authorName  = "dagwright"
	authorEmail = "dagwright@localhost"
)

// commit pushes all changes as one commit and says what became of each. No
// commit is made when the files are what they were.
func (g *Generator) commit(ctx context.Context, work []change) ([]store.PushResult, error) {
	if len(work) == 0 {
		return nil, nil
	}
	changed := make([]bool, len(work))
	head, _, err := g.Repo.Push(ctx, gitrepo.Commit{
		Message: message(work), AuthorName: authorName, AuthorEmail: authorEmail, When: g.Now(),
		Changes: func(head string) ([]gitrepo.Change, error) { return g.differences(head, work, changed) },
	})
	if err != nil {
		return nil, err
	}
	results := make([]store.PushResult, len(work))
	for i, c := range work {
		results[i] = result(c, changed[i], head)
	}
	return results, nil
}

// commitAll is commit, and does not fail. A path that cannot be written, such as
// one with a folder in its place, holds up its own change only.
func (g *Generator) commitAll(ctx context.Context, work []change) []store.PushResult {
	results, err := g.commit(ctx, work)
	switch {
	case err == nil:
		return results
	case errors.Is(err, dag.ErrInvalid) && len(work) > 1:
		for _, c := range work {
			results = append(results, g.commitAll(ctx, []change{c})...)
		}
		return results
	}
	g.Logger.Warn("push to the DAG repository", "err", err)
	return g.postpone(work, err)
}

// differences lists the file changes that the head lacks and notes which
// entries of work have any.
func (g *Generator) differences(head string, work []change, changed []bool) ([]gitrepo.Change, error) {
	var out []gitrepo.Change
	for i, c := range work {
		diff, err := g.difference(head, c)
		if err != nil {
			return nil, err
		}
		changed[i] = len(diff) > 0
		out = append(out, diff...)
	}
	return out, nil
}

func (g *Generator) difference(head string, c change) ([]gitrepo.Change, error) {
	var out []gitrepo.Change
	same, err := g.holds(head, c.spec.Path, c.content)
	if err != nil {
		return nil, err
	}
	if !same {
		out = append(out, gitrepo.Change{Path: c.spec.Path, Content: c.content})
	}
	if c.oldPath == "" {
		return out, nil
	}
	if same, err = g.holds(head, c.oldPath, nil); err != nil {
		return nil, err
	}
	if !same {
		out = append(out, gitrepo.Change{Path: c.oldPath})
	}
	return out, nil
}

// holds reports whether a path of the DAG repository has this content already;
// nil stands for no file. What somebody put there that is no plain file, or is
// too large, is no spec of ours.
func (g *Generator) holds(head, path string, content []byte) (bool, error) {
	if head == "" {
		return content == nil, nil
	}
	present, err := g.Repo.ReadFile(head, path, maxSpecSize)
	switch {
	case errors.Is(err, dag.ErrNotFound):
		return content == nil, nil
	case errors.Is(err, dag.ErrInvalid):
		return false, nil
	case err != nil:
		return false, err
	}
	return content != nil && bytes.Equal(present, content), nil
}

func result(c change, changed bool, head string) store.PushResult {
	spec := c.spec
	spec.DAGCommit = head
	r := store.PushResult{ID: c.push.ID, DAG: spec.DAG, DAGCommit: head}
	switch {
	case c.content == nil:
		r.State = store.PushRemoved
	case changed:
		r.State, r.Spec = store.PushRendered, &spec
	default:
		r.State, r.Spec = store.PushUnchanged, &spec
	}
	return r
}

// message says in the commit what it renders, with a trailer for each DAG that
// ties it to the model's commit.
func message(work []change) string {
	var b strings.Builder
	if len(work) == 1 {
		c := work[0]
		fmt.Fprintf(&b, "%s: %s %s of %s\n\n", c.spec.DAG, verb(c), short(c.push.Commit), c.push.Branch)
	} else {
		fmt.Fprintf(&b, "Render %d DAGs\n\n", len(work))
	}
	for _, c := range work {
		fmt.Fprintf(&b, "Model: %s@%s (%s)\n", c.push.Project, c.push.Commit, c.push.Branch)
	}
	return b.String()
}

func verb(c change) string {
	if c.content == nil {
		return "remove, since the branch is gone:"
	}
	return "render"
}

// removeFiles removes the DAG files that operators asked to delete.
func (g *Generator) removeFiles(ctx context.Context) error {
	removals, err := g.Store.PendingRemovals(ctx)
	if err != nil {
		return err
	}
	for _, r := range removals {
		head, _, err := g.Repo.Push(ctx, gitrepo.Commit{
			Message:    fmt.Sprintf("%s: remove, as %s asked\n", r.DAG, r.By.User),
			AuthorName: authorName, AuthorEmail: authorEmail, When: g.Now(),
			Changes: func(head string) ([]gitrepo.Change, error) {
				if gone, err := g.holds(head, r.Path, nil); gone || err != nil {
					return nil, err
				}
				return []gitrepo.Change{{Path: r.Path}}, nil
			},
		})
		if err != nil {
			return fmt.Errorf("remove %s: %w", r.Path, err)
		}
		if err := g.Store.FinishRemoval(ctx, r.DAG, head); err != nil {
			return fmt.Errorf("finish removal of %s: %w", r.DAG, err)
		}
		g.Logger.Info("DAG file removed", "dag", r.DAG, "commit", head)
	}
	return nil
}
