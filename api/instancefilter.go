package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// instanceOrders translates Airflow's names for order_by into the store's.
var instanceOrders = map[string]string{
	"map_index": "id", "id": "id", "task_id": "task_id", "state": "state", "start_date": "start_date",
	"end_date": "end_date",
	"duration": "duration", "try_number": "try_number", "logical_date": "logical_date", "run_after": "run_after",
}

// taskStates are those that Airflow knows, and its names for none.
var taskStates = []string{
	"removed", "scheduled", "queued", "running", "success", "restarting", "failed", "up_for_retry", "up_for_reschedule",
	"upstream_failed", "skipped", "deferred", "awaiting_input",
}

// noStates are Airflow's names for no state.
var noStates = []string{"none", "no_status"}

func taskState(name string) dag.TaskState {
	if name == "none" || name == "no_status" {
		return dag.TaskNone
	}
	return dag.TaskState(name)
}

// instanceParams are the parameters that readTaskFilter reads.
func instanceParams() []param {
	return join(pageParams(orderNames(instanceOrders)...), runBounds(moment), []param{
		text("task_id", "Only this task."),
		many(choice("state", "States of which the task instance has one.", slices.Concat(taskStates, noStates)...)),
		many(integer("try_number", "Tries of which the task instance is at one.")),
		many(integer("version_number", "Versions of the DAG of which the run has one.")),
		text("dag_id_pattern", "A part of the DAG's id, any case."),
		text("dag_id_prefix_pattern", "How the DAG's id begins."),
		text("run_id_pattern", "A part of the run's id, any case."),
		text("run_id_prefix_pattern", "How the run's id begins."),
		many(integer("map_index", "-1: no task is mapped here.")),
	})
}

func readTaskFilter(q *query) store.TaskFilter {
	var f store.TaskFilter
	f.Limit, f.Offset = q.page()
	f.OrderBy = q.order("map_index", instanceOrders)
	if task := q.str("task_id"); task != "" {
		f.Tasks = []dag.TaskID{dag.TaskID(task)}
	}
	for _, state := range q.choices("state", taskStates, noStates...) {
		f.States = append(f.States, taskState(state))
	}
	f.Tries, f.Of.Versions = q.numbers("try_number"), q.numbers("version_number")
	if indexes := q.numbers("map_index"); len(indexes) > 0 && !slices.Contains(indexes, -1) {
		f.Tries = []int{-1} // no task is mapped: none has such an index
	}
	f.Of.LogicalFrom, f.Of.LogicalTo = q.between("logical_date")
	f.Of.RunAfterFrom, f.Of.RunAfterTo = q.between("run_after")
	f.StartedFrom, f.StartedTo = q.between("start_date")
	f.EndedFrom, f.EndedTo = q.between("end_date")
	f.MinDuration, f.MaxDuration = q.span("duration")
	f.Of.IDPattern, f.Of.IDPrefix = q.like("run_id_pattern"), q.str("run_id_prefix_pattern")
	f.Of.DAGPattern, f.Of.DAGPrefix = q.like("dag_id_pattern"), q.str("dag_id_prefix_pattern")
	return f
}

func (s *server) listTaskInstances(c echo.Context) error {
	q := readQuery(c)
	f := readTaskFilter(q)
	if err := q.err(); err != nil {
		return err
	}
	id, run := dagID(c), runID(c)
	if id != allDAGs && run != allDAGs {
		return s.answerRunInstances(c, f)
	}
	if id != allDAGs {
		if _, err := s.findDAG(c.Request().Context(), id); err != nil {
			return err
		}
		f.Of.DAG = id
	}
	if run != allDAGs {
		f.Runs = []dag.RunID{run}
	}
	return s.answerInstances(c, f)
}

// answerRunInstances lists the task instances of one run, also when it has not
// started; ties stay in the order of the DAG's tasks.
func (s *server) answerRunInstances(c echo.Context, f store.TaskFilter) error {
	r, err := s.loadRunContext(c)
	if err != nil {
		return err
	}
	found, err := s.Store.TaskInstances(c.Request().Context(), r.run.DAG, r.run.ID)
	if err != nil {
		return err
	}
	answers := []instanceAnswer{}
	for _, t := range found {
		if f.Keeps(t) {
			answers = append(answers, r.instance(t))
		}
	}
	sortInstances(answers, f.OrderBy)
	return c.JSON(http.StatusOK, instanceList{Instances: page(answers, f.Limit, f.Offset), Total: len(answers)})
}

