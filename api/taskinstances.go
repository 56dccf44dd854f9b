package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/reason"
)

// tryAnswer is Airflow's TaskInstanceHistoryResponse, and the reason of the
// state.
type tryAnswer struct {
	Task           dag.TaskID     `json:"task_id"`
	DAG            dag.ID         `json:"dag_id"`
	Run            dag.RunID      `json:"dag_run_id"`
	MapIndex       int            `json:"map_index"`
	StartedAt      timestamp      `json:"start_date"`
	EndedAt        timestamp      `json:"end_date"`
	Duration       *float64       `json:"duration"`
	State          *dag.TaskState `json:"state"`
	Try            int            `json:"try_number"`
	MaxTries       int            `json:"max_tries"`
	TaskName       string         `json:"task_display_name"`
	DisplayName    string         `json:"dag_display_name"`
	Hostname       string         `json:"hostname"`
	UnixName       *string        `json:"unixname"`
	Pool           string         `json:"pool"`
	PoolSlots      int            `json:"pool_slots"`
	Queue          string         `json:"queue"`
	PriorityWeight int            `json:"priority_weight"`
	Operator       string         `json:"operator"`
	OperatorName   string         `json:"operator_name"`
	QueuedAt       timestamp      `json:"queued_when"`
	ScheduledAt    timestamp      `json:"scheduled_when"`
	PID            *int           `json:"pid"`
	Executor       *string        `json:"executor"`
	ExecutorConfig string         `json:"executor_config"`
	Version        versionAnswer  `json:"dag_version"`
	reasonAnswer
}

// instanceAnswer is Airflow's TaskInstanceResponse, and the reason of the
// state.
type instanceAnswer struct {
	tryAnswer
	ID               string         `json:"id"`
	LogicalDate      timestamp      `json:"logical_date"`
	RunAfter         timestamp      `json:"run_after"`
	Note             *string        `json:"note"`
	RenderedMapIndex *string        `json:"rendered_map_index"`
	RenderedFields   map[string]any `json:"rendered_fields"`
	Trigger          *struct{}      `json:"trigger"`
	TriggererJob     *struct{}      `json:"triggerer_job"`
}

// runContext is what the answers about a run's task instances share.
type runContext struct {
	run     dag.Run
	spec    *dag.DAG
	version versionAnswer
	weights map[dag.TaskID]int
	empty   map[dag.TaskID]bool // tasks that run nothing
}

func (s *server) loadRunContext(c echo.Context) (runContext, error) {
	run, err := s.loadRun(c)
	if err != nil {
		return runContext{}, err
	}
	return newRunContext(c.Request().Context(), s.newVersions(), run)
}

func newRunContext(ctx context.Context, known *versions, run dag.Run) (runContext, error) {
	v, err := known.of(ctx, run)
	if err != nil {
		return runContext{}, err
	}
	empty := map[dag.TaskID]bool{}
	for i := range v.Spec.Tasks {
		if v.Spec.Tasks[i].Empty() {
			empty[v.Spec.Tasks[i].ID] = true
		}
	}
	return runContext{run, v.Spec, newVersionAnswer(v, displayName(v.Spec)), totalWeights(v.Spec), empty}, nil
}

// instanceAnswers shows task instances of several runs.
func (s *server) instanceAnswers(ctx context.Context, tasks []dag.TaskInstance) ([]instanceAnswer, error) {
	type key struct {
		dag dag.ID
		run dag.RunID
	}
	known, runs := s.newVersions(), map[key]runContext{}
	answers := []instanceAnswer{}
	for _, ti := range tasks {
		r, ok := runs[key{ti.DAG, ti.Run}]
		if !ok {
			run, err := s.Store.Run(ctx, ti.DAG, ti.Run)
			if err != nil {
				return nil, err
			}
			if r, err = newRunContext(ctx, known, run); err != nil {
				return nil, err
			}
			runs[key{ti.DAG, ti.Run}] = r
		}
		answers = append(answers, r.instance(ti))
	}
	return answers, nil
}

// totalWeights adds to each task's priority weight those of all tasks behind
// it (Airflow's weight rule "downstream").
func totalWeights(d *dag.DAG) map[dag.TaskID]int {
	next := map[dag.TaskID][]dag.TaskID{}
	own := map[dag.TaskID]int{}
	for i := range d.Tasks {
		t := &d.Tasks[i]
		own[t.ID] = t.PriorityWeight
		for _, up := range t.Upstream {
			next[up] = append(next[up], t.ID)
		}
	}
	totals := make(map[dag.TaskID]int, len(own))
	for id := range own {
		seen := map[dag.TaskID]bool{id: true}
		for open := []dag.TaskID{id}; len(open) > 0; {
			at := open[len(open)-1]
			open = open[:len(open)-1]
			totals[id] += own[at]
			for _, n := range next[at] {
				if !seen[n] {
					seen[n] = true
					open = append(open, n)
				}
			}
		}
	}
	return totals
}

