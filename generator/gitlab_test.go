package generator_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/gitlab"
	"dagwright/gitlab/gitlabtest"
	"dagwright/gitrepo"
	"dagwright/store"
	"dagwright/store/storetest"
	"dagwright/templates"
	"dagwright/webhook"
)

const (
	dagProject = "gbc/airflow-dev"
	churn      = "gbc/risk/churn-model"
	churnFile  = "dags/gbc/risk/churn-model.yaml"
	signKey    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// lab is a generator between a GitLab and its DAG repository, notified by real
// hooks.
type lab struct {
	*testing.T
	*gitlabtest.Server
	store  *store.Store
	config generator.Config
	stop   func()
}

// newLab starts everything. change may change the generator's settings.
func newLab(t *testing.T, change func(*generator.Config)) *lab {
	t.Helper()
	l := &lab{T: t, Server: gitlabtest.New(t), store: storetest.OpenTest(t)}
	receiver := httptest.NewServer(webhook.New(webhook.Config{
		Store: l.store, Verifier: gitlab.NewVerifier(signKey), DAGProject: dagProject, Previews: true,
		Logger: slog.New(slog.DiscardHandler),
	}))
	t.Cleanup(receiver.Close)
	l.HookURL, l.HookSecret = receiver.URL, signKey
	l.CreateProject(dagProject)
	l.CreateProject(churn)

	client, err := gitlab.Dial(gitlab.Config{BaseURL: l.Server.URL, Token: l.Token})
	if err != nil {
		t.Fatal(err)
	}
	repo, err := gitrepo.Open(gitrepo.Config{URL: l.CloneURL(dagProject), Branch: "main",
		Dir: filepath.Join(t.TempDir(), "clone.git"), Username: "dagwright", Password: l.Token})
	if err != nil {
		t.Fatal(err)
	}
	set, err := templates.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	config := generator.Config{
		Store: l.store, Repo: repo, Models: client, GitLab: client, Templates: set, Instance: generator.DefaultInstance(),
		DAGProject: dagProject, PublicURL: "https://dagwright.example.com", Logger: slog.New(slog.DiscardHandler),
		Reconcile: time.Hour,
	}
	if change != nil {
		change(&config)
	}
	l.config = config
	l.start(generator.New(config))
	t.Cleanup(func() { l.stop() })
	return l
}

func (l *lab) start(g *generator.Generator) {
	ctx, cancel := context.WithCancel(l.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			l.Errorf("Run: %v", err)
		}
	})
}

// until waits until a condition on the store holds.
func (l *lab) until(what string, condition func() bool) {
	l.Helper()
	changes := l.store.Subscribe()
	defer changes.Close()
	deadline := time.After(time.Minute)
	for !condition() {
		select {
		case <-changes.C:
		case <-changes.Lagged:
		case <-deadline:
			l.Fatalf("it never came to this: %s; pushes: %+v", what, l.pushes())
		}
	}
}

// record records a push as something else than a hook would.
func (l *lab) record(p store.Push) {
	l.Helper()
	if _, _, err := l.store.RecordPush(l.Context(), p); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) pushes() []store.Push {
	l.Helper()
	all, err := l.store.Pushes(l.Context(), store.PushFilter{Limit: 1000})
	if err != nil {
		l.Fatal(err)
	}
	return all
}

// settled waits until the newest push has a state, and returns it.
func (l *lab) settled(state store.PushState) store.Push {
	l.Helper()
	l.until("the newest push is "+string(state),
		func() bool { all := l.pushes(); return len(all) > 0 && all[0].State == state })
	return l.pushes()[0]
}

// status waits for a commit's status.
func (l *lab) status(project, commit, name, state string) gitlabtest.Status {
	l.Helper()
	var last gitlabtest.Status
	l.Await(name+" of "+commit+" is "+state, func() bool {
		for _, s := range l.Statuses(project, commit) {
			if s.Name == name {
				last = s
			}
		}
		return last.Name == name && last.State == state
	})
	return last
}

