package dag

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// dagValues are the keys of a DAG that dagwright honours, as dag-factory passes them on to
// Airflow's DAG, with what their values look like.
var dagValues = map[string]shapeFunc{
	"description": shapeOfText, "dag_display_name": shapeOfText, "doc_md": shapeOfText, "schedule": shapeOfSchedule,
	"start_date": shapeOfMoment, "end_date": shapeOfMoment, "timezone": shapeOfZone, "catchup": shapeOfBool,
	"max_active_runs": shapeOfLimit, "max_active_tasks": shapeOfLimit, "concurrency": shapeOfLimit,
	"dagrun_timeout": shapeOfDuration, "is_paused_upon_creation": shapeOfBool, "tags": shapeOfTexts,
	"params": shapeOfParams, "default_args": shapeOfDefaultArgs, "tasks": shapeOfTasks, "task_groups": shapeOfGroups,
	"render_template_as_native_obj": shapeOfBool,
}

var dagKeys = slices.Sorted(maps.Keys(dagValues))

// refusedDAGKeys are those that Airflow knows and dagwright cannot honour, with
// what to tell their author.
var refusedDAGKeys = map[string]string{
	"access_control":                  "access by DAG",
	"doc_md_file_path":                "documentation in another file (write it as doc_md)",
	"doc_md_python_arguments":         "documentation made by Python (write it as doc_md)",
	"doc_md_python_callable_file":     "documentation made by Python (write it as doc_md)",
	"doc_md_python_callable_name":     "documentation made by Python (write it as doc_md)",
	"jinja_environment_kwargs":        "settings of Jinja",
	"on_failure_callback":             "callbacks",
	"on_failure_callback_file":        "callbacks",
	"on_failure_callback_name":        "callbacks",
	"on_success_callback":             "callbacks",
	"on_success_callback_file":        "callbacks",
	"on_success_callback_name":        "callbacks",
	"sla_miss_callback":               "callbacks",
	"template_searchpath":             "templates in other files",
	"template_undefined":              "settings of Jinja",
	"user_defined_filters":            "filters of your own",
	"user_defined_macros":             "macros of your own",
	"deadline":                        "deadlines",
	"fail_fast":                       "failing a run at the first failed task; dag-factory drops this key without a word",
	"max_consecutive_failed_dag_runs": "pausing after failed runs; dag-factory drops this key without a word",
	"owner_links":                     "links for owners; dag-factory drops this key without a word",
}

// leftOutDAGKeys mean nothing to Airflow 3 either: dag-factory leaves them out there.
var leftOutDAGKeys = map[string]string{
	"default_view": "the page that opens first; Airflow 3 has no such setting either",
	"orientation":  "the direction of the graph; Airflow 3 has no such setting either",
}

// replacedDAGKeys have been renamed in Airflow.
var replacedDAGKeys = map[string]string{
	"schedule_interval": "schedule_interval is no longer read; write schedule",
	"timetable":         "timetable is not read; write schedule: {__type__: …}",
	"dag_id":            "dag_id is not read: the key of the DAG's mapping is its id; remove it",
}

// dagReader reads one DAG.
type dagReader struct {
	*specReader
	dag *DAG
	// node is the DAG with its defaults beneath.
	node *node
	args *node // default_args, nil when there are none
	zone *time.Location

	groups       []*group
	groupsByName map[string]*group
	tasks        []*taskSpec
	// native is render_template_as_native_obj: true, nil when it is not there.
	native *pair
}

func (d *dagReader) read() *DAG {
	d.args = d.mapping("default_args")
	d.readZoneKey()
	d.readSchedules()
	for _, p := range d.node.pairs {
		d.readKey(p)
	}
	d.checkContinuous()
	d.checkDefaultArgs()
	if n := d.mapping("params"); n != nil {
		d.dag.Params = d.readParams(n)
		d.checkScheduledParams(n)
	}
	d.readGroups()
	d.readTasks()
	d.connect()
	d.checkNative()
	d.checkStart()
	d.dag.Owner = d.owners()
	d.dag.Source = d.source()
	return d.dag
}

// mapping returns the mapping under a key; nil when there is none.
func (d *dagReader) mapping(key string) *node {
	n := d.node.get(key)
	switch {
	case n == nil || n.kind == nullKind:
		return nil
	case n.kind != mapKind:
		d.faults.addAt(n, "must be a mapping, not %s", n.shape())
		return nil
	}
	return n
}

