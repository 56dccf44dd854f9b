package gitrepo_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"dagwright/dag"
	"dagwright/gitrepo"
)

const noCommit = "1111111111111111111111111111111111111111"

// mixed is a remote with all kinds of entries: files, a link, a submodule.
func mixed(t *testing.T) (remote, head string) {
	t.Helper()
	remote = newBare(t)
	commitFiles(t, remote, "main", map[string]string{
		"main.py": "print(1)\n", "data/rows.csv": "a,b\n", "data/deep/er/x": "", "link:secret": "/etc/passwd",
		"link:data/up": "../..",
	})
	work := filepath.Join(t.TempDir(), "work")
	git(t, "", "clone", "--quiet", remote, work)
	if err := os.WriteFile(filepath.Join(work, "run.sh"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	git(t, work, "add", "--all")
	git(t, work, "update-index", "--add", "--cacheinfo", "160000,"+noCommit+",vendor/sub")
	git(t, work, "commit", "--quiet", "--message=m")
	git(t, work, "push", "--quiet", remote, "HEAD:main")
	return remote, git(t, work, "rev-parse", "HEAD")
}

func TestFiles(t *testing.T) {
	t.Parallel()
	remote, head := mixed(t)
	r := open(t, remote)
	mustFetch(t, r)
	want := []gitrepo.File{
		{Path: "data/deep/er/x", Mode: 0o644},
		{Path: "data/rows.csv", Mode: 0o644, Size: 4},
		{Path: "data/up", Mode: fs.ModeSymlink | 0o777, Size: 5},
		{Path: "main.py", Mode: 0o644, Size: 9},
		{Path: "run.sh", Mode: 0o755, Size: 10},
		{Path: "secret", Mode: fs.ModeSymlink | 0o777, Size: 11},
		{Path: "vendor/sub", Mode: fs.ModeDir | 0o755},
	}
	ignoreBlob := cmpopts.IgnoreFields(gitrepo.File{}, "Blob")
	for range 2 { // the second listing comes from memory
		got, err := r.Files(head, "")
		if diff := cmp.Diff(want, got, ignoreBlob); err != nil || diff != "" {
			t.Errorf("Files: %v (-want +got)\n%s", err, diff)
		}
	}
	below, err := r.Files(head, "data/deep")
	if diff := cmp.Diff(want[:1], below, ignoreBlob); err != nil || diff != "" {
		t.Errorf("Files below a folder: %v (-want +got)\n%s", err, diff)
	}
	content, err := r.Read(git(t, remote, "rev-parse", head+":main.py"), 9)
	if err != nil || string(content) != "print(1)\n" {
		t.Errorf("Read = %q, %v", content, err)
	}
	for under, kind := range map[string]error{"none": dag.ErrNotFound, "main.py": dag.ErrNotFound,
		"data/up": dag.ErrInvalid, "vendor/sub": dag.ErrInvalid, "../x": dag.ErrInvalid} {
		if _, err := r.Files(head, under); !errors.Is(err, kind) {
			t.Errorf("Files(%q): %v, want %v", under, err, kind)
		}
	}
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	remote, head := mixed(t)
	r := open(t, remote)
	mustFetch(t, r)
	for _, c := range []struct {
		name, commit, path string
		limit              int64
		want               string
		kind               error
	}{
		{"file", head, "main.py", 9, "print(1)\n", nil},
		{"empty file", head, "data/deep/er/x", 0, "", nil},
		{"too large", head, "main.py", 8, "", dag.ErrInvalid},
		{"absent", head, "none.py", 9, "", dag.ErrNotFound},
		{"absent folder", head, "none/none.py", 9, "", dag.ErrNotFound},
		{"below a file", head, "main.py/x", 9, "", dag.ErrNotFound},
		{"folder", head, "data", 9, "", dag.ErrInvalid},
		{"link", head, "secret", 99, "", dag.ErrInvalid},
		{"through a link", head, "data/up/main.py", 99, "", dag.ErrInvalid},
		{"submodule", head, "vendor/sub", 99, "", dag.ErrInvalid},
		{"in a submodule", head, "vendor/sub/x", 99, "", dag.ErrInvalid},
		{"out of the repository", head, "../main.py", 9, "", dag.ErrInvalid},
		{"unknown commit", noCommit, "main.py", 9, "", dag.ErrNotFound},
		{"no hash", "main", "main.py", 9, "", dag.ErrInvalid},
		{"option", "--upload-pack=x", "main.py", 9, "", dag.ErrInvalid},
	} {
		got, err := r.ReadFile(c.commit, c.path, c.limit)
		if string(got) != c.want || !errors.Is(err, c.kind) {
			t.Errorf("%s: ReadFile = %q, %v; want %q, %v", c.name, got, err, c.want, c.kind)
		}
		if c.kind == nil && got == nil {
			t.Errorf("%s: nil stands for no file", c.name)
		}
	}
	if _, err := r.Read(noCommit, 9); !errors.Is(err, dag.ErrNotFound) {
		t.Errorf("Read of an unknown blob: %v", err)
	}
}

func TestAncestor(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	a := commitFiles(t, remote, "main", map[string]string{"x": "1"})
	b := commitFiles(t, remote, "main", map[string]string{"x": "2"})
	r := open(t, remote)
	mustFetch(t, r)
	for _, c := range []struct {
		name, old, new string
		want           bool
		kind           error
	}{
		{"parent", a, b, true, nil},
		{"child", b, a, false, nil},
		{"itself", a, a, true, nil},
		{"unknown old", noCommit, b, false, dag.ErrNotFound},
		{"unknown new", a, noCommit, false, dag.ErrNotFound},
		{"zeros", strings.Repeat("0", 40), b, false, dag.ErrNotFound},
	} {
		if got, err := r.Ancestor(c.old, c.new); got != c.want || !errors.Is(err, c.kind) {
			t.Errorf("%s: Ancestor = %v, %v; want %v, %v", c.name, got, err, c.want, c.kind)
		}
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	remote, head := mixed(t)
	r := open(t, remote)
	mustFetch(t, r)
	dir := filepath.Join(t.TempDir(), "out", "run")
	left, err := r.Export(head, dir)
	if err != nil {
		t.Fatal(err)
	}
	wantLeft := []gitrepo.LeftOut{
		{Path: "data/up", Reason: "it is a symlink that may lead out of the folder"},
		{Path: "secret", Reason: "it is a symlink to an absolute path"},
		{Path: "vendor/sub", Reason: "it is a submodule"},
	}
	if diff := cmp.Diff(wantLeft, left); diff != "" {
		t.Errorf("left out (-want +got)\n%s", diff)
	}
	var got []string
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		got = append(got, strings.TrimPrefix(path, dir+"/")+" "+info.Mode().String())
		return err
	})
	want := []string{"data/deep/er/x -rw-r--r--", "data/rows.csv -rw-r--r--", "main.py -rw-r--r--", "run.sh -rwxr-xr-x"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if _, err := r.Export(head, dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second export into the same folder: %v, want ErrExist", err)
	}
	if _, err := r.Export(noCommit, t.TempDir()); !errors.Is(err, dag.ErrNotFound) {
		t.Errorf("unknown commit: %v", err)
	}
}

// TestExportLinks wants the links that stay in the folder, and no way out of it
// over several of them.
func TestExportLinks(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	safe := map[string]string{
		"latest.csv": "data/rows.csv", "data/up": "..", "data/deep/top": "../../main.py", "here": "./data/",
		"dangling": "nowhere",
	}
	unsafe := map[string]string{"data/out": "../..", "way": "data/deep/top/../../..", "root": "/",
		"back": "data/../main.py"}
	files := map[string]string{"main.py": "print(1)\n", "data/rows.csv": "a,b\n", "data/deep/x": "x"}
	for _, links := range []map[string]string{safe, unsafe} {
		for name, target := range links {
			files["link:"+name] = target
		}
	}
	head := commitFiles(t, remote, "main", files)
	r := open(t, remote)
	mustFetch(t, r)
	dir := t.TempDir()
	left, err := r.Export(head, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range left {
		if _, ok := unsafe[l.Path]; !ok || l.Reason == "" {
			t.Errorf("left out: %+v", l)
		}
	}
	if len(left) != len(unsafe) {
		t.Errorf("left out %v, want all of %v", left, unsafe)
	}
	for name, target := range safe {
		if got, err := os.Readlink(filepath.Join(dir, name)); err != nil || got != target {
			t.Errorf("%s leads to %q (%v), want %q", name, got, err, target)
		}
	}
}

func TestExportIsHeldBackByLinksInTheFolder(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	head := commitFiles(t, remote, "main", map[string]string{"data/x": "evil"})
	r := open(t, remote)
	mustFetch(t, r)
	outside, dir := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Export(head, dir); err == nil {
		t.Error("Export followed a link out of the folder")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 0 {
		t.Errorf("files outside: %v, %v", entries, err)
	}
}

// mkTree writes a tree object exactly as given, however wrong.
func mkTree(t *testing.T, dir, raw string) string {
	t.Helper()
	out, err := tryGit(dir, raw, "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
	if err != nil {
		t.Fatal(err, out)
	}
	return out
}

func rawHash(t *testing.T, hex string) string {
	t.Helper()
	var b strings.Builder
	for i := 0; i < len(hex); i += 2 {
		var n byte
		for _, c := range hex[i : i+2] {
			n = n<<4 | byte(strings.IndexRune("0123456789abcdef", c))
		}
		b.WriteByte(n)
	}
	return b.String()
}

func TestHostileNames(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	blob, err := tryGit(remote, "evil", "hash-object", "-w", "--stdin")
	if err != nil {
		t.Fatal(err)
	}
	raw := rawHash(t, blob)
	below := mkTree(t, remote, "100644 x\x00"+raw)
	tree := mkTree(t, remote,
		"100644 ../../evil\x00"+raw+"40000 ..\x00"+rawHash(t, below)+"40000 .git\x00"+rawHash(t, below)+"100644 ok\x00"+raw)
	commit := git(t, remote, "commit-tree", "-m", "m", tree)
	git(t, remote, "update-ref", "refs/heads/main", commit)
	r := open(t, remote)
	mustFetch(t, r)
	files, err := r.Files(commit, "")
	if err != nil || len(files) != 1 || files[0].Path != "ok" {
		t.Errorf("Files = %v, %v; want only ok", files, err)
	}
	parent := t.TempDir()
	if _, err := r.Export(commit, filepath.Join(parent, "a", "b")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(parent, "evil")); err == nil {
		t.Error("a file was written outside the folder")
	}
}

// A few nested trees stand for 10^12 files ("git bomb").
func TestGitBomb(t *testing.T) {
	t.Parallel()
	for name, leaf := range map[string]string{"files": "100644 f\x00", "folders": ""} {
		remote := newBare(t)
		blob, err := tryGit(remote, "x", "hash-object", "-w", "--stdin")
		if err != nil {
			t.Fatal(err)
		}
		if leaf != "" {
			leaf += rawHash(t, blob)
		}
		tree := mkTree(t, remote, leaf)
		for range 12 {
			var b strings.Builder
			for _, c := range "0123456789" {
				b.WriteString("40000 " + string(c) + "\x00" + rawHash(t, tree))
			}
			tree = mkTree(t, remote, b.String())
		}
		commit := git(t, remote, "commit-tree", "-m", "m", tree)
		git(t, remote, "update-ref", "refs/heads/main", commit)
		r := open(t, remote)
		mustFetch(t, r)
		if _, err := r.Files(commit, ""); !errors.Is(err, dag.ErrInvalid) {
			t.Errorf("%s: Files: %v, want ErrInvalid", name, err)
		}
		if _, err := r.Export(commit, t.TempDir()); !errors.Is(err, dag.ErrInvalid) {
			t.Errorf("%s: Export: %v, want ErrInvalid", name, err)
		}
	}
}
