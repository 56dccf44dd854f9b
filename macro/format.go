package macro

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxPrecision is that of a number in a format.
const maxPrecision = 1000

// spec says how a value is written: Python's format specification, or a directive of %.
type spec struct {
	fill      rune
	align     byte // < > = ^; 0 as the type has it
	sign      byte // + - or a space
	alternate bool
	zero      bool
	width     int
	group     byte // , or _
	precision int  // -1 without
	kind      byte // d f s and so on; 0 as the type has it
}

// chargeSpec charges what a value takes that is written so, beside its own text.
func (b *budget) chargeSpec(s spec) error {
	if s.width > maxOutput {
		return errOutput
	}
	if s.precision > maxPrecision {
		return fmt.Errorf("a precision may be %d at most", maxPrecision)
	}
	size := 64
	if strings.IndexByte("eEfFgG%", s.kind) >= 0 {
		size = 1024 // the largest float has 309 digits
	}
	return b.spendEach(s.width+max(s.precision, 0)+size/8, 8)
}

// pad fills a text up to the width. prefix stays before the fill of =.
func (s spec) pad(prefix, text string, align byte) string {
	missing := s.width - utf8.RuneCountInString(prefix) - utf8.RuneCountInString(text)
	if missing <= 0 {
		return prefix + text
	}
	fill := func(n int) string { return strings.Repeat(string(s.fill), n) }
	switch align {
	case '<':
		return prefix + text + fill(missing)
	case '^':
		return fill(missing/2) + prefix + text + fill(missing-missing/2)
	case '=':
		return prefix + fill(missing) + text
	}
	return fill(missing) + prefix + text
}

// number writes digits with their sign.
func (s spec) number(negative bool, prefix, digits string) string {
	switch {
	case negative:
		prefix = "-" + prefix
	case s.sign == '+' || s.sign == ' ':
		prefix = string(s.sign) + prefix
	}
	align := s.align
	if align == 0 {
		align = '>'
	}
	return s.pad(prefix, digits, align)
}

// grouped sets a sign between each so many digits.
func grouped(digits string, sign byte, size int) string {
	if sign == 0 || len(digits) <= size {
		return digits
	}
	var out strings.Builder
	for i, c := range []byte(digits) {
		if i > 0 && (len(digits)-i)%size == 0 {
			out.WriteByte(sign)
		}
		out.WriteByte(c)
	}
	return out.String()
}

func (s spec) integer(n int64) (string, error) {
	base, prefix := 10, ""
	switch s.kind {
	case 0, 'd', 'n', 'i', 'u':
	case 'b':
		base, prefix = 2, "0b"
	case 'o':
		base, prefix = 8, "0o"
	case 'x', 'X':
		base, prefix = 16, "0"+string(s.kind)
	case 'c':
		if n < 0 || n > utf8.MaxRune {
			return "", errRange
		}
		align := s.align
		if align == 0 {
			align = '<'
		}
		return s.pad("", string(rune(n)), align), nil
	default:
		return s.float(float64(n))
	}
	if !s.alternate {
		prefix = ""
	}
	magnitude := uint64(n)
	if n < 0 {
		magnitude = -magnitude
	}
	digits := strconv.FormatUint(magnitude, base)
	if s.kind == 'X' {
		digits = strings.ToUpper(digits)
	}
	size := 3
	if base != 10 {
		size = 4
	}
	return s.number(n < 0, prefix, grouped(digits, s.group, size)), nil
}

