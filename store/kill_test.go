package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/store"
)

// victimEnv names the database in which the test binary, started again, writes
// until it is killed.
const victimEnv = "DAGWRIGHT_STORE_VICTIM"

// kills is how often the writing process is killed.
const kills = 20

// TestKill kills a writing process with SIGKILL, again and again. All that it
// had acknowledged must be there, and the counters must be right.
func TestKill(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, dsn string) {
		prepareVictim(t, dsn)
		acked := map[dag.RunID]dag.RunState{}
		for range kills {
			for id, state := range killOne(t, dsn) {
				acked[id] = state
			}
			checkAcked(t, dsn, acked)
		}
		if len(acked) < kills {
			t.Errorf("only %d runs were acknowledged in %d kills", len(acked), kills)
		}
	})
}

func prepareVictim(t *testing.T, dsn string) {
	t.Helper()
	s := openStore(t, dsn)
	defer closeStore(t, s)
	spec := &dag.DAG{ID: "d", MaxActiveRuns: 4, MaxActiveTasks: 4, Tasks: []dag.Task{{ID: "t"}}}
	if _, err := s.SaveDAGs(t.Context(),
		store.Sync{Commit: "c", Changed: []store.SpecFile{{Path: "d.yaml", DAGs: []*dag.DAG{spec}}}}); err != nil {
		t.Fatal(err)
	}
}

// killOne lets a process write until it has acknowledged some things, kills it
// and returns what it had acknowledged.
func killOne(t *testing.T, dsn string) map[dag.RunID]dag.RunState {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+dsn)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked := map[dag.RunID]dag.RunState{}
	lines := bufio.NewScanner(out)
	end := 1 + rand.IntN(60)
	for n := 0; lines.Scan(); n++ {
		if n == end {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			// What it wrote before it died was acknowledged as well.
		}
		if id, state, ok := strings.Cut(lines.Text(), " "); ok && strings.HasSuffix(state, ".") {
			acked[dag.RunID(id)] = dag.RunState(strings.TrimSuffix(state, "."))
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the process ended by itself")
	}
	return acked
}

func checkAcked(t *testing.T, dsn string, acked map[dag.RunID]dag.RunState) {
	t.Helper()
	s := openStore(t, dsn)
	defer closeStore(t, s)
	for id, state := range acked {
		r, err := s.Run(t.Context(), "d", id)
		if err != nil {
			t.Fatalf("acknowledged run is lost: %v", err)
		}
		if !reached(r.State, state) {
			t.Fatalf("run %s is %s; %s was acknowledged", id, r.State, state)
		}
	}
	counts, err := s.RunCounts(t.Context(), []dag.ID{"d"})
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range dag.RunStates {
		_, n, err := s.Runs(t.Context(),
			store.RunFilter{DAG: "d", States: []dag.RunState{state}, Types: []dag.RunType{dag.RunManual}})
		if err != nil {
			t.Fatal(err)
		}
		if n != counts["d"][state] {
			t.Fatalf("%d runs are %s, the counter says %d", n, state, counts["d"][state])
		}
	}
}

// reached reports whether a run in state now has passed through state want.
func reached(now, want dag.RunState) bool {
	order := map[dag.RunState]int{dag.RunQueued: 0, dag.RunRunning: 1, dag.RunSuccess: 2}
	return order[now] >= order[want]
}

// victim writes in a few goroutines for ever and prints what was acknowledged,
// one "run state." a line.
func victim() {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Config{DSN: os.Getenv(victimEnv), Logger: quiet()})
	if err != nil {
		fmt.Fprintln(os.Stderr, "open:", err)
		return
	}
	failed := make(chan error)
	go func() {
		for {
			applied, err := s.Advance(ctx, []dag.ID{"d"}, oneStep)
			if err != nil {
				failed <- err
				return
			}
			for _, a := range applied {
				switch a := a.(type) {
				case store.StartRun:
					fmt.Printf("%s running.\n", a.Run)
				case store.EndRun:
					fmt.Printf("%s success.\n", a.Run)
				}
			}
		}
	}()
	for range 3 {
		go func() {
			for {
				r, err := s.TriggerRun(ctx, store.Trigger{DAG: "d"})
				if err != nil {
					failed <- err
					return
				}
				fmt.Printf("%s queued.\n", r.ID)
			}
		}()
	}
	fmt.Fprintln(os.Stderr, "write:", <-failed)
}

// oneStep starts the queued runs of a snapshot and ends the running ones.
func oneStep(s store.Snapshot) []store.Action {
	var actions []store.Action
	for _, d := range s.DAGs {
		for _, r := range d.Runs {
			ti := dag.TaskInstance{DAG: r.DAG, Run: r.ID, Task: "t", State: dag.TaskQueued, Try: 1}
			if r.State == dag.RunQueued {
				actions = append(actions, store.StartRun{DAG: r.DAG, Run: r.ID, At: time.Now(), Tasks: []dag.TaskInstance{ti}})
				continue
			}
			ti.State = dag.TaskSuccess
			actions = append(actions,
				store.UpdateTask{From: dag.TaskQueued, FromTry: 1, Task: ti},
				store.EndRun{DAG: r.DAG, Run: r.ID, From: dag.RunRunning, State: dag.RunSuccess, At: time.Now()})
		}
	}
	return actions
}

func openStore(t testing.TB, dsn string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DSN: dsn, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t testing.TB, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
