package dev

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sync/errgroup"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/instance"
	"dagwright/store"
	"dagwright/store/storetest"
	"dagwright/tasklog"
)

// TestSecondProcessStandsBy runs two whole processes on one database, with data folders of
// their own. One schedules and renders; the other one serves meanwhile and takes over when
// the first has ended. No task runs twice.
func TestSecondProcessStandsBy(t *testing.T) {
	t.Parallel()
	h, err := openHome(filepath.Join(t.TempDir(), "dev"))
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	first := h.settings("127.0.0.1:0", slog.New(slog.DiscardHandler))
	first.Database = dag.NewSecret(storetest.Postgres(t))
	second, folder := first, t.TempDir()
	second.DAGs.CloneDir, second.Logs.Dir = filepath.Join(folder, "clones"), filepath.Join(folder, "logs")
	second.Scheduling.Executor = func(_ string, logs *tasklog.Dir, l *slog.Logger) (executor.Executor, error) {
		return instance.OpenProcesses(folder, first.Scheduling.Workspaces, logs, l)
	}
	ctxA, stopA := context.WithCancel(t.Context())
	ctxB, stopB := context.WithCancel(t.Context())
	defer stopB()
	gA, ctxA := errgroup.WithContext(ctxA)
	gB, ctxB := errgroup.WithContext(ctxB)
	a := runApp(ctxA, t, gA, first)
	if err := h.writeListen(a.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if err := h.pushExamples(ctxA); err != nil {
		t.Fatal(err)
	}
	runToEnd(ctxA, t, a.Store(), "r1")

	b := runApp(ctxB, t, gB, second)
	runToEnd(ctxB, t, b.Store(), "r2")
	if journal, err := os.ReadFile(filepath.Join(folder, "attempts", "journal")); err == nil && len(journal) > 0 {
		t.Errorf("the process that stands by started attempts:\n%s", journal)
	}
	stopA()
	if err := gA.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	runToEnd(ctxB, t, b.Store(), "r3")
	for _, run := range []dag.RunID{"r1", "r2", "r3"} {
		task, err := b.Store().TaskInstance(ctxB, "churn-model", run, "run_model")
		if err != nil || task.Try != 1 || task.Lost != 0 {
			t.Errorf("run %s: try %d, lost %d, %v; want one try", run, task.Try, task.Lost, err)
		}
	}
	stopB()
	if err := gB.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// runToEnd triggers a run of the example model as soon as its DAG is there, and waits for
// the run's success.
func runToEnd(ctx context.Context, t *testing.T, s *store.Store, id dag.RunID) {
	t.Helper()
	changes := s.Subscribe()
	defer changes.Close()
	triggered := false
	for {
		if !triggered {
			_, err := s.TriggerRun(ctx, store.Trigger{DAG: "churn-model", Run: id, By: store.Actor{Via: "test"}})
			triggered = err == nil
		} else if run, err := s.Run(ctx, "churn-model", id); err == nil && run.State.Ended() {
			if run.State != dag.RunSuccess {
				t.Fatalf("run %s ended as %s", id, run.State)
			}
			return
		}
		select {
		case <-changes.C:
		case <-ctx.Done():
			t.Fatalf("the process ended while run %s was awaited", id)
		}
	}
}