func (s spec) float(f float64) (string, error) {
	kind, precision := s.kind, s.precision
	upper := kind == 'E' || kind == 'F' || kind == 'G'
	if precision < 0 {
		precision = 6
	}
	negative := math.Signbit(f) && !math.IsNaN(f)
	size := math.Abs(f)
	var text string
	switch {
	case math.IsInf(f, 0):
		text = "inf"
	case math.IsNaN(f):
		text = "nan"
	case kind == 'f' || kind == 'F':
		text = strconv.FormatFloat(size, 'f', precision, 64)
	case kind == 'e' || kind == 'E':
		text = strconv.FormatFloat(size, 'e', precision, 64)
	case kind == '%':
		text = strconv.FormatFloat(size*100, 'f', precision, 64) + "%"
	case kind == 'g' || kind == 'G' || kind == 'n':
		text = strconv.FormatFloat(size, 'g', max(precision, 1), 64)
	case kind == 0 && s.precision < 0:
		text = floatText(size)
	case kind == 0:
		if text = strconv.FormatFloat(size, 'g', max(precision, 1), 64); !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
	default:
		return "", fmt.Errorf("the format %q is not one of a float", kind)
	}
	if upper {
		text = strings.ToUpper(text)
	}
	if end := strings.IndexAny(text, ".eE%"); s.group != 0 && end != 0 {
		if end < 0 {
			end = len(text)
		}
		text = grouped(text[:end], s.group, 3) + text[end:]
	}
	return s.number(negative, "", text), nil
}

func (s spec) text(text string) string {
	if s.precision >= 0 && utf8.RuneCountInString(text) > s.precision {
		text = string([]rune(text)[:s.precision])
	}
	align := s.align
	if align == 0 {
		align = '<'
	}
	return s.pad("", text, align)
}

// formatValue is Python's format(v, spec).
func (e *evaluation) formatValue(v any, source string) (string, error) {
	if source == "" {
		return e.text(v)
	}
	if m, ok := v.(moment); ok {
		if m.class.isPython() || strings.Contains(source, "%") {
			return e.strftime(m, source)
		}
		return e.pendulumFormat(m, source)
	}
	s, err := parseSpec(source)
	if err != nil {
		return "", err
	}
	if err := e.chargeSpec(s); err != nil {
		return "", err
	}
	switch v := v.(type) {
	case string:
		if s.kind != 0 && s.kind != 's' || s.sign != 0 || s.align == '=' || s.group != 0 || s.alternate {
			return "", errors.New("the format is not one of a str")
		}
		if err := e.spendEach(len(v), 8); err != nil {
			return "", err
		}
		return s.text(v), nil
	}
	if s.zero && s.align == 0 {
		s.align = '='
	}
	if n, ok := asInt(v); ok {
		if s.precision >= 0 && strings.IndexByte("\x00bcdoxX", s.kind) >= 0 {
			return "", errors.New("an integer has no precision")
		}
		return s.integer(n)
	}
	if f, ok := asFloat(v); ok {
		return s.float(f)
	}
	return "", fmt.Errorf("%s takes no format", typeName(v))
}

// parseSpec reads [[fill]align][sign][z][#][0][width][group][.precision][type].
func parseSpec(source string) (spec, error) {
	s := spec{fill: ' ', precision: -1}
	rest := source
	if fill, size := utf8.DecodeRuneInString(rest); len(rest) > size && strings.IndexByte("<>=^", rest[size]) >= 0 {
		s.fill, s.align, rest = fill, rest[size], rest[size+1:]
	} else if strings.IndexByte("<>=^", rest[0]) >= 0 {
		s.align, rest = rest[0], rest[1:]
	}
	take := func(set string) byte {
		if rest == "" || strings.IndexByte(set, rest[0]) < 0 {
			return 0
		}
		c := rest[0]
		rest = rest[1:]
		return c
	}
	s.sign = take("+- ")
	s.alternate = take("#") != 0
	if s.zero = take("0") != 0; s.zero && s.fill == ' ' {
		s.fill = '0'
	}
	s.width, rest = leadingNumber(rest)
	s.group = take(",_")
	if take(".") != 0 {
		before := rest
		if s.precision, rest = leadingNumber(rest); rest == before {
			return s, errors.New("the format has no digits behind its point")
		}
	}
	s.kind = take("bcdeEfFgGnosxX%")
	if rest != "" {
		return s, fmt.Errorf("the format %q is not supported", clip(source, 40))
	}
	return s, nil
}

// leadingNumber reads digits. A number that is too large for anything is cut.
func leadingNumber(s string) (n int, rest string) {
	for s != "" && '0' <= s[0] && s[0] <= '9' {
		n = min(n*10+int(s[0]-'0'), 1<<40)
		s = s[1:]
	}
	return n, s
}

