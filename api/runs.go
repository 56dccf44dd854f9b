package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
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
	Reason        *string         `json:"reason"`
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
		Reason: orNull(r.Reason),
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

var runOrders = map[string]string{
	"id": "id", "state": "state", "dag_id": "dag_id", "logical_date": "logical_date",
	"run_after": "run_after", "start_date": "start_date", "end_date": "end_date",
}

func readRunFilter(q *query) store.RunFilter {
	var f store.RunFilter
	f.Limit, f.Offset = q.page()
	f.OrderBy = q.order("id", runOrders)
	for _, state := range q.list("state") {
		if !slices.Contains(dag.RunStates, dag.RunState(state)) {
			q.refuse(http.StatusUnprocessableEntity, "Invalid value for state. Valid values are %s", strings.Join(runStates(), ", "))
		}
		f.States = append(f.States, dag.RunState(state))
	}
	for _, kind := range q.list("run_type") {
		f.Types = append(f.Types, dag.RunType(kind))
	}
	f.LogicalFrom, f.LogicalTo = q.between("logical_date")
	f.RunAfterFrom, f.RunAfterTo = q.between("run_after")
	if term, ok := q.text("run_id_pattern"); ok {
		p := newPattern(term)
		if !p.single() {
			q.refuse(http.StatusBadRequest, "Alternatives (`|`) in `run_id_pattern` are not supported")
		}
		f.IDPattern = p.like()
	}
	return f
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
	limit := f.Limit
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

// patchRun changes a run's note, and ends it by hand as success or failed.
func (s *server) patchRun(c echo.Context) error {
	ctx, q := c.Request().Context(), readQuery(c)
	mask := updateMask(q, "state", "note")
	b, err := readBody(c)
	if err != nil {
		return err
	}
	const maxNote = 1000
	state, note := dag.RunState(b.choice("state", "queued", "success", "failed")), b.text("note", maxNote)
	if err := cmp.Or(b.err(), q.err()); err != nil {
		return err
	}
	run, err := s.loadRun(c)
	if err != nil {
		return err
	}
	masked := func(field string) bool { return len(mask) > 0 && !slices.Contains(mask, field) }
	if b.has("note") && !masked("note") {
		if err := s.Store.SetRunNote(ctx, s.actor(c), run.DAG, run.ID, note); err != nil {
			return err
		}
	}
	if state != "" && state != run.State && !masked("state") {
		if !state.Ended() {
			return refuse(http.StatusBadRequest, "Setting a run to queued, which clears it, is not supported")
		}
		if err := s.Store.SetRunState(ctx, s.actor(c), run.DAG, run.ID, state); err != nil {
			return err
		}
	}
	if run, err = s.loadRun(c); err != nil {
		return err
	}
	return s.answerRun(c, run)
}
