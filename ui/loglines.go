package ui

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"dagwright/dag"
	"dagwright/tasklog"
)

// The size of a piece of a log that a page shows at once, in bytes and lines.
const (
	logWindow = 128 << 10
	maxLines  = 2000
)

// LogLine is a line of a log as a page shows it.
type LogLine struct {
	At        int64  // where it begins in the log, in bytes: its name, for links
	Href      string // leads to it
	Time      string // "" when the log does not say
	Title     string // the whole date
	Container string
	Own       bool // dagwright's own text
	Hit       bool // has what is searched for
	Spans     []TextSpan
}

// logPiece is a stretch of a log with whole lines.
type logPiece struct {
	From, To int64
	text     []byte
}

// logView is how lines of one try are shown.
type logView struct {
	rd        *reader
	zone      string // the DAG's
	href      string // query of a line's address, to which the place is added
	query     string // what is searched for, in lower case
	container string // only lines of this one; "" for all
}

// lines shows the lines of a piece.
func (v logView) lines(p logPiece) []LogLine {
	var lines []LogLine
	at := p.From
	for raw := range bytes.Lines(p.text) {
		line := v.line(at, bytes.TrimSuffix(raw, []byte("\n")))
		at += int64(len(raw))
		if v.container == "" || v.container == containerName(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

func (v logView) line(at int64, raw []byte) LogLine {
	parsed := tasklog.ParseLine(raw)
	l := LogLine{
		At: at, Href: fmt.Sprintf("%s&at=%d#b%d", v.href, at, at), Container: parsed.Container, Own: parsed.Own,
		Spans: ansiSpans(parsed.Text), Hit: v.query != "" && bytes.Contains(lower(raw, v.query), []byte(v.query)),
	}
	if !parsed.Time.IsZero() {
		local, zone := v.rd.in(parsed.Time, v.zone)
		l.Time, l.Title = local.Format("15:04:05.000"), local.Format("2006-01-02 15:04:05.000000 ")+zone
	}
	return l
}

// baseContainer and ownLines name, in the choice of containers, the lines of
// the task itself and those of dagwright.
const (
	baseContainer = "base"
	ownLines      = "dagwright"
)

func containerName(l LogLine) string {
	switch {
	case l.Own:
		return ownLines
	case l.Container == "":
		return baseContainer
	}
	return l.Container
}

// pieceBefore is what ends at end. It begins with a whole line.
func (s *server) pieceBefore(key dag.AttemptKey, end int64) (logPiece, error) {
	from := max(0, end-logWindow)
	text, err := s.readPiece(key, from, end)
	if err != nil {
		return logPiece{}, err
	}
	if from > 0 {
		if i := bytes.IndexByte(text, '\n'); i >= 0 && i+1 < len(text) {
			text, from = text[i+1:], from+int64(i)+1
		}
	}
	for n := bytes.Count(text, []byte("\n")); n > maxLines; n-- {
		i := bytes.IndexByte(text, '\n') + 1
		text, from = text[i:], from+int64(i)
	}
	return logPiece{From: from, To: from + int64(len(text)), text: text}, nil
}

// pieceAfter is what begins at start. It ends with a whole line, unless the log
// is complete and ends without one.
func (s *server) pieceAfter(key dag.AttemptKey, start int64, info tasklog.Info) (logPiece, error) {
	to := min(info.Size, start+logWindow)
	text, err := s.readPiece(key, start, to)
	if err != nil {
		return logPiece{}, err
	}
	if to < info.Size || !info.Sealed {
		text = wholeLines(text)
	}
	if n := 0; bytes.Count(text, []byte("\n")) > maxLines {
		for range maxLines {
			n += bytes.IndexByte(text[n:], '\n') + 1
		}
		text = text[:n]
	}
	return logPiece{From: start, To: start + int64(len(text)), text: text}, nil
}

// linesAbove is how many lines are shown above one that is linked to.
const linesAbove = 200

// pieceAround has the line to which the byte at belongs, and some above it.
func (s *server) pieceAround(key dag.AttemptKey, at int64, info tasklog.Info) (logPiece, error) {
	start, err := s.lineStart(key, at)
	if err != nil {
		return logPiece{}, err
	}
	above, err := s.pieceBefore(key, start)
	if err != nil {
		return logPiece{}, err
	}
	text := above.text
	for n := bytes.Count(text, []byte("\n")); n > linesAbove; n-- {
		text = text[bytes.IndexByte(text, '\n')+1:]
	}
	return s.pieceAfter(key, above.To-int64(len(text)), info)
}

// wholeLines cuts behind the last line break, when there is one.
func wholeLines(text []byte) []byte {
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		return text[:i+1]
	}
	return text
}

// lineStart is where the line begins to which the byte at belongs.
func (s *server) lineStart(key dag.AttemptKey, at int64) (int64, error) {
	from := max(0, at-logWindow)
	text, err := s.readPiece(key, from, at)
	if err != nil {
		return 0, err
	}
	return from + int64(bytes.LastIndexByte(text, '\n')+1), nil
}

func (s *server) readPiece(key dag.AttemptKey, from, to int64) ([]byte, error) {
	r, err := s.Logs.ReadAt(key, from, to-from)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	defer r.Close()
	text := make([]byte, max(0, to-from))
	n, err := io.ReadFull(r, text)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read log: %w", err)
	}
	return text[:n], nil
}

// lower is text in lower case, of the same length, as far as query can tell: a
// query of ASCII alone spares the text's other letters, which is ten times as
// fast.
func lower(text []byte, query string) []byte {
	if strings.IndexFunc(query, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		if l := bytes.ToLower(text); len(l) == len(text) {
			return l
		}
	}
	l := bytes.Clone(text)
	for i, b := range l {
		if b >= 'A' && b <= 'Z' {
			l[i] = b + 'a' - 'A'
		}
	}
	return l
}

// logQuery is what somebody searches for, as it is compared.
func logQuery(text string) string { return strings.ToLower(strings.TrimSpace(text)) }

// maxHits bounds how many lines with a match are listed; they are counted
// beyond it.
const maxHits = 5000

// logHits are the lines of a log that have what is searched for.
type logHits struct {
	Count int     `json:"count"`
	At    []int64 `json:"at"` // where the lines begin, the first maxHits of them
}

// searchTime bounds a search, so that nobody keeps the server busy with one.
const searchTime = 10 * time.Second

// search looks through a log line by line.
func (s *server) search(key dag.AttemptKey, query string) (logHits, error) {
	hits := logHits{At: []int64{}}
	info, err := s.Logs.Stat(key)
	if err != nil || query == "" {
		return hits, err
	}
	end := time.Now().Add(searchTime)
	for at := int64(0); at < info.Size && time.Now().Before(end); {
		text, err := s.readPiece(key, at, min(info.Size, at+1<<20))
		if err != nil {
			return hits, err
		}
		if len(text) == 0 {
			break
		}
		text = wholeLines(text)
		hits.add(at, lower(text, query), []byte(query))
		at += int64(len(text))
	}
	return hits, nil
}

// add looks through whole lines that begin at an offset.
func (h *logHits) add(at int64, text, query []byte) {
	for done := 0; ; {
		i := bytes.Index(text[done:], query)
		if i < 0 {
			return
		}
		start := bytes.LastIndexByte(text[:done+i], '\n') + 1
		h.Count++
		if len(h.At) < maxHits {
			h.At = append(h.At, at+int64(start))
		}
		end := bytes.IndexByte(text[done+i:], '\n')
		if end < 0 {
			return
		}
		done += i + end + 1
	}
}
