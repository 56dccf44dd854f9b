package generator

import (
	"context"
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
	// Handled and Reconciled are called with the result of each push, and with when a
	// round of the reconciler began that has ended; they must not wait, and may be nil.
	Handled    func(store.PushResult)
	Reconciled func(began time.Time)
}

// batch bounds the branches that are prepared and become one commit.
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
	if c.Handled == nil {
		c.Handled = func(store.PushResult) {}
	}
	if c.Reconciled == nil {
		c.Reconciled = func(time.Time) {}
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
	p := g.newPreparer()
	defer p.running.Wait()
	for pause := g.work(ctx, p); ; {
		retry.Reset(pause)
		select {
		case <-ctx.Done():
			return nil
		case done := <-p.done:
			if err := g.finish(ctx, p.gather(ctx, done)); err != nil && ctx.Err() == nil {
				g.Logger.Error("finish pushes", "err", err)
				pause = whenBroken
				continue
			}
		case <-retry.C:
		case <-changes.Lagged:
		case <-changes.C:
		}
		pause = g.work(ctx, p)
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

// whenBroken is how long the work loop waits after an error of the store, and whenIdle
// how long it waits for news at most.
const whenBroken, whenIdle = 5 * time.Second, time.Minute

// work begins with the pushes that are due and then, when none is about to be delivered,
// removes files, one at a time. It returns how long to wait for the next retry.
func (g *Generator) work(ctx context.Context, p *preparer) time.Duration {
	for ctx.Err() == nil {
		pushes, err := g.Store.PendingPushes(ctx, g.Now(), batch+p.pushes())
		if err != nil {
			if ctx.Err() == nil {
				g.Logger.Error("read pending pushes", "err", err)
			}
			return whenBroken
		}
		p.begin(ctx, pushes)
		if p.young() {
			return gatherTime
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
	return g.nextRetry(ctx, p)
}

// nextRetry is how long until the next try of a push or a removal that waits. Those that
// are being prepared are due all the time.
func (g *Generator) nextRetry(ctx context.Context, p *preparer) time.Duration {
	soonest, longest := 100*time.Millisecond, whenIdle
	if len(p.busy) > 0 {
		soonest = gatherTime
	}
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
	return max(soonest, longest)
}
