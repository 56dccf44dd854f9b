package ui

import (
	"strconv"
	"strings"

	"dagwright/terminal"
)

// TextSpan is a piece of a log line in one look: a list of the classes "bold",
// "dim", "italic", "underline", "c0" to "c15" (text) and "g0" to "g15"
// (background), the sixteen colours of a terminal.
type TextSpan struct{ Class, Text string }

// look is what escape sequences have chosen so far. Colours count from 1; 0 is
// the default.
type look struct {
	bold, dim, italic, underline, reverse bool
	text, ground                          int
}

func (l look) class() string {
	var classes []string
	add := func(on bool, name string) {
		if on {
			classes = append(classes, name)
		}
	}
	text, ground := l.text, l.ground
	if l.reverse {
		text, ground = ground, text
	}
	add(l.bold, "bold")
	add(l.dim, "dim")
	add(l.italic, "italic")
	add(l.underline, "underline")
	add(l.reverse && text == 0 && ground == 0, "reverse")
	add(text > 0, "c"+strconv.Itoa(text-1))
	add(ground > 0, "g"+strconv.Itoa(ground-1))
	return strings.Join(classes, " ")
}

// ansiSpans cuts a line at its colour sequences (ECMA-48 SGR) and drops every
// other control sequence. Each line begins with the default look.
func ansiSpans(line string) []TextSpan {
	if i := strings.LastIndexByte(strings.TrimSuffix(line, "\r"), '\r'); i >= 0 {
		line = line[i+1:] // a progress bar that was drawn over
	}
	line = strings.TrimSuffix(line, "\r")
	if !strings.ContainsRune(line, '\x1b') {
		return []TextSpan{{"", printable(line)}}
	}
	var spans []TextSpan
	var now look
	for line != "" {
		text, escape := line, strings.IndexByte(line, '\x1b')
		if escape >= 0 {
			text = line[:escape]
		}
		if text = printable(text); text != "" {
			spans = append(spans, TextSpan{now.class(), text})
		}
		if escape < 0 {
			break
		}
		line = line[escape:]
		length, colours := terminal.Sequence(line)
		if colours {
			now.set(strings.Split(line[len("\x1b["):length-len("m")], ";"))
		}
		line = line[length:]
	}
	return spans
}

// set applies the codes of one SGR sequence.
func (l *look) set(codes []string) {
	for i := 0; i < len(codes); i++ {
		n, err := strconv.Atoi(codes[i])
		if err != nil && codes[i] != "" {
			continue
		}
		switch {
		case n == 0:
			*l = look{}
		case n == 1:
			l.bold = true
		case n == 2:
			l.dim = true
		case n == 3:
			l.italic = true
		case n == 4:
			l.underline = true
		case n == 7:
			l.reverse = true
		case n == 22:
			l.bold, l.dim = false, false
		case n == 23:
			l.italic = false
		case n == 24:
			l.underline = false
		case n == 27:
			l.reverse = false
		case n >= 30 && n <= 37:
			l.text = n - 29
		case n >= 40 && n <= 47:
			l.ground = n - 39
		case n >= 90 && n <= 97:
			l.text = n - 81
		case n >= 100 && n <= 107:
			l.ground = n - 91
		case n == 39:
			l.text = 0
		case n == 49:
			l.ground = 0
		case n == 38 || n == 48:
			colour, used := extendedColour(codes[i+1:])
			if i += used; n == 38 {
				l.text = colour
			} else {
				l.ground = colour
			}
		}
	}
}

// extendedColour reads "5;n" and "2;r;g;b" and gives the nearest of the sixteen
// colours, counted from 1, and how many codes it read.
func extendedColour(codes []string) (colour, used int) {
	number := func(i int) int {
		n, _ := strconv.Atoi(codes[i]) // what is not a number counts as 0
		return min(max(n, 0), 255)
	}
	switch {
	case len(codes) >= 2 && codes[0] == "5":
		return indexedColour(number(1)), 2
	case len(codes) >= 4 && codes[0] == "2":
		return nearestColour(number(1), number(2), number(3)), 4
	}
	return 0, len(codes)
}

func indexedColour(n int) int {
	switch {
	case n < 16:
		return n + 1
	case n >= 232:
		grey := 8 + 10*(n-232)
		return nearestColour(grey, grey, grey)
	}
	n -= 16
	level := func(v int) int {
		if v == 0 {
			return 0
		}
		return 55 + 40*v
	}
	return nearestColour(level(n/36), level(n/6%6), level(n%6))
}

// nearestColour picks by which of red, green and blue are strong, and by the
// strength of the strongest.
func nearestColour(r, g, b int) int {
	most := max(r, g, b)
	if most < 48 {
		return 1 // black
	}
	colour := 0
	for i, v := range []int{r, g, b} {
		if v*2 > most {
			colour |= 1 << i
		}
	}
	if most > 192 {
		return colour + 9
	}
	return colour + 1
}

// printable drops control characters and replaces what is not UTF-8.
func printable(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}