// builder puts a text together and charges each part.
type builder struct {
	b *budget
	s strings.Builder
}

func (b *builder) add(s string) error {
	if b.s.Len()+len(s) > maxMemory {
		return errMemory
	}
	if err := b.b.spendEach(len(s), 3); err != nil { // a builder grows by doubling
		return err
	}
	b.s.WriteString(s)
	return nil
}

// percentFormat is Python's "format % value".
func (e *evaluation) percentFormat(format string, v any) (any, error) {
	p := percent{e: e, value: v, positional: list{v}}
	if t, ok := v.(tuple); ok {
		p.positional = list(t)
	}
	return p.write(format)
}

// percent writes a format with %.
type percent struct {
	e          *evaluation
	value      any
	positional list
	used       int
	byName     bool
}

func (p *percent) write(format string) (any, error) {
	if err := p.e.touchEach(len(format), 8); err != nil {
		return nil, err
	}
	out := builder{b: p.e.budget}
	for {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			break
		}
		if err := out.add(format[:i]); err != nil {
			return nil, err
		}
		var text string
		var err error
		if text, format, err = p.directive(format[i+1:]); err != nil {
			return nil, err
		}
		if err := out.add(text); err != nil {
			return nil, err
		}
	}
	if err := out.add(format); err != nil {
		return nil, err
	}
	_, isDict := p.value.(*dict)
	if _, isList := p.value.(list); p.used < len(p.positional) && !p.byName && !isDict && !isList {
		return nil, errors.New("not all values have a place in the format")
	}
	return out.s.String(), nil
}

// directive writes the one at the front of a format, behind its %.
func (p *percent) directive(format string) (text, rest string, err error) {
	if err := p.e.step(); err != nil {
		return "", "", err
	}
	start := format
	s := spec{fill: ' ', precision: -1, align: '>'}
	var named any = undefined{}
	if strings.HasPrefix(format, "(") {
		end := strings.IndexByte(format, ')')
		if end < 0 {
			return "", "", errors.New("the format has a name without its bracket")
		}
		if named, err = p.named(format[1:end]); err != nil {
			return "", "", err
		}
		format = format[end+1:]
	}
	for format != "" && strings.IndexByte("#0- +", format[0]) >= 0 {
		switch format[0] {
		case '#':
			s.alternate = true
		case '0':
			s.zero = true
		case '-':
			s.align = '<'
		case '+':
			s.sign = '+'
		default:
			s.sign = max(s.sign, ' ') // + counts, also before a space
		}
		format = format[1:]
	}
	if format, err = p.widths(&s, format); err != nil {
		return "", "", err
	}
	if format != "" && strings.IndexByte("hlL", format[0]) >= 0 {
		format = format[1:]
	}
	if format == "" {
		return "", "", errors.New("the format ends within a directive")
	}
	s.kind = format[0]
	if s.kind == '%' {
		if start != format {
			return "", "", errors.New("%% takes nothing between its signs")
		}
		return "%", format[1:], nil
	}
	v := named
	if !given(v) {
		if v, err = p.next(); err != nil {
			return "", "", err
		}
	}
	text, err = p.writeValue(s, v)
	return text, format[1:], err
}

func (p *percent) named(name string) (any, error) {
	d, ok := p.value.(*dict)
	if !ok {
		return nil, errors.New("a format with names needs a dict")
	}
	p.byName = true
	v, ok, err := p.e.lookup(d, name)
	if err == nil && !ok {
		err = fmt.Errorf("the format's name %q is not in the dict", clip(name, 40))
	}
	return v, err
}

func (p *percent) next() (any, error) {
	if p.used >= len(p.positional) {
		return nil, errors.New("there are not enough values for the format")
	}
	p.used++
	return p.positional[p.used-1], nil
}

