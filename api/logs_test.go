package api

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/tasklog"
)

const failedRunPath = "/api/v2/dags/churn-model/dagRuns/r"

// logging is a fixture with a running task, whose log is at path.
type logging struct {
	*fixture
	run  dag.Run
	task dag.TaskInstance
	key  dag.AttemptKey
	path string
}

func newLogging(t *testing.T) logging {
	t.Helper()
	return loggingOn(newFixture(t))
}

func loggingOn(f *fixture) logging {
	f.Helper()
	f.withDAGs()
	run := f.trigger("churn-model", "r")
	f.start(run, "run_model")
	return logging{
		f, run, f.begin(run, "run_model", dag.TaskNone, 0),
		dag.AttemptKey{DAG: "churn-model", Run: "r", Task: "run_model", Try: 1},
		failedRunPath + "/taskInstances/run_model/logs/1",
	}
}

// events reads a page of a log.
func (l logging) events(query string) (lines []string, token string) {
	l.Helper()
	page := l.get(l.path + query)
	token, _ = page["continuation_token"].(string)
	return ids(page, "content", "event"), token
}

func TestLogPages(t *testing.T) {
	t.Parallel()
	l := newLogging(t)
	if lines, token := l.events(""); len(lines) != 0 || token == "" {
		t.Errorf("before the first line: %q, token %q", lines, token)
	}
	l.write(l.key, "one\r\ntwo\nhal")
	lines, token := l.events("")
	if diff := cmp.Diff([]string{"one", "two"}, lines); diff != "" || token == "" {
		t.Errorf("token %q (-want +got):\n%s", token, diff)
	}
	l.write(l.key, "f\n")
	lines, next := l.events("?token=" + token)
	if diff := cmp.Diff([]string{"half"}, lines); diff != "" || next == token {
		t.Errorf("token %q (-want +got):\n%s", next, diff)
	}
	l.write(l.key, "no newline")
	l.seal(l.key)
	lines, token = l.events("?token=" + next)
	if diff := cmp.Diff([]string{"no newline"}, lines); diff != "" || token != "" {
		t.Errorf("token %q (-want +got):\n%s", token, diff)
	}
}

// A large log comes in pages, or at once when that is asked for, and every line
// once.
func TestLargeLog(t *testing.T) {
	t.Parallel()
	l := newLogging(t)
	var text strings.Builder
	want := 0
	for ; text.Len() < 5*logPage/2; want++ {
		fmt.Fprintf(&text, "line %d %s\n", want, strings.Repeat("ж", 40))
	}
	l.write(l.key, text.String())
	l.seal(l.key)
	var paged []string
	pages := 0
	for query := ""; ; pages++ {
		lines, token := l.events(query)
		paged = append(paged, lines...)
		if token == "" {
			break
		}
		query = "?token=" + token
	}
	full, token := l.events("?full_content=true")
	if len(full) != want || pages != 2 || token != "" {
		t.Errorf("%d lines at once, want %d; %d pages; token %q", len(full), want, pages+1, token)
	}
	if diff := cmp.Diff(full, paged); diff != "" {
		t.Errorf("pages differ from the whole:\n%.500s", diff)
	}
	nd := l.do("GET", l.path, "", "Accept: application/x-ndjson")
	if n := strings.Count(nd.body, "\n"); n != want || nd.header.Get("Airflow-Continuation-Token") != "" {
		t.Errorf("%d lines of NDJSON, want %d", n, want)
	}
}

// A line without an end comes in pieces, so memory stays bounded.
func TestLongLine(t *testing.T) {
	t.Parallel()
	l := newLogging(t)
	l.write(l.key, strings.Repeat("x", 3*maxLine+5))
	l.seal(l.key)
	lines, _ := l.events("?full_content=true")
	if len(lines) != 4 || len(strings.Join(lines, "")) != 3*maxLine+5 {
		t.Errorf("%d pieces", len(lines))
	}
}

func TestLogOfEndedTryWithoutLog(t *testing.T) {
	t.Parallel()
	l := newLogging(t)
	l.end(l.task, dag.TaskFailed, "lost")
	if lines, token := l.events(""); len(lines) != 0 || token != "" {
		t.Errorf("%q, token %q", lines, token)
	}
}

func TestNDJSONToken(t *testing.T) {
	t.Parallel()
	l := newLogging(t)
	l.write(l.key, "one\ntw")
	a := l.do("GET", l.path, "", "Accept: application/x-ndjson")
	if a.body != "{\"timestamp\":null,\"event\":\"one\"}\n" {
		t.Errorf("%q", a.body)
	}
	l.write(l.key, "o\n")
	a = l.do("GET", l.path+"?token="+a.header.Get("Airflow-Continuation-Token"), "", "Accept: application/x-ndjson")
	if a.body != "{\"timestamp\":null,\"event\":\"two\"}\n" {
		t.Errorf("%q", a.body)
	}
}

