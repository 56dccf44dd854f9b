package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/store"
)

// BenchmarkRecordPush records pushes as hooks do, new ones and repeats, while the
// generator writes down the results of a fleet. It reports the slow end of what a
// hook waits for.
func BenchmarkRecordPush(b *testing.B) {
	benchBoth(b, func(b *testing.B, dsn string) {
		s := benchStore(b, dsn, 10)
		known := store.Push{ProjectID: 1, Project: "g/known", Branch: "main", Commit: "c1"}
		id, _, err := s.RecordPush(b.Context(), known)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.FinishPushes(b.Context(), []store.PushResult{{ID: id, State: store.PushRendered}}); err != nil {
			b.Fatal(err)
		}
		b.Run("repeat", func(b *testing.B) {
			recordBeside(b, s, func(int) store.Push { return known })
		})
		b.Run("new", func(b *testing.B) {
			start := time.Now().UnixNano()
			recordBeside(b, s, func(i int) store.Push {
				return store.Push{ProjectID: start + int64(i), Project: "g/new", Branch: "main", Commit: "c1"}
			})
		})
	})
}

// recordBeside records pushes one after the other while results are written.
func recordBeside(b *testing.B, s *store.Store, push func(i int) store.Push) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	var writer sync.WaitGroup
	writer.Go(func() { writeResults(ctx, b, s) })
	took := make([]time.Duration, b.N)
	b.ResetTimer()
	for i := range took {
		began := time.Now()
		if _, _, err := s.RecordPush(b.Context(), push(i)); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	b.StopTimer()
	cancel()
	writer.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
}

// writeResults writes the provenance of a fleet again and again.
func writeResults(ctx context.Context, b *testing.B, s *store.Store) {
	for round := 0; ctx.Err() == nil; round++ {
		var results []store.PushResult
		for i := range 500 {
			id, _, err := s.RecordPush(ctx,
				store.Push{ProjectID: int64(1000 + i), Project: "g/fleet", Branch: "main", Commit: fmt.Sprint(round)})
			if err != nil {
				return // the end
			}
			spec := store.Spec{DAG: dag.ID(fmt.Sprintf("fleet-%d", i)), ProjectID: int64(1000 + i),
				Content: strings.Repeat("x", 2000)}
			results = append(results, store.PushResult{ID: id, State: store.PushRendered, Specs: []store.Spec{spec}})
		}
		if err := s.FinishPushes(ctx, results); err != nil && ctx.Err() == nil {
			b.Error(err)
		}
	}
}
