package process

import (
	"strings"
	"testing"

	"dagwright/dag"
)

func TestParseClaim(t *testing.T) {
	t.Parallel()
	const head = `{"key":{"DAG":"a","Run":"r","Task":"t","Try":2},"begun":"2026-01-31T03:00:00Z"}` + "\n"
	for name, test := range map[string]struct {
		text           string
		header, exited bool
		pid, code      int
		reason         string
	}{
		"empty":          {},
		"half header":    {text: strings.TrimSuffix(head, "\n")},
		"header":         {text: head, header: true},
		"running":        {text: head + "pid 4711\n", header: true, pid: 4711},
		"half pid":       {text: head + "pid 47", header: true},
		"ended":          {text: head + "pid 4711\nexit 3\n", header: true, pid: 4711, exited: true, code: 3},
		"half exit":      {text: head + "pid 4711\nexit 13", header: true, pid: 4711},
		"not found":      {text: head + "exit 127 command not found: x\n", header: true, exited: true, code: 127, reason: "command not found: x"},
		"first exit":     {text: head + "exit 1\nexit 0\n", header: true, exited: true, code: 1},
		"not understood": {text: head + "pid -5\npid 1\nexit\nexit x\nfoo 3\n", header: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cl := parseClaim([]byte(test.text))
			if cl.hasHeader != test.header || cl.pid != test.pid || cl.exited != test.exited || cl.exitCode != test.code || cl.reason != test.reason {
				t.Errorf("parsed as %+v", cl)
			}
			if want := (dag.AttemptKey{DAG: "a", Run: "r", Task: "t", Try: 2}); test.header && cl.Key != want {
				t.Errorf("key %+v, want %+v", cl.Key, want)
			}
		})
	}
}

// FuzzParseClaim wants of any bytes: no panic, and nothing that is signalled
// or reported without a whole header.
func FuzzParseClaim(f *testing.F) {
	f.Add([]byte("{\"key\":{}}\npid 4711\nexit 0\n"))
	f.Add([]byte("pid 4711\nexit 0\n"))
	f.Add([]byte("{}\nexit 99999999999999999999\npid 0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		cl := parseClaim(b)
		if cl.pid == 1 || cl.pid < 0 || cl.exitCode < 0 {
			t.Errorf("%q gives pid %d, exit %d", b, cl.pid, cl.exitCode)
		}
		if !cl.hasHeader && (cl.pid != 0 || cl.exited) {
			t.Errorf("%q counts without a header", b)
		}
	})
}

func FuzzGroupOf(f *testing.F) {
	f.Add("14274 (sh) R 14243 14274 14274 0 -1")
	f.Add("7 (a) b) S 1 9 9 0")
	f.Add("7 (x")
	f.Fuzz(func(t *testing.T, stat string) {
		if group, ok := groupOf(stat); ok && group <= 1 {
			t.Errorf("%q gives group %d", stat, group)
		}
	})
}

func TestLookUp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		name, path, want, reason string
	}{
		"in PATH":        {name: "sh", path: "/nowhere:/bin", want: "/bin/sh"},
		"absolute":       {name: "/bin/sh", want: "/bin/sh"},
		"missing":        {name: "python3x", path: "/bin", reason: "command not found: python3x"},
		"no PATH":        {name: "sh", reason: "command not found: sh (no PATH is set)"},
		"folder":         {name: "/bin", reason: "command is not executable: /bin"},
		"not executable": {name: "passwd", path: "/etc:/nowhere", reason: "command is not executable: passwd"},
		"two lines":      {name: "a\nexit 0", path: "/bin", reason: `command not found: "a\nexit 0"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, bad := lookUp(test.name, "/", test.path)
			reason := ""
			if bad != nil {
				reason = bad.reason
			}
			if reason != test.reason || bad == nil && got != test.want {
				t.Errorf("lookUp: %q, %q", got, reason)
			}
		})
	}
}
