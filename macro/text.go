package macro

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// text is Python's str(v).
func (e *evaluation) text(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case moment:
		return v.text(), nil
	case clock:
		return v.text(), nil
	case span:
		return v.text(), nil
	case zone:
		return v.loc.String(), nil
	case undefined:
		if v.soft {
			return "", nil
		}
		return "", v
	}
	p := printer{e: e}
	if err := p.repr(v); err != nil {
		return "", err
	}
	return p.b.String(), nil
}

// printer writes values within the limits of an evaluation.
type printer struct {
	e      *evaluation
	b      strings.Builder
	indent int // of tojson; 0 for one line
	// inOrder leaves the keys of JSON in their order, raw leaves < > & ' as they are.
	inOrder, raw bool
}

func (p *printer) write(s string) error {
	if p.b.Len()+len(s) > maxOutput {
		return errOutput
	}
	if err := p.e.spendEach(len(s), 2); err != nil { // a builder grows by doubling
		return err
	}
	p.b.WriteString(s)
	return nil
}

// writeText writes what f makes of a string: at most 12 times as long.
func (p *printer) writeText(s string, f func(string) string) error {
	if len(s) > maxOutput {
		return errOutput
	}
	if err := p.e.touchEach(len(s), 32); err != nil {
		return err
	}
	if err := p.e.spendEach(len(s), 12); err != nil {
		return err
	}
	return p.write(f(s))
}

// repr writes Python's repr(v); that of numbers, None and spans is their str,
// too.
func (p *printer) repr(v any) error {
	if err := p.e.step(); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		return p.write("None")
	case bool:
		if v {
			return p.write("True")
		}
		return p.write("False")
	case int64:
		return p.write(strconv.FormatInt(v, 10))
	case float64:
		return p.write(floatText(v))
	case longNumber:
		return p.write(string(v))
	case string:
		return p.writeText(v, quoted)
	case list:
		return p.sequence("[", "]", len(v), func(i int) error { return p.repr(v[i]) })
	case tuple:
		end := ")"
		if len(v) == 1 {
			end = ",)"
		}
		return p.sequence("(", end, len(v), func(i int) error { return p.repr(v[i]) })
	case *dict:
		return p.sequence("{", "}", len(v.keys), func(i int) error {
			if err := p.key(v.keys[i], quoted); err != nil {
				return err
			}
			return p.repr(v.values[v.keys[i]])
		})
	case interface{ repr() string }: // of bounded length
		return p.write(v.repr())
	case undefined:
		if v.soft {
			return p.write("Undefined")
		}
	}
	return fmt.Errorf("%s has no text; use one of its attributes", typeName(v))
}

// key writes a key of a dict.
func (p *printer) key(s string, f func(string) string) error {
	if err := p.writeText(s, f); err != nil {
		return err
	}
	return p.write(": ")
}

func (p *printer) sequence(open, shut string, n int, item func(int) error) error {
	if err := p.e.deeper(); err != nil {
		return err
	}
	defer p.e.shallower()
	if err := p.write(open); err != nil {
		return err
	}
	for i := range n {
		if i > 0 {
			if err := p.write(", "); err != nil {
				return err
			}
		}
		if err := item(i); err != nil {
			return err
		}
	}
	return p.write(shut)
}

// floatText is Python's repr of a float: the shortest digits that read back,
// with an exponent below 1e-4 and from 1e16 on.
func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if size := math.Abs(f); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// jsonFloat is what Python's json makes of a float.
func jsonFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case math.IsNaN(f):
		return "NaN"
	}
	return floatText(f)
}

// quoted is Python's repr of a string.
func quoted(s string) string {
	quote := '\''
	if strings.ContainsRune(s, '\'') && !strings.ContainsRune(s, '"') {
		quote = '"'
	}
	var b strings.Builder
	b.WriteRune(quote)
	for _, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			hexEscape(&b, 'x', r, 2)
		case r < 0x10000:
			hexEscape(&b, 'u', r, 4)
		default:
			hexEscape(&b, 'U', r, 8)
		}
	}
	b.WriteRune(quote)
	return b.String()
}

// hexEscape writes \x41 and the like.
func hexEscape(b *strings.Builder, letter byte, r rune, digits int) {
	b.WriteByte('\\')
	b.WriteByte(letter)
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b.WriteByte("0123456789abcdef"[r>>shift&15])
	}
}

// toJSON writes a value as Jinja's tojson: keys sorted, everything beyond ASCII
// and < > & ' escaped as \uXXXX.
func (p *printer) toJSON(v any, depth int) error {
	if err := p.e.step(); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		return p.write("null")
	case bool:
		return p.write(strconv.FormatBool(v))
	case int64:
		return p.write(strconv.FormatInt(v, 10))
	case float64:
		return p.write(jsonFloat(v))
	case longNumber:
		return p.write(string(v))
	case string:
		return p.writeText(v, p.jsonString)
	case list:
		return p.jsonItems("[", "]", len(v), depth, func(i int) error { return p.toJSON(v[i], depth+1) })
	case tuple:
		return p.jsonItems("[", "]", len(v), depth, func(i int) error { return p.toJSON(v[i], depth+1) })
	case *dict:
		if err := p.e.spendEach(len(v.keys), itemSize); err != nil {
			return err
		}
		keys := v.keys
		if !p.inOrder {
			keys = slices.Clone(keys)
			if err := p.e.sortTexts(keys); err != nil {
				return err
			}
		}
		return p.jsonItems("{", "}", len(keys), depth, func(i int) error {
			if err := p.key(keys[i], p.jsonString); err != nil {
				return err
			}
			return p.toJSON(v.values[keys[i]], depth+1)
		})
	}
	return fmt.Errorf("%s cannot be written as JSON", typeName(v))
}

func (p *printer) jsonItems(open, shut string, n, depth int, item func(int) error) error {
	if n == 0 {
		return p.write(open + shut)
	}
	if err := p.e.deeper(); err != nil {
		return err
	}
	defer p.e.shallower()
	between, first, last := ", ", "", ""
	if p.indent > 0 {
		if err := p.e.spendEach(3*p.indent, depth+1); err != nil {
			return err
		}
		first = "\n" + strings.Repeat(" ", p.indent*(depth+1))
		between = "," + first
		last = "\n" + strings.Repeat(" ", p.indent*depth)
	}
	for i := range n {
		lead := between
		if i == 0 {
			lead = open + first
		}
		if err := p.write(lead); err != nil {
			return err
		}
		if err := item(i); err != nil {
			return err
		}
	}
	return p.write(last + shut)
}

func (p *printer) jsonString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r >= 0x10000:
			high, low := utf16.EncodeRune(r)
			hexEscape(&b, 'u', high, 4)
			hexEscape(&b, 'u', low, 4)
		case r < ' ' || r > '~' || !p.raw && strings.ContainsRune("<>&'", r):
			hexEscape(&b, 'u', r, 4)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// parseJSON reads JSON text into a value of a template.
func (b *budget) parseJSON(s string) (any, error) {
	// Two bytes may become an item of a list, of numbers that are texts at first.
	if err := b.spendEach(len(s), 64); err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errors.New("the text is not JSON")
	}
	if d.More() {
		return nil, errors.New("the text has more than one JSON value")
	}
	return b.fromGo(v)
}
