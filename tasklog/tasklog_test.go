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
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"dagwright/dag"
	"dagwright/tasklog"
)

func TestMain(m *testing.M) {
	setCredentials()
	tasklog.AskOnce()
	goleak.VerifyTestMain(m)
}

var key = dag.AttemptKey{DAG: "churn-model", Run: "manual__2026-01-31T03:00:00+00:00", Task: "run_model", Try: 1}

func openDir(t testing.TB) (*tasklog.Dir, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "logs")
	d, err := tasklog.Open(tasklog.Config{Dir: root})
	if err != nil {
		t.Fatal(err)
	}
	return d, root
}

func write(t testing.TB, d *tasklog.Dir, text string) {
	t.Helper()
	f, err := d.File(key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func seal(t testing.TB, d *tasklog.Dir) {
	t.Helper()
	if err := d.Seal(key); err != nil {
		t.Fatal(err)
	}
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	d, root := openDir(t)
	write(t, d, "x\n")
	if _, err := os.Stat(filepath.Join(root,
		"dag_id=churn-model/run_id=manual__2026-01-31T03:00:00+00:00/task_id=run_model/attempt=1.log")); err != nil {
		t.Error(err)
	}
}

func TestStatAndSeal(t *testing.T) {
	t.Parallel()
	d, root := openDir(t)
	if _, err := d.Stat(key); !errors.Is(err, dag.ErrNotFound) {
		t.Errorf("Stat of no log: %v", err)
	}
	if _, err := d.ReadAt(key, 0, 1); !errors.Is(err, dag.ErrNotFound) {
		t.Errorf("ReadAt of no log: %v", err)
	}
	write(t, d, "one\n")
	write(t, d, "two\n")
	assertInfo(t, d, tasklog.Info{Size: 8})
	seal(t, d)
	seal(t, d)
	assertInfo(t, d, tasklog.Info{Size: 8, Sealed: true})
	if f, err := d.File(key); !errors.Is(err, dag.ErrConflict) {
		t.Errorf("File of a sealed log: %v, %v", f, err)
	}
	again, err := tasklog.Open(tasklog.Config{Dir: root})
	if err != nil {
		t.Fatal(err)
	}
	assertInfo(t, again, tasklog.Info{Size: 8, Sealed: true})
	if err := again.Remove(key.DAG, key.Run); err != nil {
		t.Fatal(err)
	}
	if err := again.Remove(key.DAG, key.Run); err != nil {
		t.Errorf("Remove again: %v", err)
	}
	if _, err := d.Stat(key); !errors.Is(err, dag.ErrNotFound) {
		t.Errorf("Stat after Remove: %v", err)
	}
	seal(t, d)
	assertInfo(t, d, tasklog.Info{Sealed: true})
}

func assertInfo(t *testing.T, d *tasklog.Dir, want tasklog.Info) {
	t.Helper()
	got, err := d.Stat(key)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Stat (-want +got):\n%s%v", diff, err)
	}
}

func TestHostileKeys(t *testing.T) {
	t.Parallel()
	d, root := openDir(t)
	for _, id := range []string{"", "../x", "x/..", "a/b", "/etc", "a\x00b", "a\nb", "a\u0085b", "\xff",
		strings.Repeat("x", 251)} {
		for _, k := range []dag.AttemptKey{
			{DAG: dag.ID(id), Run: "r", Task: "t"}, {DAG: "d", Run: dag.RunID(id), Task: "t"},
			{DAG: "d", Run: "r", Task: dag.TaskID(id)},
		} {
			_, fileErr := d.File(k)
			_, statErr := d.Stat(k)
			_, readErr := d.ReadAt(k, 0, 1)
			followErr := d.Follow(t.Context(), k, 0, nil)
			for _, err := range []error{fileErr, statErr, readErr, followErr, d.Seal(k)} {
				if !errors.Is(err, dag.ErrInvalid) {
					t.Errorf("%+v: %v, want dag.ErrInvalid", k, err)
				}
			}
		}
		if err := d.Remove(dag.ID(id), "r"); !errors.Is(err, dag.ErrInvalid) {
			t.Errorf("Remove %q: %v", id, err)
		}
	}
	if left, err := os.ReadDir(root); len(left) != 0 || err != nil {
		t.Errorf("hostile keys made %v, %v", left, err)
	}
}

// TestDotsInIDs wants every id that dag.CheckID or dag.CheckRunID allows to have
// a log of its own, below the folder.
func TestDotsInIDs(t *testing.T) {
	t.Parallel()
	d, root := openDir(t)
	for _, id := range []string{"a..b", "..a", "a..", "...", ".", ".."} {
		k := dag.AttemptKey{DAG: dag.ID(id), Run: dag.RunID(id), Task: dag.TaskID(id), Try: 1}
		f, err := d.File(k)
		if err != nil {
			t.Errorf("%q: %v", id, err)
			continue
		}
		_, writeErr := f.WriteString(id)
		if err := errors.Join(writeErr, f.Close(), d.Seal(k)); err != nil {
			t.Errorf("%q: %v", id, err)
		}
		name := filepath.Join(root, "dag_id="+id, "run_id="+id, "task_id="+id, "attempt=1.log")
		if text, err := os.ReadFile(name); err != nil || string(text) != id {
			t.Errorf("%q: the file has %q, %v", id, text, err)
		}
		if err := d.Remove(k.DAG, k.Run); err != nil {
			t.Errorf("%q: %v", id, err)
		}
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: after Remove: %v", id, err)
		}
	}
}

