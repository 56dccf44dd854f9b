package importer

import (
	"fmt"
	"slices"
	"strings"

	"dagwright/dag"
)

// silent are arguments that say how Airflow runs a pod, which is dagwright's own business.
var silent = []string{"cluster_context", "config_file", "container_name_log_prefix_enabled", "deferrable", "depends_on_past",
	"do_xcom_push", "get_logs", "in_cluster", "kubernetes_conn_id", "log_events_on_failure", "logging_interval", "name",
	"on_finish_action", "operator", "poll_interval", "pool", "priority_weight", "queue",
	"random_name_suffix", "reattach_on_restart", "startup_timeout_seconds", "task_group_name", "volume_mounts", "weight_rule"}

// task makes what the model file says of one task.
func (b *modelBuilder) task(k *kindFile, i int, own mapping) mapping {
	t := taskBuilder{modelBuilder: b, k: k, id: k.s.tasks[i].id, at: k.s.tasks[i].at}
	t.args = own
	if defaults, ok := k.s.root.get("default_args").(mapping); ok {
		t.args = union(slices.Clone(own), defaults)
	}
	t.out = mapping{{"task_id", t.id}}
	needs := []any{}
	ups, _ := own.get("dependencies").([]any)
	for _, up := range ups {
		needs = append(needs, k.fullID(up))
	}
	t.out = append(t.out, field{"needs", needs})
	for _, f := range t.args {
		t.take(f.key, f.value)
	}
	t.command()
	if len(t.profile) == 1 && t.profile.has("labels") {
		t.left("labels", "labels are left out: they are the instance's, and a profile may bring some")
		t.profile = nil
	}
	if len(t.profile) > 0 {
		t.out = append(t.out, field{"profile", b.offerProfile(t.profile)})
	}
	if len(t.pod) > 0 {
		t.out = append(t.out, field{"pod", t.pod})
		t.pods = append(t.pods, t.pod)
	}
	return t.out
}

// fullID is the whole id of the task that a spec's dependency names.
func (k *kindFile) fullID(name any) any {
	for i, t := range k.s.root.get("tasks").([]any) {
		if t.(mapping).get("task_id") == name {
			return k.s.tasks[i].id
		}
	}
	return name
}

// taskBuilder makes the settings of one task.
type taskBuilder struct {
	*modelBuilder
	k            *kindFile
	id           string
	at           place
	args         mapping
	out          mapping
	profile, pod mapping
}

func (t *taskBuilder) left(key, format string, args ...any) {
	t.k.d.left(t.at.of(key), t.id, format, args...)
}

// put adds a setting, or an entry of one that is merged by name.
func (t *taskBuilder) put(key, name string, v any) {
	if name == "" {
		t.out = t.out.set(key, v)
		return
	}
	m, _ := t.out.get(key).(mapping)
	t.out = t.out.set(key, m.set(name, v))
}

// take turns one argument of the operator into settings.
func (t *taskBuilder) take(key string, v any) {
	switch key {
	case "task_id", "dependencies", "cmds", "arguments":
	case "image":
		if text, _ := v.(string); strings.Contains(text, unknownText) {
			t.left(key, "image %s is left out: the instance's own holds, registry/project:{short_sha}; write image if yours is another",
				text)
			return
		}
		t.k.d.note(t.at.of(key), "image %v is the same for each commit; with {short_sha} as its tag it is the commit's own", v)
		t.put("image", "", v)
	case "namespace":
		t.k.d.note(t.at.of(key), "pods run in the instance's namespace: the secrets and claims of %v must be there", v)
	case "owner":
		if v != "airflow" { // Airflow's word for none
			t.put("owner", "", v)
		}
	case "env_vars":
		t.env(v)
	case "secrets":
		t.secretList(v)
	case "volumes":
		t.volumes(v)
	case "container_resources":
		t.resources(v)
	case "retries", "trigger_rule":
		t.put(key, "", v)
	case "retry_delay":
		t.put("retry_delay", "", shortTime(v))
	case "execution_timeout":
		t.put("timeout", "", shortTime(v))
	case "node_selector", "tolerations", "runtime_class_name", "priority_class_name", "labels":
		t.profile = t.profile.set(key, untyped(v))
	case "doc_md", "retry_exponential_backoff", "max_retry_delay":
		t.left(key, "%s is left out: a model file has no such key", key)
	default:
		if !slices.Contains(silent, key) {
			t.further(key, v)
		}
	}
}

// further goes through the model file's pod, which the instance must allow.
func (t *taskBuilder) further(key string, v any) {
	t.pod = t.pod.set(key, untyped(v))
	if !slices.Contains(t.allowed, key) {
		t.allowed = append(t.allowed, key)
		slices.Sort(t.allowed)
	}
}

// command is what the container runs: cmds and arguments.
func (t *taskBuilder) command() {
	cmds, _ := t.args.get("cmds").([]any)
	arguments, _ := t.args.get("arguments").([]any)
	if len(cmds) == 0 && len(arguments) > 0 {
		t.left("arguments", "the arguments are for the image's own entry point, which a model file does not use: "+
			"write the whole command")
	}
	if words := slices.Concat(cmds, arguments); len(words) > 0 {
		t.put("command", "", words)
	}
}

