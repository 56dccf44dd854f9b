package tasklog_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/tasklog"
)

// line is between dagwright and the S3 server, and can be cut.
type line struct {
	*httptest.Server
	mu     sync.Mutex
	passes int  // requests that get through; -1 for all
	answer bool // the last of them is answered
	seen   int
	broke  bool
	// notify and answered, where they are set, see each request that gets
	// through, and its answer.
	notify   func(*http.Request)
	answered func(*http.Response)
}

func newLine(t testing.TB, endpoint string) *line {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	l := &line{passes: -1}
	proxy := &httputil.ReverseProxy{
		// The host that was signed stays.
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host },
		Transport: transport,
		ModifyResponse: func(r *http.Response) error {
			if l.answered != nil {
				l.answered(r)
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler) // the client sees a broken connection
		},
	}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pass, answer := l.next()
		if !pass {
			panic(http.ErrAbortHandler)
		}
		if l.notify != nil {
			l.notify(r)
		}
		if !answer {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { l.Close(); transport.CloseIdleConnections() })
	return l
}

func (l *line) next() (pass, answer bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen++
	if l.passes < 0 {
		return true, true
	}
	pass = l.seen <= l.passes
	answer = l.seen < l.passes || l.answer
	l.broke = l.broke || !pass || !answer
	return pass, answer
}

// cut lets so many requests through, the last one without its answer unless
// answer is set, and -1 all of them. It returns how many came since the last
// call, and whether any was broken.
func (l *line) cut(passes int, answer bool) (seen int, broke bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen, broke = l.seen, l.broke
	l.passes, l.answer, l.seen, l.broke = passes, answer, 0, false
	return seen, broke
}

// TestCutAtEachRequest breaks the connection at each request to the bucket in
// turn, before and behind the request, and crashes. In the end the log is
// whole, is seen so by others, and nothing else is left.
func TestCutAtEachRequest(t *testing.T) {
	t.Parallel()
	const enough = 100
	all := storyWithCut(t, enough, true)
	if all >= enough {
		t.Fatalf("the story has %d requests, and not all were cut", all)
	}
	for n := range all {
		for _, answer := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d answered %v", n, answer), func(t *testing.T) {
				t.Parallel()
				storyWithCut(t, n, answer)
			})
		}
	}
}

// storyWithCut tells the story of one log with a cut behind n requests, and
// returns how many requests there were.
func storyWithCut(t *testing.T, n int, answer bool) int {
	t.Helper()
	line := newLine(t, sharedS3(t))
	h := &house{TB: t, config: tasklog.Config{Dir: filepath.Join(t.TempDir(), "spool"), Bucket: newBucket(t, line.URL)}}
	h.open()
	defer func() { h.must(h.Close()) }()
	other := h.reader()
	line.cut(n, answer)
	failed := false
	want := ""
	for i := range 3 {
		text := strings.Repeat("text of a log\n", 12000*i+1)
		want += text
		h.write(key, text)
		failed = h.Ship(t.Context()) != nil || failed
	}
	h.seal(key)
	failed = h.Ship(t.Context()) != nil || failed
	requests, broke := line.cut(-1, true)
	if failed != broke {
		t.Errorf("shipping failed: %v, the line was cut: %v", failed, broke)
	}
	if got := read(t, h.Dir, key, 0, 1<<30); got != want {
		t.Errorf("the writer reads %d bytes, want %d", len(got), len(want))
	}
	// What others see meanwhile is a beginning of the log.
	if info, err := other.Stat(key); err == nil {
		if got := read(t, other, key, 0, info.Size); !strings.HasPrefix(want, got) || int64(len(got)) != info.Size {
			t.Errorf("others read %d bytes that are not the beginning of the log", len(got))
		}
	}
	h.restart()
	h.must(h.TakeBack(t.Context()))
	h.ship()
	if got := read(t, other, key, 0, 1<<30); got != want {
		t.Errorf("others read %d bytes in the end, want %d", len(got), len(want))
	}
	wantInfo(t, other, key, tasklog.Info{Size: int64(len(want)), Sealed: true})
	if diff := cmp.Diff([]string{objectOf(h)}, objectsIn(t, h.config.Bucket)); diff != "" {
		t.Errorf("objects in the bucket (-want +got):\n%s", diff)
	}
	if h.inSpool(key) {
		t.Error("the file is left in the spool")
	}
	return requests
}

