package limit

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// limited opens a log within limits, at a fixed time.
func limited(t *testing.T, path string, l Limits) *Appender {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Append(f)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 31, 3, 0, 0, 0, time.UTC)
	a.now = func() time.Time { return at }
	return a
}

const cutAt20 = "2026-01-31T03:00:00.000000000Z dagwright: the log is cut here: a log has 20 bytes at most; " +
	"the task goes on, and what it writes from here on is dropped\n"

func TestAppenderCutsAtTheLimit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		writes []string
		want   string
		cut    bool
	}{
		"below":    {[]string{"nineteen bytes here"}, "nineteen bytes here", false},
		"exactly":  {[]string{"a line of 20 bytes.\n"}, "a line of 20 bytes.\n", false},
		"one more": {[]string{"a line of 20 bytes.\n", "x"}, "a line of 20 bytes.\n" + cutAt20 + dropped("1"), true},
		"within a line": {[]string{"short\n", strings.Repeat("x", 100)},
			"short\n" + strings.Repeat("x", 14) + "\n" + cutAt20 + dropped("86"), true},
		"goes on": {[]string{strings.Repeat("y", 21), "more\n", "and more\n"},
			strings.Repeat("y", 20) + "\n" + cutAt20 + dropped("15"), true},
		"nothing written": {nil, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "a.log")
			a := limited(t, path, Limits{MaxBytes: 20})
			for _, text := range test.writes {
				if n, err := io.WriteString(a, text); err != nil || n != len(text) {
					t.Fatalf("write: %d, %v", n, err)
				}
			}
			if a.Cut() != test.cut {
				t.Errorf("cut: %t", a.Cut())
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(path); string(got) != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func dropped(n string) string {
	return "2026-01-31T03:00:00.000000000Z dagwright: " + n + " bytes of output were dropped\n"
}

// TestAppenderGoesOn opens a log again that was cut before.
func TestAppenderGoesOn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log")
	for range 2 {
		a := limited(t, path, Limits{MaxBytes: 20})
		if _, err := io.WriteString(a, strings.Repeat("z", 21)); err != nil {
			t.Fatal(err)
		}
		if err := a.Note([]byte("dagwright: exit code 1\n")); err != nil {
			t.Fatal(err)
		}
		a.state.Dropped = 0
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	want := strings.Repeat("z", 20) + "\n" + cutAt20 + strings.Repeat("dagwright: exit code 1\n", 2)
	if got, _ := os.ReadFile(path); string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestAppenderWhenSpaceIsShort cuts large logs and leaves small ones room.
func TestAppenderWhenSpaceIsShort(t *testing.T) {
	t.Parallel()
	full := filepath.Join(t.TempDir(), "full")
	if err := os.WriteFile(full, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	free := freeBytes(t)
	for name, test := range map[string]struct {
		limits Limits
		most   int
	}{
		"the instance's limit":     {Limits{Full: full}, shortBytes},
		"a smaller limit of a try": {Limits{Full: full, MaxBytes: 100}, 100},
		"little free":              {Limits{MinFree: free + free/2}, shortBytes},
		"next to nothing free":     {Limits{MinFree: 3 * free}, 0},
		"space for all":            {Limits{MinFree: 1, Full: full + "er", MaxBytes: 1 << 30}, 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "a.log")
			a := limited(t, path, test.limits)
			line := bytes.Repeat([]byte("x"), 1024)
			for range 1024 {
				if _, err := a.Write(line); err != nil {
					t.Fatal(err)
				}
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := bytes.Count(text, []byte("x")); got != test.most {
				t.Errorf("%d bytes of the task are in the log, want %d", got, test.most)
			}
			if marked := bytes.Contains(text, []byte("the log is cut here: ")); marked != (test.most < 1<<20) {
				t.Errorf("marked: %t", marked)
			}
		})
	}
}

func freeBytes(t *testing.T) int64 {
	t.Helper()
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	free, _, err := Disk(f)
	if err != nil {
		t.Fatal(err)
	}
	return free
}

// TestAppenderOnAFullDisk writes to a device that is always full: the writer
// goes on, and nothing is said where nothing can be.
func TestAppenderOnAFullDisk(t *testing.T) {
	t.Parallel()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Limits{MaxBytes: 1 << 20}.Append(f)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if n, err := a.Write([]byte("line\n")); n != 5 || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	if !a.Cut() {
		t.Error("the log is not cut")
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// TestLimitsCross wants limits unharmed on their way to another process.
func TestLimitsCross(t *testing.T) {
	t.Parallel()
	want := Limits{MaxBytes: 1, MinFree: 2, Full: "/data/logs/.full"}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Limits
	if err := json.Unmarshal(text, &got); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}
