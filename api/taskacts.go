package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// maxActRuns bounds how many runs one act may be about.
const maxActRuns = 1000

func (s *server) taskActRoutes() []route {
	relatives := []param{
		truth("include_upstream", false, "Also everything that comes before."),
		truth("include_downstream", false, "Also everything that comes after."),
		truth("include_past", false, "Also in earlier runs, by logical date."),
		truth("include_future", false, "Also in later runs, by logical date."),
		nullable(text("note", "Not supported: task instances have no notes.")),
	}
	mark := join([]param{nullable(choice("new_state", "The state to set.", "success", "failed", "skipped"))}, relatives)
	query := []param{integer("map_index", "-1: no task is mapped here."),
		many(choice("update_mask", "The fields to change.", "new_state", "note"))}
	return []route{
		{http.MethodPost, "/dags/:dag_id/clearTaskInstances", dag.RightClear, s.clearTasks, operation{
			id: "post_clear_task_instances", tag: "Task Instance", summary: "Have tasks run once more.", answer: instanceList{},
			body: join(relatives, []param{
				truth("dry_run", true, "Only say which task instances it would be."),
				nullable(text("dag_run_id", "The run; all runs between start_date and end_date when absent.")),
				nullable(moment("start_date", "The first logical date.")), nullable(moment("end_date", "The last logical date.")),
				truth("only_failed", true, "Task instances that failed."), truth("only_running", false, "Task instances that run."),
				truth("reset_dag_runs", true, "Have runs that have ended go on; false is refused for them."),
				nullable(many(param{name: "task_ids", schema: schema{},
					about: "Tasks, each a text or a list of the text and -1; all when absent."})),
				nullable(truth("run_on_latest_version", false, "Not supported: a run keeps the version of its DAG.")),
				truth("prevent_running_task", false, "Refuse when a task instance is active."),
			}),
		}},
		{http.MethodPatch, taskPath, dag.RightMarkTask, s.markTask, operation{
			id: "patch_task_instance", tag: "Task Instance", summary: "End a task instance by hand.", answer: instanceList{},
			query: query, body: mark,
		}},
		{http.MethodPatch, taskPath + "/dry_run", dag.RightMarkTask, s.tryMarkTask, operation{
			id: "patch_task_instance_dry_run", tag: "Task Instance", summary: "Say which task instances would be ended.",
			answer: instanceList{}, query: query, body: mark,
		}},
	}
}

// clearBody is Airflow's ClearTaskInstancesBody.
type clearBody struct {
	store.Clear
	dry, past, future, reset, latest bool
	run                              dag.RunID
	from, to                         time.Time
}

func readClear(c echo.Context) (clearBody, error) {
	b, err := readBody(c)
	if err != nil {
		return clearBody{}, err
	}
	r := clearBody{
		Clear: store.Clear{
			Upstream: b.boolean("include_upstream"), Downstream: b.boolean("include_downstream"),
			OnlyFailed: b.flag("only_failed", true), OnlyRunning: b.boolean("only_running"),
			KeepActive: b.boolean("prevent_running_task"),
		},
		dry: b.flag("dry_run", true), past: b.boolean("include_past"), future: b.boolean("include_future"),
		reset: b.flag("reset_dag_runs", true), latest: b.orNull("run_on_latest_version"),
		run: dag.RunID(b.text("dag_run_id", 0)), from: b.time("start_date"), to: b.time("end_date"),
	}
	r.Tasks = readTaskMarkers(b)
	note := b.text("note", dag.MaxNote)
	if len(b.faults) == 0 {
		r.checkMeaning(b)
	}
	if err := cmp.Or(b.err(), readQuery(c).err()); err != nil {
		return r, err
	}
	if r.latest {
		return r, errOtherVersion()
	}
	return r, refuseNote(note)
}

// checkMeaning finds the contradictions that Airflow finds.
func (r clearBody) checkMeaning(b *body) {
	_, named := b.fields["only_failed"]
	switch {
	case named && r.OnlyFailed && r.OnlyRunning:
		b.meaning("only_failed and only_running both are set to True")
	case !r.from.IsZero() && !r.to.IsZero() && r.from.After(r.to):
		b.meaning("end_date is sooner than start_date")
	case r.run != "" && !r.from.IsZero() && !r.to.IsZero():
		b.meaning("Exactly one of dag_run_id or (start_date and end_date) must be provided")
	case r.run != "" && !r.from.IsZero():
		b.meaning("Exactly one of dag_run_id or start_date must be provided")
	case r.run != "" && !r.to.IsZero():
		b.meaning("Exactly one of dag_run_id or end_date must be provided")
	case r.Tasks != nil && len(r.Tasks) == 0:
		b.meaning("task_ids list should have at least 1 element.")
	}
}

