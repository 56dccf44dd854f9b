package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

func (s *server) changeRoutes() []route {
	return []route{{http.MethodGet, "/changes", dag.RightRead, s.streamChanges, operation{
		id: "get_changes", tag: "dagwright", summary: "Hear of every change as it is committed, as server-sent events.",
		media: []string{eventStream}, query: []param{text("dag_id", "Only changes of this DAG.")},
		refusals: []int{http.StatusServiceUnavailable},
	}}}
}

// streamChanges sends the changes that the reader may see. Its events are:
//
//	ready    the stream has begun; what is read from now on is followed by every change of it
//	change   a change, as JSON; its id is what Last-Event-ID continues behind
//	lagged   changes were missed: what was read is to be read again
//
// A comment every 15 seconds shows that the stream lives.
func (s *server) streamChanges(c echo.Context) error {
	q := readQuery(c)
	only := dag.ID(q.str("dag_id"))
	if err := q.err(); err != nil {
		return err
	}
	ctx, closeStream, err := s.openStream(c)
	if err != nil {
		return err
	}
	defer closeStream()
	changes := s.subscribe(c.Request().Header.Get("Last-Event-ID"))
	defer changes.Close()
	out := changeStream{w: c.Response(), process: s.process}
	out.begin()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	return s.sendChanges(ctx, out, changes, changeFilter{only: only, sight: s.Store.Sight(), beat: beat.C})
}

// subscribe continues behind the change that a reader has seen last. An id of
// another process, or of this one before it was started, is one that is too old.
func (s *server) subscribe(last string) *store.Subscription {
	if last == "" {
		return s.Store.Subscribe()
	}
	process, digits, _ := strings.Cut(last, "-")
	seq, err := strconv.ParseInt(digits, 10, 64)
	if process != s.process || err != nil {
		seq = -1
	}
	return s.Store.SubscribeAfter(seq)
}

// changeFilter says which changes a reader hears of, and when it is to be shown
// that the stream lives.
type changeFilter struct {
	only  dag.ID
	sight *store.Sight
	beat  <-chan time.Time
}

func (f changeFilter) passes(ctx context.Context, change store.Change) (bool, error) {
	if f.only != "" && change.DAG != f.only {
		return false, nil
	}
	return f.sight.Sees(ctx, change)
}

// sendChanges sends until the reader or the server goes away.
func (s *server) sendChanges(ctx context.Context, out changeStream, changes *store.Subscription, f changeFilter) error {
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-f.beat:
			err = out.write(": still here\n\n")
		case <-changes.Lagged:
			f.sight.Forget()
			err = out.write("event: lagged\ndata: {}\n\n")
		case change := <-changes.C:
			passes, failed := f.passes(ctx, change)
			if failed != nil {
				return failed // the reader comes back, and hears of it then
			}
			if passes {
				err = out.change(change)
			}
		}
		if err != nil {
			return nil //nolint:nilerr // the reader went away
		}
	}
}

// changeStream writes changes to an open answer.
type changeStream struct {
	w       *echo.Response
	process string
}

func (o changeStream) begin() {
	o.w.Header().Set(echo.HeaderContentType, eventStream)
	o.w.Header().Set(echo.HeaderCacheControl, "no-store")
	o.w.Header().Set("X-Accel-Buffering", "no")
	o.w.WriteHeader(http.StatusOK)
	_ = o.write("event: ready\ndata: {}\n\n") // a reader that has gone is seen by the next write
}

// changeBody is a change as the stream sends it.
type changeBody struct {
	Kind  store.ChangeKind `json:"kind"`
	DAG   dag.ID           `json:"dag_id,omitempty"`
	Run   dag.RunID        `json:"dag_run_id,omitempty"`
	Task  dag.TaskID       `json:"task_id,omitempty"`
	State string           `json:"state,omitempty"`
}

func (o changeStream) change(c store.Change) error {
	body, err := json.Marshal(changeBody{c.Kind, c.DAG, c.Run, c.Task, c.State})
	if err != nil {
		return fmt.Errorf("write change: %w", err)
	}
	return o.write(fmt.Sprintf("id: %s-%d\nevent: change\ndata: %s\n\n", o.process, c.Seq, body))
}

func (o changeStream) write(text string) error {
	if _, err := o.w.Write([]byte(text)); err != nil {
		return errGone
	}
	o.w.Flush()
	return nil
}
