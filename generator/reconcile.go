package generator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"dagwright/dag"
	"dagwright/store"
)

// reconcileLimit bounds the projects that are looked at the same time.
const reconcileLimit = 8

// reconcile compares every model's project in GitLab with what is recorded, until ctx
// ends, so that lost hooks, renames, transfers, archived and deleted projects heal by
// themselves: once all of them at the start, and then again and again one after the
// other, spread over Config.Reconcile.
func (g *Generator) reconcile(ctx context.Context) {
	first := make(chan time.Time)
	close(first) // no pause between the projects of the first round
	g.reconcileRound(ctx, g.projects(ctx), first)
	for ctx.Err() == nil {
		projects := g.projects(ctx)
		pace := time.NewTicker(max(time.Millisecond, g.Reconcile/time.Duration(max(1, len(projects)))))
		if len(projects) == 0 {
			await(ctx, pace.C)
		}
		g.reconcileRound(ctx, projects, pace.C)
		pace.Stop()
	}
}

// await waits for a tick, and returns false when ctx has ended.
func await(ctx context.Context, tick <-chan time.Time) bool {
	select {
	case <-tick:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// reconcileRound looks at each project once, at each tick at the next. A GitLab that
// is slow makes the round longer.
func (g *Generator) reconcileRound(ctx context.Context, projects []store.ModelProject, pace <-chan time.Time) {
	began := g.Now()
	var workers errgroup.Group
	workers.SetLimit(reconcileLimit)
	for _, p := range projects {
		if !await(ctx, pace) {
			break
		}
		workers.Go(func() error { g.reconcileProject(ctx, p); return nil })
	}
	_ = workers.Wait() // no worker fails: one project must not hold up another
	if ctx.Err() == nil {
		g.Reconciled(began)
	}
}

// reconcileDue checks the projects that events name, as soon as they come, until ctx
// ends.
func (g *Generator) reconcileDue(ctx context.Context) {
	changes := g.Store.SubscribeTo(store.Kinds(store.ChangeProject))
	defer changes.Close()
	var workers errgroup.Group
	workers.SetLimit(reconcileLimit)
	for {
		projects, err := g.Store.ModelProjects(ctx, true)
		if err != nil && ctx.Err() == nil {
			g.Logger.Error("list projects that are due", "err", err)
		}
		for _, p := range projects {
			workers.Go(func() error { g.reconcileProject(ctx, p); return nil })
		}
		if !awaitNews(ctx, changes, nil) {
			_ = workers.Wait() // no worker fails
			return
		}
	}
}

// projects lists the configured projects, those that have a DAG and those that
// had one, each once. What cannot be listed now is left out.
func (g *Generator) projects(ctx context.Context) []store.ModelProject {
	all := map[int64]store.ModelProject{}
	failed := func(what string, err error) {
		if err != nil && ctx.Err() == nil {
			g.Logger.Error("list projects to reconcile", "of", what, "err", err)
		}
	}
	specs, err := g.Store.Specs(ctx)
	failed("the DAGs", err)
	for _, s := range specs {
		all[s.ProjectID] = store.ModelProject{ID: s.ProjectID, Path: s.Source.Project, State: store.ProjectActive}
	}
	if g.Projects != nil {
		configured, err := g.Projects(ctx)
		failed("GitLab", err)
		for _, p := range configured {
			all[p.ID] = store.ModelProject{ID: p.ID, Path: p.Path, State: store.ProjectActive}
		}
	}
	known, err := g.Store.ModelProjects(ctx, false)
	failed("the database", err)
	for _, p := range known {
		all[p.ID] = p
	}
	out := make([]store.ModelProject, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[id])
	}
	return out
}

// reconcileProject looks at one project, which may have been listed a while ago.
func (g *Generator) reconcileProject(ctx context.Context, p store.ModelProject) {
	look, _ := g.looks.LoadOrStore(p.ID, &sync.Mutex{})
	turn := look.(*sync.Mutex)
	turn.Lock()
	defer turn.Unlock()
	if ctx.Err() != nil {
		return
	}
	now, found, err := g.Store.TakeProject(ctx, p.ID)
	if found {
		p = now
	}
	if err == nil {
		err = g.reconcileBranches(ctx, p)
	}
	if err != nil && ctx.Err() == nil {
		g.Logger.Error("reconcile", "project", p.Path, "err", err)
	}
}

func (g *Generator) reconcileBranches(ctx context.Context, p store.ModelProject) error {
	p, err := g.lookUp(ctx, p)
	if err != nil {
		return err
	}
	for _, branch := range g.Branches.Names() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := g.reconcileBranch(ctx, p, branch); err != nil {
			return fmt.Errorf("branch %s: %w", branch, err)
		}
	}
	return nil
}

