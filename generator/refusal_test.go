package generator_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/gitlab"
	"dagwright/gitlab/gitlabtest"
	"dagwright/store"
)

const (
	fraud     = "gbc/risk/fraud-model"
	fraudFile = "dags/gbc/risk/fraud-model.yaml"
)

// synced takes the DAG repository's files into the store, as the scheduler does.
func (l *lab) synced(files ...string) {
	l.Helper()
	sync := store.Sync{Commit: l.Head(dagProject, "main")}
	for _, file := range files {
		text, ok := l.File(dagProject, "main", file)
		if !ok {
			sync.Removed = append(sync.Removed, file)
			continue
		}
		dags, err := dag.Parse(file, []byte(text))
		if err != nil {
			l.Fatal(err)
		}
		sync.Changed = append(sync.Changed, store.SpecFile{Path: file, Blob: text, Source: text, DAGs: dags})
	}
	if _, err := l.store.SaveDAGs(l.Context(), sync); err != nil {
		l.Fatal(err)
	}
}

// remove asks for the removal of DAGs.
func (l *lab) remove(ids ...dag.ID) {
	l.Helper()
	for _, id := range ids {
		if err := l.store.RequestRemoval(l.Context(), store.Actor{User: "ann"}, id); err != nil {
			l.Fatal(err)
		}
	}
}

// removals waits until the removals that are not done meet a condition.
func (l *lab) removals(what string, condition func([]store.Removal) bool) {
	l.Helper()
	l.until(what, func() bool {
		all, err := l.store.PendingRemovals(l.Context())
		if err != nil {
			l.Fatal(err)
		}
		return condition(all)
	})
}

func noneLeft(all []store.Removal) bool { return len(all) == 0 }

// refuseChurnsRemoval is a pre-receive hook that lets nobody delete one file.
const refuseChurnsRemoval = `#!/bin/sh
while read old new ref; do
	if git diff --name-status "$old" "$new" | grep -q '^D.*churn-model.yaml'; then
		echo "GL-HOOK-ERR: churn-model is kept for the audit" >&2
		exit 1
	fi
done
`

// A removal that the DAG repository refuses keeps its reason and its own next try. It
// stops neither pushes nor other removals, and asking again has it tried at once.
func TestRefusedRemovalStopsNobody(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.CreateProject(fraud)
	for _, project := range []string{churn, fraud} {
		l.Commit(project, "main", map[string]string{"main.py": "1"})
		l.settled(store.PushRendered)
	}
	l.synced(churnFile, fraudFile)
	l.SetHook(dagProject, "pre-receive", refuseChurnsRemoval)
	l.remove("churn-model", "fraud-model")
	l.removals("churn-model's is refused and fraud-model's done", func(all []store.Removal) bool {
		return len(all) == 1 && all[0].DAG == "churn-model" && strings.Contains(all[0].Reason, "kept for the audit") &&
			all[0].Tries > 0 && !all[0].RetryAt.IsZero()
	})
	l.Commit(fraud, "retrain", map[string]string{"retrain.py": "1"})
	l.settled(store.PushRendered)
	l.wantFiles(churnFile, "dags/gbc/risk/fraud-model-retrain.yaml")

	l.SetHook(dagProject, "pre-receive", "")
	l.remove("churn-model")
	l.removals("done", noneLeft)
	l.wantFiles("dags/gbc/risk/fraud-model-retrain.yaml")
}

// Where DAGs are delivered as merge requests, so are removals.
func TestRemovalByMergeRequest(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *generator.Config) { c.Deliver = generator.DeliverMergeRequest })
	l.Commit(dagProject, "main", map[string]string{"README.md": "DAGs"})
	l.Commit(churn, "main", map[string]string{"main.py": "1"})
	l.settled(store.PushProposed)
	l.Merge(dagProject, 1)
	l.synced(churnFile)
	l.remove("churn-model")
	request := func() gitlabtest.MergeRequest { return l.MergeRequests(dagProject)[1] }
	l.removals("proposed", func(all []store.Removal) bool {
		return len(all) == 1 && strings.HasSuffix(all[0].MergeRequest, "/2") && all[0].Reason == ""
	})
	l.wantFiles("README.md", churnFile)
	if r := request(); !strings.HasPrefix(r.Source, "dagwright-removal/churn-model-") || r.State != "opened" ||
		!strings.Contains(r.Title, "ann") || !strings.Contains(r.Description, churnFile) {
		t.Errorf("merge request: %+v", r)
	}
	l.Merge(dagProject, 2)
	l.wantFiles("README.md")
	l.synced(churnFile)
	l.removals("done, since the file is gone", noneLeft)
}

// A GitLab that answers the reconciler never holds up no push: neither at the start
// nor later.
func TestReconcileHoldsUpNoPush(t *testing.T) {
	t.Parallel()
	var config generator.Config
	l := newLab(t, func(c *generator.Config) { config = *c })
	// GitLab is asked about a project that is new, and about none that has a DAG.
	l.Commit(churn, "main", map[string]string{"main.py": "0"})
	l.settled(store.PushRendered)
	l.stop()
	config.Reconcile = 10 * time.Millisecond
	config.Projects = func(context.Context) ([]generator.Project, error) {
		all := make([]generator.Project, 500)
		for i := range all {
			all[i] = generator.Project{ID: int64(1000 + i), Path: "gbc/other/model"}
		}
		return all, nil
	}
	const look = "/projects/:id"
	release := l.Hold("GET", look)
	defer release()
	l.start(generator.New(config))
	l.Await("the reconciler waits for GitLab", func() bool { return l.Calls()["GET "+look] >= 8 })
	commit := l.Commit(churn, "main", map[string]string{"main.py": "1"})
	if p := l.settled(store.PushRendered); p.Commit != commit || p.Via != store.ViaWebhook {
		t.Errorf("push %+v", p)
	}
	// Nor does it hold up what an event named.
	asked := l.Calls()["GET "+look]
	l.SendEvent("System Hook", `{"event_name":"project_update","project_id":2,"path_with_namespace":"`+churn+`"}`)
	l.Await("the project of the event is looked at", func() bool { return l.Calls()["GET "+look] > asked })
	release()
	l.until("its look ends", func() bool {
		due, err := l.store.ModelProjects(t.Context(), true)
		return err == nil && len(due) == 0 || l.nudge()
	})
}

