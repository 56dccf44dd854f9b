package gitlab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"dagwright/dag"
)

const (
	// maxDepth bounds the nesting of JSON values; GitLab's events use 5 levels.
	maxDepth = 64
	// maxKey bounds the part of an object's key that is compared.
	maxKey = 128
	// maxNumber bounds the digits of a number.
	maxNumber = 64
)

// jsonReader reads JSON (RFC 8259) from a stream and never holds a value that
// nobody asked for, which encoding/json's tokens do: there a string of 25 MB is
// in memory twice.
type jsonReader struct {
	in     *bufio.Reader
	offset int64
	depth  int
}

func newJSONReader(r io.Reader) *jsonReader { return &jsonReader{in: bufio.NewReaderSize(r, 16<<10)} }

// errorf is a fault of the document, at its byte offset. A fault of the stream
// below it is returned as it is.
func (j *jsonReader) errorf(format string, args ...any) error {
	return fmt.Errorf("JSON at byte %d: %s: %w", j.offset, fmt.Sprintf(format, args...), dag.ErrInvalid)
}

func (j *jsonReader) readErr(err error) error {
	if errors.Is(err, io.EOF) {
		return j.errorf("it ends too early")
	}
	return fmt.Errorf("read body: %w", err)
}

func (j *jsonReader) next() (byte, error) {
	c, err := j.in.ReadByte()
	if err != nil {
		return 0, j.readErr(err)
	}
	j.offset++
	return c, nil
}

// peek returns the next byte that is not white space without taking it.
func (j *jsonReader) peek() (byte, error) {
	for {
		c, err := j.in.ReadByte()
		if err != nil {
			return 0, j.readErr(err)
		}
		switch c {
		case ' ', '\t', '\n', '\r':
			j.offset++
		default:
			return c, j.in.UnreadByte()
		}
	}
}

// take takes the next byte after white space, which must be want.
func (j *jsonReader) take(want byte) error {
	c, err := j.peek()
	if err != nil {
		return err
	}
	if c != want {
		return j.errorf("want %q, got %q", want, c)
	}
	_, err = j.next()
	return err
}

// end checks that nothing but white space follows.
func (j *jsonReader) end() error {
	for {
		c, err := j.in.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return j.readErr(err)
		}
		if !strings.ContainsRune(" \t\r\n", rune(c)) {
			return j.errorf("something follows the document")
		}
		j.offset++
	}
}

// object calls field with each key of an object; field must take the value. A
// value of another type is skipped.
func (j *jsonReader) object(field func(key string) error) error {
	c, err := j.peek()
	if err != nil {
		return err
	}
	if c != '{' {
		return j.skip()
	}
	return j.list('{', '}', func() error {
		key, whole, err := j.readString(maxKey)
		if err != nil {
			return err
		}
		if err := j.take(':'); err != nil {
			return err
		}
		if !whole {
			return j.skip()
		}
		return field(key)
	})
}

// array calls item for each element of an array; item must take the element. A
// value of another type is skipped.
func (j *jsonReader) array(item func() error) error {
	c, err := j.peek()
	if err != nil {
		return err
	}
	if c != '[' {
		return j.skip()
	}
	return j.list('[', ']', item)
}

// list reads what stands between open and close, separated by commas.
func (j *jsonReader) list(open, end byte, item func() error) error {
	if j.depth++; j.depth > maxDepth {
		return j.errorf("nested deeper than %d", maxDepth)
	}
	defer func() { j.depth-- }()
	if err := j.take(open); err != nil {
		return err
	}
	c, err := j.peek()
	if err != nil {
		return err
	}
	if c == end {
		return j.take(end)
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if c, err = j.peek(); err != nil {
			return err
		}
		if c == end {
			return j.take(end)
		}
		if err := j.take(','); err != nil {
			return err
		}
	}
}

// text reads a string of which it keeps at most limit bytes; whole is false
// when there was more. A value of another type is skipped and gives "".
func (j *jsonReader) text(limit int) (s string, whole bool, err error) {
	c, err := j.peek()
	if err != nil {
		return "", false, err
	}
	if c != '"' {
		return "", true, j.skip()
	}
	return j.readString(limit)
}

// integer reads a whole number, also one that is written as a string. One that
// is too large gives the nearest; anything else is skipped and gives 0.
func (j *jsonReader) integer() (int64, error) {
	c, err := j.peek()
	if err != nil {
		return 0, err
	}
	var digits string
	switch {
	case c == '"':
		digits, _, err = j.readString(maxNumber)
	case c == '-' || c >= '0' && c <= '9':
		digits, err = j.readNumber()
	default:
		return 0, j.skip()
	}
	if err != nil {
		return 0, err
	}
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n, nil
}

