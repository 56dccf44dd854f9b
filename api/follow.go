package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/tasklog"
)

// heartbeat is how often a silent event stream shows that it lives, so that
// proxies keep it open.
const heartbeat = 15 * time.Second

var (
	// errTryEnded ends the following of a log that nobody will complete: its
	// try ended without a seal, because it never wrote or its machine died.
	errTryEnded = errors.New("the try has ended")
	// errGone says that the reader of a stream went away.
	errGone = errors.New("the reader went away")
)

// followLog sends the log as it grows until it is complete.
func (s *server) followLog(c echo.Context, r logRequest) error {
	ctx, closeStream, err := s.openStream(c)
	if err != nil {
		return err
	}
	defer closeStream()
	ctx, giveUp := context.WithCancelCause(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait() // none of them may touch the answer after this function
	defer giveUp(nil)
	helpers.Go(func() { s.watchTry(ctx, r.key, giveUp) })
	out := newLineStream(c.Response(), r.format)
	if r.format == eventStream {
		helpers.Go(func() { out.beat(ctx) })
	}
	next := r.offset
	err = s.Logs.Follow(ctx, r.key, next, func(offset int64, lines []byte) error {
		next = offset + int64(len(lines))
		return out.send(offset, lines)
	})
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errTryEnded):
		err = s.sendRest(r, next, out)
	case cause != nil && err != nil:
		err = cause
	}
	switch {
	case err == nil:
		err = out.end()
	case errors.Is(err, tasklog.ErrShort):
		err = out.short()
	}
	if errors.Is(err, errGone) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// sendRest sends what an unsealed log holds behind an offset.
func (s *server) sendRest(r logRequest, offset int64, out *lineStream) error {
	size, err := s.logSize(&r)
	if err != nil {
		return err
	}
	if size < offset {
		return tasklog.ErrShort
	}
	_, err = s.readLines(r.key, span{offset, size, true}, out.line)
	return err
}

// watchTry calls giveUp when the try has ended and its log is not sealed. An
// executor seals the log before it reports the end, so none is sealed later
// than that is seen here.
func (s *server) watchTry(ctx context.Context, key dag.AttemptKey, giveUp context.CancelCauseFunc) {
	changes := s.Store.Subscribe()
	defer changes.Close()
	for {
		tries, err := s.Store.Tries(ctx, key.DAG, key.Run, key.Task)
		if err != nil {
			giveUp(fmt.Errorf("read tries: %w", err))
			return
		}
		i := slices.IndexFunc(tries, func(t dag.TaskInstance) bool { return t.Try == key.Try })
		if i < 0 || tryEnded(tries[i]) {
			if !sleep(ctx, s.Logs.Lag()) {
				return
			}
			if info, err := s.Logs.Stat(key); err != nil || !info.Sealed {
				giveUp(errTryEnded)
			}
			return
		}
		if !taskChanged(ctx, changes, key) {
			return
		}
	}
}

// sleep waits; false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// taskChanged waits until the task instance may have changed; false when ctx
// ends first.
func taskChanged(ctx context.Context, changes *store.Subscription, key dag.AttemptKey) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-changes.Lagged:
			return true
		case change, ok := <-changes.C:
			if !ok {
				return false
			}
			if change.Kind == store.ChangeTask && change.DAG == key.DAG && change.Run == key.Run && change.Task == key.Task {
				return true
			}
		}
	}
}

// lineStream writes log lines to an open answer, as NDJSON or as server-sent
// events whose id is the offset at which the log goes on.
type lineStream struct {
	format string
	mu     sync.Mutex // beat writes too
	w      *echo.Response
}

func newLineStream(w *echo.Response, format string) *lineStream {
	w.Header().Set(echo.HeaderContentType, format)
	w.Header().Set(echo.HeaderCacheControl, "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	w.Flush()
	return &lineStream{format: format, w: w}
}

// send writes a piece of the log that begins at offset.
func (l *lineStream) send(offset int64, piece []byte) error {
	for line := range bytes.Lines(piece) {
		offset += int64(len(line))
		if err := l.line(trimNewline(line), offset); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w.Flush()
	return nil
}

func (l *lineStream) line(line []byte, next int64) error {
	var b bytes.Buffer
	if l.format == eventStream {
		fmt.Fprintf(&b, "id: %d\ndata: ", next)
	}
	if err := writeJSON(&b, timedLine(newLogLine(line))); err != nil {
		return err
	}
	b.WriteByte('\n')
	if l.format == eventStream {
		b.WriteByte('\n')
	}
	return l.write(b.Bytes())
}

// end says that the log is complete.
func (l *lineStream) end() error {
	if l.format != eventStream {
		return nil
	}
	if err := l.write([]byte("event: end\ndata: {}\n\n")); err != nil {
		return err
	}
	l.w.Flush()
	return nil
}

// short says that the log has become shorter than what was sent of it: as the
// event "short", or as a line of dagwright's own.
func (l *lineStream) short() error {
	const text = "the log is shorter than what was read of it: something has cut the file; read it from its start"
	var b bytes.Buffer
	if l.format == eventStream {
		b.WriteString("event: short\ndata: ")
	}
	line := tasklog.AppendLine(nil, tasklog.Line{Time: time.Now(), Own: true, Text: text})
	if err := writeJSON(&b, timedLine(newLogLine(line))); err != nil {
		return err
	}
	b.WriteByte('\n')
	if l.format == eventStream {
		b.WriteByte('\n')
	}
	if err := l.write(b.Bytes()); err != nil {
		return err
	}
	l.w.Flush()
	return nil
}

// beat writes a comment now and then until ctx ends.
func (l *lineStream) beat(ctx context.Context) {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		l.mu.Lock()
		if ctx.Err() == nil {
			_, _ = l.w.Write([]byte(": still here\n\n")) // a broken stream is seen by send
			l.w.Flush()
		}
		l.mu.Unlock()
	}
}

func (l *lineStream) write(text []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.w.Write(text); err != nil {
		return errGone
	}
	return nil
}
