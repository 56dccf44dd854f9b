package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/timetable"
)

// triggerBody is Airflow's TriggerDAGRunPostBody and the key "unpause".
type triggerBody struct {
	run                  dag.RunID
	logicalDate          time.Time
	intervalStart        time.Time
	intervalEnd          time.Time
	runAfter             time.Time
	conf                 map[string]any
	note                 string
	partitioned, unpause bool
}

func triggerParams() []param {
	return []param{
		required(nullable(moment("logical_date", "What the run is for; null is now."))),
		nullable(text("dag_run_id", "The run's id; made from the time when absent.")),
		nullable(moment("data_interval_start", "With data_interval_end.")),
		nullable(moment("data_interval_end", "With data_interval_start.")),
		nullable(moment("run_after", "Not in the future.")),
		nullable(object("conf", "Values for the container's environment.")),
		nullable(text("note", "A note.")), nullable(text("partition_key", "Not supported.")),
		truth("unpause", false, "Also un-pause the DAG."),
	}
}

func readTrigger(c echo.Context) (triggerBody, error) {
	b, err := readBody(c)
	if err != nil {
		return triggerBody{}, err
	}
	t := triggerBody{
		run: dag.RunID(b.text("dag_run_id", 0)), intervalStart: b.time("data_interval_start"),
		intervalEnd: b.time("data_interval_end"),
	}
	b.require("logical_date") // may be null, must be there
	t.logicalDate, t.runAfter = b.time("logical_date"), b.time("run_after")
	t.conf, t.note = b.object("conf"), b.text("note", 0)
	t.partitioned = b.text("partition_key", 0) != ""
	t.unpause = b.boolean("unpause")
	if len(b.faults) == 0 && t.intervalStart.IsZero() != t.intervalEnd.IsZero() {
		b.faults = append(b.faults, fieldError{
			Type: "value_error", Loc: []any{"body"}, Input: b.fields,
			Msg: "Value error, Either both data_interval_start and data_interval_end must be provided or both must be None",
		})
	}
	return t, b.err()
}

// triggerRun asks for a manual run.
func (s *server) triggerRun(c echo.Context) error {
	ctx := c.Request().Context()
	if err := readQuery(c).err(); err != nil {
		return err
	}
	t, err := readTrigger(c)
	if err != nil {
		return err
	}
	id := dagID(c)
	row, err := s.Store.DAG(ctx, id)
	switch {
	case err != nil:
		return orMissing(err, "Dag with dag_id: '%s' not found", short(id))
	case row.Archived:
		return archived(id)
	}
	if err := s.checkTrigger(row.DAG, t); err != nil {
		return err
	}
	if t.unpause {
		if err := s.Allow(c, dag.RightPause, id); err != nil {
			return err
		}
	}
	interval, err := s.interval(row.DAG.Schedule, t)
	if err != nil {
		return err
	}
	if t.run == "" && !t.runAfter.IsZero() {
		t.run = dag.ManualRunID(t.runAfter)
	}
	run, err := s.Store.TriggerRun(ctx, store.Trigger{
		DAG: id, Run: t.run, LogicalDate: t.logicalDate, Interval: interval,
		Conf: t.conf, Note: t.note, Unpause: t.unpause, By: s.actor(c),
	})
	if errors.Is(err, dag.ErrConflict) {
		return duplicate(err)
	}
	if err != nil {
		return err
	}
	return s.answerRun(c, run)
}

// archived is the answer to who wants runs of a DAG without a file: as of one that is not
// there, in the store's words.
func archived(id dag.ID) error {
	p, _ := asProblem(store.ErrArchived(id))
	return refuse(http.StatusNotFound, "%v", p.detail)
}

// duplicate is Airflow's answer to a run that exists already, with the reason
// in words as message.
func duplicate(err error) error {
	p, _ := asProblem(err)
	return &problem{http.StatusConflict, map[string]any{
		"reason": "Unique constraint violation", "statement": "hidden", "orig_error": "hidden", "message": p.detail,
	}}
}

// checkTrigger refuses what dagwright cannot do, values that break the schema of
// their param, and a conf that lacks one. The store checks the conf's keys.
func (s *server) checkTrigger(d *dag.DAG, t triggerBody) error {
	if t.partitioned {
		return refuse(http.StatusBadRequest, "Dag with dag_id: '%s' is not partitioned; partition_key is not supported.",
			d.ID)
	}
	if t.runAfter.After(s.Now()) {
		return refuse(http.StatusBadRequest, "A run_after in the future is not supported: the run starts as soon as it can")
	}
	return dag.CheckParams(d.Params, t.conf)
}

// interval is the run's data interval: what the caller said, else what the
// timetable says for the logical date.
func (s *server) interval(schedule dag.Schedule, t triggerBody) (dag.DataInterval, error) {
	if !t.intervalStart.IsZero() {
		return dag.DataInterval{Start: t.intervalStart, End: t.intervalEnd}, nil
	}
	if schedule.Kind != dag.ScheduleCronInterval && schedule.Interval == 0 {
		return dag.DataInterval{}, nil // of no length, at the logical date that the store settles
	}
	tt, err := timetable.Parse(schedule)
	if err != nil {
		return dag.DataInterval{}, err
	}
	if t.logicalDate.IsZero() {
		return tt.Manual(s.Now()), nil
	}
	return tt.Manual(t.logicalDate), nil
}