func (l *lab) wantFiles(want ...string) {
	l.Helper()
	if got := l.Files(dagProject, "main"); got != strings.Join(want, "\n") {
		l.Errorf("the DAG repository has\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestCommitStatuses(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	good := l.Commit(churn, "main", map[string]string{"main.py": "print(1)"})
	s := l.status(churn, good, "dagwright/scoring", "success")
	if s.TargetURL != "https://dagwright.example.com/dags/churn-model" ||
		!strings.Contains(s.Description, "churn-model") || s.Ref != "main" {
		t.Errorf("status %+v", s)
	}
	bad := l.Commit(churn, "retrain", map[string]string{".dagwright.yml": "retrain: {schedule: 61 * * * *, tasks: 1}"})
	s = l.status(churn, bad, "dagwright/retrain", "failed")
	if !strings.Contains(s.Description, ".dagwright.yml:1:") || !strings.Contains(s.TargetURL, "/models?project=") {
		t.Errorf("status %+v", s)
	}
}

// GitLab's refusals do not keep a status from being right in the end.
func TestStatusesSurviveRefusals(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.Fail("POST", "/projects/:id/statuses/:sha", 2, gitlabtest.Locked)
	l.Fail("POST", "/projects/:id/statuses/:sha", 2, gitlabtest.Busy)
	commit := l.Commit(churn, "main", map[string]string{"main.py": "print(1)"})
	l.status(churn, commit, "dagwright/scoring", "success")
}

// Doubled and late hooks lead to no second rendering.
func TestEachHeadIsRenderedOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.Commit(churn, "main", map[string]string{"main.py": "print(1)"})
	l.settled(store.PushRendered)
	l.Commit(churn, "main", map[string]string{"main.py": "print(2)"})
	l.settled(store.PushRendered)
	before := l.Commits(dagProject, "main")
	first := l.Deliveries()[0].Push
	for range 3 { // the first push again, under a new key each
		request, err := gitlab.NewPushRequest(t.Context(), l.HookURL, signKey, first)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		l.until("nothing is pending", func() bool { return l.pushes()[0].State != store.PushPending })
	}
	counts := map[store.PushState]int{}
	for _, p := range l.pushes() {
		counts[p.State]++
	}
	if counts[store.PushRendered] != 2 || counts[store.PushUnchanged] != 0 || l.Commits(dagProject, "main") != before {
		t.Errorf("states %v, %s commits, want %s", counts, l.Commits(dagProject, "main"), before)
	}
}

// A project keeps its DAG when it is renamed or moved.
func TestRenamedAndMovedProjects(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.Commit(churn, "main", map[string]string{"main.py": "print(1)"})
	l.settled(store.PushRendered)

	l.Rename(churn, "gbc/sales/churn-model") // moved: the same DAG in another place
	l.until("moved", func() bool {
		p := l.pushes()[0]
		return p.Project == "gbc/sales/churn-model" && p.State == store.PushRendered
	})
	l.wantFiles("dags/gbc/sales/churn-model.yaml")

	l.Rename("gbc/sales/churn-model", "gbc/sales/attrition") // renamed: the DAG, too
	l.until("renamed", func() bool {
		p := l.pushes()[0]
		return p.Project == "gbc/sales/attrition" && p.State == store.PushRendered
	})
	l.wantFiles("dags/gbc/sales/attrition.yaml")
	if _, err := l.store.Spec(t.Context(), "churn-model"); err == nil {
		t.Error("the old name is still taken")
	}
}

// The DAGs of archived and deleted projects are retired, those of a project that
// GitLab merely does not show are not.
func TestArchivedDeletedAndHiddenProjects(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.Commit(churn, "main", map[string]string{"main.py": "print(1)"})
	l.settled(store.PushRendered)

	l.Archive(churn, true)
	l.settled(store.PushRemoved)
	l.wantFiles()
	l.Archive(churn, false)
	l.settled(store.PushRendered)
	l.wantFiles(churnFile)

	show := l.Hide(churn)
	l.SendEvent("System Hook", `{"event_name":"project_update","project_id":2,"path_with_namespace":"`+churn+`"}`)
	l.until("noticed", func() bool {
		all, err := l.store.ModelProjects(t.Context(), false)
		return err == nil && len(all) == 1 && !all[0].Due && !all[0].MissingAt.IsZero() || l.nudge()
	})
	l.wantFiles(churnFile)
	show()

	l.Destroy(churn, true)
	l.settled(store.PushRemoved)
	l.wantFiles()
}

// nudge makes a change that wakes those who wait on the store.
func (l *lab) nudge() bool {
	if err := l.store.WantSync(l.Context()); err != nil {
		l.Fatal(err)
	}
	return false
}

// What no hook reported is found: pushes, and branches that are gone.
func TestLostHooksHeal(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *generator.Config) {
		c.Reconcile = 50 * time.Millisecond
		c.Projects = func(context.Context) ([]generator.Project, error) {
			return []generator.Project{{ID: 2, Path: churn}}, nil
		}
	})
	hook := l.HookURL
	l.HookURL = ""
	commit := l.Commit(churn, "main", map[string]string{"main.py": "print(1)"})
	p := l.settled(store.PushRendered)
	if p.Commit != commit || p.Via != store.ViaReconciler {
		t.Errorf("push %+v", p)
	}
	l.DeleteBranch(churn, "main")
	l.settled(store.PushRemoved)
	l.wantFiles()
	l.HookURL = hook
}

