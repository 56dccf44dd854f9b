package macro

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// pythonString decodes the string literal at the front of s by Python's rules
// and returns how long the literal is.
func pythonString(s string) (value string, length int, err error) {
	if s == "" || s[0] != '\'' && s[0] != '"' {
		return "", 0, errors.New("expected a string literal")
	}
	quote := s[0]
	var b strings.Builder
	for i := 1; i < len(s); {
		switch c := s[i]; {
		case c == quote:
			return b.String(), i + 1, nil
		case c == '\\' && i+1 < len(s):
			n, err := escape(&b, s[i:])
			if err != nil {
				return "", 0, err
			}
			i += n
		default:
			b.WriteByte(c)
			i++
		}
	}
	return "", 0, errors.New("a string literal has no end")
}

// escapes are the ones that stand for one character.
var escapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b",
	'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// escape decodes the escape sequence at the front of s. Python leaves one that
// it does not know as it is.
func escape(b *strings.Builder, s string) (length int, err error) {
	if text, ok := escapes[s[1]]; ok {
		b.WriteString(text)
		return 2, nil
	}
	digits, base := 0, 16
	switch c := s[1]; {
	case c == 'x':
		digits = 2
	case c == 'u':
		digits = 4
	case c == 'U':
		digits = 8
	case '0' <= c && c <= '7':
		base = 8
		for digits < 3 && 1+digits < len(s) && '0' <= s[1+digits] && s[1+digits] <= '7' {
			digits++
		}
	default:
		b.WriteByte('\\')
		return 1, nil
	}
	start := 2
	if base == 8 {
		start = 1
	}
	if start+digits > len(s) {
		return 0, errors.New("a string literal has a truncated escape")
	}
	code, err := strconv.ParseUint(s[start:start+digits], base, 32)
	if err != nil || !utf8.ValidRune(rune(code)) {
		return 0, errors.New("a string literal has an escape that is not a character")
	}
	b.WriteRune(rune(code))
	return start + digits, nil
}
