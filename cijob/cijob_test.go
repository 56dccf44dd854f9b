package cijob_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"dagwright/cijob"
	"dagwright/dag"
	"dagwright/gitlab"
	"dagwright/gitlab/gitlabtest"
	"dagwright/store"
	"dagwright/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	project  = "gbc/risk/churn-model"
	audience = "https://dagwright.example.com"
)

type lab struct {
	*testing.T
	gitlab *gitlabtest.Server
	store  *store.Store
	*cijob.Handler
	commit string
}

func newLab(t *testing.T, wait time.Duration) *lab {
	t.Helper()
	l := &lab{T: t, gitlab: gitlabtest.New(t), store: storetest.OpenTest(t)}
	l.gitlab.CreateProject("gbc/airflow-dev")
	l.gitlab.CreateProject(project)
	l.commit = l.gitlab.Commit(project, "main", map[string]string{"main.py": "1"})
	tokens, err := gitlab.NewTokenVerifier(l.gitlab.URL, audience, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Handler = cijob.New(cijob.Config{Store: l.store, Tokens: tokens, DAGProject: "gbc/airflow-dev", PublicURL: audience,
		Wait: wait, Logger: slog.New(slog.DiscardHandler)})
	return l
}

func (l *lab) token(more map[string]any) string {
	return l.gitlab.IDToken(project, "main", l.commit, audience, more)
}

func (l *lab) ask(token string) (int, string) {
	l.Helper()
	r := httptest.NewRequestWithContext(l.Context(), http.MethodPost, "/ci/generate", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		l.Errorf("%d of type %q, want application/json", w.Code, got)
	}
	return w.Code, w.Body.String()
}

// A job waits for the generator and gets what happened to its push.
func TestJobGetsTheResult(t *testing.T) {
	t.Parallel()
	l := newLab(t, time.Minute)
	changes := l.store.Subscribe()
	defer changes.Close()
	go func() { // stands for the generator
		<-changes.C
		pushes, err := l.store.PendingPushes(t.Context(), time.Now(), 1)
		if err != nil || len(pushes) != 1 {
			t.Errorf("pending %+v, %v", pushes, err)
			return
		}
		p := pushes[0]
		if p.Commit != l.commit || p.Project != project || p.ProjectID != 2 || p.Branch != "main" || p.Via != store.ViaCI ||
			p.User != "ann" {
			t.Errorf("push %+v", p)
		}
		err = l.store.FinishPushes(t.Context(),
			[]store.PushResult{{ID: p.ID, State: store.PushRendered, DAG: "churn-model", Specs: []store.Spec{{
				DAG: "churn-model", ProjectID: 2, Path: "dags/x.yaml", Content: "new", Previous: "old", DAGCommit: "d1",
				Source: dag.Source{Project: project, Branch: "main"},
			}}}})
		if err != nil {
			t.Error(err)
		}
	}()
	status, body := l.ask(l.token(nil))
	var got cijob.Answer
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	want := cijob.Answer{Push: 1, State: "rendered",
		DAGs: []cijob.DAG{{ID: "churn-model", Path: "dags/x.yaml", Commit: "d1", URL: audience + "/dags/churn-model",
			Source: "new", Previous: "old"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// The job is run again: the same push, at once.
	if status, again := l.ask(l.token(nil)); status != http.StatusOK || again != body {
		t.Errorf("again: %d %s", status, again)
	}
}

// Nobody finishes the push: that is an answer, too.
func TestJobIsToldThatItIsPending(t *testing.T) {
	t.Parallel()
	l := newLab(t, 2*time.Second)
	if status, body := l.ask(l.token(nil)); status != http.StatusOK || !strings.Contains(body, `"state":"pending"`) {
		t.Errorf("%d %s", status, body)
	}
}

func TestTokensAreChecked(t *testing.T) {
	t.Parallel()
	l := newLab(t, time.Minute)
	foreign := gitlabtest.New(t)
	foreign.CreateProject("gbc/airflow-dev")
	foreign.CreateProject(project)
	valid := l.token(nil)
	for name, c := range map[string]struct {
		token  string
		status int
		says   string
	}{
		"none":             {"", 401, "id_tokens"},
		"no token":         {"x", 401, "not accepted"},
		"changed":          {valid[:len(valid)-8] + "AAAAAAAA", 401, "not accepted"},
		"another GitLab's": {foreign.IDToken(project, "main", l.commit, audience, nil), 401, "not accepted"},
		"its signature": {foreign.IDToken(project, "main", l.commit, audience, map[string]any{"iss": l.gitlab.URL}), 401,
			"not accepted"},
		"another audience":  {l.gitlab.IDToken(project, "main", l.commit, "https://vault.example.com", nil), 401, "audience"},
		"expired":           {l.token(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), 401, "expired"},
		"of a tag":          {l.token(map[string]any{"ref_type": "tag"}), 401, "branch"},
		"no commit":         {l.token(map[string]any{"sha": "main"}), 401, "commit"},
		"no project":        {l.token(map[string]any{"project_id": "", "project_path": ""}), 401, "project"},
		"hostile path":      {l.token(map[string]any{"project_path": "../../etc"}), 401, "project"},
		"another branch":    {l.token(map[string]any{"ref": "feature"}), 422, "becomes no DAG"},
		"DAG repository":    {l.gitlab.IDToken("gbc/airflow-dev", "main", l.commit, audience, nil), 422, "DAG repository"},
		"none as algorithm": {"eyJhbGciOiJub25lIn0." + strings.Split(valid, ".")[1] + ".", 401, "not accepted"},
	} {
		status, body := l.ask(c.token)
		if status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %s, want %d with %q", name, status, body, c.status, c.says)
		}
		if c.token != "" && len(c.token) > 5 && strings.Contains(body, c.token) {
			t.Errorf("%s: the answer holds the token", name)
		}
	}
	pushes, err := l.store.Pushes(t.Context(), store.PushFilter{})
	if err != nil || len(pushes) != 0 {
		t.Errorf("pushes %+v, %v", pushes, err)
	}
}

// TestJobsOfStrangersAreRefused holds that a job of the same GitLab is not enough: its
// project must be one that the instance takes, and nothing is written down otherwise.
func TestJobsOfStrangersAreRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t, time.Second)
	l.Takes = gitlab.AllowList{Groups: []string{"gbc"}, Except: []string{"gbc/airflow-dev"}}.Has
	for _, path := range []string{"eve/churn-model", "gbc-evil/churn-model", "GBCx/x", "eve/gbc"} {
		l.gitlab.CreateProject(path)
		commit := l.gitlab.Commit(path, "main", map[string]string{"main.py": "1", ".dagwright.yml": "owner: risk-team"})
		status, body := l.ask(l.gitlab.IDToken(path, "main", commit, audience, nil))
		if status != http.StatusForbidden || !strings.Contains(body, path) || !strings.Contains(body, "gitlab.groups") {
			t.Errorf("%s: %d %s, want 403 that names the project and the setting", path, status, body)
		}
	}
	if pushes, err := l.store.Pushes(t.Context(), store.PushFilter{}); err != nil || len(pushes) != 0 {
		t.Errorf("pushes %+v, %v", pushes, err)
	}
	if status, body := l.ask(l.token(nil)); status != http.StatusOK {
		t.Errorf("a project of the group: %d %s", status, body)
	}
}
