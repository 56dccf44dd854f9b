package store_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/store"
)

// ownCPU is the processor time that this process has used.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// reportCPU tells the processor time of each of b.N things since begun.
func reportCPU(b *testing.B, begun time.Duration, of string) {
	b.Helper()
	b.ReportMetric(float64((ownCPU(b)-begun).Microseconds())/float64(b.N), "cpu-µs/"+of)
}

// BenchmarkActive takes one run of a DAG after the other through its life, beside others
// of the DAG that are under way.
func BenchmarkActive(b *testing.B) {
	benchBoth(b, func(b *testing.B, dsn string) {
		for _, active := range []int{0, 100, 1000} {
			b.Run(fmt.Sprintf("active=%d", active), func(b *testing.B) {
				s := benchStore(b, databases()[map[bool]string{true: "SQLite", false: "PostgreSQL"}[dsn[0] == 's']](b), 1)
				others := map[dag.RunID]bool{}
				startBenchRuns(b, s, active, others)
				b.ResetTimer()
				begun := ownCPU(b)
				for range b.N {
					oneLife(b, s, others)
				}
				reportCPU(b, begun, "run")
			})
		}
	})
}

// startBenchRuns starts runs of the first DAG that stay under way.
func startBenchRuns(b *testing.B, s *store.Store, n int, started map[dag.RunID]bool) {
	b.Helper()
	for range n {
		r, err := s.TriggerRun(b.Context(), store.Trigger{DAG: benchID(0)})
		if err != nil {
			b.Fatal(err)
		}
		started[r.ID] = true
	}
	for left := n; left > 0; {
		applied, err := s.Advance(b.Context(), []dag.ID{benchID(0)}, func(now store.Snapshot) (actions []store.Action) {
			for _, r := range now.DAGs[0].Runs {
				if r.State == dag.RunQueued {
					actions = append(actions, startBenchRun(r.Run))
				}
			}
			return actions
		})
		if err != nil {
			b.Fatal(err)
		}
		left -= len(applied)
	}
}

func startBenchRun(r dag.Run) store.StartRun {
	ti := dag.TaskInstance{DAG: r.DAG, Run: r.ID, Task: "t", State: dag.TaskQueued, Try: 1, MaxTries: 1}
	ti.QueuedAt = time.Now()
	return store.StartRun{DAG: r.DAG, Run: r.ID, At: time.Now(), Tasks: []dag.TaskInstance{ti}}
}

// oneLife triggers a run and takes it to its end in three steps.
func oneLife(b *testing.B, s *store.Store, others map[dag.RunID]bool) {
	b.Helper()
	if _, err := s.TriggerRun(b.Context(), store.Trigger{DAG: benchID(0)}); err != nil {
		b.Fatal(err)
	}
	for range 3 {
		_, err := s.Advance(b.Context(), []dag.ID{benchID(0)}, func(now store.Snapshot) []store.Action {
			d := &now.DAGs[0]
			for i := range d.Runs {
				if !others[d.Runs[i].ID] {
					d.Runs = d.Runs[i : i+1]
					return threeSteps(now)
				}
			}
			b.Error("the run is not in the snapshot")
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBurst makes the scheduled runs of many DAGs, a step for 200, and starts them.
func BenchmarkBurst(b *testing.B) {
	benchBoth(b, func(b *testing.B, dsn string) {
		const dags = 1000
		s := benchStore(b, dsn, dags)
		b.ResetTimer()
		begun := ownCPU(b)
		for i := range b.N {
			at := time.Unix(int64(1_700_000_000+60*i), 0)
			for first := 0; first < dags; first += 200 {
				burstStep(b, s, first, func(d store.DAGState) store.Action {
					return store.CreateRun{Run: dag.Run{DAG: d.DAG.ID, ID: dag.ScheduledRunID(at), Type: dag.RunScheduled,
						Version: 1, LogicalDate: at, RunAfter: at, QueuedAt: at},
						Next: store.NextRun{LogicalDate: at, RunAfter: at.Add(time.Minute)}}
				})
				burstStep(b, s, first, func(d store.DAGState) store.Action { return startBenchRun(d.Runs[len(d.Runs)-1].Run) })
			}
		}
		reportCPU(b, begun, "burst")
	})
}

func burstStep(b *testing.B, s *store.Store, first int, act func(store.DAGState) store.Action) {
	b.Helper()
	var ids []dag.ID
	for i := range 200 {
		ids = append(ids, benchID(first+i))
	}
	applied, err := s.Advance(b.Context(), ids, func(now store.Snapshot) (actions []store.Action) {
		for _, d := range now.DAGs {
			actions = append(actions, act(d))
		}
		return actions
	})
	if err != nil || len(applied) != len(ids) {
		b.Fatalf("%d actions took effect: %v", len(applied), err)
	}
}
