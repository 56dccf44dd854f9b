package pod

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"dagwright/dag"
	"dagwright/podspec"
	"dagwright/reason"
	"dagwright/tasklog"
)

var streamKey = dag.AttemptKey{DAG: "d", Run: "r", Task: "t", Try: 1}

// kubelet answers requests for a container's log as a kubelet does behind the
// API server, and breaks off as often as the test wants.
type kubelet struct {
	lines []logLine
	dice  *rand.Rand
	// cut is how likely an answer breaks off.
	cut float64

	mu       sync.Mutex
	requests int
	followed int      // of the requests, those that follow
	trouble  []string // answered instead of the log, one a request
	// short is how many bytes of its text each of the next answers has; they end in good
	// order, as the API server's do when its connection to the node breaks.
	short []int
}

type logLine struct {
	at   time.Time
	text string
}

func (k *kubelet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requests++
	if r.URL.Query().Get("follow") == "true" {
		k.followed++
	}
	if len(k.trouble) > 0 {
		text := k.trouble[0]
		k.trouble = k.trouble[1:]
		fmt.Fprint(w, text)
		return
	}
	body := k.answer(r.URL.Query().Get("sinceTime"))
	if len(k.short) > 0 {
		_, _ = w.Write(body[:min(k.short[0], len(body))])
		k.short = k.short[1:]
		return
	}
	if k.dice.Float64() >= k.cut {
		_, _ = w.Write(body)
		return
	}
	_, _ = w.Write(body[:k.dice.IntN(len(body)+1)])
	if k.dice.IntN(2) == 0 {
		panic(http.ErrAbortHandler) // the connection breaks; else the answer just ends
	}
}

// answer is the log from a second on. Each line is compared for itself, as the
// kubelet does.
func (k *kubelet) answer(since string) []byte {
	from, _ := time.Parse(time.RFC3339, since)
	var b bytes.Buffer
	for _, l := range k.lines {
		if !l.at.Before(from) {
			fmt.Fprintf(&b, "%s %s\n", l.at.Format(time.RFC3339Nano), l.text)
		}
	}
	return b.Bytes()
}

func (k *kubelet) stopCutting() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut = 0
}

func (k *kubelet) want() string {
	var b strings.Builder
	for _, l := range k.lines {
		b.WriteString(l.text + "\n")
	}
	return b.String()
}

// reading is an executor that reads from a kubelet, without any pod.
type reading struct {
	x    *Executor
	logs *tasklog.Dir
}

func newReading(t *testing.T, server *httptest.Server, logs *tasklog.Dir) *reading {
	t.Helper()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	x := &Executor{ctx: ctx, cancel: cancel,
		config: Config{Client: client.CoreV1().RESTClient(), Logs: logs, Now: time.Now, Logger: discard}}
	return &reading{x: x, logs: logs}
}

func (r *reading) keeper(options podspec.Options) *keeper {
	return newKeeper(r.x, &attempt{key: streamKey, namespace: "n", name: "p", options: options})
}

func serve(t *testing.T, k *kubelet) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(k)
	server.Config.ErrorLog = quiet
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func openLogs(t *testing.T) *tasklog.Dir {
	t.Helper()
	logs, err := tasklog.Open(tasklog.Config{Dir: filepath.Join(t.TempDir(), "logs")})
	if err != nil {
		t.Fatal(err)
	}
	return logs
}

func readLog(t *testing.T, logs *tasklog.Dir) (lines []tasklog.Line) {
	t.Helper()
	r, err := logs.ReadAt(streamKey, 0, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		t.Errorf("the log ends in the middle of a line")
	}
	for line := range strings.Lines(string(text)) {
		lines = append(lines, tasklog.ParseLine([]byte(line)))
	}
	return lines
}

func text(lines []tasklog.Line) string {
	var b strings.Builder
	for _, l := range lines {
		if !l.Own {
			b.WriteString(l.Text + "\n")
		}
	}
	return b.String()
}

