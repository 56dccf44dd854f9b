// Package dev is an instance for one machine, without GitLab or Kubernetes: bare
// repositories whose hooks send push events as GitLab does, two example models, and
// local processes in place of pods. Everything is in one folder.
package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"syscall"
	"time"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/executor/checkout"
	"dagwright/filelock"
	"dagwright/generator"
	"dagwright/gitrepo"
	"dagwright/instance"
	"dagwright/store"
	"dagwright/tasklog"
	"dagwright/usage"
)

// Config says where and how the instance runs.
type Config struct {
	// Dir is the folder of everything: repositories, database, logs.
	Dir string
	// Listen is the address of the pages, the API and the webhook, on loopback.
	Listen string
	// LogLevel is debug, info, warn or error.
	LogLevel string
	// DefaultServer is the address that commands ask by default. When the instance
	// listens elsewhere, the greeting says how to name its address.
	DefaultServer string
}

// Run runs the instance until ctx ends, or its terminal is closed. It greets on out
// and logs to errOut. The error is a usage.Error for an address that is not of
// loopback or a level that there is not.
func Run(ctx context.Context, c Config, out, errOut io.Writer) error {
	logger, err := instance.NewLogger(errOut, c.LogLevel)
	if err != nil {
		return err
	}
	if !instance.LoopbackAddress(c.Listen) {
		return usage.New(fmt.Errorf("--listen %s: want an address of this machine's loopback, such as 127.0.0.1:8080: "+
			"dev asks nobody who they are; others reach an instance of \"dagwright serve\"", c.Listen))

	}
	// A terminal that is closed ends it like Ctrl-C.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	// The address comes first: where it is taken, nothing is made in the folder.
	l, err := instance.Listen(ctx, c.Listen)
	if err != nil {
		return instance.AddressHint(err,
			"choose another with --listen, such as --listen 127.0.0.1:8081, or port 0 for a free one")
	}
	syscall.Umask(instance.PrivateUmask)
	home, err := openHome(c.Dir) //nolint:contextcheck // git init takes no time and is not broken off half way
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer home.close()
	s := home.settings(c.Listen, logger) //nolint:contextcheck // a check of a spec has bounds of its own
	s.Pages.Listener = l
	a, err := instance.Open(ctx, s)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer func() {
		if err := a.Close(); err != nil {
			logger.Error("close", "err", err)
		}
	}()
	if err := home.writeListen(a.Addr().String()); err != nil {
		return err
	}
	// The examples are pushed through the webhook, which answers only while
	// the server runs; should that fail, the reconciler finds them.
	go func() {
		changes := a.Store().Subscribe()
		defer changes.Close()
		if err := home.pushExamples(ctx); err != nil && ctx.Err() == nil {
			logger.Error("push the example models", "err", err)
		}
		awaitExamples(ctx, a.Store(), changes)
		if ctx.Err() == nil {
			home.greet(out, a.URL(), c.DefaultServer)
		}
	}()
	return a.Run(ctx)
}

// examplesPatience is how long the greeting waits for the DAGs that it names. They take a
// second or two; without them it comes all the same.
const examplesPatience = 30 * time.Second

// awaitExamples waits until the examples' DAGs are there.
func awaitExamples(ctx context.Context, s *store.Store, changes *store.Subscription) {
	ctx, cancel := context.WithTimeout(ctx, examplesPatience)
	defer cancel()
	var ids []dag.ID
	for _, p := range exampleProjects() {
		name := path.Base(p.Path)
		ids = append(ids, dag.ID(name), dag.ID(name+"-retrain"))
	}
	for {
		// The greeting is for the examples as they come; one that was archived is known, too.
		_, total, err := s.DAGs(ctx, store.DAGFilter{IDs: ids, Archived: true})
		if err != nil || total == len(ids) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changes.C:
		case <-changes.Lagged:
		}
	}
}

// home is the folder of "dagwright dev".
type home struct {
	dir    string
	lock   *filelock.Lock
	secret string
}

