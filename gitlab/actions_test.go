package gitlab_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/gitlab"
	"dagwright/gitlab/gitlabtest"
)

const (
	model      = "gbc/risk/churn-model"
	statusCall = "/projects/:id/statuses/:sha"
)

func newModel(t *testing.T) (*gitlabtest.Server, *gitlab.Client, string) {
	t.Helper()
	server := gitlabtest.New(t)
	server.CreateProject(model)
	commit := server.Commit(model, "main", map[string]string{"main.py": "print(1)\n"})
	return server, dial(t, server.URL, server.Token), commit
}

func TestSetStatus(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before  string // status that is there already
		failure gitlabtest.Failure
		n       int
		state   gitlab.StatusState
		kind    error // of the error; nil for none
		want    string
	}{
		"first":         {state: gitlab.StatusPending, want: "pending"},
		"on":            {before: "pending", state: gitlab.StatusSuccess, want: "success"},
		"pending twice": {before: "pending", state: gitlab.StatusPending, want: "pending"},
		"back to pending": {before: "success", state: gitlab.StatusPending, kind: dag.ErrConflict,
			want: "success"},
		"locked for a while": {failure: gitlabtest.Locked, n: 3, state: gitlab.StatusSuccess, want: "success"},
		"rate limit":         {failure: gitlabtest.Busy, n: 2, state: gitlab.StatusSuccess, want: "success"},
		"too many jobs in a pipeline": {failure: gitlabtest.TooManyJobs, n: 1, state: gitlab.StatusSuccess,
			kind: dag.ErrInvalid},
		"a refusal that is not a race": {failure: gitlabtest.Failure{Status: 400, Message: "description is too long"}, n: 1,
			state: gitlab.StatusSuccess, kind: dag.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client, commit := newModel(t)
			set := func(state gitlab.StatusState) error {
				return client.SetStatus(t.Context(), model, commit, gitlab.Status{
					Name: "dagwright/scoring", State: state, Branch: "main", Description: strings.Repeat("long ", 100),
					TargetURL: "https://dagwright.example.com/dags/x",
				})
			}
			if c.before != "" {
				if err := set(gitlab.StatusState(c.before)); err != nil {
					t.Fatal(err)
				}
			}
			server.Fail("POST", statusCall, c.n, c.failure)
			if err := set(c.state); !errors.Is(err, c.kind) {
				t.Errorf("error %v, want %v", err, c.kind)
			}
			got := ""
			for _, s := range server.Statuses(model, commit) {
				got = s.State
			}
			if got != c.want {
				t.Errorf("state %q, want %q", got, c.want)
			}
		})
	}
}

// A POST that a proxy answers with 502 may have arrived. It is not sent again by
// itself: whoever wants the status asks again.
func TestSetStatusIsNotRepeatedBlindly(t *testing.T) {
	t.Parallel()
	server, client, commit := newModel(t)
	server.Fail("POST", statusCall, 9, gitlabtest.Down)
	err := client.SetStatus(t.Context(), model, commit, gitlab.Status{Name: "x", State: gitlab.StatusSuccess})
	if err == nil || errors.Is(err, dag.ErrInvalid) || errors.Is(err, dag.ErrConflict) {
		t.Errorf("error %v, want one that may heal", err)
	}
	if n := server.Calls()["POST "+statusCall]; n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestStagesOf(t *testing.T) {
	t.Parallel()
	job := func(name, stage, status string) gitlabtest.Job {
		return gitlabtest.Job{Name: name, Stage: stage, Status: status}
	}
	optional := job("scan", "build", "failed")
	optional.AllowFailure = true
	for name, c := range map[string]struct {
		status string // of the pipeline; none when empty
		jobs   []gitlabtest.Job
		want   gitlab.PipelineState
		says   string
	}{
		"no pipeline": {"", nil, gitlab.PipelineNone, ""},
		"passed":      {"success", nil, gitlab.PipelinePassed, ""},
		"building": {"running", []gitlabtest.Job{job("image", "build", "running")},
			gitlab.PipelineRunning, "job image of stage build is running"},
		"built, tests run": {"running",
			[]gitlabtest.Job{job("image", "build", "success"), job("unit", "test", "running")}, gitlab.PipelinePassed, ""},
		"built, tests failed": {"failed",
			[]gitlabtest.Job{job("image", "build", "success"), job("unit", "test", "failed")}, gitlab.PipelinePassed, ""},
		"not built": {"failed", []gitlabtest.Job{job("image", "build", "failed")}, gitlab.PipelineFailed,
			"job image of stage build is failed"},
		"optional job failed": {"running", []gitlabtest.Job{job("image", "build", "success"), optional},
			gitlab.PipelinePassed, ""},
		"no job in the stage": {"running", []gitlabtest.Job{job("unit", "test", "success")},
			gitlab.PipelineRunning, "pipeline 1 is running"},
		"our own status is not an image": {"running",
			[]gitlabtest.Job{job("dagwright/scoring", "build", "pending"), job("image", "build", "success")},
			gitlab.PipelinePassed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client, commit := newModel(t)
			if c.status != "" {
				server.SetPipeline(model, "main", commit, c.status, c.jobs...)
			}
			got, err := client.StagesOf(t.Context(), model, "main", commit, []string{"build"})
			if err != nil || got.State != c.want || !strings.Contains(got.Detail, c.says) {
				t.Errorf("got %+v, %v; want %s with %q", got, err, c.want, c.says)
			}
		})
	}
}

