package generator

import (
	"context"
	"errors"
	"maps"
	"slices"

	"dagwright/dag"
	"dagwright/store"
)

// reconcile records the branch heads that no hook told of, so that a lost hook
// heals by itself. A branch that cannot be read is left as it is: being
// unreachable is no reason to touch a DAG.
func (g *Generator) reconcile(ctx context.Context) {
	projects, err := g.projects(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		g.Logger.Error("list projects to reconcile", "err", err)
		return
	}
	branches := slices.Sorted(maps.Keys(g.Branches))
	for _, p := range projects {
		for _, branch := range branches {
			if ctx.Err() != nil {
				return
			}
			if err := g.reconcileBranch(ctx, p, branch); err != nil && ctx.Err() == nil {
				g.Logger.Error("reconcile", "project", p.Path, "branch", branch, "err", err)
			}
		}
	}
}

func (g *Generator) reconcileBranch(ctx context.Context, p Project, branch string) error {
	head, err := g.Models.BranchHead(ctx, p.Path, branch)
	if errors.Is(err, dag.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, created, err := g.Store.RecordPush(ctx, store.Push{
		ProjectID: p.ID, Project: p.Path, Branch: branch, Commit: head, ReceivedAt: g.Now(),
	})
	if created {
		g.Logger.Info("found a push that no hook told of", "project", p.Path, "branch", branch, "commit", head)
	}
	return err
}

// projects lists the configured projects and those that have a DAG, each once.
func (g *Generator) projects(ctx context.Context) ([]Project, error) {
	paths := map[int64]string{}
	specs, err := g.Store.Specs(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range specs {
		paths[s.ProjectID] = s.Source.Project
	}
	if g.Projects != nil {
		configured, err := g.Projects(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range configured {
			paths[p.ID] = p.Path
		}
	}
	out := make([]Project, 0, len(paths))
	for _, id := range slices.Sorted(maps.Keys(paths)) {
		out = append(out, Project{ID: id, Path: paths[id]})
	}
	return out, nil
}
