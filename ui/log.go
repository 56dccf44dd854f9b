package ui

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/tasklog"
)

// logPage shows a piece of a log, its end unless asked otherwise.
type logPage struct {
	Page
	DAG        DAGHead
	RunID      dag.RunID
	RunURL     string
	Task       TaskView // the chosen try
	Fate       string   // what became of the task after its last try, "" when that try says it
	Tries      []TryView
	Try        int
	Containers []FilterView
	Search     LogSearch
	Lines      []LogLine
	From, To   int64  // of the piece
	Size       string // of the log
	Missing    string // why there is no log
	Earlier    string // address of the piece before, "" at the start
	Later      string // address of the piece behind, "" at the end
	Start      string
	End        string
	Pieces     string // address of further pieces
	Stream     string // address of what follows, "" when nothing will
	Download   string
	Complete   bool
}

// LogSearch is what is searched for in the log.
type LogSearch struct {
	Query      string
	Action     string
	Count      int
	At         int64 // of the match that is shown, -1 for none
	Next, Prev string
}

func (s *server) logPage(c echo.Context) error {
	rd := s.reader(c)
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
		Page: s.dagPage(c, h, rd.t("Log of %s", string(t.Task)+" · "+string(h.ID))), DAG: h, RunID: t.Run,
		RunURL: runURL(h.ID, t.Run),
		Task:   rd.taskView(t, h.Timezone), Try: key.Try, Pieces: logAddress(key, "/lines", nil),
	}
	p.Self = pinned(c, "try", strconv.Itoa(key.Try)) // a new try does not change what is read
	if p.Tries, err = s.tries(c, h, t); err != nil {
		return err
	}
	for i := range p.Tries {
		if p.Tries[i].Try == key.Try {
			p.Tries[i].Current = true
			p.choose(p.Tries[i].TaskView)
		}
	}
	if err := s.readLog(c, key, &p); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "log", p)
}

// choose shows one try instead of the task as it stands now.
func (p *logPage) choose(try TaskView) {
	if task := p.Task; try.Try == task.Try && try.Reason != task.Reason {
		p.Fate = task.Reason
	}
	p.Task = try
}

// logKey is the try that the request names, the newest one otherwise. Before
// the first try that is the first: its log can be waited for.
func logKey(c echo.Context, t dag.TaskInstance) (dag.AttemptKey, error) {
	key := t.Key()
	key.Try = max(1, key.Try)
	if text := c.QueryParam("try"); text != "" {
		try, err := strconv.Atoi(text)
		if err != nil || try < 1 || try > key.Try {
			return key, notFound("There is no try %q of this task.", text)
		}
		key.Try = try
	}
	return key, nil
}

// logAddress is an address of one try's log: its page, or a part of it.
func logAddress(key dag.AttemptKey, part string, extra url.Values) string {
	if extra == nil {
		extra = url.Values{}
	}
	extra.Set("try", strconv.Itoa(key.Try))
	return withQuery(taskURL(key.DAG, key.Run, key.Task)+"/log"+part, extra)
}

// logView is how the request wants lines to be shown.
func (s *server) logView(c echo.Context, key dag.AttemptKey, zone string) logView {
	v := logView{rd: s.reader(c), zone: zone, query: logQuery(c.QueryParam("q")), container: c.QueryParam("container")}
	v.href = withQuery("",
		url.Values{"try": {strconv.Itoa(key.Try)}, "q": {c.QueryParam("q")}, "container": {v.container}})
	return v
}

