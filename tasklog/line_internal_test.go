package tasklog

import (
	"strings"
	"testing"
)

// TestCutMark tells a container's name from brackets that a program wrote.
func TestCutMark(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("x", maxContainer)
	for _, c := range []struct{ line, mark string }{
		{"[base] x", "[base] "}, {"[a] x", "[a] "}, {"[0] x", "[0] "}, {"[9] x", "[9] "}, {"[z] x", "[z] "},
		{"[a-9] ", "[a-9] "},
		{"[" + longest + "] x", "[" + longest + "] "}, {"[x" + longest + "] x", ""},
		{"[-a] x", ""}, {"[a-] x", ""}, {"[A] x", ""}, {"[a_b] x", ""}, {"[a b] x", ""}, {"[/] x", ""}, {"[:] x", ""},
		{"[`] x", ""}, {"[{] x", ""},
		{"[a]x", ""}, {"[a x", ""}, {"a] x", ""}, {" [a] x", ""}, {"[] x", "[] "}, {"", ""}, {"[", ""},
	} {
		mark, text := cutMark(c.line)
		if mark != c.mark || mark+text != c.line {
			t.Errorf("%q: %q and %q, want %q", c.line, mark, text, c.mark)
		}
	}
}
