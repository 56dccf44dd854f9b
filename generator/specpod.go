package generator

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"dagwright/dag"
)

// arguments are the operator's arguments of one task while they are put together. Values are
// plain, as Kubernetes writes them.
type arguments struct {
	values map[string]any
	// from has where the model's file says something, by its path in the task.
	from map[string]Said
	said map[string]Said // the task's settings' own
}

func newArguments(t TaskSettings) arguments {
	a := arguments{values: map[string]any{}, from: map[string]Said{}, said: t.Said}
	a.comes("image", "image")
	a.comes("cmds", "command")
	a.comes("container_resources", "profile")
	a.comes("container_resources", "resources")
	for _, v := range t.Env {
		a.comes("env_vars."+v.Name, "env."+v.Name)
	}
	return a
}

// comes remembers that an argument comes from a key of the model's file, if that says it.
func (a arguments) comes(argument, key string) {
	if said, ok := a.said[key]; ok {
		a.from[argument] = said
	}
}

// add puts a value beside what an argument holds already: lists and mappings are joined.
func (a arguments) add(argument string, value any) {
	switch old := a.values[argument].(type) {
	case []any:
		if list, ok := value.([]any); ok {
			value = append(slices.Clone(old), list...)
		}
	case map[string]any:
		if m, ok := value.(map[string]any); ok {
			value = mergedMaps(old, m)
		}
	}
	a.values[argument] = value
}

// addItem puts one more element into a list, which comes from a key of the model's file.
func (a arguments) addItem(argument string, item map[string]any, key string) {
	list, _ := a.values[argument].([]any)
	a.comes(fmt.Sprintf("%s[%d]", argument, len(list)), key)
	a.values[argument] = append(list, item)
}

// tries says how often and how long a task is tried, where that is otherwise than for the
// whole DAG.
func (a arguments) tries(all, own TaskSettings) {
	if *own.Retries != *all.Retries {
		a.values["retries"] = *own.Retries
	}
	if *own.RetryDelay != *all.RetryDelay {
		a.values["retry_delay"] = own.RetryDelay.seconds()
	}
	if *own.Timeout != *all.Timeout {
		a.values["execution_timeout"] = own.Timeout.timedelta()
	}
}

func (a arguments) profile(p Profile) {
	for argument, value := range p.arguments() {
		a.add(argument, value)
		a.comes(argument, "profile")
	}
}

// arguments are those of the operator that a profile brings, beside its resources.
func (p Profile) arguments() map[string]any {
	out := map[string]any{}
	if len(p.NodeSelector) > 0 {
		out["node_selector"] = anyMap(p.NodeSelector)
	}
	if len(p.Labels) > 0 {
		out["labels"] = anyMap(p.Labels)
	}
	if p.RuntimeClassName != "" {
		out["runtime_class_name"] = p.RuntimeClassName
	}
	if p.PriorityClassName != "" {
		out["priority_class_name"] = p.PriorityClassName
	}
	var tolerations []any
	for _, t := range p.Tolerations {
		tolerations = append(tolerations, t.plain())
	}
	if len(tolerations) > 0 {
		out["tolerations"] = tolerations
	}
	return out
}

// PodArguments are the operator's arguments that a profile brings, as plain values.
func (p Profile) PodArguments() map[string]any {
	out := p.arguments()
	if resources := resourceData(p.Resources); resources != nil {
		for name, quantities := range resources {
			resources[name] = anyMap(quantities.(map[string]string))
		}
		out["container_resources"] = resources
	}
	return out
}

// PodArguments are the operator's arguments that mount a volume of a name, as plain values.
func (v Volume) PodArguments(name string) map[string]any {
	volume, mount := v.plain(Mount{Path: "/" + name, Name: name}, "group/project")
	return map[string]any{"volumes": []any{volume}, "volume_mounts": []any{mount}}
}

// plain leaves out what is empty, as Kubernetes does.
func (t Toleration) plain() map[string]any {
	out := map[string]any{}
	for name, value := range map[string]string{
		"key": t.Key, "operator": t.Operator, "value": t.Value, "effect": t.Effect,
	} {
		if value != "" {
			out[name] = value
		}
	}
	if t.Seconds > 0 {
		out["tolerationSeconds"] = t.Seconds
	}
	return out
}

