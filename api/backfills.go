package api

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/timetable"
)

// maxBackfillRuns bounds the runs of one backfill: all of them are made at once.
const maxBackfillRuns = 1000

// backfillAnswer is Airflow's BackfillResponse.
type backfillAnswer struct {
	ID            int64           `json:"id"`
	DAG           dag.ID          `json:"dag_id"`
	From          timestamp       `json:"from_date"`
	To            timestamp       `json:"to_date"`
	Conf          map[string]any  `json:"dag_run_conf"`
	Paused        bool            `json:"is_paused"`
	Reprocess     store.Reprocess `json:"reprocess_behavior"`
	MaxActiveRuns int             `json:"max_active_runs"`
	CreatedAt     timestamp       `json:"created_at"`
	CompletedAt   timestamp       `json:"completed_at"`
	UpdatedAt     timestamp       `json:"updated_at"`
	DisplayName   string          `json:"dag_display_name"`
}

type backfillList struct {
	Backfills []backfillAnswer `json:"backfills"`
	Total     int              `json:"total_entries"`
}

// dryBackfillAnswer is Airflow's DryRunBackfillResponse.
type dryBackfillAnswer struct {
	LogicalDate   timestamp `json:"logical_date"`
	PartitionKey  *string   `json:"partition_key"`
	PartitionDate timestamp `json:"partition_date"`
}

type dryBackfillList struct {
	Backfills []dryBackfillAnswer `json:"backfills"`
	Total     int                 `json:"total_entries"`
}

func (s *server) backfillRoutes() []route {
	body := []param{
		required(text("dag_id", "The DAG.")), required(moment("from_date", "The first logical date.")),
		required(moment("to_date", "The last logical date.")),
		truth("run_backwards", false, "Start the newest run first."),
		nullable(object("dag_run_conf", "Values for the containers' environment.")),
		choice("reprocess_behavior", "Which runs that exist are cleared.", "none", "failed", "completed"),
		integer("max_active_runs", "Run slots of the backfill, beside the DAG's; 10 when absent."),
		nullable(truth("run_on_latest_version", true, "A new run has the newest version, a cleared one keeps its own.")),
	}
	act := func(name string) operation {
		return operation{id: name + "_backfill", tag: "Backfill", answer: backfillAnswer{}}
	}
	pause, unpause, cancel := act("pause"), act("unpause"), act("cancel")
	pause.summary, unpause.summary = "Start no more runs of a backfill.", "Go on with a backfill."
	cancel.summary = "End a backfill: its queued runs fail, and those that run go on."
	list := append(pageParams("id"), required(text("dag_id", "The DAG.")))
	const one = "/backfills/:backfill_id"
	return []route{
		{http.MethodGet, "/backfills", dag.RightRead, s.listBackfills,
			operation{id: "list_backfills", tag: "Backfill", summary: "List the backfills of a DAG.", answer: backfillList{},
				query: list}},
		{http.MethodPost, "/backfills", dag.RightRead, s.createBackfill, operation{
			id: "create_backfill", tag: "Backfill", summary: "Ask for the runs of a past range.", answer: backfillAnswer{},
			body: body, refusals: []int{http.StatusNotFound, http.StatusConflict},
		}},
		{http.MethodPost, "/backfills/dry_run", dag.RightRead, s.tryBackfill, operation{
			id: "create_backfill_dry_run", tag: "Backfill", summary: "Say which runs it would be.", answer: dryBackfillList{},
			body: body, refusals: []int{http.StatusNotFound},
		}},
		{http.MethodGet, one, dag.RightRead, s.getBackfill,
			operation{id: "get_backfill", tag: "Backfill", summary: "Read a backfill.", answer: backfillAnswer{}}},
		{http.MethodPut, one + "/pause", dag.RightRead, s.pauseBackfill(true), withConflict(pause)},
		{http.MethodPut, one + "/unpause", dag.RightRead, s.pauseBackfill(false), withConflict(unpause)},
		{http.MethodPut, one + "/cancel", dag.RightRead, s.cancelBackfill, withConflict(cancel)},
	}
}

func withConflict(op operation) operation {
	op.refusals = append(op.refusals, http.StatusConflict)
	return op
}

