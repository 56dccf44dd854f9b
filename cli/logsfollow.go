package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"dagwright/dag"
	"dagwright/terminal"
)

// follower prints one log after the other, each try once.
type follower struct {
	*logPrinter
	done map[attempt]bool
	// since is when the first try that was followed began: what began earlier
	// and has ended is history.
	since time.Time
}

// follow prints logs until the run, or the task or try that was named, has
// ended.
func (p *logPrinter) follow() error {
	// Between two tasks there is nothing to follow for a moment.
	const pause = 200 * time.Millisecond
	f := follower{logPrinter: p, done: map[attempt]bool{}}
	for {
		// The run is read before its tasks: if it had ended, they have too.
		run, err := findRun(p.cmd, p.client, p.run.DAG, p.run.ID)
		if err != nil {
			return err
		}
		tasks, err := p.tasks()
		if err != nil {
			return err
		}
		next, ok := f.next(tasks)
		switch {
		case ok:
			if err := f.followOne(next); err != nil {
				return err
			}
		case run.fields.ended() || p.task != "" && taskEnded(tasks[0]):
			f.conclude(run.fields)
			return nil
		default:
			if err := sleep(p.cmd.Context(), pause); err != nil {
				return err
			}
		}
		if p.try > 0 && len(f.done) > 0 {
			return nil
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func taskEnded(t instanceFields) bool { return t.State != nil && dag.TaskState(*t.State).Ended() }

// next is a try that was not followed yet: first the one that print would
// take, then each one that runs or began since, in the order of their start.
func (f *follower) next(tasks []instanceFields) (attempt, bool) {
	if len(f.done) == 0 {
		first, err := f.choose(tasks)
		if err != nil {
			return attempt{}, false // nothing has started yet
		}
		for _, t := range tasks {
			if t.Task == first.task && t.StartedAt != nil {
				f.since = *t.StartedAt
			}
		}
		return first, true
	}
	fresh := slices.DeleteFunc(slices.Clone(tasks), func(t instanceFields) bool {
		return t.StartedAt == nil || f.done[attempt{t.Task, t.Try}] || taskEnded(t) && t.StartedAt.Before(f.since)
	})
	if len(fresh) == 0 {
		return attempt{}, false
	}
	t := slices.MinFunc(fresh, func(a, b instanceFields) int {
		return cmp.Or(a.StartedAt.Compare(*b.StartedAt), cmp.Compare(a.Task, b.Task))
	})
	return attempt{t.Task, t.Try}, true
}

// followOne prints the log of one try until it is complete. A stream that
// breaks is opened again where it broke.
func (f *follower) followOne(a attempt) error {
	f.done[a] = true
	fmt.Fprintf(f.cmd.ErrOrStderr(), "==> %s of %s, try %d\n", a.task, f.run.ID, a.try)
	offset, lines, poll := "", 0, false
	return persist(f.cmd.Context(), func() (bool, error) {
		r := request{path: f.path(a), query: url.Values{"follow": {"true"}}, header: http.Header{"Accept": {"text/event-stream"}}}
		if offset != "" {
			r.header.Set("Last-Event-ID", offset)
		}
		if poll {
			return f.poll(a, &lines)
		}
		resp, err := f.client.open(f.cmd.Context(), r)
		if poll = unavailable(err); poll {
			return f.poll(a, &lines)
		}
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		return f.events(bufio.NewReader(resp.Body), &offset, &lines)
	})
}

// poll prints what a log has beyond the lines that were printed, and then pauses unless
// the try has ended. It is for a server that has no stream to spare.
func (f *follower) poll(a attempt, printed *int) (bool, error) {
	tasks, err := f.tasks()
	if err != nil {
		return false, err
	}
	ended := true
	for _, t := range tasks {
		if t.Task == a.task {
			ended = t.Try != a.try || taskEnded(t) || t.State != nil && *t.State == string(dag.TaskUpForRetry)
		}
	}
	r := request{path: f.path(a), header: http.Header{"Accept": {"application/x-ndjson"}}}
	resp, err := f.client.open(f.cmd.Context(), r)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if err := f.rest(json.NewDecoder(resp.Body), ended, printed); err != nil || ended {
		return err == nil, err
	}
	return false, sleep(f.cmd.Context(), pollPause)
}

// rest prints the lines of a log beyond those that were printed: the last one, which may
// be half a line, only when the try has ended.
func (f *follower) rest(lines *json.Decoder, ended bool, printed *int) error {
	var held json.RawMessage
	for n := 0; ; n++ {
		var line json.RawMessage
		err := lines.Decode(&line)
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return fmt.Errorf("read log: %w", err)
		}
		if held != nil && (!end || ended) {
			if err := f.line(f.cmd.OutOrStdout(), held); err != nil {
				return err
			}
			*printed++
		}
		if end {
			return nil
		}
		if held = nil; n >= *printed {
			held = line
		}
	}
}

// events prints the lines of an event stream and keeps the offset behind the
// last one. It is true when the log is complete, false when the stream broke.
func (f *follower) events(stream *bufio.Reader, offset *string, printed *int) (bool, error) {
	for id := ""; ; {
		text, err := stream.ReadBytes('\n')
		if err != nil {
			return false, f.cmd.Context().Err()
		}
		text = bytes.TrimSuffix(text, []byte("\n"))
		if value, ok := bytes.CutPrefix(text, []byte("id: ")); ok {
			id = string(value)
		} else if bytes.Equal(text, []byte("event: end")) {
			return true, nil
		} else if bytes.Equal(text, []byte("event: short")) {
			return true, errors.New("the log is shorter than what was printed: something has truncated it; read it without --follow")
		} else if value, ok := bytes.CutPrefix(text, []byte("data: ")); ok {
			if err := f.line(f.cmd.OutOrStdout(), value); err != nil {
				return false, err
			}
			*offset = id
			*printed++
		}
	}
}

// conclude says how the run ended, or that it goes on.
func (f *follower) conclude(r runFields) {
	if len(f.done) == 0 {
		fmt.Fprintln(f.cmd.ErrOrStderr(), "nothing ran, so there is no log")
	}
	fmt.Fprintf(f.cmd.ErrOrStderr(), "==> run %s is %s", r.ID, r.State)
	if r.Reason != nil {
		fmt.Fprintf(f.cmd.ErrOrStderr(), ": %s", terminal.OneLine(*r.Reason))
	}
	fmt.Fprintln(f.cmd.ErrOrStderr())
}