// objectOf is the key of the log's object below the prefix.
func objectOf(h *house) string {
	name, err := filepath.Rel(h.config.Dir, h.file(key))
	h.must(err)
	return filepath.ToSlash(name)
}

// TestAnyStory does what can happen in any order and wants the same log in
// each process.
func TestAnyStory(t *testing.T) {
	t.Parallel()
	inBuckets(t, func(h *house) {
		const stories, steps = 5, 30
		for seed := range uint64(stories) {
			anyStory(h, rand.New(rand.NewPCG(seed, 0)), int(seed), steps)
		}
	})
}

func anyStory(h *house, r *rand.Rand, try, steps int) {
	k := key
	k.Try = try + 1
	other := h.reader()
	var want bytes.Buffer
	var done []string
	tell := func(what string) { done = append(done, what) }
	check := func() {
		h.Helper()
		if got := read(h, other, k, 0, 1<<30); got != want.String() {
			h.Fatalf("story %d: others read %d bytes, want %d, after %v", try, len(got), want.Len(), done)
		}
	}
	write := func() {
		n := 1 + r.IntN(100)
		if r.IntN(8) == 0 {
			n = 1 + r.IntN(5<<20)
		}
		text := strings.Repeat(fmt.Sprintf("%d %d\n", try, want.Len()), n/4+1)[:n]
		h.write(k, text)
		want.WriteString(text)
	}
	write()
	for range steps {
		switch r.IntN(6) {
		case 0, 1:
			tell("write")
			write()
		case 2:
			tell("ship")
			h.ship()
			check()
		case 3:
			tell("crash")
			h.restart()
		case 4:
			tell("close")
			h.must(h.Close())
			h.open()
		case 5:
			tell("lose the spool")
			h.ship()
			h.must(h.Crash())
			h.must(os.RemoveAll(h.config.Dir))
			h.open()
			check()
		}
		if got := read(h, h.Dir, k, 0, 1<<30); got != want.String() {
			h.Fatalf("story %d: the writer reads %d bytes, want %d, after %v", try, len(got), want.Len(), done)
		}
	}
	h.seal(k)
	h.ship()
	check()
	wantInfo(h, other, k, tasklog.Info{Size: int64(want.Len()), Sealed: true})
}

// TestMarkBeforeFileGoes has a crash between the two halves of letting a file
// go.
func TestMarkBeforeFileGoes(t *testing.T) {
	t.Parallel()
	inBuckets(t, func(h *house) {
		h.write(key, "one\n")
		h.seal(key)
		content, err := os.ReadFile(h.file(key))
		h.must(err)
		h.ship()
		h.must(os.WriteFile(h.file(key), content, 0o440))
		h.restart()
		if f, err := h.File(key); err == nil {
			f.Close()
			t.Error("a sealed log was opened for writing")
		}
		h.ship()
		if h.inSpool(key) {
			t.Error("the file is left in the spool")
		}
		if got := read(t, h.Dir, key, 0, 10); got != "one\n" {
			t.Errorf("the log is %q", got)
		}
	})
}

// TestPlaceIsTaken has the bucket hold another log of the same name, which is
// kept, as is ours.
func TestPlaceIsTaken(t *testing.T) {
	t.Parallel()
	inBuckets(t, func(h *house) {
		h.write(key, "first\n")
		h.seal(key)
		h.ship()
		h.must(h.Crash())
		h.must(os.RemoveAll(h.config.Dir))
		h.open()
		h.write(key, "second\n")
		h.seal(key)
		h.ship()
		if got := read(t, h.Dir, key, 0, 100); got != "first\n" {
			t.Errorf("the log is %q", got)
		}
		kept, err := os.ReadFile(strings.TrimSuffix(h.file(key), ".log") + ".log.conflict")
		if err != nil || string(kept) != "second\n" {
			t.Errorf("the other log is %q, %v", kept, err)
		}
		h.must(h.Crash())
		h.must(os.RemoveAll(h.config.Dir))
		h.open()
		h.seal(key) // an empty one is not another log
		h.ship()
		if got := read(t, h.Dir, key, 0, 100); got != "first\n" {
			t.Errorf("the log is %q", got)
		}
	})
}

