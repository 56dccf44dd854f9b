package cli

import (
	"strings"
	"testing"
)

// TestLogOffScreen has the same go to a file byte for byte.
func TestLogOffScreen(t *testing.T) {
	t.Parallel()
	const line = `{"event": "a\u001b]0;title\u0007\u0000b"}`
	for terminal, want := range map[bool]string{false: "a\x1b]0;title\a\x00b\n", true: "ab\n"} {
		var out strings.Builder
		p := logPrinter{terminal: terminal}
		if err := p.line(&out, []byte(line)); err != nil || out.String() != want {
			t.Errorf("on a terminal %t: %q, %v, want %q", terminal, out.String(), err, want)
		}
	}
}