func TestSymlinkIsNotFollowed(t *testing.T) {
	t.Parallel()
	d, root := openDir(t)
	if err := os.Symlink(t.TempDir(), filepath.Join(root, "dag_id=churn-model")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.File(key); err == nil {
		t.Error("a log was opened outside of the folder")
	}
}

func TestReadAt(t *testing.T) {
	t.Parallel()
	d, _ := openDir(t)
	write(t, d, "0123456789")
	for _, test := range []struct {
		offset, n int64
		want      string
	}{{0, 10, "0123456789"}, {3, 4, "3456"}, {8, 100, "89"}, {10, 5, ""}, {99, 5, ""}, {2, 0, ""}} {
		r, err := d.ReadAt(key, test.offset, test.n)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if string(got) != test.want || err != nil {
			t.Errorf("ReadAt(%d, %d) = %q, %v", test.offset, test.n, got, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := d.ReadAt(key, -1, 5); !errors.Is(err, dag.ErrInvalid) {
		t.Errorf("ReadAt(-1): %v", err)
	}
}

// TestFollow has several followers, some of whom come before the log, read
// exactly what is written, in whole lines.
func TestFollow(t *testing.T) {
	t.Parallel()
	d, _ := openDir(t)
	var want strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&want, "line %d %s\n", i, strings.Repeat("x", i%300))
	}
	want.WriteString("no newline at the end")
	const followers = 4
	var wg sync.WaitGroup
	first := make(chan struct{}, followers)
	got := make([]bytes.Buffer, followers)
	for i := range followers {
		wg.Go(func() {
			err := d.Follow(t.Context(), key, 0, func(offset int64, lines []byte) error {
				if offset != int64(got[i].Len()) {
					return fmt.Errorf("offset %d after %d bytes", offset, got[i].Len())
				}
				if offset == 0 {
					first <- struct{}{}
				}
				last := offset+int64(len(lines)) == int64(want.Len())
				if !last && !bytes.HasSuffix(lines, []byte("\n")) {
					return fmt.Errorf("half a line: %q", lines)
				}
				got[i].Write(lines)
				return nil
			})
			if err != nil {
				t.Errorf("Follow: %v", err)
			}
		})
	}
	f, err := d.File(key)
	if err != nil {
		t.Fatal(err)
	}
	text := want.String()
	for n := 1; len(text) > 0; n = n%997 + 13 {
		piece := text[:min(n, len(text))]
		text = text[len(piece):]
		if _, err := f.WriteString(piece); err != nil {
			t.Fatal(err)
		}
	}
	for range followers { // all are under way before the end
		<-first
	}
	seal(t, d)
	wg.Wait()
	f.Close()
	for i := range got {
		if got[i].String() != want.String() {
			t.Errorf("follower %d read %d bytes, want %d", i, got[i].Len(), want.Len())
		}
	}
}

func TestFollowFromOffsetAndLongLine(t *testing.T) {
	t.Parallel()
	d, _ := openDir(t)
	long := strings.Repeat("y", 1<<20)
	write(t, d, "one\ntwo\n"+long+"\nend")
	seal(t, d)
	var got bytes.Buffer
	err := d.Follow(t.Context(), key, 4, func(_ int64, lines []byte) error { got.Write(lines); return nil })
	if err != nil || got.String() != "two\n"+long+"\nend" {
		t.Errorf("Follow: %d bytes, %v", got.Len(), err)
	}
	if err := d.Follow(t.Context(), key, 1<<40, nil); !errors.Is(err, tasklog.ErrShort) {
		t.Errorf("Follow beyond the end of a sealed log: %v", err)
	}
}

// TestFollowOfACutLog cuts the file under a follower, to nothing and in the middle,
// before and after its place: it says so, and what is written again is not taken
// for what comes next.
func TestFollowOfACutLog(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int64{"to nothing": 0, "within what was read": 3, "an unfinished line": 9} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _ := openDir(t)
			write(t, d, "one\ntwo\nthree")
			f, err := d.File(key)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var got bytes.Buffer
			err = d.Follow(t.Context(), key, 0, func(_ int64, lines []byte) error {
				got.Write(lines)
				return f.Truncate(size)
			})
			if !errors.Is(err, tasklog.ErrShort) || got.String() != "one\ntwo\n" {
				t.Errorf("Follow: %q, %v", got.String(), err)
			}
			seal(t, d)
			if err := d.Follow(t.Context(), key, 13, nil); !errors.Is(err, tasklog.ErrShort) {
				t.Errorf("Follow from the old end: %v", err)
			}
		})
	}
}