// A DAG is rendered when its image is there.
func TestWaitForPipeline(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	event := func(commit string) {
		l.SendEvent("Pipeline Hook", `{"object_kind":"pipeline","object_attributes":{"id":1,"ref":"main","sha":"`+commit+
			`","status":"x"},"project":{"id":2,"path_with_namespace":"`+churn+`"}}`)
	}
	commit := l.Commit(churn, "main", map[string]string{".dagwright.yml": "wait_for: pipeline"})
	waits := func(words string) func() bool {
		return func() bool {
			p := l.pushes()[0]
			return p.State == store.PushPending && strings.Contains(p.Reason, words)
		}
	}
	l.until("it waits for a pipeline", waits("there is none yet"))
	l.status(churn, commit, "dagwright/scoring", "pending")
	l.SetPipeline(churn, "main", commit, "running", gitlabtest.Job{Name: "image", Stage: "build", Status: "running"})
	event(commit)
	l.until("it waits for the job", waits("job image of stage build is running"))
	l.SetPipeline(churn, "main", commit, "failed", gitlabtest.Job{Name: "image", Stage: "build", Status: "failed"})
	event(commit)
	l.settled(store.PushRefused)
	l.status(churn, commit, "dagwright/scoring", "failed")
	l.wantFiles()
	// Somebody retries the job.
	l.SetPipeline(churn, "main", commit, "running", gitlabtest.Job{Name: "image", Stage: "build", Status: "success"})
	event(commit)
	l.settled(store.PushRendered)
	l.wantFiles(churnFile)
}

const twoModels = `
owner: risk
models:
  - {name: daily, path: models/daily, scoring: {schedule: "0 6 * * *"}}
  - {name: weekly, path: models/weekly, watch: [lib], scoring: {schedule: "0 6 * * 1"}}
`

