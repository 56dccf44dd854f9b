// Package gitlabtest is a stand-in for GitLab in tests. Its git repositories
// are real and served by git itself over HTTP; beside them it answers the
// REST calls that gitlab.Client makes, from the same repositories, and sends a
// push event to HookURL, and to the project's own hooks, for every branch or tag
// that a push moved, as GitLab does: signed, once, none when a push moves more than
// three, and none to a hook that failed four times. It issues the ID tokens of CI
// jobs.
//
// Every request is checked against a contract that was written from GitLab's
// documentation; what is not in it fails the test. [Server.Fail] gives the failures that
// GitLab is known for. It needs the git program.
package gitlabtest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"dagwright/gitlab"
)

// Server is a running stand-in. HookURL and HookSecret are set before the first
// push; everything else is safe for concurrent use.
type Server struct {
	// URL is the address of the instance, for gitlab.Config.BaseURL.
	URL string
	// Token is what the API and git over HTTP want, as any user's password.
	Token string
	// HookURL gets a push event after each push; none is sent when empty.
	HookURL string
	// HookSecret signs the events when it starts with whsec_, and is the secret
	// token otherwise.
	HookSecret string

	tb      testing.TB
	root    string
	backend *cgi.Handler

	signer signer

	mu         sync.Mutex // guards what follows
	projects   map[string]*project
	deliveries []Delivery
	failures   map[string][]Failure
	held       map[string]chan struct{} // by call; closed when it is let go
	calls      map[string]int
	lastID     int64
	// tokenExpires is the day on which the token expires, "" for never.
	tokenExpires string
	lastHook     int64
	stale        int
	news         chan struct{} // closed when anything happened
}

// Delivery is the outcome of one event.
type Delivery struct {
	Push   gitlab.Push // of a push event
	Event  string      // its X-Gitlab-Event
	Status int         // of the hook's answer; 0 when there was none
	Answer string      // the first 8 KiB, as much as GitLab keeps
}

// New starts an instance without projects. It ends with the test.
func New(tb testing.TB) *Server {
	tb.Helper()
	root := tb.TempDir()
	execPath, err := exec.CommandContext(tb.Context(), "git", "--exec-path").Output()
	if err != nil {
		tb.Fatalf("the git program is needed: %v", err)
	}
	s := &Server{tb: tb, root: root, Token: "glpat-test-token", projects: map[string]*project{},
		failures: map[string][]Failure{}, calls: map[string]int{}, held: map[string]chan struct{}{},
		news: make(chan struct{})}
	s.backend = &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(execPath)), "git-http-backend"), Dir: root, Stderr: io.Discard,
		Env: append(gitEnv(), "GIT_PROJECT_ROOT="+root, "GIT_HTTP_EXPORT_ALL=1",
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.receivepack", "GIT_CONFIG_VALUE_0=true"),
	}
	server := httptest.NewServer(s)
	tb.Cleanup(server.Close)
	s.URL = server.URL
	s.signer = newSigner(tb)
	return s
}

// ServeHTTP answers the API below /api/v4 and git everywhere else.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.tell()
	if strings.HasPrefix(r.URL.Path, "/api/v4/") {
		s.serveAPI(w, r)
		return
	}
	if s.serveKeys(w, r) {
		return
	}
	s.serveGit(w, r)
}

// CreateProject makes an empty project and returns its id.
func (s *Server) CreateProject(path string) int64 {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	p := &project{id: s.lastID, path: path, dir: filepath.Join(s.root, filepath.FromSlash(path)+".git")}
	if _, err := git(s.tb.Context(), "", "init", "--quiet", "--bare", "--initial-branch=main", p.dir); err != nil {
		s.tb.Fatal(err)
	}
	s.projects[path] = p
	return p.id
}

// CloneURL is the HTTP address of a project's repository, without credentials.
func (s *Server) CloneURL(path string) string { return s.URL + "/" + path + ".git" }

// Deliveries lists the events sent so far.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deliveries)
}

// Commit adds a commit with the given files to a branch, as someone's push
// would, and returns its hash after the event was sent. A file whose content is
// "" is removed. The branch is made when missing.
func (s *Server) Commit(path, branch string, files map[string]string) string {
	s.tb.Helper()
	return s.CommitAs(path, branch, "Change "+strings.Join(sortedKeys(files), ", "), files)
}

// CommitAs is Commit with a message.
func (s *Server) CommitAs(path, branch, message string, files map[string]string) string {
	s.tb.Helper()
	p := s.project(path)
	if p == nil {
		s.tb.Fatalf("no project %s", path)
	}
	var commit string
	err := s.pushing(p, func() (err error) {
		commit, err = p.commit(s.tb.Context(), branch, message, files)
		return err
	})
	if err != nil {
		s.tb.Fatal(err)
	}
	return commit
}

// SetHook makes a script one of the hooks of a project's repository, such as
// pre-receive; "" removes it.
func (s *Server) SetHook(path, name, script string) {
	s.tb.Helper()
	p := s.project(path)
	if p == nil {
		s.tb.Fatalf("no project %s", path)
	}
	file := filepath.Join(p.dir, "hooks", name)
	if script == "" {
		if err := os.Remove(file); err != nil {
			s.tb.Fatal(err)
		}
		return
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(script), 0o755)); err != nil {
		s.tb.Fatal(err)
	}
}

// DeleteBranch deletes a branch and sends its event.
func (s *Server) DeleteBranch(path, branch string) {
	s.tb.Helper()
	p := s.project(path)
	if p == nil {
		s.tb.Fatalf("no project %s", path)
	}
	err := s.pushing(p, func() error {
		_, err := git(s.tb.Context(), p.dir, "update-ref", "-d", "refs/heads/"+branch)
		return err
	})
	if err != nil {
		s.tb.Fatal(err)
	}
}

// project finds a project by its path or id, nil when there is none.
func (s *Server) project(name string) *project {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.projects[name]; p != nil {
		return p
	}
	for _, p := range s.projects {
		if fmt.Sprint(p.id) == name {
			return p
		}
	}
	return nil
}

// pushing does a push and sends the events for what it moved. The events go
// out after the project's lock is given back: a hook may look at the project.
func (s *Server) pushing(p *project, push func() error) error {
	p.mu.Lock()
	before, err := p.refs(s.tb.Context())
	if err == nil {
		err = push()
	}
	var after map[string]string
	if err == nil {
		after, err = p.refs(s.tb.Context())
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	s.sendEvents(p, before, after)
	return nil
}

// serveGit lets git's own server answer.
func (s *Server) serveGit(w http.ResponseWriter, r *http.Request) {
	if _, password, _ := r.BasicAuth(); password != s.Token {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitLab"`)
		http.Error(w, "HTTP Basic: Access denied", http.StatusUnauthorized)
		return
	}
	path, _, found := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), ".git/")
	p := s.project(path)
	if !found || p == nil {
		http.Error(w, "The project you were looking for could not be found", http.StatusNotFound)
		return
	}
	if !strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
		s.backend.ServeHTTP(w, r)
		return
	}
	serve := func() error {
		if !s.refuseStale(w, r, p) {
			s.backend.ServeHTTP(w, r)
		}
		return nil
	}
	if err := s.pushing(p, serve); err != nil { //nolint:contextcheck // events are sent even when whoever pushed has left
		s.tb.Errorf("push to %s: %v", path, err)
	}
}
