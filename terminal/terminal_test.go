package terminal_test

import (
	"testing"

	"dagwright/terminal"
)

// TestScreen has a task write what would steer a reader's terminal.
func TestScreen(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"plain\ttext, größer, 日本":              "plain\ttext, größer, 日本",
		"\x1b[1;31mred\x1b[0m":                 "\x1b[1;31mred\x1b[0m\x1b[0m",
		"\x1b[38:2::1:2:3mrgb":                 "\x1b[38:2::1:2:3mrgb\x1b[0m",
		"a\x1b]0;title\x07b":                   "ab",
		"a\x1b]52;c;cm0gLXJmIC8=\x1b\\b":       "ab",
		"a\x1b]8;;https://evil\x1b\\link":      "alink",
		"a\x1bPq#0\x1b\\b\x1b_apc\x1b\\c":      "abc",
		"a\x1b[2J\x1b[1;1Hb\x1b[?1049hc\x1b[K": "abc",
		"a\x1b[>4;1mb":                         "ab",
		"a\x00\x07\x08\x7fb":                   "ab",
		"10%\r20%\r":                           "20%",
		"a\u009b2Jb\u009d0;x":                  "a2Jb0;x",
		"a\x9b2Jb":                             "a\ufffd2Jb",
		"a\x1bcb\x1b(0c":                       "abc",
		"a\x1b]0;never ends":                   "a",
		"a\x1b":                                "a",
		"a\x1b[12":                             "a",
		"a\x1b[1\x1b[2Jb":                      "ab",
		"a\u202eb\u2066c":                      "abc",
	} {
		if got := terminal.Screen(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain, größer": "plain, größer", "a\nb\tc\r": "a b c ", "a\x1b[2Jb\x7f": "a [2Jb ", "a\u009bb\u00a0": "a b\u00a0",
		"a\u202eb\u2066c\u200dd": "a b c\u200dd",
	} {
		if got := terminal.OneLine(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
