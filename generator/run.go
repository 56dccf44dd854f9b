package generator

import (
	"context"
	"log/slog"
	"sync"
	"time"

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
	// ChangedPaths lists the files that differ between two commits; whole is
	// false when there may be more. dag.ErrNotFound when a commit is gone.
	ChangedPaths(ctx context.Context, project, from, to string) (paths []string, whole bool, err error)
}

// Project is a model repository that the reconciler looks after.
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
	// Loaders has a loader for Airflow written beside each spec.
	Loaders bool
	// Registry is asked whether an image exists; nil where none is to be asked.
	Registry *registry.Client
	// DAGProject is the DAG repository's GitLab path; merge requests go there.
	DAGProject string
	Deliver    Delivery // DeliverPush when empty
	// AutoMerge has merge requests merged by GitLab once their pipeline passes.
	AutoMerge bool
	// Promoter offers DAGs to the next instance; nil where there is none.
	Promoter *Promoter
	// OnlyPromoted has every push of a model refused: the instance takes DAGs from
	// another one's DAG repository alone.
	OnlyPromoted bool
	// PublicURL is where people reach dagwright's pages, for links; may be empty.
	PublicURL string
	// MissingGrace is how long GitLab must have said that a project does not
	// exist before its DAGs are archived; 24 h when zero. An event that tells of
	// the deletion needs no grace.
	MissingGrace time.Duration
	// Branches maps the branches that become DAGs to the kind of DAG; main to
	// Scoring and retrain to Retrain when nil.
	Branches map[string]Kind
	// Projects lists the model repositories to reconcile, beside those that
	// have a DAG already. It may be nil.
	Projects func(context.Context) ([]Project, error)
	// Reconcile is how often branch heads are compared with recorded pushes;
	// 5 minutes when zero.
	Reconcile time.Duration
	// Now is the clock; time.Now when nil.
	Now    func() time.Time
	Logger *slog.Logger
}

// batch bounds the pushes that become one commit.
const batch = 2000

// Generator turns recorded pushes into commits of the DAG repository. There
// must be one for a DAG repository, since it holds the one clone that pushes.
type Generator struct{ Config }

// New returns a generator that does nothing until Run.
func New(c Config) *Generator {
	if c.Branches == nil {
		c.Branches = map[string]Kind{"main": Scoring, "retrain": Retrain}
	}
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
	return &Generator{c}
}

// Run works until ctx ends and then returns nil. It reconciles at the start
// and every Config.Reconcile, and works on pushes as soon as they are
// recorded.
func (g *Generator) Run(ctx context.Context) error {
	changes := g.Store.Subscribe()
	defer changes.Close()
	reconcile := time.NewTicker(g.Reconcile)
	defer reconcile.Stop()
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()

	var teller sync.WaitGroup
	defer teller.Wait()
	teller.Go(func() { g.tell(ctx) })
	teller.Go(func() { g.promote(ctx) })

	g.reconcile(ctx)
	for {
		next := g.work(ctx)
		retry.Reset(next)
		if !g.wait(ctx, changes, reconcile, retry) {
			return nil
		}
	}
}

// wait returns when there may be work, and false when ctx has ended.
func (g *Generator) wait(ctx context.Context, changes *store.Subscription, reconcile *time.Ticker, retry *time.Timer) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-reconcile.C:
			g.reconcile(ctx)
			return true
		case <-retry.C:
			return true
		case <-changes.Lagged:
			return true
		case c := <-changes.C:
			switch c.Kind {
			case store.ChangeProject:
				g.reconcileDue(ctx)
				return true
			case store.ChangePush:
				return true
			}
		}
	}
}

// work empties the inbox and returns how long to wait for the next retry.
func (g *Generator) work(ctx context.Context) time.Duration {
	const whenBroken, whenIdle = 5 * time.Second, time.Minute
	if err := g.removeFiles(ctx); err != nil && ctx.Err() == nil {
		g.Logger.Error("remove DAG files", "err", err)
		return whenBroken
	}
	for ctx.Err() == nil {
		pushes, err := g.Store.PendingPushes(ctx, g.Now(), batch)
		if err != nil {
			g.Logger.Error("read pending pushes", "err", err)
			return whenBroken
		}
		if len(pushes) == 0 {
			break
		}
		if err := g.handle(ctx, pushes); err != nil {
			g.Logger.Error("handle pushes", "pushes", len(pushes), "err", err)
			return whenBroken
		}
	}
	return min(g.nextRetry(ctx, whenIdle), g.Reconcile)
}

// nextRetry is how long until a push that waits is to be looked at again.
func (g *Generator) nextRetry(ctx context.Context, longest time.Duration) time.Duration {
	at, err := g.Store.NextPushRetry(ctx)
	if err != nil || at.IsZero() {
		return longest
	}
	return max(100*time.Millisecond, min(longest, at.Sub(g.Now())))
}
