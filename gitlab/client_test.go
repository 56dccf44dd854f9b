package gitlab_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"dagwright/dag"
	"dagwright/gitlab"
	"dagwright/gitlab/gitlabtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const noCommit = "1111111111111111111111111111111111111111"

func dial(t *testing.T, url, token string) *gitlab.Client {
	t.Helper()
	c, err := gitlab.Dial(gitlab.Config{BaseURL: url, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClient(t *testing.T) {
	t.Parallel()
	server := gitlabtest.New(t)
	const project = "gbc/risk/churn-model.v2"
	id := strconv.FormatInt(server.CreateProject(project), 10)
	large := strings.Repeat("x", gitlab.MaxFile+1)
	first := server.Commit(project, "main",
		map[string]string{".dagwright.yml": "owner: risk\n", "dir/a b.txt": "x", "large": large, "full": large[1:]})
	second := server.Commit(project, "main", map[string]string{".dagwright.yml": "owner: other\n", "dir/a b.txt": ""})
	side := server.Commit(project, "team/retrain", map[string]string{"x": "y"})
	c := dial(t, server.URL+"/", server.Token)

	for _, name := range []string{project, id} {
		for branch, want := range map[string]string{"main": second, "team/retrain": side} {
			if got, err := c.BranchHead(t.Context(), name, branch); got != want || err != nil {
				t.Errorf("BranchHead(%s, %s) = %s, %v; want %s", name, branch, got, err, want)
			}
		}
		for _, f := range []struct {
			commit, path, want string
			kind               error
		}{
			{first, ".dagwright.yml", "owner: risk\n", nil},
			{second, ".dagwright.yml", "owner: other\n", nil},
			{first, "dir/a b.txt", "x", nil},
			{first, "full", large[1:], nil},
			{second, "dir/a b.txt", "", dag.ErrNotFound},
			{second, "dir", "", dag.ErrNotFound},
			{first, "large", "", dag.ErrInvalid},
			{"main", ".dagwright.yml", "", dag.ErrInvalid},
			{first, "../x", "", dag.ErrInvalid},
			{first, "/x", "", dag.ErrInvalid},
		} {
			got, err := c.ReadFile(t.Context(), name, f.commit, f.path)
			if string(got) != f.want || !errors.Is(err, f.kind) {
				t.Errorf("ReadFile(%s, %s, %s) = %.40q, %v; want %.40q, %v", name, f.commit, f.path, got, err, f.want, f.kind)
			}
		}
		for _, a := range []struct {
			old, new string
			want     bool
			kind     error
		}{
			{first, second, true, nil}, {second, first, false, nil}, {first, first, true, nil},
			{first, side, false, nil}, {noCommit, first, false, dag.ErrNotFound}, {"x", first, false, dag.ErrInvalid},
		} {
			if got, err := c.Ancestor(t.Context(), name, a.old, a.new); got != a.want || !errors.Is(err, a.kind) {
				t.Errorf("Ancestor(%s, %s) = %v, %v; want %v, %v", a.old, a.new, got, err, a.want, a.kind)
			}
		}
	}
	if _, err := c.BranchHead(t.Context(), project, "gone"); !errors.Is(err, dag.ErrNotFound) {
		t.Errorf("unknown branch: %v, want ErrNotFound", err)
	}
}

// GitLab answers 404 for a project that the token may not see. Nobody may take
// that for a deleted branch or a missing file.
func TestClientTellsHiddenProjectsFromMissingThings(t *testing.T) {
	t.Parallel()
	server := gitlabtest.New(t)
	server.CreateProject("gbc/known")
	c := dial(t, server.URL, server.Token)
	_, branchErr := c.BranchHead(t.Context(), "gbc/hidden", "main")
	_, fileErr := c.ReadFile(t.Context(), "gbc/hidden", noCommit, "x")
	_, commitErr := c.ReadFile(t.Context(), "gbc/known", noCommit, "x")
	_, ancestorErr := c.Ancestor(t.Context(), "gbc/hidden", noCommit, noCommit)
	for name, err := range map[string]error{"branch": branchErr, "file": fileErr, "commit": commitErr,
		"ancestor": ancestorErr} {
		if err == nil || errors.Is(err, dag.ErrNotFound) {
			t.Errorf("%s: %v, want an error that is not ErrNotFound", name, err)
		}
	}
	if _, err := c.BranchHead(t.Context(), "../x", "main"); !errors.Is(err, dag.ErrInvalid) {
		t.Errorf("hostile project: %v", err)
	}
	if _, err := c.BranchHead(t.Context(), "gbc/known", "a..b"); !errors.Is(err, dag.ErrInvalid) {
		t.Errorf("hostile branch: %v", err)
	}
}

func TestClientKeepsItsToken(t *testing.T) {
	t.Parallel()
	const token = "canary-token"
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("request to another host with headers %v", r.Header)
	}))
	t.Cleanup(thief.Close)
	for name, handler := range map[string]http.HandlerFunc{
		"redirect":     func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief.URL, http.StatusFound) },
		"unauthorized": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"long page": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write(bytes.Repeat([]byte("<p>"), 10_000))
		},
	} {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		_, err := dial(t, server.URL, token).BranchHead(t.Context(), "gbc/churn", "main")
		if err == nil || strings.Contains(err.Error(), token) || len(err.Error()) > 1000 {
			t.Errorf("%s: error %v", name, err)
		}
		if name == "redirect" && !strings.Contains(err.Error(), "base URL") {
			t.Errorf("%s: error %v, want advice", name, err)
		}
	}
}

func TestDialRefuses(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "gitlab.example.com", "ftp://gitlab.example.com",
		"https://u:canary@gitlab.example.com", "https://h/?q=1", "https://%zz"} {
		if _, err := gitlab.Dial(gitlab.Config{BaseURL: base}); !errors.Is(err, dag.ErrInvalid) ||
			strings.Contains(err.Error(), "canary") {
			t.Errorf("Dial(%q): %v, want ErrInvalid", base, err)
		}
	}
}

// TestTokenExpiry reads when a token expires, and that one does not.
func TestTokenExpiry(t *testing.T) {
	t.Parallel()
	server := gitlabtest.New(t)
	client := dial(t, server.URL, server.Token)
	for day, want := range map[string]string{"": "0001-01-01T00:00:00Z", "2026-03-01": "2026-03-01T00:00:00Z"} {
		server.ExpireToken(day)
		at, err := client.TokenExpiry(t.Context())
		if err != nil || at.Format(time.RFC3339) != want {
			t.Errorf("token that expires on %q: got %v, error %v, want %s", day, at, err, want)
		}
	}
	if _, err := dial(t, server.URL, "wrong").TokenExpiry(t.Context()); err == nil {
		t.Error("a token that GitLab refuses: want an error")
	}
}
