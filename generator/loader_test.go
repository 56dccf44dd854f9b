package generator_test

import (
	"strings"
	"testing"

	"dagwright/generator"
	"dagwright/store"
)

// TestLoaders writes a loader beside each spec, moves and removes it with the spec,
// and leaves alone what is somebody else's.
func TestLoaders(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *generator.Config) { c.Loaders = true })
	loader := strings.TrimSuffix(churnFile, ".yaml") + ".py"
	l.Commit(churn, "main", map[string]string{"main.py": "print(1)"})
	l.settled(store.PushRendered)
	l.wantFiles(loader, churnFile)
	text, _ := l.File(dagProject, "main", loader)
	for _, words := range []string{"load_yaml_dags(", `here.with_suffix(".yaml")`, "here.parents[3]", "airflow",
		"churn-model.yaml"} {
		if !strings.Contains(text, words) {
			t.Errorf("the loader lacks %q:\n%s", words, text)
		}
	}
	head := l.Head(dagProject, "main")
	if _, err := l.store.ReplayPush(t.Context(), store.Actor{User: "ann"}, l.pushes()[0].ID); err != nil {
		t.Fatal(err)
	}
	l.settled(store.PushUnchanged)
	if l.Head(dagProject, "main") != head {
		t.Error("the same once more made a commit")
	}

	if err := l.store.RequestRemoval(t.Context(), store.Actor{User: "ann"}, "churn-model"); err == nil {
		t.Error("the scheduler has not seen the DAG, and yet it can be removed")
	}
	l.DeleteBranch(churn, "main")
	l.settled(store.PushRemoved)
	l.wantFiles("")

	// One that was edited by hand stays when the spec goes.
	l.Commit(churn, "main", map[string]string{"main.py": "print(2)"})
	l.settled(store.PushRendered)
	l.Commit(dagProject, "main", map[string]string{loader: "# mine\n"})
	l.DeleteBranch(churn, "main")
	l.settled(store.PushRemoved)
	l.wantFiles(loader)
}