// A repository with several models renders those that a push touches.
func TestSeveralModels(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	spec := func(name string) string {
		t.Helper()
		text, ok := l.File(dagProject, "main", "dags/gbc/risk/churn-model/"+name+".yaml")
		if !ok {
			t.Errorf("%s has no spec", name)
		}
		return text
	}
	first := l.Commit(churn, "main",
		map[string]string{".dagwright.yml": twoModels, "models/daily/main.py": "1", "models/weekly/main.py": "1"})
	l.settled(store.PushRendered)
	if !strings.Contains(spec("daily"), `models/daily/main.py`) || !strings.Contains(spec("weekly"), first) {
		t.Errorf("daily is\n%s", spec("daily"))
	}
	second := l.Commit(churn, "main", map[string]string{"models/daily/main.py": "2"})
	l.settled(store.PushRendered)
	if !strings.Contains(spec("daily"), second) || strings.Contains(spec("weekly"), second) {
		t.Error("a change of daily must render daily alone")
	}
	third := l.Commit(churn, "main",
		map[string]string{"lib/x.py": "2", ".dagwright.yml": strings.Replace(twoModels, "0 6 * * *", "0 7 * * *", 1)})
	l.settled(store.PushRendered)
	if !strings.Contains(spec("weekly"), third) || !strings.Contains(spec("daily"), second) ||
		!strings.Contains(spec("daily"), "0 7 * * *") {
		t.Errorf("weekly watches lib, and daily has a new schedule at its old commit:\n%s", spec("daily"))
	}
	l.Commit(churn, "main", map[string]string{"README.md": "2"})
	l.settled(store.PushUnchanged)
	l.Commit(churn, "main", map[string]string{"models/weekly/main.py": ""})
	const reason = `.dagwright.yml:5:26: models[1].path: the repository has no folder "models/weekly"`
	if p := l.settled(store.PushRefused); p.Reason != reason {
		t.Errorf("the folder of weekly is gone: %q", p.Reason)
	}
	l.Commit(churn, "main", map[string]string{"models/weekly/main.py": "2"})
	l.settled(store.PushRendered)
	l.Commit(churn, "main",
		map[string]string{".dagwright.yml": strings.Replace(twoModels,
			"  - {name: daily, path: models/daily, scoring: {schedule: \"0 6 * * *\"}}\n", "", 1)})
	l.settled(store.PushRendered)
	l.wantFiles("dags/gbc/risk/churn-model/weekly.yaml")
}

// What somebody edited by hand is not written over unless told.
func TestHandEditsAreKept(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.Commit(churn, "main", map[string]string{"main.py": "1"})
	l.settled(store.PushRendered)
	text, _ := l.File(dagProject, "main", churnFile)
	edited := strings.Replace(text, "0 6 * * *", "0 9 * * *", 1)
	l.Commit(dagProject, "main", map[string]string{churnFile: edited})
	l.Commit(churn, "main", map[string]string{"main.py": "2"})
	if p := l.settled(store.PushRefused); !strings.Contains(p.Reason, churnFile+" was edited by hand") {
		t.Errorf("reason %q", p.Reason)
	}
	if text, _ = l.File(dagProject, "main", churnFile); text != edited {
		t.Error("the edit is gone")
	}
	if _, err := l.store.RerenderPushes(t.Context(), store.Actor{User: "ann"}, []dag.ID{"churn-model"},
		store.ViaOverwrite); err != nil {
		t.Fatal(err)
	}
	l.settled(store.PushRendered)
	if text, _ = l.File(dagProject, "main", churnFile); strings.Contains(text, "0 9 * * *") {
		t.Error("told to write over the edit, it did not")
	}
}

