package macro

import (
	"errors"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Filters and methods that lay texts out.

// chargeText charges a function of a text that makes at most size bytes of each of its.
func (b *budget) chargeText(s string, size int) error {
	if err := b.touchEach(len(s), 32); err != nil {
		return err
	}
	return b.spendEach(len(s), size)
}

// chargeWidth charges a text that is filled up to a width with characters of at most
// four bytes.
func (b *budget) chargeWidth(width int64) error {
	if width > maxOutput {
		return errOutput
	}
	return b.spendEach(int(max(width, 0)), 8)
}

// centered is Python's str.center.
func centered(s string, width int, fill string) string {
	missing := width - utf8.RuneCountInString(s)
	if missing <= 0 {
		return s
	}
	left := missing/2 + missing&width&1
	return strings.Repeat(fill, left) + s + strings.Repeat(fill, missing-left)
}

func center(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("center", "width")
	if err != nil {
		return nil, err
	}
	width, err := intOr(args[0], 80)
	if err != nil {
		return nil, err
	}
	s, err := e.text(v)
	if err != nil {
		return nil, err
	}
	return e.aligned(s, width, " ", centered)
}

func (b *budget) aligned(s string, width int64, fill string, align func(string, int, string) string) (any, error) {
	if err := b.chargeText(s, 2); err != nil {
		return nil, err
	}
	if err := b.chargeWidth(width); err != nil {
		return nil, err
	}
	return align(s, int(max(width, 0)), fill), nil
}

// alignMethod makes center, ljust and rjust.
func alignMethod(align func(s string, width int, fill string) string) stringFunc {
	return func(e *evaluation, s string, a arguments) (any, error) {
		args, err := a.take("it", "width!", "fillchar")
		if err != nil {
			return nil, err
		}
		width, err1 := intOr(args[0], 0)
		fill, err2 := stringOr(args[1], " ")
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		if len(fill) > 4 || utf8.RuneCountInString(fill) != 1 {
			return nil, errors.New("fillchar must be one character")
		}
		return e.aligned(s, width, fill, align)
	}
}

func leftJustified(s string, width int, fill string) string {
	return s + strings.Repeat(fill, max(0, width-utf8.RuneCountInString(s)))
}

func rightJustified(s string, width int, fill string) string {
	return strings.Repeat(fill, max(0, width-utf8.RuneCountInString(s))) + s
}

// splitLines is Python's str.splitlines.
func (b *budget) splitLines(s string) ([]string, error) {
	if err := b.chargeText(s, stringSize); err != nil {
		return nil, err
	}
	var out []string
	for s != "" {
		end := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if end < 0 {
			return append(out, s), nil
		}
		_, size := utf8.DecodeRuneInString(s[end:])
		if strings.HasPrefix(s[end:], "\r\n") {
			size = 2
		}
		out = append(out, s[:end])
		s = s[end+size:]
	}
	return out, nil
}

func indentFilter(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("indent", "width", "first", "blank")
	if err != nil {
		return nil, err
	}
	s, ok := v.(string)
	if !ok {
		return nil, fmt.Errorf("expected a string, not %s", typeName(v))
	}
	indention, ok := args[0].(string)
	if !ok {
		width, err := intOr(args[0], 4)
		if err != nil {
			return nil, err
		}
		if err := e.chargeWidth(width); err != nil {
			return nil, err
		}
		indention = strings.Repeat(" ", int(max(width, 0)))
	}
	first, err1 := boolOr(args[1], false)
	blank, err2 := boolOr(args[2], false)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	lines, err := e.splitLines(s + "\n")
	if err != nil {
		return nil, err
	}
	out := builder{b: e.budget}
	for i, line := range lines {
		lead := ""
		if i > 0 {
			lead = "\n"
		}
		if i == 0 && first || i > 0 && (line != "" || blank) {
			lead += indention
		}
		if err := out.add(lead + line); err != nil {
			return nil, err
		}
	}
	return out.s.String(), nil
}

func truncate(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("truncate", "length", "killwords", "end", "leeway")
	if err != nil {
		return nil, err
	}
	if args[3] == nil {
		args[3] = undefined{}
	}
	length, err1 := intOr(args[0], 255)
	cut, err2 := boolOr(args[1], false)
	end, err3 := stringOr(args[2], "...")
	leeway, err4 := intOr(args[3], 5)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	s, ok := v.(string)
	if !ok {
		return nil, fmt.Errorf("expected a string, not %s", typeName(v))
	}
	if err := e.chargeText(s+end, 8); err != nil {
		return nil, err
	}
	kept := length - int64(utf8.RuneCountInString(end))
	if kept < 0 || leeway < 0 {
		return nil, errors.New("length must not be shorter than end, and leeway not negative")
	}
	all := []rune(s)
	if int64(len(all)) <= length || int64(len(all))-length <= leeway {
		return s, nil
	}
	out := string(all[:kept])
	if i := strings.LastIndexByte(out, ' '); i >= 0 && !cut {
		out = out[:i]
	}
	return out + end, nil
}

// wordChunks are white space and words: what a line may end behind.
var wordChunks = regexp.MustCompile(`\s+|[^\s]+`)

func wordWrap(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("wordwrap", "width", "break_long_words", "wrapstring", "break_on_hyphens")
	if err != nil {
		return nil, err
	}
	if args[2] == nil {
		args[2] = undefined{}
	}
	width, err1 := intOr(args[0], 79)
	breakWords, err2 := boolOr(args[1], true)
	between, err3 := stringOr(args[2], "\n")
	hyphens, err4 := boolOr(args[3], true)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	s, ok := v.(string)
	if !ok {
		return nil, fmt.Errorf("expected a string, not %s", typeName(v))
	}
	if width < 1 {
		return nil, errors.New("width must be 1 at least")
	}
	lines, err := e.splitLines(s)
	if err != nil {
		return nil, err
	}
	if err := e.chargeText(s, 8*stringSize); err != nil {
		return nil, err
	}
	out := builder{b: e.budget}
	for i, line := range lines {
		lead := between
		if i == 0 {
			lead = ""
		}
		if err := out.add(lead); err != nil {
			return nil, err
		}
		for j, part := range wrapLine(line, int(min(width, maxOutput)), breakWords, hyphens) {
			if j > 0 {
				if err := out.add(between); err != nil {
					return nil, err
				}
			}
			if err := out.add(part); err != nil {
				return nil, err
			}
		}
	}
	return out.s.String(), nil
}

// wrapLine fills lines with the chunks of one.
func wrapLine(line string, width int, breakWords, hyphens bool) []string {
	var chunks [][]rune
	for _, chunk := range wordChunks.FindAllString(line, -1) {
		if hyphens && !isWhite(rune(chunk[0])) {
			chunks = append(chunks, hyphenated([]rune(chunk))...)
		} else {
			chunks = append(chunks, []rune(chunk))
		}
	}
	isSpace := func(c []rune) bool { return isWhite(c[0]) }
	var out []string
	for len(chunks) > 0 {
		if isSpace(chunks[0]) && len(out) > 0 {
			chunks = chunks[1:]
			continue
		}
		var now []string
		size := 0
		lastSpace := false
		for len(chunks) > 0 && size+len(chunks[0]) <= width {
			now = append(now, string(chunks[0]))
			size += len(chunks[0])
			lastSpace = isSpace(chunks[0])
			chunks = chunks[1:]
		}
		switch {
		case len(chunks) == 0 || len(chunks[0]) <= width:
		case breakWords && size < width:
			now = append(now, string(chunks[0][:width-size]))
			chunks[0] = chunks[0][width-size:]
			lastSpace = false
		case len(now) == 0:
			now = append(now, string(chunks[0]))
			chunks = chunks[1:]
		}
		if lastSpace {
			now = now[:len(now)-1]
		}
		if len(now) > 0 {
			out = append(out, strings.Join(now, ""))
		}
	}
	return out
}

// isWhite knows the white space that lines are broken at: that of wordChunks.
func isWhite(r rune) bool { return strings.ContainsRune(" \t\n\f\r", r) }

// hyphenated splits a word behind its hyphens between letters.
func hyphenated(word []rune) (out [][]rune) {
	start := 0
	for i := 1; i+1 < len(word); i++ {
		if word[i] == '-' && unicode.IsLetter(word[i-1]) && unicode.IsLetter(word[i+1]) {
			out = append(out, slices.Clone(word[start:i+1]))
			start = i + 1
		}
	}
	return append(out, slices.Clone(word[start:]))
}

func textCount(e *evaluation, v any, a arguments) (any, error) {
	if _, err := a.take("wordcount"); err != nil {
		return nil, err
	}
	s, err := e.text(v)
	if err != nil {
		return nil, err
	}
	if err := e.chargeText(s, 1); err != nil {
		return nil, err
	}
	n, inside := int64(0), false
	for _, r := range s {
		word := r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r)
		if word && !inside {
			n++
		}
		inside = word
	}
	return n, nil
}

