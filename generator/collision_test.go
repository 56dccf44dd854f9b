package generator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/gitrepo"
	"dagwright/store"
	"dagwright/store/storetest"
	"dagwright/templates"
)

// hub is a folder of bare repositories that stands for GitLab: real git, one
// repository a project.
type hub struct{ dir string }

var _ generator.Models = hub{}

// repository is a project's folder. The one of its id is a link.
func (h hub) repository(project string) string {
	return filepath.Join(h.dir, strings.ReplaceAll(project, "/", "."))
}

func (h hub) RootNames(ctx context.Context, project, commit string) ([]string, error) {
	out, err := runGit(ctx, h.repository(project), "ls-tree", "--name-only", commit)
	return strings.Split(out, "\n"), err
}

func (h hub) HasFolder(ctx context.Context, project, commit, path string) (bool, error) {
	out, err := runGit(ctx, h.repository(project), "ls-tree", "-d", "--name-only", commit, path)
	return out != "", err
}

func (h hub) ChangedPaths(ctx context.Context, project, from, to string) ([]string, bool, error) {
	out, err := runGit(ctx, h.repository(project), "diff", "--name-only", "--no-renames", from, to)
	return strings.Fields(out), err == nil, err
}

func (h hub) CommitMessage(ctx context.Context, project, commit string) (string, error) {
	return runGit(ctx, h.repository(project), "log", "-1", "--format=%B", commit)
}

func (h hub) BranchHead(ctx context.Context, project, branch string) (string, error) {
	out, err := runGit(ctx, h.repository(project), "for-each-ref", "--format=%(objectname)", "refs/heads/"+branch)
	if err == nil && out == "" {
		err = fmt.Errorf("branch %s of %s: %w", branch, project, dag.ErrNotFound)
	}
	return out, err
}

func (h hub) ReadFile(_ context.Context, project, commit, path string) ([]byte, error) {
	dir := h.repository(project)
	r, err := gitrepo.Open(gitrepo.Config{URL: dir, Dir: dir})
	if err != nil {
		return nil, err
	}
	return r.ReadFile(commit, path, 1<<20)
}

func runGit(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada",
		"GIT_COMMITTER_EMAIL=ada@example.com")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("git %s: %w: %s", args[0], err, &stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// site is a generator at work between a hub and a DAG repository.
type site struct {
	*testing.T
	hub
	store *store.Store
	dags  string // the bare DAG repository
	ids   map[string]int64
	run   func(context.Context) error
	stop  func()
}

func newSite(t *testing.T, change ...func(*generator.Instance)) *site {
	t.Helper()
	instance := generator.DefaultInstance()
	for _, f := range change {
		f(&instance)
	}
	s := &site{T: t, hub: hub{t.TempDir()}, store: storetest.OpenTest(t), ids: map[string]int64{}}
	s.dags = s.repository("gbc/airflow-dev")
	s.git(s.dir, "init", "--quiet", "--bare", "--initial-branch=main", s.dags)
	repo, err := gitrepo.Open(gitrepo.Config{URL: s.dags, Branch: "main", Dir: filepath.Join(t.TempDir(), "clone.git")})
	if err != nil {
		t.Fatal(err)
	}
	set, err := templates.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	g := generator.New(generator.Config{
		Store: s.store, Repo: repo, Models: s.hub, Templates: set, Instance: instance,
		Logger: slog.New(slog.DiscardHandler),
	})
	s.run = g.Run
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

// start starts the generator; stop ends it.
func (s *site) start() {
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.Errorf("Run: %v", err)
		}
	})
}