// either returns the value of a key of the DAG or else of default_args.
func (d *dagReader) either(key string) *node {
	if n := d.node.get(key); n != nil && n.kind != nullKind {
		return n
	}
	if d.args != nil {
		if n := d.args.get(key); n != nil && n.kind != nullKind {
			return n
		}
	}
	return nil
}

func (d *dagReader) readZoneKey() {
	if n := d.either("timezone"); n != nil {
		if zone, ok := d.readZone(n); ok {
			d.zone = zone
		}
		if n.kind == mapKind {
			d.faults.airflow(n, "the timezone of a DAG is a name; write %s", d.zone)
		}
	}
	d.dag.Timezone = d.zone.String()
}

func (d *dagReader) readSchedules() {
	if n := d.either("start_date"); n != nil {
		wall, _ := d.readMoment(n)
		d.dag.StartDate = inZone(wall, d.zone)
	}
	if n := d.either("end_date"); n != nil {
		wall, ok := d.readMoment(n)
		d.dag.EndDate = inZone(wall, d.zone)
		if ok && d.dag.EndDate.Before(d.dag.StartDate) {
			d.faults.addAt(n, "end_date lies before start_date")
		}
	}
	n := d.node.get("schedule")
	schedule, ok := d.readSchedule(n, d.zone)
	d.dag.Schedule = schedule
	if ok && schedule.Expr != "" && d.check != nil {
		if err := d.check(schedule); err != nil {
			d.faults.addAt(n, "%s", err)
		}
	}
}

// readKey reads the keys that stand for themselves; the others have been or
// will be read in their order.
func (d *dagReader) readKey(p pair) {
	n := p.value
	if n.kind == nullKind && slices.Contains(dagKeys, p.key) {
		return
	}
	switch p.key {
	case "description":
		d.dag.Description, _ = d.readText(n)
	case "dag_display_name":
		d.dag.DisplayName, _ = d.readText(n)
	case "doc_md":
		d.dag.DocMD, _ = d.readText(n)
	case "catchup":
		d.dag.Catchup, _ = d.readDAGBool(n)
	case "is_paused_upon_creation":
		d.dag.PausedUponCreation, _ = d.readDAGBool(n)
	case "max_active_runs":
		d.dag.MaxActiveRuns, _ = d.readInt(n, 1)
	case "max_active_tasks", "concurrency":
		d.dag.MaxActiveTasks, _ = d.readInt(n, 1)
	case "dagrun_timeout":
		d.dag.RunTimeout = d.readTimeout(n)
	case "tags":
		d.dag.Tags = d.readTags(n)
	case "render_template_as_native_obj":
		// Looked at when the tasks are there: checkNative.
		if native, ok := d.readDAGBool(n); ok && native {
			d.native = &p
		}
	default:
		d.checkKey(p)
	}
}

// checkContinuous holds Airflow's rule for its ContinuousTimetable.
func (d *dagReader) checkContinuous() {
	if d.dag.Schedule.Kind == ScheduleContinuous && d.dag.MaxActiveRuns > 1 {
		d.faults.addAt(d.node.get("schedule"), "a DAG with schedule @continuous must have max_active_runs: 1")
	}
}

// readTimeout reads a duration that must not be zero.
func (r reader) readTimeout(n *node) time.Duration {
	v, ok := r.readDuration(n)
	if ok && v == 0 {
		r.faults.addAt(n, "must be longer than 0; leave it out for no limit")
	}
	if ok && n.kind != mapKind {
		r.faults.airflow(n, "it takes no number of seconds here; write {%s: %s, seconds: %s}", typeKey, timedeltaType,
			strings.Trim(clip(n.text), `"`))
	}
	return v
}

// readDAGBool reads a boolean of the DAG, which Airflow takes as such alone. Its parser of
// YAML reads yes, no, on and off without quotes as booleans.
func (r reader) readDAGBool(n *node) (bool, bool) {
	v, ok := r.readBool(n)
	if ok && n.quoted {
		r.faults.airflow(n, "a boolean in quotes is a string; write %v", v)
	}
	return v, ok
}

