package generator_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"dagwright/generator"
	"dagwright/store"
)

// slowModels does not answer for the heads of some projects until release is closed.
type slowModels struct {
	generator.Models
	slow    func(project string) bool
	release chan struct{}
	asked   chan struct{} // gets a token for each that waits, as long as it has room
}

func newSlowModels(slow func(project string) bool) *slowModels {
	return &slowModels{slow: slow, release: make(chan struct{}), asked: make(chan struct{}, 8)}
}

func (m *slowModels) BranchHead(ctx context.Context, project, branch string) (string, error) {
	if m.slow(project) {
		select {
		case m.asked <- struct{}{}:
		default:
		}
		select {
		case <-m.release:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return m.Models.BranchHead(ctx, project, branch)
}

// A project for which GitLab does not answer holds up the pushes of no other, whether
// they came with its own or later. Its own is rendered when GitLab answers.
func TestHangingProjectHoldsUpNoPush(t *testing.T) {
	t.Parallel()
	models := newSlowModels(func(project string) bool { return project == "2" })
	l := newLab(t, func(c *generator.Config) {
		models.Models = c.Models
		c.Models = models
	})
	l.CreateProject(fraud)
	first := l.Commit(churn, "main", map[string]string{"main.py": "1"})
	for _, text := range []string{"1", "2"} {
		commit := l.Commit(fraud, "main", map[string]string{"main.py": text})
		if p := l.settled(store.PushRendered); p.Project != fraud || p.Commit != commit {
			t.Errorf("rendered %+v", p)
		}
	}
	if len(models.asked) == 0 {
		t.Error("GitLab was not asked for the project that hangs")
	}
	l.wantFiles(fraudFile)
	close(models.release)
	l.until("it is rendered as well", func() bool {
		for _, p := range l.pushes() {
			if p.Commit == first {
				return p.State == store.PushRendered
			}
		}
		return false
	})
}

// A GitLab that is slow with each head of 500 projects holds up no push: the reconciler,
// which asks for them, is a loop of its own.
func TestSlowHeadsHoldUpNoPush(t *testing.T) {
	t.Parallel()
	models := newSlowModels(func(project string) bool { return len(project) == 4 })
	defer close(models.release)
	var config generator.Config
	l := newLab(t, func(c *generator.Config) {
		models.Models = c.Models
		c.Models, c.GitLab, c.Reconcile = models, nil, 10*time.Millisecond
		config = *c
	})
	l.stop()
	config.Projects = func(context.Context) ([]generator.Project, error) {
		all := make([]generator.Project, 500)
		for i := range all {
			all[i] = generator.Project{ID: int64(1000 + i), Path: "gbc/other/model-" + strconv.Itoa(i)}
		}
		return all, nil
	}
	l.start(generator.New(config))
	for range cap(models.asked) { // as many as are looked at the same time
		select {
		case <-models.asked:
		case <-time.After(time.Minute):
			t.Fatal("the reconciler does not ask for heads")
		}
	}
	commit := l.Commit(churn, "main", map[string]string{"main.py": "1"})
	if p := l.settled(store.PushRendered); p.Commit != commit {
		t.Errorf("push %+v", p)
	}
}

// A DAG repository that lets one file not be removed holds up neither what is written nor
// other removals, also when all come at once, as from deleted branches.
func TestRefusedDeletionHoldsUpNoPush(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.CreateProject(fraud)
	for _, project := range []string{churn, fraud} {
		for _, branch := range []string{"main", "retrain"} {
			l.Commit(project, branch, map[string]string{"main.py": "1", "retrain.py": "1"})
			l.settled(store.PushRendered)
		}
	}
	l.SetHook(dagProject, "pre-receive", refuseChurnsRemoval)
	l.stop()
	second := l.Commit(fraud, "main", map[string]string{"main.py": "2"})
	l.DeleteBranch(churn, "main")
	l.DeleteBranch(fraud, "retrain")
	l.start(generator.New(l.config))
	states := func() (rendered, removed, refused bool) {
		for _, p := range l.pushes() {
			rendered = rendered || p.Commit == second && p.State == store.PushRendered
			removed = removed || p.Project == fraud && p.State == store.PushRemoved
			refused = refused || p.Project == churn && p.State == store.PushPending && p.Tries > 0 &&
				strings.Contains(p.Reason, "kept for the audit")
		}
		return rendered, removed, refused
	}
	l.until("one is refused, and the others are done", func() bool {
		rendered, removed, refused := states()
		return rendered && removed && refused
	})
	l.wantFiles("dags/gbc/risk/churn-model-retrain.yaml", churnFile, fraudFile)
}
