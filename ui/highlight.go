package ui

import "strings"

// maxHighlighted bounds the files that are coloured; longer ones stay plain.
const maxHighlighted = 256 << 10

// CodeLine is a line of a file in coloured pieces. The texts of a line's
// pieces, put together, are the line.
type CodeLine struct {
	Number int
	Spans  []Span
}

// Span is a piece of a line. Class is "", "key", "string", "number",
// "comment" or "macro".
type Span struct{ Class, Text string }

// highlight colours YAML line by line. It is a help for the eye and no parser:
// a line inside a block of text is coloured as if it stood alone.
func highlight(source string) []CodeLine {
	lines := strings.Split(strings.TrimSuffix(source, "\n"), "\n")
	out := make([]CodeLine, len(lines))
	for i, line := range lines {
		out[i].Number = i + 1
		if len(source) > maxHighlighted {
			out[i].Spans = []Span{{"", line}}
			continue
		}
		out[i].Spans = highlightLine(line)
	}
	return out
}

func highlightLine(line string) []Span {
	var spans []Span
	add := func(class, text string) {
		if text != "" {
			spans = append(spans, Span{class, text})
		}
	}
	code, comment := splitComment(line)
	indent := len(code) - len(strings.TrimLeft(code, " \t"))
	for strings.HasPrefix(code[indent:], "- ") {
		indent += 2
	}
	add("", code[:indent])
	code = code[indent:]
	if key, rest, ok := splitKey(code); ok {
		add("key", key)
		add("", ":")
		code = rest
	}
	value := strings.TrimLeft(code, " \t")
	add("", code[:len(code)-len(value)])
	spans = append(spans, highlightValue(value)...)
	add("comment", comment)
	return spans
}

// splitComment cuts at the first "#" that begins a comment.
func splitComment(line string) (code, comment string) {
	var quote byte
	for i := 0; i < len(line); i++ {
		switch ch := line[i]; {
		case quote != 0:
			if ch == '\\' && quote == '"' {
				i++
			} else if ch == quote {
				quote = 0
			}
		case ch == '"' || ch == '\'':
			if i == 0 || strings.IndexByte(" \t[{,:", line[i-1]) >= 0 {
				quote = ch
			}
		case ch == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return line[:i], line[i:]
		}
	}
	return line, ""
}

// splitKey cuts "key: value" and "key:".
func splitKey(code string) (key, rest string, ok bool) {
	i := strings.Index(code, ":")
	if strings.HasPrefix(code, `"`) || strings.HasPrefix(code, "'") {
		end := strings.IndexByte(code[1:], code[0])
		if end < 0 || !strings.HasPrefix(code[end+2:], ":") {
			return "", "", false
		}
		i = end + 2
	}
	if i <= 0 || i+1 < len(code) && code[i+1] != ' ' || strings.ContainsAny(code[:i], "{}[],") {
		return "", "", false
	}
	return code[:i], code[i+1:], true
}

// highlightValue colours a value, and macros inside it.
func highlightValue(value string) []Span {
	class := valueClass(strings.TrimSpace(value))
	var spans []Span
	for value != "" {
		start := strings.Index(value, "{{")
		length := -1
		if start >= 0 {
			length = strings.Index(value[start:], "}}")
		}
		if length < 0 {
			return append(spans, Span{class, value})
		}
		if start > 0 {
			spans = append(spans, Span{class, value[:start]})
		}
		spans = append(spans, Span{"macro", value[start : start+length+2]})
		value = value[start+length+2:]
	}
	return spans
}

func valueClass(value string) string {
	switch value {
	case "true", "false", "null", "~", "yes", "no":
		return "number"
	case "":
		return ""
	}
	if value[0] == '"' || value[0] == '\'' {
		return "string"
	}
	if strings.Trim(value, "0123456789.-+_eE") == "" {
		return "number"
	}
	return ""
}