// checkStart notes a catchup that has nothing to begin with.
func (d *dagReader) checkStart() {
	if d.dag.Catchup && d.dag.StartDate.IsZero() && d.dag.Schedule.Kind != ScheduleNone {
		if n := d.node.get("catchup"); n != nil {
			d.faults.airflow(n, "catchup needs a start_date")
		}
	}
}

// checkNative decides on render_template_as_native_obj: it changes nothing where there is
// no template. With one, a task could be given a number or a list in place of a string.
func (d *dagReader) checkNative() {
	if d.native == nil {
		return
	}
	for i := range d.dag.Tasks {
		if d.dag.Tasks[i].hasTemplate() {
			d.faults.addKey(d.node, *d.native,
				"not supported by dagwright: templates that give other values than strings, remove it")
			return
		}
	}
	d.faults.leftOut(d.node, *d.native, "there is no template that it could change")
}

// hasTemplate reports whether a value of the task is a template.
func (t *Task) hasTemplate() bool {
	for _, v := range t.Env {
		if isTemplate(v.Name) || isTemplate(v.Value) {
			return true
		}
	}
	return isTemplate(t.Image) || slices.ContainsFunc(t.Cmds, isTemplate) || slices.ContainsFunc(t.Arguments, isTemplate) ||
		anyTemplate(t.Pod)
}

func anyTemplate(v any) bool {
	switch v := v.(type) {
	case string:
		return isTemplate(v)
	case []any:
		return slices.ContainsFunc(v, anyTemplate)
	case map[string]any:
		for k, e := range v {
			if isTemplate(k) || anyTemplate(e) {
				return true
			}
		}
	}
	return false
}

func isTemplate(s string) bool { return strings.Contains(s, "{{") || strings.Contains(s, "{%") }

func (d *dagReader) checkKey(p pair) {
	if slices.Contains(dagKeys, p.key) {
		return
	}
	if what, ok := leftOutDAGKeys[p.key]; ok {
		d.faults.leftOut(d.node, p, "%s", what)
		return
	}
	if why, ok := refusedDAGKeys[p.key]; ok {
		d.faults.addKey(d.node, p, "not supported by dagwright: %s, remove it", why)
		return
	}
	if why, ok := replacedDAGKeys[p.key]; ok {
		d.faults.addKey(d.node, p, "%s", why)
		return
	}
	if _, ok := arguments[p.key]; ok {
		d.faults.addKey(d.node, p, "%s is an argument of tasks; put it under default_args or into a task", p.key)
		return
	}
	d.faults.addKey(d.node, p, "unknown key %s%s", clip(p.key), didYouMean(p.key, dagKeys))
}

// maxTag is Airflow's limit for a tag.
const maxTag = 100

// readTags keeps the order of the file and each tag once.
func (d *dagReader) readTags(n *node) []string {
	texts, ok := d.readTexts(n)
	if !ok {
		return nil
	}
	var tags []string
	items, _ := d.unwrapList(n)
	for i, tag := range texts {
		if k := items[i].kind; k != textKind {
			d.faults.airflow(items[i], "a tag must be a string; put it in quotes")
		}
		switch {
		case strings.TrimSpace(tag) == "":
			d.faults.addAt(n.items[i], "a tag must not be empty")
		case len(tag) > maxTag:
			d.faults.addAt(n.items[i], "a tag must not be longer than %d bytes", maxTag)
		case !slices.Contains(tags, tag):
			tags = append(tags, tag)
		}
	}
	return tags
}

// owners joins the owners of the tasks, as Airflow shows them.
func (d *dagReader) owners() string {
	var owners []string
	for i := range d.dag.Tasks {
		if o := d.dag.Tasks[i].Owner; !slices.Contains(owners, o) {
			owners = append(owners, o)
		}
	}
	return strings.Join(owners, ", ")
}

// source takes the origin of a generated DAG from the annotations of the first
// task that has them.
func (d *dagReader) source() Source {
	for i := range d.dag.Tasks {
		annotations, _ := d.dag.Tasks[i].Pod["annotations"].(map[string]any)
		text := func(key string) string {
			s, _ := annotations[key].(string)
			return s
		}
		s := Source{Project: text(AnnotationProject), Branch: text(AnnotationRef), Commit: text(AnnotationCommit)}
		if s != (Source{}) {
			return s
		}
	}
	return Source{}
}
