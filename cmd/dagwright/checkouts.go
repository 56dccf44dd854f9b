package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/gitrepo"
)

// keepWork is how long the working folder of a run is kept.
const keepWork = 7 * 24 * time.Hour

// workspaces gives local attempts a folder to work in: one folder a run, with
// the files of the model's commit, shared by the run's tasks as a volume would
// be.
type workspaces struct {
	root string // work/, registry/ are made below
	// clone says how to clone a model repository. The error is dag.ErrInvalid
	// for a project that may not be cloned.
	clone func(project, branch string) (gitrepo.Config, error)

	mu    sync.Mutex // one export at a time
	repos map[string]*gitrepo.Repo
}

// open returns the working folder of an attempt's run, making it at the first
// task, and the variables that tell the model where to keep things.
func (w *workspaces) open(ctx context.Context, a executor.Attempt) (string, []dag.EnvVar, error) {
	dir := filepath.Join(w.root, "work", "dag_id="+string(a.Key.DAG), "run_id="+string(a.Key.Run))
	if a.Source.Commit == "" {
		// A spec that was written by hand has no files to work on.
		return dir, nil, os.MkdirAll(dir, 0o755)
	}
	if err := w.ensure(ctx, a.Source, dir); err != nil {
		return "", nil, err
	}
	registry := filepath.Join(w.root, "registry", "project="+filepath.Base(a.Source.Project))
	if err := os.MkdirAll(registry, 0o755); err != nil {
		return "", nil, fmt.Errorf("make model registry: %w", err)
	}
	return dir, []dag.EnvVar{
		{Name: "MODEL_REGISTRY", Value: registry},
		{Name: "ARTIFACTS_DIR", Value: filepath.Join(dir, "artifacts")},
		{Name: "OUTPUT_DIR", Value: filepath.Join(dir, "output")},
	}, nil
}

// ensure exports the model's commit into dir unless that was done before. The
// folder appears under its name only when it is complete.
func (w *workspaces) ensure(ctx context.Context, source dag.Source, dir string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := os.Stat(dir); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("make working folder: %w", err)
	}
	half, err := os.MkdirTemp(filepath.Dir(dir), ".export-")
	if err != nil {
		return fmt.Errorf("make working folder: %w", err)
	}
	defer os.RemoveAll(half)
	if err := w.export(ctx, source, half); err != nil {
		return err
	}
	if err := os.Chmod(half, 0o755); err != nil {
		return err
	}
	return os.Rename(half, dir)
}

// export writes the files of the model's commit, fetching it when the clone
// does not have it yet.
func (w *workspaces) export(ctx context.Context, source dag.Source, dir string) error {
	repo, err := w.repo(source)
	if err != nil {
		return err
	}
	err = repo.Export(source.Commit, dir)
	if errors.Is(err, dag.ErrNotFound) {
		if _, err := repo.Fetch(ctx); err != nil {
			return fmt.Errorf("fetch %s: %w", source.Project, err)
		}
		err = repo.Export(source.Commit, dir)
	}
	if errors.Is(err, dag.ErrNotFound) {
		return fmt.Errorf("commit %s is not in branch %s of %s any more: %w", source.Commit, source.Branch, source.Project, dag.ErrInvalid)
	}
	if err != nil {
		return fmt.Errorf("check out %s at %s: %w", source.Project, source.Commit, err)
	}
	return nil
}

func (w *workspaces) repo(source dag.Source) (*gitrepo.Repo, error) {
	key := source.Project + ":" + source.Branch
	if r := w.repos[key]; r != nil {
		return r, nil
	}
	config, err := w.clone(source.Project, source.Branch)
	if err != nil {
		return nil, err
	}
	r, err := gitrepo.Open(config)
	if err != nil {
		return nil, fmt.Errorf("open clone of %s: %w", source.Project, err)
	}
	if w.repos == nil {
		w.repos = map[string]*gitrepo.Repo{}
	}
	w.repos[key] = r
	return r, nil
}

// sweep removes the working folders of runs that began long ago.
func (w *workspaces) sweep(now time.Time) error {
	dirs, err := filepath.Glob(filepath.Join(w.root, "work", "*", "*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil || now.Sub(info.ModTime()) < keepWork {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove old working folder: %w", err)
		}
	}
	return nil
}
