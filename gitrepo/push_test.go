package gitrepo_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"dagwright/dag"
	"dagwright/gitrepo"
)

func TestPushToUnbornBranch(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	r := open(t, remote)
	if head := mustFetch(t, r); head != "" {
		t.Fatalf("head of an empty repository is %q", head)
	}
	head := mustPush(t, r, change(set("dags/gbc/churn.yaml", "a: 1\n")))
	if got := git(t, remote, "rev-parse", "refs/heads/main"); got != head {
		t.Errorf("remote is at %s, Push said %s", got, head)
	}
	if got := git(t, remote, "show", "main:dags/gbc/churn.yaml"); got != "a: 1" {
		t.Errorf("content %q", got)
	}
	git(t, remote, "fsck", "--strict", "--full")
}

func TestPushKeepsTheRestOfTheTree(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	commitFiles(t, remote, "main", map[string]string{
		"README.md": "hello\n", "dags/a/one.yaml": "1\n", "dags/a/two.yaml": "2\n", "dags/b/three.yaml": "3\n",
		"dags/a.yaml": "x\n", "dags/a-b": "y\n",
	})
	r := open(t, remote)
	mustPush(t, r,
		change(set("dags/a/two.yaml", "2!\n"), gitrepo.Change{Path: "dags/b/three.yaml"}, set("dags/c/four.yaml", ""),
			gitrepo.Change{Path: "dags/nowhere/x.yaml"}))
	want := "README.md\ndags/a-b\ndags/a.yaml\ndags/a/one.yaml\ndags/a/two.yaml\ndags/c/four.yaml"
	if got := git(t, remote, "ls-tree", "-r", "--name-only", "main"); got != want {
		t.Errorf("files\n%s\nwant\n%s", got, want)
	}
	if got := git(t, remote, "show", "main:dags/a/two.yaml"); got != "2!" {
		t.Errorf("content %q", got)
	}
	if got := git(t, remote, "rev-list", "--count", "main"); got != "2" {
		t.Errorf("%s commits, want 2", got)
	}
	git(t, remote, "fsck", "--strict", "--full")
}

func TestPushOfUnchangedBytesMakesNoCommit(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	r := open(t, remote)
	first := mustPush(t, r, change(set("a/b.yaml", "x")))
	for name, c := range map[string]gitrepo.Commit{
		"same bytes":     change(set("a/b.yaml", "x")),
		"no changes":     change(),
		"absent removal": change(gitrepo.Change{Path: "a/c.yaml"}, gitrepo.Change{Path: "a/b.yaml/c"}),
	} {
		head, changed, err := r.Push(t.Context(), c)
		if err != nil || changed || head != first {
			t.Errorf("%s: Push = %s, %v, %v; want %s, false", name, head, changed, err, first)
		}
	}
	if head, changed, err := open(t, newBare(t)).Push(t.Context(), change(gitrepo.Change{Path: "x"})); head != "" ||
		changed || err != nil {
		t.Errorf("empty repository: Push = %q, %v, %v", head, changed, err)
	}
}

func TestPushRemovesTheLastFile(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	r := open(t, remote)
	mustPush(t, r, change(set("dags/a.yaml", "x")))
	head := mustPush(t, r, change(gitrepo.Change{Path: "dags/a.yaml"}))
	if files, err := r.Files(head, ""); err != nil || len(files) != 0 {
		t.Errorf("Files = %v, %v", files, err)
	}
	mustPush(t, r, change(set("b.yaml", "y")))
	git(t, remote, "fsck", "--strict", "--full")
}

