package tasklog_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"dagwright/dag"
	"dagwright/tasklog"
)

// lockedBuffer is a log of dagwright's own that a test may read meanwhile.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestServerKilledDuringUpload kills the server in the middle of an upload.
// Nobody who writes or reads here is held up meanwhile, and when it is back
// everything is uploaded.
func TestServerKilledDuringUpload(t *testing.T) {
	t.Parallel()
	server := startS3(t, s3Secret)
	line := newLine(t, server.endpoint())
	var logged lockedBuffer
	c := tasklog.Config{
		Dir: t.TempDir(), Bucket: newBucket(t, line.URL), Logger: slog.New(slog.NewTextHandler(&logged, nil)),
	}
	killed := make(chan struct{})
	var once sync.Once
	line.notify = func(r *http.Request) {
		if r.URL.Query().Get("partNumber") == "3" {
			once.Do(func() { server.kill(); close(killed) })
		}
	}
	d, err := tasklog.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{TB: t, config: c, Dir: d}
	defer func() { h.must(h.Close()) }()
	other := h.reader()
	large := strings.Repeat("a line of a large log\n", 2<<20)
	h.write(key, large)
	h.seal(key)
	<-killed

	second := key
	second.Try++
	h.write(second, "one\n")
	h.seal(second)
	wantInfo(t, h.Dir, second, tasklog.Info{Size: 4, Sealed: true})
	if got := read(t, h.Dir, key, int64(len(large))-4, 100); got != "log\n" {
		t.Errorf("the end is %q", got)
	}
	if _, err := other.Stat(second); !errors.Is(err, tasklog.ErrUnavailable) || errors.Is(err, dag.ErrNotFound) {
		t.Errorf("Stat by another process: %v", err)
	}
	if err := other.Follow(t.Context(), second, 0, nil); !errors.Is(err, tasklog.ErrUnavailable) {
		t.Errorf("Follow by another process: %v", err)
	}

	server.start(t)
	for _, k := range []dag.AttemptKey{key, second} {
		size := 0
		err := other.Follow(t.Context(), k, 0, func(_ int64, lines []byte) error { size += len(lines); return nil })
		if err != nil {
			t.Errorf("Follow: %v", err)
		}
		if want := map[int]int{1: len(large), 2: 4}[k.Try]; size != want {
			t.Errorf("log of %d bytes, want %d", size, want)
		}
	}
	if text := logged.String(); !strings.Contains(text, "task logs cannot be uploaded") ||
		strings.Contains(text, s3Secret) {
		t.Errorf("dagwright's log: %s", text)
	}
}

// TestOpenFaults has Open name what is wrong with a bucket, and no secret.
func TestOpenFaults(t *testing.T) {
	t.Parallel()
	server := startS3(t, "another-secret")
	down := startS3(t, s3Secret)
	down.kill()
	q := "?region=us-east-1&endpoint="
	for name, test := range map[string]struct{ bucket, want string }{
		"no bucket": {"s3://nowhere/x" + q + sharedS3(t), `the bucket "nowhere" does not exist`},
		"wrong credentials": {"s3://nowhere" + q + server.endpoint(),
			"the credentials are wrong (SignatureDoesNotMatch): look at AWS_ACCESS_KEY_ID"},
		"no server": {"s3://nowhere" + q + down.endpoint(),
			"the folder of task logs is new, so logs in progress must be looked for in the bucket: list objects in s3://nowhere/: the storage of the logs does not answer"},
		"no folder": {"file:///no/such/folder", "folder /no/such/folder does not exist; make it or mount it first"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := tasklog.Open(tasklog.Config{Dir: filepath.Join(t.TempDir(), "spool"), Bucket: test.bucket})
			if err == nil {
				t.Error("Open found no fault", d.Close())
			}
			if text := fmt.Sprint(err); !strings.Contains(text, test.want) || strings.Contains(text, s3Secret) {
				t.Errorf("Open: %v\nwant %q", err, test.want)
			}
		})
	}
}

