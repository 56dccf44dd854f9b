package tasklog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/tasklog"
)

// place is where logs can be.
type place struct {
	name   string
	bucket func(t testing.TB) string // nil for a folder alone
}

var places = []place{
	{"folder", nil},
	{"bucket folder", func(t testing.TB) string { return "file://" + t.TempDir() }},
	{"s3", func(t testing.TB) string { return newBucket(t, sharedS3(t)) }},
}

// house is one instance's logs and what can happen to them.
type house struct {
	testing.TB
	config tasklog.Config
	*tasklog.Dir
}

// everywhere runs a test of the contract in each place.
func everywhere(t *testing.T, test func(h *house)) { in(t, places, test) }

// inBuckets runs a test in the places that have a bucket.
func inBuckets(t *testing.T, test func(h *house)) { in(t, places[1:], test) }

func in(t *testing.T, places []place, test func(h *house)) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			h := &house{TB: t, config: tasklog.Config{Dir: filepath.Join(t.TempDir(), "spool")}}
			if p.bucket != nil {
				h.config.Bucket = p.bucket(t)
			}
			h.open()
			t.Cleanup(func() { h.must(h.Close()) })
			test(h)
		})
	}
}

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *house) open() {
	h.Helper()
	d, err := tasklog.OpenStill(h.config)
	h.must(err)
	h.Dir = d
}

// restart is a crash and a new start.
func (h *house) restart() {
	h.Helper()
	h.must(h.Crash())
	h.open()
}

func (h *house) ship() {
	h.Helper()
	h.must(h.Ship(h.Context()))
}

// reader is a process of the same instance that only shows logs: on another
// machine when there is a bucket.
func (h *house) reader() *tasklog.Dir {
	h.Helper()
	c := h.config
	c.ReadOnly = true
	if c.Bucket != "" {
		c.Dir = filepath.Join(h.TempDir(), "elsewhere")
	}
	d, err := tasklog.Open(c)
	h.must(err)
	h.Cleanup(func() { h.must(d.Close()) })
	return d
}

func (h *house) write(k dag.AttemptKey, text string) {
	h.Helper()
	f, err := h.File(k)
	h.must(err)
	_, err = f.WriteString(text)
	h.must(errors.Join(err, f.Close()))
}

func (h *house) seal(k dag.AttemptKey) {
	h.Helper()
	h.must(h.Seal(k))
}

// inSpool says whether the file of a log is in the folder.
func (h *house) inSpool(k dag.AttemptKey) bool {
	_, err := os.Stat(h.file(k))
	return err == nil
}

func (h *house) file(k dag.AttemptKey) string {
	return filepath.Join(h.config.Dir, "dag_id="+string(k.DAG), "run_id="+string(k.Run), "task_id="+string(k.Task),
		fmt.Sprintf("attempt=%d.log", k.Try))
}

func read(t testing.TB, d *tasklog.Dir, k dag.AttemptKey, offset, n int64) string {
	t.Helper()
	r, err := d.ReadAt(k, offset, n)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func wantInfo(t testing.TB, d *tasklog.Dir, k dag.AttemptKey, want tasklog.Info) {
	t.Helper()
	got, err := d.Stat(k)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Stat (-want +got):\n%s%v", diff, err)
	}
}

func wantGone(t testing.TB, d *tasklog.Dir, k dag.AttemptKey) {
	t.Helper()
	if info, err := d.Stat(k); !errors.Is(err, dag.ErrNotFound) {
		t.Errorf("Stat of no log: %+v, %v", info, err)
	}
	if _, err := d.ReadAt(k, 0, 1); !errors.Is(err, dag.ErrNotFound) {
		t.Errorf("ReadAt of no log: %v", err)
	}
}

