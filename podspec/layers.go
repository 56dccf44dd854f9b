package podspec

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"dagwright/dag"
)

// The arguments that hold a whole pod, in falling order of rank.
const (
	fullPodSpec     = "full_pod_spec"
	podTemplateDict = "pod_template_dict"
)

// layers are what a task's pod is put together from, and the knowledge of which
// of them a part of the pod is from.
type layers struct {
	operator operatorPod
	// full and template are nil when the task has none.
	full, template *corev1.Pod
	task           dag.Task
}

func readLayers(d decoder, t dag.Task) layers {
	return layers{
		operator: readOperator(d, t), task: t,
		full: readPod(d, t, fullPodSpec), template: readPod(d, t, podTemplateDict),
	}
}

// ownMetadata are the fields of a pod's metadata that a spec may set.
var ownMetadata = map[string]bool{"name": true, "namespace": true, "labels": true, "annotations": true}

// readPod reads an argument that holds a whole pod.
func readPod(d decoder, t dag.Task, argument string) *corev1.Pod {
	v, ok := t.Pod[argument]
	if !ok || v == nil {
		return nil
	}
	pod := &corev1.Pod{}
	if !d.decode(argument, v, pod) {
		return nil
	}
	plain, _ := v.(map[string]any)
	metadata, _ := plain["metadata"].(map[string]any)
	for _, name := range sortedKeys(metadata) {
		if !ownMetadata[name] {
			d.faults.add(argument+".metadata."+name,
				"must not be set; a spec gives its pod a name, a namespace, labels and annotations")
		}
	}
	if plain["status"] != nil {
		d.faults.add(argument+".status", "must not be set: Kubernetes sets it")
	}
	if pod.APIVersion != "" && pod.APIVersion != "v1" {
		d.faults.add(argument+".apiVersion", "%s: want v1", clip(pod.APIVersion))
	}
	if pod.Kind != "" && pod.Kind != "Pod" {
		d.faults.add(argument+".kind", "%s: want Pod", clip(pod.Kind))
	}
	return pod
}

// merged is the pod of all layers.
func (l layers) merged() *corev1.Pod {
	return reconcile(reconcile(l.template, l.full), l.operator.pod).DeepCopy()
}

// place says where in the task a part of the merged pod comes from, for
// messages: "spec.containers[0].image" is "image" or, when the task has none of
// its own, "pod_template_dict.spec.containers[0].image".
func (l layers) place(path string) string {
	lower := []string{podTemplateDict, fullPodSpec}
	if list, index, rest, ok := joinedList(path); ok {
		for _, argument := range lower {
			n := lengthAt(l.task.Pod[argument], list)
			if index < n {
				return fmt.Sprintf("%s.%s[%d]%s", argument, list, index, rest)
			}
			index -= n
		}
		return l.operator.place(fmt.Sprintf("%s[%d]%s", list, index, rest))
	}
	if argument, key, ok := joinedMap(path); ok {
		return l.placeOfKey(argument, key)
	}
	if own := l.operator.place(path); own != path {
		return own
	}
	for _, argument := range []string{fullPodSpec, podTemplateDict} {
		if valueAt(l.task.Pod[argument], attribute(path)) != nil {
			return argument + "." + path
		}
	}
	// Nothing has set it: this is where it could be set.
	for _, f := range operatorFields {
		if rest, ok := strings.CutPrefix(path, f.path); ok && (rest == "" || rest[0] == '.') {
			return f.argument + rest
		}
	}
	return path
}

// placeOfKey is where the uppermost layer that has it sets a label or annotation.
func (l layers) placeOfKey(argument, key string) string {
	if own, _ := l.task.Pod[argument].(map[string]any); own[key] != nil {
		return join(argument, key)
	}
	for _, layer := range []string{fullPodSpec, podTemplateDict} {
		if m, _ := valueAt(l.task.Pod[layer], "metadata."+argument).(map[string]any); m[key] != nil {
			return join(layer+".metadata."+argument, key)
		}
	}
	return join(argument, key)
}

// joinedMap takes a path to a label or an annotation apart; argument is labels or
// annotations.
func joinedMap(path string) (argument, key string, ok bool) {
	for _, name := range []string{"labels", "annotations"} {
		if key, ok := strings.CutPrefix(path, "metadata."+name+"."); ok {
			return name, key, true
		}
	}
	return "", "", false
}

// place translates a path in the operator's own pod into the task's arguments.
// A path that no argument has set stays as it is.
func (o operatorPod) place(path string) string {
	for at := path; at != ""; at = parentPath(at) {
		if argument, ok := o.places[at]; ok {
			return argument + path[len(at):]
		}
	}
	return path
}

// parentPath cuts the last step off a path.
func parentPath(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// joinedLists are those to which each layer adds; everywhere else the uppermost
// layer that has something counts.
var joinedLists = []string{
	"spec.volumes", "spec.initContainers",
	basePath + ".env", basePath + ".envFrom", basePath + ".volumeMounts", basePath + ".ports",
}

// joinedList takes a path into one of joinedLists apart.
func joinedList(path string) (list string, index int, rest string, ok bool) {
	for _, name := range joinedLists {
		after, found := strings.CutPrefix(path, name+"[")
		if !found {
			continue
		}
		digits, rest, _ := strings.Cut(after, "]")
		index, err := strconv.Atoi(digits)
		return name, index, rest, err == nil
	}
	return "", 0, "", false
}

// attribute cuts a path down to what a layer has or has not: a field of the
// pod's metadata, of its spec or of a container.
func attribute(path string) string {
	steps := strings.SplitN(path, ".", 4)
	n := 2
	if len(steps) > 2 && strings.HasPrefix(steps[1], "containers[") {
		n = 3
	}
	return strings.Join(steps[:min(n, len(steps))], ".")
}

// valueAt walks into a plain value, nil when there is nothing.
func valueAt(v any, path string) any {
	for step := range strings.SplitSeq(path, ".") {
		name, digits, _ := strings.Cut(step, "[")
		m, _ := v.(map[string]any)
		v = m[name]
		if digits == "" {
			continue
		}
		list, _ := v.([]any)
		index, err := strconv.Atoi(strings.TrimSuffix(digits, "]"))
		if err != nil || index >= len(list) {
			return nil
		}
		v = list[index]
	}
	return v
}

func lengthAt(v any, path string) int {
	list, _ := valueAt(v, path).([]any)
	return len(list)
}
