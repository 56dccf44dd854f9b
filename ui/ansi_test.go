package ui

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestANSISpans(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, line string
		want       []TextSpan
	}{
		{"plain", "a b", []TextSpan{{"", "a b"}}},
		{"one colour", "\x1b[31mred\x1b[0m plain", []TextSpan{{"c1", "red"}, {"", " plain"}}},
		{"bold and bright on a background", "\x1b[1;92;44mx", []TextSpan{{"bold c10 g4", "x"}}},
		{"an empty sequence resets", "\x1b[1mx\x1b[my", []TextSpan{{"bold", "x"}, {"", "y"}}},
		{"reverse swaps colours", "\x1b[31;7mx\x1b[27my", []TextSpan{{"g1", "x"}, {"c1", "y"}}},
		{"of 256 colours", "\x1b[38;5;9mx\x1b[38;5;196my\x1b[38;5;240mz", []TextSpan{{"c9", "x"}, {"c9", "y"}, {"c7", "z"}}},
		{"of all colours", "\x1b[38;2;250;10;10mx\x1b[48;2;0;0;90my", []TextSpan{{"c9", "x"}, {"c9 g4", "y"}}},
		{"a code that does not exist", "\x1b[31;999m.", []TextSpan{{"c1", "."}}},
		{"other sequences are dropped", "a\x1b[2K\x1b[1Gb\x1b]0;title\x07c\x1b]8;;http://x\x1b\\d\x1b(Be",
			[]TextSpan{{"", "a"}, {"", "b"}, {"", "c"}, {"", "d"}, {"", "e"}}},
		{"a sequence that is cut off", "a\x1b[3", []TextSpan{{"", "a"}}},
		{"a progress bar shows its last state", " 10%\r 50%\r100%\r", []TextSpan{{"", "100%"}}},
		{"control characters and broken UTF-8", "a\x00\x08b\xffc\td", []TextSpan{{"", "ab\uFFFDc\td"}}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, ansiSpans(test.line)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func FuzzANSISpans(f *testing.F) {
	for _, seed := range []string{"a", "\x1b[31mred", "\x1b[38;5;", "\x1b]0;", "\x1b[38;2;1;2mx", "\r\r", "\x1b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, s := range ansiSpans(line) {
			if strings.ContainsRune(s.Text, '\x1b') || strings.ContainsRune(s.Text, 0) {
				t.Errorf("control characters came through: %q", s.Text)
			}
			if strings.ContainsAny(s.Class, `"<>`) {
				t.Errorf("odd class %q", s.Class)
			}
		}
	})
}
