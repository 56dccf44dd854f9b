package dag

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// maxTasks bounds the tasks of one DAG.
const maxTasks = 1000

// taskSpec is a task while its DAG is being read.
type taskSpec struct {
	task Task
	// name is the id as the file writes it, without its group.
	name  string
	node  *node
	group *group
	// dependencies name tasks or groups.
	dependencies []*node
}

// readTasks reads a list of tasks, or a mapping from id to task.
func (d *dagReader) readTasks() {
	n := d.node.get("tasks")
	switch {
	case n == nil || n.kind == nullKind || n.isScalar() || len(n.items)+len(n.pairs) == 0:
		at := n
		if n == nil || n.kind == nullKind {
			at = d.node
		}
		d.faults.addAt(at, "a DAG needs tasks: a list of {task_id, operator, …}")
		return
	case len(n.items)+len(n.pairs) > maxTasks:
		d.faults.addAt(n, "%d tasks are too many; %d is the limit", len(n.items)+len(n.pairs), maxTasks)
		return
	}
	for _, item := range n.items {
		if d.isTask(item) {
			d.readTask(item, item.get("task_id"), "")
		}
	}
	for _, p := range n.pairs {
		if d.isTask(p.value) {
			d.readTask(p.value, p.value.get("task_id"), p.key)
		}
	}
}

func (d *dagReader) isTask(n *node) bool {
	if n.kind != mapKind {
		d.faults.addAt(n, "a task must be a mapping {task_id, operator, …}, not %s", n.shape())
		return false
	}
	return true
}

// readTask reads one task. key is its id in a mapping of tasks, "" in a list.
func (d *dagReader) readTask(n, id *node, key string) {
	t := &taskSpec{node: n, name: key, task: Task{
		Owner: "airflow", TriggerRule: AllSuccess, PriorityWeight: 1, RetryDelay: 5 * time.Minute,
	}}
	switch {
	case id != nil && key != "":
		if id.kind != textKind || id.text != key {
			d.faults.note(NoteLeftOut, id.at, id.path(), "left out: the key %s is the task's id, in Airflow too", clip(key))
		}
	case id != nil:
		t.name, _ = d.readText(id)
	case key == "":
		d.faults.addAt(n, "a task needs a task_id")
	}
	before := len(d.faults.list)
	d.placeInGroup(t)
	if t.name != "" {
		d.checkTaskID(t, id)
	}
	d.readOperator(t)
	meant := d.readArguments(t)
	d.readEmail(t)
	d.checkArguments(t, meant)
	if d.checkTask != nil && !d.faults.full() && !t.task.Empty() {
		d.addCheckedFaults(t, d.checkTask(t.task), d.faults.list[before:])
	}
	d.tasks = append(d.tasks, t)
}

func (d *dagReader) checkTaskID(t *taskSpec, id *node) {
	if id == nil {
		id = t.node
	}
	if err := CheckID(string(t.task.ID)); err != nil {
		d.faults.addAt(id, "%s", reasonOf(err))
	}
}

// placeInGroup finds the task's group and its full id.
func (d *dagReader) placeInGroup(t *taskSpec) {
	t.task.ID = TaskID(t.name)
	n := t.node.get("task_group_name")
	if n == nil || n.kind == nullKind {
		return
	}
	name, ok := d.readText(n)
	if !ok {
		return
	}
	if t.group = d.group(name); t.group == nil {
		d.faults.addAt(n, "there is no task group %s%s", clip(name), didYouMean(name, d.groupNames()))
		return
	}
	t.task.Group = t.group.path
	t.task.ID = TaskID(t.group.prefix() + t.name)
}

// readArguments reads a task's own arguments and those that it inherits from
// its groups and from default_args, the nearest first. It returns the
// arguments that misspelt keys were meant to be.
func (d *dagReader) readArguments(t *taskSpec) map[string]bool {
	meant, seen := map[string]bool{}, make(map[string]bool, len(t.node.pairs)+8)
	for _, p := range t.node.pairs {
		seen[p.key] = true
		d.readArgument(t, p, meant)
	}
	for _, defaults := range append(t.group.defaultArgs(), d.args) {
		if defaults == nil || !d.spend(t.node, defaults.size) {
			continue
		}
		for _, p := range defaults.pairs {
			if !seen[p.key] && !dagDefaults[p.key] && inheritable(p.key) && t.task.takes(p.key) {
				seen[p.key] = true
				d.readArgument(t, p, meant)
			}
		}
	}
	return meant
}

// dagDefaults are the keys of default_args that speak of the DAG.
var dagDefaults = map[string]bool{"start_date": true, "end_date": true, "timezone": true}

