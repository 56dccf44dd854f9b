package storetest

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
)

// RunRevisions does every write of a store, beside another store of the same database
// that remembers the runs from before. A DAG of which something has changed that a step
// remembers must have another revision, and both stores show what a new one reads. open
// makes an empty database and returns what opens it.
func RunRevisions(t *testing.T, open func(t *testing.T) (dsn string)) {
	for _, w := range doubtfulWrites() {
		t.Run(w.method, func(t *testing.T) {
			t.Parallel()
			dsn := open(t)
			writer := fixture{T: t, Store: Open(t, store.Config{DSN: dsn, Now: Standing})}
			write := w.prepare(writer, makeTeam(writer, "risk", 1))
			reader := fixture{T: t, Store: Open(t, store.Config{DSN: dsn, Now: Standing})}
			ids := writer.allDAGs()
			for _, f := range []fixture{writer, reader} {
				f.snapshot(ids)
			}
			before := revisions(t, dsn)
			writer.ok(write(writer.ctx()))
			after := revisions(t, dsn)
			for id, then := range before {
				if now, ok := after[id]; ok && now.rev == then.rev && !slices.Equal(now.rows, then.rows) {
					t.Errorf("DAG %s has the revision that it had, though its runs are others:\n%s", id, cmp.Diff(then.rows, now.rows))
				}
			}
			checkMemory(t, dsn, writer.allDAGs(), writer, reader)
		})
	}
}

// checkMemory compares what stores show with what a new one reads.
func checkMemory(t *testing.T, dsn string, ids []dag.ID, stores ...fixture) {
	t.Helper()
	want := fixture{T: t, Store: Open(t, store.Config{DSN: dsn, Now: Standing})}.snapshot(ids)
	for i, f := range stores {
		diff := cmp.Diff(want, f.snapshot(ids), cmpopts.IgnoreFields(store.RunDetail{}, "Edition"), cmpopts.EquateErrors())
		if diff != "" {
			t.Fatalf("store %d remembers something else than is there (-there +remembered):\n%s", i, diff)
		}
	}
}

func (f fixture) snapshot(ids []dag.ID) (s store.Snapshot) {
	f.Helper()
	_, err := f.Advance(f.ctx(), ids, func(now store.Snapshot) []store.Action { s = now; return nil })
	f.ok(err)
	return s
}

func (f fixture) allDAGs() []dag.ID {
	f.Helper()
	rows, _, err := f.DAGs(f.ctx(), store.DAGFilter{Limit: 100, Archived: true})
	f.ok(err)
	return ids(rows)
}

// revision is a DAG's revision and what it stands for.
type revision struct {
	rev  string
	rows []string
}

func revisions(t *testing.T, dsn string) map[dag.ID]revision {
	t.Helper()
	driver := "pgx"
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, dsn = "sqlite", path
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found := map[dag.ID]revision{}
	for _, id := range texts(t, db, `SELECT dag_id FROM dag`) {
		where := ` WHERE r.dag_id = '` + id + `'`
		found[dag.ID(id)] = revision{
			rev: strings.Join(texts(t, db, `SELECT r.rev AS revision, r.dag_id FROM dag r`+where), ""),
			rows: slices.Concat(texts(t, db, `SELECT * FROM dag_run r`+where+` ORDER BY r.id`),
				texts(t, db, `SELECT t.* FROM task_instance t JOIN dag_run r ON r.id = t.dag_run`+where+` ORDER BY r.id, t.task_id`),
				texts(t, db, `SELECT * FROM backfill r`+where+` ORDER BY r.id`)),
		}
	}
	return found
}

// RunMemory lets two stores of one database change the same DAGs in random turns, and
// compares what they show with what a new store reads.
func RunMemory(t *testing.T, dsn string, steps int) {
	a := fixture{T: t, Store: Open(t, store.Config{DSN: dsn, Now: Standing})}
	b := fixture{T: t, Store: Open(t, store.Config{DSN: dsn, Now: Standing})}
	dags := []dag.ID{"a", "b", "c"}
	for _, id := range dags {
		a.define(id, "x", "y")
	}
	for seed := range uint64(4) {
		turns := rand.New(rand.NewPCG(seed, 0))
		for range steps {
			f := a
			if turns.IntN(4) == 0 {
				f = b
			}
			f.anyWrite(turns, dags[turns.IntN(len(dags))])
		}
		checkMemory(t, dsn, dags, a, b)
	}
}

