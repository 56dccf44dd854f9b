package ui

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/tasklog"
)

// logText is a piece of a log on its way to a page.
type logText struct {
	next int64 // offset behind the piece
	html string
}

// logStream sends a log from an offset on while it grows. An event's data is
// lines as HTML in a JSON string, and its id the offset behind it, so that a reader who
// lost the connection goes on where it was (Last-Event-ID). The event "end"
// says that the log is complete, and "short" that it is shorter than the reader's
// place, since something has cut it.
func (s *server) logStream(c echo.Context) error {
	t, err := s.Store.TaskInstance(c.Request().Context(), dagParam(c), runParam(c), taskParam(c))
	if err != nil {
		return err
	}
	key, err := logKey(c, t)
	if err != nil {
		return err
	}
	offset, err := streamOffset(c)
	if err != nil {
		return err
	}
	ctx, st, closer, err := s.streams.open(c)
	if err != nil {
		return err
	}
	pieces, ended := make(chan logText), make(chan error, 1)
	view := s.logView(c, key, s.zoneOf(c))
	go func() { ended <- s.follow(ctx, view, key, offset, pieces) }()
	err = st.copyLog(ctx, offset, pieces, ended)
	closer()
	if err == nil {
		return nil
	}
	<-ended //nolint:errcheck // the follower's goroutine ends with the request, and nobody is left to tell how
	return nil
}

// follow hands on the pieces of a log until it is complete or ctx ends.
func (s *server) follow(ctx context.Context, view logView, key dag.AttemptKey, offset int64,
	pieces chan<- logText) error {
	return s.Logs.Follow(ctx, key, offset, func(at int64, lines []byte) error {
		end := at + int64(len(lines))
		html, err := s.linesHTML(view, logPiece{From: at, To: end, text: lines})
		if err != nil {
			return err
		}
		select {
		case pieces <- logText{end, html}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// linesHTML renders lines alone.
func (s *server) linesHTML(view logView, piece logPiece) (string, error) {
	var b strings.Builder
	err := s.views.templates[view.rd.lang].ExecuteTemplate(&b, "lines", view.lines(piece))
	if err != nil {
		return "", fmt.Errorf("render log lines: %w", err)
	}
	return b.String(), nil
}

// copyLog writes pieces until the follower ended, which gives nil, or the
// reader or ctx did.
func (st *stream) copyLog(ctx context.Context, offset int64, pieces <-chan logText, ended <-chan error) error {
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-st.beat.C:
			err = st.ping()
		case p := <-pieces:
			offset = p.next
			if err = st.send(p.next, "", p.html); err == nil {
				err = st.flush()
			}
		case err := <-ended:
			name := "end"
			if errors.Is(err, tasklog.ErrShort) {
				name, err = "short", nil
			}
			if err == nil && st.send(offset, name, struct{}{}) == nil {
				_ = st.flush() // the stream ends either way
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// streamOffset is where the reader stopped, or wants to begin.
func streamOffset(c echo.Context) (int64, error) {
	text := c.Request().Header.Get("Last-Event-ID")
	if text == "" {
		text = c.QueryParam("offset")
	}
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, invalid("The offset %q is not valid: it is a number of bytes from the start of the log.", text)
	}
	return n, nil
}
