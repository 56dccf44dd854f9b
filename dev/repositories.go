package dev

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/gitrepo"
	"dagwright/testdata"
)

// The DAG repository of "dagwright dev" and its GitLab path.
const (
	DAGRepository = "airflow-dev.git"
	dagProject    = "gbc/airflow-dev"
	dagProjectID  = 100
)

// modelGroup is the GitLab group that the example models stand in.
const modelGroup = "gbc/risk"

// exampleProjects are the example models as GitLab projects.
func exampleProjects() []generator.Project {
	return []generator.Project{{ID: 101, Path: modelGroup + "/churn-model"}, {ID: 102, Path: modelGroup + "/fraud-model"}}
}

// modelRepository is the folder of a model's bare repository, or
// dag.ErrInvalid for a project that is not an example.
func (h *home) modelRepository(project string) (string, error) {
	for _, p := range exampleProjects() {
		if p.Path == project || strconv.FormatInt(p.ID, 10) == project {
			return h.path("models", path.Base(p.Path)+".git"), nil
		}
	}
	return "", fmt.Errorf("project %q is none of this machine's example models: %w", project, dag.ErrInvalid)
}

// readSecret reads the webhook's secret, making it at the first start, and again
// when the first start was killed before it was written. It is a Standard
// Webhooks signing key, as GitLab gives it out.
func (h *home) readSecret() error {
	file := h.path("webhook-secret")
	content, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read webhook secret: %w", err)
	}
	if h.secret = strings.TrimSpace(string(content)); h.secret != "" {
		return nil
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails, see crypto/rand
	h.secret = "whsec_" + base64.StdEncoding.EncodeToString(key)
	if err := os.WriteFile(file, []byte(h.secret), 0o600); err != nil {
		return fmt.Errorf("write webhook secret: %w", err)
	}
	return nil
}

// prepareRepositories makes the bare repositories that are missing and writes
// their hooks, which name this very program, again.
func (h *home) prepareRepositories() error {
	all := append([]generator.Project{{ID: dagProjectID, Path: dagProject}}, exampleProjects()...)
	for _, p := range all {
		dir := h.path(DAGRepository)
		if p.Path != dagProject {
			dir = h.path("models", path.Base(p.Path)+".git")
		}
		// git init makes this folder last, and may be repeated.
		if _, err := os.Stat(filepath.Join(dir, "objects", "info")); errors.Is(err, fs.ErrNotExist) {
			if _, err := gitrepo.Git(context.Background(), "", "init", "--quiet", "--bare", "--initial-branch=main",
				dir); err != nil {
				return err
			}
		}
		if err := errors.Join(keepRepositoryPrivate(dir), h.writeHook(dir, p)); err != nil {
			return err
		}
	}
	return nil
}

// keepRepositoryPrivate gives what is pushed the modes of the data folder: it is
// written by the git of whoever pushes, with that user's umask.
func keepRepositoryPrivate(dir string) error {
	const name = "sharedRepository"
	text, err := os.ReadFile(filepath.Join(dir, "config"))
	if err != nil || strings.Contains(string(text), name) {
		return err
	}
	_, err = gitrepo.Git(context.Background(), dir, "config", "core."+name, "0600")
	return err
}

// writeHook writes the post-receive hook that does what GitLab does after a
// push: it sends a push event to the webhook.
func (h *home) writeHook(repo string, p generator.Project) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	script := fmt.Sprintf(`#!/bin/sh
# Written by "dagwright dev" at each start: sends a push event, like GitLab.
if [ ! -x %[1]s ]; then
	echo "dagwright is not running; it sees this push when it starts again."
	exit 0
fi
exec %[1]s post-receive --dir %[2]s --project %[3]s --project-id %[4]d
`, shellQuote(program), shellQuote(h.dir), shellQuote(p.Path), p.ID)
	hook := filepath.Join(repo, "hooks", "post-receive")
	if err := os.MkdirAll(filepath.Dir(hook), 0o700); err != nil {
		return err
	}
	return os.WriteFile(hook, []byte(script), 0o700)
}

// pushExamples pushes the example models to their main and retrain branches,
// unless they have commits already.
func (h *home) pushExamples(ctx context.Context) error {
	for _, p := range exampleProjects() {
		repo, err := h.modelRepository(p.Path)
		if err != nil {
			return err
		}
		if there, err := hasCommits(ctx, repo); err != nil || there {
			if err != nil {
				return err
			}
			continue
		}
		if err := h.pushExample(ctx, path.Base(p.Path), repo); err != nil {
			// The git that a killed dagwright left behind may have been faster.
			if there, again := hasCommits(ctx, repo); again == nil && there {
				continue
			}
			return fmt.Errorf("%s: %w", p.Path, err)
		}
	}
	return nil
}