// readLog fills the page with the piece that the request asks for.
func (s *server) readLog(c echo.Context, key dag.AttemptKey, p *logPage) error {
	rd := s.reader(c)
	kept := func(extra ...string) url.Values {
		v := url.Values{"q": {c.QueryParam("q")}, "container": {c.QueryParam("container")}}
		for i := 0; i+1 < len(extra); i += 2 {
			v.Set(extra[i], extra[i+1])
		}
		return v
	}
	stream := func(offset int64) string { return logAddress(key, "/stream", kept("offset", number(offset))) }
	info, err := s.Logs.Stat(key)
	if errors.Is(err, dag.ErrNotFound) {
		if p.Missing = s.missingLog(rd, p.Task); s.mayComeLog(p.Task) {
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
	piece, err := s.wantedPiece(c, key, info)
	if err != nil {
		return err
	}
	view := s.logView(c, key, p.DAG.Timezone)
	p.Lines, p.From, p.To = view.lines(piece), piece.From, piece.To
	p.Size, p.Complete = rd.size(info.Size), info.Sealed
	p.Download = logAddress(key, "", url.Values{"download": {"1"}})
	p.Pieces = logAddress(key, "/lines", kept())
	if piece.From > 0 {
		p.Earlier, p.Start = logAddress(key, "", kept("before", number(piece.From))), logAddress(key, "", kept("at", "0"))
	}
	p.addContainers(key, view, piece)
	switch {
	case piece.To < info.Size && !(piece.To+maxTail >= info.Size && !info.Sealed):
		p.Later, p.End = logAddress(key, "", kept("at", number(piece.To))), logAddress(key, "", kept())
	case !info.Sealed:
		p.Stream = stream(piece.To)
	}
	return s.searchLog(c, key, p)
}

// maxTail is how long the unfinished last line of a growing log may be for the
// page to count as being at the end.
const maxTail = 64 << 10

func number(n int64) string { return strconv.FormatInt(n, 10) }

// wantedPiece is around the byte "at", before the byte "before", behind
// "after", or the end of the log.
func (s *server) wantedPiece(c echo.Context, key dag.AttemptKey, info tasklog.Info) (logPiece, error) {
	place := func(name string) (int64, bool) {
		n, err := strconv.ParseInt(c.QueryParam(name), 10, 64)
		return min(n, info.Size), err == nil && n >= 0
	}
	if at, ok := place("before"); ok {
		return s.pieceBefore(key, at)
	}
	if at, ok := place("after"); ok {
		return s.pieceAfter(key, at, info)
	}
	if at, ok := place("at"); ok {
		return s.pieceAround(key, at, info)
	}
	piece, err := s.pieceBefore(key, info.Size)
	if err == nil && !info.Sealed {
		piece.text = wholeLines(piece.text)
		piece.To = piece.From + int64(len(piece.text))
	}
	return piece, err
}

// addContainers offers the containers of the piece, when there are several.
func (p *logPage) addContainers(key dag.AttemptKey, view logView, piece logPiece) {
	chosen := view.container
	view.container = ""
	var names []string
	for _, l := range view.lines(piece) {
		if name := containerName(l); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if chosen != "" && !slices.Contains(names, chosen) {
		names = append(names, chosen)
	}
	if len(names) < 2 && chosen == "" {
		return
	}
	slices.Sort(names)
	for _, name := range append([]string{""}, names...) {
		p.Containers = append(p.Containers, FilterView{Name: name, Current: name == chosen,
			Href: logAddress(key, "", url.Values{"container": {name}})})
	}
}

// searchLog counts what is searched for and links to the matches beside the one
// that is shown.
func (s *server) searchLog(c echo.Context, key dag.AttemptKey, p *logPage) error {
	p.Search = LogSearch{Query: c.QueryParam("q"), Action: taskURL(key.DAG, key.Run, key.Task) + "/log", At: -1}
	query := logQuery(p.Search.Query)
	if query == "" {
		return nil
	}
	hits, err := s.search(key, query)
	if err != nil {
		return fmt.Errorf("search log: %w", err)
	}
	p.Search.Count = hits.Count
	if at, err := strconv.ParseInt(c.QueryParam("at"), 10, 64); err == nil {
		p.Search.At = at
	}
	address := func(at int64) string {
		return logAddress(key, "", url.Values{"q": {p.Search.Query}, "at": {number(at)}}) + "#b" + number(at)
	}
	i, found := slices.BinarySearch(hits.At, p.Search.At)
	if i > 0 {
		p.Search.Prev = address(hits.At[i-1])
	}
	if found {
		i++
	}
	if i < len(hits.At) {
		p.Search.Next = address(hits.At[i])
	}
	return nil
}

// linesPart is a piece of a log alone, for the script.
type linesPart struct {
	Lines    []LogLine
	From, To int64
	Size     int64
}

// logLines answers with a piece of a log.
func (s *server) logLines(c echo.Context) error {
	key, info, err := s.logOf(c)
	if err != nil {
		return err
	}
	piece, err := s.wantedPiece(c, key, info)
	if err != nil {
		return err
	}
	p := linesPart{Lines: s.logView(c, key, s.zoneOf(c)).lines(piece), From: piece.From, To: piece.To, Size: info.Size}
	return s.render(c, http.StatusOK, "loglines", p)
}

// logSearch answers with the places of all matches as JSON.
func (s *server) logSearch(c echo.Context) error {
	key, _, err := s.logOf(c)
	if err != nil {
		return err
	}
	hits, err := s.search(key, logQuery(c.QueryParam("q")))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, hits)
}

// logOf finds the log that the request is about.
func (s *server) logOf(c echo.Context) (dag.AttemptKey, tasklog.Info, error) {
	t, err := s.Store.TaskInstance(c.Request().Context(), dagParam(c), runParam(c), taskParam(c))
	if err != nil {
		return dag.AttemptKey{}, tasklog.Info{}, err
	}
	key, err := logKey(c, t)
	if err != nil {
		return key, tasklog.Info{}, err
	}
	info, err := s.Logs.Stat(key)
	return key, info, err
}

// zoneOf is the time zone of the request's DAG, when it matters to the reader.
func (s *server) zoneOf(c echo.Context) string {
	if s.reader(c).zone != zoneDAG {
		return ""
	}
	row, err := s.Store.DAG(c.Request().Context(), dagParam(c))
	if err != nil {
		return ""
	}
	return row.Timezone
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
