// Package checkout gives attempts that run as local processes a folder to work in:
// the files of the model's commit, one folder a run, as a volume would be. It clones
// the models' repositories, and removes the folders of runs that ended some time ago.
package checkout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/executor/process"
	"dagwright/gitrepo"
)

const (
	// keepSucceeded and keepFailed are how long the working folder of a run is
	// kept after the run's end, for a look and for tasks that are cleared.
	keepSucceeded = time.Hour
	keepFailed    = 7 * 24 * time.Hour
	// keepHalf is how long a folder that is half made or half removed may have
	// been left alone.
	keepHalf = 24 * time.Hour
	// sweepEvery is how often folders are looked through, and shortEvery how often
	// the disk is asked for its space.
	sweepEvery = 10 * time.Minute
	shortEvery = 10 * time.Second
	// fetchLimit bounds the fetch of a model repository.
	fetchLimit = time.Minute
	// mostNotes bounds the lines in a task's log about what was left out.
	mostNotes = 20
)

// Workspaces gives local attempts a folder to work in: one folder a run, with
// the files of the model's commit, shared by the run's tasks as a volume would
// be.
type Workspaces struct {
	Root string // work/, registry/ are made below
	// Clone says how to clone a model repository. The error is dag.ErrInvalid
	// for a project that may not be cloned.
	Clone func(project, branch string) (gitrepo.Config, error)
	// Logger gets the faults that no attempt reports.
	Logger *slog.Logger
	// Short reports whether the disk is nearly full, so that no task starts.
	Short func() bool

	mu    sync.Mutex // guards clones, and is held for a look only
	repos map[string]*modelClone
}

// modelClone is the clone of one branch of a model repository. One caller at a
// time works with it, and it holds up nobody who needs another one.
type modelClone struct {
	free   chan struct{} // holds a token while nobody works with it
	repo   *gitrepo.Repo // nil until it is opened
	failed error         // of the last fetch
	when   time.Time     // it failed
}

// Open returns the working folder of an attempt's run, making it at the first
// task, and the variables that tell the model where to keep things.
func (w *Workspaces) Open(ctx context.Context, a executor.Attempt) (process.Workdir, error) {
	dir := w.folder(a.Key.Place(), a.Key.Run)
	if a.Source.Commit == "" {
		// A spec that was written by hand has no files to work on.
		return process.Workdir{Dir: dir}, os.MkdirAll(dir, 0o700)
	}
	if err := w.ensure(ctx, a.Source, dir); err != nil {
		return process.Workdir{}, err
	}
	registry := filepath.Join(w.Root, "registry", "project="+filepath.Base(a.Source.Project))
	if err := os.MkdirAll(registry, 0o700); err != nil {
		return process.Workdir{}, fmt.Errorf("make model registry: %w", err)
	}
	return process.Workdir{Dir: dir, Notes: readNotes(dir), Env: []dag.EnvVar{
		{Name: "MODEL_REGISTRY", Value: registry},
		{Name: "ARTIFACTS_DIR", Value: filepath.Join(dir, "artifacts")},
		{Name: "OUTPUT_DIR", Value: filepath.Join(dir, "output")},
	}}, nil
}

// The names below work/.
const (
	dagPrefix    = "dag_id="
	runPrefix    = "run_id="
	exportPrefix = ".export-" // while the files are written
	gonePrefix   = ".gone-"   // while they are removed
)

// folder is the working folder of a run of a DAG's place ([dag.AttemptKey.Place]).
func (w *Workspaces) folder(id dag.ID, run dag.RunID) string {
	return filepath.Join(w.Root, "work", dagPrefix+string(id), runPrefix+string(run))
}