// TestChunks looks at the chunks of a growing log: few, none large, without a
// gap, also of one that a crash cut.
func TestChunks(t *testing.T) {
	t.Parallel()
	bucket := t.TempDir()
	h := &house{TB: t, config: tasklog.Config{Dir: t.TempDir(), Bucket: "file://" + bucket}}
	h.open()
	defer func() { h.must(h.Close()) }()
	chunks := func() (sizes []int64) {
		files, err := filepath.Glob(filepath.Join(bucket, "growing", "*", "*", "*", "*", "*"))
		h.must(err)
		var end int64
		for _, name := range files {
			info, err := os.Stat(name)
			h.must(err)
			if want := fmt.Sprintf("%020d", end); filepath.Base(name) != want {
				t.Errorf("chunk %s, want %s", filepath.Base(name), want)
			}
			end += info.Size()
			sizes = append(sizes, info.Size())
		}
		return sizes
	}
	for range 5 {
		h.write(key, strings.Repeat("x", 100<<10))
		h.ship()
	}
	if diff := cmp.Diff([]int64{300 << 10, 200 << 10}, chunks()); diff != "" {
		t.Errorf("chunks of a slow log (-want +got):\n%s", diff)
	}
	h.write(key, strings.Repeat("x", 9<<20))
	h.ship()
	if diff := cmp.Diff([]int64{300 << 10, 4 << 20, 4 << 20, 1<<20 + 200<<10}, chunks()); diff != "" {
		t.Errorf("chunks of a fast log (-want +got):\n%s", diff)
	}
	// The machine went down before the end of the file was on the disk.
	h.must(os.Truncate(h.file(key), 5<<20))
	h.restart()
	h.write(key, "x")
	h.ship()
	if diff := cmp.Diff([]int64{300 << 10, 4 << 20, 1<<20 - 300<<10 + 1}, chunks()); diff != "" {
		t.Errorf("chunks of a shorter log (-want +got):\n%s", diff)
	}
	// A writer took back a line that it had written in part.
	h.must(os.Truncate(h.file(key), 5<<20-1))
	h.ship()
	if diff := cmp.Diff([]int64{300 << 10, 4 << 20, 1<<20 - 300<<10 - 1}, chunks()); diff != "" {
		t.Errorf("chunks of a log that shrank (-want +got):\n%s", diff)
	}
	h.seal(key)
	h.ship()
	if left := chunks(); left != nil {
		t.Errorf("chunks of a sealed log: %v", left)
	}
}

// TestEndWrittenAnew has a writer take back half a line after a crash and write
// another one.
func TestEndWrittenAnew(t *testing.T) {
	t.Parallel()
	inBuckets(t, func(h *house) {
		whole := strings.Repeat("a line\n", 50000)
		h.write(key, whole+"half a")
		h.ship()
		h.must(h.Crash())
		h.must(os.Truncate(h.file(key), int64(len(whole))))
		h.open()
		h.write(key, "another line\n")
		h.ship()
		if got := read(t, h.reader(), key, int64(len(whole)), 100); got != "another line\n" {
			t.Errorf("others read %q", got)
		}
	})
}