// TestOpenDuringOutage starts while the bucket does not answer: a folder that
// was in use before is enough, and what waited is uploaded later.
func TestOpenDuringOutage(t *testing.T) {
	t.Parallel()
	server := startS3(t, s3Secret)
	h := &house{TB: t, config: tasklog.Config{Dir: t.TempDir(), Bucket: newBucket(t, server.endpoint())}}
	h.open()
	h.write(key, "one\n")
	h.ship()
	h.must(h.Crash())
	server.kill()
	d, err := tasklog.Open(h.config)
	h.must(err)
	h.Dir = d
	h.write(key, "two\n")
	h.seal(key)
	if got := read(t, d, key, 0, 100); got != "one\ntwo\n" {
		t.Errorf("the log is %q", got)
	}
	h.must(d.Close()) // ends though nothing can be uploaded
	server.start(t)
	d, err = tasklog.Open(h.config)
	h.must(err)
	h.must(d.Close()) // uploads what waited
	if got := read(t, h.reader(), key, 0, 100); got != "one\ntwo\n" {
		t.Errorf("the log in the bucket is %q", got)
	}
}

// TestDamagedUpload has something else arrive in the bucket than was sent, or
// be kept there.
func TestDamagedUpload(t *testing.T) {
	t.Parallel()
	onTheWay := func(l *line) {
		l.notify = func(r *http.Request) {
			if r.Method == http.MethodPut {
				r.Body = io.NopCloser(strings.NewReader("0123466789"))
			}
		}
	}
	inTheBucket := func(l *line) {
		l.answered = func(r *http.Response) {
			if r.Request.Method == http.MethodHead && r.StatusCode == http.StatusOK {
				r.Header.Set("ETag", `"0123456789abcdef0123456789abcdef"`)
			}
		}
	}
	for name, damage := range map[string]func(*line){"on the way": onTheWay, "in the bucket": inTheBucket} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := newLine(t, sharedS3(t))
			h := &house{TB: t, config: tasklog.Config{Dir: t.TempDir(), Bucket: newBucket(t, line.URL)}}
			h.open()
			defer func() { h.must(h.Close()) }()
			h.write(key, "0123456789")
			h.seal(key)
			damage(line)
			if err := h.Ship(t.Context()); !errors.Is(err, tasklog.ErrUnavailable) {
				t.Errorf("Ship of a damaged log: %v", err)
			}
			if !h.inSpool(key) {
				t.Fatal("the file is gone")
			}
			if left := objectsIn(t, h.config.Bucket); left != nil {
				t.Errorf("the bucket has %v", left)
			}
			line.notify, line.answered = nil, nil
			h.ship()
			if got := read(t, h.reader(), key, 0, 100); got != "0123456789" {
				t.Errorf("the log in the bucket is %q", got)
			}
		})
	}
}

// TestBucketVanishes deletes the bucket while the instance runs.
func TestBucketVanishes(t *testing.T) {
	t.Parallel()
	server := startS3(t, s3Secret)
	h := &house{TB: t, config: tasklog.Config{Dir: t.TempDir(), Bucket: newBucket(t, server.endpoint())}}
	h.open()
	defer func() { h.must(h.Close()) }()
	h.must(os.RemoveAll(server.data))
	h.must(os.Mkdir(server.data, 0o700))
	h.write(key, "one\n")
	h.seal(key)
	if err := h.Ship(t.Context()); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("Ship: %v", err)
	}
	if got := read(t, h.Dir, key, 0, 100); got != "one\n" {
		t.Errorf("the log is %q", got)
	}
	second := key
	second.Try++
	if _, err := h.Stat(second); !errors.Is(err, tasklog.ErrUnavailable) || errors.Is(err, dag.ErrNotFound) {
		t.Errorf("Stat of a log that may have been in the bucket: %v", err)
	}
}
