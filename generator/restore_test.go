package generator_test

import (
	"strings"
	"testing"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/store"
)

// restore asks for a DAG's file to come back, and gives the push that is rendered
// for it.
func (l *lab) restore(id dag.ID) (push int64) {
	l.Helper()
	push, err := l.store.RequestRestore(l.Context(), store.Actor{User: "ann"}, id)
	if err != nil {
		l.Fatal(err)
	}
	return push
}

const (
	handFile   = "dags/by/hand.yaml"
	handSource = "hand:\n  default_args: {owner: ann}\n  tasks:\n    run: {operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator, image: i}\n"
)

// The file of a DAG that was removed comes back: a model's from the head of its
// branch, one written by hand as it was stored last.
func TestRestoreFile(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.Commit(churn, "main", map[string]string{"main.py": "1"})
	l.settled(store.PushRendered)
	l.Commit(dagProject, "main", map[string]string{handFile: handSource})
	l.synced(churnFile, handFile)
	l.remove("churn-model", "hand")
	l.removals("removed", noneLeft)
	l.wantFiles("")
	l.synced(churnFile, handFile)

	if l.restore("churn-model") == 0 {
		t.Error("the branch is not rendered again")
	}
	l.settled(store.PushRendered)
	l.wantFiles(churnFile)

	if push := l.restore("hand"); push != 0 {
		t.Errorf("a file written by hand comes from the push %d", push)
	}
	l.removals("restored", noneLeft)
	l.wantFiles(handFile, churnFile)
	if text, _ := l.File(dagProject, "main", handFile); text != handSource {
		t.Errorf("the file came back as %q", text)
	}
	if _, err := l.store.RequestRestore(t.Context(), store.Actor{User: "ann"}, "hand"); err != nil {
		t.Error(err) // as long as the scheduler has not seen the file
	}
	l.removals("nothing is left to restore", noneLeft)
}

// What has come to the path of a removed file meanwhile is not written over.
func TestRestoreOverAnotherFile(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.Commit(dagProject, "main", map[string]string{handFile: handSource})
	l.synced(handFile)
	l.remove("hand")
	l.removals("removed", noneLeft)
	l.synced(handFile)
	other := strings.Replace(handSource, "hand:", "other:", 1)
	l.Commit(dagProject, "main", map[string]string{handFile: other})
	l.restore("hand")
	l.removals("refused", func(all []store.Removal) bool {
		return len(all) == 1 && strings.Contains(all[0].Reason, "another file at "+handFile)
	})
	if text, _ := l.File(dagProject, "main", handFile); text != other {
		t.Errorf("the file that was there is now %q", text)
	}
}

// Where DAGs are delivered as merge requests, so are files that come back.
func TestRestoreByMergeRequest(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *generator.Config) { c.Deliver = generator.DeliverMergeRequest })
	l.Commit(dagProject, "main", map[string]string{"README.md": "DAGs", handFile: handSource})
	l.synced(handFile)
	l.remove("hand")
	l.removals("the removal is proposed",
		func(all []store.Removal) bool { return len(all) == 1 && all[0].MergeRequest != "" })
	l.Merge(dagProject, 1)
	l.synced(handFile)
	l.wantFiles("README.md")
	l.restore("hand")
	l.removals("the file is proposed",
		func(all []store.Removal) bool { return len(all) == 1 && all[0].MergeRequest != "" })
	if r := l.MergeRequests(dagProject)[1]; !strings.Contains(r.Title, "restore version 1") ||
		!strings.Contains(r.Description, "restore `"+handFile) {
		t.Errorf("merge request: %+v", r)
	}
	l.Merge(dagProject, 2)
	l.wantFiles("README.md", handFile)
	l.synced(handFile)
	l.removals("done, since the file is there", noneLeft)
}
