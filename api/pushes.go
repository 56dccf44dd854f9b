package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// pushAnswer is a push of a model's repository and what happened to it. Airflow has
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
		ID: p.ID, Project: p.Project, ProjectID: p.ProjectID, Branch: p.Branch, Commit: p.Commit, Deleted: p.Deleted,
		User: p.User, Title: p.Title,
		Via: p.Via, ReceivedAt: p.ReceivedAt, State: string(p.State), Reason: p.Reason, FinishedAt: timeOrNil(p.FinishedAt),
		RetryAt: timeOrNil(p.RetryAt),
		Tries:   p.Tries, DAG: p.DAG, DAGCommit: p.DAGCommit, MergeRequest: p.MergeRequest,
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

func (s *server) pushRoutes() []route {
	states := make([]string, len(pushStates))
	copy(states, pushStates)
	return []route{
		{http.MethodGet, "/pushes", dag.RightRead, s.listPushes, operation{
			id: "get_pushes", tag: "dagwright", summary: "List pushes of models, the newest first.", answer: pushList{},
			query: []param{
				text("project", "Only of this GitLab project."), text("dag_id", "Only of this DAG."),
				nonNegative("before", "Only pushes older than this one."),
				choice("state", "Only in this state.", states...), pageParams()[0], pageParams()[1],
			},
		}},
		{http.MethodGet, "/pushes/:push_id", dag.RightRead, s.getPush,
			operation{id: "get_push", tag: "dagwright", summary: "Read a push.", answer: pushAnswer{}}},
		{http.MethodPost, "/pushes/:push_id/replay", dag.RightReplay, s.replayPush, operation{
			id: "replay_push", tag: "dagwright", summary: "Have a push's branch rendered once more.", answer: pushAnswer{},
			status: http.StatusAccepted,
		}},
		{http.MethodPost, "/rerender", dag.RightRerender, s.rerender, operation{
			id: "rerender", tag: "dagwright", summary: "Have generated DAGs rendered once more.", answer: rerenderAnswer{},
			status:   http.StatusAccepted,
			refusals: []int{http.StatusNotFound},
			body: []param{
				nullable(text("pattern", "A part of the DAG's id or project; all DAGs when absent.")),
				truth("overwrite", false, "Also where a file was edited by hand."),
				truth("dry_run", false, "Only say what would change."),
			},
		}},
		{http.MethodGet, "/dags/:dag_id/provenance", dag.RightRead, s.getProvenance, operation{
			id: "get_provenance", tag: "dagwright",
			summary: "Read the chain from a model's commit to a DAG's file, and to a run's pods.", answer: provenanceAnswer{},
			query: []param{text("dag_run_id", "Also the pods of this run.")},
		}},
		{http.MethodPost, "/dags/:dag_id/promote", dag.RightPromote, s.promote, operation{
			id: "promote_dag", tag: "dagwright", summary: "Offer a DAG to the next instance.", answer: promotionAnswer{},
			status:   http.StatusAccepted,
			refusals: []int{http.StatusConflict},
			body: []param{
				truth("dry_run", false, "Only make the difference."),
				nullable(integer("version_number", "Only when the DAG is at this version.")),
			},
		}},
		{http.MethodPost, "/dags/:dag_id/take_over", dag.RightTakeOver, s.takeOver, operation{
			id: "take_over_dag", tag: "dagwright", answer: dagAnswer{}, refusals: []int{http.StatusConflict},
			summary: "Give what a former owner of a DAG's id left, under an id such as churn~1, to the DAG that has the id now.",
		}},
		{http.MethodGet, "/dags/:dag_id/promotions", dag.RightRead, s.listPromotions, operation{
			id: "get_promotions", tag: "dagwright", summary: "List a DAG's promotions, the newest first.",
			answer: promotionList{},
		}},
	}
}

var pushStates = []string{
	string(store.PushPending), string(store.PushRendered), string(store.PushUnchanged), string(store.PushSuperseded),
	string(store.PushRefused), string(store.PushRemoved), string(store.PushProposed), string(store.PushCompared),
	string(store.PushSkipped),
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

// pushID reads the id in the path; what is not a number names no push.
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

// replayPush requeues a push's branch, and answers the new push.
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
