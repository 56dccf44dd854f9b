package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"dagwright/dag"
)

// Try names one try of a task, whose log there is.
type Try struct {
	DAG, Run, Task string
	Number         int // from 1
}

func (t Try) path() []string {
	return append(TaskPath(t.DAG, t.Run, t.Task), "logs", strconv.Itoa(t.Number))
}

// Line is a line of a log, as the API has it.
type Line struct {
	Timestamp string `json:"timestamp"`
	Event     string `json:"event"`     // its text
	Logger    string `json:"logger"`    // "dagwright" for what dagwright says of the task
	Container string `json:"container"` // other than the main one
}

// Log gives each line of what there is of a log, as the JSON of a [Line]. An error of line
// ends it.
func (c *Client) Log(ctx context.Context, t Try, line func(text []byte) error) error {
	lines, closeLog, err := c.openLog(ctx, t)
	if err != nil {
		return err
	}
	defer closeLog()
	for {
		var text json.RawMessage
		if err := lines.Decode(&text); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		if err := line(text); err != nil {
			return err
		}
	}
}

func (c *Client) openLog(ctx context.Context, t Try) (*json.Decoder, func(), error) {
	resp, err := c.openAs(ctx, Request{Path: t.path()}, "application/x-ndjson")
	if err != nil {
		return nil, nil, err
	}
	return json.NewDecoder(resp.Body), func() { resp.Body.Close() }, nil
}

// FollowLog gives each line of a log as it is written, as the JSON of a [Line], until the
// log is complete. A stream that breaks is opened again where it broke; where the server
// has no stream to spare, it is asked at intervals. An error of line ends it.
func (c *Client) FollowLog(ctx context.Context, t Try, line func(text []byte) error) error {
	f := follower{client: c, try: t, line: line}
	return persist(ctx, func() (bool, error) { return f.follow(ctx) })
}

// follower gives the lines of one log, each once.
type follower struct {
	client *Client
	try    Try
	line   func(text []byte) error
	offset string // behind the last line that was given
	given  int    // lines
	polls  bool   // the server has no stream to spare
}

// follow is true when the log is complete, false when it has to be called again.
func (f *follower) follow(ctx context.Context) (bool, error) {
	if f.polls {
		return f.poll(ctx)
	}
	r := Request{Path: f.try.path(), Query: url.Values{"follow": {"true"}}, Header: http.Header{}}
	if f.offset != "" {
		r.Header.Set("Last-Event-ID", f.offset)
	}
	resp, err := f.client.openAs(ctx, r, "text/event-stream")
	if f.polls = unavailable(err); f.polls {
		return f.poll(ctx)
	}
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	return f.events(ctx, bufio.NewReader(resp.Body))
}

// poll gives what a log has beyond the lines that were given, and then pauses unless the
// try has ended.
func (f *follower) poll(ctx context.Context) (bool, error) {
	var task TaskInstance
	if err := f.client.Call(ctx, Request{Path: TaskPath(f.try.DAG, f.try.Run, f.try.Task)}, &task); err != nil {
		return false, err
	}
	ended := task.Try != f.try.Number || task.Ended() || task.State != nil && *task.State == string(dag.TaskUpForRetry)
	lines, closeLog, err := f.client.openLog(ctx, f.try)
	if err != nil {
		return false, err
	}
	defer closeLog()
	if err := f.rest(lines, ended); err != nil || ended {
		return err == nil, err
	}
	return false, sleep(ctx, pollPause)
}

// rest gives the lines of a log beyond those that were given: the last one, which may be
// half a line, only when the try has ended.
func (f *follower) rest(lines *json.Decoder, ended bool) error {
	var held json.RawMessage
	for n := 0; ; n++ {
		var line json.RawMessage
		err := lines.Decode(&line)
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return fmt.Errorf("read log: %w", err)
		}
		if held != nil && (!end || ended) {
			if err := f.line(held); err != nil {
				return err
			}
			f.given++
		}
		if end {
			return nil
		}
		if held = nil; n >= f.given {
			held = line
		}
	}
}

// events gives the lines of an event stream and keeps the offset behind the last one. It
// is true when the log is complete, false when the stream broke.
func (f *follower) events(ctx context.Context, stream *bufio.Reader) (bool, error) {
	for id := ""; ; {
		text, err := stream.ReadBytes('\n')
		if err != nil {
			return false, ctx.Err()
		}
		text = bytes.TrimSuffix(text, []byte("\n"))
		if value, ok := bytes.CutPrefix(text, []byte("id: ")); ok {
			id = string(value)
		} else if bytes.Equal(text, []byte("event: end")) {
			return true, nil
		} else if bytes.Equal(text, []byte("event: short")) {
			return true, errors.New(
				"the log is shorter than what was printed: something has truncated it; read it without --follow")
		} else if value, ok := bytes.CutPrefix(text, []byte("data: ")); ok {
			if err := f.line(value); err != nil {
				return false, err
			}
			f.offset = id
			f.given++
		}
	}
}
