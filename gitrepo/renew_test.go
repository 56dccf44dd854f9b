package gitrepo_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/gitrepo"
)

// many are enough files for a pack that stays one.
func many(n int, what string) map[string]string {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("d%d/%s-%d", i%7, what, i)] = fmt.Sprint(what, i)
	}
	return files
}

// truncate makes every file below a folder that a pattern names empty.
func truncate(t *testing.T, pattern string) {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("no file %s (%v)", pattern, err)
	}
	for _, f := range found {
		if err := errors.Join(os.Chmod(f, 0o644), os.Truncate(f, 0)); err != nil {
			t.Fatal(err)
		}
	}
}

// A clone that is damaged is thrown away, whatever of it is, and comes back by itself.
func TestDamagedCloneHeals(t *testing.T) {
	t.Parallel()
	for name, pattern := range map[string]string{
		"index of a pack":       "objects/pack/*.idx",
		"pack":                  "objects/pack/*.pack",
		"both":                  "objects/pack/pack-*",
		"branch":                "refs/heads/main",
		"loose objects of head": "objects/??/*",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			remote := newBare(t)
			commitFiles(t, remote, "main", many(200, "a"))
			dir := filepath.Join(t.TempDir(), "clone.git")
			r := openConfig(t, gitrepo.Config{URL: remote, Dir: dir})
			mustFetch(t, r)
			head := commitFiles(t, remote, "main", map[string]string{"b": "1"})
			mustFetch(t, r)
			truncate(t, filepath.Join(dir, pattern))
			again := openConfig(t, gitrepo.Config{URL: remote, Dir: dir})
			if got := mustFetch(t, again); got != head {
				t.Errorf("head %s, want %s", got, head)
			}
			if _, err := again.Files(head, ""); err != nil { // what a look at the head does not show is found here
				mustFetch(t, again)
			}
			if files, err := again.Files(head, ""); err != nil || len(files) != 201 {
				t.Errorf("%d files, %v", len(files), err)
			}
			if content, err := again.ReadFile(head, "d0/a-0", 10); err != nil || string(content) != "a0" {
				t.Errorf("content %q, %v", content, err)
			}
			git(t, dir, "fsck", "--strict", "--full")
		})
	}
}

// What is damaged under a clone that is open heals at the next call of the remote.
func TestDamageInUseHeals(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	head := commitFiles(t, remote, "main", map[string]string{"a": "1"})
	r := open(t, remote)
	mustFetch(t, r)
	truncate(t, filepath.Join(r.Dir, "objects", "??", "*"))
	if _, err := r.ReadFile(head, "a", 10); err == nil {
		t.Fatal("an object of no length was read")
	}
	mustPush(t, r, change(set("b", "2")))
	if content, err := r.ReadFile(head, "a", 10); err != nil || string(content) != "1" {
		t.Errorf("content %q, %v", content, err)
	}
	git(t, r.Dir, "fsck", "--strict", "--full")
}

// A folder that is the remote itself is never thrown away.
func TestDamagedRemoteIsKept(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	commitFiles(t, remote, "main", map[string]string{"a": "1"})
	truncate(t, filepath.Join(remote, "objects", "??", "*"))
	if _, err := gitrepo.Open(gitrepo.Config{URL: remote, Dir: remote}); err == nil {
		t.Error("a damaged repository was opened")
	}
	if _, err := os.Stat(filepath.Join(remote, "refs", "heads", "main")); err != nil {
		t.Errorf("the remote was thrown away: %v", err)
	}
}