// widths reads the width and the precision, of which each may be a * for a value.
func (p *percent) widths(s *spec, format string) (string, error) {
	read := func() (int, error) {
		if !strings.HasPrefix(format, "*") {
			var n int
			n, format = leadingNumber(format)
			return n, nil
		}
		format = format[1:]
		v, err := p.next()
		if err != nil {
			return 0, err
		}
		n, ok := asInt(v)
		if !ok {
			return 0, errors.New("* wants an integer")
		}
		return int(max(min(n, 1<<40), -1<<40)), nil
	}
	var err error
	if s.width, err = read(); err != nil {
		return "", err
	}
	if s.width < 0 {
		s.width, s.align = -s.width, '<'
	}
	if strings.HasPrefix(format, ".") {
		format = format[1:]
		if s.precision, err = read(); err != nil {
			return "", err
		}
		s.precision = max(s.precision, 0)
	}
	return format, nil
}

// writeValue writes one value.
func (p *percent) writeValue(s spec, v any) (string, error) {
	if s.precision > maxPrecision && s.kind == 's' {
		s.precision = min(s.precision, maxOutput)
		if err := p.e.spend(s.precision); err != nil {
			return "", err
		}
	} else if err := p.e.chargeSpec(s); err != nil {
		return "", err
	}
	switch s.kind {
	case 's', 'r', 'a':
		text, err := p.e.text(v)
		if s.kind != 's' {
			text, err = p.e.represented(v)
		}
		if err != nil {
			return "", err
		}
		if err := p.e.spendEach(len(text), 8); err != nil {
			return "", err
		}
		return s.text(text), nil
	case 'c':
		if text, ok := v.(string); ok {
			if utf8.RuneCountInString(clip(text, 8)) != 1 {
				return "", errors.New("%c wants one character")
			}
			return s.text(text), nil
		}
	}
	if s.zero && s.align != '<' {
		s.fill, s.align = '0', '='
	}
	f, ok := asFloat(v)
	if !ok {
		return "", fmt.Errorf("%%%c wants a number, not %s", s.kind, typeName(v))
	}
	switch s.kind {
	case 'd', 'i', 'u':
		if n, ok := asInt(v); ok {
			return s.wholeDigits(n)
		}
		if math.Abs(f) >= 1<<63 || math.IsNaN(f) {
			return "", errRange
		}
		return s.wholeDigits(int64(f))
	case 'x', 'X', 'o', 'c':
		n, ok := asInt(v)
		if !ok {
			return "", fmt.Errorf("%%%c wants an integer, not %s", s.kind, typeName(v))
		}
		return s.wholeDigits(n)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		return s.float(f)
	}
	return "", fmt.Errorf("%%%c is not supported in a format", s.kind)
}

// wholeDigits writes an integer, whose precision is how many digits there are at least.
func (s spec) wholeDigits(n int64) (string, error) {
	digits := s.precision
	inner := s
	inner.width, inner.precision, inner.sign = 0, -1, 0
	text, err := inner.integer(n)
	if err != nil || s.kind == 'c' {
		return s.text(text), err
	}
	text = strings.TrimPrefix(text, "-")
	prefix := ""
	if s.alternate && len(text) > 2 && s.kind != 'd' {
		prefix, text = text[:2], text[2:]
	}
	if missing := digits - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	return s.number(n < 0, prefix, text), nil
}

// represented is Python's repr.
func (e *evaluation) represented(v any) (string, error) {
	p := printer{e: e}
	err := p.repr(v)
	return p.b.String(), err
}

// strFormat is Python's str.format.
func strFormat(e *evaluation, format string, a arguments) (any, error) {
	f := braces{e: e, a: a}
	text, err := f.write(format, 0)
	return text, err
}

// braces writes a format with {…}.
type braces struct {
	e         *evaluation
	a         arguments
	automatic int
	numbered  bool
}

func (f *braces) write(format string, depth int) (string, error) {
	if depth > 1 {
		return "", errors.New("a format within a format has no format")
	}
	if err := f.e.touchEach(len(format), 8); err != nil {
		return "", err
	}
	out := builder{b: f.e.budget}
	for {
		i := strings.IndexAny(format, "{}")
		if i < 0 {
			break
		}
		text := format[i : i+1]
		rest := format[i+1:]
		if strings.HasPrefix(rest, text) {
			rest = rest[1:]
		} else {
			if text == "}" {
				return "", errors.New("the format has a } without its {")
			}
			field, after, err := bracedField(rest)
			if err != nil {
				return "", err
			}
			if text, err = f.field(field, depth); err != nil {
				return "", err
			}
			rest = after
		}
		if err := out.add(format[:i]); err != nil {
			return "", err
		}
		if err := out.add(text); err != nil {
			return "", err
		}
		format = rest
	}
	if err := out.add(format); err != nil {
		return "", err
	}
	return out.s.String(), nil
}

