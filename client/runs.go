package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"dagwright/dag"
)

// Item is an object of the API: the fields that a caller uses, and all of it as the server
// wrote it, which JSON gives back.
type Item[T any] struct {
	Fields T
	raw    json.RawMessage
}

// UnmarshalJSON keeps the text and reads the fields.
func (i *Item[T]) UnmarshalJSON(text []byte) error {
	i.raw = bytes.Clone(text)
	return json.Unmarshal(text, &i.Fields)
}

// fields is what [Client.Call] looks for in an answer.
func (i *Item[T]) fields() any { return &i.Fields }

// MarshalJSON gives the text back.
func (i Item[T]) MarshalJSON() ([]byte, error) { return i.raw, nil }

// Run is a run of a DAG, as the API has it.
type Run struct {
	ID          string          `json:"dag_run_id"`
	DAG         string          `json:"dag_id"`
	State       string          `json:"state"` // queued, running, success, failed
	Type        string          `json:"run_type"`
	LogicalDate *time.Time      `json:"logical_date"`
	StartedAt   *time.Time      `json:"start_date"`
	EndedAt     *time.Time      `json:"end_date"`
	User        *string         `json:"triggering_user_name"`
	Note        *string         `json:"note"`
	Reason      *string         `json:"reason"`
	Conf        json.RawMessage `json:"conf"` // with its numbers as they are
}

// Ended reports whether the run has succeeded or failed.
func (r Run) Ended() bool { return dag.RunState(r.State).Ended() }

// RunPath is the path of a run, for a [Request].
func RunPath(id, run string) []string { return []string{"dags", id, "dagRuns", run} }

// TaskInstance is one task of one run, as the API has it.
type TaskInstance struct {
	Task      string     `json:"task_id"`
	Run       string     `json:"dag_run_id"`
	Operator  *string    `json:"operator_name"`
	State     *string    `json:"state"` // nil before it is queued
	Try       int        `json:"try_number"`
	StartedAt *time.Time `json:"start_date"`
	EndedAt   *time.Time `json:"end_date"`
	Reason    *string    `json:"reason"`
}

// Ended reports whether the task instance has a state in which it stays.
func (t TaskInstance) Ended() bool { return t.State != nil && dag.TaskState(*t.State).Ended() }

// TaskPath is the path of a task instance, for a [Request].
func TaskPath(id, run, task string) []string { return append(RunPath(id, run), "taskInstances", task) }

// ErrNoRun says that a DAG has no run yet.
var ErrNoRun = errors.New("has no run yet")

// Run reads a DAG's run, the newest one when run is empty. The error is [ErrNoRun] where
// there is none to be the newest.
func (c *Client) Run(ctx context.Context, id, run string) (found Item[Run], err error) {
	if run != "" {
		return found, c.Call(ctx, Request{Path: RunPath(id, run)}, &found)
	}
	var newest struct {
		Runs []Item[Run] `json:"dag_runs"`
	}
	query := url.Values{"order_by": {"-run_after"}, "limit": {"1"}}
	if err := c.Call(ctx, Request{Path: []string{"dags", id, "dagRuns"}, Query: query}, &newest); err != nil {
		return found, err
	}
	if len(newest.Runs) == 0 {
		return found, fmt.Errorf("%s %w: start one with \"dagwright dags trigger %s\"", id, ErrNoRun, id)
	}
	return newest.Runs[0], nil
}

// Tasks reads the task instances of a run, in the order of the DAG.
func (c *Client) Tasks(ctx context.Context, id, run string) ([]Item[TaskInstance], error) {
	tasks, _, err := Pages(url.Values{}, 0, func(query url.Values) ([]Item[TaskInstance], int, error) {
		var answer struct {
			Instances []Item[TaskInstance] `json:"task_instances"`
			Total     int                  `json:"total_entries"`
		}
		err := c.Call(ctx, Request{Path: append(RunPath(id, run), "taskInstances"), Query: query}, &answer)
		return answer.Instances, answer.Total, err
	})
	return tasks, err
}

// PageSize is how many entries [Pages] asks for at once.
const PageSize = 100

// Pages reads a list page by page, at most limit entries; all when limit is 0. The function
// page reads one, with limit and offset added to query, and says how many entries there are.
func Pages[T any](query url.Values, limit int, page func(url.Values) ([]T, int, error)) (all []T, total int,
	err error) {
	all = []T{}
	for {
		size := PageSize
		if limit > 0 {
			size = min(size, limit-len(all))
		}
		query.Set("limit", strconv.Itoa(size))
		query.Set("offset", strconv.Itoa(len(all)))
		found, total, err := page(query)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, found...)
		if len(found) == 0 || len(all) >= total || len(all) == limit {
			return all, total, nil
		}
	}
}

// Wait returns when a run has ended, and then reads it once more. Each state of the run on
// the way there is given to seen, which may be nil. Wait goes on after a restart of the
// server, and asks at intervals where the server has no stream to spare; it ends with ctx.
func (c *Client) Wait(ctx context.Context, run Run, seen func(state string)) (Item[Run], error) {
	last := ""
	ended := func(now Run) bool {
		if !now.Ended() && now.State != last && seen != nil {
			seen(now.State)
		}
		last = now.State
		return now.Ended()
	}
	ended(run)
	err := persist(ctx, func() (bool, error) {
		r := Request{Path: append(RunPath(run.DAG, run.ID), "wait"), Query: url.Values{"interval": {"5"}}}
		resp, err := c.Open(ctx, r)
		if unavailable(err) {
			return c.pollRun(ctx, run, ended)
		}
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		return c.readStates(ctx, json.NewDecoder(resp.Body), ended)
	})
	if err != nil {
		return Item[Run]{}, err
	}
	return c.Run(ctx, run.DAG, run.ID)
}

// readStates reads the states of a run as they are sent, until it has ended. It is false when
// the stream broke and has to be opened again; a stream without any state is an error.
func (c *Client) readStates(ctx context.Context, lines *json.Decoder, ended func(Run) bool) (bool, error) {
	for n := 0; ; n++ {
		var now struct {
			State string `json:"state"`
		}
		err := c.read(lines, &now)
		switch {
		case errors.As(err, new(*foreignError)), ctx.Err() != nil:
			return false, cmp.Or(ctx.Err(), err)
		case err != nil && n == 0:
			return false, &UnreachableError{c.to, fmt.Errorf("it sent no state of the run: %w", err)}
		case err != nil:
			return false, nil
		case ended(Run{State: now.State}):
			return true, nil
		}
	}
}

// pollRun asks once for a run, and then pauses unless it has ended.
func (c *Client) pollRun(ctx context.Context, run Run, ended func(Run) bool) (bool, error) {
	var now Run
	if err := c.Call(ctx, Request{Path: RunPath(run.DAG, run.ID)}, &now); err != nil {
		return false, err
	}
	if ended(now) {
		return true, nil
	}
	return false, sleep(ctx, pollPause)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
