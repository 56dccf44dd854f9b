package pod_test

import (
	"bufio"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"dagwright/tasklog"
	"dagwright/test/cluster/clustertest"
)

const (
	bigBursts = 6
	bigLines  = 100_000 // in each burst, of some 100 bytes

	bigLogEnv = "DAGWRIGHT_POD_TEST_BIG_LOG" // set where nothing but TestBigLog runs
)

// TestBigLog writes 60 MB in bursts, so that the node rotates the container's log
// file several times meanwhile, and a line of 1 MB: every line is there once, in
// order, and memory has not grown with the log. Memory is the whole process's, so the
// test has one of its own, beside the other tests.
func TestBigLog(t *testing.T) {
	t.Parallel()
	if os.Getenv(bigLogEnv) == "" {
		inOwnProcess(t, bigLogEnv)
		return
	}
	h := newHome(t, clustertest.Open(t))
	h.pods.Policy.PodSecurity = "privileged" // for the folder of this machine
	r := start(t, h)
	pad, turns := strings.Repeat("x", 90), t.TempDir()
	// A node gives a container's newest log file only: each burst begins when the
	// one before has been read, and the first when the reading has begun.
	a := task("big", fmt.Sprintf(`turn() { while ! [ -e "%s/$1" ]; do sleep 0.1; done; }
		echo begun; b=0; n=0; while [ $b -lt %d ]; do turn $b
		awk -v n=$n 'BEGIN { for (i = n; i < n + %d; i++) print i " %s" }'; n=$((n + %d)); b=$((b + 1)); done; turn $b
		awk 'BEGIN { for (i = 0; i < 1024; i++) printf "%%1024d", 7; print "" }'`, turns, bigBursts, bigLines, pad, bigLines))
	withShared(&a, turns)
	r.start(t, a)
	r.awaitLine(t, a.Key, "begun")
	before := heap()
	for b, read := 0, int64(0); ; b++ {
		if err := os.WriteFile(filepath.Join(turns, strconv.Itoa(b)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if b == bigBursts {
			break
		}
		read = r.awaitLineFrom(t, a.Key, read, fmt.Sprint((b+1)*bigLines-1, " ", pad))
	}
	if e := r.awaitEnd(t, a.Key); !e.Succeeded() {
		t.Fatalf("it ended as %+v", e)
	}
	if grown := int64(heap()) - int64(before); grown > 32<<20 {
		t.Errorf("memory has grown by %d bytes", grown)
	}
	text, err := r.logs.ReadAt(a.Key, 0, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	lines, begun, next, long := bufio.NewScanner(text), 0, 0, 0
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		l := tasklog.ParseLine(lines.Bytes())
		switch {
		case l.Own:
		case l.Text == "begun":
			begun++
		case len(l.Text) == 1<<20:
			long++
		case l.Text != fmt.Sprint(next, " ", pad):
			t.Fatalf("line %d is %.60q", next, l.Text)
		default:
			next++
		}
	}
	if begun != 1 || next != bigBursts*bigLines || long != 1 || lines.Err() != nil {
		t.Errorf("the log has a first line %d times, %d lines and %d long ones, want 1, %d and 1 (%v)", begun, next, long,
			bigBursts*bigLines, lines.Err())
	}
}

// inOwnProcess runs a test again in a new process, to which the variable env says so.
func inOwnProcess(t *testing.T, env string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v",
		"-test.timeout="+flag.Lookup("test.timeout").Value.String())
	cmd.Env = append(os.Environ(), env+"=1")
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Run(); err != nil {
		t.Errorf("in a process of its own: %v", err)
	}
}

// heap is what the process has in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
