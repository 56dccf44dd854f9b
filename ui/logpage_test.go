package ui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
	"dagwright/tasklog"
)

// longLog is 30,000 lines of which every thousandth names a needle.
func longLog() string {
	var b strings.Builder
	for i := range 30_000 {
		word := "hay"
		if i%1000 == 0 {
			word = "Иголка"
		}
		fmt.Fprintf(&b, "line %06d of %s\n", i, word)
	}
	return b.String()
}

func TestLogLinesReadBothWays(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.running()
	text := longLog()
	s.write(r, "run_model", text, true)
	address := taskURL(r.DAG, r.ID, "run_model") + "/log/lines?try=1"

	// From the start on, each piece behind the one before.
	seen, at, pieces := 0, 0, 0
	for ; at < len(text) && pieces < 100; pieces++ {
		p := s.get(http.StatusOK, address+"&after="+strconv.Itoa(at))
		seen += strings.Count(p.text, "line ")
		if from := p.attr("piece", "data-from"); from != strconv.Itoa(at) {
			t.Fatalf("the piece begins at %s, want %d", from, at)
		}
		at, _ = strconv.Atoi(p.attr("piece", "data-to"))
	}
	if seen != 30_000 || at != len(text) {
		t.Errorf("%d lines up to %d in %d pieces, want 30000 up to %d", seen, at, pieces, len(text))
	}
	// And from the end back.
	seen = 0
	for pieces = 0; at > 0 && pieces < 100; pieces++ {
		p := s.get(http.StatusOK, address+"&before="+strconv.Itoa(at))
		seen += strings.Count(p.text, "line ")
		at, _ = strconv.Atoi(p.attr("piece", "data-from"))
	}
	if seen != 30_000 || at != 0 {
		t.Errorf("%d lines back to %d, want 30000 back to 0", seen, at)
	}
	// A place in the middle of a line shows that line whole.
	p := s.get(http.StatusOK, address+"&at="+strconv.Itoa(strings.Index(text, "015000")+3))
	p.wants(t, "line 015000 of")
	s.get(http.StatusOK, address+"&at=999999999").wants(t, "line 029999")
}

func TestLogSearch(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.running()
	text := longLog()
	s.write(r, "run_model", text, true)
	here := taskURL(r.DAG, r.ID, "run_model") + "/log"
	w := s.do(newGet(here + "/search?q=" + url.QueryEscape("иголка")))
	var hits logHits
	if err := json.Unmarshal(w.Body.Bytes(), &hits); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if hits.Count != 30 || len(hits.At) != 30 {
		t.Fatalf("%d matches, %d places, want 30", hits.Count, len(hits.At))
	}
	for i, at := range hits.At {
		if line := text[at:][:11]; line != fmt.Sprintf("line %06d", i*1000) {
			t.Errorf("match %d is at %q", i, line)
		}
	}
	// Without script the page counts the matches and leads from one to the next.
	p := s.get(http.StatusOK, here+"?q="+url.QueryEscape("ИГОЛКА")+"&at="+strconv.FormatInt(hits.At[3], 10))
	p.wants(t, "30 matches")
	for id, want := range map[string]int64{"prev": hits.At[2], "next": hits.At[4]} {
		if href := p.attr(id, "href"); !strings.HasSuffix(href, "#b"+strconv.FormatInt(want, 10)) {
			t.Errorf("%s leads to %q, want place %d", id, href, want)
		}
	}
	s.get(http.StatusOK, here+"?q=nothing").wants(t, "0 matches")
}

func TestLogShowsTimesAndContainers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.running()
	var b []byte
	for _, l := range []tasklog.Line{
		{Time: now, Text: "\x1b[32mloading\x1b[0m"}, {Time: now.Add(1e6), Container: "sidecar", Text: "proxy up"},
		{Time: now.Add(2e6), Own: true, Text: "pod started"},
	} {
		b = append(tasklog.AppendLine(b, l), '\n')
	}
	s.write(r, "run_model", string(b), true)
	here := logURL(r.DAG, r.ID, "run_model", 1)
	p := s.get(http.StatusOK, here)
	p.wants(t, "12:00:00.000", "12:00:00.001", `<span class="lc">sidecar</span>`, `<span class="c2">loading</span>`, "all",
		"base", "pod started")
	p = s.get(http.StatusOK, here+"&container=sidecar")
	p.wants(t, "proxy up")
	p.lacks(t, "loading")
	p = s.get(http.StatusOK, here+"&container=base")
	p.wants(t, "loading")
	p.lacks(t, "proxy up", "pod started")

	req := newGet(here)
	req.Header.Set("Cookie", zoneCookie+"="+zoneDAG)
	checkPage(t, here, s.do(req)).wants(t, "15:00:00.000", "Europe/Moscow")
}

// A try that ended by itself keeps its reason; the page of its log says, too, what was
// done to the task afterwards.
func TestLogSaysWhatBecameOfTheTask(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn", "run_model"))
	r := s.run("churn", "r1")
	waiting := dag.TaskInstance{
		DAG: r.DAG, Run: r.ID, Task: "run_model", State: dag.TaskUpForRetry, Try: 1, MaxTries: 2, StartedAt: now,
		EndedAt: now.Add(time.Second), RetryAt: now.Add(time.Hour), Reason: reason.New(reason.ExitCode, 1), ExitCode: 1,
		HasExitCode: true,
	}
	s.start(r, waiting)
	here := logURL(r.DAG, r.ID, "run_model", 1)
	before := s.get(http.StatusOK, here)
	before.wants(t, "exit code 1")
	before.lacks(t, "marked failed")
	if err := s.store.MarkTask(s.Context(), store.Actor{User: "bob", Via: "ui"}, waiting.Key(), dag.TaskFailed); err != nil {
		t.Fatal(err)
	}
	s.get(http.StatusOK, here).wants(t, "exit code 1", "marked failed by bob")
}

func TestSearchFindsLinesOnce(t *testing.T) {
	t.Parallel()
	var h logHits
	h.add(100, []byte("aXa\nno\nXX X\n"), []byte("X"))
	if diff := cmp.Diff(logHits{Count: 2, At: []int64{100, 107}}, h); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// BenchmarkSearch looks through 200 MB for a word that is not there.
func BenchmarkSearch(b *testing.B) {
	logs, err := tasklog.Open(tasklog.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	key := dag.AttemptKey{DAG: "d", Run: "r", Task: "t", Try: 1}
	f, err := logs.File(key)
	if err != nil {
		b.Fatal(err)
	}
	part := []byte(longLog())
	written := 0
	for written < 200<<20 {
		n, err := f.Write(part)
		if err != nil {
			b.Fatal(err)
		}
		written += n
	}
	f.Close()
	s := newServer(Config{Logs: logs})
	b.SetBytes(int64(written))
	for b.Loop() {
		if _, err := s.search(key, "absent"); err != nil {
			b.Fatal(err)
		}
	}
}
