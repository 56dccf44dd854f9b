package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// openStream takes one of the places for answers that stay open. The caller
// calls the returned function when the answer ends. The context ends with the
// request or the server.
func (s *server) openStream(c echo.Context) (context.Context, func(), error) {
	giveBack, ok := s.streams.Take(s.Auth.Caller(c.Request()))
	if !ok {
		c.Response().Header().Set(echo.HeaderRetryAfter, "5")
		return nil, nil, refuse(http.StatusServiceUnavailable,
			"Too many streams are open, of everybody or of you; try again in a few seconds")
	}
	ctx, cancel := context.WithCancel(c.Request().Context())
	go func() {
		select {
		case <-s.Done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(); giveBack() }, nil
}

// waitRun sends the run's state as a line of JSON at once, at each change, and
// every interval seconds, until the run has ended.
func (s *server) waitRun(c echo.Context) error {
	q := readQuery(c)
	interval, err := readInterval(q)
	if err != nil {
		return err
	}
	run, err := s.loadRun(c)
	if err != nil {
		return err
	}
	ctx, closeStream, err := s.openStream(c)
	if err != nil {
		return err
	}
	defer closeStream()
	// Subscribed before it reads, so that no change falls in between.
	changes := s.Store.Subscribe()
	defer changes.Close()
	tick := time.NewTicker(interval)
	defer tick.Stop()

	c.Response().Header().Set(echo.HeaderContentType, ndjson)
	c.Response().WriteHeader(http.StatusOK)
	for {
		if run, err = s.Store.Run(ctx, run.DAG, run.ID); err != nil {
			return err
		}
		if err := json.NewEncoder(c.Response()).Encode(map[string]any{"state": run.State}); err != nil {
			return nil // the client went away
		}
		c.Response().Flush()
		if run.State.Ended() || !nextChange(ctx, changes, tick.C, run) {
			return nil
		}
	}
}

// nextChange waits until the run may have changed. It is false when the stream
// is to end.
func nextChange(ctx context.Context, changes *store.Subscription, tick <-chan time.Time, run dag.Run) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick:
			return true
		case <-changes.Lagged:
			return true
		case change, ok := <-changes.C:
			if !ok {
				return false
			}
			if change.Kind == store.ChangeRun && change.DAG == run.DAG && change.Run == run.ID {
				return true
			}
		}
	}
}

func readInterval(q *query) (time.Duration, error) {
	text, ok := q.text("interval")
	if q.values.Has("result") {
		return 0, refuse(http.StatusBadRequest, "Results of tasks (XCom) are not supported")
	}
	if err := q.err(); err != nil {
		return 0, err
	}
	if !ok {
		return 0, invalid(missing(nil, "query", "interval"))
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, invalid(fieldError{
			Type: "float_parsing", Loc: []any{"query", "interval"}, Input: text,
			Msg: "Input should be a valid number, unable to parse string as a number",
		})
	}
	if !(n > 0) {
		return 0, invalid(fieldError{
			Type: "greater_than", Loc: []any{"query", "interval"}, Input: text,
			Msg: "Input should be greater than 0", Ctx: map[string]any{"gt": 0},
		})
	}
	const shortest, longest = 0.05, 3600
	return time.Duration(min(max(n, shortest), longest) * float64(time.Second)), nil
}