// output makes a container's log: bursts within one second, lines a little out
// of order, equal timestamps, empty lines, marks that look like ours, and lines
// much longer than any buffer.
func output(dice *rand.Rand, n int) []logLine {
	at := time.Date(2026, 3, 1, 12, 0, 0, 1, time.UTC)
	var lines []logLine
	for i := range n {
		at = at.Add(time.Duration(dice.IntN(1200)) * time.Millisecond / time.Duration(1+dice.IntN(50)))
		l := logLine{at: at, text: fmt.Sprintf("line %d", i)}
		switch dice.IntN(12) {
		case 0:
			l.at = at.Add(-time.Duration(dice.IntN(900)) * time.Microsecond) // the other pipe was slower
		case 1:
			l.text = ""
		case 2:
			l.text = "[init] dagwright: is what this line says"
		case 3:
			l.text = strings.Repeat(fmt.Sprintf("%d,", i), dice.IntN(30_000))
		}
		lines = append(lines, l)
	}
	return lines
}

// TestStreamResumes breaks readings off hundreds of times, at any byte, and ends
// the reading process in between: no line is lost, doubled or torn.
func TestStreamResumes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			dice := rand.New(rand.NewPCG(seed, 0))
			k := &kubelet{lines: output(dice, 400), dice: dice, cut: 0.95}
			server, logs := serve(t, k), openLogs(t)
			for range 20 {
				// A process that reads a while and is killed.
				r := newReading(t, server, logs)
				s := r.one(podspec.Options{Base: "base", Logs: []string{"base"}})
				for range 1 + seed {
					_, _ = s.read(t.Context(), false)
				}
			}
			r := newReading(t, server, logs)
			s := r.one(podspec.Options{Base: "base", Logs: []string{"base"}})
			for range 50 {
				_, _ = s.read(t.Context(), true)
			}
			k.stopCutting()
			for progress, err := true, error(nil); progress || err != nil; {
				progress, err = s.read(t.Context(), true)
			}
			compare(t, k.want(), text(readLog(t, logs)))
			for i, l := range readLog(t, logs) {
				if !l.Time.Equal(k.lines[i].at) {
					t.Fatalf("line %d has the time %v, want %v", i, l.Time, k.lines[i].at)
				}
			}
		})
	}
}

// one returns the stream of the base container as a new process takes it up.
func (r *reading) one(o podspec.Options) *stream {
	k := r.keeper(o)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.open(); err != nil {
		panic(err)
	}
	return k.stream(o.Base)
}

func compare(t *testing.T, want, got string) {
	t.Helper()
	if want == got {
		return
	}
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			t.Fatalf("line %d is %.80q (%d bytes), want %.80q (%d bytes)", i, g[i], len(g[i]), w[i], len(w[i]))
		}
	}
	t.Fatalf("the log has %d lines, want %d", len(g), len(w))
}