// bracedField is what stands up to the } that closes it.
func bracedField(s string) (field, rest string, err error) {
	depth := 1
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return s[:i], s[i+1:], nil
			}
		}
	}
	return "", "", errors.New("the format has a { without its }")
}

// field writes "name!r:spec".
func (f *braces) field(field string, depth int) (string, error) {
	if err := f.e.step(); err != nil {
		return "", err
	}
	name, source, _ := strings.Cut(field, ":")
	name, conversion, converted := strings.Cut(name, "!")
	v, err := f.value(name)
	if err != nil {
		return "", err
	}
	if converted {
		switch conversion {
		case "s":
			v, err = f.e.text(v)
		case "r", "a":
			v, err = f.e.represented(v)
		default:
			err = errors.New("a conversion of a format is s, r or a")
		}
		if err != nil {
			return "", err
		}
	}
	if strings.ContainsAny(source, "{}") {
		if source, err = f.write(source, depth+1); err != nil {
			return "", err
		}
	}
	return f.e.formatValue(v, source)
}

// value finds the argument of a field's name, and goes along its attributes and items.
func (f *braces) value(name string) (any, error) {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	if end == 0 && name != "" {
		return nil, errors.New("a path in a format needs a name or a number before it")
	}
	v, err := f.argument(name[:end])
	if err != nil {
		return nil, err
	}
	for rest := name[end:]; rest != ""; {
		if err := f.e.step(); err != nil {
			return nil, err
		}
		var key string
		var byItem bool
		if byItem = rest[0] == '['; byItem {
			var closed bool
			if key, rest, closed = strings.Cut(rest[1:], "]"); !closed || rest != "" && rest[0] != '.' && rest[0] != '[' {
				return nil, errors.New("the format has a wrong item")
			}
		} else {
			rest = rest[1:]
			next := strings.IndexAny(rest, ".[")
			if next < 0 {
				next = len(rest)
			}
			key, rest = rest[:next], rest[next:]
		}
		if v, err = f.e.stepInto(v, key, byItem); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (f *braces) argument(name string) (any, error) {
	if name == "" {
		name = strconv.Itoa(f.automatic)
		f.automatic++
	} else if name[0] <= '9' {
		f.numbered = true
	}
	if f.numbered && f.automatic > 0 {
		return nil, errors.New("a format has either numbers in all of its braces or in none")
	}
	if name[0] <= '9' {
		n, rest := leadingNumber(name)
		if rest != "" || n >= len(f.a.positional) {
			return nil, errors.New("there are not enough values for the format")
		}
		return f.a.positional[n], nil
	}
	v, ok := f.a.named[name]
	if !ok {
		return nil, fmt.Errorf("the format's name %q is not given", clip(name, 40))
	}
	return v, nil
}

// stepInto is v.key, or v[key].
func (e *evaluation) stepInto(v any, key string, byItem bool) (any, error) {
	if err := e.spend(callSize); err != nil {
		return nil, err
	}
	if !byItem {
		if len(key) <= maxName {
			if found, ok, err := attribute(v, key); ok || err != nil {
				return found, err
			}
		}
		if d, ok := v.(*dict); ok { // as Jinja's own formatter
			if found, ok, err := e.lookup(d, key); ok || err != nil {
				return found, err
			}
		}
		return nil, fmt.Errorf("%s has no %q", typeName(v), clip(key, 40))
	}
	if n, rest := leadingNumber(key); rest == "" && key != "" {
		if found, ok, err := e.at(v, int64(n)); ok || err != nil {
			return found, err
		}
	} else if d, ok := v.(*dict); ok {
		if found, ok, err := e.lookup(d, key); ok || err != nil {
			return found, err
		}
	}
	return nil, fmt.Errorf("%s has no item %q", typeName(v), clip(key, 40))
}