// readTaskMarkers takes the list of tasks, in which a task may stand with its
// map index.
func readTaskMarkers(b *body) []dag.TaskID {
	v, ok := b.take("task_ids")
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		b.fault("list_type", "Input should be a valid list", v, "task_ids")
		return nil
	}
	tasks := []dag.TaskID{}
	for i, e := range list {
		if pair, ok := e.([]any); ok && len(pair) == 2 && pair[1] == -1 {
			e = pair[0]
		}
		name, ok := e.(string)
		if !ok || !storable(name) {
			b.faults = append(b.faults, fieldError{
				Type: "string_type", Loc: []any{"body", "task_ids", i}, Input: e,
				Msg: "Input should be a valid string, or a list of it and -1: no task is mapped here",
			})
		}
		tasks = append(tasks, dag.TaskID(name))
	}
	return tasks
}

// refuseNote refuses a note on task instances, which dagwright does not keep.
func refuseNote(note string) error {
	if note == "" {
		return nil
	}
	return refuse(http.StatusBadRequest, "Notes on task instances are not supported; a run can have one")
}

// clearTasks makes tasks of one run, or of the runs in a range, run again.
func (s *server) clearTasks(c echo.Context) error {
	ctx := c.Request().Context()
	r, err := readClear(c)
	if err != nil {
		return err
	}
	row, err := s.findDAG(ctx, dagID(c))
	if err != nil {
		return err
	}
	r.DAG, r.By = row.ID, s.actor(c)
	if r.run == "" || r.past || r.future {
		r.Range = fmt.Sprint(r.run, r.from, r.to, r.past, r.future)
	}
	runs, err := s.clearRuns(ctx, r)
	if err != nil {
		return err
	}
	names := runIDs(runs)
	if r.dry {
		chosen, err := s.Store.ClearChoice(ctx, r.Clear, names)
		if err != nil {
			return missingTask(err, r.DAG)
		}
		return s.answerList(c, ctx, chosen, len(chosen))
	}
	repeated, err := s.Store.Acted(ctx, r.By)
	if err != nil {
		return err
	}
	ended := func(run dag.Run) bool { return run.State.Ended() }
	if !repeated && !r.reset && slices.ContainsFunc(runs, ended) {
		return refuse(http.StatusBadRequest,
			"reset_dag_runs false is not supported for a run that has ended: its cleared tasks would never run")
	}
	cleared, err := s.Store.ClearRuns(ctx, r.Clear, names)
	if err != nil {
		return missingTask(err, r.DAG)
	}
	return s.answerList(c, ctx, cleared, len(cleared))
}

func missingTask(err error, id dag.ID) error {
	if errors.Is(err, dag.ErrNotFound) {
		p, _ := asProblem(err)
		return refuse(http.StatusNotFound, "Task not found in Dag '%s': %v", id, p.detail)
	}
	return err
}

// clearRuns are the runs that a clear is about.
func (s *server) clearRuns(ctx context.Context, r clearBody) ([]dag.Run, error) {
	if r.run == "" {
		from, to := r.from, r.to
		if r.past {
			from = time.Time{}
		}
		if r.future {
			to = time.Time{}
		}
		return s.runsBetween(ctx, r.DAG, from, to)
	}
	run, err := s.Store.Run(ctx, r.DAG, r.run)
	if err != nil {
		return nil, orMissing(err, "Dag Run id %s not found in dag %s", short(r.run), r.DAG)
	}
	return s.withNeighbours(ctx, run, r.past, r.future)
}

// withNeighbours is a run, and the earlier or later runs of its DAG.
func (s *server) withNeighbours(ctx context.Context, run dag.Run, past, future bool) ([]dag.Run, error) {
	if !past && !future {
		return []dag.Run{run}, nil
	}
	from, to := run.LogicalDate, run.LogicalDate
	if past {
		from = time.Time{}
	}
	if future {
		to = time.Time{}
	}
	return s.runsBetween(ctx, run.DAG, from, to)
}

// runsBetween lists the runs of a DAG by logical date; zero times mean no bounds.
func (s *server) runsBetween(ctx context.Context, id dag.ID, from, to time.Time) ([]dag.Run, error) {
	runs, _, err := s.Store.Runs(ctx,
		store.RunFilter{DAG: id, LogicalFrom: from, LogicalTo: to, OrderBy: "logical_date", Limit: maxActRuns + 1})
	if err != nil {
		return nil, err
	}
	if len(runs) > maxActRuns {
		return nil, refuse(http.StatusBadRequest, "This is about more than %d runs; name a run or a shorter range",
			maxActRuns)
	}
	return runs, nil
}

