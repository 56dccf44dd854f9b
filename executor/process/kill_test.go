package process

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/tasklog"
)

// victimDir names the folder of a test binary that is to be killed: with it
// set, the binary starts attempts and never ends by itself.
const victimDir = "DAGWRIGHT_TEST_VICTIM_DIR"

const (
	killRounds = 20
	perRound   = 40
)

// marking is an attempt that appends one line to a file and ends with exit
// code 3.
func marking(marks string, round, i int) executor.Attempt {
	a := attemptOf(fmt.Sprintf("mark-%d-%d", round, i), "sh", "-c", `echo "$1" >> "$0"; sleep 0.01; exit 3`, marks,
		fmt.Sprint(round, "-", i))
	return a
}

// beVictim starts a round's attempts and prints a line after each Start.
func beVictim(dir string) int {
	var round int
	if _, err := fmt.Sscan(os.Getenv("DAGWRIGHT_TEST_VICTIM_ROUND"), &round); err != nil {
		return 2
	}
	logs, err := tasklog.Open(tasklog.Config{Dir: filepath.Join(dir, "logs")})
	if err != nil {
		return 2
	}
	x, err := Open(Config{StateDir: filepath.Join(dir, "state"), Logs: logs, Env: systemPath})
	if err != nil {
		return 2
	}
	ctx := context.Background()
	if _, err := x.List(ctx); err != nil {
		return 2
	}
	go func() {
		for range x.Events() {
		}
	}()
	for i := range perRound {
		if err := x.Start(ctx, marking(filepath.Join(dir, "marks"), round, i)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		fmt.Println("started")
	}
	select {}
}

// TestKilled kills a process that starts attempts at random moments. After
// each kill everything that it had decided is started again, as the scheduler
// does; in the end each attempt has run exactly once and kept its exit code.
func TestKilled(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for round := range killRounds {
		killVictim(t, h.dir, round)
		settleRound(t, h, round)
	}
	b, err := os.ReadFile(filepath.Join(h.dir, "marks"))
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]int{}
	for line := range strings.Lines(string(b)) {
		ran[strings.TrimSpace(line)]++
	}
	for round := range killRounds {
		for i := range perRound {
			if name := fmt.Sprint(round, "-", i); ran[name] != 1 {
				t.Errorf("attempt %s ran %d times", name, ran[name])
			}
		}
	}
}

// killVictim runs a victim and kills it a random moment after a random number
// of its starts.
func killVictim(t *testing.T, dir string, round int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), victimDir+"="+dir, fmt.Sprint("DAGWRIGHT_TEST_VICTIM_ROUND=", round))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("started\n"))
	for range rand.IntN(perRound) {
		if _, err := out.Read(line); err != nil {
			t.Fatalf("victim ended by itself: %v", err)
		}
	}
	// The moment is random on purpose; nothing is waited for.
	<-time.After(time.Duration(rand.IntN(1500)) * time.Microsecond)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

// settleRound starts what the victim may or may not have started and wants one
// good end of each.
func settleRound(t *testing.T, h *home, round int) {
	t.Helper()
	x := h.open(t)
	listed, err := x.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	open := map[dag.AttemptKey]bool{}
	for i := range perRound {
		a := marking(filepath.Join(h.dir, "marks"), round, i)
		open[a.Key] = true
	}
	end := func(e dag.AttemptEvent) {
		if e.Phase != dag.AttemptEnded || !open[e.Key] {
			return
		}
		delete(open, e.Key)
		if e.Lost || e.ExitCode != 3 {
			t.Errorf("ended as %+v", e)
		}
		if err := x.Forget(t.Context(), e.Key); err != nil {
			t.Errorf("Forget: %v", err)
		}
	}
	for _, e := range listed {
		if !open[e.Key] {
			t.Errorf("round %d lists %v", round, e.Key)
		}
		end(e)
	}
	for i := range perRound {
		if a := marking(filepath.Join(h.dir, "marks"), round, i); open[a.Key] {
			start(t, x, a)
		}
	}
	for len(open) > 0 {
		end(next(t, x, dag.AttemptEnded))
	}
	if err := x.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