func fileSize(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("filesizeformat", "binary")
	if err != nil {
		return nil, err
	}
	binary, err := boolOr(args[0], false)
	if err != nil {
		return nil, err
	}
	size, err := toFloat(e, v, arguments{positional: []any{nil}})
	f, ok := size.(float64)
	if err != nil || !ok {
		return nil, fmt.Errorf("expected a number, not %s", typeName(v))
	}
	base, unit := 1000.0, "B"
	letters := []string{"k", "M", "G", "T", "P", "E", "Z", "Y"}
	if binary {
		base, unit, letters[0] = 1024, "iB", "K"
	}
	switch {
	case f == 1:
		return "1 Byte", nil
	case f < base:
		return fmt.Sprintf("%d Bytes", int64(f)), nil
	}
	for i, letter := range letters {
		if f /= base; f < base || i == len(letters)-1 {
			return fmt.Sprintf("%.1f %s%s", f, letter, unit), nil
		}
	}
	return nil, errRange
}

func xmlAttributes(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("xmlattr", "autospace")
	if err != nil {
		return nil, err
	}
	space, err := boolOr(args[0], true)
	if err != nil {
		return nil, err
	}
	d, ok := v.(*dict)
	if !ok {
		return nil, fmt.Errorf("expected a dict, not %s", typeName(v))
	}
	out := builder{b: e.budget}
	for _, k := range d.keys {
		if d.values[k] == nil || !given(d.values[k]) {
			continue
		}
		if err := e.chargeText(k, 1); err != nil {
			return nil, err
		}
		if strings.ContainsAny(k, " \t\n\r\f/>=") {
			return nil, errors.New("a key has characters that the name of an attribute must not have")
		}
		text, err := e.text(d.values[k])
		if err != nil {
			return nil, err
		}
		key, err1 := escapeHTML(e.budget, k)
		value, err2 := escapeHTML(e.budget, text)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		lead := " "
		if out.s.Len() == 0 && !space {
			lead = ""
		}
		if err := out.add(lead + key + `="` + value + `"`); err != nil {
			return nil, err
		}
	}
	return out.s.String(), nil
}

