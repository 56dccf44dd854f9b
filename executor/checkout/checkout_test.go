package checkout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/gitrepo"
)

// workspacesOf has models whose repositories are folders, except for the one named
// "hangs", whose server takes connections and says nothing.
func workspacesOf(t *testing.T, models map[string]string) *Workspaces {
	t.Helper()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	clones := t.TempDir()
	return &Workspaces{Root: t.TempDir(), Clone: func(project, branch string) (gitrepo.Config, error) {
		url := models[project]
		if project == "hangs" {
			url = "http://" + silent.Addr().String() + "/hangs.git"
		}
		return gitrepo.Config{URL: url, Branch: branch, Dir: filepath.Join(clones, project)}, nil
	}}
}

func attemptAt(project, commit, run string) executor.Attempt {
	return executor.Attempt{
		Key:    dag.AttemptKey{DAG: "model", Run: dag.RunID(run), Task: "t", Try: 1},
		Source: dag.Source{Project: project, Branch: "main", Commit: commit},
	}
}

// TestHangingModelRepository has a model whose repository does not answer: the
// folders of other models, and those that are there, do not wait for it.
func TestHangingModelRepository(t *testing.T) {
	t.Parallel()
	bare, commit := modelRepository(t)
	w := workspacesOf(t, map[string]string{"good": bare})
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 3)
	for i := range cap(failed) {
		go func() {
			_, err := w.Open(ctx, attemptAt("hangs", strings.Repeat("1", 40), fmt.Sprint("hangs-", i)))
			failed <- err
		}()
	}
	ready := w.folder("model", "ready")
	if err := os.MkdirAll(ready, 0o700); err != nil {
		t.Fatal(err)
	}
	for project, run := range map[string]string{"good": "fresh", "hangs": "ready"} {
		got, err := w.Open(t.Context(), attemptAt(project, commit, run))
		if err != nil || got.Dir != w.folder("model", dag.RunID(run)) {
			t.Errorf("%s: %+v, %v", run, got, err)
		}
	}
	cancel()
	for range cap(failed) {
		select {
		case err := <-failed:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a fetch that was broken off: %v", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("a start cannot be broken off")
		}
	}
}

// TestLinksAreTold has a symlink that is made and one that is not: each attempt
// finds the latter in its log.
func TestLinksAreTold(t *testing.T) {
	t.Parallel()
	bare, commit := modelRepository(t)
	w := workspacesOf(t, map[string]string{"good": bare})
	for range 2 {
		got, err := w.Open(t.Context(), attemptAt("good", commit, "run"))
		if err != nil {
			t.Fatal(err)
		}
		want := `"passwd" is not in the working folder: it is a symlink to an absolute path`
		if len(got.Notes) != 1 || got.Notes[0] != want {
			t.Errorf("notes %q, want %q", got.Notes, want)
		}
		if b, err := os.ReadFile(filepath.Join(got.Dir, "entry.py")); err != nil || string(b) != "print(1)\n" {
			t.Errorf("through the link: %q, %v", b, err)
		}
	}
}

// modelRepository is a repository with a file, a link to it, and one out.
func modelRepository(t *testing.T) (bare, commit string) {
	t.Helper()
	bare, work := filepath.Join(t.TempDir(), "model.git"), t.TempDir()
	for name, target := range map[string]string{"entry.py": "main.py", "passwd": "/etc/passwd"} {
		if err := os.Symlink(target, filepath.Join(work, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(work, "main.py"), []byte("print(1)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	runGit(t, work, "init", "--quiet", "--initial-branch=main")
	runGit(t, work, "add", "--all")
	runGit(t, work, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message=m")
	runGit(t, work, "clone", "--quiet", "--bare", ".", bare)
	return bare, strings.TrimSpace(runGit(t, work, "rev-parse", "HEAD"))
}

// knownRuns are runs by id.
type knownRuns map[dag.RunID]dag.Run

func (k knownRuns) Run(_ context.Context, _ dag.ID, id dag.RunID) (dag.Run, error) {
	if run, ok := k[id]; ok {
		return run, nil
	}
	return dag.Run{}, dag.ErrNotFound
}

func TestOldWorkingFolders(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	ended := func(state dag.RunState, ago time.Duration) dag.Run {
		return dag.Run{State: state, EndedAt: now.Add(-ago)}
	}
	runs := knownRuns{
		"running":     {State: dag.RunRunning},
		"success":     ended(dag.RunSuccess, keepSucceeded),
		"success now": ended(dag.RunSuccess, keepSucceeded-time.Second),
		"failed":      ended(dag.RunFailed, keepFailed),
		"failed now":  ended(dag.RunFailed, keepSucceeded),
	}
	kept := map[dag.RunID]bool{"running": true, "success now": true, "failed now": true}
	w := &Workspaces{Root: t.TempDir()}
	all := []dag.RunID{"running", "success", "success now", "failed", "failed now", "deleted"}
	for _, id := range all {
		if err := os.MkdirAll(filepath.Join(w.folder("model", id), "output"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	half := filepath.Join(w.Root, "work", "dag_id=model", exportPrefix+"1")
	if err := os.Mkdir(half, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(half, now, now.Add(-2*keepHalf)); err != nil {
		t.Fatal(err)
	}
	if err := w.sweepOnce(t.Context(), runs, now, false); err != nil {
		t.Fatal(err)
	}
	for _, id := range all {
		if there, err := exists(w.folder("model", id)); err != nil || there != kept[id] {
			t.Errorf("the folder of %s is there: %v (%v)", id, there, err)
		}
	}
	if there, _ := exists(half); there {
		t.Error("a folder that was half made stays")
	}
	// On a disk that is nearly full, what is kept for a look goes.
	w.Logger = slog.New(slog.DiscardHandler)
	if err := w.sweepOnce(t.Context(), runs, now, true); err != nil {
		t.Fatal(err)
	}
	for _, id := range all {
		if there, err := exists(w.folder("model", id)); err != nil || there != (id == "running") {
			t.Errorf("on a full disk the folder of %s is there: %v (%v)", id, there, err)
		}
	}
}

func runGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
