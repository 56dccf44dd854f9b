package pod

import (
	"math/rand/v2"
	"strings"
	"testing"

	"dagwright/podspec"
	"dagwright/reason"
	"dagwright/tasklog"
)

// TestStreamIsCut wants the log of a container that writes more than it may cut
// with a mark, once, also when another process takes it up; the attempt ends all
// the same, with its reason in the log.
func TestStreamIsCut(t *testing.T) {
	t.Parallel()
	dice := rand.New(rand.NewPCG(9, 9))
	k := &kubelet{lines: output(dice, 500), dice: dice}
	logs, err := tasklog.Open(tasklog.Config{Dir: t.TempDir(), MaxBytesPerTry: 2000})
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	server := serve(t, k)
	first := newReading(t, server, logs).one(podspec.Options{Base: "base", Logs: []string{"base"}})
	if _, err := first.read(t.Context(), false); err == nil {
		t.Fatal("the reading goes on")
	}
	keeper := newReading(t, server, logs).keeper(podspec.Options{Base: "base", Logs: []string{"base"}})
	keeper.followOne("base", true)
	out := outcome{at: noon, exitCode: 3, reason: reason.New(reason.ExitCode, 3), bare: true}
	if !keeper.complete(&out) || !keeper.seal() {
		t.Fatal("the log could not be completed")
	}
	var marks []string
	size := 0
	for _, l := range readLog(t, logs) {
		if l.Own {
			marks = append(marks, l.Text)
		} else {
			size += len(l.Text)
		}
	}
	if len(marks) != 2 || !strings.HasPrefix(marks[0], "the log is cut here: a log has 2000 bytes at most; ") ||
		marks[1] != "exit code 3" {
		t.Errorf("dagwright says %q", marks)
	}
	if size == 0 || size > 2000 {
		t.Errorf("the log has %d bytes of output", size)
	}
}