func (t *taskBuilder) env(v any) {
	if m, ok := v.(mapping); ok {
		params, _ := t.k.s.root.get("params").(mapping)
		for _, f := range m {
			// A param is a variable of its name by itself.
			if !params.has(f.key) || f.value != "{{ params."+f.key+" }}" {
				t.put("env", f.key, f.value)
			}
		}
		return
	}
	list, _ := v.([]any)
	for _, e := range list {
		m, _ := untyped(e).(mapping)
		name, _ := m.get("name").(string)
		from, _ := m.get("valueFrom").(mapping)
		ref, _ := from.get("secretKeyRef").(mapping)
		switch {
		case from == nil:
			t.put("env", name, m.get("value"))
		case ref != nil:
			t.secret("secrets", name, ref.get("name"), ref.get("key"))
		default:
			t.left("env_vars", "variable %s is left out: it takes its value from the pod or a config map; "+
				"write the value, or import the DAG as a spec", name)
		}
	}
}

// secret adds a secret, or one key of it, which the instance must list for the project.
func (t *taskBuilder) secret(setting, target string, name, key any) {
	value := name
	if key != nil {
		value = fmt.Sprintf("%v/%v", name, key)
	}
	t.put(setting, target, value)
	if text, ok := name.(string); ok && !isOpen(text) && !slices.Contains(t.secrets, text) {
		t.secrets = append(t.secrets, text)
	}
}

func (t *taskBuilder) secretList(v any) {
	list, _ := v.([]any)
	for _, e := range list {
		m, _ := e.(mapping)
		target, _ := m.get("deploy_target").(string)
		switch {
		case m.get("deploy_type") == "volume" && target != "" && m.get("items") == nil:
			t.secret("secret_files", target, m.get("secret"), nil)
		case m.get("deploy_type") == "env" && target != "" && m.get("key") != nil:
			t.secret("secrets", strings.ToUpper(target), m.get("secret"), m.get("key"))
		default:
			t.left("secrets", "secret %v is left out: name the variable of each of its keys under secrets", m.get("secret"))
		}
	}
}

// volumes offers the claims that a task mounts, and takes volumes of secrets as files.
func (t *taskBuilder) volumes(v any) {
	list, _ := v.([]any)
	mounts, _ := t.args.get("volume_mounts").([]any)
	for _, e := range list {
		volume, _ := untyped(e).(mapping)
		for _, m := range mounts {
			mount, _ := untyped(m).(mapping)
			if mount.get("name") == volume.get("name") {
				t.mount(volume, mount)
			}
		}
	}
}

func (t *taskBuilder) mount(volume, mount mapping) {
	folder, _ := mount.get("mountPath").(string)
	name, _ := volume.get("name").(string)
	claim, _ := volume.get("persistentVolumeClaim").(mapping)
	secret, _ := volume.get("secret").(mapping)
	switch {
	case claim != nil:
		value := mapping{{"persistent_volume_claim", claim.get("claimName")}}
		if mount.get("readOnly") == true || claim.get("readOnly") == true {
			value = append(value, field{"read_only", true})
		}
		if sub := mount.get("subPath"); sub != nil {
			value = append(value, field{"sub_path", sub})
		}
		t.put("volumes", folder, t.offer(&t.modelBuilder.volumes, name, value))
	case secret != nil && secret.get("items") == nil && mount.get("subPath") == nil:
		t.secret("secret_files", folder, secret.get("secretName"), nil)
	default:
		t.further("volumes", t.appended("volumes", volume))
		t.further("volume_mounts", t.appended("volume_mounts", mount))
	}
}

func (t *taskBuilder) appended(key string, m mapping) []any {
	list, _ := t.pod.get(key).([]any)
	if slices.ContainsFunc(list, func(e any) bool { return same(e, m) }) {
		return list
	}
	return append(slices.Clone(list), m)
}

// resources keeps GPUs and the like for a profile: only the instance knows where they are.
func (t *taskBuilder) resources(v any) {
	m, _ := untyped(v).(mapping)
	var own, offered mapping
	for _, part := range []string{"requests", "limits"} {
		values, _ := m.get(part).(mapping)
		for _, f := range values {
			into := &own
			if strings.Contains(f.key, "/") {
				into = &offered
			}
			inner, _ := into.get(part).(mapping)
			*into = into.set(part, inner.set(f.key, fmt.Sprint(f.value)))
		}
	}
	if len(own) > 0 {
		t.put("resources", "", own)
	}
	if len(offered) > 0 {
		t.profile = t.profile.set("resources", offered)
	}
}

// untyped turns objects of the dialect into plain mappings with Kubernetes' own names.
func untyped(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = untyped(v[i])
		}
		return out
	case mapping:
		out := mapping{}
		typed := v.has(typeKey)
		for _, f := range v {
			switch {
			case f.key == typeKey:
			case typed:
				out = append(out, field{dag.KubernetesName(f.key), untyped(f.value)})
			default:
				out = append(out, field{f.key, untyped(f.value)})
			}
		}
		return out
	}
	return v
}
