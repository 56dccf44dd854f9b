package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
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
	Reason         *string        `json:"reason"`
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
}

func (s *server) loadRunContext(c echo.Context) (runContext, error) {
	run, err := s.loadRun(c)
	if err != nil {
		return runContext{}, err
	}
	v, err := s.newVersions().of(c.Request().Context(), run)
	if err != nil {
		return runContext{}, err
	}
	return runContext{run, v.Spec, newVersionAnswer(v, displayName(v.Spec)), totalWeights(v.Spec)}, nil
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
		State: orNull(t.State), Try: t.Try, MaxTries: max(0, t.MaxTries-1),
		TaskName: string(t.Task), DisplayName: displayName(r.spec), Hostname: t.Hostname,
		Pool: "default_pool", PoolSlots: 1, Queue: "default", PriorityWeight: r.weights[t.Task],
		Operator: operatorName, OperatorName: operatorName,
		QueuedAt: timestamp(t.QueuedAt), ScheduledAt: timestamp(t.QueuedAt), ExecutorConfig: "{}",
		Version: r.version, Reason: orNull(t.Reason),
	}
	if t.PID != 0 {
		answer.PID = &t.PID
	}
	return answer
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

// instanceOrders are the fields by which task instances can be listed. The
// sort is stable, so ties stay in the order of the DAG's tasks.
var instanceOrders = map[string]func(a, b instanceAnswer) int{
	"map_index":  func(a, b instanceAnswer) int { return 0 },
	"id":         func(a, b instanceAnswer) int { return 0 },
	"task_id":    func(a, b instanceAnswer) int { return cmp.Compare(a.Task, b.Task) },
	"try_number": func(a, b instanceAnswer) int { return cmp.Compare(a.Try, b.Try) },
	"state":      func(a, b instanceAnswer) int { return cmp.Compare(stateOf(a), stateOf(b)) },
	"start_date": func(a, b instanceAnswer) int { return time.Time(a.StartedAt).Compare(time.Time(b.StartedAt)) },
	"end_date":   func(a, b instanceAnswer) int { return time.Time(a.EndedAt).Compare(time.Time(b.EndedAt)) },
}

func stateOf(a instanceAnswer) dag.TaskState {
	if a.State == nil {
		return dag.TaskNone
	}
	return *a.State
}

func (s *server) listTaskInstances(c echo.Context) error {
	q := readQuery(c)
	limit, offset := q.page()
	states, task := q.list("state"), q.str("task_id")
	compare := readSort(q, "map_index", instanceOrders)
	if err := q.err(); err != nil {
		return err
	}
	if dagID(c) == allDAGs || runID(c) == allDAGs {
		return refuse(http.StatusBadRequest, "Task instances of several runs (`~`) are not supported")
	}
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
		name := cmp.Or(string(t.State), "none")
		if (len(states) == 0 || slices.Contains(states, name)) && (task == "" || task == string(t.Task)) {
			answers = append(answers, r.instance(t))
		}
	}
	slices.SortStableFunc(answers, compare)
	return c.JSON(http.StatusOK, instanceList{Instances: page(answers, limit, offset), Total: len(answers)})
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
	return tries, orMissing(err, "The Task Instance with dag_id: `%s`, run_id: `%s`, task_id: `%s` and map_index: `-1` was not found",
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
	return c.JSON(http.StatusOK, map[string]any{"task_instances": answers, "total_entries": len(answers)})
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
		return orMissing(err, "The Task Instance with dag_id: `%s`, run_id: `%s`, task_id: `%s`, try_number: `%s` and map_index: `-1` was not found",
			short(dagID(c)), short(runID(c)), short(taskID(c)), short(c.Param("try_number")))
	}
	r, err := s.loadRunContext(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, r.try(t))
}
