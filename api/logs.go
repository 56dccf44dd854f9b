package api

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/tasklog"
)

const (
	ndjson      = "application/x-ndjson"
	eventStream = "text/event-stream"

	// logPage is how much of a log one JSON answer holds unless the full
	// content is asked for.
	logPage = 1 << 20
	// maxLine is where a longer line is cut into several events.
	maxLine = 64 << 10
)

// logRequest asks for the log of one try.
type logRequest struct {
	key    dag.AttemptKey
	offset int64
	full   bool // all of it, not a page
	follow bool
	format string // echo.MIMEApplicationJSON, ndjson or eventStream
	ended  bool   // the try has ended: the log will not grow
	// endedAt is when the try ended, zero before that.
	endedAt time.Time
}

// logAnswer is Airflow's TaskInstancesLogResponse, as the document has it; the
// answer itself is written while the log is read.
type logAnswer struct {
	Content []logLine `json:"content"`
	Token   *string   `json:"continuation_token"`
}

func (s *server) logRoutes() []route {
	return []route{
		{http.MethodGet, taskPath + "/logs/:try_number", dag.RightRead, s.getLog, operation{
			id: "get_log", tag: "Task Instance", summary: "Read the log of a try, or follow it.", answer: logAnswer{},
			media:    []string{ndjson, eventStream},
			refusals: []int{http.StatusNotAcceptable, http.StatusServiceUnavailable},
			query: []param{
				truth("full_content", false, "All of the log, not a page of it."),
				integer("map_index", "-1: no task is mapped here."),
				text("token", "Where to go on: the continuation_token of the answer before."),
				truth("follow", false, "Send the log as it grows, until it is complete."),
			},
		}},
		{http.MethodGet, taskPath + "/externalLogUrl/:try_number", dag.RightRead, s.externalLog, operation{
			id: "get_external_log_url", tag: "Task Instance", summary: "Refused: logs are here and nowhere else.",
			status: http.StatusBadRequest,
		}},
	}
}

// externalLog is Airflow's answer where logs are not kept elsewhere.
func (s *server) externalLog(c echo.Context) error {
	if _, err := number(c, "try_number"); err != nil {
		return err
	}
	return refuse(http.StatusBadRequest, "Task log handler does not support external logs.")
}

func (s *server) getLog(c echo.Context) error {
	r, err := s.readLogRequest(c)
	if err != nil {
		return err
	}
	size, err := s.logSize(&r)
	if err != nil {
		return err
	}
	if r.follow {
		return s.followLog(c, r)
	}
	if r.format == ndjson {
		return s.streamLog(c, r, size)
	}
	return s.answerLog(c, r, size)
}

func (s *server) readLogRequest(c echo.Context) (logRequest, error) {
	q := readQuery(c)
	full, follow := q.boolean("full_content"), q.boolean("follow")
	token := q.str("token")
	if err := readMapIndex(q); err != nil {
		return logRequest{}, err
	}
	r := logRequest{full: full != nil && *full, follow: follow != nil && *follow}
	accept := c.Request().Header.Get(echo.HeaderAccept)
	switch {
	case strings.HasPrefix(accept, eventStream):
		r.format, r.follow = eventStream, true
	case strings.HasPrefix(accept, ndjson) || r.follow:
		r.format = ndjson
	case acceptsJSON(accept):
		r.format = echo.MIMEApplicationJSON
	default:
		return r, refuse(http.StatusNotAcceptable,
			"Only application/json, application/x-ndjson or text/event-stream is supported")
	}
	var ok bool
	if r.offset, ok = readToken(cmp.Or(token, c.Request().Header.Get("Last-Event-ID"))); !ok {
		return r, refuse(http.StatusBadRequest, "Bad Signature. Please use only the tokens provided by the API.")
	}
	t, err := s.loadTry(c)
	if err != nil {
		return r, orMissing(err, "TaskInstance not found")
	}
	r.key = t.Key()
	lag := s.Logs.Lag()
	r.ended = tryEnded(t) && (lag == 0 || s.Now().Sub(t.EndedAt) >= lag)
	r.endedAt = t.EndedAt
	return r, nil
}

// tryEnded reports whether a try will write nothing more. An instance that is
// up for retry, or was never started, is not running either.
func tryEnded(t dag.TaskInstance) bool { return !t.State.Active() }

// A token is the offset in bytes at which the log goes on. It proves nothing
// and need not: every offset of a log is for the same readers.
func newToken(offset int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(offset, 10)))
}