func (r runContext) try(t dag.TaskInstance) tryAnswer {
	answer := tryAnswer{
		Task: t.Task, DAG: t.DAG, Run: t.Run, MapIndex: -1,
		StartedAt: timestamp(t.StartedAt), EndedAt: timestamp(t.EndedAt), Duration: seconds(t.StartedAt, t.EndedAt),
		State: orNull(t.State), Try: t.Try, MaxTries: max(0, t.MostTries()-1),
		TaskName: string(t.Task), DisplayName: displayName(r.spec), Hostname: t.Hostname,
		Pool: "default_pool", PoolSlots: 1, Queue: "default", PriorityWeight: r.weights[t.Task],
		Operator: r.operator(t.Task), OperatorName: r.operator(t.Task),
		QueuedAt: timestamp(t.QueuedAt), ScheduledAt: timestamp(t.QueuedAt), ExecutorConfig: "{}",
		Version: r.version, reasonAnswer: newReasonAnswer(t.Reason),
	}
	if t.PID != 0 {
		answer.PID = &t.PID
	}
	return answer
}

// operator is the name of a task's operator.
func (r runContext) operator(id dag.TaskID) string {
	if r.empty[id] {
		_, class := operatorClass(dag.EmptyOperator)
		return class
	}
	return operatorName
}

func (r runContext) instance(t dag.TaskInstance) instanceAnswer {
	return instanceAnswer{
		tryAnswer: r.try(t), ID: uuid("task_instance", string(t.DAG), string(t.Run), string(t.Task)),
		LogicalDate: timestamp(r.run.LogicalDate), RunAfter: timestamp(r.run.RunAfter), RenderedFields: map[string]any{},
	}
}

type instanceList struct {
	Instances      []instanceAnswer `json:"task_instances"`
	Total          int              `json:"total_entries"`
	TotalLimit     *int             `json:"total_entries_limit"`
	NextCursor     *string          `json:"next_cursor"`
	PreviousCursor *string          `json:"previous_cursor"`
}

// tryList is Airflow's TaskInstanceHistoryCollectionResponse.
type tryList struct {
	Instances []tryAnswer `json:"task_instances"`
	Total     int         `json:"total_entries"`
}

// dependencyAnswer is Airflow's TaskDependencyResponse.
type dependencyAnswer struct {
	Name       string      `json:"name"`
	Reason     string      `json:"reason"`
	ReasonCode reason.Code `json:"reason_code"`
	ReasonArgs []any       `json:"reason_args"`
}

type dependencyList struct {
	Dependencies []dependencyAnswer `json:"dependencies"`
}

func (s *server) instanceRoutes() []route {
	index := []param{integer("map_index", "-1: no task is mapped here.")}
	return []route{
		{http.MethodGet, runPath + "/taskInstances", dag.RightRead, s.listTaskInstances, operation{
			id: "get_task_instances", tag: "Task Instance", summary: "List the task instances of a run, or of all runs (~).",
			answer: instanceList{}, query: instanceParams(),
		}},
		{http.MethodPost, runPath + "/taskInstances/list", dag.RightRead, s.listInstancesBatch, operation{
			id: "get_task_instances_batch", tag: "Task Instance",
			summary: "List the task instances of several runs; DAG and run in the path are ~.", answer: instanceList{},
			body: instanceBatchParams(),
		}},
		{http.MethodGet, taskPath, dag.RightRead, s.getTaskInstance,
			operation{id: "get_task_instance", tag: "Task Instance", summary: "Read a task instance.",
				answer: instanceAnswer{}}},
		{http.MethodGet, taskPath + "/dependencies", dag.RightRead, s.listDependencies, operation{
			id: "get_task_instance_dependencies", tag: "Task Instance", summary: "Say why a task instance has not started.",
			answer: dependencyList{}, query: index,
		}},
		{http.MethodGet, taskPath + "/tries", dag.RightRead, s.listTries, operation{
			id: "get_task_instance_tries", tag: "Task Instance", summary: "List the tries of a task instance.",
			answer: tryList{}, query: index,
		}},
		{http.MethodGet, taskPath + "/tries/:try_number", dag.RightRead, s.getTry, operation{
			id: "get_task_instance_try_details", tag: "Task Instance", summary: "Read a try of a task instance.",
			answer: tryAnswer{}, query: index,
		}},
	}
}