func hasCommits(ctx context.Context, repo string) (bool, error) {
	refs, err := gitrepo.Git(ctx, repo, "for-each-ref", "--count=1")
	return refs != "", err
}

// pushExample pushes both branches or none, so that one that is there proves the other.
func (h *home) pushExample(ctx context.Context, name, repo string) error {
	files, err := fs.Sub(testdata.Models(), name)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(h.dir, ".example-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, files); err != nil {
		return fmt.Errorf("write example: %w", err)
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"add", "--all"},
		{"-c", "user.name=dagwright dev", "-c", "user.email=dev@localhost", "commit", "--quiet",
			"--message=Add the example model"},
		{"push", "--quiet", "--atomic", repo, "main:refs/heads/main", "main:refs/heads/retrain"},
	} {
		if _, err := gitrepo.Git(ctx, dir, args...); err != nil {
			return err
		}
	}
	return nil
}

// modelClone says how an attempt's files are cloned.
func (h *home) modelClone(project, branch string) (gitrepo.Config, error) {
	repo, err := h.modelRepository(project)
	if err != nil {
		return gitrepo.Config{}, err
	}
	return gitrepo.Config{URL: repo, Branch: branch,
		Dir: h.path("clones", "models", path.Base(project)+"."+branch+".git")}, nil
}

// localModels reads the example models' bare repositories where they are.
type localModels struct{ home *home }

var _ generator.Models = localModels{}

// BranchHead returns the commit at the head of a branch.
func (m localModels) BranchHead(ctx context.Context, project, branch string) (string, error) {
	repo, err := m.home.modelRepository(project)
	if err != nil {
		return "", err
	}
	head, err := gitrepo.Git(ctx, repo, "for-each-ref", "--format=%(objectname)", "refs/heads/"+branch)
	if err != nil {
		return "", err
	}
	if head == "" {
		return "", fmt.Errorf("branch %s of %s: %w", branch, project, dag.ErrNotFound)
	}
	return head, nil
}

// ReadFile returns a file at a commit.
func (m localModels) ReadFile(_ context.Context, project, commit, file string) ([]byte, error) {
	repo, err := m.home.modelRepository(project)
	if err != nil {
		return nil, err
	}
	r, err := gitrepo.Open(gitrepo.Config{URL: repo, Dir: repo})
	if err != nil {
		return nil, err
	}
	const limit = 1 << 20
	return r.ReadFile(commit, file, limit)
}

// CommitMessage returns a commit's message.
func (m localModels) CommitMessage(ctx context.Context, project, commit string) (string, error) {
	repo, err := m.home.modelRepository(project)
	if err != nil {
		return "", err
	}
	return gitrepo.Git(ctx, repo, "log", "-1", "--format=%B", "--end-of-options", commit)
}

// RootNames lists the names in the root of the repository at a commit.
func (m localModels) RootNames(ctx context.Context, project, commit string) ([]string, error) {
	repo, err := m.home.modelRepository(project)
	if err != nil {
		return nil, err
	}
	out, err := gitrepo.Git(ctx, repo, "ls-tree", "--name-only", "-z", "--end-of-options", commit)
	return strings.FieldsFunc(out, func(c rune) bool { return c == 0 }), err
}

// HasFolder reports whether the repository has a folder at a commit.
func (m localModels) HasFolder(ctx context.Context, project, commit, path string) (bool, error) {
	repo, err := m.home.modelRepository(project)
	if err != nil {
		return false, err
	}
	out, err := gitrepo.Git(ctx, repo, "ls-tree", "-d", "--name-only", "--end-of-options", commit, path)
	return out != "", err
}

// ChangedPaths lists the files that differ between two commits.
func (m localModels) ChangedPaths(ctx context.Context, project, from, to string) ([]string, bool, error) {
	repo, err := m.home.modelRepository(project)
	if err != nil {
		return nil, false, err
	}
	if _, err := gitrepo.Git(ctx, repo, "cat-file", "-e", from+"^{commit}"); err != nil {
		return nil, false, fmt.Errorf("commit %s of %s: %w", from, project, dag.ErrNotFound)
	}
	out, err := gitrepo.Git(ctx, repo, "diff", "--name-only", "--no-renames", "-z", from, to)
	if err != nil {
		return nil, false, err
	}
	return strings.FieldsFunc(out, func(c rune) bool { return c == 0 }), true, nil
}
