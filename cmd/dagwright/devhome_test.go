package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestHalfMadeHome opens a folder as a kill in the middle of the first start
// leaves it.
func TestHalfMadeHome(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "dev")
	write(t, filepath.Join(dir, "webhook-secret"), nil)
	write(t, filepath.Join(dir, dagRepository, "HEAD"), []byte("ref: refs/heads/main\n"))
	h, err := openHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	h.close()
	if h.secret == "" {
		t.Error("there is no webhook secret")
	}
	if _, err := git(t.Context(), h.path(dagRepository), "rev-parse", "--is-bare-repository"); err != nil {
		t.Errorf("the DAG repository is not usable: %v", err)
	}
	again, err := openHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	again.close()
	if again.secret != h.secret {
		t.Error("a restart changed the webhook secret")
	}
}

// TestPushExamplesBesideAnother pushes the examples while another push is under
// way, as the git of a dagwright that was killed may be.
func TestPushExamplesBesideAnother(t *testing.T) {
	t.Parallel()
	h, err := openHome(filepath.Join(t.TempDir(), "dev"))
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	repo, err := h.modelRepository(exampleProjects()[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	// The other push is done within this one, after it has looked for commits.
	hook := "#!/bin/sh\nunset GIT_DIR GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\n" +
		"c=$(git -C " + shellQuote(repo) + " -c user.name=a -c user.email=a@b commit-tree -m other $(git -C " + shellQuote(repo) +
		" hash-object -t tree -w /dev/null)) && git -C " + shellQuote(repo) + " update-ref refs/heads/main $c && git -C " +
		shellQuote(repo) + " update-ref refs/heads/retrain $c\n"
	if err := os.WriteFile(filepath.Join(repo, "hooks", "pre-receive"), []byte(hook), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := h.pushExamples(t.Context()); err != nil {
		t.Errorf("push examples: %v", err)
	}
	if title, err := git(t.Context(), repo, "log", "-1", "--format=%s", "retrain"); err != nil || title != "other" {
		t.Errorf("the other push was lost: %q, %v", title, err)
	}
}

func TestSecondDevIsRefused(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "dev")
	h, err := openHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	second := exec.CommandContext(t.Context(), program, "dev", "--dir", dir, "--listen", "127.0.0.1:0")
	second.Env = append(os.Environ(), asProgram+"=1")
	out, err := second.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another dagwright dev is running on "+dir) {
		t.Errorf("a second dagwright dev: %v\n%s", err, out)
	}
}

// TestLockIsNotInherited lets a child have the lock's file open, as every child
// has in the moment of its fork: the folder must be free when dagwright is
// gone.
func TestLockIsNotInherited(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "dev")
	h, err := openHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), "cat")
	child.ExtraFiles = []*os.File{h.lock.file}
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	h.close()
	h, err = openHome(dir)
	if err != nil {
		t.Fatalf("the folder is still locked: %v", err)
	}
	h.close()
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestFreshDevIsQuiet starts "dev" in a new folder: when it says that it runs, its
// examples are there, and nothing is worth a warning.
func TestFreshDevIsQuiet(t *testing.T) {
	t.Parallel()
	d := &devProcess{dir: filepath.Join(t.TempDir(), "dev"), log: &lockedBuffer{}}
	d.start(t)
	if !d.greeted() {
		t.Fatalf("dagwright dev ended without a greeting: %s", d.log)
	}
	_, dags := d.get(t, "/api/v2/dags")
	for _, id := range []string{"churn-model", "churn-model-retrain", "fraud-model", "fraud-model-retrain"} {
		if !strings.Contains(dags, id) {
			t.Errorf("%s is not there when dev says that it runs: %s", id, dags)
		}
	}
	if log := d.log.String(); log != "" {
		t.Errorf("a fresh dev says %q", log)
	}
}