func (s *site) git(dir string, args ...string) string {
	s.Helper()
	out, err := runGit(s.Context(), dir, args...)
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// push sends a push and returns what happened to it.
func (s *site) push(project, branch, file string) store.Push {
	s.Helper()
	return s.outcome(s.send(project, branch, file))
}

// send commits a model's file to a branch of a project, making the project when
// there is none, and records the push as the webhook would.
func (s *site) send(project, branch, file string) int64 {
	s.Helper()
	return s.sendFiles(project, branch, map[string]string{generator.ModelFile: file})
}

// sendFiles does it for several files.
func (s *site) sendFiles(project, branch string, files map[string]string) int64 {
	s.Helper()
	bare := s.repository(project)
	if s.ids[project] == 0 {
		s.ids[project] = int64(101 + len(s.ids))
		s.git(s.dir, "init", "--quiet", "--bare", "--initial-branch=main", bare)
		if err := os.Symlink(bare, s.repository(strconv.FormatInt(s.ids[project], 10))); err != nil {
			s.Fatal(err)
		}
	}
	work := s.TempDir()
	s.git(work, "init", "--quiet", "--initial-branch=work")
	for name, text := range files {
		file := filepath.Join(work, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			s.Fatal(err)
		}
	}
	s.git(work, "add", "--all")
	s.git(work, "commit", "--quiet", "--message", "Score")
	s.git(work, "push", "--quiet", "--force", bare, "HEAD:refs/heads/"+branch)
	return s.record(store.Push{
		ProjectID: s.ids[project], Project: project, Branch: branch, Commit: s.git(work, "rev-parse", "HEAD"),
	})
}

// remove deletes a branch.
func (s *site) remove(project, branch string) store.Push {
	s.Helper()
	bare := s.repository(project)
	before := s.git(bare, "rev-parse", branch)
	s.git(bare, "update-ref", "-d", "refs/heads/"+branch)
	return s.outcome(s.record(store.Push{
		ProjectID: s.ids[project], Project: project, Branch: branch, Before: before,
		Commit: strings.Repeat("0", len(before)), Deleted: true,
	}))
}

func (s *site) record(p store.Push) int64 {
	s.Helper()
	id, _, err := s.store.RecordPush(s.Context(), p)
	if err != nil {
		s.Fatal(err)
	}
	return id
}

// outcome waits until a push was worked on.
func (s *site) outcome(id int64) store.Push {
	s.Helper()
	changes := s.store.Subscribe()
	defer changes.Close()
	deadline := time.After(time.Minute)
	for {
		found, err := s.store.Pushes(s.Context(), store.PushFilter{Before: id + 1, Limit: 1})
		if err != nil || len(found) != 1 {
			s.Fatalf("push %d: %v, %v", id, found, err)
		}
		if found[0].State != store.PushPending || found[0].Tries > 0 {
			return found[0]
		}
		select {
		case <-changes.C:
		case <-changes.Lagged:
		case <-deadline:
			s.Fatalf("nothing became of push %+v", found[0])
		}
	}
}

func (s *site) wantState(p store.Push, want store.PushState) {
	s.Helper()
	if p.State != want {
		s.Fatalf("push of %s to %s is %s (%s), want %s", p.Project, p.Branch, p.State, p.Reason, want)
	}
}

func (s *site) wantRefused(p store.Push, words ...string) {
	s.Helper()
	s.wantState(p, store.PushRefused)
	for _, w := range words {
		if !strings.Contains(p.Reason, w) {
			s.Errorf("refused with %q, which does not name %q", p.Reason, w)
		}
	}
}

// specs lists the files of the DAG repository.
func (s *site) specs() string {
	s.Helper()
	return s.git(s.dags, "ls-tree", "-r", "--name-only", "main")
}

func TestOneNameBelongsToOneProject(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ first, firstBranch, second, secondBranch, file string }{
		"the same name in two groups": {"gbc/risk/x", "main", "gbc/sales/x", "main", "dags/gbc/risk/x.yaml"},
		"retrain of x and main of x-retrain": {"gbc/risk/x", "retrain", "gbc/risk/x-retrain", "main",
			"dags/gbc/risk/x-retrain.yaml"},
		"main of x-retrain and retrain of x": {"gbc/risk/x-retrain", "main", "gbc/risk/x", "retrain",
			"dags/gbc/risk/x-retrain.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.wantState(s.push(c.first, c.firstBranch, "owner: first"), store.PushRendered)
			s.wantRefused(s.push(c.second, c.secondBranch, "owner: second"), c.first, c.second)
			if got := s.specs(); got != c.file {
				t.Errorf("the DAG repository has %q, want %q", got, c.file)
			}
			// The first goes on, and so does what the second has beside it.
			s.wantState(s.push(c.first, c.firstBranch, "owner: again"), store.PushRendered)
			if got := s.git(s.dags, "show", "main:"+c.file); !strings.Contains(got, "again") || strings.Contains(got, "second") {
				t.Errorf("the first one's spec is\n%s", got)
			}
			// When the first gives its name up, the second may have it.
			s.wantState(s.remove(c.first, c.firstBranch), store.PushRemoved)
			s.wantState(s.push(c.second, c.secondBranch, "owner: heir"), store.PushRendered)
		})
	}
}

func TestDeletionByAnotherProjectRemovesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.wantState(s.push("gbc/risk/x", "main", ""), store.PushRendered)
	s.wantRefused(s.push("gbc/sales/x", "main", ""))
	s.wantState(s.remove("gbc/sales/x", "main"), store.PushSuperseded)
	if got := s.specs(); got != "dags/gbc/risk/x.yaml" {
		t.Errorf("the DAG repository has %q", got)
	}
}

// TestStrangeEntryHoldsUpNobodyElse puts things that are not plain files where
// specs belong: the generator must neither follow them nor stop for them.
func TestStrangeEntryHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	const path = "dags/gbc/risk/x.yaml"
	for name, entry := range map[string]func(*site, string){
		"a symbolic link": func(s *site, work string) {
			if err := os.Symlink("/etc/passwd", filepath.Join(work, path)); err != nil {
				s.Fatal(err)
			}
			s.git(work, "add", path)
		},
		"a submodule": func(s *site, work string) {
			s.git(work, "update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+","+path)
		},
		"a large file": func(s *site, work string) {
			if err := os.WriteFile(filepath.Join(work, path), bytes.Repeat([]byte("#"), 2<<20), 0o644); err != nil {
				s.Fatal(err)
			}
			s.git(work, "add", path)
		},
		"a folder": func(s *site, work string) {
			if err := os.Mkdir(filepath.Join(work, path), 0o755); err != nil {
				s.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(work, path, "file"), nil, 0o644); err != nil {
				s.Fatal(err)
			}
			s.git(work, "add", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.wantState(s.push("gbc/risk/x", "main", "owner: first"), store.PushRendered)
			work := filepath.Join(t.TempDir(), "dags")
			s.git(s.dir, "clone", "--quiet", s.dags, work)
			s.git(work, "rm", "--quiet", path)
			if err := os.MkdirAll(filepath.Join(work, filepath.Dir(path)), 0o755); err != nil {
				t.Fatal(err)
			}
			entry(s, work)
			s.git(work, "commit", "--quiet", "--message", "Put something strange there")
			s.git(work, "push", "--quiet", "origin", "HEAD:main")

			// Both are worked on together: the strange entry is x's trouble alone.
			s.stop()
			first, second := s.send("gbc/risk/x", "main", "owner: second"), s.send("gbc/risk/y", "main", "")
			s.start()
			x := s.outcome(first)
			s.wantState(s.outcome(second), store.PushRendered)
			if name == "a folder" {
				if x.State != store.PushPending || !strings.Contains(x.Reason, path) {
					t.Errorf("x is %s: %s; want it to wait and name %s", x.State, x.Reason, path)
				}
				return
			}
			s.wantState(x, store.PushRendered)
			if got := s.git(s.dags, "show", "main:"+path); !strings.Contains(got, "second") {
				t.Errorf("%s is\n%.300s", path, got)
			}
		})
	}
}
