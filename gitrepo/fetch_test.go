package gitrepo_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"dagwright/dag"
	"dagwright/gitrepo"
)

func TestFetchFollowsTheBranch(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	server := newGitServer(t, filepath.Dir(remote), "s3cret")
	for name, c := range map[string]gitrepo.Config{"path": {URL: remote}, "http": server.config("remote.git")} {
		c.Branch = "b-" + name
		r := openConfig(t, c)
		for i := range 3 {
			want := commitFiles(t, remote, c.Branch, map[string]string{"n": fmt.Sprint(i)})
			if got := mustFetch(t, r); got != want {
				t.Errorf("%s: head %s, want %s", name, got, want)
			}
			if content, err := r.ReadFile(want, "n", 10); err != nil || string(content) != fmt.Sprint(i) {
				t.Errorf("%s: content %q, %v", name, content, err)
			}
		}
		if again := mustFetch(t, r); again == "" {
			t.Errorf("%s: nothing new lost the head", name)
		}
	}
}

func TestFetchAfterForcePush(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	first := commitFiles(t, remote, "main", map[string]string{"a": "1"})
	old := commitFiles(t, remote, "main", map[string]string{"a": "2"})
	r := open(t, remote)
	mustFetch(t, r)

	git(t, remote, "update-ref", "refs/heads/main", first)
	rewritten := commitFiles(t, remote, "main", map[string]string{"a": "3"})
	if got := mustFetch(t, r); got != rewritten {
		t.Fatalf("head %s, want %s", got, rewritten)
	}
	if ok, err := r.Ancestor(old, rewritten); ok || err != nil {
		t.Errorf("Ancestor(old, rewritten) = %v, %v", ok, err)
	}
	if ok, err := r.Ancestor(first, rewritten); !ok || err != nil {
		t.Errorf("Ancestor(first, rewritten) = %v, %v", ok, err)
	}
	git(t, remote, "update-ref", "refs/heads/main", first)
	if got := mustFetch(t, r); got != first {
		t.Errorf("head moved back is %s, want %s", got, first)
	}
	mustPush(t, r, change(set("b", "x")))
}

func TestFetchDeletedBranch(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	commitFiles(t, remote, "main", map[string]string{"a": "1"})
	commitFiles(t, remote, "other", map[string]string{"a": "1"})
	r := open(t, remote)
	mustFetch(t, r)
	git(t, remote, "update-ref", "-d", "refs/heads/main")
	if got := mustFetch(t, r); got != "" {
		t.Errorf("head %q, want none", got)
	}
}

func TestCloneIsReused(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	head := commitFiles(t, remote, "main", map[string]string{"a": "1"})
	dir := filepath.Join(t.TempDir(), "deep", "clone.git")
	mustFetch(t, openConfig(t, gitrepo.Config{URL: remote, Dir: dir}))
	r := openConfig(t, gitrepo.Config{URL: filepath.Join(t.TempDir(), "gone.git"), Dir: dir})
	if _, err := r.ReadFile(head, "a", 10); err != nil {
		t.Error(err)
	}
	if _, err := r.Fetch(t.Context()); err == nil {
		t.Error("Fetch from a missing remote gave no error")
	}
	git(t, dir, "fsck", "--strict", "--full")
	if got := git(t, dir, "rev-parse", "main"); got != head {
		t.Errorf("the clone's branch is at %s, want %s", got, head)
	}
}

// A pack of many objects stays a pack, one of few is taken apart; both can be
// read while they arrive.
func TestReadWhileFetching(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	head := commitFiles(t, remote, "main", map[string]string{"a": "1"})
	r := open(t, remote)
	mustFetch(t, r)
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				if _, err := r.ReadFile(head, "a", 10); err != nil {
					t.Error(err)
					return
				}
				if _, err := r.Files(head, ""); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i, n := range []int{1, 300, 2, 400} {
		files := map[string]string{}
		for k := range n {
			files[fmt.Sprintf("d%d/%d", k%7, k)] = fmt.Sprint(i, k)
		}
		want := commitFiles(t, remote, "main", files)
		if got := mustFetch(t, r); got != want {
			t.Errorf("head %s, want %s", got, want)
		}
		if list, err := r.Files(want, "d0"); err != nil || len(list) == 0 {
			t.Errorf("Files = %v, %v", list, err)
		}
	}
	stop.Store(true)
	wg.Wait()
	packs, err := filepath.Glob(filepath.Join(r.Dir, "objects", "pack", "*.pack"))
	if err != nil || len(packs) != 2 {
		t.Errorf("packs %v, %v; want the two large ones", packs, err)
	}
	git(t, r.Dir, "fsck", "--strict", "--full")
}