func TestFollowEnds(t *testing.T) {
	t.Parallel()
	d, _ := openDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Follow(ctx, key, 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Follow of no log: %v", err)
	}
	write(t, d, "x\n")
	fault := errors.New("reader is gone")
	if err := d.Follow(t.Context(), key, 0, func(int64, []byte) error { return fault }); !errors.Is(err, fault) {
		t.Errorf("Follow: %v, want fn's error", err)
	}
	err := d.Follow(t.Context(), key, 0, func(int64, []byte) error { return d.Remove(key.DAG, key.Run) })
	if !errors.Is(err, dag.ErrNotFound) {
		t.Errorf("Follow of a removed log: %v", err)
	}
}

func BenchmarkAppendAndSeal(b *testing.B) {
	d, _ := openDir(b)
	for i := range b.N {
		k := key
		k.Try = i
		f, err := d.File(k)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.WriteString("a line of output\n"); err != nil {
			b.Fatal(err)
		}
		if err := errors.Join(f.Close(), d.Seal(k)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFollow is the time from a write to its delivery.
func BenchmarkFollow(b *testing.B) {
	d, _ := openDir(b)
	f, err := d.File(key)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	line := []byte("a line of output\n")
	n := 0
	b.ResetTimer()
	if _, err := f.Write(line); err != nil {
		b.Fatal(err)
	}
	err = d.Follow(b.Context(), key, 0, func(int64, []byte) error {
		if n++; n == b.N {
			return d.Seal(key)
		}
		_, err := f.Write(line)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}