// A dry run says what would change, and of what was edited by hand, and writes
// nothing. The fleet is one commit.
func TestRerender(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	const other = "gbc/risk/fraud-model"
	l.CreateProject(other)
	for _, project := range []string{churn, other} {
		l.Commit(project, "main", map[string]string{"main.py": "1"})
		l.settled(store.PushRendered)
	}
	text, _ := l.File(dagProject, "main", churnFile)
	l.Commit(dagProject, "main", map[string]string{churnFile: strings.Replace(text, "0 6 * * *", "0 9 * * *", 1)})
	commits := l.Commits(dagProject, "main")
	all := []dag.ID{"churn-model", "fraud-model"}
	rerender := func(how string) []store.Push {
		t.Helper()
		ids, err := l.store.RerenderPushes(t.Context(), store.Actor{User: "ann"}, all, how)
		if err != nil {
			t.Fatal(err)
		}
		l.until("both are done", func() bool {
			pushes := l.pushes()[:len(ids)]
			return pushes[0].State != store.PushPending && pushes[1].State != store.PushPending
		})
		return l.pushes()[:len(ids)]
	}
	dry := rerender(store.ViaDryRun)
	if dry[1].State != store.PushCompared || !strings.Contains(dry[1].Reason, "edited by hand") ||
		!strings.Contains(dry[1].Reason, `-  schedule: "0 9 * * *"`) {
		t.Errorf("churn-model: %+v", dry[1])
	}
	if dry[0].State != store.PushCompared || dry[0].Reason != "nothing would change" {
		t.Errorf("fraud-model: %+v", dry[0])
	}
	if got := l.Commits(dagProject, "main"); got != commits {
		t.Errorf("the dry run made commits: %s, want %s", got, commits)
	}
	if got := rerender(store.ViaRerender); got[1].State != store.PushRefused || got[0].State != store.PushUnchanged {
		t.Errorf("rerender: %+v", got)
	}
	if got := rerender(store.ViaOverwrite); got[1].State != store.PushRendered || got[0].State != store.PushUnchanged {
		t.Errorf("overwrite: %+v", got)
	}
}

// With merge requests a model's branch has one, kept up to date, closed when it is
// not needed any more.
func TestMergeRequests(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *generator.Config) { c.Deliver = generator.DeliverMergeRequest })
	l.Commit(dagProject, "main", map[string]string{"README.md": "DAGs"})
	commit := l.Commit(churn, "main", map[string]string{"main.py": "1"})
	p := l.settled(store.PushProposed)
	l.wantFiles("README.md")
	requests := l.MergeRequests(dagProject)
	if len(requests) != 1 || requests[0].Source != "dagwright/gbc/risk/churn-model/main" ||
		!strings.HasSuffix(p.MergeRequest, "/1") {
		t.Fatalf("%+v, %+v", requests, p)
	}
	for _, words := range []string{"```mermaid\nflowchart LR\n  t0[\"run_model\"]", "/" + churn + "/-/commit/" + commit,
		"| in UTC | in UTC |", "A new DAG, churn-model", "+churn-model:"} {
		if !strings.Contains(requests[0].Description, words) {
			t.Errorf("the description lacks %q:\n%s", words, requests[0].Description)
		}
	}
	if s := l.status(churn, commit, "dagwright/scoring", "success"); s.TargetURL != p.MergeRequest {
		t.Errorf("status %+v", s)
	}

	l.Commit(churn, "main", map[string]string{"main.py": "2"})
	l.until("updated", func() bool { all := l.pushes(); return len(all) == 2 && all[0].State == store.PushProposed })
	if requests = l.MergeRequests(dagProject); len(requests) != 1 || strings.Contains(requests[0].Description, commit) {
		t.Errorf("updated: %+v", requests)
	}
	l.Merge(dagProject, 1)
	l.wantFiles("README.md", churnFile)

	// While one is open, another push is not an edit by hand of what is merged.
	for i, text := range []string{"2a", "2b"} {
		want := 3 + i
		l.Commit(churn, "main", map[string]string{"main.py": text})
		l.until("proposed "+text,
			func() bool { p := l.pushes()[0]; return p.State == store.PushProposed && len(l.pushes()) == want })
	}
	l.Merge(dagProject, 2)

	// A model that goes back to what is merged needs no merge request.
	merged, _ := l.File(dagProject, "main", churnFile)
	l.Commit(churn, "main", map[string]string{"main.py": "3"})
	l.until("another one", func() bool { all := l.pushes(); return len(all) == 5 && all[0].State == store.PushProposed })
	branch, _ := l.File(dagProject, "dagwright/gbc/risk/churn-model/main", churnFile)
	l.Commit(dagProject, "main", map[string]string{churnFile: branch}) // somebody takes it over by hand
	if _, err := l.store.RerenderPushes(t.Context(), store.Actor{User: "ann"}, []dag.ID{"churn-model"},
		store.ViaRerender); err != nil {
		t.Fatal(err)
	}
	l.settled(store.PushUnchanged)
	requests = l.MergeRequests(dagProject)
	if last := requests[len(requests)-1]; len(requests) != 3 || last.State != "closed" || branch == merged {
		t.Errorf("%+v", last)
	}
}