// inheritable reports whether default_args may hold an argument; what may not,
// or is unknown, is reported once by checkDefaultArgs.
func inheritable(key string) bool {
	_, known := arguments[key]
	return known && !ownArguments[key]
}

// ownArguments make sense in a single task only.
var ownArguments = map[string]bool{"task_id": true, "dependencies": true, "task_group_name": true}

// checkDefaultArgs reports the keys of default_args that no task may inherit.
func (d *dagReader) checkDefaultArgs() {
	if d.args != nil {
		d.checkDefaultKeys(d.args)
	}
}

func (d *dagReader) checkDefaultKeys(n *node) {
	for _, p := range n.pairs {
		switch _, known := arguments[p.key]; {
		case dagDefaults[p.key]:
		case ownArguments[p.key]:
			d.faults.addKey(n, p, "%s belongs to a single task, not to default_args", p.key)
		case !known:
			d.leaveOutDefault(n, p)
		}
	}
}

// leaveOutDefault notes a key of default_args that no task takes. Airflow gives a task
// those of them that its operator has, so that files share them.
func (d *dagReader) leaveOutDefault(n *node, p pair) {
	if slices.Contains(dagKeys, p.key) || refusedDAGKeys[p.key] != "" || leftOutDAGKeys[p.key] != "" {
		d.faults.leftOut(n, p, "%s is a key of the DAG and means nothing in default_args, in Airflow neither", p.key)
		return
	}
	d.faults.leftOut(n, p, "no task here has an argument %s%s", clip(p.key),
		didYouMean(p.key, slices.Sorted(maps.Keys(arguments))))
}

// unknownArgument reports a key and returns what it was probably meant to be.
func (d *dagReader) unknownArgument(n *node, p pair) string {
	if d.faults.full() {
		return ""
	}
	if slices.Contains(dagKeys, p.key) || refusedDAGKeys[p.key] != "" || leftOutDAGKeys[p.key] != "" {
		d.faults.addKey(n, p, "%s is a key of the DAG, not of a task", p.key)
		return ""
	}
	meant := closest(p.key, slices.Sorted(maps.Keys(arguments)))
	hint := ""
	if meant != "" {
		hint = "; did you mean " + clip(meant) + "?"
	}
	d.faults.addKey(n, p, "unknown key %s%s", clip(p.key), hint)
	return meant
}

func (d *dagReader) readArgument(t *taskSpec, p pair, meant map[string]bool) {
	a, known := arguments[p.key]
	switch {
	case emailKeys[p.key]:
		// The three together are looked at by readEmail.
	case p.key == "decorator":
		d.faults.addKey(t.node, p,
			"not supported by dagwright: tasks made of Python functions; put the function into an image and write operator: %s",
			KubernetesPodOperator)
		meant["operator"], meant["image"] = true, true
	case known && !t.task.takes(p.key):
		d.faults.addKey(t.node, p, "%s has no argument %s: it runs nothing", EmptyOperator, p.key)
	case !known:
		meant[d.unknownArgument(t.node, p)] = true
	case a.handling == refusedArgument && !emptyValue(p.value):
		d.faults.addKey(t.node, p, "not supported by dagwright: %s, remove it", a.what)
	case p.value.kind == nullKind:
		// Airflow takes None for "as if it were not there".
	case a.handling == fieldArgument:
		d.readField(t, p)
	case a.handling == keptArgument:
		if v, ok := a.read(d.reader, p.value); ok {
			t.keep(p.key, v)
		}
	case a.handling == defaultOnlyArgument &&
		!(p.value.isScalar() && slices.Contains(a.allowed, strings.ToLower(p.value.text))):
		d.faults.addKey(t.node, p, "not supported by dagwright: %s; remove it or write %s", a.what,
			strings.Join(a.allowed, " or "))
	}
}

// emptyValue reports whether an argument asks for nothing.
func emptyValue(n *node) bool {
	return n.kind == nullKind || n.kind >= listKind && len(n.items)+len(n.pairs) == 0
}

func (t *taskSpec) keep(key string, v any) {
	if t.task.Pod == nil {
		t.task.Pod = make(map[string]any, 8)
	}
	t.task.Pod[key] = v
}

