package generator

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"dagwright/dag"
	"dagwright/gitlab"
	"dagwright/gitrepo"
	"dagwright/registry"
	"dagwright/store"
	"dagwright/templates"
)

// ModelFile is the file in a model repository that describes the model. It may
// be missing.
const ModelFile = ".dagwright.yml"

// Models reads model repositories: through GitLab's API, or from bare
// repositories on this machine. A project is named by its path or its id in
// digits.
type Models interface {
	// BranchHead returns the commit at the head of a branch, or
	// dag.ErrNotFound.
	BranchHead(ctx context.Context, project, branch string) (string, error)
	// ReadFile returns a file at a commit, or dag.ErrNotFound.
	ReadFile(ctx context.Context, project, commit, path string) ([]byte, error)
	// RootNames lists the names in the root of the repository at a commit.
	RootNames(ctx context.Context, project, commit string) ([]string, error)
	// HasFolder reports whether the repository has a folder at a commit.
	HasFolder(ctx context.Context, project, commit, path string) (bool, error)
	// ChangedPaths lists the files that differ between two commits; whole is
	// false when there may be more. dag.ErrNotFound when a commit is gone.
	ChangedPaths(ctx context.Context, project, from, to string) (paths []string, whole bool, err error)
	// CommitMessage returns a commit's message, or dag.ErrNotFound.
	CommitMessage(ctx context.Context, project, commit string) (string, error)
}

// Project is a model repository to reconcile.
type Project struct {
	ID   int64
	Path string
}

// Delivery says how a rendered DAG gets to the DAG repository's branch.
type Delivery string

// The ways of delivery.
const (
	// DeliverPush commits to the branch.
	DeliverPush Delivery = "push"
	// DeliverMergeRequest opens a merge request for each branch of a model, and
	// keeps it up to date until somebody merges it.
	DeliverMergeRequest Delivery = "merge_request"
)

// Config is what a generator works with.
type Config struct {
	Store *store.Store
	// Repo is a clone of the DAG repository.
	Repo      *gitrepo.Repo
	Models    Models
	Templates *templates.Set
	Instance  Instance
	// GitLab is where statuses, merge requests and notes go, and where pipelines
	// and projects are asked for; nil where there is none.
	GitLab *gitlab.Client
	// Loaders writes a loader for Airflow beside each spec.
	Loaders bool
	// Registry is asked whether an image exists; nil where none is to be asked.
	Registry *registry.Client
	// DAGProject is the DAG repository's GitLab path; merge requests go there.
	DAGProject string
	Deliver    Delivery // DeliverPush when empty
	// AutoMerge makes GitLab merge each merge request once its pipeline passes.
	AutoMerge bool
	// Promoter offers DAGs to the next instance; nil where there is none.
	Promoter *Promoter
	// OnlyPromoted refuses every push of a model: the instance takes DAGs from
	// another one's DAG repository alone.
	OnlyPromoted bool
	// PublicURL is where people reach dagwright's pages, for links; may be empty.
	PublicURL string
	// MissingGrace is how long GitLab must have said that a project does not
	// exist before its DAGs are archived; 24 h when zero. An event that reports the deletion
	// needs no grace.
	MissingGrace time.Duration
	// Branches of model repositories that become DAGs; the default for what is empty.
	Branches dag.Branches
	// Takes says whether models of the project at a path are taken, however a push
	// of it became known; nil takes every project's.
	Takes func(project string) bool
	// Projects lists the model repositories to reconcile, beside those that
	// have a DAG already; beside an error it returns those that it could find. It
	// may be nil.
	Projects func(context.Context) ([]Project, error)
	// Reconcile is how often the heads of each project's branches are compared with
	// recorded pushes; 5 minutes when zero. The projects are spread over that time.
	Reconcile time.Duration
	// Now is the clock; time.Now when nil.
	Now    func() time.Time
	Logger *slog.Logger
}

