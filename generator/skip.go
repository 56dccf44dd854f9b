package generator

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dagwright/dag"
	"dagwright/gitlab"
	"dagwright/store"
)

// wantedHead returns what a branch is to be rendered at: its head, or, when that asks
// not to be rendered, what the branch was at before. For a head that no hook reported,
// the commit's message is read, and what it asks for is recorded.
func (g *Generator) wantedHead(ctx context.Context, p store.Push, head string) (store.Wanted, error) {
	w, err := g.Store.WantedHead(ctx, p.ProjectID, p.Branch, head)
	if err != nil || w.Known {
		return w, err
	}
	message, err := g.Models.CommitMessage(ctx, reference(p), head)
	switch {
	case errors.Is(err, dag.ErrNotFound):
		return w, nil // the branch has moved meanwhile
	case err != nil:
		return w, fmt.Errorf("read commit %s of %s: %w", short(head), p.Project, err)
	case !gitlab.AsksForNoCI(message):
		return w, nil
	}
	title, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	_, _, err = g.Store.RecordSkip(ctx, store.Push{
		ProjectID: p.ProjectID, Project: p.Project, Branch: p.Branch, Commit: head,
		Title: title, ReceivedAt: g.Now(), Via: store.ViaReconciler, Reason: store.SkippedByMessage,
	})
	if err != nil {
		return w, err
	}
	g.Logger.Info("found a push that no hook reported and that asks for no CI", "project", p.Project, "branch", p.Branch,
		"commit", head)
	return g.Store.WantedHead(ctx, p.ProjectID, p.Branch, head)
}