// readField reads the arguments that have a field of their own in Task.
func (d *dagReader) readField(t *taskSpec, p pair) {
	n, task := p.value, &t.task
	switch p.key {
	case "dependencies":
		t.dependencies, _ = d.unwrapList(n)
	case "owner":
		task.Owner, _ = d.readText(n)
	case "doc_md":
		task.DocMD, _ = d.readText(n)
	case "trigger_rule":
		rule, _ := d.readOneOf(n, triggerRuleNames())
		task.TriggerRule = TriggerRule(rule)
	case "priority_weight":
		task.PriorityWeight, _ = d.readInt(n, -maxInt)
	case "image":
		if task.Image, _ = d.readText(n); n.kind == textKind && strings.TrimSpace(n.text) == "" {
			d.faults.addAt(n, "must not be empty")
		}
	case "cmds":
		task.Cmds, _ = d.readTexts(n)
	case "arguments":
		task.Arguments, _ = d.readTexts(n)
	case "env_vars":
		d.readEnvVars(t, n)
	case "is_delete_operator_pod":
		d.readDeletePod(t, n)
	default:
		d.readRetries(task, p)
	}
}

func (d *dagReader) readRetries(task *Task, p pair) {
	n := p.value
	switch p.key {
	case "retries":
		task.Retries, _ = d.readInt(n, 0)
	case "retry_delay":
		task.RetryDelay, _ = d.readDuration(n)
	case "retry_exponential_backoff":
		task.RetryBackoff = d.readBackoff(n)
	case "max_retry_delay":
		task.MaxRetryDelay, _ = d.readDuration(n)
	case "execution_timeout":
		task.ExecutionTimeout = d.readTimeout(n)
	}
}

// readBackoff reads true, false or a factor.
func (d *dagReader) readBackoff(n *node) float64 {
	if factor, ok := plainFloat(n); ok {
		if factor < 0 || factor > 1000 {
			d.faults.addAt(n, "must be true, false or a factor from 0 to 1000")
		}
		return factor
	}
	if on, _ := d.readBool(n); on {
		return 2
	}
	return 0
}

// readOperator reads the task's operator first: it says which arguments there are.
func (d *dagReader) readOperator(t *taskSpec) {
	n := t.argument(d, "operator")
	if n == nil || n.kind == nullKind {
		return
	}
	if t.node.get("operator") == nil {
		d.faults.airflow(n, "each task names its operator itself")
	}
	name, ok := d.readText(n)
	switch {
	case emptyOperators[name]:
		name = EmptyOperator
	case ok && name != KubernetesPodOperator:
		d.faults.addAt(n, "operator %s is not supported by dagwright; known are %s and %s", clip(name), KubernetesPodOperator,
			EmptyOperator)
	}
	t.task.Operator = name
}

// emailKeys are about the mails that Airflow sends.
var emailKeys = map[string]bool{"email": true, "email_on_failure": true, "email_on_retry": true}

// readEmail refuses mails, and notes an address that none is sent to. In Airflow both flags
// are on where nothing is said.
func (d *dagReader) readEmail(t *taskSpec) {
	email := t.argument(d, "email")
	if email == nil || emptyValue(email) || email.kind == textKind && strings.TrimSpace(email.text) == "" {
		return
	}
	for _, flag := range []string{"email_on_failure", "email_on_retry"} {
		n := t.argument(d, flag)
		if n == nil || n.kind == nullKind {
			d.faults.addAt(email, "not supported by dagwright: e-mail, remove it or write %s: false", flag)
			return
		}
		if on, ok := d.readBool(n); !ok {
			return
		} else if on || n.quoted {
			d.faults.addAt(n, "not supported by dagwright: e-mail, remove it or write false")
			return
		}
	}
	d.faults.note(NoteLeftOut, email.at, email.path(), "left out: no mail is sent, as both flags say")
}

func (d *dagReader) readEnvVars(t *taskSpec, n *node) {
	env, from := d.readEnv(n)
	t.task.Env = env
	if len(from) > 0 {
		t.keep("env_vars", from)
	}
}

// readDeletePod reads the old name of on_finish_action, which counts if both
// are there.
func (d *dagReader) readDeletePod(t *taskSpec, n *node) {
	remove, ok := d.readBool(n)
	if _, newer := t.task.Pod["on_finish_action"]; !ok || newer {
		return
	}
	if remove {
		t.keep("on_finish_action", "delete_pod")
	} else {
		t.keep("on_finish_action", "keep_pod")
	}
}

func (d *dagReader) checkArguments(t *taskSpec, meant map[string]bool) {
	task := &t.task
	if task.Empty() {
		return
	}
	if task.Operator == "" && !meant["operator"] && t.node.get("operator") == nil {
		d.faults.addAt(t.node, "a task needs an operator; write operator: %s", KubernetesPodOperator)
	}
	template := task.Pod["pod_template_dict"] != nil || task.Pod["full_pod_spec"] != nil
	if task.Image == "" && !template && !meant["image"] && t.node.get("image") == nil {
		d.faults.addAt(t.node, "a task needs an image")
	}
}

func triggerRuleNames() []string {
	names := make([]string, len(TriggerRules))
	for i, r := range TriggerRules {
		names[i] = string(r)
	}
	return names
}