// stripTags takes comments and tags out, joins white space, and decodes entities.
func stripTags(b *budget, s string) (string, error) {
	if err := b.chargeText(s, 8); err != nil {
		return "", err
	}
	without := func(s, open, shut string) string {
		var out strings.Builder
		for {
			from := strings.Index(s, open)
			if from < 0 {
				break
			}
			to := strings.Index(s[from:], shut)
			if to < 0 {
				break
			}
			out.WriteString(s[:from])
			s = s[from+to+len(shut):]
		}
		return out.String() + s
	}
	s = without(without(s, "<!--", "-->"), "<", ">")
	return html.UnescapeString(strings.Join(strings.Fields(s), " ")), nil
}

// formatFilter is "format % values".
func formatFilter(e *evaluation, v any, a arguments) (any, error) {
	if len(a.positional) > 0 && len(a.named) > 0 {
		return nil, errors.New("values come either by their places or by their names")
	}
	s, err := e.text(v)
	if err != nil {
		return nil, err
	}
	if len(a.named) > 0 {
		d, err := e.dictOf("format", a)
		if err != nil {
			return nil, err
		}
		return e.percentFormat(s, d)
	}
	return e.percentFormat(s, tuple(a.positional))
}

// askText makes a method that asks something of all characters.
func askText(f func(s string) bool) stringFunc {
	return func(e *evaluation, s string, a arguments) (any, error) {
		if _, err := a.take("it"); err != nil {
			return nil, err
		}
		if err := e.chargeText(s, 1); err != nil {
			return nil, err
		}
		return f(s), nil
	}
}