func TestProposeAndWithdraw(t *testing.T) {
	t.Parallel()
	server, client, _ := newModel(t)
	server.Commit(model, "proposal", map[string]string{"a": "1"})
	m := gitlab.MergeRequest{Source: "proposal", Target: "main", Title: "First\nline", Description: "one"}
	first, err := client.Propose(t.Context(), model, m)
	if err != nil || first.IID != 1 || !strings.HasSuffix(first.URL, "/-/merge_requests/1") {
		t.Fatalf("%+v, %v", first, err)
	}
	calls := func() int { return server.Calls()["PUT /projects/:id/merge_requests/:iid"] }
	if again, err := client.Propose(t.Context(), model, m); err != nil || again != first || calls() != 0 {
		t.Errorf("the same again: %+v, %v, %d updates", again, err, calls())
	}
	m.Description = "two"
	if again, err := client.Propose(t.Context(), model, m); err != nil || again != first || calls() != 1 {
		t.Errorf("another text: %+v, %v, %d updates", again, err, calls())
	}
	for range 2 { // the second finds nothing to do
		if err := client.Withdraw(t.Context(), model, "proposal", "not needed"); err != nil {
			t.Fatal(err)
		}
	}
	want := []gitlabtest.MergeRequest{{IID: 1, Source: "proposal", Target: "main", Title: "First line", Description: "two",
		State: "closed", Notes: []string{"not needed"}}}
	if diff := cmp.Diff(want, server.MergeRequests(model)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := client.BranchHead(t.Context(), model, "proposal"); !errors.Is(err, dag.ErrNotFound) {
		t.Errorf("the branch: %v", err)
	}
}

func TestMergeWhenReady(t *testing.T) {
	t.Parallel()
	server, client, _ := newModel(t)
	server.Branch(model, "proposal", "main")
	server.Commit(model, "proposal", map[string]string{"a": "1"})
	p, err := client.Propose(t.Context(), model, gitlab.MergeRequest{Source: "proposal", Target: "main", Title: "x"})
	if err != nil {
		t.Fatal(err)
	}
	server.Fail("PUT", "/projects/:id/merge_requests/:iid/merge", 1,
		gitlabtest.Failure{Status: 405, Message: "405 Method Not Allowed"})
	if err := client.MergeWhenReady(t.Context(), model, p.IID); !errors.Is(err, dag.ErrConflict) {
		t.Errorf("while GitLab checks: %v, want ErrConflict", err)
	}
	if err := client.MergeWhenReady(t.Context(), model, p.IID); err != nil {
		t.Fatal(err)
	}
	if got := server.Files(model, "main"); got != "a\nmain.py" || server.MergeRequests(model)[0].State != "merged" {
		t.Errorf("files %q, %+v", got, server.MergeRequests(model))
	}
}

func TestWriteNote(t *testing.T) {
	t.Parallel()
	server, client, _ := newModel(t)
	iid := server.OpenMergeRequest(model, "feature", "main")
	for _, text := range []string{"one", "one", "two"} {
		if err := client.WriteNote(t.Context(), model, iid, "<!-- mark -->", text); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"<!-- mark -->\ntwo"}, server.MergeRequests(model)[0].Notes); diff != "" {
		t.Errorf("notes (-want +got)\n%s", diff)
	}
	if n := server.Calls()["PUT /projects/:id/merge_requests/:iid/notes/:note"]; n != 1 {
		t.Errorf("%d updates, want 1", n)
	}
}

