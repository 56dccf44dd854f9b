package tasklog_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"testing"

	"dagwright/tasklog"
)

// allocated is how much memory f takes in all, whether it is given back or
// not. Tests that use it are not parallel, so nothing else is counted.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestMemory reads, follows and uploads logs of long lines without taking
// memory for what is long: neither for the log nor for the line.
func TestMemory(t *testing.T) {
	const most = 2 << 20
	for _, test := range []struct {
		name       string
		size, line int64
		places     []place
	}{
		{"100 MB of short lines", 100 << 20, 100, places},
		{"lines of 1 MB", 100 << 20, 1 << 20, places},
		{"a line of 100 MB", 100 << 20, 100 << 20, places[1:]},
		{"a line of 1 GB", 1 << 30, 1 << 30, places[:1]},
	} {
		for _, p := range test.places {
			t.Run(test.name+" in "+p.name, func(t *testing.T) {
				h := &house{TB: t, config: tasklog.Config{Dir: t.TempDir()}}
				if p.bucket != nil {
					h.config.Bucket = p.bucket(t)
				}
				h.open()
				defer func() { h.must(h.Close()) }()
				writeLines(h, test.size, test.line)
				// An upload holds parts of 5 MiB, and a library takes some 80
				// KiB for each. Under the race detector parts are used again less.
				wantAllocated(t, "upload", 40<<20+test.size/50, func() { h.ship() })
				wantAllocated(t, "follow", most, func() { wantLength(h, test.size, follow) })
				wantAllocated(t, "read", most, func() { wantLength(h, test.size, copyAll) })
			})
		}
	}
}

func wantAllocated(t *testing.T, what string, most int64, f func()) {
	t.Helper()
	got := allocated(f)
	t.Logf("%s took %d KiB", what, got>>10)
	if got > most {
		t.Errorf("%s took %d bytes of memory, want %d at most", what, got, most)
	}
}

// writeLines writes a sealed log of lines of equal length. What is one line is
// a hole in the file.
func writeLines(h *house, size, length int64) {
	f, err := h.File(key)
	h.must(err)
	if length == size {
		h.must(f.Truncate(size))
	}
	piece := bytes.Repeat([]byte("x"), 1<<20/int(min(length, 1<<20))*int(min(length, 1<<20)))
	for i := range piece {
		if (int64(i)+1)%length == 0 {
			piece[i] = '\n'
		}
	}
	for at := int64(0); at < size && length < size; at += int64(len(piece)) {
		_, err := f.Write(piece[:min(int64(len(piece)), size-at)])
		h.must(err)
	}
	h.must(errors.Join(f.Close(), h.Seal(key)))
}

func wantLength(h *house, want int64, read func(*house) (int64, error)) {
	h.Helper()
	got, err := read(h)
	h.must(err)
	if got != want {
		h.Errorf("read %d bytes, want %d", got, want)
	}
}

func follow(h *house) (n int64, err error) {
	err = h.Follow(h.Context(), key, 0, func(_ int64, lines []byte) error { n += int64(len(lines)); return nil })
	return n, err
}

func copyAll(h *house) (int64, error) {
	r, err := h.ReadAt(key, 0, 1<<40)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, r)
	return n, errors.Join(err, r.Close())
}

// BenchmarkUpload uploads a sealed log of 100 MB to S3.
func BenchmarkUpload(b *testing.B) {
	h := &house{TB: b, config: tasklog.Config{Dir: b.TempDir(), Bucket: newBucket(b, sharedS3(b))}}
	h.open()
	defer func() { h.must(h.Close()) }()
	const size = 100 << 20
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		h.must(h.Remove(key.DAG, key.Run))
		writeLines(h, size, 100)
		b.StartTimer()
		h.ship()
	}
}

// BenchmarkFollowBucket follows a sealed log of 100 MB in S3.
func BenchmarkFollowBucket(b *testing.B) {
	h := &house{TB: b, config: tasklog.Config{Dir: b.TempDir(), Bucket: newBucket(b, sharedS3(b))}}
	h.open()
	defer func() { h.must(h.Close()) }()
	const size = 100 << 20
	writeLines(h, size, 100)
	h.ship()
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		wantLength(h, size, follow)
	}
}

// BenchmarkOpen opens a spool with the marks of 100,000 uploaded logs.
func BenchmarkOpen(b *testing.B) {
	h := &house{TB: b, config: tasklog.Config{Dir: b.TempDir(), Bucket: "file://" + b.TempDir()}}
	for i := range 100_000 {
		k := key
		k.Try = i
		if i == 0 {
			h.open()
			h.write(k, "x")
			h.must(h.Close())
		}
		h.must(os.WriteFile(h.file(k)+".uploaded", nil, 0o440))
	}
	for b.Loop() {
		h.open()
		h.must(h.Close())
	}
}

// BenchmarkSeenElsewhere is the time from a write to its delivery in another
// process, through S3.
func BenchmarkSeenElsewhere(b *testing.B) {
	c := tasklog.Config{Dir: b.TempDir(), Bucket: newBucket(b, sharedS3(b))}
	d, err := tasklog.Open(c)
	if err != nil {
		b.Fatal(err)
	}
	h := &house{TB: b, config: c, Dir: d}
	defer func() { h.must(h.Close()) }()
	other := h.reader()
	n := 0
	h.write(key, "a line\n")
	b.ResetTimer()
	err = other.Follow(b.Context(), key, 0, func(int64, []byte) error {
		if n++; n == b.N {
			return d.Seal(key)
		}
		h.write(key, "a line\n")
		return nil
	})
	h.must(err)
}
