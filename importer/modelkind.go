package importer

import (
	"fmt"
	"strings"
)

// kind makes the section of one kind.
func (b *modelBuilder) kind(k *kindFile) mapping {
	k.d.note(k.d.at, "the DAG is named after the project; to keep the name %s, write the model into a list models", k.s.id)
	m := b.dagSettings(k)
	var tasks []mapping
	for i, t := range k.s.root.get("tasks").([]any) {
		tasks = append(tasks, b.task(k, i, t.(mapping)))
	}
	if k.kind == scoring && len(tasks) == 1 {
		return append(m, tasks[0].without("task_id").without("needs").without("trigger_rule")...)
	}
	if k.kind == scoring {
		k.d.left(k.d.at, "", "a scoring has one task; of these %d the first is taken: let it do the work of all, "+
			"or import the DAG as a spec", len(tasks))
		return append(m, tasks[0].without("task_id").without("needs").without("trigger_rule")...)
	}
	if isLine(tasks) {
		for i := range tasks {
			tasks[i] = tasks[i].without("needs")
		}
	}
	shared, rest := common(tasks, "task_id", "command", "needs", "trigger_rule", "pod")
	list := make([]any, len(rest))
	for i := range rest {
		list[i] = inOrder(rest[i])
	}
	return append(append(m, shared...), field{"tasks", list})
}

// isLine reports whether each task needs the one before, and nothing else.
func isLine(tasks []mapping) bool {
	for i, t := range tasks {
		needs, _ := t.get("needs").([]any)
		if i == 0 && len(needs) > 0 || i > 0 && (len(needs) != 1 || needs[0] != tasks[i-1].get("task_id")) {
			return false
		}
	}
	return true
}

// dagSettings makes what a kind says of its DAG.
func (b *modelBuilder) dagSettings(k *kindFile) mapping {
	var m mapping
	for _, f := range k.s.root {
		at := k.d.at.of(f.key)
		switch f.key {
		case "tasks", "task_groups", "default_args", "is_paused_upon_creation", "max_active_tasks":
		case "timezone", "catchup", "max_active_runs":
			m = append(m, field{f.key, f.value})
		case "params":
			m = append(m, field{f.key, modelParams(f.value.(mapping))})
		case "tags":
			m = append(m, modelTags(f.value)...)
		case "start_date":
			day, _, _ := strings.Cut(fmt.Sprint(f.value), "T")
			m = append(m, field{f.key, day})
		case "description":
			text, _ := f.value.(string)
			m = append(m, field{f.key, strings.Join(strings.Fields(text), " ")})
		case "dagrun_timeout":
			m = append(m, field{"run_timeout", shortTime(f.value)})
		case "schedule":
			m = append(m, b.modelSchedule(k, f.value, at)...)
		case "doc_md":
			if file := b.docsPath(k.kind); file != "" {
				m = append(m, field{"docs", file})
			}
		default:
			k.d.left(at, "", "%s is left out: a model file has no such key", f.key)
		}
	}
	return m
}

// modelTags leaves out the tags that dagwright itself gives a DAG.
func modelTags(v any) mapping {
	list, _ := v.([]any)
	var tags []any
	for _, tag := range list {
		if text, _ := tag.(string); !strings.EqualFold(text, scoring) && !strings.EqualFold(text, retrain) {
			tags = append(tags, tag)
		}
	}
	if tags == nil {
		return nil
	}
	return mapping{{"tags", tags}}
}

// modelSchedule writes a schedule as a model file has it.
func (b *modelBuilder) modelSchedule(k *kindFile, v any, at place) mapping {
	object, isObject := v.(mapping)
	if !isObject {
		if v == nil {
			v = "none"
		}
		return mapping{{"schedule", v}}
	}
	m := mapping{{"schedule", object.get("cron")}}
	if zone := object.get("timezone"); zone != nil {
		m = append(m, field{"timezone", zone})
	}
	class, _ := object.get(typeKey).(string)
	if object.get("cron") == nil || lastPart(class) != "CronTriggerTimetable" {
		k.d.left(at, "", "the schedule %s is left out: write a cron expression", lastPart(class))
		return mapping{{"schedule", "none"}}
	}
	return m
}

// modelParams writes Params as a model file has them: by their own keys.
func modelParams(params mapping) mapping {
	out := mapping{}
	for _, p := range params {
		if object, ok := p.value.(mapping); ok && object.has(typeKey) {
			schema, _ := object.get("schema").(mapping)
			p.value = union(object.without(typeKey).without("schema"), schema)
		}
		out = append(out, p)
	}
	return out
}

// shortTime writes a timedelta as 90s, 5m, 2h or 1d; one with parts of a second as 1s.
func shortTime(v any) any {
	m, ok := v.(mapping)
	switch {
	case !ok || len(m) != 2:
		return fmt.Sprint(v) + "s"
	case m[1].key == "microseconds":
		return "1s"
	}
	return fmt.Sprint(m[1].value) + m[1].key[:1]
}
