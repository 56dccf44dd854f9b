package ui

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/tasklog"
)

// logWindow is how much of a log a page shows, in bytes.
const logWindow = 256 << 10

// logPage shows a piece of a log, its end unless asked otherwise.
type logPage struct {
	Page
	DAG      DAGHead
	RunID    dag.RunID
	RunURL   string
	Task     TaskView // the chosen try
	Tries    []TryView
	Try      int
	Text     string
	Size     string
	Missing  string // why there is no log
	Earlier  string // addresses of the neighbouring pieces, "" at the ends
	End      string
	Stream   string // address of what follows, "" when nothing will
	Download string
	Complete bool
}

func (s *server) logPage(c echo.Context) error {
	h, err := s.dagHead(c, "Runs")
	if err != nil {
		return err
	}
	t, err := s.Store.TaskInstance(c.Request().Context(), h.ID, runParam(c), taskParam(c))
	if err != nil {
		return err
	}
	key, err := logKey(c, t)
	if err != nil {
		return err
	}
	if c.QueryParam("download") != "" {
		return s.downloadLog(c, key)
	}
	p := logPage{
		Page: s.dagPage(c, h, "Log of "+string(t.Task)), DAG: h, RunID: t.Run, RunURL: runURL(h.ID, t.Run),
		Task: s.taskView(t, h.Timezone), Try: key.Try,
	}
	if p.Tries, err = s.tries(c, h, t); err != nil {
		return err
	}
	for i := range p.Tries {
		if p.Tries[i].Try == key.Try {
			p.Tries[i].Current = true
			p.Task = p.Tries[i].TaskView
		}
	}
	if err := s.readLog(c, key, &p); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "log", p)
}

// logKey is the try that the request names, the newest one otherwise. Before
// the first try that is the first: its log can be waited for.
func logKey(c echo.Context, t dag.TaskInstance) (dag.AttemptKey, error) {
	key := dag.AttemptKey{DAG: t.DAG, Run: t.Run, Task: t.Task, Try: max(1, t.Try)}
	if text := c.QueryParam("try"); text != "" {
		try, err := strconv.Atoi(text)
		if err != nil || try < 1 || try > key.Try {
			return key, notFound("There is no try %q of this task.", text)
		}
		key.Try = try
	}
	return key, nil
}

// readLog fills the page with the piece that the request asks for.
func (s *server) readLog(c echo.Context, key dag.AttemptKey, p *logPage) error {
	here := func(extra url.Values) string {
		extra.Set("try", strconv.Itoa(key.Try))
		return withQuery(taskURL(key.DAG, key.Run, key.Task)+"/log", extra)
	}
	stream := func(offset int64) string {
		return withQuery(taskURL(key.DAG, key.Run, key.Task)+"/log/stream", url.Values{
			"try": {strconv.Itoa(key.Try)}, "offset": {strconv.FormatInt(offset, 10)}})
	}
	info, err := s.Logs.Stat(key)
	if errors.Is(err, dag.ErrNotFound) {
		if p.Missing = s.missingLog(p.Task); s.mayComeLog(p.Task) {
			p.Stream = stream(0)
		}
		return nil
	}
	if errors.Is(err, tasklog.ErrUnavailable) {
		p.Missing = s.unavailableLog(c, key, err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for log: %w", err)
	}
	from, to := logRange(c, info)
	text, from, err := s.logPiece(key, from, to, info)
	if err != nil {
		return err
	}
	end := from + int64(len(text))
	p.Text, p.Size, p.Complete = strings.ToValidUTF8(string(text), "\uFFFD"), showSize(info.Size), info.Sealed
	p.Download = here(url.Values{"download": {"1"}})
	if from > 0 {
		p.Earlier = here(url.Values{"from": {strconv.FormatInt(max(0, from-logWindow), 10)}, "to": {strconv.FormatInt(from, 10)}})
	}
	switch {
	case to < info.Size:
		p.End = here(url.Values{})
	case !info.Sealed:
		p.Stream = stream(end)
	}
	return nil
}

// logRange is the piece of the log that the address names, within bounds.
func logRange(c echo.Context, info tasklog.Info) (from, to int64) {
	to = info.Size
	if n, err := strconv.ParseInt(c.QueryParam("to"), 10, 64); err == nil && n > 0 && n < to {
		to = n
	}
	from = max(0, to-logWindow)
	if n, err := strconv.ParseInt(c.QueryParam("from"), 10, 64); err == nil && n > from && n < to {
		from = n
	}
	return from, to
}

// logPiece reads whole lines: it begins behind the first line break, unless at
// the log's start, and ends with the last one while the log grows.
func (s *server) logPiece(key dag.AttemptKey, from, to int64, info tasklog.Info) ([]byte, int64, error) {
	r, err := s.Logs.ReadAt(key, from, to-from)
	if err != nil {
		return nil, 0, fmt.Errorf("open log: %w", err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, logWindow))
	if err != nil {
		return nil, 0, fmt.Errorf("read log: %w", err)
	}
	if from > 0 {
		if i := bytes.IndexByte(text, '\n'); i >= 0 && i+1 < len(text) {
			text, from = text[i+1:], from+int64(i)+1
		}
	}
	if !info.Sealed && to == info.Size {
		if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
			text = text[:i+1]
		}
	}
	return text, from, nil
}

// downloadLog sends the whole log as it is now.
func (s *server) downloadLog(c echo.Context, key dag.AttemptKey) error {
	info, err := s.Logs.Stat(key)
	if err != nil {
		return err
	}
	r, err := s.Logs.ReadAt(key, 0, info.Size)
	if err != nil {
		return err
	}
	defer r.Close()
	// Ids hold no character that would need quoting here.
	name := fmt.Sprintf("%s.%s.%s.%d.log", key.DAG, key.Run, key.Task, key.Try)
	c.Response().Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
	return c.Stream(http.StatusOK, "text/plain; charset=utf-8", r)
}