func each(holds func(rune) bool) func(string) bool {
	return func(s string) bool {
		return s != "" && strings.IndexFunc(s, func(r rune) bool { return !holds(r) }) < 0
	}
}

// hasCase reports whether all letters are as they should be, and there is one.
func hasCase(is, isNot func(rune) bool) func(string) bool {
	return func(s string) bool {
		return strings.IndexFunc(s, is) >= 0 && strings.IndexFunc(s, isNot) < 0
	}
}

func isTitle(s string) bool {
	inside, any := false, false
	for _, r := range s {
		upper, lower := unicode.IsUpper(r) || unicode.IsTitle(r), unicode.IsLower(r)
		if upper && inside || lower && !inside {
			return false
		}
		inside = upper || lower
		any = any || inside
	}
	return any
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

// searchMethod makes find, rfind, index, rindex and count.
func searchMethod(search func(s, part string) int, inBytes, must bool) stringFunc {
	return func(e *evaluation, s string, a arguments) (any, error) {
		args, err := a.take("it", "sub!")
		if err != nil {
			return nil, err
		}
		part, err := stringOr(args[0], "")
		if err != nil {
			return nil, err
		}
		if err := e.chargeSearch(s, part); err != nil {
			return nil, err
		}
		at := search(s, part)
		switch {
		case at < 0 && must:
			return nil, errors.New("the text is not in it")
		case at > 0 && inBytes:
			at = utf8.RuneCountInString(s[:at])
		}
		return int64(at), nil
	}
}

// cutMethod makes removeprefix and removesuffix.
func cutMethod(cut func(s, part string) string) stringFunc {
	return func(e *evaluation, s string, a arguments) (any, error) {
		args, err := a.take("it", "part!")
		if err != nil {
			return nil, err
		}
		part, err := stringOr(args[0], "")
		if err != nil {
			return nil, err
		}
		return cut(s, part), e.touch(min(len(s), len(part)))
	}
}

// partition makes partition and rpartition.
func partition(last bool) stringFunc {
	return func(e *evaluation, s string, a arguments) (any, error) {
		args, err := a.take("it", "sep!")
		if err != nil {
			return nil, err
		}
		sep, err := stringOr(args[0], "")
		if err != nil || sep == "" {
			return nil, errors.New("sep must be a text that is not empty")
		}
		if err := e.chargeSearch(s, sep); err != nil {
			return nil, err
		}
		if err := e.spendEach(4, stringSize); err != nil {
			return nil, err
		}
		at := strings.Index(s, sep)
		if last {
			at = strings.LastIndex(s, sep)
		}
		switch {
		case at < 0 && last:
			return tuple{"", "", s}, nil
		case at < 0:
			return tuple{s, "", ""}, nil
		}
		return tuple{s[:at], sep, s[at+len(sep):]}, nil
	}
}

// rightSplit is Python's str.rsplit.
func rightSplit(e *evaluation, s string, a arguments) (any, error) {
	args, err := a.take("it", "sep", "maxsplit")
	if err != nil {
		return nil, err
	}
	limit, err := intOr(args[1], -1)
	if err != nil {
		return nil, err
	}
	if limit < 0 {
		return split(e, s, arguments{positional: args})
	}
	sep, ok := args[0].(string)
	if !ok || sep == "" {
		return nil, errors.New("maxsplit needs sep")
	}
	if err := e.chargeSearch(s, sep); err != nil {
		return nil, err
	}
	if err := e.spendEach(int(min(limit, int64(strings.Count(s, sep)))+1), 2*stringSize); err != nil {
		return nil, err
	}
	out := list{}
	for ; limit > 0; limit-- {
		at := strings.LastIndex(s, sep)
		if at < 0 {
			break
		}
		out = append(out, s[at+len(sep):])
		s = s[:at]
	}
	out = append(out, s)
	slices.Reverse(out)
	return out, nil
}

func splitLinesMethod(e *evaluation, s string, a arguments) (any, error) {
	if _, err := a.take("it"); err != nil {
		return nil, err
	}
	lines, err := e.splitLines(s)
	if err != nil {
		return nil, err
	}
	return e.texts(lines)
}
