package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dagwright/cli/clitest"
	"dagwright/dev"
	"dagwright/gitrepo"
)

// TestDataFolderIsPrivate walks the data folder of an instance that has taken a
// push, run a task and kept its log: nobody else may read anything there, also
// when the folder was open before.
func TestDataFolderIsPrivate(t *testing.T) {
	t.Parallel()
	d := &devProcess{dir: filepath.Join(t.TempDir(), "dev"), log: &lockedBuffer{}}
	if err := os.Mkdir(d.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d.start(t)
	if !d.greeted() {
		t.Fatalf("dagwright dev ended without a greeting: %s", d.log)
	}
	d.awaitExamples(t)
	client := func(args ...string) string {
		t.Helper()
		out, err := clitest.Program(t.Context(), append(args, "--server", d.url)...).CombinedOutput()
		if err != nil {
			t.Fatalf("dagwright %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	for _, args := range [][]string{
		{"clone", "-q", filepath.Join(d.dir, "models", "churn-model.git"), clone},
		{"-C", clone, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "--allow-empty", "-m",
			"pushed by hand"},
		{"-C", clone, "push", "-q", "origin", "HEAD:main", "HEAD:by-hand"},
	} {
		if out, err := gitrepo.Git(t.Context(), "", args...); err != nil {
			t.Fatal(err, out)
		}
	}
	// A retraining registers its model, and so writes below the data folder.
	client("dags", "trigger", "churn-model-retrain", "--wait")
	if log := client("logs", "churn-model-retrain"); log == "" {
		t.Error("there is no log")
	}
	seen := map[string]bool{}
	err := filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if open := info.Mode().Perm() & 0o077; open != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		rel, _ := filepath.Rel(d.dir, path)
		seen[strings.Split(rel, string(filepath.Separator))[0]] = true
		seen[filepath.Ext(rel)] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"dagwright.db", "dagwright.db-wal", "dagwright.db-shm", "logs", ".log", "work", "registry", "clones", "attempts",
		"models", dev.DAGRepository, "listen", "lock", "bin",
	} {
		if !seen[part] {
			t.Errorf("there is no %s among what was looked at: %v", part, seen)
		}
	}
}