// TestPlacesReadAlike reads a log that grows, then is sealed, then is where it
// stays, with and without restarts, in the writing process and in another.
func TestPlacesReadAlike(t *testing.T) {
	t.Parallel()
	everywhere(t, func(h *house) {
		other := h.reader()
		for _, d := range []*tasklog.Dir{h.Dir, other} {
			wantGone(t, d, key)
		}
		h.write(key, "one\ntwo\n")
		h.ship()
		checkReads(h, other, "one\ntwo\n", false)
		h.write(key, "three")
		h.ship()
		checkReads(h, other, "one\ntwo\nthree", false)
		h.restart()
		checkReads(h, other, "one\ntwo\nthree", false)
		h.write(key, "\nfour\n")
		h.seal(key)
		if got := read(h, h.Dir, key, 0, 100); got != "one\ntwo\nthree\nfour\n" {
			t.Errorf("sealed log: %q", got)
		}
		h.ship()
		for range 3 {
			checkReads(h, other, "one\ntwo\nthree\nfour\n", true)
			h.seal(key)
			checkReads(h, other, "one\ntwo\nthree\nfour\n", true)
			if f, err := h.File(key); !errors.Is(err, dag.ErrConflict) {
				t.Errorf("File of a sealed log: %v, %v", f, err)
			}
			h.ship()
			h.restart()
		}
		if want := h.config.Bucket == ""; h.inSpool(key) != want {
			t.Errorf("the file is in the spool: %v, want %v", !want, want)
		}
		h.must(h.Remove(key.DAG, key.Run))
		h.must(h.Remove(key.DAG, key.Run))
		for _, d := range []*tasklog.Dir{h.Dir, other} {
			wantGone(t, d, key)
		}
	})
}

// checkReads compares all ways to read with what the log must be.
func checkReads(h *house, other *tasklog.Dir, want string, sealed bool) {
	h.Helper()
	for who, d := range map[string]*tasklog.Dir{"writer": h.Dir, "reader": other} {
		wantInfo(h, d, key, tasklog.Info{Size: int64(len(want)), Sealed: sealed})
		for _, part := range []struct{ offset, n int }{{0, len(want)}, {0, 1}, {3, 4}, {5, 1000}, {len(want), 5},
			{1 << 30, 5}, {2, 0}} {
			from := min(part.offset, len(want))
			if got := read(h, d, key, int64(part.offset), int64(part.n)); got != want[from:min(from+part.n, len(want))] {
				h.Errorf("%s: ReadAt(%d, %d) = %q of %q", who, part.offset, part.n, got, want)
			}
		}
		if _, err := d.ReadAt(key, -1, 5); !errors.Is(err, dag.ErrInvalid) {
			h.Errorf("%s: ReadAt(-1): %v", who, err)
		}
		if !sealed {
			continue
		}
		var got bytes.Buffer
		err := d.Follow(h.Context(), key, 4, func(_ int64, lines []byte) error { got.Write(lines); return nil })
		if err != nil || got.String() != want[4:] {
			h.Errorf("%s: Follow: %q, %v", who, got.String(), err)
		}
		if err := d.Follow(h.Context(), key, 1<<40, nil); !errors.Is(err, tasklog.ErrShort) {
			h.Errorf("%s: Follow beyond the end: %v", who, err)
		}
	}
}

// TestPlacesFollow has followers in two processes, with all that runs beside,
// read exactly what is written, in whole lines.
func TestPlacesFollow(t *testing.T) {
	t.Parallel()
	everywhere(t, func(h *house) {
		h.must(h.Crash())
		d, err := tasklog.Open(h.config)
		h.must(err)
		h.Dir = d
		other := h.reader()
		type result struct {
			text string
			err  error
		}
		results := make(chan result, 2)
		begun := make(chan struct{}, 2)
		for _, d := range []*tasklog.Dir{h.Dir, other} {
			go func() {
				text, err := followWhole(h.Context(), d, begun)
				results <- result{text, err}
			}()
		}
		var want strings.Builder
		for i := range 20000 {
			line := fmt.Sprintf("line %d %s\n", i, strings.Repeat("x", i%300))
			want.WriteString(line)
		}
		want.WriteString("the end")
		half := want.Len() / 2
		h.write(key, want.String()[:half])
		<-begun
		<-begun
		h.write(key, want.String()[half:])
		h.seal(key)
		for range 2 {
			if r := <-results; r.err != nil || r.text != want.String() {
				t.Errorf("followed %d bytes, want %d: %v", len(r.text), want.Len(), r.err)
			}
		}
	})
}