// openHome makes what is missing in the folder and locks it, since two
// instances on one folder would run everything twice.
func openHome(dir string) (*home, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := instance.MakePrivate(abs); err != nil {
		return nil, fmt.Errorf("make --dir: %w", err)
	}
	h := &home{dir: abs}
	if err := h.takeLock(); err != nil {
		return nil, err
	}
	if err := h.prepare(); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *home) path(elem ...string) string {
	return filepath.Join(append([]string{h.dir}, elem...)...)
}

// takeLock locks the folder.
func (h *home) takeLock() (err error) {
	h.lock, err = filelock.Take(h.path("lock"))
	if errors.Is(err, filelock.ErrLocked) {
		return fmt.Errorf("another dagwright dev is running on %s (%w); stop it or choose another --dir", h.dir, err)
	}
	return err
}

// close gives up the folder. The lock also ends with the process.
func (h *home) close() {
	if h.lock != nil {
		_ = h.lock.Close()
	}
}

func (h *home) prepare() error {
	if err := h.readSecret(); err != nil {
		return err
	}
	if err := h.linkPython(); err != nil {
		return err
	}
	return h.prepareRepositories()
}

func (h *home) writeListen(addr string) error {
	return os.WriteFile(h.path("listen"), []byte(addr+"\n"), 0o600)
}

func (h *home) settings(listen string, logger *slog.Logger) instance.Settings {
	work := &checkout.Workspaces{Root: h.dir, Clone: h.modelClone}
	return instance.Settings{
		Components: instance.Components, Logger: logger,
		Database: dag.NewSecret("sqlite:" + h.path("dagwright.db")),
		Logs:     tasklog.Config{Dir: h.path("logs")},
		Pages:    instance.PageSettings{Listen: listen, Environment: "DEV"},
		GitLab:   instance.GitLabSettings{HookSecrets: []dag.Secret{dag.NewSecret(h.secret)}},
		DAGs: instance.RepositorySettings{
			Repo: gitrepo.Config{URL: h.path(DAGRepository), Branch: "main"}, Project: dagProject, CloneDir: h.path("clones"),
		},
		Models: instance.ModelSettings{
			Files:     localModels{h},
			Projects:  func(context.Context) ([]generator.Project, error) { return exampleProjects(), nil },
			Defaults:  instance.DefaultInstance(),
			Reconcile: 30 * time.Second,
		},
		Scheduling: instance.SchedulingSettings{
			// Attempts are processes of this machine, in checkouts of the models' commits.
			Executor: func(_ string, logs *tasklog.Dir, logger *slog.Logger) (executor.Executor, error) {
				return instance.OpenProcesses(h.dir, work, logs, logger)
			},
			Workspaces: work,
			Poll:       10 * time.Second,
		},
		Pods: instance.AnyInstance(),
	}
}

func (h *home) greet(w io.Writer, url, defaultServer string) {
	rel := h.dir
	if cwd, err := os.Getwd(); err == nil {
		if r, err := filepath.Rel(cwd, h.dir); err == nil {
			rel = r
		}
	}
	server := "" // which the client asks unless it is told otherwise
	if url != defaultServer {
		server = " --server " + url
	}
	fmt.Fprintf(w, `dagwright dev is running. Ctrl-C ends it.

  Pages     %[1]s
  Models    %[2]s/models/churn-model.git and fraud-model.git
  DAGs      %[2]s/%[3]s
  Webhook   %[1]s/hooks/gitlab (secret in %[2]s/webhook-secret)

Try next, in another terminal:

  git clone %[2]s/models/churn-model.git && cd churn-model
  # edit main.py or .dagwright.yml, commit, then:
  git push origin HEAD:main        # a new version of the DAG churn-model
  git push origin HEAD:retrain     # ... and of churn-model-retrain

  dagwright dags trigger churn-model --conf '{"SCORING_DATE": "2026-01-31"}' --wait%[4]s
  dagwright logs churn-model -f%[4]s

`, url, rel, DAGRepository, server)
}
