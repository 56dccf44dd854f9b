package generator_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"dagwright/generator"
	"dagwright/gitrepo"
	"dagwright/store"
	"dagwright/store/storetest"
)

// TestWritersRace has eight writers push to one DAG repository at once. Those that
// lose hear GitLab's words, "incorrect old value provided", and none is lost.
func TestWritersRace(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.stop()
	l.HookURL = ""
	const writers, each = 8, 4
	var all sync.WaitGroup
	for w := range writers {
		repo, err := gitrepo.Open(gitrepo.Config{URL: l.CloneURL(dagProject), Branch: "main",
			Dir: filepath.Join(t.TempDir(), "clone.git"), Username: "x", Password: l.Token})
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for i := range each {
				_, changed, err := repo.Push(t.Context(), gitrepo.Commit{
					Message: "race", AuthorName: "x", AuthorEmail: "x@example.com", When: time.Now(),
					Changes: func(string) ([]gitrepo.Change, error) {
						return []gitrepo.Change{{Path: fmt.Sprintf("dags/w%d/%d.yaml", w, i), Content: []byte("x")}}, nil
					},
				})
				if err != nil || !changed {
					t.Errorf("writer %d, push %d: changed %t, %v", w, i, changed, err)
				}
			}
		})
	}
	all.Wait()
	var want []string
	for w := range writers {
		for i := range each {
			want = append(want, fmt.Sprintf("dags/w%d/%d.yaml", w, i))
		}
	}
	l.wantFiles(want...)
	if l.Commits(dagProject, "main") != strconv.Itoa(writers*each) || l.StalePushes() == 0 {
		t.Errorf("%s commits, %d lost races", l.Commits(dagProject, "main"), l.StalePushes())
	}
}

// TestPushThatWasNotRecorded ends as rendered when the process died between its push
// to the DAG repository and the note of it; the same bytes of another hand do not.
func TestPushThatWasNotRecorded(t *testing.T) {
	t.Parallel()
	var config generator.Config
	l := newLab(t, func(c *generator.Config) { config = *c })
	commit := l.Commit(churn, "main", map[string]string{"main.py": "print(1)"})
	first := l.settled(store.PushRendered)
	l.stop()
	again := func() store.Push {
		t.Helper()
		l.store = storetest.OpenTest(t) // knows nothing of the push
		config.Store = l.store
		if _, _, err := l.store.RecordPush(t.Context(),
			store.Push{ProjectID: first.ProjectID, Project: churn, Branch: "main", Commit: commit}); err != nil {
			t.Fatal(err)
		}
		l.start(generator.New(config))
		defer l.stop()
		l.until("the push is finished", func() bool { return l.pushes()[0].State != store.PushPending })
		return l.pushes()[0]
	}
	head := l.Head(dagProject, "main")
	if p := again(); p.State != store.PushRendered || p.DAGCommit != head {
		t.Errorf("our own work: %+v, want rendered at %s", p, head)
	}
	spec, _ := l.File(dagProject, "main", churnFile)
	l.Commit(dagProject, "main", map[string]string{churnFile: "# away\n"})
	l.Commit(dagProject, "main", map[string]string{churnFile: spec})
	if p := again(); p.State != store.PushUnchanged {
		t.Errorf("somebody's work: %+v, want unchanged", p)
	}
}
