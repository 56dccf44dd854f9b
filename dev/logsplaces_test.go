package dev

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"dagwright/dag"
	"dagwright/instance"
	"dagwright/store"
	"dagwright/store/storetest"
	"dagwright/tasklog"
)

// runApp starts what is a process of an instance except for the process.
func runApp(ctx context.Context, t *testing.T, g *errgroup.Group, s instance.Settings) *instance.Instance {
	t.Helper()
	a, err := instance.Open(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	g.Go(func() error { return errors.Join(a.Run(ctx), a.Close()) })
	return a
}

// TestLogsOfTwoProcesses runs a model in one process and follows its log in
// another that shares only the database and a bucket, then loses the first
// one's folder of logs.
func TestLogsOfTwoProcesses(t *testing.T) {
	t.Parallel()
	bucket := "file://" + t.TempDir()
	h, err := openHome(filepath.Join(t.TempDir(), "dev"))
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	writer := h.settings("127.0.0.1:0", slog.New(slog.DiscardHandler))
	writer.Logs.Bucket = bucket
	writer.Database = dag.NewSecret(storetest.Postgres(t)) // SQLite is for one process
	pages := writer
	pages.Components, pages.Logs.Dir = []string{"ui"}, t.TempDir()

	ctx, stop := context.WithCancel(t.Context())
	g, ctx := errgroup.WithContext(ctx)
	a, b := runApp(ctx, t, g, writer), runApp(ctx, t, g, pages)
	if err := h.writeListen(a.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if err := h.pushExamples(ctx); err != nil {
		t.Fatal(err)
	}
	changes := a.Store().Subscribe()
	defer changes.Close()
	await := func(done func() bool) {
		for !done() {
			select {
			case <-changes.C:
			case <-ctx.Done():
				t.Fatal("the instance ended: ", g.Wait())
			}
		}
	}
	await(func() bool {
		_, err := a.Store().TriggerRun(ctx, store.Trigger{DAG: "churn-model", Run: "r", By: store.Actor{Via: "test"}})
		return err == nil
	})
	await(func() bool {
		task, err := a.Store().TaskInstance(ctx, "churn-model", "r", "run_model")
		return err == nil && task.Try == 1
	})
	const path = "/api/v2/dags/churn-model/dagRuns/r/taskInstances/run_model/logs/1"
	followed := getText(t, b.URL()+path+"?follow=true")
	if !strings.Contains(followed, "score") {
		t.Errorf("the log that was followed: %s", followed)
	}
	await(func() bool {
		run, err := a.Store().Run(ctx, "churn-model", "r")
		return err == nil && run.State.Ended()
	})
	wantMoved(t, getText(t, a.URL()+"/metrics"))
	stop()
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := os.RemoveAll(writer.Logs.Dir); err != nil {
		t.Fatal(err)
	}
	logs, err := tasklog.Open(writer.Logs)
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	var kept []string
	err = logs.Follow(t.Context(), dag.AttemptKey{DAG: "churn-model", Run: "r", Task: "run_model", Try: 1}, 0,
		func(_ int64, text []byte) error {
			kept = append(kept, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")...)
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(followed) {
		var l struct {
			Event string `json:"event"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l.Event)
	}
	if diff := cmp.Diff(kept, lines); diff != "" {
		t.Errorf("the log in the bucket and the one that was followed (-want +got):\n%s", diff)
	}
}

// wantMoved wants a run to have moved the metrics of what it went through.
func wantMoved(t *testing.T, text string) {
	t.Helper()
	for _, name := range []string{
		`dagwright_hooks_total{answer="accepted"}`, `dagwright_pushes_handled_total{state="rendered"}`,
		`dagwright_syncs_total{outcome="done"}`, "dagwright_sync_duration_seconds_count",
		`dagwright_scheduler_steps_total{outcome="done"}`, "dagwright_scheduler_heartbeat_timestamp_seconds",
		"dagwright_scheduler_last_commit_timestamp_seconds", "dagwright_run_start_delay_seconds_count",
		"dagwright_attempt_start_delay_seconds_count", "dagwright_pod_start_seconds_count",
		`dagwright_git_operations_total{operation="fetch",outcome="done"}`,
		`dagwright_git_operations_total{operation="push",outcome="done"}`,
		`dagwright_database_transactions_total{kind="write",outcome="done"}`, "dagwright_scheduler_slots",
		"dagwright_log_disk_free_bytes", "dagwright_feed_subscribers", `dagwright_dags{state="paused"}`,
	} {
		_, rest, found := strings.Cut(text, "\n"+name+" ")
		value, _, _ := strings.Cut(rest, "\n")
		if !found || value == "0" {
			t.Errorf("%s: got %q, want more than 0", name, value)
		}
	}
}

func getText(t *testing.T, address string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", address, resp.Status, text, err)
	}
	return string(text)
}