// anyWrite does one write of those that change runs. A refusal is fine.
func (f fixture) anyWrite(turns *rand.Rand, id dag.ID) {
	f.Helper()
	var run dag.RunID
	runs, _, err := f.Runs(f.ctx(), store.RunFilter{DAG: id, Limit: 5})
	f.ok(err)
	if len(runs) > 0 {
		run = runs[turns.IntN(len(runs))].ID
	}
	key := dag.AttemptKey{DAG: id, Run: run, Task: "x"}
	ctx := context.WithoutCancel(f.ctx())
	switch n := turns.IntN(20); {
	case n < 5:
		f.trigger(id)
	case n < 6:
		_ = f.SetRunState(ctx, alice, id, run, dag.RunFailed)
	case n < 7:
		_ = f.MarkTask(ctx, alice, key, dag.TaskSuccess)
	case n < 8:
		_, _ = f.ClearTasks(ctx, store.Clear{DAG: id, Run: run, By: alice})
	case n < 9:
		_ = f.CancelTask(ctx, alice, key)
	case n < 10:
		_, _ = f.DeleteRun(ctx, alice, id, run)
	case n < 11:
		_ = f.SetRunNote(ctx, alice, id, run, "note")
	case n < 12:
		_, _ = f.CreateBackfill(ctx, store.BackfillRequest{DAG: id, Dates: days(2), Reprocess: store.ReprocessCompleted,
			MaxActiveRuns: 1, By: alice})
	default:
		_, err := f.Advance(ctx, []dag.ID{id, "a"}, func(s store.Snapshot) []store.Action { return anyStep(turns, s) })
		f.ok(err)
	}
}

// anyStep moves some of the runs of a snapshot on.
func anyStep(turns *rand.Rand, s store.Snapshot) (actions []store.Action) {
	for _, d := range s.DAGs {
		for _, r := range d.Runs {
			switch {
			case turns.IntN(3) == 0:
			case r.State == dag.RunQueued:
				start := store.StartRun{DAG: r.DAG, Run: r.ID, At: someTime}
				for _, task := range []dag.TaskID{"y", "x"} {
					start.Tasks = append(start.Tasks, dag.TaskInstance{DAG: r.DAG, Run: r.ID, Task: task, MaxTries: 2})
				}
				actions = append(actions, start)
				if turns.IntN(2) == 0 {
					actions = append(actions, nextOf(start.Tasks[1]))
				}
			default:
				for _, ti := range r.Tasks {
					if u := nextOf(ti); turns.IntN(2) == 0 {
						actions = append(actions, u, nextOf(u.Task))
					}
				}
				if r.State == dag.RunRunning && turns.IntN(4) == 0 {
					actions = append(actions, store.EndRun{DAG: r.DAG, Run: r.ID, From: r.State, State: dag.RunFailed, At: someTime,
						Reason: reason.New(reason.ExitCode, 4)})
				}
			}
		}
	}
	return actions
}

// nextOf moves a task instance on: it fails, is tried again and then a success.
func nextOf(ti dag.TaskInstance) store.UpdateTask {
	u := store.UpdateTask{From: ti.State, FromTry: ti.Try, Task: ti}
	switch ti.State {
	case dag.TaskNone, dag.TaskUpForRetry:
		u.Task.State, u.Task.QueuedAt = dag.TaskQueued, someTime
		u.Task.Try++
	case dag.TaskQueued:
		u.Task.State, u.Task.StartedAt = dag.TaskRunning, someTime
	case dag.TaskRunning:
		u.Task.State, u.Task.EndedAt, u.Task.Stopping, u.Task.Wish = dag.TaskSuccess, someTime, false, dag.WishNone
		if ti.Try == 1 {
			u.Task.State, u.Task.RetryAt, u.Task.Reason = dag.TaskUpForRetry, someTime, reason.New(reason.ExitCode, 3)
		}
	}
	return u
}
