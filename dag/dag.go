package dag

import (
	"strings"
	"time"
)

// ID names a DAG within an instance. It obeys [CheckID].
type ID string

// TaskID names a task within its DAG, with its task groups as dotted prefix
// ("features.load"), as Airflow writes it.
type TaskID string

// RunID names a run within its DAG, "<run type>__<run after>" unless the caller
// of a manual run chose another.
type RunID string

// Source is where a generated DAG came from: the model repository's GitLab
// path, the branch, and the full commit hash. It is zero for a spec that was
// written by hand.
type Source struct {
	Project string `json:"project,omitempty"`
	Branch  string `json:"branch,omitempty"`
	Commit  string `json:"commit,omitempty"`
}

// DAG is one workflow as a spec file defines it, with every default filled in.
// Parse makes it; it is never changed afterwards and is safe to share.
type DAG struct {
	ID          ID     `json:"dag_id"`
	DisplayName string `json:"dag_display_name,omitempty"`
	Description string `json:"description,omitempty"`
	DocMD       string `json:"doc_md,omitempty"`

	Schedule Schedule `json:"schedule"`
	// StartDate and EndDate bound the scheduled logical dates, both inclusive;
	// the zero time means no bound.
	StartDate time.Time `json:"start_date,omitzero"`
	EndDate   time.Time `json:"end_date,omitzero"`
	// Timezone is the IANA zone in which dates of the spec were written.
	Timezone string `json:"timezone"`
	Catchup  bool   `json:"catchup,omitempty"`

	PausedUponCreation bool `json:"is_paused_upon_creation"`
	MaxActiveRuns      int  `json:"max_active_runs"`
	MaxActiveTasks     int  `json:"max_active_tasks"`
	// RunTimeout fails a run that is still running this long after its start;
	// zero means no limit (Airflow's dagrun_timeout).
	RunTimeout time.Duration `json:"dagrun_timeout,omitempty"`

	Owner  string      `json:"owner,omitempty"`
	Tags   []string    `json:"tags,omitempty"`
	Params []Param     `json:"params,omitempty"`
	Groups []TaskGroup `json:"task_groups,omitempty"`
	Tasks  []Task      `json:"tasks"`

	Source Source `json:"source,omitzero"`
}

// Task returns the task with the given id, and whether there is one.
func (d *DAG) Task(id TaskID) (*Task, bool) {
	for i := range d.Tasks {
		if d.Tasks[i].ID == id {
			return &d.Tasks[i], true
		}
	}
	return nil, false
}

// The annotations of generated tasks that say where they are from.
const (
	AnnotationProject  = "dagwright/project"
	AnnotationRef      = "dagwright/ref"
	AnnotationCommit   = "dagwright/commit"
	AnnotationTemplate = "dagwright/template"
	// AnnotationPromoted is "<project>@<commit>" of the DAG repository that a spec
	// was promoted from.
	AnnotationPromoted = "dagwright/promoted-from"
)

// Annotation returns a pod annotation of the first task that has it, "" when none
// has.
func (d *DAG) Annotation(key string) string {
	for i := range d.Tasks {
		annotations, _ := d.Tasks[i].Pod["annotations"].(map[string]any)
		if text, ok := annotations[key].(string); ok {
			return text
		}
	}
	return ""
}

// PromotedFrom returns the DAG repository and its commit that a spec says it was
// promoted from; both are empty when it says nothing of the kind.
func (d *DAG) PromotedFrom() (project, commit string) {
	project, commit, found := strings.Cut(d.Annotation(AnnotationPromoted), "@")
	if !found {
		return "", ""
	}
	return project, commit
}

// Param is one entry of a DAG's params: a default and, where the spec gives
// one, the JSON Schema that a value must satisfy.
type Param struct {
	Name    string `json:"name"`
	Default any    `json:"default"`
	// NoDefault says that the spec gives no default at all, not even null: a run must be
	// given a value.
	NoDefault   bool           `json:"no_default,omitempty"`
	Description string         `json:"description,omitempty"`
	Schema      map[string]any `json:"schema,omitempty"`
}

// TaskGroup draws its member tasks together in the graph; members carry its
// name as prefix of their id.
type TaskGroup struct {
	Name    string `json:"group_name"`
	Tooltip string `json:"tooltip,omitempty"`
}

// KubernetesPodOperator is the operator of a task that runs in a pod.
const KubernetesPodOperator = "airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator"

// EmptyOperator is the operator of a task that runs nothing: it is done as soon as its turn
// comes.
const EmptyOperator = "airflow.providers.standard.operators.empty.EmptyOperator"

// Empty reports whether the task runs nothing.
func (t *Task) Empty() bool { return t.Operator == EmptyOperator }

// Task is one step of a DAG: a container to run, what it waits for, and how
// often it may be tried.
type Task struct {
	ID       TaskID   `json:"task_id"`
	Group    string   `json:"group,omitempty"`
	Operator string   `json:"operator"`
	Owner    string   `json:"owner,omitempty"`
	DocMD    string   `json:"doc_md,omitempty"`
	Upstream []TaskID `json:"upstream,omitempty"`

	TriggerRule TriggerRule `json:"trigger_rule"`
	// PriorityWeight orders tasks that compete for a slot, higher first.
	PriorityWeight int `json:"priority_weight"`

	// Retries is how many tries may follow the first one.
	Retries    int           `json:"retries"`
	RetryDelay time.Duration `json:"retry_delay"`
	// RetryBackoff is the factor by which the delay grows with each try
	// (retry_exponential_backoff; true means 2); zero keeps it constant.
	RetryBackoff  float64       `json:"retry_exponential_backoff,omitempty"`
	MaxRetryDelay time.Duration `json:"max_retry_delay,omitempty"`
	// ExecutionTimeout ends a try that runs longer; zero means no limit.
	ExecutionTimeout time.Duration `json:"execution_timeout,omitempty"`

	Image     string   `json:"image"`
	Cmds      []string `json:"cmds,omitempty"`
	Arguments []string `json:"arguments,omitempty"`
	Env       []EnvVar `json:"env_vars,omitempty"`
	// Pod holds every other KubernetesPodOperator field of the spec in plain
	// form: `__type__` objects are turned into camelCase dictionaries.
	Pod map[string]any `json:"pod,omitempty"`
}

// EnvVar is one environment variable of a container. Order is kept.
type EnvVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// DataInterval is the span of data that a run is about, half open.
type DataInterval struct {
	Start time.Time
	End   time.Time
}
