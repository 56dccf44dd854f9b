package importer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"dagwright/dag"
)

// mark begins a text that the program in Python puts where a value is only known where
// Airflow runs.
const mark = "CHANGE_ME_"

// spec is a DAG as a spec has it, and where its parts stand in the Python file.
type spec struct {
	id   string
	at   place
	root mapping
	// tasks are the places of root's tasks, in their order.
	tasks []taskPlace
}

type taskPlace struct {
	id string
	at place
}

// builder makes the specs of one Python file.
type builder struct {
	content
	now    time.Time
	report func(Line)
}

// dagBuilder makes the spec of one DAG.
type dagBuilder struct {
	*builder
	index  int
	id     string
	at     place
	kwargs dict
	args   dict // default_args
	graph  *graph
}

// dagPositions are the arguments of DAG by position.
var dagPositions = []string{"dag_id", "description", "schedule", "start_date", "end_date"}

// renamedKeys are a DAG's arguments by other names than a spec's.
var renamedKeys = map[string]string{
	"schedule_interval": "schedule",
	"timetable":         "schedule",
	"concurrency":       "max_active_tasks",
	"fail_stop":         "fail_fast",
}

// keyOrder is the order in which a DAG's keys are written; the others follow.
var keyOrder = []string{"dag_display_name", "description", "doc_md", "schedule", "start_date", "end_date", "timezone",
	"catchup", "max_active_runs", "max_active_tasks", "dagrun_timeout", "is_paused_upon_creation", "tags", "params"}

// harmless are arguments without a meaning for dagwright, whatever their value.
var harmless = []string{"dag", "default_view", "orientation", "provide_context", "task_concurrency", "task_group"}

// newDAG finds a DAG's id and arguments; nil after it has reported why there is none.
func (b *builder) newDAG(index int) *dagBuilder {
	m := b.dags[index]
	d := &dagBuilder{builder: b, index: index, at: m.at}
	for i, v := range m.args {
		if i < len(dagPositions) {
			d.kwargs = append(d.kwargs, entry{dagPositions[i], v})
		}
	}
	d.kwargs = append(d.kwargs, m.kwargs...)
	id, ok := d.kwargs.get("dag_id").(string)
	if !ok || strings.Contains(id, mark) {
		d.left(d.at, "", "the DAG's id is not known here; write it as a text")
		return nil
	}
	d.id = id
	d.args, _ = d.kwargs.get("default_args").(dict)
	if v := d.kwargs.get("default_args"); v != nil && d.args == nil {
		d.left(d.at.of("default_args"), "", "default_args are not known here and are left out; write them as a dictionary")
	}
	return d
}

// left reports what is not carried over.
func (d *dagBuilder) left(at place, task, format string, args ...any) {
	d.say(true, at, task, format, args...)
}

// note reports what a person should know.
func (d *dagBuilder) note(at place, format string, args ...any) {
	d.say(false, at, "", format, args...)
}

func (d *dagBuilder) say(left bool, at place, task, format string, args ...any) {
	d.report(Line{File: at.file, Line: at.line, DAG: d.id, Task: task, Text: fmt.Sprintf(format, args...), Left: left})
}

// converter converts the values of a task, or of the DAG if task is "".
func (d *dagBuilder) converter(at place, task string) converter {
	return converter{missing: func(where place, source, why string) {
		if where.file == "" {
			where = at
		}
		if why != "" {
			why = " (" + why + ")"
		}
		d.left(where, task, "%s is not known here%s: %s stands for it; write the value there", source, why, unknownText)
	}}
}

// build makes the spec; nil after it has reported why there is none.
func (d *dagBuilder) build() *spec {
	var err error
	if d.graph, err = newGraph(&d.content, d.index); err == nil {
		err = d.joinOver()
	}
	if err != nil {
		d.left(d.at, "", "the DAG is not written: %s", err)
		return nil
	}
	if len(d.graph.tasks) == 0 {
		d.left(d.at, "", "the DAG is not written: it has no task of KubernetesPodOperator")
		return nil
	}
	s := &spec{id: d.id, at: d.at}
	s.root = d.keys()
	args := d.args.without("start_date", "end_date", "timezone")
	if defaults := d.arguments(args, d.at, "", d.at.of("default_args")); len(defaults) > 0 {
		s.root = append(s.root, field{"default_args", defaults})
	}
	names := d.names()
	if groups := d.groupList(names); len(groups) > 0 {
		s.root = append(s.root, field{"task_groups", groups})
	}
	var tasks []any
	for _, t := range d.graph.tasks {
		tasks = append(tasks, d.task(t, names))
		s.tasks = append(s.tasks, taskPlace{names[t].full, d.content.tasks[t].at})
	}
	s.root = append(s.root, field{"tasks", tasks})
	return s
}

