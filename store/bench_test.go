package store_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/store"
)

func benchBoth(b *testing.B, bench func(b *testing.B, dsn string)) {
	b.Helper()
	for _, name := range []string{"SQLite", "PostgreSQL"} {
		b.Run(name, func(b *testing.B) { bench(b, databases()[name](b)) })
	}
}

// BenchmarkTrigger asks for runs, from one client and from 32 at once.
func BenchmarkTrigger(b *testing.B) {
	benchBoth(b, func(b *testing.B, dsn string) {
		s := benchStore(b, dsn, 10)
		for _, clients := range []int{1, 32} {
			b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
				eachClient(b, clients, func(i int) error {
					_, err := s.TriggerRun(b.Context(), store.Trigger{DAG: benchID(i % 10)})
					return err
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
			})
		}
	})
}

// eachClient does b.N things from several goroutines.
func eachClient(b *testing.B, clients int, do func(i int) error) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range b.N {
		next <- i
	}
	close(next)
	wg.Wait()
}

// BenchmarkAdvance takes one-task runs through their whole life as a busy
// scheduler does: triggered by others, started, running, ended, each a durable
// transaction that serves whatever is due.
func BenchmarkAdvance(b *testing.B) {
	benchBoth(b, func(b *testing.B, dsn string) {
		const dags = 20
		s := benchStore(b, dsn, dags)
		var ids []dag.ID
		for i := range dags {
			ids = append(ids, benchID(i))
		}
		b.ResetTimer()
		begun := ownCPU(b)
		var wg sync.WaitGroup
		wg.Go(func() {
			eachClient(b, 8, func(i int) error {
				_, err := s.TriggerRun(b.Context(), store.Trigger{DAG: benchID(i % dags)})
				return err
			})
		})
		steps := 0
		for ended := 0; ended < b.N; steps++ {
			applied, err := s.Advance(b.Context(), ids, threeSteps)
			if err != nil {
				b.Fatal(err)
			}
			for _, a := range applied {
				if _, ok := a.(store.EndRun); ok {
					ended++
				}
			}
		}
		wg.Wait()
		reportCPU(b, begun, "run")
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
		b.ReportMetric(float64(b.N)/float64(steps), "runs/step")
	})
}

// threeSteps moves each run of a snapshot one step on: queued with its task,
// running, ended.
func threeSteps(s store.Snapshot) []store.Action {
	var actions []store.Action
	now := time.Now()
	for _, d := range s.DAGs {
		for _, r := range d.Runs {
			if r.State == dag.RunQueued {
				ti := dag.TaskInstance{DAG: r.DAG, Run: r.ID, Task: "t", State: dag.TaskQueued, Try: 1, MaxTries: 1, QueuedAt: now}
				actions = append(actions, store.StartRun{DAG: r.DAG, Run: r.ID, At: now, Tasks: []dag.TaskInstance{ti}})
				continue
			}
			u := store.UpdateTask{From: r.Tasks[0].State, FromTry: 1, Task: r.Tasks[0]}
			if u.From == dag.TaskQueued {
				u.Task.State, u.Task.StartedAt = dag.TaskRunning, now
				actions = append(actions, u)
				continue
			}
			u.Task.State, u.Task.EndedAt = dag.TaskSuccess, now
			actions = append(actions, u,
				store.EndRun{DAG: r.DAG, Run: r.ID, From: dag.RunRunning, State: dag.RunSuccess, At: now})
		}
	}
	return actions
}

func benchID(i int) dag.ID { return dag.ID(fmt.Sprintf("bench-%05d", i)) }

func benchStore(b *testing.B, dsn string, dags int) *store.Store {
	b.Helper()
	s := openStore(b, dsn)
	b.Cleanup(func() { closeStore(b, s) })
	saveBenchDAGs(b, s, dags)
	return s
}

