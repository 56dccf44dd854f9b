package scheduler

import (
	"database/sql"
	"fmt"
	"os"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/store"
)

// raw changes the world's database past the store, which is closed meanwhile.
func (w *world) raw(statements ...string) {
	w.t.Helper()
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
	db, err := sql.Open("sqlite", w.path("dagwright.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(w.t.Context(), s); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.store = w.open()
}

// open opens another store on the world's database.
func (w *world) open() *store.Store {
	w.t.Helper()
	s, err := store.Open(w.t.Context(), store.Config{DSN: "sqlite:" + w.path("dagwright.db")})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) awaitUnplanned(id dag.ID, want bool) {
	w.t.Helper()
	w.until(func() string {
		row, err := w.store.DAG(w.t.Context(), id)
		if err != nil || row.Unplanned != want {
			return fmt.Sprintf("DAG %s to be unplanned: %v, is %v (%v)", id, want, row.Unplanned, err)
		}
		return ""
	})
}

// TestDAGThatCannotBePlanned breaks what is stored of one DAG in different ways. The
// others run, its page shows the fault, and once mended it runs by itself.
func TestDAGThatCannotBePlanned(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, harm, mend string }{
		{"its definition does not decode",
			`UPDATE dag_version SET definition = '!' || definition WHERE dag_id = 'bad'`,
			`UPDATE dag_version SET definition = substr(definition, 2) WHERE dag_id = 'bad'`},
		{"a conf of its runs does not decode",
			`UPDATE dag_run SET conf = '!' || conf WHERE dag_id = 'bad'`,
			`UPDATE dag_run SET conf = substr(conf, 2) WHERE dag_id = 'bad'`},
		{"a counter breaks its check",
			`UPDATE dag_run_count SET n = 0 WHERE dag_id = 'bad'`,
			`UPDATE dag_run_count SET n = 1 WHERE dag_id = 'bad' AND state = 'running'`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			files := map[string]string{"dags/bad.yaml": shell("bad", "", "until test -e $FILE; do sleep 0.05; done", "true")}
			var good []dag.ID
			for i := range 5 {
				id := fmt.Sprintf("good%d", i)
				good = append(good, dag.ID(id))
				files["dags/"+id+".yaml"] = shell(id, "", "until test -e $FILE; do sleep 0.05; done", "true")
			}
			w.up()
			w.commit(files)
			runs := map[dag.ID]dag.RunID{}
			for _, id := range append(good, "bad") {
				w.awaitDAG(id)
				runs[id] = w.trigger(id, map[string]any{"FILE": w.path("end")})
				w.awaitTask(id, runs[id], "t1", dag.TaskRunning)
			}
			w.down()
			w.raw(test.harm)
			if err := os.WriteFile(w.path("end"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			w.up()
			for _, id := range good {
				w.awaitRun(id, runs[id], dag.RunSuccess)
			}
			w.awaitUnplanned("bad", true)
			w.down() // a restart finds it put aside
			w.raw(test.mend)
			w.up()
			w.awaitRun("bad", runs["bad"], dag.RunSuccess)
			w.awaitUnplanned("bad", false)
		})
	}
}

// newTestLoop is a loop with a clock that stands still and no store.
func newTestLoop(now time.Time) *loop {
	c := Config{Now: func() time.Time { return now }}.withDefaults()
	return newLoop(c, newDispatcher(c))
}

// TestAsideIsPlannedAlone wants a DAG that was put aside to be out of the way until its
// time, and then in a step of its own.
func TestAsideIsPlannedAlone(t *testing.T) {
	t.Parallel()
	l := newTestLoop(noon)
	l.asides["bad"] = &aside{}
	l.events = []dag.AttemptEvent{
		{Key: dag.AttemptKey{DAG: "bad"}, Phase: dag.AttemptEnded},
		{Key: dag.AttemptKey{DAG: "bad"}, Phase: dag.AttemptWaiting},
	}
	l.holdEvents()
	l.mark("a", "bad", "b")
	want(t, fmt.Sprint(l.dirty, len(l.events)), "[a b] 0")
	l.wake.set("bad", noon)
	l.markDue()
	l.mark("c")
	for _, step := range []string{"[a b] 0", "[bad] 1", "[c] 0"} {
		ids, events := l.take()
		want(t, fmt.Sprint(ids, len(events)), step)
	}
}

// TestIdleLoopSleeps wants the loop to sleep until a DAG's time has come, no longer than
// until the next look at the store, and not to mark what is not due.
func TestIdleLoopSleeps(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		wake time.Duration
		want time.Duration
		due  int
	}{
		{wake: 10 * time.Second, want: 10 * time.Second},
		{wake: time.Hour, want: 30 * time.Second},
		{wake: 0, want: 0, due: 1},
		{wake: -time.Hour, want: 0, due: 1},
	} {
		l := newTestLoop(noon)
		l.wake.set("d", noon.Add(test.wake))
		if got := l.untilWake(); got != test.want {
			t.Errorf("wake in %s: sleeps %s, want %s", test.wake, got, test.want)
		}
		l.markDue()
		if len(l.dirty) != test.due || len(l.wake.at) != 1-test.due {
			t.Errorf("wake in %s: %d DAGs marked, %d timers left, want %d marked", test.wake, len(l.dirty),
				len(l.wake.at), test.due)
		}
	}
}
