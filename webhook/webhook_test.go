package webhook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"dagwright/gitlab"
	"dagwright/gitlab/gitlabtest"
	"dagwright/store"
	"dagwright/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	zeros   = "0000000000000000000000000000000000000000"
	commitA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	commitB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	secret  = "s3cret-canary"
	signKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// hook is a receiver on a real store.
type hook struct {
	*webhook.Receiver
	store *store.Store
	log   *bytes.Buffer
}

func newHook(t *testing.T) *hook {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	log := &bytes.Buffer{}
	return &hook{
		Receiver: webhook.New(webhook.Config{
			Store: s, Verifier: gitlab.NewVerifier(secret, signKey), DAGProject: "gbc/airflow-dev",
			Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		}),
		store: s, log: log,
	}
}

func (h *hook) pushes(t *testing.T) []store.Push {
	t.Helper()
	all, err := h.store.Pushes(t.Context(), store.PushFilter{})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// reply is an answer's body.
type reply struct {
	Status, Reason, Error string
	Push                  int64
}

func send(t *testing.T, h http.Handler, r *http.Request) (int, reply) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var body reply
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Errorf("answer %q: %v", w.Body, err)
	}
	return w.Code, body
}

func pushTo(branch string) gitlab.Push {
	return gitlab.Push{
		ProjectID: 101, Project: "gbc/risk/churn-model", Ref: "refs/heads/" + branch, Before: commitA, After: commitB,
		UserName: "Ann", UserUsername: "ann", Title: "Score better",
	}
}

