package macro

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dagwright/dag"
)

// podFields are the fields of dag.Task.Pod that Airflow renders: the
// template_fields of KubernetesPodOperator (cncf-kubernetes 10.25.0) that a spec
// can hold.
var podFields = []string{
	"annotations", "base_container_name", "config_file", "configmaps", "container_resources",
	"env_from", "hostname", "labels", "name", "namespace", "node_selector",
	"pod_template_dict", "volume_mounts", "volumes",
}

// maxDepth bounds how deep a field is nested.
const maxDepth = 64

// fields renders the fields of one task and keeps the first fault, or only checks
// them and keeps the fault of each.
type fields struct {
	renderer *Renderer
	budget   *budget
	names    *names
	err      error

	checks bool
	faults dag.SpecErrors

	lists bool // the variables, with checks
	uses  []VariableUse
}

func (f *fields) task(t *dag.Task) {
	t.Image = f.text("image", t.Image)
	t.Cmds = f.texts("cmds", t.Cmds)
	t.Arguments = f.texts("arguments", t.Arguments)
	t.Env = f.env(t.Env)
	t.Pod = f.pod(t.Pod)
}

// text renders one string. A string without template marks is returned as it
// is, whatever its size.
func (f *fields) text(field, source string) string {
	if f.err != nil || !isTemplate(source) || f.lists && !strings.Contains(source, "var") {
		return source
	}
	out, err := f.render(field, source)
	switch s := (stopped{}); {
	case err == nil:
		return out
	case errors.As(err, &s):
		f.err = s
	case f.checks:
		f.faults = append(f.faults, &dag.SpecError{Path: field, Reason: err.Error()})
	default:
		f.err = &dag.SpecError{Path: field, Reason: f.names.withoutValues(source, err)}
	}
	return ""
}

// render renders a template, or finds its fault and renders nothing.
func (f *fields) render(field, source string) (string, error) {
	if f.checks {
		source = fromFirstMark(source)
	}
	t, err := f.renderer.parsed(source, f.budget)
	if err != nil {
		return "", err
	}
	if f.checks {
		c := t.checked()
		for _, use := range c.used {
			if f.lists {
				use.Field = field
				f.uses = append(f.uses, use)
			}
		}
		return "", c.fault
	}
	return t.execute(f.names, f.budget)
}

func (f *fields) texts(field string, sources []string) []string {
	if !slices.ContainsFunc(sources, isTemplate) {
		return sources
	}
	out := make([]string, len(sources))
	for i, s := range sources {
		out[i] = f.text(fmt.Sprintf("%s[%d]", field, i), s)
	}
	return out
}

func (f *fields) env(vars []dag.EnvVar) []dag.EnvVar {
	out := make([]dag.EnvVar, len(vars))
	for i, v := range vars {
		out[i] = dag.EnvVar{Name: f.text("env_vars", v.Name), Value: v.Value}
		if isTemplate(v.Value) {
			out[i].Value = f.text("env_vars."+clip(v.Name, 250), v.Value)
		}
	}
	return out
}

func (f *fields) pod(pod map[string]any) map[string]any {
	if pod == nil {
		return nil
	}
	out := maps.Clone(pod)
	for _, name := range podFields {
		if v, ok := pod[name]; ok && hasTemplate(v, 0) {
			out[name] = f.value(name, v, 0)
		}
	}
	return out
}

// hasTemplate reports whether value has anything to do for a field: most have no template.
func hasTemplate(v any, depth int) bool {
	if depth > maxDepth {
		return true // which is a fault
	}
	switch v := v.(type) {
	case string:
		return isTemplate(v)
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return hasTemplate(item, depth+1) })
	case []string:
		return slices.ContainsFunc(v, isTemplate)
	case map[string]any:
		for _, item := range v {
			if hasTemplate(item, depth+1) {
				return true
			}
		}
	case map[string]string:
		for _, item := range v {
			if isTemplate(item) {
				return true
			}
		}
	}
	return false
}

// value renders the strings inside lists and the values of dictionaries, as
// Airflow does; keys stay as they are.
func (f *fields) value(field string, v any, depth int) any {
	if f.err == nil && depth > maxDepth {
		fault := &dag.SpecError{Path: field, Reason: fmt.Sprintf("nested deeper than %d", maxDepth)}
		f.err, f.faults = fault, append(f.faults, fault)
	}
	if f.err != nil {
		return nil
	}
	switch v := v.(type) {
	case string:
		return f.text(field, v)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = f.value(fmt.Sprintf("%s[%d]", field, i), item, depth+1)
		}
		return out
	case []string:
		return f.texts(field, v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out[k] = f.value(field+"."+k, v[k], depth+1)
		}
		return out
	case map[string]string:
		out := make(map[string]string, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out[k] = f.text(field+"."+k, v[k])
		}
		return out
	}
	return v
}

// isTemplate reports whether a string has anything to render.
func isTemplate(s string) bool { return firstMark(s) >= 0 }

// firstMark is where the first mark of a template begins, -1 when there is none.
func firstMark(s string) int {
	for i := 0; ; i++ {
		next := strings.IndexByte(s[i:], '{')
		if next < 0 || i+next+1 >= len(s) {
			return -1
		}
		i += next
		if c := s[i+1]; c == '{' || c == '%' || c == '#' {
			return i
		}
	}
}

// fromFirstMark is a template without the text before its first mark, where nothing can be
// wrong: what is found in one is in the other, at the same line. Many specs differ there
// alone, and then share a parsed template.
func fromFirstMark(source string) string {
	text := source[:max(firstMark(source), 0)]
	if len(source) > maxSource || strings.Contains(text, "\r") {
		return source
	}
	return strings.Repeat("\n", strings.Count(text, "\n")) + source[len(text):]
}