// listDependencies says why a task instance waits; it waits for nothing once it
// was handed to the executor.
func (s *server) listDependencies(c echo.Context) error {
	if err := readMapIndex(readQuery(c)); err != nil {
		return err
	}
	t, err := s.Store.TaskInstance(c.Request().Context(), dagID(c), runID(c), taskID(c))
	if err != nil {
		return orMissing(err,
			"The Task Instance with dag_id: `%s`, run_id: `%s`, task_id: `%s` and map_index: `-1` was not found",
			short(dagID(c)), short(runID(c)), short(taskID(c)))
	}
	answer := dependencyList{[]dependencyAnswer{}}
	if t.State == dag.TaskNone && !t.Reason.IsZero() {
		run, err := s.loadRun(c)
		if err != nil {
			return err
		}
		name := "Trigger Rule"
		if run.State == dag.RunQueued {
			name = "Dagrun Running"
		}
		answer.Dependencies = append(answer.Dependencies,
			dependencyAnswer{name, t.Reason.String(), t.Reason.Code, t.Reason.Arguments()})
	}
	return c.JSON(http.StatusOK, answer)
}

func (s *server) getTaskInstance(c echo.Context) error {
	if err := readQuery(c).err(); err != nil {
		return err
	}
	t, err := s.Store.TaskInstance(c.Request().Context(), dagID(c), runID(c), taskID(c))
	if err != nil {
		return orMissing(err, "The Task Instance with dag_id: `%s`, run_id: `%s` and task_id: `%s` was not found",
			short(dagID(c)), short(runID(c)), short(taskID(c)))
	}
	r, err := s.loadRunContext(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, r.instance(t))
}

// readMapIndex takes the parameter that Airflow has for mapped tasks: here no
// task is, and -1 says so.
func readMapIndex(q *query) error {
	if index, ok := q.text("map_index"); ok && index != "-1" {
		q.refuse(http.StatusNotFound, "No task is mapped here: map_index %s was not found", short(index))
	}
	return q.err()
}

// tries returns the tries of the path's task instance, first to last.
func (s *server) tries(ctx context.Context, c echo.Context) ([]dag.TaskInstance, error) {
	tries, err := s.Store.Tries(ctx, dagID(c), runID(c), taskID(c))
	if err == nil && len(tries) == 0 {
		err = dag.ErrNotFound
	}
	return tries, orMissing(err,
		"The Task Instance with dag_id: `%s`, run_id: `%s`, task_id: `%s` and map_index: `-1` was not found",
		short(dagID(c)), short(runID(c)), short(taskID(c)))
}

func (s *server) listTries(c echo.Context) error {
	if err := readMapIndex(readQuery(c)); err != nil {
		return err
	}
	tries, err := s.tries(c.Request().Context(), c)
	if err != nil {
		return err
	}
	r, err := s.loadRunContext(c)
	if err != nil {
		return err
	}
	answers := make([]tryAnswer, len(tries))
	for i, t := range tries {
		answers[i] = r.try(t)
	}
	return c.JSON(http.StatusOK, tryList{answers, len(answers)})
}

// loadTry reads the try of the path.
func (s *server) loadTry(c echo.Context) (dag.TaskInstance, error) {
	n, err := number(c, "try_number")
	if err != nil {
		return dag.TaskInstance{}, err
	}
	tries, err := s.Store.Tries(c.Request().Context(), dagID(c), runID(c), taskID(c))
	if err != nil {
		return dag.TaskInstance{}, err
	}
	i := slices.IndexFunc(tries, func(t dag.TaskInstance) bool { return t.Try == n })
	if i < 0 {
		return dag.TaskInstance{}, fmt.Errorf("try %d: %w", n, dag.ErrNotFound)
	}
	return tries[i], nil
}

func (s *server) getTry(c echo.Context) error {
	if err := readMapIndex(readQuery(c)); err != nil {
		return err
	}
	t, err := s.loadTry(c)
	if err != nil {
		return orMissing(err,
			"The Task Instance with dag_id: `%s`, run_id: `%s`, task_id: `%s`, try_number: `%s` and map_index: `-1` was not found",
			short(dagID(c)), short(runID(c)), short(taskID(c)), short(c.Param("try_number")))
	}
	r, err := s.loadRunContext(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, r.try(t))
}
