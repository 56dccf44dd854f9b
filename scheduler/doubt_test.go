package scheduler

import (
	"fmt"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/store/storetest"
)

// TestAnswerToStepIsLost loses the answer to one COMMIT of the scheduler after the
// other. Whatever it had decided, each task runs, and no task runs twice.
func TestAnswerToStepIsLost(t *testing.T) {
	t.Parallel()
	dsn := storetest.Postgres(t)
	proxy := storetest.NewProxy(t, dsn)
	w := newWorldOn(t, t.TempDir(), proxy.DSN())
	direct := storetest.Open(t, store.Config{DSN: dsn})
	w.recheck = time.Hour // so that nothing but the doubt itself starts what is left
	w.up()
	w.commit(map[string]string{"dags/d.yaml": shell("d", "", "echo one", "echo two")})
	w.awaitDAG("d")
	for pass := range 5 {
		swallowed := proxy.SwallowCommit(pass)
		run, err := direct.TriggerRun(t.Context(), store.Trigger{DAG: "d", By: store.Actor{User: "ada", Via: "ui"}})
		if err != nil {
			t.Fatal(err)
		}
		w.awaitRun("d", run.ID, dag.RunSuccess)
		if err := w.store.WantSync(t.Context()); err != nil && pass < 4 { // takes a trap that is left
			t.Logf("commit %d: %v", pass, err)
		}
		<-swallowed
		for _, task := range []dag.TaskID{"t1", "t2"} {
			tries, err := direct.Tries(t.Context(), "d", run.ID, task)
			if err != nil || len(tries) != 1 {
				t.Errorf("commit %d: task %s had %d tries (%v), want one", pass, task, len(tries), err)
			}
		}
	}
}

// TestAnswerToStopIsLost loses the answer to one COMMIT after the other of the steps that
// carry out what somebody did to a task that runs. No attempt goes on for it.
func TestAnswerToStopIsLost(t *testing.T) {
	t.Parallel()
	dsn := storetest.Postgres(t)
	proxy := storetest.NewProxy(t, dsn)
	w := newWorldOn(t, t.TempDir(), proxy.DSN())
	direct := storetest.Open(t, store.Config{DSN: dsn})
	w.recheck = time.Hour // so that nothing but the doubt itself heals
	w.up()
	w.commit(map[string]string{"dags/d.yaml": shell("d", "",
		`[ "$AIRFLOW_CTX_TRY_NUMBER" = 1 ] || exit 0; exec sleep 600`)})
	w.awaitDAG("d")
	ada := store.Actor{User: "ada", Via: "ui"}
	for _, act := range []struct {
		name string
		do   func(k dag.AttemptKey) error
		run  dag.RunState
		task dag.TaskState
	}{
		{"cancel", func(k dag.AttemptKey) error { return direct.CancelTask(t.Context(), ada, k) }, dag.RunFailed,
			dag.TaskFailed},
		{"mark", func(k dag.AttemptKey) error { return direct.MarkTask(t.Context(), ada, k, dag.TaskSuccess) },
			dag.RunSuccess, dag.TaskSuccess},
		{"clear", func(k dag.AttemptKey) error {
			_, err := direct.ClearTasks(t.Context(), store.Clear{DAG: k.DAG, Run: k.Run, By: ada})
			return err
		}, dag.RunSuccess, dag.TaskSuccess},
		{"end the run", func(k dag.AttemptKey) error {
			return direct.SetRunState(t.Context(), ada, k.DAG, k.Run, dag.RunFailed)
		}, dag.RunFailed, dag.TaskFailed},
	} {
		for pass := range 3 {
			run := w.trigger("d", nil)
			w.awaitTask("d", run, "t1", dag.TaskRunning)
			proxy.SwallowCommit(pass)
			if err := act.do(dag.AttemptKey{DAG: "d", Run: run, Task: "t1"}); err != nil {
				t.Fatalf("%s: %v", act.name, err)
			}
			w.awaitRun("d", run, act.run)
			w.awaitTask("d", run, "t1", act.task)
		}
	}
}

// TestLostNotification triggers through a store whose changes the scheduler does not
// hear of.
func TestLostNotification(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recheck = 50 * time.Millisecond
	w.up()
	w.commit(map[string]string{"dags/d.yaml": shell("d", "", "true")})
	w.awaitDAG("d")
	deaf := w.open()
	run, err := deaf.TriggerRun(t.Context(), store.Trigger{DAG: "d"})
	if err != nil {
		t.Fatal(err)
	}
	if err := deaf.Close(); err != nil {
		t.Fatal(err)
	}
	w.awaitRun("d", run.ID, dag.RunSuccess)
}

// TestAttemptThatNobodyStarted decides a task behind the scheduler's back. It can be
// cancelled, cleared, ended with its run, and is started when the scheduler looks.
func TestAttemptThatNobodyStarted(t *testing.T) {
	t.Parallel()
	ada := store.Actor{User: "ada", Via: "ui"}
	tests := []struct {
		name    string
		recheck time.Duration
		act     func(*world, dag.RunID) error
		run     dag.RunState
		task    dag.TaskState
	}{
		{"cancel", time.Hour, func(w *world, run dag.RunID) error {
			return w.store.CancelTask(w.t.Context(), ada, dag.AttemptKey{DAG: "d", Run: run, Task: "t1"})
		}, dag.RunFailed, dag.TaskFailed},
		{"clear", time.Hour, func(w *world, run dag.RunID) error {
			_, err := w.store.ClearTasks(w.t.Context(), store.Clear{DAG: "d", Run: run, By: ada})
			return err
		}, dag.RunSuccess, dag.TaskSuccess},
		{"end the run", time.Hour, func(w *world, run dag.RunID) error {
			return w.store.SetRunState(w.t.Context(), ada, "d", run, dag.RunFailed)
		}, dag.RunFailed, dag.TaskFailed},
		{"look", 50 * time.Millisecond, func(*world, dag.RunID) error { return nil }, dag.RunSuccess, dag.TaskSuccess},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.recheck = test.recheck
			w.up()
			w.commit(map[string]string{"dags/d.yaml": shell("d", "", "true")})
			w.awaitDAG("d")
			run := w.queueUnstarted("d")
			if err := test.act(w, run); err != nil {
				t.Fatal(err)
			}
			w.awaitRun("d", run, test.run)
			w.awaitTask("d", run, "t1", test.task)
		})
	}
}

// queueUnstarted makes a running run whose first task is queued, of which the scheduler
// of this world hears nothing. A run that the scheduler finds before its task is queued
// goes its own way, and another is made.
func (w *world) queueUnstarted(id dag.ID) dag.RunID {
	w.t.Helper()
	deaf := w.open()
	var found dag.RunID
	w.until(func() string {
		run, err := deaf.TriggerRun(w.t.Context(), store.Trigger{DAG: id})
		if err != nil {
			return err.Error()
		}
		ti := dag.TaskInstance{DAG: id, Run: run.ID, Task: "t1", State: dag.TaskQueued, Try: 1, MaxTries: 1,
			QueuedAt: time.Now()}
		applied, err := deaf.Advance(w.t.Context(), []dag.ID{id}, func(store.Snapshot) []store.Action {
			return []store.Action{store.StartRun{DAG: id, Run: run.ID, At: time.Now(), Tasks: []dag.TaskInstance{ti}}}
		})
		if err != nil || len(applied) != 1 {
			return fmt.Sprintf("%d actions were applied: %v", len(applied), err)
		}
		found = run.ID
		return ""
	})
	if err := deaf.Close(); err != nil {
		w.t.Fatal(err)
	}
	return found
}