func TestEnsureHook(t *testing.T) {
	t.Parallel()
	server, client, _ := newModel(t)
	h := gitlab.Hook{URL: "https://dagwright.example.com/hooks/gitlab", Secret: "whsec_AAAA",
		Branches: []string{"main", "retrain"}}
	for _, c := range []struct {
		name           string
		change         func()
		rotate, dryRun bool
		want           gitlab.HookChange
		hooks          int
	}{
		{"dry run", nil, false, true, gitlab.HookAdded, 0},
		{"first", nil, false, false, gitlab.HookAdded, 1},
		{"again", nil, false, false, gitlab.HookSame, 1},
		{"rotate", func() { h.Secret = "whsec_BBBB" }, true, false, gitlab.HookRotated, 1},
		{"more events", func() { h.Pipelines = true }, false, false, gitlab.HookUpdated, 1},
	} {
		if c.change != nil {
			c.change()
		}
		got, err := client.EnsureHook(t.Context(), model, h, c.rotate, c.dryRun)
		if err != nil || got != c.want || len(server.Hooks(model)) != c.hooks {
			t.Errorf("%s: %s, %v, %d hooks; want %s, %d hooks", c.name, got, err, len(server.Hooks(model)), c.want, c.hooks)
		}
	}
	want := []gitlabtest.Hook{{ID: 1, URL: h.URL, Secret: "whsec_BBBB", BranchFilter: "^(main|retrain)$", Pipelines: true}}
	if diff := cmp.Diff(want, server.Hooks(model)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestGroupProjectsReadsAllPages(t *testing.T) {
	t.Parallel()
	server := gitlabtest.New(t)
	var want []string
	for i := range 205 {
		path := fmt.Sprintf("gbc/risk/m%03d", i)
		server.CreateProject(path)
		want = append(want, path)
	}
	server.CreateProject("other/x")
	projects, err := dial(t, server.URL, server.Token).GroupProjects(t.Context(), "gbc")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range projects {
		got = append(got, p.Path)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestChangedPathsAndProject(t *testing.T) {
	t.Parallel()
	server, client, first := newModel(t)
	second := server.Commit(model, "main", map[string]string{"a/x.py": "1", "b/y.py": "2"})
	paths, whole, err := client.ChangedPaths(t.Context(), model, first, second)
	if diff := cmp.Diff([]string{"a/x.py", "b/y.py"}, paths); diff != "" || !whole || err != nil {
		t.Errorf("%v, whole %v, %v", paths, whole, err)
	}
	if _, _, err := client.ChangedPaths(t.Context(), model, noCommit, second); !errors.Is(err, dag.ErrNotFound) {
		t.Errorf("unknown commit: %v", err)
	}
	server.Rename(model, "gbc/sales/churn")
	info, err := client.LookUpProject(t.Context(), "1")
	if err != nil || info.Path != "gbc/sales/churn" || info.Archived {
		t.Errorf("renamed: %+v, %v", info, err)
	}
	server.Archive("gbc/sales/churn", true)
	if info, err = client.LookUpProject(t.Context(), "1"); err != nil || !info.Archived {
		t.Errorf("archived: %+v, %v", info, err)
	}
	if _, err := client.LookUpProject(t.Context(), model); !errors.Is(err, dag.ErrNotFound) {
		t.Errorf("old path: %v", err)
	}
}