func request(t *testing.T, key string, p gitlab.Push) *http.Request {
	t.Helper()
	r, err := gitlab.NewPushRequest(t.Context(), "http://localhost/hooks/gitlab", key, p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// raw is a request with a body of the caller's.
func raw(t *testing.T, event, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/gitlab", strings.NewReader(body))
	r.Header.Set("X-Gitlab-Event", event)
	r.Header.Set("X-Gitlab-Token", secret)
	return r
}

func TestPushIsRecorded(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{"token": secret, "signature": signKey} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHook(t)
			r := request(t, key, pushTo("main"))
			status, body := send(t, h, r)
			if status != http.StatusAccepted || body.Status != "accepted" || body.Push == 0 {
				t.Fatalf("answer %d %+v", status, body)
			}
			want := []store.Push{{
				ID: body.Push, ProjectID: 101, Project: "gbc/risk/churn-model", Branch: "main", Before: commitA, Commit: commitB,
				Delivery: r.Header.Get("Idempotency-Key"), User: "ann", Title: "Score better", Via: store.ViaWebhook,
				State: store.PushPending,
			}}
			if diff := cmp.Diff(want, h.pushes(t),
				cmpopts.IgnoreFields(store.Push{}, "ReceivedAt", "RetryAt", "FinishedAt")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestDeletedBranchIsRecorded(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	p := pushTo("retrain")
	p.After = zeros
	if status, body := send(t, h, request(t, secret, p)); status != http.StatusAccepted {
		t.Fatalf("answer %d %+v", status, body)
	}
	if got := h.pushes(t); len(got) != 1 || !got[0].Deleted || got[0].Branch != "retrain" {
		t.Errorf("pushes %+v", got)
	}
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	r := request(t, signKey, pushTo("main"))
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var first reply
	for i, want := range []string{"accepted", "repeated", "repeated"} {
		again := r.Clone(t.Context())
		again.Body = io.NopCloser(bytes.NewReader(body))
		status, got := send(t, h, again)
		if got.Status != want || status != map[string]int{"accepted": 202, "repeated": 200}[want] {
			t.Errorf("delivery %d: %d %+v, want %s", i, status, got, want)
		}
		if i == 0 {
			first = got
		}
		if got.Push != first.Push {
			t.Errorf("delivery %d names push %d, want %d", i, got.Push, first.Push)
		}
	}
	// A group hook beside a project hook sends the same push under another key.
	if status, got := send(t, h, request(t, signKey, pushTo("main"))); status != http.StatusOK ||
		got.Status != "repeated" {
		t.Errorf("same commit: %d %+v", status, got)
	}
	if got := h.pushes(t); len(got) != 1 {
		t.Errorf("%d pushes recorded, want 1", len(got))
	}
}

func TestIgnored(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	tag := pushTo("")
	tag.Ref = "refs/tags/main"
	side := pushTo("main")
	side.Project, side.Ref = "gbc/airflow-dev", "refs/heads/experiment"
	for name, r := range map[string]*http.Request{
		"other branch": request(t, secret, pushTo("feature/main")),
		"tag":          request(t, secret, tag),
		"tag as system hook": raw(t, "System Hook",
			`{"event_name":"tag_push","project_id":1,"ref":"refs/tags/x","after":"`+commitA+`"}`),
		"other branch of DAG repository":  request(t, signKey, side),
		"issue":                           raw(t, "Issue Hook", `{"object_kind":"issue"}`),
		"broken event of an ignored kind": raw(t, "Pipeline Hook", `{{{`),
		"system event": raw(t, "System Hook",
			`{"event_name":"project_create","project_id":5,"path_with_namespace":"../../x"}`),
		"no event header": raw(t, "", body("main")),
	} {
		status, got := send(t, h, r)
		if status != http.StatusOK || got.Status != "ignored" || got.Reason == "" {
			t.Errorf("%s: %d %+v, want 200 ignored with a reason", name, status, got)
		}
		want := `branch "feature/main" becomes no DAG; want main or retrain`
		if name == "other branch" && got.Reason != want {
			t.Errorf("%s: %s, want %s", name, got.Reason, want)
		}
	}
	if got := h.pushes(t); len(got) != 0 {
		t.Errorf("pushes recorded: %+v", got)
	}
}

// A push that asks for no CI leaves a record, so that it does not look like one whose
// hook was lost.
func TestSkippedPushIsRecorded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*gitlab.Push)
		reason string
	}{
		"by message": {func(p *gitlab.Push) { p.Title = "docs [skip ci]" }, "[skip ci]"},
		"by option":  {func(p *gitlab.Push) { p.SkipCI = true }, "ci.skip"},
	} {
		h := newHook(t)
		p := pushTo("main")
		c.change(&p)
		for range 2 { // once by the project's hook, once by the group's
			status, got := send(t, h, request(t, secret, p))
			if status != http.StatusOK || got.Status != "ignored" || !strings.Contains(got.Reason, c.reason) || got.Push == 0 {
				t.Errorf("%s: %d %+v, want 200 ignored with a reason and the record", name, status, got)
			}
		}
		all, err := h.store.Pushes(t.Context(), store.PushFilter{})
		if err != nil || len(all) != 1 || all[0].State != store.PushSkipped || !strings.Contains(all[0].Reason, c.reason) ||
			all[0].Commit != p.After || all[0].Before != p.Before {
			t.Errorf("%s: recorded %+v, %v", name, all, err)
		}
	}
}

// TestOnlyNamedProjectsAreRecorded ignores events of projects that the instance does
// not take: 200, since GitLab would disable the hook otherwise.
func TestOnlyNamedProjectsAreRecorded(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	h.Receiver.Takes = gitlab.AllowList{Groups: []string{"gbc/risk"}, Projects: []string{"ann/x"},
		Except: []string{"gbc/airflow-dev"}}.Has
	h.Receiver.Previews = true
	of := func(project string) gitlab.Push {
		p := pushTo("main")
		p.Project = project
		return p
	}
	for _, project := range []string{"eve/churn", "gbc/risk-evil/x", "gbc/sales/x", "ann/xx",
		"ann/x/y"} {
		deleted := of(project)
		deleted.After = strings.Repeat("0", 40)
		for what, r := range map[string]*http.Request{
			"push": request(t, secret, of(project)), "deletion": request(t, secret, deleted),
			"merge request": raw(t, "Merge Request Hook",
				`{"object_kind":"merge_request","project":{"id":101,"path_with_namespace":"`+project+`"},
				"object_attributes":{"iid":7,"action":"open","target_branch":"main","source_project_id":101,"last_commit":{"id":"`+
					commitB+`"}}}`),
		} {
			status, got := send(t, h, r)
			if status != http.StatusOK || got.Status != "ignored" || !strings.Contains(got.Reason, "gitlab.groups") ||
				strings.Contains(got.Reason, "gbc") {
				t.Errorf("%s of %s: %d %+v, want 200 ignored, and no name of a group", what, project, status, got)
			}
		}
	}
	if got := h.pushes(t); len(got) != 0 {
		t.Errorf("pushes recorded: %+v", got)
	}
	for _, project := range []string{"gbc/risk/a", "gbc/risk/b/c", "ann/x", "gbc/airflow-dev"} {
		if status, got := send(t, h, request(t, secret, of(project))); status != http.StatusAccepted {
			t.Errorf("%s: %d %+v, want it accepted", project, status, got)
		}
	}
}

// body is a small push event.
func body(branch string) string {
	return `{"object_kind":"push","project_id":7,"ref":"refs/heads/` + branch + `","before":"` + commitA + `","after":"` +
		commitB + `","project":{"path_with_namespace":"gbc/churn"}}`
}

func TestPushToDAGRepositoryWantsSync(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	changes := h.store.Subscribe()
	defer changes.Close()
	p := pushTo("main")
	p.Project = "gbc/airflow-dev"
	if status, got := send(t, h, request(t, signKey, p)); status != http.StatusAccepted || got.Status != "accepted" {
		t.Fatalf("answer %d %+v", status, got)
	}
	select {
	case c := <-changes.C:
		if c.Kind != store.ChangeSyncWanted {
			t.Errorf("change %+v", c)
		}
	case <-t.Context().Done():
	}
	if got := h.pushes(t); len(got) != 0 {
		t.Errorf("pushes recorded: %+v", got)
	}
}

// untouchable is a body that must not be read.
type untouchable struct{ t *testing.T }

func (u untouchable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, errors.New("read")
}

func TestRefusedBeforeTheBodyIsRead(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
		says   string
	}{
		"no token":       {func(r *http.Request) { r.Header.Del("X-Gitlab-Token") }, 401, "want the header X-Gitlab-Token"},
		"wrong token":    {func(r *http.Request) { r.Header.Set("X-Gitlab-Token", "guess") }, 401, "X-Gitlab-Token"},
		"broken signing": {func(r *http.Request) { r.Header.Set("webhook-signature", "v1,x") }, 401, "webhook-id"},
		"stale signing": {func(r *http.Request) {
			r.Header = request(t, signKey, pushTo("main")).Header
			r.Header.Set("webhook-timestamp", "1614265330")
		}, 401, "webhook-timestamp"},
		"GET":       {func(r *http.Request) { r.Method = http.MethodGet }, 405, "POST"},
		"too large": {func(r *http.Request) { r.ContentLength = webhook.MaxBody + 1 }, 413, "25 MiB"},
	} {
		r := raw(t, "Push Hook", "")
		c.change(r)
		r.Body = io.NopCloser(untouchable{t})
		status, got := send(t, h, r)
		if status != c.status || !strings.Contains(got.Error, c.says) {
			t.Errorf("%s: %d %+v, want %d with %q", name, status, got, c.status, c.says)
		}
		if strings.Contains(got.Error, secret) {
			t.Errorf("%s: the answer quotes the secret", name)
		}
	}
}

