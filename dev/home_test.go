package dev

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dagwright/gitrepo"
)

// TestHalfMadeHome opens a folder as a kill in the middle of the first start
// leaves it.
func TestHalfMadeHome(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "dev")
	writeFile(t, filepath.Join(dir, "webhook-secret"), nil)
	writeFile(t, filepath.Join(dir, DAGRepository, "HEAD"), []byte("ref: refs/heads/main\n"))
	h, err := openHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	h.close()
	if h.secret == "" {
		t.Error("there is no webhook secret")
	}
	if _, err := gitrepo.Git(t.Context(), h.path(DAGRepository), "rev-parse", "--is-bare-repository"); err != nil {
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
		"c=$(git -C " + shellQuote(repo) + " -c user.name=a -c user.email=a@b commit-tree -m other $(git -C " +
		shellQuote(repo) +
		" hash-object -t tree -w /dev/null)) && git -C " + shellQuote(repo) + " update-ref refs/heads/main $c && git -C " +
		shellQuote(repo) + " update-ref refs/heads/retrain $c\n"
	if err := os.WriteFile(filepath.Join(repo, "hooks", "pre-receive"), []byte(hook), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := h.pushExamples(t.Context()); err != nil {
		t.Errorf("push examples: %v", err)
	}
	if title, err := gitrepo.Git(t.Context(), repo, "log", "-1", "--format=%s", "retrain"); err != nil ||
		title != "other" {
		t.Errorf("the other push was lost: %q, %v", title, err)
	}
}

// TestSecondDevIsRefused opens a folder that is open.
func TestSecondDevIsRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "dev")
	h, err := openHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if _, err := openHome(dir); err == nil || !strings.Contains(err.Error(), "another dagwright dev is running on "+dir) {
		t.Errorf("a second dagwright dev: %v", err)
	}
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
		t.Fatal(err)
	}
}
