package ui

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
)

// event is one server-sent event.
type event struct{ id, name, data string }

// listener reads an event stream over a real connection.
type listener struct {
	*testing.T
	answer *http.Response
	lines  *bufio.Scanner
	cancel context.CancelFunc
}

// serve starts a real HTTP server, since streams need one.
func (s *site) serve() string {
	server := httptest.NewServer(s.echo)
	s.Cleanup(func() {
		server.Client().CloseIdleConnections()
		server.Close()
	})
	return server.URL
}

func (s *site) listen(address, lastEventID string) *listener {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		s.Fatal(err)
	}
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := transport.RoundTrip(req) //nolint:bodyclose // listener.close closes it
	if err != nil {
		s.Fatal(err)
	}
	r := &listener{T: s.T, answer: answer, lines: bufio.NewScanner(answer.Body), cancel: cancel}
	r.lines.Buffer(nil, 1<<20)
	s.Cleanup(r.close)
	return r
}

func (r *listener) close() {
	r.cancel()
	r.answer.Body.Close()
}

// next returns the next event; ok is false at the end of the stream.
func (r *listener) next() (e event, ok bool) {
	for r.lines.Scan() {
		key, value, _ := strings.Cut(r.lines.Text(), ": ")
		switch key {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if e != (event{}) {
				return e, true
			}
		}
	}
	return event{}, false
}

// wants reads one event and compares it.
func (r *listener) wants(want event) {
	r.Helper()
	if got, ok := r.next(); !ok || got != want {
		r.Fatalf("got event %+v (%v), want %+v", got, ok, want)
	}
}

func (r *listener) wantsEnd() {
	r.Helper()
	if e, ok := r.next(); ok {
		r.Errorf("got event %+v, want the end", e)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "run_model"), newDAG("fraud-model", "run_model"))
	base := s.serve()
	all, one := s.listen(base+"/events", ""), s.listen(base+"/events?dag=fraud-model", "")
	for _, r := range []*listener{all, one} {
		if kind := r.answer.Header.Get("Content-Type"); kind != "text/event-stream" {
			t.Errorf("content type %q", kind)
		}
		r.wants(event{"0", "ready", `"` + s.server.mark() + `"`})
	}
	by := store.Actor{User: "a"}
	for _, id := range []dag.ID{"churn-model", "fraud-model"} {
		if err := s.store.SetPaused(t.Context(), by, id, false); err != nil {
			t.Fatal(err)
		}
	}
	first, _ := all.next()
	second, _ := all.next()
	if !strings.Contains(first.data, "churn-model") || !strings.Contains(second.data, "fraud-model") ||
		first.name != "change" || first.id == second.id {
		t.Errorf("got %+v and %+v, want a change of each DAG", first, second)
	}
	if e, _ := one.next(); !strings.Contains(e.data, "fraud-model") {
		t.Errorf("got %+v, want the change of fraud-model alone", e)
	}
	close(s.done)
	all.wantsEnd()
	one.wantsEnd()
}

func TestStreamsAreFew(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server.streams.places = auth.NewShares(4)
	base := s.serve()
	first := s.listen(base+"/events", "")
	first.wants(event{"0", "ready", `"` + s.server.mark() + `"`})
	second := s.listen(base+"/events", "")
	if second.answer.StatusCode != http.StatusServiceUnavailable || second.answer.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q; want 503 and a time", second.answer.StatusCode,
			second.answer.Header.Get("Retry-After"))
	}
	giveBack, ok := s.server.streams.places.Take("somebody else")
	if !ok {
		t.Error("the streams of one reader leave none to another")
	}
	giveBack()
	first.close()
	third := s.listen(base+"/events", "") // there is room when the first one's handler has ended
	for third.answer.StatusCode == http.StatusServiceUnavailable && s.Context().Err() == nil {
		third = s.listen(base+"/events", "")
	}
	third.wants(event{"0", "ready", `"` + s.server.mark() + `"`})
}

// running makes a run whose one task runs.
func (s *site) running() dag.Run {
	s.Helper()
	s.save(newDAG("churn-model", "run_model"))
	r := s.run("churn-model", "one")
	s.start(r, dag.TaskInstance{Task: "run_model", State: dag.TaskRunning, Try: 1, MaxTries: 2, StartedAt: now})
	return r
}