// readBackfill reads a request for a backfill; whoever may not ask for one of the
// DAG is refused.
func (s *server) readBackfill(c echo.Context) (store.BackfillRequest, error) {
	b, err := readBody(c)
	if err != nil {
		return store.BackfillRequest{}, err
	}
	const usual = 10
	for _, name := range []string{"dag_id", "from_date", "to_date"} {
		b.require(name)
	}
	req := store.BackfillRequest{
		DAG: dag.ID(b.text("dag_id", 0)), From: b.time("from_date"), To: b.time("to_date"), Conf: b.object("dag_run_conf"),
		Backwards: b.boolean("run_backwards"), MaxActiveRuns: b.number("max_active_runs", usual), By: s.actor(c),
		Reprocess: store.Reprocess(cmp.Or(b.choice("reprocess_behavior", "failed", "completed", "none"), "none")),
	}
	b.orNull("run_on_latest_version")
	if len(b.faults) == 0 && (req.From.IsZero() || req.To.IsZero()) {
		b.meaning("from_date and to_date must be dates")
	}
	if err := cmp.Or(b.err(), readQuery(c).err()); err != nil {
		return req, err
	}
	if err := s.Allow(c, dag.RightBackfill, req.DAG); err != nil {
		return req, orMissing(err, "Could not find dag %s", short(req.DAG))
	}
	return req, s.dateBackfill(c.Request().Context(), &req)
}