func TestAutoMerge(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *generator.Config) { c.Deliver, c.AutoMerge = generator.DeliverMergeRequest, true })
	l.Commit(dagProject, "main", map[string]string{"README.md": "DAGs"})
	l.Commit(churn, "main", map[string]string{"main.py": "1"})
	l.settled(store.PushProposed)
	l.wantFiles("README.md", churnFile)
}

// A note on a model's merge request says what the DAG would become.
func TestPreviewNotes(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.Commit(churn, "main", map[string]string{"main.py": "1"})
	l.settled(store.PushRendered)
	l.Branch(churn, "feature", "main")
	iid := l.OpenMergeRequest(churn, "feature", "main")
	event := func(commit string) {
		l.SendEvent("Merge Request Hook", `{"object_kind":"merge_request","project":{"id":2,"path_with_namespace":"`+churn+
			`"},"object_attributes":{"iid":`+
			strconv.FormatInt(iid, 10)+`,"action":"update","target_branch":"main","source_project_id":2,"last_commit":{"id":"`+
			commit+`"}}}`)
	}
	note := func(words string) {
		t.Helper()
		l.Await("a note with "+words, func() bool {
			notes := l.MergeRequests(churn)[0].Notes
			return len(notes) == 1 && strings.Contains(notes[0], words)
		})
	}
	event(l.Commit(churn, "feature", map[string]string{".dagwright.yml": `scoring: {schedule: "0 7 * * *"}`}))
	note("The schedule changes from `0 6 * * * UTC (At 06:00)` to `0 7 * * * UTC (At 07:00)`.")
	event(l.Commit(churn, "feature", map[string]string{".dagwright.yml": "onwer: x"}))
	note("would be refused")
	event(l.Commit(churn, "feature", map[string]string{".dagwright.yml": "owner: x\nprofile: gpu-larg\n"}))
	note(`.dagwright.yml:2:10: profile: there is no profile "gpu-larg"; this instance has none`)
	event(l.Commit(churn, "feature", map[string]string{".dagwright.yml": "docs: none.md\n"}))
	note(".dagwright.yml:1:7: docs: there is no file none.md in this commit")
}

// A crash may come between a push and the note of it. What dagwright itself wrote
// is not an edit by hand, even when a newer commit of the model comes before the note.
func TestWorkOfBeforeACrash(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.Commit(churn, "main", map[string]string{"main.py": "1"})
	l.settled(store.PushRendered)
	text, _ := l.File(dagProject, "main", churnFile)
	repo, err := gitrepo.Open(gitrepo.Config{
		URL: l.CloneURL(dagProject), Branch: "main", Dir: filepath.Join(t.TempDir(), "clone.git"), Username: "oauth2",
		Password: l.Token,
	})
	if err != nil {
		t.Fatal(err)
	}
	unrecorded := strings.Replace(text, "0 6 * * *", "0 9 * * *", 1)
	if _, _, err := repo.Push(t.Context(), gitrepo.Commit{
		Describe: func() string { return "Render churn-model" }, AuthorName: "dagwright", AuthorEmail: "dagwright@localhost",
		When: time.Now(),
		Changes: func(string) ([]gitrepo.Change, error) {
			return []gitrepo.Change{{Path: churnFile, Content: []byte(unrecorded)}}, nil
		},
	}); err != nil {
		t.Fatal(err)
	}
	second := l.Commit(churn, "main", map[string]string{"main.py": "2"})
	l.settled(store.PushRendered)
	if text, _ = l.File(dagProject, "main", churnFile); !strings.Contains(text, second) {
		t.Errorf("the newer commit was not rendered:\n%s", text)
	}
}
