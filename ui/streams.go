package ui

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/auth"
)

const (
	// maxStreams is how many event streams are served at once, a quarter to a person.
	maxStreams = 200
	// heartbeat keeps proxies from closing a quiet stream.
	heartbeat = 15 * time.Second
	// writeLimit ends a stream whose reader is gone.
	writeLimit = 10 * time.Second
)

// streams counts the open event streams and ends them when the server stops.
type streams struct {
	places *auth.Shares
	caller func(*http.Request) string
	done   <-chan struct{}
}

func newStreams(c Config) *streams {
	return &streams{places: auth.NewShares(maxStreams), caller: c.Auth.Caller, done: c.Done}
}

// stream is one open event stream: https://html.spec.whatwg.org/multipage/server-sent-events.html
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	beat    *time.Ticker
}

// open answers with a stream. ctx ends with the request or the server; close
// must be called. When all streams, or those of the reader, are taken, the error is for people.
func (s *streams) open(c echo.Context) (_ context.Context, _ *stream, closer func(), err error) {
	giveBack, ok := s.places.Take(s.caller(c.Request()))
	if !ok {
		c.Response().Header().Set("Retry-After", "5")
		return nil, nil, nil, echo.NewHTTPError(http.StatusServiceUnavailable, "Too many pages are open: live updates pause.")
	}
	ctx, cancel := context.WithCancel(c.Request().Context())
	st := &stream{w: c.Response(), control: http.NewResponseController(c.Response()), beat: time.NewTicker(heartbeat)}
	go func() {
		select {
		case <-s.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	closer = func() {
		cancel()
		st.beat.Stop()
		giveBack()
	}
	h := c.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	c.Response().WriteHeader(http.StatusOK)
	if err := st.write("retry: 2000\n\n"); err != nil {
		closer()
		return nil, nil, nil, err
	}
	return ctx, st, closer, st.flush()
}

// send writes an event; flush sends it off. An empty name is the default
// event.
func (st *stream) send(id int64, name string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	event := "id: " + strconv.FormatInt(id, 10) + "\n"
	if name != "" {
		event += "event: " + name + "\n"
	}
	return st.write(event + "data: " + string(text) + "\n\n")
}

// ping writes a comment, which readers ignore.
func (st *stream) ping() error {
	if err := st.write(": ping\n\n"); err != nil {
		return err
	}
	return st.flush()
}

func (st *stream) write(text string) error {
	// Not every writer can have a deadline, and a stream works without one.
	_ = st.control.SetWriteDeadline(time.Now().Add(writeLimit))
	_, err := st.w.Write([]byte(text))
	return err
}

func (st *stream) flush() error { return st.control.Flush() }