// joinOver takes out of the graph what has no pod, and reports what is lost by that.
func (d *dagBuilder) joinOver() error {
	for _, t := range slices.Clone(d.graph.tasks) {
		task := d.content.tasks[t]
		if isPodOperator(task.class) {
			continue
		}
		id := d.taskID(t)
		rule := lastPart(fmt.Sprint(d.converter(task.at, id).plain(task.kwargs.get("trigger_rule"))))
		switch empty := isEmptyOperator(task.class); {
		case !empty:
			d.left(task.at, id, "%s is left out, and what waits for it waits for what it waited for: %s",
				operatorName(task.class), adviceForOperator(task.class))
		case task.kwargs.get("trigger_rule") != nil && !strings.EqualFold(rule, "all_success"):
			d.left(task.at, id, "this task without a pod is joined over, and its trigger_rule %s is lost: "+
				"give the rule to the tasks that wait for it", strings.ToLower(rule))
		}
		if err := d.graph.joinOver(t); err != nil {
			return err
		}
	}
	return nil
}

// operatorName is how people call an operator or decorator.
func operatorName(class string) string {
	if strings.HasPrefix(class, "@") {
		return class
	}
	return lastPart(strings.TrimSuffix(class, ".expand"))
}

func isPodOperator(class string) bool {
	return lastPart(class) == "KubernetesPodOperator" && strings.HasPrefix(class, "airflow.")
}

func isEmptyOperator(class string) bool {
	name := lastPart(class)
	return name == "EmptyOperator" || name == "DummyOperator"
}

// keys makes the DAG's own keys.
func (d *dagBuilder) keys() mapping {
	var m mapping
	for _, e := range d.kwargs {
		key, _ := e.key.(string)
		at := d.at.of(key)
		if renamed := renamedKeys[key]; renamed != "" {
			key = renamed
		}
		switch {
		case key == "dag_id" || key == "default_args" || key == "start_date" || key == "end_date" || e.value == nil && key != "schedule":
		case slices.Contains(harmless, key):
			d.note(at, "%s means nothing to dagwright and is left out", key)
		default:
			if v, ok := d.key(key, e.value, at); ok {
				m = m.set(key, v)
			}
		}
	}
	m = append(m, d.dates()...)
	if !m.has("schedule") {
		d.note(d.at, "no schedule is given: the DAG runs when it is triggered; Airflow before 3 ran such a DAG daily")
		m = append(m, field{"schedule", nil})
	}
	slices.SortStableFunc(m, func(a, b field) int { return rank(a.key) - rank(b.key) })
	return m
}

func rank(key string) int {
	if i := slices.Index(keyOrder, key); i >= 0 {
		return i
	}
	return len(keyOrder)
}

// key makes the value of one of the DAG's keys.
func (d *dagBuilder) key(key string, v any, at place) (any, bool) {
	c := d.converter(at, "")
	switch key {
	case "schedule":
		return d.schedule(v, at)
	case "dagrun_timeout":
		return c.duration(v), true
	case "params":
		return d.params(v, at)
	case "tags":
		return c.texts(v), true
	case "doc_md", "description", "dag_display_name":
		return c.text(v), true
	}
	return c.plain(v), true
}

// schedule leaves out a schedule that is not known: a wrong one would start runs.
func (d *dagBuilder) schedule(v any, at place) (any, bool) {
	text, _ := v.(string)
	switch v := v.(type) {
	case nil:
		return nil, true
	case unknown:
		d.left(at, "", "the schedule %s is not known here and is left out; write a cron expression", v.source)
		return nil, true
	case named, []any:
		d.left(at, "", "a schedule by assets or datasets is left out: write a cron expression, or trigger the DAG by the API")
		return nil, true
	}
	if strings.Contains(text, mark) {
		d.left(at, "", "the schedule is only known where Airflow runs and is left out; write a cron expression")
		return nil, true
	}
	return d.converter(at, "").plain(v), true
}