// Packs do not gather for ever, and readers do not notice when they are put together.
func TestManyPacksAreCloned(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	commitFiles(t, remote, "main", many(150, "a"))
	r := open(t, remote)
	head := mustFetch(t, r)
	packs := func() []string {
		found, err := filepath.Glob(filepath.Join(r.Dir, "objects", "pack", "*.pack"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	one := packs()[0]
	for i := range 60 { // as many small fetches leave them
		for _, ext := range []string{".pack", ".idx"} {
			if err := os.Link(strings.TrimSuffix(one, ".pack")+ext,
				filepath.Join(filepath.Dir(one), fmt.Sprintf("pack-%040x%s", i, ext))); err != nil {
				t.Fatal(err)
			}
		}
	}
	mustFetch(t, r)
	if got := packs(); len(got) != 1 {
		t.Errorf("%d packs are left", len(got))
	}
	if files, err := r.Files(head, ""); err != nil || len(files) != 150 {
		t.Errorf("%d files, %v", len(files), err)
	}
	for _, left := range []string{r.Dir + ".old", r.Dir + ".fresh"} {
		if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left (%v)", left, err)
		}
	}
}

// Why there is nothing to read is known.
func TestAbsence(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	r := open(t, remote)
	if mustFetch(t, r); r.Absence() == nil || len(r.Absence().Others) != 0 || r.Absence().Branch != "main" {
		t.Errorf("of an empty repository: %+v", r.Absence())
	}
	commitFiles(t, remote, "master", map[string]string{"a": "1"})
	commitFiles(t, remote, "dev", map[string]string{"a": "1"})
	if mustFetch(t, r); r.Absence() == nil || !slices.Equal(r.Absence().Others, []string{"dev", "master"}) {
		t.Errorf("without the branch: %+v", r.Absence())
	}
	commitFiles(t, remote, "main", map[string]string{"a": "1"})
	if mustFetch(t, r); r.Absence() != nil {
		t.Errorf("with the branch: %+v", r.Absence())
	}
}

// A remote that hangs, wherever it does, is given up.
func TestRemoteThatHangs(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	commitFiles(t, remote, "main", many(150, "a"))
	real := newGitServer(t, filepath.Dir(remote), "")
	ended := make(chan struct{})
	defer close(ended) // before the servers are closed, which wait for their handlers
	hang := func(when func(*http.Request) bool) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !when(r) {
				real.Config.Handler.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
			_, _ = w.Write([]byte("0008NAK\n"))
			_ = http.NewResponseController(w).Flush()
			<-ended
		}))
		t.Cleanup(s.Close)
		return s.URL + "/remote.git"
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	go func() {
		for {
			c, err := silent.Accept()
			if err != nil {
				return
			}
			go func() { <-ended; c.Close() }()
		}
	}()
	for name, url := range map[string]string{
		"list of branches": hang(func(*http.Request) bool { return true }),
		"pack":             hang(func(r *http.Request) bool { return r.Method == http.MethodPost }),
		"ssh handshake":    "ssh://git@" + silent.Addr().String() + "/x.git",
	} {
		r := openConfig(t, gitrepo.Config{URL: url, Timeout: 500 * time.Millisecond})
		result := make(chan error, 1)
		go func() { _, err := r.Fetch(t.Context()); result <- err }()
		select {
		case err := <-result:
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: Fetch hangs", name)
		}
	}
}

// million writes a commit of 1,000 folders that are one and the same of 1,000 files.
func million(t *testing.T, remote string, name func(int) string) string {
	t.Helper()
	blob, err := tryGit(remote, "x", "hash-object", "-w", "--stdin")
	if err != nil {
		t.Fatal(err)
	}
	tree := func(mode, kind, hash string) string {
		var list strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&list, "%s %s %s\t%s\n", mode, kind, hash, name(i))
		}
		out, err := tryGit(remote, list.String(), "mktree")
		if err != nil {
			t.Fatal(out, err)
		}
		return out
	}
	commit := git(t, remote, "commit-tree", "-m", "Many", tree("040000", "tree", tree("100644", "blob", blob)))
	git(t, remote, "update-ref", "refs/heads/main", commit)
	return commit
}

// A million files, or long names, are refused in words, and one file of them is read
// as ever.
func TestMillionFiles(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 3000)
	for name, c := range map[string]struct {
		name  func(int) string
		words string
	}{
		"short names": {func(i int) string { return fmt.Sprintf("f%03d", i) }, "more than 500000 files"},
		"long names":  {func(i int) string { return fmt.Sprintf("%s%03d", long, i) }, "bytes"},
	} {
		remote := newBare(t)
		commit := million(t, remote, c.name)
		r := open(t, remote)
		mustFetch(t, r)
		if _, err := r.Files(commit, ""); !errors.Is(err, dag.ErrInvalid) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: Files: %v", name, err)
		}
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := r.Export(commit, dir); !errors.Is(err, dag.ErrInvalid) {
			t.Errorf("%s: Export: %v", name, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: Export wrote something (%v)", name, err)
		}
		path := c.name(999) + "/" + c.name(999)
		if content, err := r.ReadFile(commit, path, 10); len(path) <= 4096 && (err != nil || string(content) != "x") {
			t.Errorf("%s: ReadFile: %q, %v", name, content, err)
		}
		if head := mustPush(t, r, change(set("dags/x.yaml", "x"))); head == commit {
			t.Errorf("%s: nothing was pushed", name)
		}
	}
}

// What .gitattributes asks for is done by git's own checkout alone: files are written
// as they are in the commit, and no filter is run.
func TestAttributesChangeNothing(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	files := map[string]string{
		".gitattributes": "* text eol=crlf ident\nx.bin filter=evil\nsecret export-ignore\nu.txt working-tree-encoding=ISO-8859-1\n",
		"a.txt":          "one\ntwo $Id$\n", "x.bin": "version https://git-lfs.github.com/spec/v1\n", "secret": "kept",
		"u.txt": "text\n",
	}
	head := commitFiles(t, remote, "main", files)
	git(t, remote, "config", "filter.evil.smudge", "touch "+filepath.Join(t.TempDir(), "evil")+"; cat")
	r := open(t, remote)
	mustFetch(t, r)
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := r.Export(head, dir); err != nil {
		t.Fatal(err)
	}
	for name := range files {
		want := git(t, remote, "cat-file", "blob", head+":"+name)
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%s is %q (%v), want %q", name, got, err, want)
		}
	}
}