// TestStreamAfterPartialWrite takes up a log that a killed process has left in
// the middle of a line.
func TestStreamAfterPartialWrite(t *testing.T) {
	t.Parallel()
	dice := rand.New(rand.NewPCG(1, 1))
	k := &kubelet{lines: output(dice, 50), dice: dice}
	server, logs := serve(t, k), openLogs(t)
	f, err := logs.File(streamKey)
	if err != nil {
		t.Fatal(err)
	}
	whole := tasklog.AppendLine(nil, tasklog.Line{Time: k.lines[0].at, Text: k.lines[0].text})
	if _, err := f.Write(append(append(whole, '\n'), "2026-03-01T12:0"...)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s := newReading(t, server, logs).one(podspec.Options{Base: "base", Logs: []string{"base"}})
	if _, err := s.read(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	compare(t, k.want(), text(readLog(t, logs)))
}

// TestStreamRun wants the whole way of a stream: a kubelet that answers with its
// fault instead of the log is asked again, and a note that is given twice is
// written once.
func TestStreamRun(t *testing.T) {
	t.Parallel()
	dice := rand.New(rand.NewPCG(2, 2))
	k := &kubelet{lines: output(dice, 20), dice: dice, trouble: []string{
		"unable to retrieve container logs for containerd://1",
		`failed to try resolving symlinks in path "/x": no such file`,
	}}
	logs := openLogs(t)
	r := newReading(t, serve(t, k), logs)
	keeper := r.keeper(podspec.Options{Base: "base", Logs: []string{"base"}})
	for range 2 {
		keeper.note(noon, "Pulled: the image is there")
	}
	keeper.followOne("base", true)
	out := outcome{at: noon, exitCode: 3, reason: reason.New(reason.ExitCode, 3), bare: true}
	if !keeper.complete(&out) || !keeper.seal() {
		t.Fatal("the log could not be completed")
	}
	lines := readLog(t, logs)
	compare(t, k.want(), text(lines))
	if l := lines[0]; !l.Own || l.Text != "Pulled: the image is there" || !l.Time.Equal(noon) {
		t.Errorf("the first line is %+v", l)
	}
	last := lines[len(lines)-1]
	if !last.Own || !strings.HasPrefix(last.Text, "exit code 3; the log ends: ") || last.Text != out.reason.String() {
		t.Errorf("the last line is %+v, the reason %q", last, out.reason)
	}
	notes := 0
	for _, l := range lines {
		if l.Own {
			notes++
		}
	}
	if notes != 2 {
		t.Errorf("%d notes were written, want 2", notes)
	}
	keeper.note(noon, "too late") // changes nothing
	if after := readLog(t, logs); len(after) != len(lines) {
		t.Errorf("a sealed log has grown to %d lines", len(after))
	}
}

// TestShortAnswersAreNotTheEnd cuts answers short in good order after the container has
// ended, at each line's end and within lines: all of the output is in the log.
func TestShortAnswersAreNotTheEnd(t *testing.T) {
	t.Parallel()
	const width = len("2026-03-01T12:00:00.100000001Z line 00\n")
	tests := map[string]struct {
		known int // lines that a reading before the end has taken
		short []int
	}{
		"nothing, nothing known":             {0, []int{0}},
		"a line, nothing known":              {0, []int{width}},
		"nothing":                            {10, []int{0}},
		"nothing, three times":               {10, []int{0, 0, 0}},
		"before the last line that is known": {10, []int{9 * width, 3 * width, 5}},
		"in the last line that is known":     {10, []int{10*width - 1, 0}},
		"twice in the same known line":       {10, []int{5*width - 1, 5*width - 1}},
		"behind it":                          {10, []int{12 * width, 11 * width, 0}},
		"in the first new line":              {10, []int{10*width + 5, 9*width - 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines []logLine
			for i := range 20 {
				at := time.Date(2026, 3, 1, 12, 0, 0, 100_000_001+2*i, time.UTC)
				lines = append(lines, logLine{at, fmt.Sprintf("line %02d", i)})
			}
			logs, k := openLogs(t), &kubelet{lines: lines[:test.known], dice: rand.New(rand.NewPCG(1, 1))}
			keeper := newReading(t, serve(t, k), logs).keeper(podspec.Options{Base: "base", Logs: []string{"base"}})
			keeper.mu.Lock()
			err := keeper.open()
			s := keeper.stream("base")
			keeper.mu.Unlock()
			if err == nil && test.known > 0 {
				_, err = s.read(t.Context(), false)
			}
			if err != nil {
				t.Fatal(err)
			}
			k.lines, k.short = lines, test.short
			keeper.followOne("base", true)
			if !keeper.complete(&outcome{at: noon}) || !keeper.seal() {
				t.Fatal("the log could not be completed")
			}
			compare(t, k.want(), text(readLog(t, logs)))
		})
	}
}

// TestRotatedFileIsNotWaitedForLong lets the node rotate the file after the last line: the
// stream ends, and says that it cannot be sure.
func TestRotatedFileIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	logs, k := openLogs(t), &kubelet{lines: output(rand.New(rand.NewPCG(1, 1)), 5), dice: rand.New(rand.NewPCG(1, 1))}
	r := newReading(t, serve(t, k), logs)
	var steps atomic.Int64 // each look at the clock is six seconds later
	r.x.config.Now = func() time.Time { return noon.Add(time.Duration(steps.Add(6)) * time.Second) }
	keeper := r.keeper(podspec.Options{Base: "base", Logs: []string{"base"}})
	keeper.mu.Lock()
	err := keeper.open()
	s := keeper.stream("base")
	keeper.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.read(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	want := k.want()
	k.lines = nil
	keeper.followOne("base", true)
	if !keeper.complete(&outcome{at: noon}) || !keeper.seal() {
		t.Fatal("the log could not be completed")
	}
	lines := readLog(t, logs)
	compare(t, want, text(lines))
	const note = "the rest of the output of container base could not be read: the answer ends before the last line that is known"
	if last := lines[len(lines)-1]; !last.Own || !strings.HasPrefix(last.Text, note) {
		t.Errorf("the log ends with %+v, want the note %q", last, note)
	}
}

// TestTwoContainers lets two containers write long lines at the same time: a
// line may be divided, but none is mixed with another's.
func TestTwoContainers(t *testing.T) {
	t.Parallel()
	logs := openLogs(t)
	kubelets := map[string]*kubelet{}
	for i, name := range []string{"base", "side"} {
		dice := rand.New(rand.NewPCG(3, uint64(i)))
		kubelets[name] = &kubelet{lines: output(dice, 200), dice: dice, cut: 0.5}
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kubelets[r.URL.Query().Get("container")].ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = quiet
	server.Start()
	t.Cleanup(server.Close)
	keeper := newReading(t, server, logs).keeper(podspec.Options{Base: "base", Logs: []string{"base", "side"}})
	keeper.mu.Lock()
	if err := keeper.open(); err != nil {
		t.Fatal(err)
	}
	streams := []*stream{keeper.stream("base"), keeper.stream("side")}
	keeper.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range streams {
		wg.Go(func() {
			for i := 0; i < 200; i++ {
				_, _ = s.read(t.Context(), false)
			}
			kubelets[s.container].stopCutting()
			if _, err := s.read(t.Context(), true); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := map[string]*strings.Builder{"": {}, "side": {}}
	for _, l := range readLog(t, logs) {
		got[l.Container].WriteString(l.Text)
	}
	for container, name := range map[string]string{"": "base", "side": "side"} {
		want := strings.ReplaceAll(kubelets[name].want(), "\n", "")
		if got[container].String() != want {
			t.Errorf("container %s: %d bytes of text, want %d; or they differ", name, got[container].Len(), len(want))
		}
	}
}

func TestFollowedContainers(t *testing.T) {
	t.Parallel()
	never := corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "StartError",
		ContainerID: "containerd://1"}}}
	if hasOutput(&never) {
		t.Error("a container that could not be started has no output")
	}
	ran := corev1.ContainerStatus{State: ended(0, "Completed", "")}
	if !hasOutput(&ran) {
		t.Error("a container that ran has output")
	}
}

// TestStreamOfEnded has a container that has ended when it is first seen: its output is read
// to the end and confirmed once, and nothing is followed.
func TestStreamOfEnded(t *testing.T) {
	t.Parallel()
	for _, lines := range []int{0, 1, 50} {
		t.Run(fmt.Sprint(lines, " lines"), func(t *testing.T) {
			t.Parallel()
			dice := rand.New(rand.NewPCG(3, 3))
			k := &kubelet{lines: output(dice, lines), dice: dice}
			logs := openLogs(t)
			keeper := newReading(t, serve(t, k), logs).keeper(podspec.Options{Base: "base", Logs: []string{"base"}})
			keeper.followOne("base", true)
			if !keeper.complete(&outcome{at: noon}) || !keeper.seal() {
				t.Fatal("the log could not be completed")
			}
			compare(t, k.want(), text(readLog(t, logs)))
			k.mu.Lock()
			defer k.mu.Unlock()
			if k.requests != 2 || k.followed != 0 {
				t.Errorf("%d requests, %d of which follow; want 2 and 0", k.requests, k.followed)
			}
		})
	}
}
