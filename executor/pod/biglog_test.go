package pod_test

import (
	"bufio"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"dagwright/tasklog"
	"dagwright/test/cluster/clustertest"
)

const (
	bigBursts = 6
	bigLines  = 100_000 // in each burst, of some 100 bytes
)

// TestBigLog writes 60 MB in bursts, so that the node rotates the container's log
// file several times meanwhile, and a line of 1 MB: every line is there once, in
// order, and memory has not grown with the log.
func TestBigLog(t *testing.T) {
	t.Parallel()
	r := start(t, newHome(t, clustertest.Open(t)))
	pad := strings.Repeat("x", 90)
	// A node gives a container's newest log file only: each burst begins when the
	// one before has been read, and the first when the reading has begun.
	a := task("big", fmt.Sprintf(`b=0; n=0; while [ $b -lt %d ]; do sleep 6
		awk -v n=$n 'BEGIN { for (i = n; i < n + %d; i++) print i " %s" }'; n=$((n + %d)); b=$((b + 1)); done; sleep 6
		awk 'BEGIN { for (i = 0; i < 1024; i++) printf "%%1024d", 7; print "" }'`, bigBursts, bigLines, pad, bigLines))
	r.start(t, a)
	r.awaitStart(t, a.Key)
	before := heap()
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
	lines, next, long := bufio.NewScanner(text), 0, 0
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		l := tasklog.ParseLine(lines.Bytes())
		switch {
		case l.Own:
		case len(l.Text) == 1<<20:
			long++
		case l.Text != fmt.Sprint(next, " ", pad):
			t.Fatalf("line %d is %.60q", next, l.Text)
		default:
			next++
		}
	}
	if next != bigBursts*bigLines || long != 1 || lines.Err() != nil {
		t.Errorf("the log has %d lines and %d long ones, want %d and 1 (%v)", next, long, bigBursts*bigLines, lines.Err())
	}
}

// heap is what the process has in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