func runIDs(runs []dag.Run) []dag.RunID {
	ids := make([]dag.RunID, len(runs))
	for i, r := range runs {
		ids[i] = r.ID
	}
	return ids
}

// readMark reads the body and the query of a mark.
func (s *server) readMark(c echo.Context) (store.Mark, error) {
	q := readQuery(c)
	mask := updateMask(q, "new_state", "note")
	b, err := readBody(c)
	if err != nil {
		return store.Mark{}, err
	}
	m := store.Mark{Task: taskID(c), Upstream: b.boolean("include_upstream"), Downstream: b.boolean("include_downstream"),
		By: s.actor(c)}
	past, future := b.boolean("include_past"), b.boolean("include_future")
	m.State = readNewState(b)
	note := b.text("note", dag.MaxNote)
	if err := cmp.Or(b.err(), readMapIndex(q), refuseNote(note)); err != nil {
		return m, err
	}
	if len(mask) > 0 && !slices.Contains(mask, "new_state") {
		m.State = ""
	}
	ctx := c.Request().Context()
	row, err := s.findDAG(ctx, dagID(c))
	if err != nil {
		return m, err
	}
	m.DAG = row.ID
	if _, ok := row.Task(m.Task); !ok {
		return m, refuse(http.StatusNotFound, "Task '%s' not found in Dag '%s'", short(m.Task), row.ID)
	}
	run, err := s.loadInstanceRun(c)
	if err != nil {
		return m, err
	}
	runs, err := s.withNeighbours(ctx, run, past, future)
	m.Runs = runIDs(runs)
	if past || future {
		m.Range = fmt.Sprint(run.ID, past, future)
	}
	return m, err
}

// readNewState takes the state as Airflow does, in any case.
func readNewState(b *body) dag.TaskState {
	v, ok := b.take("new_state")
	if !ok && !b.has("new_state") {
		return ""
	}
	name, _ := v.(string)
	for _, state := range []dag.TaskState{dag.TaskSuccess, dag.TaskFailed, dag.TaskSkipped} {
		if strings.EqualFold(name, string(state)) {
			return state
		}
	}
	msg := "Value error, '" + short(name) + "' is not one of ['success', 'failed', 'skipped']"
	if v == nil {
		msg = "Value error, 'new_state' should not be empty"
	}
	b.faults = append(b.faults, fieldError{
		Type: "value_error", Loc: []any{"body", "new_state"}, Input: v, Msg: msg,
		Ctx: map[string]any{"error": map[string]any{}},
	})
	return ""
}

// loadInstanceRun reads the run of the path's task instance.
func (s *server) loadInstanceRun(c echo.Context) (dag.Run, error) {
	if _, err := s.Store.TaskInstance(c.Request().Context(), dagID(c), runID(c), taskID(c)); err != nil {
		return dag.Run{}, orMissing(err,
			"The Task Instance with dag_id: `%s`, run_id: `%s`, task_id: `%s` and map_index: `-1` was not found",
			short(dagID(c)), short(runID(c)), short(taskID(c)))
	}
	return s.loadRun(c)
}

// markTask ends a task instance by hand, and its relatives when it is asked to.
// An active one is stopped first: it keeps its state until then.
func (s *server) markTask(c echo.Context) error {
	m, err := s.readMark(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	if m.State == "" {
		return s.answerUnmarked(c, m)
	}
	marked, err := s.Store.MarkTasks(ctx, m)
	switch {
	case errors.Is(err, store.ErrMarked):
		return refuse(http.StatusConflict, "Task id %s is already in %s state", m.Task, m.State)
	case err != nil:
		return err
	}
	return s.answerList(c, ctx, marked, len(marked))
}

// tryMarkTask says what markTask would do.
func (s *server) tryMarkTask(c echo.Context) error {
	m, err := s.readMark(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	if m.State == "" {
		return s.answerUnmarked(c, m)
	}
	chosen, err := s.Store.MarkChoice(ctx, m)
	if err != nil {
		return err
	}
	return s.answerList(c, ctx, chosen, len(chosen))
}

// answerUnmarked answers a mark without a state, which changes nothing.
func (s *server) answerUnmarked(c echo.Context, m store.Mark) error {
	ctx := c.Request().Context()
	t, err := s.Store.TaskInstance(ctx, m.DAG, runID(c), m.Task)
	if err != nil {
		return err
	}
	return s.answerList(c, ctx, []dag.TaskInstance{t}, 1)
}
