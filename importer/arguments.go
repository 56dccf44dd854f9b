package importer

import (
	"encoding/json"
	"slices"
	"strings"
)

// renamedArguments are an operator's arguments by older names.
var renamedArguments = map[string]string{
	"node_selectors": "node_selector",
	"resources":      "container_resources",
	"xcom_push":      "do_xcom_push",
}

// textMaps are the arguments whose values are texts whatever the file writes.
var textMaps = []string{"annotations", "labels", "node_selector"}

// durations are the arguments that Airflow wants as timedelta.
var durations = []string{"execution_timeout", "max_retry_delay", "retry_delay"}

// enumerations are the arguments for which Airflow has constants.
var enumerations = []string{"on_finish_action", "on_kill_action", "trigger_rule", "weight_rule"}

// argument turns an argument of an operator, or of default_args, into that of a spec. ok is
// false for one that is not written.
func (c converter) argument(name string, v any) (key string, value any, ok bool) {
	if renamed := renamedArguments[name]; renamed != "" {
		name = renamed
	}
	if v == nil {
		return "", nil, false
	}
	switch {
	case name == "is_delete_operator_pod":
		action := "keep_pod"
		if v == true {
			action = "delete_pod"
		}
		return "on_finish_action", action, true
	case name == "env_vars":
		return name, c.variables(v), true
	case name == "container_resources":
		if d, isDict := v.(dict); isDict && isOldResources(d) {
			return name, c.oldResources(d), true
		}
	case slices.Contains(textMaps, name):
		return name, c.textMap(v), true
	case slices.Contains(durations, name):
		return name, c.duration(v), true
	case slices.Contains(enumerations, name):
		return name, strings.ToLower(c.text(v)), true
	case name == "cmds" || name == "arguments":
		return name, c.texts(v), true
	case name == "volumes" || name == "volume_mounts":
		return name, c.volumes(name, v), true
	}
	return name, c.plain(v), true
}

func (c converter) textMap(v any) any {
	d, ok := v.(dict)
	if !ok {
		return c.plain(v)
	}
	m := mapping{}
	for _, e := range d {
		m = append(m, field{c.text(e.key), c.text(e.value)})
	}
	return m
}

func (c converter) texts(v any) any {
	list, ok := v.([]any)
	if !ok {
		return c.plain(v)
	}
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = c.text(e)
	}
	return out
}

// duration writes a number of seconds as a timedelta, which Airflow wants.
func (c converter) duration(v any) any {
	if n, ok := v.(json.Number); ok {
		if seconds, err := n.Float64(); err == nil {
			return timedelta(delta(seconds * 1e6))
		}
	}
	return c.plain(v)
}

// variables writes env_vars as a mapping, or as a list if one of them has no plain value.
func (c converter) variables(v any) any {
	list, ok := v.([]any)
	if !ok {
		return c.textMap(v)
	}
	var m mapping
	for _, e := range list {
		o, isCall := e.(call)
		if !isCall || lastPart(o.path) != "V1EnvVar" {
			return c.list(list)
		}
		d := c.byName(o, "V1EnvVar")
		if name, _ := d.get("name").(string); d.get("value_from") != nil || name == "" || m.has(name) {
			return c.list(list)
		}
		m = append(m, field{d.get("name").(string), c.text(d.get("value"))})
	}
	return m
}

// volumes gives a plain volume or mount the class that Airflow wants.
func (c converter) volumes(name string, v any) any {
	class := map[string]string{"volumes": "V1Volume", "volume_mounts": "V1VolumeMount"}[name]
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = c.plain(e)
		if m, isMap := out[i].(mapping); isMap && !m.has(typeKey) {
			typed := mapping{{typeKey, kubernetesClass + class}}
			for _, f := range m {
				typed = append(typed, field{snakeCase(f.key), f.value})
			}
			out[i] = typed
		}
	}
	return out
}
