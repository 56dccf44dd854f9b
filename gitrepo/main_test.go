package gitrepo_test

import (
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"dagwright/gitrepo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// git runs the real git and returns what it printed.
func git(tb testing.TB, dir string, args ...string) string {
	tb.Helper()
	out, err := tryGit(dir, "", args...)
	if err != nil {
		tb.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return out
}

func tryGit(dir, stdin string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann",
		"GIT_COMMITTER_EMAIL=ann@example.com")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// newBare makes an empty bare repository.
func newBare(tb testing.TB) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "remote.git")
	git(tb, "", "init", "--quiet", "--bare", "--initial-branch=main", dir)
	return dir
}

// commitFiles pushes files to a branch with the git program and returns the
// commit. A file named "link:x" becomes a symbolic link x.
func commitFiles(tb testing.TB, remote, branch string, files map[string]string) string {
	tb.Helper()
	work := filepath.Join(tb.TempDir(), "work")
	if _, err := tryGit("", "", "clone", "--quiet", "--branch", branch, remote, work); err != nil {
		git(tb, "", "init", "--quiet", "--initial-branch="+branch, work)
	}
	for name, content := range files {
		link := strings.HasPrefix(name, "link:")
		path := filepath.Join(work, strings.TrimPrefix(name, "link:"))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		var err error
		if link {
			err = os.Symlink(content, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	git(tb, work, "add", "--all")
	git(tb, work, "commit", "--quiet", "--allow-empty", "--message=files")
	git(tb, work, "push", "--quiet", remote, "HEAD:refs/heads/"+branch)
	return git(tb, work, "rev-parse", "HEAD")
}

func open(tb testing.TB, remote string) *gitrepo.Repo {
	tb.Helper()
	return openConfig(tb, gitrepo.Config{URL: remote})
}

func openConfig(tb testing.TB, c gitrepo.Config) *gitrepo.Repo {
	tb.Helper()
	if c.Dir == "" {
		c.Dir = filepath.Join(tb.TempDir(), "clone.git")
	}
	r, err := gitrepo.Open(c)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// change is a commit that sets files.
func change(files ...gitrepo.Change) gitrepo.Commit {
	return gitrepo.Commit{
		Message: "change", AuthorName: "dagwright", AuthorEmail: "dagwright@localhost",
		When:    time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Changes: func(string) ([]gitrepo.Change, error) { return files, nil },
	}
}

func set(path, content string) gitrepo.Change {
	return gitrepo.Change{Path: path, Content: []byte(content)}
}

// mustPush pushes and wants a new commit.
func mustPush(tb testing.TB, r *gitrepo.Repo, c gitrepo.Commit) string {
	tb.Helper()
	head, changed, err := r.Push(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	if !changed {
		tb.Fatal("Push made no commit")
	}
	return head
}

func mustFetch(tb testing.TB, r *gitrepo.Repo) string {
	tb.Helper()
	head, err := r.Fetch(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return head
}

// gitServer serves the repositories below a folder with git's own HTTP server.
type gitServer struct {
	*httptest.Server
	password string // of the user "bot"; "" lets everyone in
}

func newGitServer(tb testing.TB, root, password string) *gitServer {
	tb.Helper()
	execPath := git(tb, "", "--exec-path")
	backend := &cgi.Handler{
		Path: filepath.Join(execPath, "git-http-backend"), Dir: root,
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1",
			"GIT_CONFIG_GLOBAL=/dev/null",
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.receivepack", "GIT_CONFIG_VALUE_0=true", "PATH=" + os.Getenv("PATH")},
	}
	s := &gitServer{password: password}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, given, _ := r.BasicAuth()
		if password != "" && (user != "bot" || given != password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "wrong password", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	tb.Cleanup(s.Close)
	return s
}

func (s *gitServer) config(name string) gitrepo.Config {
	return gitrepo.Config{URL: fmt.Sprintf("%s/%s", s.URL, name), Username: "bot", Password: s.password}
}