// line is how a line of a log without times is sent.
func line(at int, text string) string {
	out := fmt.Sprintf(
		"<div class=\"ll\" id=\"b%d\"><a class=\"lt none\" tabindex=\"-1\" href=\"?try=1&amp;at=%d#b%d\">·</a><span class=\"lx\">%s</span></div>\n",
		at, at, at, html.EscapeString(text))
	b, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestLogStream(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.running()
	s.write(r, "run_model", "loading\n", false)
	address := s.serve() + taskURL(r.DAG, r.ID, "run_model") + "/log/stream"

	live := s.listen(address+"?try=1&offset=0", "")
	live.wants(event{"8", "", line(0, `loading`)})
	s.write(r, "run_model", "<b> & \xff\n", false)
	live.wants(event{"16", "", line(8, `<b> & �`)})
	s.write(r, "run_model", "done", true)
	live.wants(event{"20", "", line(16, `done`)})
	live.wants(event{"20", "end", "{}"})
	live.wantsEnd()

	resumed := s.listen(address+"?try=1&offset=0", "16")
	resumed.wants(event{"20", "", line(16, `done`)})
	resumed.wants(event{"20", "end", "{}"})

	cut := s.listen(address+"?try=1&offset=0", "33") // more than the log has
	cut.wants(event{"33", "short", "{}"})
	cut.wantsEnd()
}

func TestLogStreamWaitsForTheLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "run_model"))
	r := s.run("churn-model", "one")
	live := s.listen(s.serve()+taskURL(r.DAG, r.ID, "run_model")+"/log/stream", "")
	if live.answer.StatusCode != http.StatusOK {
		t.Fatalf("status %d", live.answer.StatusCode)
	}
	s.write(r, "run_model", "first\n", true)
	live.wants(event{"6", "", line(0, `first`)})
	live.wants(event{"6", "end", "{}"})
}

func TestLogStreamEndsWithTheServer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.running()
	live := s.listen(s.serve()+taskURL(r.DAG, r.ID, "run_model")+"/log/stream", "")
	close(s.done)
	live.wantsEnd()
}

func TestLogStreamRefusesAWrongOffset(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.running()
	for _, offset := range []string{"-1", "x", "99999999999999999999"} {
		s.get(http.StatusUnprocessableEntity, taskURL(r.DAG, r.ID, "run_model")+"/log/stream?offset="+offset)
	}
}

func TestLogPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.running()
	here := logURL(r.DAG, r.ID, "run_model", 0)
	p := s.get(http.StatusOK, here)
	p.wants(t, "no log yet")
	if p.attr("log", "data-stream") == "" {
		t.Error("a log that will come is not followed")
	}
	s.write(r, "run_model", "loading <model> & data\npart of a li", false)
	p = s.get(http.StatusOK, here)
	p.wants(t, "loading <model> & data", "running")
	p.lacks(t, "part of a li")
	if stream := p.attr("log", "data-stream"); !strings.HasSuffix(stream, "offset=23&try=1") {
		t.Errorf("the stream begins at %q, want offset 23: behind the last whole line", stream)
	}
	s.write(r, "run_model", "ne\n", true)
	s.advance(r.DAG, store.UpdateTask{From: dag.TaskRunning, FromTry: 1, Task: dag.TaskInstance{
		DAG: r.DAG, Run: r.ID, Task: "run_model", State: dag.TaskFailed, Try: 1, MaxTries: 2, StartedAt: now, EndedAt: now,
		HasExitCode: true, ExitCode: 3, Reason: reason.Of("exit status 3")}})
	p = s.get(http.StatusOK, here)
	p.wants(t, "part of a line", "exit status 3", "exit code 3", "The log is complete")
	if p.attr("log", "data-stream") != "" {
		t.Error("a complete log is followed")
	}
	w := s.do(httptest.NewRequest(http.MethodGet, here+"?download=1", nil))
	if w.Body.String() != "loading <model> & data\npart of a line\n" ||
		!strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") ||
		!strings.Contains(w.Header().Get("Content-Disposition"), "churn-model.one.run_model.1.log") {
		t.Errorf("download gives %v %q", w.Header(), w.Body)
	}
}

func TestLogPageOfALongLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.running()
	const lines = 40_000
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "line %06d of the log\n", i)
	}
	s.write(r, "run_model", b.String(), true)
	seen := 0
	next := logURL(r.DAG, r.ID, "run_model", 1)
	for pages := 0; next != "" && pages < 40; pages++ {
		p := s.get(http.StatusOK, next)
		if len(p.source) > 400<<10 {
			t.Fatalf("a page of %d bytes", len(p.source))
		}
		if pages == 0 {
			p.wants(t, fmt.Sprintf("line %06d of the log", lines-1))
		}
		seen += strings.Count(p.text, " of the log")
		next = ""
		for _, link := range p.links() {
			if u, err := url.Parse(link); err == nil && u.Query().Get("before") != "" {
				next = link
			}
		}
	}
	if seen != lines {
		t.Errorf("the pages show %d lines in all, want each of %d once", seen, lines)
	}
}

// TestPageNamesTheChangeThatItShows: a browser that hears of no newer one need
// not read the page again.
func TestPageNamesTheChangeThatItShows(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "run_model"))
	shown := `data-mark="` + s.server.mark() + `"`
	s.get(http.StatusOK, "/").wants(t, shown)
	if err := s.store.SetPaused(t.Context(), store.Actor{User: "a"}, "churn-model", false); err != nil {
		t.Fatal(err)
	}
	p := s.get(http.StatusOK, "/dags/churn-model/graph")
	if strings.Contains(p.source, shown) || !strings.Contains(p.source, s.server.mark()) {
		t.Errorf("the page names %s after a change, want %s", shown, s.server.mark())
	}
}
