package tasklog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"dagwright/dag"
)

// openQuiet opens a folder without anything that runs beside.
func openQuiet(t *testing.T, c Config) *Dir {
	t.Helper()
	d, err := open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func logOf(task string) dag.AttemptKey {
	return dag.AttemptKey{DAG: "d", Run: "r", Task: dag.TaskID(task), Try: 1}
}

func writeTo(t *testing.T, d *Dir, key dag.AttemptKey, n int) {
	t.Helper()
	a, err := d.Append(key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// look does what guard does each second.
func look(t *testing.T, d *Dir) Space {
	t.Helper()
	d.spool.measure()
	d.setFull(false)
	s, err := d.Space()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestUsage follows the count of all logs through what can happen to them, and
// compares it with a new count each time.
func TestUsage(t *testing.T) {
	t.Parallel()
	d := openQuiet(t, Config{Dir: t.TempDir(), MaxBytes: 1000})
	if err := d.spool.count(); err != nil {
		t.Fatal(err)
	}
	step := func(what string, want int64, full bool) {
		t.Helper()
		s := look(t, d)
		if s.Used != want || s.Full() != full {
			t.Errorf("%s: %d bytes, full %t; want %d, %t", what, s.Used, s.Full(), want, full)
		}
		if _, err := os.Stat(d.Limits().Full); (err == nil) != full {
			t.Errorf("%s: mark: %v", what, err)
		}
		if err := d.spool.count(); err != nil {
			t.Fatal(err)
		}
		if got := d.spool.usage.total(); got != want {
			t.Errorf("%s: counted again: %d, want %d", what, got, want)
		}
	}
	step("empty", 0, false)
	writeTo(t, d, logOf("a"), 400)
	step("one grows", 400, false)
	writeTo(t, d, logOf("a"), 200)
	step("it grows on", 600, false)
	if err := d.Seal(logOf("a")); err != nil {
		t.Fatal(err)
	}
	step("it is sealed", 600, false)
	writeTo(t, d, logOf("b"), 399)
	step("just below", 999, false)
	writeTo(t, d, dag.AttemptKey{DAG: "d", Run: "other", Task: "a", Try: 1}, 1)
	step("at the limit", 1000, true)
	name, err := logName(logOf("b"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.spool.remove(name); err != nil {
		t.Fatal(err)
	}
	step("one is removed", 601, false)
	if err := d.Remove("d", "r"); err != nil {
		t.Fatal(err)
	}
	step("a run is removed", 1, false)
}

// TestDefaultLimits wants limits where the configuration names none, by the
// size of the file system.
func TestDefaultLimits(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	s := &spool{path: "/logs"}
	for name, test := range map[string]struct {
		config Config
		size   int64
		want   Limits
		all    int64
	}{
		"large disk": {Config{}, 100 * gib, Limits{MaxBytes: 256 << 20, MinFree: 512 << 20, Full: "/logs/.full"}, 80 * gib},
		"small disk": {Config{}, 1000, Limits{MaxBytes: 256 << 20, MinFree: 50, Full: "/logs/.full"}, 800},
		"none":       {Config{MaxBytesPerTry: -1, MaxBytes: -1, MinFree: -1}, gib, Limits{}, 0},
		"named": {Config{MaxBytesPerTry: 1, MaxBytes: 2, MinFree: 3}, gib,
			Limits{MaxBytes: 1, MinFree: 3, Full: "/logs/.full"}, 2},
	} {
		got, all := newLimits(test.config, s, test.size)
		if got != test.want || all != test.all {
			t.Errorf("%s: got %+v, %d; want %+v, %d", name, got, all, test.want, test.all)
		}
	}
}

// TestFullOutlivesARestart takes away the mark of a folder that is full no more.
func TestFullOutlivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fullMark), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := openQuiet(t, Config{Dir: dir})
	look(t, d)
	if _, err := os.Stat(d.Limits().Full); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("mark: %v", err)
	}
}
