package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// RunView is a run as pages show it.
type RunView struct {
	dag.Run
	Href                            string
	GraphURL                        string
	State                           StateView
	Logical, Started, Ended, Queued TimeView
	IntervalStart, IntervalEnd      TimeView
	Lasted                          SpanView
	Waited                          SpanView // from queued to started
	Conf                            string   // JSON, "" when empty
	Reason                          string   // in the reader's language
	Via                             string   // what asked for the run, in words
}

func (rd *reader) runView(r dag.Run, zone string) RunView {
	v := RunView{
		Run: r, Href: runURL(r.DAG, r.ID), State: runStateView(r.State),
		GraphURL: withQuery(dagURL(r.DAG, "graph"), url.Values{"run": {string(r.ID)}}),
		Logical:  rd.time(r.LogicalDate, zone), Started: rd.time(r.StartedAt, zone), Ended: rd.time(r.EndedAt, zone),
		Queued:        rd.time(r.QueuedAt, zone),
		IntervalStart: rd.time(r.Interval.Start, zone), IntervalEnd: rd.time(r.Interval.End, zone),
	}
	v.Reason, v.Via = rd.reason(r.Reason), named(rd, viaWords, r.TriggeredBy)
	if r.State == dag.RunQueued {
		v.Waited = rd.span(r.QueuedAt, time.Time{})
	} else {
		v.Lasted = rd.span(r.StartedAt, r.EndedAt)
		if !r.StartedAt.Before(r.QueuedAt) {
			v.Waited = rd.span(r.QueuedAt, r.StartedAt)
		}
	}
	if len(r.Conf) > 0 {
		v.Conf = confJSON(r.Conf)
	}
	return v
}

// runsPage lists a DAG's runs, newest first.
type runsPage struct {
	Page
	DAG     DAGHead
	Runs    []RunView
	Total   int
	Filters []FilterView
	State   string
	BulkURL string
	First   string // address of the newest runs, when these are older
	Older   string
}

func (s *server) dagRuns(c echo.Context) error {
	ctx := c.Request().Context()
	h, err := s.dagHead(c, "Runs")
	if err != nil {
		return err
	}
	state := c.QueryParam("state")
	f := store.RunFilter{DAG: h.ID, Limit: pageSize}
	if state != "" {
		if !slices.Contains(dag.RunStates, dag.RunState(state)) {
			return invalid("There is no run state %q; there are queued, running, success and failed.", state)
		}
		f.States = []dag.RunState{dag.RunState(state)}
	}
	p := runsPage{Page: s.dagPage(c, h, string(h.ID)+" · "+s.reader(c).t("Runs")), DAG: h, BulkURL: dagURL(h.ID, "runs"),
		State: state, Filters: runFilters(h, state)}
	here := func(after dag.RunID) string {
		return withQuery(dagURL(h.ID, "runs"), url.Values{"state": {state}, "after": {string(after)}})
	}
	if after := c.QueryParam("after"); after != "" {
		r, err := s.Store.Run(ctx, h.ID, dag.RunID(after))
		if err != nil {
			return err
		}
		f.After, p.First = &r, here("")
	}
	runs, total, err := s.Store.Runs(ctx, f)
	if err != nil {
		return fmt.Errorf("list runs: %w", err)
	}
	p.Total = total
	for _, r := range runs {
		p.Runs = append(p.Runs, s.reader(c).runView(r, h.Timezone))
	}
	if len(runs) == pageSize {
		p.Older = here(runs[len(runs)-1].ID)
	}
	return s.render(c, http.StatusOK, "runs", p)
}

// runFilters are the states with their number of runs.
func runFilters(h DAGHead, current string) []FilterView {
	all := FilterView{Name: say("All"), Href: dagURL(h.ID, "runs"), Current: current == ""}
	var views []FilterView
	for _, counter := range h.DAGRowView.Runs {
		all.Count += counter.N
		views = append(views,
			FilterView{Name: counter.Words, Href: counter.Href, Count: counter.N, Current: current == counter.Name})
	}
	return append([]FilterView{all}, views...)
}

// runPage is one run with its tasks.
type runPage struct {
	Page
	DAG      DAGHead
	Run      RunView
	Tasks    []TaskView
	CanMark  bool
	CanClear bool
	StateURL string
	ClearURL string
	NoteURL  string
	AgainURL string // triggers a run with the same config
	provenancePart
}

func (s *server) runPage(c echo.Context) error {
	ctx := c.Request().Context()
	h, err := s.dagHead(c, "Runs")
	if err != nil {
		return err
	}
	r, err := s.Store.Run(ctx, h.ID, runParam(c))
	if err != nil {
		return err
	}
	tasks, err := s.Store.TaskInstances(ctx, h.ID, r.ID)
	if err != nil {
		return fmt.Errorf("read task instances: %w", err)
	}
	p := runPage{
		Page: s.dagPage(c, h, string(r.ID)), DAG: h, Run: s.reader(c).runView(r, h.Timezone),
		CanMark:  h.Can(dag.RightMarkRun),
		CanClear: r.State.Ended() && h.Can(dag.RightClear),
		StateURL: runURL(h.ID, r.ID) + "/state", ClearURL: runURL(h.ID, r.ID) + "/clear",
		NoteURL:  runURL(h.ID, r.ID) + "/note",
		AgainURL: withQuery(dagURL(h.ID, "trigger"), url.Values{"from": {string(r.ID)}}),
	}
	for _, t := range tasks {
		p.Tasks = append(p.Tasks, s.reader(c).taskView(t, h.Timezone))
	}
	if p.provenancePart, err = s.provenancePart(c, h, r.ID); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "run", p)
}

// TaskView is a task instance as pages show it.
type TaskView struct {
	dag.TaskInstance
	Href, LogURL   string
	State          StateView
	Queued         TimeView
	Started, Ended TimeView
	Retry          TimeView
	Lasted         SpanView
	Waited         SpanView // from queued to started
	HasLog         bool
	Stopping       bool   // somebody wants it stopped
	Reason         string // in the reader's language
}

func (rd *reader) taskView(t dag.TaskInstance, zone string) TaskView {
	v := TaskView{
		TaskInstance: t, Href: taskURL(t.DAG, t.Run, t.Task), LogURL: logURL(t.DAG, t.Run, t.Task, 0),
		State:  taskStateView(t.State),
		Queued: rd.time(t.QueuedAt, zone), Started: rd.time(t.StartedAt, zone), Ended: rd.time(t.EndedAt, zone),
		HasLog: t.Try > 0,
	}
	end := t.EndedAt
	if end.IsZero() && !t.State.Active() {
		end = t.StartedAt
	}
	if t.Try > 0 {
		v.Lasted = rd.span(t.StartedAt, end)
	}
	v.Reason = rd.reason(t.Reason)
	if !t.StartedAt.Before(t.QueuedAt) || t.State == dag.TaskQueued {
		v.Waited = rd.span(t.QueuedAt, t.StartedAt)
	}
	v.Stopping = t.Wish != dag.WishNone
	if t.State == dag.TaskUpForRetry {
		v.Retry = rd.time(t.RetryAt, zone)
	}
	return v
}