// readToken reads a token, or an offset in digits as Last-Event-ID has it.
func readToken(token string) (int64, bool) {
	if token == "" {
		return 0, true
	}
	digits := token
	if text, err := base64.RawURLEncoding.DecodeString(token); err == nil {
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil && n >= 0 {
			return n, true
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n >= 0
}

// logSize is how long the log is now; a try that wrote nothing has none. A
// sealed log has ended whatever the task's state says.
func (s *server) logSize(r *logRequest) (int64, error) {
	info, err := s.Logs.Stat(r.key)
	if errors.Is(err, dag.ErrNotFound) {
		if keep, expired := s.Logs.Expired(r.key.DAG, r.endedAt); expired {
			return 0, refuse(http.StatusNotFound, "The log was removed by retention after %s", tasklog.KeepWords(keep))
		}
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look at log: %w", err)
	}
	r.ended = r.ended || info.Sealed
	return info.Size, nil
}

// logLine is one line as Airflow shows the lines of a structured log. A line
// of the log that says nothing of its time has no timestamp.
type logLine struct {
	Timestamp timestamp `json:"timestamp,omitzero"`
	lineFields
}

// timedLine is a logLine of NDJSON, in which a timestamp that is missing is
// null, as in Airflow's answers.
type timedLine struct {
	Timestamp timestamp `json:"timestamp"`
	lineFields
}

// lineFields is what both have. The logger is dagwright for its own lines; the
// container is one other than the base container.
type lineFields struct {
	Event     string `json:"event"`
	Logger    string `json:"logger,omitempty"`
	Container string `json:"container,omitempty"`
}

// newLogLine shows a line of a log without its newline.
func newLogLine(text []byte) logLine {
	l := tasklog.ParseLine(text)
	line := logLine{timestamp(l.Time), lineFields{Event: l.Text, Container: l.Container}}
	if l.Own {
		line.Logger = "dagwright"
	}
	return line
}

// answerLog answers with a page of the log, or all of it, as one JSON object,
// which is written while the log is read: logs may be large.
func (s *server) answerLog(c echo.Context, r logRequest, size int64) error {
	end := size
	if !r.full {
		end = min(size, r.offset+logPage)
	}
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	w := bufio.NewWriter(c.Response())
	if _, err := w.WriteString(`{"content":[`); err != nil {
		return err
	}
	first := true
	next, err := s.readLines(r.key, span{r.offset, end, r.ended && end == size}, func(line []byte, _ int64) error {
		if !first {
			_ = w.WriteByte(',') // Flush returns the error of any write
		}
		first = false
		return writeJSON(w, newLogLine(line))
	})
	if err != nil {
		return err
	}
	var token *string
	if !r.ended || next < size {
		t := newToken(next)
		token = &t
	}
	_, _ = w.WriteString(`],"continuation_token":`)
	if err := writeJSON(w, token); err != nil {
		return err
	}
	_ = w.WriteByte('}')
	return w.Flush()
}

// streamLog answers with what there is of the log now, a JSON object a line.
func (s *server) streamLog(c echo.Context, r logRequest, size int64) error {
	c.Response().Header().Set(echo.HeaderContentType, ndjson)
	if !r.ended {
		c.Response().Header().Set("Airflow-Continuation-Token", newToken(s.wholeLines(r.key, r.offset, size)))
	}
	w := bufio.NewWriter(c.Response())
	_, err := s.readLines(r.key, span{r.offset, size, r.ended}, func(line []byte, _ int64) error {
		if err := writeJSON(w, timedLine(newLogLine(line))); err != nil {
			return err
		}
		return w.WriteByte('\n')
	})
	if err != nil {
		return err
	}
	return w.Flush()
}

// wholeLines is where the last whole line before end ends, so that a reader
// who goes on there misses nothing and, except for a line longer than maxLine,
// sees nothing twice.
func (s *server) wholeLines(key dag.AttemptKey, offset, end int64) int64 {
	from := max(offset, end-maxLine)
	if from >= end {
		return min(offset, end)
	}
	body, err := s.Logs.ReadAt(key, from, end-from)
	if err != nil {
		return offset
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if i := bytes.LastIndexByte(text, '\n'); err == nil && i >= 0 {
		return from + int64(i) + 1
	}
	return from
}

// span is the part of a log from an offset to another. When it is final its
// last line counts even without a newline.
type span struct {
	from, to int64
	final    bool
}

// readLines calls fn with each line of a span, without its newline, and the
// offset behind it. It returns the offset behind the last line it gave out.
func (s *server) readLines(key dag.AttemptKey, part span, fn func(line []byte, next int64) error) (int64, error) {
	next := part.from
	if part.from >= part.to {
		return next, nil
	}
	body, err := s.Logs.ReadAt(key, part.from, part.to-part.from)
	if err != nil {
		return next, fmt.Errorf("read log: %w", err)
	}
	defer body.Close()
	r := bufio.NewReaderSize(body, maxLine)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return next, fmt.Errorf("read log: %w", err)
		}
		ended := errors.Is(err, io.EOF)
		if len(line) == 0 || ended && !part.final {
			return next, nil
		}
		next += int64(len(line))
		if err := fn(trimNewline(line), next); err != nil {
			return next, err
		}
		if ended {
			return next, nil
		}
	}
}

func trimNewline(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = bytes.TrimSuffix(line[:n-1], []byte("\r"))
	}
	return line
}

// writeJSON writes a value without a newline and without escaping HTML, which
// logs are full of.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return err
}
