package generator_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/store"
)

// TestFirstPushKeepsWhatIsThere has hand-written files stand where a model's first push
// would write. They are left alone, also when the model's branch goes again.
func TestFirstPushKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	loader := strings.TrimSuffix(churnFile, ".yaml") + ".py"
	for name, c := range map[string]struct {
		file, content string
		deliver       generator.Delivery
	}{
		"a spec":                   {churnFile, "# by hand\n", generator.DeliverPush},
		"no YAML":                  {churnFile, "\x00\xff", generator.DeliverPush},
		"an empty line":            {churnFile, "\n", generator.DeliverPush},
		"a loader":                 {loader, "print('by hand')\n", generator.DeliverPush},
		"before the merge request": {churnFile, "# by hand\n", generator.DeliverMergeRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, func(config *generator.Config) { config.Loaders, config.Deliver = true, c.deliver })
			l.Commit(dagProject, "main", map[string]string{c.file: c.content})
			before := l.Head(dagProject, "main")
			kept := func(what string) {
				t.Helper()
				if text, ok := l.File(dagProject, "main", c.file); !ok || text != c.content ||
					l.Head(dagProject, "main") != before {
					t.Errorf("after %s the file is %t, %q:\n%s", what, ok, text, l.Log(dagProject, "main"))
				}
			}
			l.Commit(churn, "main", map[string]string{"main.py": "1"})
			if p := l.settled(store.PushRefused); !strings.Contains(p.Reason, c.file+" is there already, written by hand") {
				t.Errorf("reason %q", p.Reason)
			}
			kept("the push")
			rerender := func(how string, state store.PushState) store.Push {
				t.Helper()
				if _, err := l.store.RerenderPushes(t.Context(), store.Actor{User: "ann"}, []dag.ID{"churn-model"},
					how); err != nil {
					t.Fatal(err)
				}
				return l.settled(state)
			}
			if p := rerender(store.ViaDryRun, store.PushCompared); !strings.Contains(p.Reason, c.file+" was written by hand") {
				t.Errorf("a dry run says %q", p.Reason)
			}
			l.DeleteBranch(churn, "main")
			l.settled(store.PushRemoved)
			kept("the removal")
			if c.deliver == generator.DeliverMergeRequest {
				return
			}
			l.Commit(churn, "main", map[string]string{"main.py": "2"})
			l.settled(store.PushRefused)
			rerender(store.ViaOverwrite, store.PushRendered)
			if text, _ := l.File(dagProject, "main", c.file); text == c.content {
				t.Error("told to write over the file, it did not")
			}
		})
	}
}

// TestMovedProjectKeepsWhatIsThere is the same for the new place of a project.
func TestMovedProjectKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.Commit(churn, "main", map[string]string{"main.py": "1"})
	l.settled(store.PushRendered)
	const place = "dags/gbc/sales/churn-model.yaml"
	l.Commit(dagProject, "main", map[string]string{place: "# by hand\n"})
	l.Rename(churn, "gbc/sales/churn-model")
	if p := l.settled(store.PushRefused); !strings.Contains(p.Reason, place+" is there already") {
		t.Errorf("reason %q", p.Reason)
	}
	l.wantFiles(churnFile, place)
}

// TestFirstPushKeepsStrangeEntries leaves alone what can be no spec, too.
func TestFirstPushKeepsStrangeEntries(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.wantState(s.push("gbc/risk/y", "main", ""), store.PushRendered)
	work := filepath.Join(t.TempDir(), "dags")
	s.git(s.dir, "clone", "--quiet", s.dags, work)
	if err := os.Symlink("y.yaml", filepath.Join(work, "dags/gbc/risk/x.yaml")); err != nil {
		t.Fatal(err)
	}
	s.git(work, "add", "--all")
	s.git(work, "commit", "--quiet", "--message", "Link")
	s.git(work, "push", "--quiet", "origin", "HEAD:main")
	s.wantRefused(s.push("gbc/risk/x", "main", ""), "dags/gbc/risk/x.yaml is there already")
}