// batch bounds the pushes that become one commit.
const batch = 2000

// Generator turns recorded pushes into commits of the DAG repository. There
// must be one for a DAG repository, since it holds the one clone that pushes.
type Generator struct {
	Config
	// looks has a mutex for each project id that was looked at: a look at one project
	// must not overwrite what a later one found.
	looks sync.Map
}

// New returns a generator that does nothing until Run.
func New(c Config) *Generator {
	c.Branches = c.Branches.OrDefault()
	if c.Deliver == "" {
		c.Deliver = DeliverPush
	}
	if c.MissingGrace <= 0 {
		c.MissingGrace = 24 * time.Hour
	}
	if c.Reconcile <= 0 {
		c.Reconcile = 5 * time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return &Generator{Config: c}
}

// Run works until ctx ends and then returns nil. Pushes are worked on as soon as they
// are recorded, and after them what operators asked to remove. Whatever asks GitLab
// about many things has a loop of its own, so that a GitLab that is slow holds up no
// push: the reconciler, the checks of projects that an event named, statuses,
// previews and promotions.
func (g *Generator) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	defer loops.Wait()
	for _, loop := range []func(context.Context){g.reconcile, g.reconcileDue, g.report, g.preview, g.promote} {
		loops.Go(func() { loop(ctx) })
	}
	changes := g.Store.SubscribeTo(workWanted)
	defer changes.Close()
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		retry.Reset(g.work(ctx))
		if !awaitNews(ctx, changes, retry.C) {
			return nil
		}
	}
}

// awaitNews returns when there is a change, one may have been missed, or it is time, and
// false when ctx has ended.
func awaitNews(ctx context.Context, changes *store.Subscription, again <-chan time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case <-again:
	case <-changes.Lagged:
	case <-changes.C:
	}
	return true
}

// workWanted reports whether a change is a push to work on or a file to remove.
func workWanted(c store.Change) bool {
	return c.Kind == store.ChangePush && c.State == string(store.PushPending) || c.Kind == store.ChangeRemoval
}

// work empties the inbox, pushes first and then one removal at a time, and returns
// how long to wait for the next retry.
func (g *Generator) work(ctx context.Context) time.Duration {
	const whenBroken, whenIdle = 5 * time.Second, time.Minute
	for ctx.Err() == nil {
		if err := g.handlePending(ctx); err != nil {
			if ctx.Err() != nil {
				return whenBroken
			}
			g.Logger.Error("handle pushes", "err", err)
			return whenBroken
		}
		worked, err := g.removeOne(ctx)
		if err != nil {
			if ctx.Err() == nil {
				g.Logger.Error("remove DAG files", "err", err)
			}
			return whenBroken
		}
		if !worked {
			break
		}
	}
	return g.nextRetry(ctx, whenIdle)
}

// handlePending works on pushes until none is due.
func (g *Generator) handlePending(ctx context.Context) error {
	for ctx.Err() == nil {
		pushes, err := g.Store.PendingPushes(ctx, g.Now(), batch)
		if err != nil {
			return fmt.Errorf("read pending pushes: %w", err)
		}
		if len(pushes) == 0 {
			return nil
		}
		if err := g.handle(ctx, pushes); err != nil {
			return fmt.Errorf("handle %d pushes: %w", len(pushes), err)
		}
	}
	return nil
}

// nextRetry is how long until the next try of a push or a removal that waits.
func (g *Generator) nextRetry(ctx context.Context, longest time.Duration) time.Duration {
	push, err := g.Store.NextPushRetry(ctx)
	if err != nil {
		return longest
	}
	_, removal, err := g.Store.DueRemoval(ctx, g.Now())
	if err != nil {
		return longest
	}
	for _, at := range []time.Time{push, removal} {
		if !at.IsZero() {
			longest = min(longest, at.Sub(g.Now()))
		}
	}
	return max(100*time.Millisecond, longest)
}
