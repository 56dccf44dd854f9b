package tasklog_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/tasklog"
)

var lineAt = time.Date(2026, 1, 31, 3, 0, 1, 20, time.UTC)

const lineStamp = "2026-01-31T03:00:01.000000020Z"

// TestLines has lines that are written as they are read.
func TestLines(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 63)
	for name, test := range map[string]struct {
		line string
		want tasklog.Line
	}{
		"plain":      {"hello", tasklog.Line{Text: "hello"}},
		"empty":      {"", tasklog.Line{}},
		"not UTF-8":  {"\xff\x00", tasklog.Line{Text: "\xff\x00"}},
		"base":       {lineStamp + " hello", tasklog.Line{Time: lineAt, Text: "hello"}},
		"empty base": {lineStamp + " ", tasklog.Line{Time: lineAt}},
		"space":      {lineStamp + "   File x", tasklog.Line{Time: lineAt, Text: "  File x"}},
		"container": {lineStamp + " [side-car1] hello",
			tasklog.Line{Time: lineAt, Container: "side-car1", Text: "hello"}},
		"all digits": {lineStamp + " [c-0123456789] x",
			tasklog.Line{Time: lineAt, Container: "c-0123456789", Text: "x"}},
		"all letters":        {lineStamp + " [az-9] x", tasklog.Line{Time: lineAt, Container: "az-9", Text: "x"}},
		"longest name":       {lineStamp + " [" + label + "] x", tasklog.Line{Time: lineAt, Container: label, Text: "x"}},
		"too long a name":    {lineStamp + " [" + label + "a] x", tasklog.Line{Time: lineAt, Text: "[" + label + "a] x"}},
		"empty of container": {lineStamp + " [c] ", tasklog.Line{Time: lineAt, Container: "c"}},
		"own": {lineStamp + " dagwright: pod was evicted",
			tasklog.Line{Time: lineAt, Own: true, Text: "pod was evicted"}},
		"level":               {lineStamp + " [INFO] hello", tasklog.Line{Time: lineAt, Text: "[INFO] hello"}},
		"list":                {lineStamp + " [1, 2] hello", tasklog.Line{Time: lineAt, Text: "[1, 2] hello"}},
		"hyphen":              {lineStamp + " [-a] hello", tasklog.Line{Time: lineAt, Text: "[-a] hello"}},
		"base like container": {lineStamp + " [] [info] hello", tasklog.Line{Time: lineAt, Text: "[info] hello"}},
		"base like own":       {lineStamp + " [] dagwright: hello", tasklog.Line{Time: lineAt, Text: "dagwright: hello"}},
		"base like base":      {lineStamp + " [] [] hello", tasklog.Line{Time: lineAt, Text: "[] hello"}},
		"no space":            {lineStamp, tasklog.Line{Text: lineStamp}},
		"no such day":         {"2026-02-31T03:00:01.000000020Z x", tasklog.Line{Text: "2026-02-31T03:00:01.000000020Z x"}},
		"comma":               {"2026-01-31T03:00:01,000000020Z x", tasklog.Line{Text: "2026-01-31T03:00:01,000000020Z x"}},
		"six digits": {"2026-01-31T03:00:01.000020Z x      ",
			tasklog.Line{Text: "2026-01-31T03:00:01.000020Z x      "}},
		"zone":           {"2026-01-31T03:00:01.0000+03:00 x", tasklog.Line{Text: "2026-01-31T03:00:01.0000+03:00 x"}},
		"text like time": {"0001-01-01T00:00:00.000000000Z " + lineStamp + " x", tasklog.Line{Text: lineStamp + " x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, line := range []string{test.line, test.line + "\n"} {
				if diff := cmp.Diff(test.want, tasklog.ParseLine([]byte(line))); diff != "" {
					t.Errorf("ParseLine(%q) (-want +got):\n%s", line, diff)
				}
			}
			if got := string(tasklog.AppendLine([]byte("before"), test.want)); got != "before"+test.line {
				t.Errorf("AppendLine = %q, want %q", got, "before"+test.line)
			}
		})
	}
}

// TestAppendLines has each line of a text be a line of its writer.
func TestAppendLines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"one\ntwo": lineStamp + " dagwright: one\n" + lineStamp + " dagwright: two",
		"one\n\n":  lineStamp + " dagwright: one\n" + lineStamp + " dagwright: \n" + lineStamp + " dagwright: ",
	} {
		got := string(tasklog.AppendLine(nil, tasklog.Line{Time: lineAt, Own: true, Text: text}))
		if got != want {
			t.Errorf("AppendLine of %q = %q, want %q", text, got, want)
		}
	}
}

// FuzzParseLine wants a line that was read to be written and read again
// without a change.
func FuzzParseLine(f *testing.F) {
	for _, line := range []string{"", "x\n", lineStamp + " x", lineStamp + " [c] x", lineStamp + " [] [c] x",
		lineStamp + " dagwright: x", lineStamp + " [] x"} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.Contains(bytes.TrimSuffix(line, []byte("\n")), []byte("\n")) {
			t.Skip() // two lines
		}
		l := tasklog.ParseLine(line)
		if !strings.HasSuffix(strings.TrimSuffix(string(line), "\n"), l.Text) {
			t.Fatalf("%q has the text %q", line, l.Text)
		}
		written := tasklog.AppendLine(nil, l)
		if diff := cmp.Diff(l, tasklog.ParseLine(written)); diff != "" {
			t.Errorf("%q was written as %q (-want +got):\n%s", line, written, diff)
		}
	})
}

// FuzzAppendLine wants any line that may be written to be read as it was.
func FuzzAppendLine(f *testing.F) {
	f.Add(int64(0), int64(0), "", false, "")
	f.Add(int64(1769828401), int64(20), "", false, "[c] x")
	f.Add(int64(1769828401), int64(0), "side-car", false, "dagwright: x")
	f.Add(int64(-62135596800), int64(0), "", false, lineStamp+" x") // the zero time
	f.Fuzz(func(t *testing.T, sec, nsec int64, container string, own bool, text string) {
		at := time.Unix(sec, nsec).UTC()
		if at.Year() < 0 || at.Year() > 9999 || strings.Contains(text, "\n") {
			t.Skip()
		}
		want := tasklog.Line{Time: at, Own: own, Text: text}
		line := lineStamp + " [" + container + "] "
		if !own && tasklog.ParseLine([]byte(line)).Container == container {
			want.Container = container
		}
		written := tasklog.AppendLine(nil, want)
		if diff := cmp.Diff(want, tasklog.ParseLine(written)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", written, diff)
		}
	})
}