// TestSealedWhileRead has the chunks be replaced by the sealed object between
// any two requests of a reader.
func TestSealedWhileRead(t *testing.T) {
	t.Parallel()
	const want = "one\ntwo\n"
	for n := range 4 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			bucket := newBucket(t, sharedS3(t))
			h := &house{TB: t, config: tasklog.Config{Dir: t.TempDir(), Bucket: bucket}}
			h.open()
			defer func() { h.must(h.Close()) }()
			h.write(key, want)
			h.ship()
			line := newLine(t, sharedS3(t))
			other, err := tasklog.Open(tasklog.Config{Dir: t.TempDir(),
				Bucket: strings.Replace(bucket, sharedS3(t), line.URL, 1), ReadOnly: true})
			h.must(err)
			defer other.Close()
			requests := 0
			line.notify = func(*http.Request) {
				if requests++; requests == n+1 {
					h.seal(key)
					h.ship()
				}
			}
			if got := read(t, other, key, 0, 100); got != want {
				t.Errorf("the log is %q", got)
			}
			if _, err := other.Stat(key); err != nil {
				t.Error(err)
			}
			if requests <= n {
				t.Errorf("only %d requests: none was disturbed", requests)
			}
		})
	}
}

// TestRemovedWhileUploaded removes a run between the requests of the upload of
// its log: nothing of it comes back.
func TestRemovedWhileUploaded(t *testing.T) {
	t.Parallel()
	for _, sealed := range []bool{false, true} {
		t.Run(fmt.Sprint("sealed ", sealed), func(t *testing.T) {
			t.Parallel()
			line := newLine(t, sharedS3(t))
			h := &house{TB: t, config: tasklog.Config{Dir: t.TempDir(), Bucket: newBucket(t, line.URL)}}
			h.open()
			defer func() { h.must(h.Close()) }()
			h.write(key, "one\n")
			if sealed {
				h.seal(key)
			}
			line.notify = func(r *http.Request) {
				if r.Method == http.MethodPut {
					h.must(h.Remove(key.DAG, key.Run))
				}
			}
			h.ship()
			wantGone(t, h.Dir, key)
			if left := objectsIn(t, h.config.Bucket); left != nil {
				t.Errorf("the bucket has %v", left)
			}
		})
	}
}

// TestLeftChunks has a crash between the upload of a sealed log and the removal
// of its chunks, and the folder be lost.
func TestLeftChunks(t *testing.T) {
	t.Parallel()
	bucket := t.TempDir()
	h := &house{TB: t, config: tasklog.Config{Dir: filepath.Join(t.TempDir(), "spool"), Bucket: "file://" + bucket}}
	h.open()
	h.write(key, "one\n")
	h.ship()
	left := filepath.Join(bucket, "growing", objectOf(h), fmt.Sprintf("%020d", 0))
	chunk, err := os.ReadFile(left)
	h.must(err)
	h.seal(key)
	h.ship()
	h.must(os.MkdirAll(filepath.Dir(left), 0o700))
	h.must(os.WriteFile(left, chunk, 0o600))
	h.must(h.Crash())
	h.must(os.RemoveAll(h.config.Dir))
	h.open()
	defer func() { h.must(h.Close()) }()
	if h.inSpool(key) {
		t.Error("a sealed log came back as one that grows")
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the chunk is left: %v", err)
	}
	wantInfo(t, h.Dir, key, tasklog.Info{Size: 4, Sealed: true})
}

// TestReadsOnlyWhatIsAsked opens a large log in the bucket at its end.
func TestReadsOnlyWhatIsAsked(t *testing.T) {
	t.Parallel()
	line := newLine(t, sharedS3(t))
	h := &house{TB: t, config: tasklog.Config{Dir: t.TempDir(), Bucket: newBucket(t, line.URL)}}
	h.open()
	defer func() { h.must(h.Close()) }()
	const size = 20 << 20
	h.write(key, strings.Repeat("0123456789abcde\n", size/16))
	h.seal(key)
	h.ship()
	var ranges []string
	line.notify = func(r *http.Request) {
		if r.Method == http.MethodGet {
			ranges = append(ranges, r.Header.Get("Range"))
		}
	}
	r, err := h.ReadAt(key, size-32, 1000)
	h.must(err)
	text, err := io.ReadAll(r)
	h.must(errors.Join(err, r.Close()))
	if string(text) != "0123456789abcde\n0123456789abcde\n" {
		t.Errorf("the end is %q", text)
	}
	if diff := cmp.Diff([]string{fmt.Sprintf("bytes=%d-%d", size-32, size-1)}, ranges); diff != "" {
		t.Errorf("what was asked for (-want +got):\n%s", diff)
	}
}
