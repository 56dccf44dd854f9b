package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// allDAGs stands for every DAG where a path wants a DAG id.
const allDAGs = "~"

// runAnswer is Airflow's DAGRunResponse, and the reason of the state.
type runAnswer struct {
	Run           dag.RunID       `json:"dag_run_id"`
	DAG           dag.ID          `json:"dag_id"`
	LogicalDate   timestamp       `json:"logical_date"`
	QueuedAt      timestamp       `json:"queued_at"`
	StartedAt     timestamp       `json:"start_date"`
	EndedAt       timestamp       `json:"end_date"`
	Duration      *float64        `json:"duration"`
	IntervalStart timestamp       `json:"data_interval_start"`
	IntervalEnd   timestamp       `json:"data_interval_end"`
	RunAfter      timestamp       `json:"run_after"`
	LastDecision  timestamp       `json:"last_scheduling_decision"`
	Type          dag.RunType     `json:"run_type"`
	State         dag.RunState    `json:"state"`
	TriggeredBy   *string         `json:"triggered_by"`
	User          *string         `json:"triggering_user_name"`
	Conf          map[string]any  `json:"conf"`
	Note          *string         `json:"note"`
	Versions      []versionAnswer `json:"dag_versions"`
	BundleVersion *string         `json:"bundle_version"`
	DisplayName   string          `json:"dag_display_name"`
	PartitionKey  *string         `json:"partition_key"`
	PartitionDate timestamp       `json:"partition_date"`
	reasonAnswer
}

func newRunAnswer(r dag.Run, v store.Version) runAnswer {
	if r.Conf == nil {
		r.Conf = map[string]any{}
	}
	name := displayName(v.Spec)
	return runAnswer{
		Run: r.ID, DAG: r.DAG, LogicalDate: timestamp(r.LogicalDate), QueuedAt: timestamp(r.QueuedAt),
		StartedAt: timestamp(r.StartedAt), EndedAt: timestamp(r.EndedAt), Duration: seconds(r.StartedAt, r.EndedAt),
		IntervalStart: timestamp(r.Interval.Start), IntervalEnd: timestamp(r.Interval.End), RunAfter: timestamp(r.RunAfter),
		LastDecision: timestamp(latest(r.StartedAt, r.EndedAt)), Type: r.Type, State: r.State,
		TriggeredBy: orNull(r.TriggeredBy), User: orNull(r.User), Conf: r.Conf, Note: orNull(r.Note),
		Versions: []versionAnswer{newVersionAnswer(v, name)}, BundleVersion: orNull(v.DAGCommit), DisplayName: name,
		reasonAnswer: newReasonAnswer(r.Reason),
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

type runList struct {
	Runs           []runAnswer `json:"dag_runs"`
	Total          int         `json:"total_entries"`
	TotalLimit     *int        `json:"total_entries_limit"`
	NextCursor     *string     `json:"next_cursor"`
	PreviousCursor *string     `json:"previous_cursor"`
}

func (s *server) runRoutes() []route {
	return []route{
		{http.MethodGet, "/dags/:dag_id/dagRuns", dag.RightRead, s.listRuns, operation{
			id: "get_dag_runs", tag: "DagRun", summary: "List the runs of a DAG, or of all DAGs (~).", answer: runList{},
			query: runParams(),
		}},
		{http.MethodPost, "/dags/:dag_id/dagRuns/list", dag.RightRead, s.listRunsBatch, operation{
			id: "get_list_dag_runs_batch", tag: "DagRun", summary: "List the runs of several DAGs; the DAG in the path is ~.",
			answer: runList{}, body: runBatchParams(),
		}},
		{http.MethodGet, runPath, dag.RightRead, s.getRun,
			operation{id: "get_dag_run", tag: "DagRun", summary: "Read a run.", answer: runAnswer{}}},
		{http.MethodGet, runPath + "/wait", dag.RightRead, s.waitRun, operation{
			id: "wait_dag_run_until_finished", tag: "DagRun",
			summary: "Follow a run's state, a line of JSON each time, until it has ended.", media: []string{ndjson},
			query: []param{required(param{name: "interval", schema: schema{"type": "number", "exclusiveMinimum": 0},
				about: "Seconds between two lines."})},
			refusals: []int{http.StatusServiceUnavailable},
		}},
	}
}

func (s *server) listRuns(c echo.Context) error {
	ctx, q := c.Request().Context(), readQuery(c)
	f := readRunFilter(q)
	if err := q.err(); err != nil {
		return err
	}
	if id := dagID(c); id != allDAGs {
		if _, err := s.findDAG(ctx, id); err != nil {
			return err
		}
		f.DAG = id
	}
	return s.answerRuns(c, f)
}

// answerRuns answers with a page of runs; a limit of zero has none.
func (s *server) answerRuns(c echo.Context, f store.RunFilter) error {
	ctx, limit := c.Request().Context(), f.Limit
	f.Limit = max(limit, 1)
	runs, total, err := s.Store.Runs(ctx, f)
	if err != nil {
		return err
	}
	answers, err := s.runAnswers(ctx, page(runs, limit, 0)...)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, runList{Runs: answers, Total: total})
}

func (s *server) runAnswers(ctx context.Context, runs ...dag.Run) ([]runAnswer, error) {
	known := s.newVersions()
	answers := make([]runAnswer, len(runs))
	for i, r := range runs {
		v, err := known.of(ctx, r)
		if err != nil {
			return nil, err
		}
		answers[i] = newRunAnswer(r, v)
	}
	return answers, nil
}

func (s *server) answerRun(c echo.Context, run dag.Run) error {
	answers, err := s.runAnswers(c.Request().Context(), run)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, answers[0])
}

// loadRun reads the run of the path.
func (s *server) loadRun(c echo.Context) (dag.Run, error) {
	run, err := s.Store.Run(c.Request().Context(), dagID(c), runID(c))
	return run, missingRun(err, dagID(c), runID(c))
}

func (s *server) getRun(c echo.Context) error {
	if err := readQuery(c).err(); err != nil {
		return err
	}
	run, err := s.loadRun(c)
	if err != nil {
		return err
	}
	return s.answerRun(c, run)
}