func saveBenchDAGs(b *testing.B, s *store.Store, dags int) {
	b.Helper()
	sync := store.Sync{Commit: "c"}
	for i := range dags {
		d := &dag.DAG{
			ID: benchID(i), Owner: fmt.Sprintf("team-%d", i%20), Tags: []string{"scoring", fmt.Sprintf("tag-%d", i%50)},
			MaxActiveRuns: 16, MaxActiveTasks: 16, Tasks: []dag.Task{{ID: "t", Image: "registry.example.com/x:abc"}},
		}
		sync.Changed = append(sync.Changed,
			store.SpecFile{Path: fmt.Sprintf("dags/gbc/team-%d/%s.yaml", i%20, d.ID), Blob: "b",
				Source: "source of " + string(d.ID), DAGs: []*dag.DAG{d}})
	}
	if _, err := s.SaveDAGs(context.Background(), sync); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSaveDAGs takes 1,000 new spec files over in one sync.
func BenchmarkSaveDAGs(b *testing.B) {
	benchBoth(b, func(b *testing.B, dsn string) {
		for range b.N {
			b.StopTimer()
			s := openStore(b, dsn)
			b.StartTimer()
			saveBenchDAGs(b, s, 1000)
			b.StopTimer()
			if _, err := s.SaveDAGs(b.Context(), store.Sync{}); err != nil {
				b.Fatal(err)
			}
			closeStore(b, s)
			dsn = databases()[map[bool]string{true: "SQLite", false: "PostgreSQL"}[dsn[0] == 's']](b)
			b.StartTimer()
		}
	})
}

// benchSize is the number of DAGs and of runs of the big database. The aim is
// 10,000 and 1,000,000; the default is small enough to be made in seconds.
func benchSize(b *testing.B) (dags, runs int) {
	b.Helper()
	read := func(name string, fallback int) int {
		n, err := strconv.Atoi(os.Getenv(name))
		if err != nil {
			return fallback
		}
		return n
	}
	return read("DAGWRIGHT_BENCH_DAGS", 1000), read("DAGWRIGHT_BENCH_RUNS", 20_000)
}

// bigStore is a store with many DAGs and runs.
func bigStore(b *testing.B, dsn string) *store.Store {
	b.Helper()
	dags, runs := benchSize(b)
	s := openStore(b, dsn)
	saveBenchDAGs(b, s, dags)
	closeStore(b, s)
	hour := int64(time.Hour / time.Microsecond)
	for _, statement := range []string{
		fmt.Sprintf(`WITH RECURSIVE n (i, t) AS (
				SELECT 0, CAST(1767225600000000 AS BIGINT) UNION ALL SELECT i + 1, t + %d FROM n WHERE i + 1 < %d)
			INSERT INTO dag_run (dag_id, run_id, run_type, state, version, logical_date, interval_start, interval_end,
				run_after, queued_at, start_date, end_date, conf, note, triggered_by, triggering_user)
			SELECT d.dag_id, 'scheduled__' || n.i, 'scheduled', CASE WHEN n.i %% 10 = 3 THEN 'failed' ELSE 'success' END, 1,
				n.t, n.t, n.t, n.t, n.t, n.t, n.t, '', '', 'timetable', ''
			FROM n CROSS JOIN dag d`, hour, runs/dags),
		`INSERT INTO task_instance (dag_run, task_id, state, try_number, max_tries, queued_at, start_date, end_date, retry_at,
				exit_code, has_exit_code, reason, hostname, pid)
			SELECT id, 't', state, 1, 1, run_after, run_after, run_after, 0, 0, 1, '', 'host', 1 FROM dag_run`,
		`INSERT INTO dag_run_count (dag_id, state, n) SELECT dag_id, state, COUNT(*) FROM dag_run GROUP BY dag_id, state`,
		`UPDATE dag SET last_run = (SELECT r.id FROM dag_run r WHERE r.dag_id = dag.dag_id ORDER BY r.run_after DESC, r.id DESC LIMIT 1)`,
		`UPDATE dag SET last_run_state = (SELECT r.state FROM dag_run r WHERE r.id = dag.last_run),
			last_run_after = (SELECT r.run_after FROM dag_run r WHERE r.id = dag.last_run)`,
	} {
		rawExec(b, dsn, statement)
	}
	if !strings.HasPrefix(dsn, "sqlite:") {
		rawExec(b, dsn, `ANALYZE`) // as the autovacuum does after a while
	}
	s = openStore(b, dsn)
	b.Cleanup(func() { closeStore(b, s) })
	return s
}

// BenchmarkBig reads a big database as the pages and a starting scheduler do.
func BenchmarkBig(b *testing.B) {
	benchBoth(b, func(b *testing.B, dsn string) {
		s := bigStore(b, dsn)
		middle, _, err := s.Runs(b.Context(), store.RunFilter{Offset: 5000, Limit: 1})
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range []struct {
			name string
			read func(ctx context.Context) error
		}{
			{"DAGsPage", func(ctx context.Context) error { return third(s.DAGs(ctx, store.DAGFilter{})) }},
			{"DAGsPage/search",
				func(ctx context.Context) error { return third(s.DAGs(ctx, store.DAGFilter{Search: "ch-007"})) }},
			{"DAGsPage/failed", func(ctx context.Context) error {
				return third(s.DAGs(ctx, store.DAGFilter{RunStates: []dag.RunState{dag.RunFailed}}))
			}},
			{"DAGsPage/by_next_run", func(ctx context.Context) error {
				return third(s.DAGs(ctx, store.DAGFilter{OrderBy: "next_dagrun_run_after"}))
			}},
			{"CountDAGs", func(ctx context.Context) error { _, err := s.CountDAGs(ctx, store.DAGFilter{}); return err }},
			{"RunsPage", func(ctx context.Context) error { return third(s.Runs(ctx, store.RunFilter{})) }},
			{"RunsPage/after",
				func(ctx context.Context) error { return third(s.Runs(ctx, store.RunFilter{After: &middle[0]})) }},
			{"RunsPage/one_DAG",
				func(ctx context.Context) error { return third(s.Runs(ctx, store.RunFilter{DAG: benchID(7)})) }},
			{"RunsPage/failed", func(ctx context.Context) error {
				return third(s.Runs(ctx, store.RunFilter{States: []dag.RunState{dag.RunFailed}}))
			}},
			{"RunsPage/one_DAG_failed", func(ctx context.Context) error {
				return third(s.Runs(ctx, store.RunFilter{DAG: benchID(7), States: []dag.RunState{dag.RunFailed}}))
			}},
			{"RunsPage/running", func(ctx context.Context) error {
				return third(s.Runs(ctx, store.RunFilter{States: []dag.RunState{dag.RunRunning}}))
			}},
			{"ActiveDAGs", func(ctx context.Context) error { _, err := s.ActiveDAGs(ctx); return err }},
			{"Snapshot", func(ctx context.Context) error {
				_, err := s.Advance(ctx, []dag.ID{benchID(7)}, func(store.Snapshot) []store.Action { return nil })
				return err
			}},
			{"Trigger", func(ctx context.Context) error {
				_, err := s.TriggerRun(ctx, store.Trigger{DAG: benchID(7)})
				return err
			}},
		} {
			b.Run(c.name, func(b *testing.B) {
				for range b.N {
					if err := c.read(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

// BenchmarkScope reads the big database as pages do for somebody who may see one
// team's DAGs, a twentieth of all, or one DAG of a team.
func BenchmarkScope(b *testing.B) {
	benchBoth(b, func(b *testing.B, dsn string) {
		s := bigStore(b, dsn)
		for _, scope := range []struct {
			name string
			store.Selection
		}{
			{"owner", store.Selection{Owners: []string{"team-7"}}},
			{"tag", store.Selection{Tags: []string{"tag-7"}}},
			{"group", store.Selection{Projects: []string{"gbc/team-7"}}},
			{"pattern", store.Selection{DAGs: []string{"bench-000*"}}},
			{"one", store.Selection{DAGs: []string{string(benchID(7))}}},
		} {
			ctx := store.WithScope(b.Context(), store.Scope{Any: []store.Selection{scope.Selection}})
			for _, c := range []struct {
				name string
				read func() error
			}{
				{"DAGsPage", func() error { return third(s.DAGs(ctx, store.DAGFilter{})) }},
				{"DAGsPage/search", func() error { return third(s.DAGs(ctx, store.DAGFilter{Search: "ch-007"})) }},
				{"CountDAGs", func() error { _, err := s.CountDAGs(ctx, store.DAGFilter{}); return err }},
				{"RunsPage", func() error { return third(s.Runs(ctx, store.RunFilter{})) }},
				{"RunsPage/failed", func() error {
					return third(s.Runs(ctx, store.RunFilter{States: []dag.RunState{dag.RunFailed}}))
				}},
				{"RunsPage/one_DAG", func() error { return third(s.Runs(ctx, store.RunFilter{DAG: benchID(7)})) }},
			} {
				b.Run(scope.name+"/"+c.name, func(b *testing.B) {
					for range b.N {
						if err := c.read(); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	})
}

func third[T any](_ []T, _ int, err error) error { return err }
