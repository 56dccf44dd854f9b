package main

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

	"github.com/spf13/cobra"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/generator"
	"dagwright/gitrepo"
	"dagwright/store"
	"dagwright/tasklog"
)

// devFlags are the flags of "dagwright dev".
type devFlags struct {
	dir, listen, logLevel string
}

func newDevCommand() *cobra.Command {
	var f devFlags
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run all of dagwright on this machine, with two example models",
		Long: `Run all of dagwright on this machine: a bare DAG repository, two example model
repositories that send push events like GitLab, the webhook, the generator, the
scheduler with local processes, and the pages. It needs git and python3 and nothing
else. Everything is kept under --dir; delete that folder to start over. Ctrl-C ends
it, and so does closing the terminal; when started again, it carries on where it
left off.`,
		Example: `  dagwright dev
  git clone .dagwright/models/churn-model.git   # edit, commit, push: a new DAG version`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDev(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&f.dir, "dir", "./.dagwright", "folder for repositories, database and logs")
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8080", "address of the pages, the API and the webhook; port 0 takes a free one")
	cmd.Flags().StringVar(&f.logLevel, "log-level", "warn", "debug, info, warn or error")
	return cmd
}

func runDev(ctx context.Context, f devFlags, out, errOut io.Writer) error {
	logger, err := newLogger(errOut, f.logLevel)
	if err != nil {
		return err
	}
	if !loopbackAddress(f.listen) {
		return usageError{fmt.Errorf("--listen %s: want an address of this machine's loopback, such as 127.0.0.1:8080: "+
			"dev asks nobody who they are; others reach an instance of \"dagwright serve\"", f.listen)}
	}
	// A terminal that is closed ends it like Ctrl-C.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	// The address comes first: where it is taken, nothing is made in the folder.
	l, err := listen(ctx, f.listen)
	if err != nil {
		return addressHint(err, "choose another with --listen, such as --listen 127.0.0.1:8081, or port 0 for a free one")
	}
	syscall.Umask(privateUmask)
	home, err := openHome(f.dir) //nolint:contextcheck // git init takes no time and is not broken off half way
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer home.close()
	s := home.settings(f.listen, logger)
	s.Listener = l
	a, err := openApp(ctx, s)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer func() {
		if err := a.close(); err != nil {
			logger.Error("close", "err", err)
		}
	}()
	if err := home.writeListen(a.listener.Addr().String()); err != nil {
		return err
	}
	// The examples are pushed through the webhook, which answers only while
	// the server runs; should that fail, the reconciler finds them.
	go func() {
		changes := a.store.Subscribe()
		defer changes.Close()
		if err := home.pushExamples(ctx); err != nil && ctx.Err() == nil {
			logger.Error("push the example models", "err", err)
		}
		awaitExamples(ctx, a.store, changes)
		if ctx.Err() == nil {
			home.greet(out, a.url())
		}
	}()
	return a.run(ctx)
}

// examplesPatience is how long the greeting waits for the DAGs that it tells of. They
// take a second or two; who breaks one is greeted all the same.
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

// devHome is the folder of "dagwright dev".
type devHome struct {
	dir    string
	lock   *fileLock
	secret string
}

// openHome makes what is missing in the folder and locks it, since two
// instances on one folder would run everything twice.
func openHome(dir string) (*devHome, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := makePrivate(abs); err != nil {
		return nil, fmt.Errorf("make --dir: %w", err)
	}
	h := &devHome{dir: abs}
	if err := h.takeLock(); err != nil {
		return nil, err
	}
	if err := h.prepare(); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *devHome) path(elem ...string) string {
	return filepath.Join(append([]string{h.dir}, elem...)...)
}

// takeLock locks the folder.
func (h *devHome) takeLock() (err error) {
	h.lock, err = lockFile(h.path("lock"))
	if errors.Is(err, errLocked) {
		return fmt.Errorf("another dagwright dev is running on %s (%w); stop it or choose another --dir", h.dir, err)
	}
	return err
}

// close gives up the folder. The lock also ends with the process.
func (h *devHome) close() {
	if h.lock != nil {
		_ = h.lock.close()
	}
}

func (h *devHome) prepare() error {
	if err := h.readSecret(); err != nil {
		return err
	}
	if err := h.linkPython(); err != nil {
		return err
	}
	return h.prepareRepositories()
}

func (h *devHome) writeListen(addr string) error {
	return os.WriteFile(h.path("listen"), []byte(addr+"\n"), 0o600)
}

func (h *devHome) settings(listen string, logger *slog.Logger) settings {
	work := &workspaces{root: h.dir, clone: h.modelClone}
	return settings{
		Listen: listen, Environment: "DEV", Components: components, Logger: logger,
		Database: dag.NewSecret("sqlite:" + h.path("dagwright.db")),
		Logs:     tasklog.Config{Dir: h.path("logs")},
		CloneDir: h.path("clones"),

		DAGRepo:    gitrepo.Config{URL: h.path(dagRepository), Branch: "main"},
		DAGProject: dagProject,
		Secrets:    []dag.Secret{dag.NewSecret(h.secret)},

		Models:    localModels{h},
		Projects:  func(context.Context) ([]generator.Project, error) { return exampleProjects(), nil },
		Instance:  defaultInstance(),
		Reconcile: 30 * time.Second,
		Pods:      anyInstance(),

		// Attempts are processes of this machine, in checkouts of the models' commits.
		Executor: func(logs *tasklog.Dir, logger *slog.Logger) (executor.Executor, error) {
			return openProcesses(h.dir, work, logs, logger)
		},
		Workspaces: work,
		Poll:       10 * time.Second,
	}
}

func (h *devHome) greet(w io.Writer, url string) {
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

`, url, rel, dagRepository, server)
}