// followWhole follows a log from its start and checks each piece.
func followWhole(ctx context.Context, d *tasklog.Dir, begun chan<- struct{}) (string, error) {
	var got bytes.Buffer
	half := false
	err := d.Follow(ctx, key, 0, func(offset int64, lines []byte) error {
		if offset != int64(got.Len()) {
			return fmt.Errorf("offset %d after %d bytes", offset, got.Len())
		}
		if half {
			return errors.New("half a line was not the last one")
		}
		if offset == 0 {
			begun <- struct{}{}
		}
		half = !bytes.HasSuffix(lines, []byte("\n"))
		got.Write(lines)
		return nil
	})
	return got.String(), err
}

func TestPlacesFollowOfRemovedLog(t *testing.T) {
	t.Parallel()
	everywhere(t, func(h *house) {
		h.write(key, "one\n")
		h.ship()
		other := h.reader()
		err := other.Follow(t.Context(), key, 0, func(int64, []byte) error { return h.Remove(key.DAG, key.Run) })
		if !errors.Is(err, dag.ErrNotFound) {
			t.Errorf("Follow of a removed log: %v", err)
		}
	})
}

func TestPlacesRemoveOneRun(t *testing.T) {
	t.Parallel()
	everywhere(t, func(h *house) {
		kept, growing := key, key
		kept.Run += "0" // a longer name that begins alike
		growing.Task = "second"
		for _, k := range []dag.AttemptKey{key, kept, growing} {
			h.write(k, "x\n")
		}
		h.seal(key)
		h.seal(kept)
		h.ship()
		h.must(h.Remove(key.DAG, key.Run))
		h.ship()
		h.restart()
		for _, d := range []*tasklog.Dir{h.Dir, h.reader()} {
			wantGone(t, d, key)
			wantGone(t, d, growing)
			wantInfo(t, d, kept, tasklog.Info{Size: 2, Sealed: true})
		}
	})
}

func TestPlacesOddNames(t *testing.T) {
	t.Parallel()
	everywhere(t, func(h *house) {
		for _, id := range []string{".", "..", "...", "a b", "a%2Fb", "модель", "a=b", "~", "x.log", "a__0x2f__b", "<&>",
			strings.Repeat("x", 250)} {
			k := dag.AttemptKey{DAG: dag.ID(id), Run: dag.RunID(id), Task: dag.TaskID(id), Try: 1}
			h.write(k, id)
			h.seal(k)
			h.ship()
			if got := read(t, h.reader(), k, 0, 1000); got != id {
				t.Errorf("%q: the log is %q", id, got)
			}
		}
	})
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	everywhere(t, func(h *house) {
		other := h.reader()
		_, fileErr := other.File(key)
		for what, err := range map[string]error{"File": fileErr, "Seal": other.Seal(key),
			"Remove": other.Remove(key.DAG, key.Run)} {
			if !errors.Is(err, dag.ErrInvalid) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// TestEmptyLog has a log that was never written be a log all the same.
func TestEmptyLog(t *testing.T) {
	t.Parallel()
	everywhere(t, func(h *house) {
		h.seal(key)
		h.ship()
		h.restart()
		for _, d := range []*tasklog.Dir{h.Dir, h.reader()} {
			wantInfo(t, d, key, tasklog.Info{Sealed: true})
			if err := d.Follow(t.Context(), key, 0, nil); err != nil {
				t.Error(err)
			}
		}
	})
}
