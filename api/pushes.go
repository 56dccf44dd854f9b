package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// pushAnswer is a push of a model's repository and what became of it. Airflow has
// nothing like it, so the names are dagwright's.
type pushAnswer struct {
	ID           int64      `json:"push_id"`
	Project      string     `json:"project"`
	ProjectID    int64      `json:"project_id"`
	Branch       string     `json:"branch"`
	Commit       string     `json:"commit"`
	Deleted      bool       `json:"deleted"`
	User         string     `json:"user"`
	Title        string     `json:"title"`
	Via          string     `json:"via"`
	ReceivedAt   time.Time  `json:"received_at"`
	State        string     `json:"state"`
	Reason       string     `json:"reason"`
	FinishedAt   *time.Time `json:"finished_at"`
	RetryAt      *time.Time `json:"retry_at"`
	Tries        int        `json:"tries"`
	DAG          dag.ID     `json:"dag_id"`
	DAGCommit    string     `json:"dag_commit"`
	MergeRequest string     `json:"merge_request"`
}

func newPushAnswer(p store.Push) pushAnswer {
	return pushAnswer{
		ID: p.ID, Project: p.Project, ProjectID: p.ProjectID, Branch: p.Branch, Commit: p.Commit, Deleted: p.Deleted, User: p.User, Title: p.Title,
		Via: p.Via, ReceivedAt: p.ReceivedAt, State: string(p.State), Reason: p.Reason, FinishedAt: timeOrNil(p.FinishedAt), RetryAt: timeOrNil(p.RetryAt),
		Tries: p.Tries, DAG: p.DAG, DAGCommit: p.DAGCommit, MergeRequest: p.MergeRequest,
	}
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// pushList is one page of pushes, the newest first. The next page begins before
// the id of the last one.
type pushList struct {
	Pushes []pushAnswer `json:"pushes"`
}

var pushStates = []string{
	string(store.PushPending), string(store.PushRendered), string(store.PushUnchanged), string(store.PushSuperseded),
	string(store.PushRefused), string(store.PushRemoved), string(store.PushProposed), string(store.PushCompared),
}

func (s *server) listPushes(c echo.Context) error {
	q := readQuery(c)
	f := store.PushFilter{Project: q.str("project"), DAG: dag.ID(q.str("dag_id")), Before: int64(q.number("before", 0))}
	f.Limit, _ = q.page()
	if state := q.choice("state", pushStates...); state != "" {
		f.States = []store.PushState{store.PushState(state)}
	}
	if err := q.err(); err != nil {
		return err
	}
	pushes, err := s.Store.Pushes(c.Request().Context(), f)
	if err != nil {
		return err
	}
	answer := pushList{Pushes: []pushAnswer{}}
	for _, p := range pushes {
		answer.Pushes = append(answer.Pushes, newPushAnswer(p))
	}
	return c.JSON(http.StatusOK, answer)
}

// pushID reads the id in the path; what is no number names no push.
func pushID(c echo.Context) (int64, error) {
	id, err := strconv.ParseInt(c.Param("push_id"), 10, 64)
	if err != nil || id <= 0 {
		return 0, refuse(http.StatusNotFound, "The push with ID: `%s` was not found", short(c.Param("push_id")))
	}
	return id, nil
}

func (s *server) getPush(c echo.Context) error {
	id, err := pushID(c)
	if err != nil {
		return err
	}
	return s.answerPush(c, http.StatusOK, id)
}

func (s *server) answerPush(c echo.Context, status int, id int64) error {
	found, err := s.Store.Pushes(c.Request().Context(), store.PushFilter{ID: id, Limit: 1})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return refuse(http.StatusNotFound, "The push with ID: `%d` was not found", id)
	}
	return c.JSON(status, newPushAnswer(found[0]))
}

// replayPush has a push's branch rendered once more, and answers the new push.
func (s *server) replayPush(c echo.Context) error {
	id, err := pushID(c)
	if err != nil {
		return err
	}
	replayed, err := s.Store.ReplayPush(c.Request().Context(), s.actor(c), id)
	if err != nil {
		return orMissing(err, "The push with ID: `%d` was not found", id)
	}
	return s.answerPush(c, http.StatusAccepted, replayed)
}

// rerenderAnswer names the pushes that a request for the fleet has made.
type rerenderAnswer struct {
	DAGs   []dag.ID `json:"dag_ids"`
	Pushes []int64  `json:"push_ids"`
}

// rerender has generated DAGs rendered once more, with the templates and settings
// of now: all of them, or those whose id or project holds "pattern". With
// "dry_run" nothing is written, and each push says what it would change; with
// "overwrite" edits by hand are lost.
func (s *server) rerender(c echo.Context) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	const longest = 1000
	pattern, how := b.text("pattern", longest), store.ViaRerender
	overwrite, dry := b.boolean("overwrite"), b.boolean("dry_run")
	if err := b.err(); err != nil {
		return err
	}
	switch {
	case dry:
		how = store.ViaDryRun
	case overwrite:
		how = store.ViaOverwrite
	}
	ctx := c.Request().Context()
	specs, err := s.Store.Specs(ctx)
	if err != nil {
		return err
	}
	answer := rerenderAnswer{DAGs: store.MatchSpecs(specs, pattern), Pushes: []int64{}}
	if len(answer.DAGs) == 0 {
		return refuse(http.StatusNotFound, "No generated DAG matches `%s`", short(pattern))
	}
	if answer.Pushes, err = s.Store.RerenderPushes(ctx, s.actor(c), answer.DAGs, how); err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, answer)
}