func anyMap(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// checkSecrets reports the secrets that models of a project may not name, at their places in the
// model's file.
func (i Instance) checkSecrets(project string, t TaskSettings) error {
	if i.CheckSecret == nil {
		return nil
	}
	var faults dag.SpecErrors
	check := func(key, secret string) {
		if err := i.CheckSecret(project, secret); err != nil {
			said := t.Said[key]
			faults = append(faults, &dag.SpecError{File: ModelFile, Line: said.Line, Column: said.Column, Path: said.Path,
				Reason: err.Error()})
		}
	}
	for _, s := range t.Secrets {
		check("secrets."+s.Name, s.Secret)
	}
	for _, s := range t.SecretFiles {
		check("secret_files."+s.Path, s.Name)
	}
	if len(faults) == 0 {
		return nil
	}
	return faults
}

func (a arguments) secrets(t TaskSettings) {
	for _, s := range t.Secrets {
		a.addItem("secrets", map[string]any{
			"deploy_type": "env", "deploy_target": s.Name, "secret": s.Secret, "key": s.Key,
		}, "secrets."+s.Name)
	}
	for _, s := range t.SecretFiles {
		a.addItem("secrets", map[string]any{
			"deploy_type": "volume", "deploy_target": s.Path, "secret": s.Name,
		}, "secret_files."+s.Path)
	}
}

// volumes mounts what the instance offers; a volume that is mounted twice is there once.
func (a arguments) volumes(t TaskSettings, offers map[string]Volume, project string) {
	there := map[string]bool{}
	for _, m := range t.Volumes {
		volume, mount := offers[m.Name].plain(m, project)
		key := "volumes." + m.Path
		if !there[m.Name] {
			there[m.Name] = true
			a.addItem("volumes", volume, key)
		}
		a.addItem("volume_mounts", mount, key)
	}
}

// plain is the volume and its mount in a pod of the project.
func (v Volume) plain(m Mount, project string) (volume, mount map[string]any) {
	claim := map[string]any{"claimName": v.Claim}
	mount = map[string]any{"name": m.Name, "mountPath": m.Path}
	if v.ReadOnly {
		claim["readOnly"], mount["readOnly"] = true, true
	}
	if v.SubPath != "" {
		mount["subPath"] = strings.ReplaceAll(v.SubPath, "{project}", project)
	}
	return map[string]any{"name": m.Name, "persistentVolumeClaim": claim}, mount
}

// pod adds what the model's file says by the operator's own names.
func (a arguments) pod(t TaskSettings) {
	for _, name := range slices.Sorted(maps.Keys(t.Pod)) {
		key := "pod." + name
		own, isList := a.values[name].([]any)
		list, adds := t.Pod[name].([]any)
		a.add(name, t.Pod[name])
		if said, ok := a.said[key]; ok && isList && adds {
			for i := range list {
				a.from[fmt.Sprintf("%s[%d]", name, len(own)+i)] = Said{said.Place, fmt.Sprintf("%s[%d]", said.Path, i)}
			}
			continue
		}
		a.comes(name, key)
	}
}

// objects are the arguments whose elements Airflow wants as objects, with their classes.
var objects = map[string]string{
	"volumes":       "kubernetes.client.models.V1Volume",
	"volume_mounts": "kubernetes.client.models.V1VolumeMount",
	"ports":         "kubernetes.client.models.V1ContainerPort",
	"secrets":       "airflow.providers.cncf.kubernetes.secret.Secret",
}

// lists gives the arguments in order, the annotations apart.
func (a arguments) lists() (all, annotations []argumentData, from map[string]Said) {
	for _, name := range slices.Sorted(maps.Keys(a.values)) {
		value := a.values[name]
		if m, ok := value.(map[string]any); ok && name == "annotations" {
			for _, key := range slices.Sorted(maps.Keys(m)) {
				annotations = append(annotations, argumentData{key, m[key]})
			}
			continue
		}
		all = append(all, argumentData{name, asObjects(value, objects[name])})
	}
	return all, annotations, a.from
}

// asObjects turns the mappings of a list into objects of a class, whose arguments are spelled
// as Python does.
func asObjects(value any, class string) any {
	list, ok := value.([]any)
	if !ok || class == "" {
		return value
	}
	out := make([]any, len(list))
	for i, item := range list {
		out[i] = item
		if m, ok := item.(map[string]any); ok {
			object := map[string]any{"__type__": class}
			for name, v := range m {
				object[snakeCase(name)] = v
			}
			out[i] = object
		}
	}
	return out
}

// snakeCase spells a field of Kubernetes as its Python client does: hostIP is host_ip.
func snakeCase(name string) string {
	var b strings.Builder
	capital := true // so that none stands before the first
	for _, c := range name {
		upper := 'A' <= c && c <= 'Z'
		if upper && !capital {
			b.WriteByte('_')
		}
		capital = upper
		b.WriteRune(c)
	}
	return strings.ToLower(b.String())
}