// reconciled waits until the reconciler has looked at branches a few times more.
func (l *lab) reconciled() {
	l.Helper()
	const heads = "GET /projects/:id/repository/branches/:branch"
	from := l.Calls()[heads]
	l.Await("the reconciler has been round", func() bool { return l.Calls()[heads] >= from+6 })
}

func (l *lab) wantRendered(commit string) {
	l.Helper()
	if text, _ := l.File(dagProject, "main", churnFile); !strings.Contains(text, commit) {
		l.Errorf("commit %s is not in the DAG repository:\n%s", commit, text)
	}
}

// A push that asks for no CI stays skipped, until somebody replays it.
func TestSkippedPushStaysSkipped(t *testing.T) {
	t.Parallel()
	var config generator.Config
	l := newLab(t, func(c *generator.Config) {
		c.Reconcile = 10 * time.Millisecond
		c.Projects = func(context.Context) ([]generator.Project, error) {
			return []generator.Project{{ID: 2, Path: churn}}, nil
		}
		config = *c
	})
	first := l.Commit(churn, "main", map[string]string{"main.py": "1"})
	l.settled(store.PushRendered)
	second := l.CommitAs(churn, "main", "Typo [skip ci]", map[string]string{"main.py": "2"})
	skipped := l.settled(store.PushSkipped)
	l.reconciled()
	if p := l.pushes()[0]; p.ID != skipped.ID || p.State != store.PushSkipped || p.Commit != second {
		t.Errorf("after reconciling the newest push is %+v, want the skipped one %+v", p, skipped)
	}
	l.wantRendered(first)

	// Nor does rendering the fleet again bring it.
	if _, err := l.store.RerenderPushes(t.Context(), store.Actor{User: "ann"}, []dag.ID{"churn-model"},
		store.ViaRerender); err != nil {
		t.Fatal(err)
	}
	l.settled(store.PushUnchanged)
	l.wantRendered(first)

	// One whose hook was lost is known by its message.
	hook := l.HookURL
	l.stop()
	l.HookURL = ""
	l.CommitAs(churn, "main", "[ci skip] Docs", map[string]string{"main.py": "3"})
	l.HookURL = hook
	l.start(generator.New(config))
	if p := l.settled(store.PushSkipped); p.Via != store.ViaReconciler || p.Title != "[ci skip] Docs" {
		t.Errorf("found: %+v", p)
	}
	l.wantRendered(first)

	if _, err := l.store.ReplayPush(t.Context(), store.Actor{User: "ann"}, skipped.ID); err != nil {
		t.Fatal(err)
	}
	// The branch is at the third by now, which is skipped still: it was at the second before.
	l.settled(store.PushRendered)
	l.wantRendered(second)
	l.reconciled()
	l.wantRendered(second)
}

// A push that waits before a skipped head is rendered all the same, however the push
// said that it is to be skipped.
func TestPushBeforeASkippedHead(t *testing.T) {
	t.Parallel()
	for name, message := range map[string]string{"by message": "Docs [skip ci]", "by option": "Docs"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var config generator.Config
			l := newLab(t, func(c *generator.Config) {
				c.Projects = func(context.Context) ([]generator.Project, error) {
					return []generator.Project{{ID: 2, Path: churn}}, nil
				}
				config = *c
			})
			l.Commit(churn, "main", map[string]string{"main.py": "1"})
			before := l.settled(store.PushRendered)
			l.stop()
			waits := l.Commit(churn, "main", map[string]string{"main.py": "2"})
			hook := l.HookURL
			l.HookURL = ""
			head := l.CommitAs(churn, "main", message, map[string]string{"main.py": "3"})
			l.HookURL = hook
			if name == "by option" {
				l.sendSkip(waits, head)
			}
			l.start(generator.New(config))
			l.until("the push that waited is rendered", func() bool {
				return slices.ContainsFunc(l.pushes(),
					func(p store.Push) bool { return p.Commit == waits && p.State == store.PushRendered })
			})
			l.wantRendered(waits)
			if head == before.Commit ||
				slices.ContainsFunc(l.pushes(),
					func(p store.Push) bool { return p.Commit == head && p.State != store.PushSkipped }) {
				t.Errorf("the skipped head: %+v", l.pushes())
			}
		})
	}
}

// sendSkip sends the event of a push that was made with -o ci.skip.
func (l *lab) sendSkip(before, after string) {
	l.Helper()
	request, err := gitlab.NewPushRequest(l.Context(), l.HookURL, signKey, gitlab.Push{
		ProjectID: 2, Project: churn, Ref: "refs/heads/main", Branch: "main", Before: before, After: after,
		Kind: gitlab.PushUpdated, Title: "Docs", UserName: "Ann", UserUsername: "ann", SkipCI: true,
	})
	if err != nil {
		l.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		l.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		l.Fatalf("hook answered %d", response.StatusCode)
	}
}
