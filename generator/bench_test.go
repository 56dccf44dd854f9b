package generator_test

import (
	"context"
	"crypto/sha1" //nolint:gosec // git's own hash
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/gitrepo"
	"dagwright/store"
	"dagwright/store/storetest"
	"dagwright/templates"
)

// memoryModels are models that say nothing, so that a benchmark measures the
// generator and not a GitLab.
type memoryModels struct{ heads map[string]string }

var _ generator.Models = memoryModels{}

func (m memoryModels) BranchHead(_ context.Context, project, _ string) (string, error) {
	return m.heads[project], nil
}

func (m memoryModels) ReadFile(context.Context, string, string, string) ([]byte, error) {
	return nil, dag.ErrNotFound
}

func (m memoryModels) RootNames(context.Context, string, string) ([]string, error) { return nil, nil }

func (m memoryModels) HasFolder(context.Context, string, string, string) (bool, error) {
	return true, nil
}

func (m memoryModels) ChangedPaths(context.Context, string, string, string) ([]string, bool, error) {
	return nil, false, nil
}

func (m memoryModels) CommitMessage(context.Context, string, string) (string, error) {
	return "", nil
}

func hashOf(text string) string {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // git's own hash
	return hex.EncodeToString(sum[:])
}

// fleet is a generator with many models whose DAGs are in a DAG repository.
type fleet struct {
	*testing.B
	store  *store.Store
	models memoryModels
	ids    []dag.ID
}

func newFleet(b *testing.B, size int) *fleet {
	b.Helper()
	f := &fleet{B: b, store: storetest.Open(b, store.Config{DSN: "sqlite:" + filepath.Join(b.TempDir(), "bench.db")}),
		models: memoryModels{map[string]string{}}}
	dags := filepath.Join(b.TempDir(), "dags.git")
	if _, err := runGit(b.Context(), "", "init", "--quiet", "--bare", "--initial-branch=main", dags); err != nil {
		b.Fatal(err)
	}
	repo, err := gitrepo.Open(gitrepo.Config{URL: dags, Dir: filepath.Join(b.TempDir(), "clone.git")})
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	set, err := templates.Load(os.DirFS(dir))
	if err != nil {
		b.Fatal(err)
	}
	g := generator.New(generator.Config{
		Store: f.store, Repo: repo, Models: f.models, Templates: set, Instance: generator.DefaultInstance(),
		Logger: slog.New(slog.DiscardHandler), Reconcile: time.Hour,
	})
	for i := range size {
		f.commit(i, "1")
		f.ids = append(f.ids, dag.ID(fmt.Sprintf("model-%05d", i)))
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	for i := range size {
		f.push(i)
	}
	go func() { ended <- g.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	f.idle()
	return f
}

func (f *fleet) path(i int) string { return fmt.Sprintf("gbc/team%02d/model-%05d", i%50, i) }

// commit moves the head of a model's branch.
func (f *fleet) commit(i int, text string) {
	f.models.heads[fmt.Sprint(i+1)] = hashOf(fmt.Sprint(i, text))
}

func (f *fleet) push(i int) {
	f.Helper()
	_, _, err := f.store.RecordPush(f.Context(),
		store.Push{ProjectID: int64(i + 1), Project: f.path(i), Branch: "main", Commit: f.models.heads[fmt.Sprint(i+1)]})
	if err != nil {
		f.Fatal(err)
	}
}

// idle waits until no push is pending.
func (f *fleet) idle() {
	f.Helper()
	changes := f.store.Subscribe()
	defer changes.Close()
	for {
		pending, err := f.store.PendingPushes(f.Context(), time.Now(), 1)
		if err != nil {
			f.Fatal(err)
		}
		if len(pending) == 0 {
			return
		}
		select {
		case <-changes.C:
		case <-changes.Lagged:
		}
		for len(changes.C) > 0 {
			<-changes.C
		}
	}
}

// BenchmarkFleet renders 1,000 models again, each at a new commit, into one push.
func BenchmarkFleet(b *testing.B) {
	const size = 1000
	f := newFleet(b, size)
	n := 1
	for b.Loop() {
		n++
		for i := range size {
			f.commit(i, fmt.Sprint(n))
		}
		if _, err := f.store.RerenderPushes(b.Context(), store.Actor{User: "bench"}, f.ids, store.ViaRerender); err != nil {
			b.Fatal(err)
		}
		f.idle()
	}
}

// BenchmarkPush takes one push to its commit in a DAG repository of 10,000 specs,
// in 50 folders, and tells the 95th percentile.
func BenchmarkPush(b *testing.B) {
	const size = 10_000
	f := newFleet(b, size)
	var took []time.Duration
	n := 0
	for b.Loop() {
		n++
		i := n % size
		f.commit(i, fmt.Sprint("push", n))
		start := time.Now()
		f.push(i)
		f.idle()
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*95/100].Milliseconds()), "p95-ms")
}