func TestWrongPasswordIsNotQuoted(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	server := newGitServer(t, filepath.Dir(remote), "s3cret")
	c := server.config("remote.git")
	c.Password = "canary-token"
	inURL, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	inURL.User = url.UserPassword("bot", "canary-token")
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, c := range map[string]gitrepo.Config{
		"field":       c,
		"in the URL":  {URL: inURL.String()},
		"unreachable": {URL: strings.Replace(inURL.String(), inURL.Host, strings.TrimPrefix(closed.URL, "http://"), 1)},
	} {
		r := openConfig(t, c)
		_, fetchErr := r.Fetch(t.Context())
		_, _, pushErr := r.Push(t.Context(), change(set("a", "b")))
		for _, err := range []error{fetchErr, pushErr} {
			if err == nil || strings.Contains(err.Error(), "canary-token") {
				t.Errorf("%s: error %v; want one without the password", name, err)
			}
		}
	}
	if _, err := gitrepo.Open(gitrepo.Config{URL: "https://bot:canary-token@%zz/x", Dir: t.TempDir()}); !errors.Is(err,
		dag.ErrInvalid) || strings.Contains(err.Error(), "canary") {
		t.Errorf("broken URL: %v", err)
	}
}

func TestPasswordInURLAuthenticates(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	server := newGitServer(t, filepath.Dir(remote), "s3cret")
	mustPush(t, openConfig(t, gitrepo.Config{URL: strings.Replace(server.URL, "//", "//bot:s3cret@", 1) + "/remote.git"}),
		change(set("a", "b")))
}

func TestRedirectToAnotherHostIsRefused(t *testing.T) {
	t.Parallel()
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("request to another host: %s, authorization %q", r.URL, r.Header.Get("Authorization"))
	}))
	t.Cleanup(thief.Close)
	elsewhere := strings.Replace(thief.URL, "127.0.0.1", "localhost", 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere+r.URL.RequestURI(), http.StatusFound)
	}))
	t.Cleanup(server.Close)
	r := openConfig(t, gitrepo.Config{URL: server.URL + "/x.git", Username: "bot", Password: "s3cret"})
	if _, err := r.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "another host") {
		t.Errorf("Fetch: %v", err)
	}
	if _, _, err := r.Push(t.Context(), change(set("a", "b"))); err == nil ||
		!strings.Contains(err.Error(), "another host") {
		t.Errorf("Push: %v", err)
	}
}

// GitLab words a lost race differently from git.
func TestPushRetriesGitLabsLostRace(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	real := newGitServer(t, filepath.Dir(remote), "")
	var refusals atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && refusals.Add(1) <= 2 {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/x-git-receive-pack-result")
			report := pktLine("unpack ok\n") + pktLine("ng refs/heads/main incorrect old value provided\n") + "0000"
			_, _ = io.WriteString(w, pktLine("\x01"+report)+"0000")
			return
		}
		real.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	mustPush(t, openConfig(t, gitrepo.Config{URL: server.URL + "/remote.git"}), change(set("a", "b")))
	if got := refusals.Load(); got != 3 {
		t.Errorf("%d tries, want 3", got)
	}
}

// A remote that refuses for ever is given up.
func TestPushGivesUp(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	real := newGitServer(t, filepath.Dir(remote), "")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w,
				pktLine("\x01"+pktLine("unpack ok\n")+pktLine("ng refs/heads/main cannot lock ref\n")+"0000")+"0000")
			return
		}
		real.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	_, changed, err := openConfig(t, gitrepo.Config{URL: server.URL + "/remote.git"}).Push(t.Context(),
		change(set("a", "b")))
	if !errors.Is(err, dag.ErrConflict) || changed {
		t.Errorf("Push = %v, %v; want ErrConflict", changed, err)
	}
}

// A reply without a report is not a success.
func TestPushWithoutReport(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	real := newGitServer(t, filepath.Dir(remote), "")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.Copy(io.Discard, r.Body)
			return
		}
		real.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	if _, changed, err := openConfig(t, gitrepo.Config{URL: server.URL + "/remote.git"}).Push(t.Context(),
		change(set("a", "b"))); err == nil || changed {
		t.Errorf("Push = %v, %v; want an error", changed, err)
	}
}

func TestLongErrorsAreCut(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write(bytes.Repeat([]byte("<html>"), 10_000))
	}))
	t.Cleanup(server.Close)
	_, err := openConfig(t, gitrepo.Config{URL: server.URL + "/x.git"}).Fetch(t.Context())
	if err == nil || len(err.Error()) > 1000 {
		t.Errorf("error of %d bytes", len(fmt.Sprint(err)))
	}
}

func pktLine(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }

func TestOpenRefusesBadConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]gitrepo.Config{
		"no URL":     {Dir: t.TempDir()},
		"no folder":  {URL: t.TempDir()},
		"protocol":   {URL: "ext::sh -c touch% /tmp/x", Dir: t.TempDir()},
		"option":     {URL: "--upload-pack=x:y", Dir: t.TempDir()},
		"git":        {URL: "git://example.com/x", Dir: t.TempDir()},
		"branch":     {URL: t.TempDir(), Dir: t.TempDir(), Branch: "a..b"},
		"branch opt": {URL: t.TempDir(), Dir: t.TempDir(), Branch: "a b"},
	} {
		if _, err := gitrepo.Open(c); !errors.Is(err, dag.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}