// lookUp asks GitLab what happened to a project, by its id, and writes it down.
// Without a GitLab there is nothing to ask.
func (g *Generator) lookUp(ctx context.Context, p store.ModelProject) (store.ModelProject, error) {
	if g.GitLab == nil || p.ID <= 0 {
		return p, nil
	}
	before := p
	info, err := g.GitLab.LookUpProject(ctx, projectReference(p.ID, p.Path))
	switch {
	case errors.Is(err, dag.ErrNotFound):
		if p.MissingAt.IsZero() {
			p.MissingAt = g.Now()
		}
		// GitLab says the same of a project that the token may not see. That may
		// be a mistake that somebody corrects.
		if g.Now().Sub(p.MissingAt) >= g.MissingGrace {
			p.State = store.ProjectDeleted
		}
	case err != nil:
		return p, err
	default:
		p.Path, p.State, p.MissingAt = info.Path, store.ProjectActive, time.Time{}
		if info.Archived {
			p.State = store.ProjectArchived
		}
		if info.Deleting {
			p.State = store.ProjectDeleted
		}
	}
	if p == before && !p.CheckedAt.IsZero() {
		return p, nil // most often
	}
	p.CheckedAt = g.Now()
	return p, g.Store.SaveProject(ctx, p)
}

// reconcileBranch records what a branch should have had a push for: a head that no hook
// reported, a project under a new path, a branch or project that is gone.
func (g *Generator) reconcileBranch(ctx context.Context, p store.ModelProject, branch string) error {
	specs, err := g.Store.SpecsOf(ctx, p.ID, branch)
	if err != nil {
		return err
	}
	if p.State != store.ProjectActive {
		return g.retire(ctx, p, branch, specs)
	}
	if !p.MissingAt.IsZero() {
		return nil // not known for now: its DAGs stay as they are
	}
	taken := g.takes(p.Path)
	if !taken && len(specs) == 0 {
		return nil
	}
	head, err := g.Models.BranchHead(ctx, projectReference(p.ID, p.Path), branch)
	if errors.Is(err, dag.ErrNotFound) {
		return g.retire(ctx, p, branch, specs)
	}
	if err != nil {
		return err
	}
	if !taken {
		// It was moved away, or is not named any more. Its DAGs stay until somebody
		// decides: a slip in the configuration must not take them all away.
		g.Logger.Warn("a project with DAGs is in none of gitlab.groups and gitlab.projects", "project", p.Path,
			"branch", branch)
		return nil
	}
	push := store.Push{ProjectID: p.ID, Project: p.Path, Branch: branch, Commit: head, ReceivedAt: g.Now(),
		Via: store.ViaReconciler}
	settled, err := g.Store.SettledPush(ctx, p.ID, branch)
	if err != nil || settled.Commit == head && !moved(specs, p.Path) {
		return err
	}
	if settled.ID == 0 {
		if model, err := g.isModel(ctx, push); !model || err != nil {
			return err
		}
	}
	wanted, err := g.wantedHead(ctx, push, head)
	switch {
	case err != nil:
		return err
	case wanted.Gone:
		return g.retire(ctx, p, branch, specs)
	case wanted.Commit == "", wanted.Commit == settled.Commit && !moved(specs, p.Path):
		return nil // the head asks not to be rendered
	}
	push.Commit = wanted.Commit
	_, created, err := g.Store.RecordPush(ctx, push)
	if created {
		g.Logger.Info("found a push that no hook reported", "project", p.Path, "branch", branch, "commit", push.Commit)
	}
	return err
}

// isModel reports whether a branch of which nothing is known holds a model: a
// group has other projects, too.
func (g *Generator) isModel(ctx context.Context, p store.Push) (bool, error) {
	for _, file := range []string{ModelFile, "main.py", "retrain.py"} {
		_, err := g.Models.ReadFile(ctx, reference(p), p.Commit, file)
		if !errors.Is(err, dag.ErrNotFound) {
			return err == nil, err
		}
	}
	return false, nil
}

// moved reports whether any DAG was rendered under another path of the project.
func moved(specs []store.Spec, path string) bool {
	return slices.ContainsFunc(specs, func(s store.Spec) bool { return s.DAGCommit != "" && s.Source.Project != path })
}

// retire records the end of a branch whose DAGs are still there. Their files are
// removed, which archives the DAGs: history stays.
func (g *Generator) retire(ctx context.Context, p store.ModelProject, branch string, specs []store.Spec) error {
	written := slices.ContainsFunc(specs, func(s store.Spec) bool { return s.DAGCommit != "" })
	if !written {
		return nil
	}
	_, created, err := g.Store.RecordPush(ctx, store.Push{
		ProjectID: p.ID, Project: p.Path, Branch: branch, Commit: strings.Repeat("0", 40), Deleted: true,
		ReceivedAt: g.Now(), Via: store.ViaReconciler, Title: "project is " + string(p.State),
	})
	if created {
		g.Logger.Info("found a branch that is gone", "project", p.Path, "branch", branch, "state", p.State)
	}
	return err
}