// ensure exports the model's commit into dir unless that was done before. The
// folder appears under its name only when it is complete.
func (w *Workspaces) ensure(ctx context.Context, source dag.Source, dir string) error {
	if done, err := exists(dir); done || err != nil {
		return err
	}
	clone := w.cloneOf(source)
	since := time.Now()
	select {
	case <-clone.free:
		defer func() { clone.free <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if done, err := exists(dir); done || err != nil {
		return err
	}
	if clone.failed != nil && clone.when.After(since) {
		return clone.failed // while this caller waited; it need not wait for the same again
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("make working folder: %w", err)
	}
	half, err := os.MkdirTemp(filepath.Dir(dir), exportPrefix)
	if err != nil {
		return fmt.Errorf("make working folder: %w", err)
	}
	defer os.RemoveAll(half)
	left, err := w.export(ctx, clone, source, half)
	if err != nil {
		return err
	}
	if err := writeNotes(dir, left); err != nil {
		return err
	}
	return os.Rename(half, dir)
}

func exists(dir string) (bool, error) {
	_, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// export writes the files of the model's commit, fetching it when the clone
// does not have it yet.
func (w *Workspaces) export(ctx context.Context, clone *modelClone, source dag.Source,
	dir string) ([]gitrepo.LeftOut, error) {
	if err := w.openClone(clone, source); err != nil {
		return nil, err
	}
	left, err := clone.repo.Export(source.Commit, dir)
	if errors.Is(err, dag.ErrNotFound) {
		if err := clone.fetch(ctx, source); err != nil {
			return nil, err
		}
		left, err = clone.repo.Export(source.Commit, dir)
	}
	if errors.Is(err, dag.ErrNotFound) {
		return nil, fmt.Errorf("commit %s is not in branch %s of %s any more: %w", source.Commit, source.Branch,
			source.Project, dag.ErrInvalid)
	}
	if err != nil {
		return nil, fmt.Errorf("check out %s at %s: %w", source.Project, source.Commit, err)
	}
	return left, nil
}

func (c *modelClone) fetch(ctx context.Context, source dag.Source) error {
	fetching, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	_, err := c.repo.Fetch(fetching)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("fetch %s: %w: %w", source.Project, process.ErrAway, err)
	if ctx.Err() == nil {
		c.failed, c.when = err, time.Now()
	}
	return err
}

// cloneOf returns the clone of a source. It waits for nobody.
func (w *Workspaces) cloneOf(source dag.Source) *modelClone {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := source.Project + ":" + source.Branch
	if c := w.repos[key]; c != nil {
		return c
	}
	c := &modelClone{free: make(chan struct{}, 1)}
	c.free <- struct{}{}
	if w.repos == nil {
		w.repos = map[string]*modelClone{}
	}
	w.repos[key] = c
	return c
}

// openClone opens the clone at its first use.
func (w *Workspaces) openClone(clone *modelClone, source dag.Source) error {
	if clone.repo != nil {
		return nil
	}
	config, err := w.Clone(source.Project, source.Branch)
	if err != nil {
		return err
	}
	if clone.repo, err = gitrepo.Open(config); err != nil {
		return fmt.Errorf("open clone of %s: %w", source.Project, err)
	}
	return nil
}

// notesOf is the file with what was left out of a working folder. It stands
// beside the folder, which is the model's.
func notesOf(dir string) string {
	return filepath.Join(filepath.Dir(dir), ".left-out-"+filepath.Base(dir))
}

func writeNotes(dir string, left []gitrepo.LeftOut) error {
	if len(left) == 0 {
		return nil
	}
	var text strings.Builder
	for i, l := range left {
		if i == mostNotes {
			fmt.Fprintf(&text, "%d more are not in the working folder\n", len(left)-i)
			break
		}
		fmt.Fprintf(&text, "%q is not in the working folder: %s\n", l.Path, l.Reason)
	}
	return os.WriteFile(notesOf(dir), []byte(text.String()), 0o600)
}

// readNotes returns the lines about what was left out. A file that cannot be
// read keeps no task from running.
func readNotes(dir string) []string {
	text, err := os.ReadFile(notesOf(dir))
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// runReader reads a run; the error is dag.ErrNotFound when there is none.
type runReader interface {
	Run(ctx context.Context, id dag.ID, run dag.RunID) (dag.Run, error)
}

// Sweep removes working folders of runs that ended some time ago, at once and
// from then on, until ctx ends.
func (w *Workspaces) Sweep(ctx context.Context, runs runReader) error {
	look := time.NewTicker(shortEvery)
	defer look.Stop()
	var swept time.Time
	for {
		if short := w.Short(); short || time.Since(swept) >= sweepEvery {
			swept = time.Now()
			if err := w.sweepOnce(ctx, runs, swept, short); err != nil && ctx.Err() == nil {
				w.Logger.Error("remove old working folders", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
	}
}

// sweepOnce removes the folders of runs that ended long ago, and while the disk is
// short those of all that have ended: what is kept for a look must not keep other runs
// from starting.
func (w *Workspaces) sweepOnce(ctx context.Context, runs runReader, now time.Time, short bool) error {
	dirs, err := filepath.Glob(filepath.Join(w.Root, "work", dagPrefix+"*", runPrefix+"*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range dirs {
		id := strings.TrimPrefix(filepath.Base(filepath.Dir(dir)), dagPrefix)
		run, err := runs.Run(ctx, dag.ID(id).Taken(), dag.RunID(strings.TrimPrefix(filepath.Base(dir), runPrefix)))
		if err != nil && !errors.Is(err, dag.ErrNotFound) {
			errs = append(errs, err)
			continue
		}
		// The run of one name that another owner of the DAG's id has is not this one's.
		if err == nil && (dag.AttemptKey{DAG: dag.ID(id).Taken(), Epoch: run.Epoch}).Place() == dag.ID(id) &&
			!isOld(run, now) && (!short || run.EndedAt.IsZero()) {
			continue
		}
		if short {
			w.Logger.Warn("the disk is nearly full: the working folder of a run that has ended is removed", "folder", dir)
		}
		errs = append(errs, removeFolder(dir))
	}
	return errors.Join(append(errs, w.removeHalf(now))...)
}

// removeFolder removes a working folder. It is renamed first, so that an attempt
// that begins just now finds it whole or not at all.
func removeFolder(dir string) error {
	gone := filepath.Join(filepath.Dir(dir), gonePrefix+filepath.Base(dir))
	err := errors.Join(os.RemoveAll(gone), os.Rename(dir, gone), os.RemoveAll(gone), os.RemoveAll(notesOf(dir)))
	_ = os.Remove(filepath.Dir(dir)) // the folder of the DAG, if it is empty
	return err
}

// removeHalf removes what a dagwright that was killed has left half made or half
// removed.
func (w *Workspaces) removeHalf(now time.Time) error {
	var errs []error
	for _, prefix := range []string{exportPrefix, gonePrefix} {
		left, err := filepath.Glob(filepath.Join(w.Root, "work", dagPrefix+"*", prefix+"*"))
		errs = append(errs, err)
		for _, dir := range left {
			if info, err := os.Stat(dir); err == nil && now.Sub(info.ModTime()) > keepHalf {
				errs = append(errs, os.RemoveAll(dir))
			}
		}
	}
	return errors.Join(errs...)
}

// isOld reports whether nobody is to need the folder of a run any more.
func isOld(run dag.Run, now time.Time) bool {
	if run.EndedAt.IsZero() {
		return false
	}
	keep := keepFailed
	if run.State == dag.RunSuccess {
		keep = keepSucceeded
	}
	return now.Sub(run.EndedAt) >= keep
}
