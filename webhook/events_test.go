package webhook_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/gitlab"
	"dagwright/store"
	"dagwright/webhook"
)

// payloads returns the example events of GitLab's own client library, by file,
// from the module that the build uses.
func payloads(t *testing.T, kind string) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "gitlab.com/gitlab-org/api/client-go/v2")
	dir, err := cmd.Output()
	if err != nil {
		t.Fatalf("find the module of GitLab's client: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "testdata", kind, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no payloads of %s in %s: run \"go mod download\"", kind, dir)
	}
	out := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(file)] = string(text)
	}
	return out
}

// Every event that GitLab's own library knows is accepted or ignored: an error
// would count against the hook.
func TestRealPayloadsAreNoErrors(t *testing.T) {
	t.Parallel()
	for kind, headers := range map[string][]string{
		"webhooks": {"Push Hook", "Tag Push Hook", "Pipeline Hook", "Merge Request Hook", "Project Hook", "Issue Hook",
			"Hook of Tomorrow"},
		"systemhooks": {"System Hook"},
	} {
		for name, text := range payloads(t, kind) {
			for _, header := range headers {
				if header == "Push Hook" && name != "push.json" {
					continue // GitLab sends nothing but pushes under this name
				}
				h := newHook(t)
				if status, got := send(t, h, raw(t, header, text)); status/100 != 2 {
					t.Errorf("%s/%s as %s: %d %+v", kind, name, header, status, got)
				}
			}
		}
	}
}

// Real push, pipeline, merge request and project events are understood, not
// merely ignored.
func TestRealPayloadsAreUnderstood(t *testing.T) {
	t.Parallel()
	hooks, system := payloads(t, "webhooks"), payloads(t, "systemhooks")
	for name, c := range map[string]struct {
		text string
		want gitlab.EventKind
	}{
		"push":          {hooks["push.json"], gitlab.EventPush},
		"tag push":      {hooks["tag_push.json"], gitlab.EventPush},
		"pipeline":      {hooks["pipeline.json"], gitlab.EventPipeline},
		"merge request": {hooks["merge_request.json"], gitlab.EventMergeRequest},
		"system push":   {system["push.json"], gitlab.EventPush},
		"rename":        {system["project_rename.json"], gitlab.EventProject},
		"transfer":      {system["project_transfer.json"], gitlab.EventProject},
		"destroy":       {system["project_destroy.json"], gitlab.EventProject},
	} {
		e, err := gitlab.ParseEvent(strings.NewReader(c.text))
		if err != nil || e.Kind != c.want {
			t.Errorf("%s is %s, %v; want %s", name, e.Kind, err, c.want)
		}
		if e.Kind == gitlab.EventProject && e.Project.Deleted != (name == "destroy") {
			t.Errorf("%s: %+v", name, e.Project)
		}
	}
}

const pipelineEvent = `{"object_kind":"pipeline","object_attributes":{"id":31,"ref":"main","sha":"` + commitB +
	`","status":"success"},
	"project":{"id":101,"path_with_namespace":"gbc/risk/churn-model"}}`

// A pipeline's event wakes the pushes of its commit that wait, also one that a
// failed pipeline had refused, and no other.
func TestPipelineWakesPushes(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	if _, got := send(t, h, raw(t, "Pipeline Hook", pipelineEvent)); got.Status != "ignored" {
		t.Errorf("nothing waits: %+v", got)
	}
	send(t, h, request(t, secret, pushTo("main")))
	push := h.pushes(t)[0]
	for _, state := range []store.PushState{store.PushPending, store.PushRefused} {
		finish(t, h, store.PushResult{ID: push.ID, State: state, WaitsFor: store.WaitsForPipeline,
			RetryAt: push.ReceivedAt.AddDate(1, 0, 0), Reason: "the build failed"})
		if status, got := send(t, h, raw(t, "Pipeline Hook", pipelineEvent)); status != http.StatusAccepted {
			t.Errorf("%s: %d %+v", state, status, got)
		}
		pending, err := h.store.PendingPushes(t.Context(), push.ReceivedAt, 10)
		if err != nil || len(pending) != 1 {
			t.Errorf("%s: pending afterwards: %+v, %v", state, pending, err)
		}
	}
	finish(t, h, store.PushResult{ID: push.ID, State: store.PushRefused, Reason: "a fault of its own"})
	if _, got := send(t, h, raw(t, "Pipeline Hook", pipelineEvent)); got.Status != "ignored" {
		t.Errorf("a refusal for another reason: %+v", got)
	}
}

func finish(t *testing.T, h *hook, r store.PushResult) {
	t.Helper()
	if err := h.store.FinishPushes(t.Context(), []store.PushResult{r}); err != nil {
		t.Fatal(err)
	}
}

func TestMergeRequestsWantPreviews(t *testing.T) {
	t.Parallel()
	event := func(action, target, source string) string {
		return `{"object_kind":"merge_request","project":{"id":101,"path_with_namespace":"gbc/risk/churn-model"},"object_attributes":{
			"iid":7,"action":"` + action + `","target_branch":"` + target + `","source_project_id":` + source +
			`,"last_commit":{"id":"` + commitB + `"}}}`
	}
	h := newHook(t)
	if _, got := send(t, h, raw(t, "Merge Request Hook", event("open", "main", "101"))); got.Status != "ignored" {
		t.Errorf("while previews are off: %+v", got)
	}
	h.Receiver.Previews = true
	for name, c := range map[string]struct{ action, target, source, status string }{
		"fork":         {"open", "main", "102", "ignored"},
		"other branch": {"open", "docs", "101", "ignored"},
		"closed":       {"close", "main", "101", "ignored"},
		"opened":       {"open", "main", "101", "accepted"},
		"new commit":   {"update", "main", "101", "accepted"},
	} {
		if status, got := send(t, h,
			raw(t, "Merge Request Hook", event(c.action, c.target, c.source))); got.Status != c.status || status/100 != 2 {
			t.Errorf("%s: %d %+v", name, status, got)
		}
	}
	got, err := h.store.PendingPreviews(t.Context(), store.Push{}.ReceivedAt, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Preview{{ProjectID: 101, Project: "gbc/risk/churn-model", MergeRequest: 7, Target: "main",
		Commit: commitB}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestProjectEventsAreWrittenDown(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	const rename = `{"event_name":"project_rename","project_id":101,"path_with_namespace":"gbc/new","old_path_with_namespace":"gbc/old"}`
	if _, got := send(t, h, raw(t, "System Hook", rename)); got.Status != "ignored" {
		t.Errorf("a project without a DAG: %+v", got)
	}
	if err := h.store.ClaimSpec(t.Context(), store.Spec{DAG: "old", ProjectID: 101}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{rename, strings.Replace(rename, "rename", "destroy", 1), rename} {
		if status, got := send(t, h, raw(t, "System Hook", text)); status != http.StatusAccepted {
			t.Errorf("%d %+v", status, got)
		}
	}
	due, err := h.store.ModelProjects(t.Context(), true)
	if err != nil || len(due) != 1 || due[0].ID != 101 || due[0].MissingAt.IsZero() {
		t.Errorf("due %+v, %v; want project 101, said to be deleted", due, err)
	}
}

var _ webhook.Store = held{}
