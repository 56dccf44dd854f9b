package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/store"
)

// TestPagesSpeakOfOneThing holds each page to what its address names, and lets the
// script see when a page has come to be about another thing.
func TestPagesSpeakOfOneThing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("empty", "a"))
	r := s.failed()
	for _, tab := range []string{"graph", "gantt"} {
		if got := s.get(http.StatusOK, dagURL("empty", tab)).attr("main", "data-about"); got != "no run" {
			t.Errorf("%s of a DAG without runs is about %q", tab, got)
		}
		p := s.get(http.StatusOK, dagURL(r.DAG, tab))
		p.wants(t, "Following the newest run", "Stay on this run", dagURL(r.DAG, tab)+"?run=one")
		if got := p.attr("main", "data-about"); got != "run one" {
			t.Errorf("%s is about %q", tab, got)
		}
	}
	if _, err := s.store.TriggerRun(t.Context(),
		store.Trigger{DAG: r.DAG, Run: "two", LogicalDate: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	for _, tab := range []string{"graph", "gantt"} {
		p := s.get(http.StatusOK, dagURL(r.DAG, tab)+"?run=one")
		p.wants(t, "Follow the newest run")
		p.lacks(t, "Following the newest run")
		if got := p.attr("main", "data-about"); got != "run one" {
			t.Errorf("a pinned %s is about %q", tab, got)
		}
		if got := s.get(http.StatusOK, dagURL(r.DAG, tab)).attr("main", "data-about"); got != "run two" {
			t.Errorf("%s follows %q, want the newest run", tab, got)
		}
	}
	log := taskURL(r.DAG, r.ID, "b") + "/log"
	if got := self(s.get(http.StatusOK, log+"?q=x")); got != log+"?q=x&try=1" {
		t.Errorf("the log reads itself again from %q", got)
	}
	code := dagURL(r.DAG, "code")
	if got := self(s.get(http.StatusOK, code)); got != code+"?version=1" {
		t.Errorf("the code reads itself again from %q", got)
	}
}

// self is the address that the script reads a page again from.
func self(p page) string {
	for n := range p.root.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "data-self" {
				return a.Val
			}
		}
	}
	return ""
}

// TestWhatGoesOnTicks looks for the moments from which the script counts.
func TestWhatGoesOnTicks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "a", "b"))
	r := s.run("churn-model", "one")
	since := now.Add(-75 * time.Second)
	s.advance(r.DAG, store.StartRun{DAG: r.DAG, Run: r.ID, At: since, Tasks: []dag.TaskInstance{
		{DAG: r.DAG, Run: r.ID, Task: "a", State: dag.TaskRunning, Try: 1, MaxTries: 1, QueuedAt: since, StartedAt: since},
		{DAG: r.DAG, Run: r.ID, Task: "b", State: dag.TaskQueued, Try: 1, MaxTries: 1, QueuedAt: now.Add(-7 * time.Second)},
	}})
	ticks := `data-since="2026-03-01T11:58:45Z">1 min 15 s<`
	for _, path := range []string{
		runURL(r.DAG, r.ID), dagURL(r.DAG, "runs"), dagURL(r.DAG, "graph"), dagURL(r.DAG, "gantt"), taskURL(r.DAG, r.ID, "a"),
		taskURL(r.DAG, r.ID, "a") + "/log",
	} {
		s.get(http.StatusOK, path).wants(t, ticks)
	}
	s.get(http.StatusOK, dagURL(r.DAG, "gantt")).wants(t, `data-open=""`, `data-since="2026-03-01T11:59:53Z">7 s<`,
		`data-says="a: running"`)
	s.posted(runURL(r.DAG, r.ID)+"/state", url.Values{"state": {"success"}}, runURL(r.DAG, r.ID))
	if p := s.get(http.StatusOK, dagURL(r.DAG, "runs")); strings.Contains(p.source, "data-since") {
		t.Error("a run that has ended ticks")
	}
}
