package generator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"dagwright/dag"
	"dagwright/gitrepo"
	"dagwright/store"
	"dagwright/templates"
)

// ModelFile is the file in a model repository that describes the model. It may
// be missing.
const ModelFile = ".dagwright.yml"

// Models reads model repositories: through GitLab's API, or from bare
// repositories on this machine.
type Models interface {
	// BranchHead returns the commit at the head of a branch, or
	// dag.ErrNotFound.
	BranchHead(ctx context.Context, project, branch string) (string, error)
	// ReadFile returns a file at a commit, or dag.ErrNotFound.
	ReadFile(ctx context.Context, project, commit, path string) ([]byte, error)
}

// Project is a model repository that the reconciler looks after.
type Project struct {
	ID   int64
	Path string
}

// Config is what a generator works with.
type Config struct {
	Store *store.Store
	// Repo is a clone of the DAG repository.
	Repo      *gitrepo.Repo
	Models    Models
	Templates *templates.Set
	Instance  Instance
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
const batch = 500

// Generator turns recorded pushes into commits of the DAG repository. There
// must be one for a DAG repository, since it holds the one clone that pushes.
type Generator struct{ Config }

// New returns a generator that does nothing until Run.
func New(c Config) *Generator {
	if c.Branches == nil {
		c.Branches = map[string]Kind{"main": Scoring, "retrain": Retrain}
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
			if c.Kind == store.ChangePush {
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
	return min(whenIdle, g.Reconcile)
}

// handle takes pushes to their end: what they render to is committed in one
// push of the DAG repository, and the results are written down in one
// transaction.
func (g *Generator) handle(ctx context.Context, pushes []store.Push) error {
	newest, results := supersede(pushes)
	var work []change
	for _, p := range newest {
		c, result := g.prepare(ctx, p)
		if c != nil {
			work = append(work, *c)
			continue
		}
		results = append(results, result)
	}
	results = append(results, g.commitAll(ctx, work)...)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, r := range results {
		g.Logger.Info("push handled", "push", r.ID, "state", r.State, "dag", r.DAG, "reason", r.Reason)
		if r.State != store.PushRemoved {
			continue
		}
		// Another project may use the name from now on.
		if err := g.Store.ReleaseSpec(ctx, r.DAG); err != nil {
			return err
		}
	}
	return g.Store.FinishPushes(ctx, results)
}

// branchKey is one branch of one project.
type branchKey struct {
	project int64
	branch  string
}

// supersede keeps the newest push of each branch; the earlier ones are done.
func supersede(pushes []store.Push) (newest []store.Push, done []store.PushResult) {
	last := map[branchKey]int64{}
	for _, p := range pushes {
		last[branchKey{p.ProjectID, p.Branch}] = p.ID
	}
	for _, p := range pushes {
		if last[branchKey{p.ProjectID, p.Branch}] == p.ID {
			newest = append(newest, p)
			continue
		}
		done = append(done, store.PushResult{ID: p.ID, State: store.PushSuperseded, Reason: "a newer push of the branch was waiting"})
	}
	return newest, done
}

// change is what one push does to the DAG repository.
type change struct {
	push store.Push
	spec store.Spec
	// content is nil when the file is to go.
	content []byte
	// oldPath is where the DAG's file was, when the project has moved.
	oldPath string
}

// prepare turns a push into a change, or into a result when there is nothing
// to commit.
func (g *Generator) prepare(ctx context.Context, p store.Push) (*change, store.PushResult) {
	c, err := g.render(ctx, p)
	var gone *supersededError
	switch {
	case err == nil:
		return c, store.PushResult{}
	case errors.As(err, &gone):
		return nil, store.PushResult{ID: p.ID, State: store.PushSuperseded, Reason: gone.Error()}
	case errors.Is(err, dag.ErrInvalid), errors.Is(err, dag.ErrConflict):
		return nil, store.PushResult{ID: p.ID, State: store.PushRefused, Reason: err.Error()}
	default:
		return nil, g.later(p, err)
	}
}

// supersededError says that a branch has moved on since the push.
type supersededError struct{ head string }

func (e *supersededError) Error() string { return "the branch has moved on to " + short(e.head) }

// render makes the change of one push. The branch's head decides, not the
// order in which hooks arrive: a push that is not the head is superseded by
// the head, which is recorded in its place.
func (g *Generator) render(ctx context.Context, p store.Push) (*change, error) {
	kind, ok := g.Branches[p.Branch]
	if !ok {
		return nil, fmt.Errorf("branch %q makes no DAG: %w", p.Branch, dag.ErrInvalid)
	}
	request := Request{Project: p.Project, ProjectID: p.ProjectID, Branch: p.Branch, Commit: p.Commit, Kind: kind}
	head, err := g.Models.BranchHead(ctx, p.Project, p.Branch)
	switch {
	case errors.Is(err, dag.ErrNotFound) && p.Deleted:
		return g.removal(ctx, p, request)
	case err != nil:
		return nil, fmt.Errorf("read head of %s of %s: %w", p.Branch, p.Project, err)
	case head != p.Commit:
		return nil, g.supersedeBy(ctx, p, head)
	}
	rendered, err := g.renderModel(ctx, request)
	if err != nil {
		return nil, err
	}
	spec := store.Spec{
		DAG: rendered.DAG, ProjectID: p.ProjectID, Path: rendered.Path,
		Source:   dag.Source{Project: p.Project, Branch: p.Branch, Commit: p.Commit},
		Template: rendered.Template, TemplateDigest: rendered.Digest,
	}
	old, err := g.Store.Spec(ctx, spec.DAG)
	if err != nil && !errors.Is(err, dag.ErrNotFound) {
		return nil, err
	}
	if err := g.Store.ClaimSpec(ctx, spec); err != nil {
		return nil, err
	}
	c := &change{push: p, spec: spec, content: rendered.Content}
	if old.ProjectID == p.ProjectID && old.Path != spec.Path {
		c.oldPath = old.Path
	}
	return c, nil
}

func (g *Generator) supersedeBy(ctx context.Context, p store.Push, head string) error {
	p.Before, p.Commit, p.Deleted = p.Commit, head, false
	p.Delivery, p.Title, p.ReceivedAt = "", "", g.Now()
	if _, _, err := g.Store.RecordPush(ctx, p); err != nil {
		return fmt.Errorf("record head %s: %w", head, err)
	}
	return &supersededError{head}
}

// renderModel reads the model's file at the commit and renders it.
func (g *Generator) renderModel(ctx context.Context, r Request) (Rendered, error) {
	source, err := g.Models.ReadFile(ctx, r.Project, r.Commit, ModelFile)
	if err != nil && !errors.Is(err, dag.ErrNotFound) {
		return Rendered{}, fmt.Errorf("read %s: %w", ModelFile, err)
	}
	model, err := ParseModel(ModelFile, source, g.Instance)
	if err != nil {
		return Rendered{}, err
	}
	return Render(r, model, g.Templates, g.Instance)
}

// removal removes the DAG's file of a branch that was deleted.
func (g *Generator) removal(ctx context.Context, p store.Push, r Request) (*change, error) {
	id, err := DAGID(r)
	if err != nil {
		return nil, err
	}
	spec, err := g.Store.Spec(ctx, id)
	if errors.Is(err, dag.ErrNotFound) || err == nil && spec.ProjectID != p.ProjectID {
		return nil, &supersededError{"nothing: the branch was deleted and had no DAG"}
	}
	if err != nil {
		return nil, err
	}
	return &change{push: p, spec: spec}, nil
}

// later postpones a push whose failure may heal: 5 s, doubled with each try, 5
// minutes at most.
func (g *Generator) later(p store.Push, err error) store.PushResult {
	wait := min(5*time.Second<<min(p.Tries, 10), 5*time.Minute)
	return store.PushResult{ID: p.ID, State: store.PushPending, Reason: err.Error(), RetryAt: g.Now().Add(wait)}
}

func (g *Generator) postpone(work []change, err error) []store.PushResult {
	results := make([]store.PushResult, len(work))
	for i, c := range work {
		results[i] = g.later(c.push, err)
	}
	return results
}

func short(commit string) string { return commit[:min(len(commit), 8)] }