// instanceComparisons are the orders in which instances of one run can differ.
var instanceComparisons = map[string]func(a, b instanceAnswer) int{
	"task_id":    func(a, b instanceAnswer) int { return cmp.Compare(a.Task, b.Task) },
	"try_number": func(a, b instanceAnswer) int { return cmp.Compare(a.Try, b.Try) },
	"state":      func(a, b instanceAnswer) int { return cmp.Compare(stateOf(a), stateOf(b)) },
	"start_date": func(a, b instanceAnswer) int { return time.Time(a.StartedAt).Compare(time.Time(b.StartedAt)) },
	"end_date":   func(a, b instanceAnswer) int { return time.Time(a.EndedAt).Compare(time.Time(b.EndedAt)) },
	"duration":   func(a, b instanceAnswer) int { return cmp.Compare(durationOf(a), durationOf(b)) },
}

func sortInstances(answers []instanceAnswer, order string) {
	name, descending := order, false
	if order != "" && order[0] == '-' {
		name, descending = order[1:], true
	}
	compare, ok := instanceComparisons[name]
	if !ok {
		return
	}
	slices.SortStableFunc(answers, func(a, b instanceAnswer) int {
		if descending {
			a, b = b, a
		}
		return compare(a, b)
	})
}

func stateOf(a instanceAnswer) dag.TaskState {
	if a.State == nil {
		return dag.TaskNone
	}
	return *a.State
}

func durationOf(a instanceAnswer) float64 {
	if a.Duration == nil {
		return 0
	}
	return *a.Duration
}

// answerInstances lists the task instances of several runs.
func (s *server) answerInstances(c echo.Context, f store.TaskFilter) error {
	ctx, limit := c.Request().Context(), f.Limit
	f.Limit = max(limit, 1)
	found, total, err := s.Store.ListTasks(ctx, f)
	if err != nil {
		return err
	}
	return s.answerList(c, ctx, page(found, limit, 0), total)
}

func (s *server) answerList(c echo.Context, ctx context.Context, tasks []dag.TaskInstance, total int) error {
	answers, err := s.instanceAnswers(ctx, tasks)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, instanceList{Instances: answers, Total: total})
}

// instanceBatchParams are the fields of the batch.
func instanceBatchParams() []param {
	maybe := func(name, about string) param { return nullable(moment(name, about)) }
	return join(batchPage(orderNames(instanceOrders)...), runBounds(maybe), []param{
		nullable(many(text("dag_ids", "Only of these DAGs."))), nullable(many(text("dag_run_ids", "Only of these runs."))),
		nullable(many(text("task_ids", "Only these tasks."))),
		nullable(many(choice("state", "States of which the task instance has one.", slices.Concat(taskStates, noStates)...))),
	})
}

func (s *server) listInstancesBatch(c echo.Context) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	f := readTaskBatch(b)
	order := b.text("order_by", 0)
	if err := b.err(); err != nil {
		return err
	}
	if f.OrderBy, err = translateOrder(order, "map_index", instanceOrders); err != nil {
		return err
	}
	if err := onlyWildcards(string(dagID(c)), string(runID(c))); err != nil {
		return err
	}
	return s.answerInstances(c, f)
}

func readTaskBatch(b *body) store.TaskFilter {
	var f store.TaskFilter
	f.Limit, f.Offset = min(b.number("page_limit", maxLimit), maxLimit), b.number("page_offset", 0)
	for _, id := range b.texts("dag_ids") {
		f.Of.DAGs = append(f.Of.DAGs, dag.ID(id))
	}
	for _, id := range b.texts("dag_run_ids") {
		f.Runs = append(f.Runs, dag.RunID(id))
	}
	for _, id := range b.texts("task_ids") {
		f.Tasks = append(f.Tasks, dag.TaskID(id))
	}
	for _, state := range b.choices("state", slices.Concat(taskStates, noStates)...) {
		f.States = append(f.States, taskState(state))
	}
	f.Of.LogicalFrom, f.Of.LogicalTo = b.between("logical_date")
	f.Of.RunAfterFrom, f.Of.RunAfterTo = b.between("run_after")
	f.StartedFrom, f.StartedTo = b.between("start_date")
	f.EndedFrom, f.EndedTo = b.between("end_date")
	f.MinDuration, f.MaxDuration = b.span("duration")
	return f
}