func TestWrongSignature(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	const forged = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for name, change := range map[string]func(*http.Request){
		"forged":              func(*http.Request) {},
		"broken body":         func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("{{{")) },
		"ignored kind":        func(r *http.Request) { r.Header.Set("X-Gitlab-Event", "Issue Hook") },
		"token of no account": func(r *http.Request) { r.Header.Set("X-Gitlab-Token", secret) },
	} {
		r := request(t, forged, pushTo("main"))
		change(r)
		if status, got := send(t, h, r); status != http.StatusUnauthorized ||
			!strings.Contains(got.Error, "webhook-signature") {
			t.Errorf("%s: %d %+v, want 401", name, status, got)
		}
	}
	r := request(t, signKey, pushTo("main"))
	signed, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = io.NopCloser(strings.NewReader(string(signed) + " ")) // one byte more than was signed
	if status, _ := send(t, h, r); status != http.StatusUnauthorized {
		t.Errorf("longer body: %d, want 401", status)
	}
	if got := h.pushes(t); len(got) != 0 {
		t.Errorf("pushes recorded: %+v", got)
	}
}

func TestBadEvents(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	project := func(path string) string { return strings.Replace(body("main"), "gbc/churn", path, 1) }
	for name, c := range map[string]struct{ body, says string }{
		"broken JSON":       {`{"object_kind":"push",`, "ends too early"},
		"no project id":     {strings.Replace(body("main"), "project_id", "x", 1), "project_id"},
		"no ref":            {strings.Replace(body("main"), `"ref"`, `"x"`, 1), "ref is missing"},
		"no after":          {strings.Replace(body("main"), `"after"`, `"x"`, 1), "after is missing"},
		"no project path":   {strings.Replace(body("main"), `"path_with_namespace"`, `"x"`, 1), "path_with_namespace"},
		"goes up":           {project("../x"), "path_with_namespace"},
		"escaped":           {project("gbc/%2F"), "path_with_namespace"},
		"long":              {project("gbc/" + strings.Repeat("x", 5000)), "longer"},
		"control character": {project(`gbc/a\u0000b`), "path_with_namespace"},
		"unicode":           {project("gbc/скоринг"), "path_with_namespace"},
		"deep":              {`{"x":` + strings.Repeat("[", 1_000_000), "nested"},
	} {
		status, got := send(t, h, raw(t, "Push Hook", c.body))
		if status != http.StatusBadRequest || !strings.Contains(got.Error, c.says) {
			t.Errorf("%s: %d %+v, want 400 with %q", name, status, got, c.says)
		}
	}
	long := raw(t, "Push Hook", body("main"))
	long.Header.Set("Idempotency-Key", strings.Repeat("x", 5000))
	if status, got := send(t, h, long); status != http.StatusBadRequest {
		t.Errorf("long Idempotency-Key: %d %+v", status, got)
	}
	if got := h.pushes(t); len(got) != 0 {
		t.Errorf("pushes recorded: %+v", got)
	}
}