// reader reads an open answer line by line.
type reader struct {
	*testing.T
	*bufio.Reader
}

func (r reader) expect(lines ...string) {
	r.Helper()
	for _, want := range lines {
		got, err := r.ReadString('\n')
		if got != want+"\n" {
			r.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
}

// follow opens the log and returns what comes, and the header of the answer.
func (l logging) follow(header ...string) (reader, http.Header) {
	l.Helper()
	resp := l.open("GET", l.path+"?follow=true", "", header...)
	l.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		l.Fatalf("follow: %s", resp.Status)
	}
	return reader{l.T, bufio.NewReader(resp.Body)}, resp.Header
}

func TestFollowEvents(t *testing.T) {
	t.Parallel()
	l := newLogging(t)
	r, answered := l.follow("Accept: text/event-stream")
	if got := answered.Get("Content-Type"); got != eventStream {
		t.Errorf("Content-Type %q", got)
	}
	l.write(l.key, "one\n")
	r.expect("id: 4", `data: {"timestamp":null,"event":"one"}`, "")
	l.write(l.key, "<two>\n")
	r.expect("id: 10", `data: {"timestamp":null,"event":"<two>"}`, "")
	l.write(l.key, "three")
	l.seal(l.key)
	r.expect("id: 15", `data: {"timestamp":null,"event":"three"}`, "", "event: end", "data: {}", "")
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	resumed, _ := l.follow("Accept: text/event-stream", "Last-Event-ID: 4")
	resumed.expect("id: 10", `data: {"timestamp":null,"event":"<two>"}`, "")
}

// TestFollowOfACutLog cuts the file under a stream, which says so and does not end as
// if it were complete; so does one that is opened behind the end.
func TestFollowOfACutLog(t *testing.T) {
	t.Parallel()
	l := newLogging(t)
	events, _ := l.follow("Accept: text/event-stream")
	lines, _ := l.follow()
	l.write(l.key, "one\n")
	events.expect("id: 4", `data: {"timestamp":null,"event":"one"}`, "")
	lines.expect(`{"timestamp":null,"event":"one"}`)
	f, err := l.logs.File(l.key)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(2); err != nil {
		t.Fatal(err)
	}
	late, _ := l.follow("Accept: text/event-stream", "Last-Event-ID: 4")
	for what, r := range map[string]io.Reader{"events": events, "lines": lines, "late": late} {
		rest, err := io.ReadAll(r)
		if err != nil || !strings.Contains(string(rest), "the log is shorter than what was read of it") ||
			strings.Contains(string(rest), "event: end") {
			t.Errorf("%s: %q, %v", what, rest, err)
		}
		if events := strings.Contains(string(rest), "event: short\n"); events != (what != "lines") {
			t.Errorf("%s: %q", what, rest)
		}
	}
}

func TestFollowNDJSON(t *testing.T) {
	t.Parallel()
	l := newLogging(t)
	r, _ := l.follow()
	l.write(l.key, "one\n")
	r.expect(`{"timestamp":null,"event":"one"}`)
	l.seal(l.key)
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}

// Nobody seals the log of a try whose machine died. Its end is followed all
// the same when the store learns of it.
func TestFollowUnsealed(t *testing.T) {
	t.Parallel()
	l := newLogging(t)
	r, _ := l.follow()
	l.write(l.key, "one\n")
	r.expect(`{"timestamp":null,"event":"one"}`)
	l.write(l.key, "half a li")
	l.end(l.task, dag.TaskFailed, "the machine died")
	r.expect(`{"timestamp":null,"event":"half a li"}`)
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestShutdownEndsStreams(t *testing.T) {
	t.Parallel()
	l := newLogging(t)
	follow, _ := l.follow()
	resp := l.open("GET", failedRunPath+"/wait?interval=3600", "")
	defer resp.Body.Close()
	wait := reader{t, bufio.NewReader(resp.Body)}
	wait.expect(`{"state":"running"}`)
	close(l.done)
	for _, r := range []reader{follow, wait} {
		if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
			t.Errorf("%q, %v", rest, err)
		}
	}
}

// The end of a run is reported at once and not at the next interval.
func TestWait(t *testing.T) {
	t.Parallel()
	l := newLogging(t)
	resp := l.open("GET", failedRunPath+"/wait?interval=3600", "")
	defer resp.Body.Close()
	r := reader{t, bufio.NewReader(resp.Body)}
	r.expect(`{"state":"running"}`)
	l.end(l.task, dag.TaskSuccess, "")
	l.endRun(l.run, dag.RunSuccess, "")
	r.expect(`{"state":"success"}`)
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestTooManyStreams(t *testing.T) {
	t.Parallel()
	s := newServer(Config{})
	for range maxStreams / 4 {
		if _, ok := s.streams.Take("192.0.2.1"); !ok {
			t.Fatal("a caller has less than a quarter of the streams")
		}
	}
	l := newLogging(t)
	s.Store, s.Logs = l.store, l.logs
	e := newEcho(s)
	a := l.serve(e, "GET", failedRunPath+"/wait?interval=1")
	if a.Code != http.StatusServiceUnavailable || a.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if _, ok := s.streams.Take("192.0.2.2"); !ok {
		t.Error("one caller's streams leave none to another")
	}
}

// TestLinesOfPods shows when and by whom each line was written.
func TestLinesOfPods(t *testing.T) {
	t.Parallel()
	l := newLogging(t)
	l.write(l.key, "2026-01-31T12:00:00.000000000Z loading\n"+
		"2026-01-31T12:00:01.123456789Z [side-car] ready\n"+
		"2026-01-31T12:00:02.000000000Z dagwright: the pod was evicted\nplain\n")
	l.seal(l.key)
	want := []any{
		map[string]any{"timestamp": "2026-01-31T12:00:00Z", "event": "loading"},
		map[string]any{"timestamp": "2026-01-31T12:00:01.123456Z", "event": "ready", "container": "side-car"},
		map[string]any{"timestamp": "2026-01-31T12:00:02Z", "event": "the pod was evicted", "logger": "dagwright"},
		map[string]any{"event": "plain"},
	}
	if diff := cmp.Diff(want, l.get(l.path)["content"]); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	r, _ := l.follow()
	r.expect(
		`{"timestamp":"2026-01-31T12:00:00Z","event":"loading"}`,
		`{"timestamp":"2026-01-31T12:00:01.123456Z","event":"ready","container":"side-car"}`,
		`{"timestamp":"2026-01-31T12:00:02Z","event":"the pod was evicted","logger":"dagwright"}`,
		`{"timestamp":null,"event":"plain"}`,
	)
}

// TestLogRemovedByRetention says so, rather than that there is no log.
func TestLogRemovedByRetention(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.logs = openLogs(t, tasklog.Config{
		Dir: t.TempDir(), Now: func() time.Time { return noon.Add(31 * 24 * time.Hour) },
		Retention: tasklog.Retention{DAGs: map[string]time.Duration{"churn-*": 30 * 24 * time.Hour}},
	})
	f.listen(func() time.Time { return noon })
	l := loggingOn(f)
	if lines, _ := l.events(""); len(lines) != 0 {
		t.Errorf("a running task without a log: %q", lines)
	}
	l.end(l.task, dag.TaskSuccess, "")
	for _, query := range []string{"", "?follow=true"} {
		a := l.do("GET", l.path+query, "")
		if want := "The log was removed by retention after 30 days"; a.status != http.StatusNotFound ||
			!strings.Contains(a.body, want) {
			t.Errorf("%d %s, want %q", a.status, a.body, want)
		}
	}
}

// TestLogElsewhere follows a log that another process writes until its last
// line, though the task's end is known here before the line is.
func TestLogElsewhere(t *testing.T) {
	t.Parallel()
	bucket := "file://" + t.TempDir()
	f := newFixture(t)
	f.logs = openLogs(t, tasklog.Config{Dir: t.TempDir(), Bucket: bucket, ReadOnly: true})
	f.listen(func() time.Time { return noon })
	writer := &fixture{T: t, logs: openLogs(t, tasklog.Config{Dir: t.TempDir(), Bucket: bucket})}
	l := loggingOn(f)
	r, _ := l.follow()
	writer.write(l.key, "one\n")
	r.expect(`{"timestamp":null,"event":"one"}`)
	l.end(l.task, dag.TaskSuccess, "")
	writer.write(l.key, "two\n")
	writer.seal(l.key)
	r.expect(`{"timestamp":null,"event":"two"}`)
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	if lines, token := l.events(""); len(lines) != 2 || token != "" {
		t.Errorf("%q, token %q", lines, token)
	}
}

// TestLogStorageFails answers that it is the storage that fails, and keeps the
// cause to itself.
func TestLogStorageFails(t *testing.T) {
	t.Parallel()
	bucket := filepath.Join(t.TempDir(), "bucket")
	if err := os.Mkdir(bucket, 0o700); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t)
	f.logs = openLogs(t, tasklog.Config{Dir: t.TempDir(), Bucket: "file://" + bucket, ReadOnly: true})
	f.listen(func() time.Time { return noon })
	l := loggingOn(f)
	name := filepath.Join(bucket, "dag_id=churn-model/run_id=r/task_id=run_model")
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, nil, 0o600); err != nil { // a file where a folder must be
		t.Fatal(err)
	}
	a := l.do("GET", l.path, "")
	if want := "The storage of the logs does not answer now"; a.status != http.StatusServiceUnavailable ||
		!strings.Contains(a.body, want) || strings.Contains(a.body, bucket) {
		t.Errorf("%d %s, want %q", a.status, a.body, want)
	}
	if !strings.Contains(f.log.String(), bucket) {
		t.Errorf("the API's log: %s", f.log)
	}
}
