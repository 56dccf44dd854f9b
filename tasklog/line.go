package tasklog

import (
	"bytes"
	"strings"
	"time"

	"dagwright/tasklog/limit"
)

const (
	lineTime = limit.LineTime
	ownMark  = limit.OwnMark
	// baseMark stands before the base container's text where that text would
	// be taken for something else. An empty name is not a container's.
	baseMark = "[] "
	// maxContainer is the longest name of a container: it is a DNS label.
	maxContainer = 63
)

// Line is one line of a log. Pods write
//
//	<timestamp> <text>               the base container
//	<timestamp> [<container>] <text> any other container
//	<timestamp> dagwright: <text>    dagwright itself
//
// and local processes write their text alone.
type Line struct {
	// Time is when the line was written, in UTC; it is zero where the log does
	// not say. The years 0 to 9999 can be written.
	Time time.Time
	// Container is the container that wrote it, a DNS label as Kubernetes
	// wants; it is empty for the base container, a process and dagwright.
	Container string
	// Own says that dagwright wrote it.
	Own bool
	// Text is the rest, without the newline.
	Text string
}

// ParseLine reads one line, with or without its newline. It never fails: a
// line that does not begin with a timestamp is all text.
func ParseLine(line []byte) Line {
	line = bytes.TrimSuffix(line, []byte("\n"))
	at, rest, ok := cutTime(line)
	if !ok {
		return Line{Text: string(line)}
	}
	mark, text := cutMark(string(rest))
	l := Line{Time: at, Text: text}
	switch mark {
	case "", baseMark:
	case ownMark:
		l.Own = true
	default:
		l.Container = mark[len("[") : len(mark)-len("] ")]
	}
	return l
}

// AppendLine appends l to dst, without a newline behind it, such that ParseLine
// gives l back. A newline in the text begins another line of the same writer
// and time. Of a line that is too long for memory AppendLine may be given the
// first 100 bytes or more; what follows needs no mark.
func AppendLine(dst []byte, l Line) []byte {
	first, rest, more := strings.Cut(l.Text, "\n")
	for l.Text = first; more; l.Text = first {
		dst = append(appendOne(dst, l), '\n')
		first, rest, more = strings.Cut(rest, "\n")
	}
	return appendOne(dst, l)
}

func appendOne(dst []byte, l Line) []byte {
	if l.Time.IsZero() && l.Container == "" && !l.Own {
		if _, _, ok := cutTime([]byte(l.Text[:min(len(l.Text), len(lineTime)+1)])); !ok {
			return append(dst, l.Text...)
		}
	}
	dst = l.Time.UTC().AppendFormat(dst, lineTime)
	dst = append(dst, ' ')
	if l.Own {
		dst = append(dst, ownMark...)
	} else if l.Container != "" {
		dst = append(append(append(dst, '['), l.Container...), "] "...)
	} else if mark, _ := cutMark(l.Text); mark != "" {
		dst = append(dst, baseMark...)
	}
	return append(dst, l.Text...)
}

// cutTime takes the timestamp and its space from the beginning of a line.
func cutTime(line []byte) (time.Time, []byte, bool) {
	n := len(lineTime)
	// The few bytes spare most plain lines the parser, which would also take a
	// comma for the point.
	if len(line) <= n || line[4] != '-' || line[n-1] != 'Z' || line[19] != '.' || line[n] != ' ' {
		return time.Time{}, nil, false
	}
	t, err := time.Parse(lineTime, string(line[:n]))
	if err != nil {
		return time.Time{}, nil, false
	}
	return t, line[n+1:], true
}

// cutMark takes what says who wrote a line from its beginning; the mark is
// empty where nothing says so.
func cutMark(s string) (mark, text string) {
	if text, ok := strings.CutPrefix(s, ownMark); ok {
		return ownMark, text
	}
	if !strings.HasPrefix(s, "[") {
		return "", s
	}
	end := strings.Index(s[:min(len(s), maxContainer+len("[] "))], "] ")
	if end < 0 || end > 1 && !isLabel(s[1:end]) {
		return "", s
	}
	return s[:end+2], s[end+2:]
}

// isLabel says whether s is a DNS label as RFC 1123 has it.
func isLabel(s string) bool {
	for _, c := range []byte(s) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != "" && s[0] != '-' && s[len(s)-1] != '-'
}