func TestLogHoldsNeitherSecretNorBody(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	const canary = "body-canary"
	p := pushTo("main")
	p.Message, p.Title = canary, canary
	send(t, h, request(t, secret, p))
	send(t, h, request(t, signKey, p))
	send(t, h, raw(t, "Push Hook", strings.Replace(body("main"), commitB, canary, 1)))
	wrong := raw(t, "Push Hook", "")
	wrong.Header.Set("X-Gitlab-Token", "wrong-canary")
	send(t, h, wrong)
	log := h.log.String()
	if strings.Count(log, "hook answered") != 4 || strings.Contains(log, "canary") || strings.Contains(log, signKey) {
		t.Errorf("log:\n%s", log)
	}
}

// A real git push to the GitLab stand-in ends in the store.
func TestFromGitPushToStore(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	receiver := httptest.NewServer(h)
	t.Cleanup(receiver.Close)
	server := gitlabtest.New(t)
	server.HookURL, server.HookSecret = receiver.URL, signKey
	server.CreateProject("gbc/risk/churn-model")
	first := server.Commit("gbc/risk/churn-model", "main", map[string]string{"main.py": "print(1)\n"})
	server.Commit("gbc/risk/churn-model", "side", map[string]string{"main.py": "print(2)\n"})
	second := server.Commit("gbc/risk/churn-model", "retrain", map[string]string{"retrain.py": "print(3)\n"})
	server.DeleteBranch("gbc/risk/churn-model", "retrain")

	var statuses []int
	for _, d := range server.Deliveries() {
		statuses = append(statuses, d.Status)
	}
	if diff := cmp.Diff([]int{202, 200, 202, 202}, statuses); diff != "" {
		t.Errorf("answers (-want +got)\n%s", diff)
	}
	type short struct {
		branch, before, commit string
		deleted                bool
	}
	var got []short
	for _, p := range h.pushes(t) { // newest first
		got = append(got, short{p.Branch, p.Before, p.Commit, p.Deleted})
	}
	want := []short{{"retrain", second, zeros, true}, {"retrain", zeros, second, false}, {"main", zeros, first, false}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(short{})); diff != "" {
		t.Errorf("pushes (-want +got)\n%s", diff)
	}
}

func BenchmarkReceive(b *testing.B) {
	h := webhook.New(webhook.Config{Store: held{}, Verifier: gitlab.NewVerifier(signKey),
		Logger: slog.New(slog.DiscardHandler)})
	r, err := gitlab.NewPushRequest(b.Context(), "http://localhost/", signKey, pushTo("main"))
	if err != nil {
		b.Fatal(err)
	}
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r.Body = io.NopCloser(bytes.NewReader(sent))
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
}