// truth reads a value that may mean true: true, "true", "1" or 1.
func (j *jsonReader) truth() (bool, error) {
	c, err := j.peek()
	if err != nil {
		return false, err
	}
	switch c {
	case 't':
		return true, j.literal("true")
	case '"':
		s, _, err := j.readString(maxNumber)
		return s == "true" || s == "1", err
	case '1':
		s, err := j.readNumber()
		return s == "1", err
	default:
		return false, j.skip()
	}
}

// skip reads over one value.
func (j *jsonReader) skip() error {
	c, err := j.peek()
	if err != nil {
		return err
	}
	switch {
	case c == '{':
		return j.object(func(string) error { return j.skip() })
	case c == '[':
		return j.array(j.skip)
	case c == '"':
		_, _, err := j.readString(0)
		return err
	case c == 't':
		return j.literal("true")
	case c == 'f':
		return j.literal("false")
	case c == 'n':
		return j.literal("null")
	case c == '-' || c >= '0' && c <= '9':
		_, err := j.readNumber()
		return err
	default:
		return j.errorf("want a value, got %q", c)
	}
}

func (j *jsonReader) literal(word string) error {
	for i := range len(word) {
		c, err := j.next()
		if err != nil {
			return err
		}
		if c != word[i] {
			return j.errorf("want %s", word)
		}
	}
	return nil
}

// readNumber reads the characters of a number and checks their form.
func (j *jsonReader) readNumber() (string, error) {
	var b strings.Builder
	for {
		c, err := j.in.ReadByte()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", j.readErr(err)
		}
		if !strings.ContainsRune("0123456789+-.eE", rune(c)) {
			if err := j.in.UnreadByte(); err != nil {
				return "", err
			}
			break
		}
		j.offset++
		if b.WriteByte(c); b.Len() > maxNumber {
			return "", j.errorf("a number of more than %d digits", maxNumber)
		}
	}
	if !isNumber(b.String()) {
		return "", j.errorf("%q is not a number", b.String())
	}
	return b.String(), nil
}

// isNumber reports whether s has the form -?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?.
func isNumber(s string) bool {
	digits := func() bool {
		rest := strings.TrimLeft(s, "0123456789")
		found := len(rest) < len(s)
		s = rest
		return found
	}
	s = strings.TrimPrefix(s, "-")
	leadingZero := len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9'
	if leadingZero || !digits() {
		return false
	}
	if strings.HasPrefix(s, ".") {
		if s = s[1:]; !digits() {
			return false
		}
	}
	if strings.HasPrefix(s, "e") || strings.HasPrefix(s, "E") {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return s == ""
}

// readString reads a string with its quotes, keeping at most limit bytes of
// what it stands for.
func (j *jsonReader) readString(limit int) (s string, whole bool, err error) {
	if err := j.take('"'); err != nil {
		return "", false, err
	}
	var kept []byte
	whole = true
	keep := func(p ...byte) {
		if len(kept)+len(p) > limit {
			whole = false
		}
		if whole {
			kept = append(kept, p...)
		}
	}
	for {
		c, err := j.next()
		switch {
		case err != nil:
			return "", false, err
		case c == '"':
			return strings.ToValidUTF8(string(kept), "\uFFFD"), whole, nil
		case c == '\\':
			r, err := j.escape()
			if err != nil {
				return "", false, err
			}
			keep(utf8.AppendRune(nil, r)...)
		case c < ' ':
			return "", false, j.errorf("a control character in a string")
		default:
			keep(c)
		}
	}
}

// escape reads what follows a backslash.
func (j *jsonReader) escape() (rune, error) {
	c, err := j.next()
	if err != nil {
		return 0, err
	}
	const names, values = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if i := strings.IndexByte(names, c); i >= 0 {
		return rune(values[i]), nil
	}
	if c != 'u' {
		return 0, j.errorf("unknown escape \\%c", c)
	}
	r, err := j.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	// The other half must follow as a second escape; without it the character
	// is replaced, as encoding/json does, and what follows is read by itself.
	const second = len(`\u0000`)
	ahead, _ := j.in.Peek(second)
	if len(ahead) < second || string(ahead[:2]) != `\u` {
		return utf8.RuneError, nil
	}
	low, err := strconv.ParseUint(string(ahead[2:]), 16, 16)
	whole := utf16.DecodeRune(r, rune(low))
	if err != nil || whole == utf8.RuneError {
		return utf8.RuneError, nil //nolint:nilerr // what follows is not the other half; see above
	}
	j.offset += int64(second)
	_, err = j.in.Discard(second)
	return whole, err
}

func (j *jsonReader) hex4() (rune, error) {
	var r rune
	for range 4 {
		c, err := j.next()
		if err != nil {
			return 0, err
		}
		i := strings.IndexByte("0123456789abcdefABCDEF", c)
		if i < 0 {
			return 0, j.errorf("want four hexadecimal digits after \\u")
		}
		if i > 15 {
			i -= 6
		}
		r = r<<4 | rune(i)
	}
	return r, nil
}
