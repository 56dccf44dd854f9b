package api

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
)

// operatorName is the operator of every task but those that run nothing.
const operatorName = "KubernetesPodOperator"

// taskAnswer is Airflow's TaskResponse.
type taskAnswer struct {
	Task              dag.TaskID        `json:"task_id"`
	DisplayName       string            `json:"task_display_name"`
	Owner             string            `json:"owner"`
	StartDate         timestamp         `json:"start_date"`
	EndDate           timestamp         `json:"end_date"`
	TriggerRule       dag.TriggerRule   `json:"trigger_rule"`
	DependsOnPast     bool              `json:"depends_on_past"`
	WaitForDownstream bool              `json:"wait_for_downstream"`
	Retries           int               `json:"retries"`
	Queue             string            `json:"queue"`
	Pool              string            `json:"pool"`
	PoolSlots         int               `json:"pool_slots"`
	ExecutionTimeout  *timeDelta        `json:"execution_timeout"`
	RetryDelay        timeDelta         `json:"retry_delay"`
	RetryBackoff      float64           `json:"retry_exponential_backoff"`
	PriorityWeight    int               `json:"priority_weight"`
	WeightRule        string            `json:"weight_rule"`
	Color             string            `json:"ui_color"`
	TextColor         string            `json:"ui_fgcolor"`
	TemplateFields    []string          `json:"template_fields"`
	Downstream        []dag.TaskID      `json:"downstream_task_ids"`
	DocMD             *string           `json:"doc_md"`
	Operator          string            `json:"operator_name"`
	Params            map[string]any    `json:"params"`
	Class             map[string]string `json:"class_ref"`
	Mapped            bool              `json:"is_mapped"`
	ExtraLinks        []string          `json:"extra_links"`
}

// templateFields are KubernetesPodOperator's.
var templateFields = []string{
	"image", "name", "hostname", "cmds", "annotations", "arguments", "env_vars", "labels", "config_file",
	"pod_template_file", "pod_template_dict", "container_resources", "volumes", "volume_mounts", "env_from",
	"configmaps", "node_selector", "namespace",
}

func newTaskAnswer(d *dag.DAG, t *dag.Task) taskAnswer {
	module, class := operatorClass(t.Operator)
	answer := taskAnswer{
		Task: t.ID, DisplayName: string(t.ID), Owner: cmp.Or(t.Owner, d.Owner, "airflow"),
		StartDate: timestamp(d.StartDate), EndDate: timestamp(d.EndDate),
		TriggerRule: t.TriggerRule,
		Retries:     t.Retries, Queue: "default", Pool: "default_pool", PoolSlots: 1,
		RetryDelay: newTimeDelta(t.RetryDelay), RetryBackoff: t.RetryBackoff,
		PriorityWeight: t.PriorityWeight, WeightRule: "downstream", Color: "#fff", TextColor: "#000",
		TemplateFields: templateFields, Downstream: downstream(d, t.ID), DocMD: orNull(t.DocMD),
		Operator: class, Params: paramAnswers(d), ExtraLinks: []string{},
		Class: map[string]string{"module_path": module, "class_name": class},
	}
	if t.ExecutionTimeout > 0 {
		limit := newTimeDelta(t.ExecutionTimeout)
		answer.ExecutionTimeout = &limit
	}
	return answer
}

// operatorClass splits an operator's name into module and class.
func operatorClass(operator string) (module, class string) {
	i := strings.LastIndexByte(operator, '.')
	if i < 0 {
		return "", cmp.Or(operator, operatorName)
	}
	return operator[:i], operator[i+1:]
}

// downstream lists the tasks that wait for a task.
func downstream(d *dag.DAG, id dag.TaskID) []dag.TaskID {
	ids := []dag.TaskID{}
	for i := range d.Tasks {
		if slices.Contains(d.Tasks[i].Upstream, id) {
			ids = append(ids, d.Tasks[i].ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// taskOrders are the fields by which tasks can be listed.
var taskOrders = map[string]func(a, b taskAnswer) int{
	"task_id":         func(a, b taskAnswer) int { return cmp.Compare(a.Task, b.Task) },
	"owner":           func(a, b taskAnswer) int { return cmp.Compare(a.Owner, b.Owner) },
	"trigger_rule":    func(a, b taskAnswer) int { return cmp.Compare(a.TriggerRule, b.TriggerRule) },
	"retries":         func(a, b taskAnswer) int { return cmp.Compare(a.Retries, b.Retries) },
	"priority_weight": func(a, b taskAnswer) int { return cmp.Compare(a.PriorityWeight, b.PriorityWeight) },
}

type taskList struct {
	Tasks []taskAnswer `json:"tasks"`
	Total int          `json:"total_entries"`
}

func (s *server) taskRoutes() []route {
	return []route{
		{http.MethodGet, "/dags/:dag_id/tasks", dag.RightRead, s.listTasks, operation{
			id: "get_tasks", tag: "Task", summary: "List the tasks of a DAG.", answer: taskList{},
			query: []param{orderParam(orderNames(taskOrders)...)},
		}},
		{http.MethodGet, "/dags/:dag_id/tasks/:task_id", dag.RightRead, s.getTask,
			operation{id: "get_task", tag: "Task", summary: "Read a task.", answer: taskAnswer{}}},
	}
}

func (s *server) listTasks(c echo.Context) error {
	q := readQuery(c)
	compare := readSort(q, "task_id", taskOrders)
	if err := q.err(); err != nil {
		return err
	}
	row, err := s.findDAG(c.Request().Context(), dagID(c))
	if err != nil {
		return err
	}
	tasks := make([]taskAnswer, len(row.Tasks))
	for i := range row.Tasks {
		tasks[i] = newTaskAnswer(row.DAG, &row.Tasks[i])
	}
	slices.SortStableFunc(tasks, compare)
	return c.JSON(http.StatusOK, taskList{tasks, len(tasks)})
}

func (s *server) getTask(c echo.Context) error {
	row, err := s.loadDAG(c)
	if err != nil {
		return err
	}
	task, ok := row.Task(taskID(c))
	if !ok {
		return refuse(http.StatusNotFound, "Task with id %s was not found", short(taskID(c)))
	}
	return c.JSON(http.StatusOK, newTaskAnswer(row.DAG, task))
}

// readSort reads order_by for what is sorted here and not in the store.
func readSort[T any](q *query, whenAbsent string, orders map[string]func(a, b T) int) func(a, b T) int {
	names := map[string]string{}
	for name := range orders {
		names[name] = name
	}
	order := q.order(whenAbsent, names)
	compare := orders[strings.TrimPrefix(order, "-")]
	if strings.HasPrefix(order, "-") {
		return func(a, b T) int { return compare(b, a) }
	}
	return compare
}

// page cuts a page out of a list.
func page[T any](all []T, limit, offset int) []T {
	all = all[min(offset, len(all)):]
	return all[:min(limit, len(all))]
}