func TestPushKeepsModesAndReplacesLinks(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	work := filepath.Join(t.TempDir(), "work")
	git(t, "", "init", "--quiet", "--initial-branch=main", work)
	if err := os.WriteFile(filepath.Join(work, "run.sh"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(work, "link")); err != nil {
		t.Fatal(err)
	}
	git(t, work, "add", "--all")
	git(t, work, "commit", "--quiet", "--message=m")
	git(t, work, "push", "--quiet", remote, "main")
	r := open(t, remote)
	mustPush(t, r, change(set("run.sh", "#!/bin/sh\nexit 1\n"), set("link", "plain")))
	got := git(t, remote, "ls-tree", "--format=%(objectmode) %(path)", "main")
	if want := "100644 link\n100755 run.sh"; got != want {
		t.Errorf("tree\n%s\nwant\n%s", got, want)
	}
}

func TestPushRefusesBadPaths(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	commitFiles(t, remote, "main", map[string]string{"file": "x", "dir/file": "x", "link:link": "dir"})
	r := open(t, remote)
	for _, path := range []string{
		"", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", ".git/config", "a/.GIT/config", "a/.git /x", "git~1/x",
		`a\b`, "a\nb", "a\x00b",
		"a/\u200c.git", "\xff", strings.Repeat("a/", 2049) + "a", "file/below", "link/below", "dir",
	} {
		_, _, err := r.Push(t.Context(), change(set(path, "evil")))
		if !errors.Is(err, dag.ErrInvalid) {
			t.Errorf("Push to %.40q: %v, want ErrInvalid", path, err)
		}
	}
	if _, _, err := r.Push(t.Context(), change(set("n", "x"), set("n/m", "x"))); !errors.Is(err, dag.ErrInvalid) {
		t.Errorf("file and folder of one name: %v, want ErrInvalid", err)
	}
	if got := git(t, remote, "rev-list", "--count", "main"); got != "1" {
		t.Errorf("%s commits, want 1", got)
	}
}

func TestPushSwapsFileForFolder(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	commitFiles(t, remote, "main", map[string]string{"a": "x"})
	mustPush(t, open(t, remote), change(gitrepo.Change{Path: "a"}, set("a/b", "y")))
	if got := git(t, remote, "ls-tree", "-r", "--name-only", "main"); got != "a/b" {
		t.Errorf("files %q", got)
	}
}

func TestPushRacesLoseNothing(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"path", "http"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			remote := newBare(t)
			config := gitrepo.Config{URL: remote}
			if transport == "http" {
				config = newGitServer(t, filepath.Dir(remote), "s3cret").config("remote.git")
			}
			const pushers, each = 8, 3
			var wg sync.WaitGroup
			for p := range pushers {
				c := config
				c.Dir = filepath.Join(t.TempDir(), fmt.Sprint(p))
				r := openConfig(t, c)
				wg.Go(func() {
					for i := range each {
						name := fmt.Sprintf("dags/p%d/f%d.yaml", p, i)
						if _, _, err := r.Push(t.Context(), change(set(name, name))); err != nil {
							t.Errorf("%s: %v", name, err)
						}
					}
				})
			}
			wg.Wait()
			files := strings.Split(git(t, remote, "ls-tree", "-r", "--name-only", "main"), "\n")
			if len(files) != pushers*each {
				t.Errorf("%d files arrived, want %d", len(files), pushers*each)
			}
			if got := git(t, remote, "rev-list", "--count", "main"); got != fmt.Sprint(pushers*each) {
				t.Errorf("%s commits, want %d", got, pushers*each)
			}
			git(t, remote, "fsck", "--strict", "--full")
		})
	}
}

func TestPushRebuildsOnTheNewHead(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	r := open(t, remote)
	mustPush(t, r, change(set("count", "0")))
	var heads []string
	c := change()
	c.Changes = func(head string) ([]gitrepo.Change, error) {
		heads = append(heads, head)
		if len(heads) == 1 { // someone else is faster
			commitFiles(t, remote, "main", map[string]string{"count": "1"})
		}
		content, err := r.ReadFile(head, "count", 10)
		return []gitrepo.Change{set("count", string(content)+"!")}, err
	}
	mustPush(t, r, c)
	if got := git(t, remote, "show", "main:count"); got != "1!" || len(heads) != 2 || heads[0] == heads[1] {
		t.Errorf("count is %q after heads %v; want \"1!\" after two heads", got, heads)
	}
}

func TestPushRunsHooks(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"path", "http"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			remote := newBare(t)
			config := gitrepo.Config{URL: remote}
			if transport == "http" {
				config = newGitServer(t, filepath.Dir(remote), "").config("remote.git")
			}
			// More words than a pipe holds must not hold up the push.
			writeHook(t, remote, "post-receive", "cat > seen\nyes line of words | head -c 200000\necho done >> seen\n")
			r := openConfig(t, config)
			head := mustPush(t, r, change(set("a", "b")))
			seen, err := os.ReadFile(filepath.Join(remote, "seen"))
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Repeat("0", 40) + " " + head + " refs/heads/main\ndone\n"; string(seen) != want {
				t.Errorf("hook saw %q, want %q", seen, want)
			}
		})
	}
}

func TestPushRefusedByHook(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	writeHook(t, remote, "pre-receive", "echo calls >> calls\necho GitLab: you may not, it already exists >&2\nexit 1\n")
	r := openConfig(t, newGitServer(t, filepath.Dir(remote), "").config("remote.git"))
	_, _, err := r.Push(t.Context(), change(set("a", "b")))
	if err == nil || !strings.Contains(err.Error(), "pre-receive hook declined") ||
		!strings.Contains(err.Error(), "you may not") {
		t.Fatalf("error %v, want the hook's words", err)
	}
	if errors.Is(err, dag.ErrConflict) {
		t.Errorf("a refusal is not a lost race: %v", err)
	}
	calls, err := os.ReadFile(filepath.Join(remote, "calls"))
	if err != nil || string(calls) != "calls\n" {
		t.Errorf("hook called %q, %v; want once", calls, err)
	}
	if out, err := tryGit(remote, "", "rev-parse", "--verify", "--quiet", "main"); err == nil {
		t.Errorf("branch was made: %s", out)
	}
}

func writeHook(t *testing.T, remote, name, script string) {
	t.Helper()
	path := filepath.Join(remote, "hooks", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestPushAfterBranchWasDeleted(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	r := open(t, remote)
	mustPush(t, r, change(set("a", "1")))
	git(t, remote, "update-ref", "-d", "refs/heads/main")
	mustPush(t, r, change(set("b", "2")))
	if got := git(t, remote, "ls-tree", "-r", "--name-only", "main"); got != "b" {
		t.Errorf("files %q, want only b", got)
	}
}

func TestPushWithoutChangesOrTime(t *testing.T) {
	t.Parallel()
	r := open(t, newBare(t))
	if _, _, err := r.Push(t.Context(), gitrepo.Commit{}); !errors.Is(err, dag.ErrInvalid) {
		t.Errorf("error %v, want ErrInvalid", err)
	}
}