// dateBackfill finds the dates of a backfill.
func (s *server) dateBackfill(ctx context.Context, req *store.BackfillRequest) error {
	row, err := s.Store.DAG(ctx, req.DAG)
	switch {
	case err != nil:
		return orMissing(err, "Could not find dag %s", short(req.DAG))
	case row.Archived:
		return archived(req.DAG)
	}
	if !row.Schedule.Periodic() {
		return refuse(http.StatusUnprocessableEntity, "%s has a non-periodic schedule that does not support backfills",
			row.ID)
	}
	now := s.Now()
	switch {
	case req.From.After(req.To):
		return refuse(http.StatusUnprocessableEntity, "from_date (%s) must not be after to_date (%s).",
			req.From.Format(time.RFC3339), req.To.Format(time.RFC3339))
	case !req.From.Before(now):
		return refuse(http.StatusUnprocessableEntity,
			"Backfill cannot be executed for future dates. from_date (%s) is not before now (%s).",
			req.From.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	if err := dag.CheckParams(row.Params, req.Conf); err != nil {
		p, _ := asProblem(err)
		return refuse(http.StatusUnprocessableEntity, "%v", p.detail)
	}
	req.Dates, err = datesBetween(row.Schedule, req.From, req.To, now)
	return err
}

// datesBetween are the runs of a schedule whose logical date is in a range and that
// are due.
func datesBetween(schedule dag.Schedule, from, to, now time.Time) ([]store.NextRun, error) {
	tt, err := timetable.Parse(schedule)
	if err != nil {
		return nil, err
	}
	var dates []store.NextRun
	var last time.Time
	for {
		next, ok, err := tt.Next(last, timetable.Bounds{Start: from, End: to, Catchup: true}, now)
		if err != nil {
			return nil, err
		}
		if !ok || next.LogicalDate.After(to) || next.RunAfter.After(now) {
			return dates, nil
		}
		if len(dates) == maxBackfillRuns {
			return nil, refuse(http.StatusUnprocessableEntity, "A backfill has at most %d runs; choose a shorter range",
				maxBackfillRuns)
		}
		dates = append(dates, store.NextRun{LogicalDate: next.LogicalDate, Interval: next.Interval, RunAfter: next.RunAfter})
		last = next.LogicalDate
	}
}

func (s *server) createBackfill(c echo.Context) error {
	req, err := s.readBackfill(c)
	if err != nil {
		return err
	}
	if len(req.Dates) == 0 {
		return refuse(http.StatusUnprocessableEntity, "No runs to create for Dag %s in the range [%s, %s]", req.DAG,
			req.From.Format(time.RFC3339), req.To.Format(time.RFC3339))
	}
	b, err := s.Store.CreateBackfill(c.Request().Context(), req)
	if errors.Is(err, dag.ErrConflict) {
		return refuse(http.StatusConflict, "There is already a running backfill for dag %s", req.DAG)
	}
	if err != nil {
		return err
	}
	return s.answerBackfill(c, b)
}

// tryBackfill says for which dates there would be a run.
func (s *server) tryBackfill(c echo.Context) error {
	req, err := s.readBackfill(c)
	if err != nil {
		return err
	}
	chosen, err := s.Store.BackfillChoice(c.Request().Context(), req)
	if err != nil {
		return err
	}
	if req.Backwards {
		slices.Reverse(chosen)
	}
	answer := dryBackfillList{Backfills: make([]dryBackfillAnswer, len(chosen)), Total: len(chosen)}
	for i, date := range chosen {
		answer.Backfills[i].LogicalDate = timestamp(date.LogicalDate)
	}
	return c.JSON(http.StatusOK, answer)
}

func (s *server) answerBackfill(c echo.Context, b store.Backfill) error {
	row, err := s.findDAG(c.Request().Context(), b.DAG)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, newBackfillAnswer(b, displayName(row.DAG)))
}

func newBackfillAnswer(b store.Backfill, name string) backfillAnswer {
	if b.Conf == nil {
		b.Conf = map[string]any{}
	}
	return backfillAnswer{
		ID: b.ID, DAG: b.DAG, From: timestamp(b.From), To: timestamp(b.To), Conf: b.Conf, Paused: b.Paused,
		Reprocess:     b.Reprocess,
		MaxActiveRuns: b.MaxActiveRuns, CreatedAt: timestamp(b.CreatedAt), CompletedAt: timestamp(b.CompletedAt),
		UpdatedAt: timestamp(b.UpdatedAt), DisplayName: name,
	}
}

func (s *server) listBackfills(c echo.Context) error {
	ctx, q := c.Request().Context(), readQuery(c)
	limit, offset := q.page()
	id, given := q.text("dag_id")
	newest := q.order("id", map[string]string{"id": "id"}) == "-id"
	if err := q.err(); err != nil {
		return err
	}
	if !given {
		return invalid(missing(nil, "query", "dag_id"))
	}
	// A DAG has few of them.
	found, total, err := s.Store.Backfills(ctx, dag.ID(id), math.MaxInt32, 0)
	if err != nil {
		return err
	}
	if newest {
		slices.Reverse(found)
	}
	answer := backfillList{Backfills: []backfillAnswer{}, Total: total}
	for _, b := range page(found, limit, offset) {
		row, err := s.findDAG(ctx, b.DAG)
		if err != nil {
			return err
		}
		answer.Backfills = append(answer.Backfills, newBackfillAnswer(b, displayName(row.DAG)))
	}
	return c.JSON(http.StatusOK, answer)
}

// loadBackfill reads the backfill of the path.
func (s *server) loadBackfill(c echo.Context) (store.Backfill, error) {
	if err := readQuery(c).err(); err != nil {
		return store.Backfill{}, err
	}
	id, err := strconv.ParseInt(c.Param("backfill_id"), 10, 64)
	if err != nil {
		return store.Backfill{}, invalid(intParsing("path", "backfill_id", short(c.Param("backfill_id"))))
	}
	b, err := s.Store.Backfill(c.Request().Context(), id)
	return b, orMissing(err, "Backfill not found")
}

func (s *server) getBackfill(c echo.Context) error {
	b, err := s.loadBackfill(c)
	if err != nil {
		return err
	}
	return s.answerBackfill(c, b)
}

func (s *server) pauseBackfill(paused bool) echo.HandlerFunc {
	return func(c echo.Context) error {
		return s.onBackfill(c, func(ctx context.Context, id int64) (store.Backfill, error) {
			return s.Store.PauseBackfill(ctx, s.actor(c), id, paused)
		})
	}
}

func (s *server) cancelBackfill(c echo.Context) error {
	return s.onBackfill(c, func(ctx context.Context, id int64) (store.Backfill, error) {
		return s.Store.CancelBackfill(ctx, s.actor(c), id)
	})
}

// onBackfill does something to the backfill of the path.
func (s *server) onBackfill(c echo.Context, do func(context.Context, int64) (store.Backfill, error)) error {
	b, err := s.loadBackfill(c)
	if err != nil {
		return err
	}
	if err := s.Allow(c, dag.RightBackfill, b.DAG); err != nil {
		return orMissing(err, "Backfill not found")
	}
	b, err = do(c.Request().Context(), b.ID)
	if errors.Is(err, store.ErrCompleted) {
		return refuse(http.StatusConflict, "Backfill is already completed.")
	}
	if err != nil {
		return orMissing(err, "Backfill not found")
	}
	return s.answerBackfill(c, b)
}