func (d *dagBuilder) params(v any, at place) (any, bool) {
	all, ok := v.(dict)
	if !ok {
		d.left(at, "", "params are not known here and are left out; write them as a dictionary")
		return nil, false
	}
	return d.converter(at, "").mapping(all), len(all) > 0
}

// dates makes start_date, end_date and timezone. The zone of the start is the DAG's, as in
// Airflow.
func (d *dagBuilder) dates() mapping {
	var m mapping
	zone := ""
	for _, key := range []string{"start_date", "end_date"} {
		v, at := d.kwargs.get(key), d.at.of(key)
		if v == nil {
			v, at = d.args.get(key), d.at.of("default_args")
		}
		switch v := v.(type) {
		case nil:
		case moment:
			m = append(m, field{key, v.text()})
			if zone == "" {
				zone = v.zone
			}
		case relative:
			day := d.now.UTC().Add(time.Duration(v.seconds) * time.Second).Format(time.DateOnly)
			d.note(at, "%s %s changes from day to day; it is written as %s, as it is today", key, v.source, day)
			m = append(m, field{key, day})
		case string:
			m = append(m, field{key, v})
		default:
			d.left(at, "", "%s is not known here and is left out; write a date", key)
		}
	}
	if zone != "" && zone != "UTC" {
		m = append(m, field{"timezone", zone})
	}
	return m
}

// arguments makes the arguments of a task, of a group or of all tasks.
func (d *dagBuilder) arguments(kwargs dict, at place, task string, whole place) mapping {
	var m mapping
	mail := d.mail(kwargs)
	for _, e := range kwargs {
		key, _ := e.key.(string)
		where := at.of(key)
		if task == "" {
			where = whole
		}
		switch {
		case key == "task_id" || slices.Contains(harmless, key):
		case key == "pod_runtime_info_envs":
			m = d.fieldVariables(m, e.value, d.converter(where, task))
		case strings.HasPrefix(key, "email"):
			if mail && key == "email" {
				d.left(where, task, "email is left out: dagwright sends no e-mail; have what watches its API or metrics do so")
			}
		case key == "namespace" && isOpen(e.value):
			d.left(where, task, "the namespace is only known where Airflow runs and is left out: "+
				"the instance's own holds; write another if the instance allows it")
		default:
			if name, v, ok := d.converter(where, task).argument(key, e.value); ok {
				m = m.set(name, v)
			}
		}
	}
	return m
}

// mail reports whether somebody gets mail: there is an address, and a flag that is not false.
func (d *dagBuilder) mail(kwargs dict) bool {
	return kwargs.get("email") != nil && (kwargs.get("email_on_failure") != false || kwargs.get("email_on_retry") != false)
}

// isOpen reports whether a value is not known here.
func isOpen(v any) bool {
	text, isText := v.(string)
	_, isUnknown := v.(unknown)
	return isUnknown || isText && strings.Contains(text, mark)
}

// fieldVariables adds Airflow 1's pod_runtime_info_envs to env_vars.
func (d *dagBuilder) fieldVariables(m mapping, v any, c converter) mapping {
	list, _ := v.([]any)
	var all []any
	switch before := m.get("env_vars").(type) {
	case mapping:
		for _, f := range before {
			all = append(all, mapping{{typeKey, kubernetesClass + "V1EnvVar"}, {"name", f.key}, {"value", f.value}})
		}
	case []any:
		all = before
	}
	return m.set("env_vars", append(all, c.list(list)...))
}

// task makes one task.
func (d *dagBuilder) task(t int, names map[int]taskName) mapping {
	task, name := d.content.tasks[t], names[t]
	m := mapping{{"task_id", name.short}, {"operator", dag.KubernetesPodOperator}}
	if name.group != "" {
		m = append(m, field{"task_group_name", name.group})
	}
	m = append(m, d.arguments(task.kwargs, task.at, name.full, task.at)...)
	var ups []any
	for _, up := range d.graph.before(t) {
		ups = append(ups, names[up].short)
	}
	if ups != nil {
		m = append(m, field{"dependencies", ups})
	}
	return m
}
