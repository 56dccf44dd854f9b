// Package terminal takes out of a text what would steer a terminal: the text is from a
// server, a task or a spec, and a reader's terminal would obey it. It measures control
// sequences by ECMA-48, for the command line and for the pages that show logs.
package terminal

import (
	"strings"
	"unicode/utf8"
)

// Screen is a line of a log as it goes to a terminal: without what a task's output
// could do to the terminal or pretend there. Colours (ECMA-48 SGR) and tabs stay; each
// other control sequence, each control character and what turns the direction of text
// goes, as on the pages. Elsewhere a log is written byte for byte.
func Screen(line string) string {
	line = strings.TrimSuffix(line, "\r")
	line = line[strings.LastIndexByte(line, '\r')+1:] // a progress bar that was drawn over
	var b strings.Builder
	coloured := false
	for line != "" {
		if line[0] == '\x1b' {
			length, colour := Sequence(line)
			if colour {
				b.WriteString(line[:length])
				coloured = true
			}
			line = line[length:]
			continue
		}
		r, size := utf8.DecodeRuneInString(line)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteRune(utf8.RuneError) // a lone byte may be a C1 control to a terminal
		case r == '\t' || !controls(r):
			b.WriteRune(r)
		}
		line = line[size:]
	}
	if coloured {
		b.WriteString("\x1b[0m") // the next line begins with the default look
	}
	return b.String()
}

// controls reports whether a rune steers a terminal: C0, DEL, C1, and those that turn the
// direction of text (https://trojansource.codes).
func controls(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// OneLine is a text with a space for each control character and each that turns the
// direction of text, so that it breaks neither a table nor the terminal.
func OneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if controls(r) {
			return ' '
		}
		return r
	}, text)
}

// Sequence measures the control sequence at the beginning of a text, which is ESC, in
// bytes, and reports whether it is one of colours (ESC [ codes m). One that does not end
// takes the rest of the text.
func Sequence(s string) (length int, colour bool) {
	if len(s) < 2 {
		return len(s), false
	}
	switch s[1] {
	case '[': // CSI: parameters, intermediates, one final byte
		end := 2
		for end < len(s) && s[end] >= 0x20 && s[end] <= 0x3f {
			end++
		}
		if end == len(s) {
			return end, false
		}
		if s[end] < 0x40 || s[end] > 0x7e {
			return end, false // broken off: what follows is text
		}
		return end + 1, s[end] == 'm' && strings.Trim(s[2:end], "0123456789;:") == ""
	case ']', 'P', 'X', '^', '_': // strings: OSC, DCS, SOS, PM, APC, up to BEL or ST
		for i := 2; i < len(s); i++ {
			switch {
			case s[i] == '\a':
				return i + 1, false
			case s[i] == '\x1b' && i+1 < len(s) && s[i+1] == '\\':
				return i + 2, false
			}
		}
		return len(s), false
	}
	end := 1 // others: intermediates and a final byte
	for end < len(s) && s[end] >= 0x20 && s[end] <= 0x2f {
		end++
	}
	if end < len(s) && s[end] < 0x80 && s[end] != '\x1b' {
		end++
	}
	return end, false
}
