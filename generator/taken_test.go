package generator_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"dagwright/generator"
	"dagwright/gitlab"
	"dagwright/store"
	"dagwright/webhook"
)

// onlyGBC takes the models of the group gbc, and one project of Ann's.
var onlyGBC = gitlab.AllowList{Groups: []string{"gbc"}, Projects: []string{"ann/taken"}, Except: []string{dagProject}}

// TestOnlyNamedProjectsAreTaken has strangers of the same GitLab bring models by every
// way there is.
func TestOnlyNamedProjectsAreTaken(t *testing.T) {
	t.Parallel()
	var listed []generator.Project
	l := newLab(t, func(c *generator.Config) {
		c.Takes, c.Reconcile = onlyGBC.Has, 50*time.Millisecond
		c.Projects = func(context.Context) ([]generator.Project, error) { return listed, nil }
	})
	l.stop()
	l.HookURL = ""
	strangers := []string{"eve/churn-model2", "gbc-evil/x", "GBCx/y", "ann/taken-not", "ann/other", "eve/gbc"}
	for _, project := range strangers {
		id := l.CreateProject(project)
		commit := l.Commit(project, "main", map[string]string{"main.py": "print(1)"})
		listed = append(listed, generator.Project{ID: id, Path: project})
		// However a push came into the database, and whatever path it claims.
		for _, via := range []string{store.ViaWebhook, store.ViaCI, store.ViaReplay, store.ViaRerender, store.ViaOverwrite,
			store.ViaDryRun} {
			l.record(store.Push{ProjectID: id, Project: project, Branch: "main", Commit: commit, Via: via})
		}
		l.record(store.Push{ProjectID: id, Project: "gbc/risk/mine", Branch: "main", Commit: commit, Via: store.ViaWebhook,
			Delivery: project})
	}
	// One of whom nobody told: only the reconciler could find it.
	quiet := l.CreateProject("eve/quiet")
	l.Commit("eve/quiet", "main", map[string]string{"main.py": "print(1)"})
	listed = append(listed, generator.Project{ID: quiet, Path: "eve/quiet"})
	recorded := len(l.pushes())
	takenID := l.CreateProject("ann/taken")
	l.start(generator.New(l.config))
	l.until("every push is worked on", func() bool {
		for _, p := range l.pushes() {
			if p.State == store.PushPending {
				return false
			}
		}
		return true
	})
	for _, p := range l.pushes() {
		if p.State != store.PushRefused && p.State != store.PushSuperseded {
			t.Errorf("%s as %q is %s", p.Project, p.Via, p.State)
		}
	}
	taken := l.Commit("ann/taken", "main", map[string]string{"main.py": "print(1)"})
	l.record(store.Push{ProjectID: takenID, Project: "ann/taken", Branch: "main", Commit: taken})
	l.settled(store.PushRendered)
	l.wantFiles("dags/ann/taken.yaml")
	if got := len(l.pushes()); got != recorded+1 {
		t.Errorf("%d pushes: the reconciler brought strangers' in, want %d", got, recorded+1)
	}
	if specs, err := l.store.Specs(t.Context()); err != nil || len(specs) != 1 {
		t.Errorf("names are taken by %+v, %v", specs, err)
	}
}

// TestProjectThatIsMovedAway keeps its DAG as it was, and cannot change it.
func TestProjectThatIsMovedAway(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *generator.Config) { c.Takes, c.Reconcile = onlyGBC.Has, 50*time.Millisecond })
	receiver := httptest.NewServer(webhook.New(webhook.Config{
		Store: l.store, Verifier: gitlab.NewVerifier(signKey), DAGProject: dagProject, Takes: onlyGBC.Has,
		Logger: slog.New(slog.DiscardHandler),
	}))
	t.Cleanup(receiver.Close)
	l.HookURL = receiver.URL
	l.Commit(churn, "main", map[string]string{"main.py": "print(1)"})
	l.settled(store.PushRendered)
	before := l.Head(dagProject, "main")

	l.Rename(churn, "eve/churn-model")
	l.until("the move is noticed", func() bool {
		all, err := l.store.ModelProjects(t.Context(), false)
		return err == nil && len(all) == 1 && all[0].Path == "eve/churn-model" || l.nudge()
	})
	commit := l.Commit("eve/churn-model", "main", map[string]string{"main.py": "print(2)"})
	// A hook that still names the old path.
	l.record(store.Push{ProjectID: 2, Project: "gbc/other/churn-model", Branch: "main", Commit: commit,
		Delivery: "forged"})
	l.settled(store.PushRefused)
	if l.Head(dagProject, "main") != before {
		t.Errorf("the DAG repository has\n%s", l.Log(dagProject, "main"))
	}
	// What is gone may go, wherever it was last.
	l.DeleteBranch("eve/churn-model", "main")
	l.settled(store.PushRemoved)
	l.wantFiles()
}
