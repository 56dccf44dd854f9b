package podspec

import (
	"maps"
	"reflect"

	corev1 "k8s.io/api/core/v1"
)

// reconcile lays one pod over another as Airflow does (PodGenerator.
// reconcile_pods): what the upper one sets counts, but volumes, init containers
// and a container's lists are joined, and containers are matched by their
// position, init containers by their name. Either may be nil.
//
// "Sets" means: is not the zero value. Airflow also takes an explicit false for
// nothing; here it counts, where Kubernetes can tell it from nothing.
func reconcile(lower, upper *corev1.Pod) *corev1.Pod {
	if lower == nil || upper == nil {
		if upper == nil {
			return lower
		}
		return upper
	}
	out := upper.DeepCopy()
	out.Labels = joinMaps(lower.Labels, upper.Labels)
	out.Annotations = joinMaps(lower.Annotations, upper.Annotations)
	out.ObjectMeta = overlay(lower.ObjectMeta, out.ObjectMeta)
	out.Spec.Containers = reconcileContainers(lower.Spec.Containers, upper.Spec.Containers)
	out.Spec.InitContainers = reconcileInit(lower.Spec.InitContainers, upper.Spec.InitContainers)
	out.Spec.Volumes = concat(lower.Spec.Volumes, upper.Spec.Volumes)
	out.Spec = overlay(lower.Spec, out.Spec)
	return out
}

func reconcileContainers(lower, upper []corev1.Container) []corev1.Container {
	out := make([]corev1.Container, 0, max(len(lower), len(upper)))
	for i := range max(len(lower), len(upper)) {
		switch {
		case i >= len(lower):
			out = append(out, upper[i])
		case i >= len(upper):
			out = append(out, lower[i])
		default:
			out = append(out, reconcileContainer(lower[i], upper[i]))
		}
	}
	return out
}

func reconcileContainer(lower, upper corev1.Container) corev1.Container {
	upper.VolumeMounts = concat(lower.VolumeMounts, upper.VolumeMounts)
	upper.Env = concat(lower.Env, upper.Env)
	upper.EnvFrom = concat(lower.EnvFrom, upper.EnvFrom)
	upper.Ports = concat(lower.Ports, upper.Ports)
	upper.VolumeDevices = concat(lower.VolumeDevices, upper.VolumeDevices)
	return overlay(lower, upper)
}

// reconcileInit keeps the order of the lower list and puts at its end what only
// the upper one has.
func reconcileInit(lower, upper []corev1.Container) []corev1.Container {
	if len(lower) == 0 {
		return upper
	}
	above := make(map[string]corev1.Container, len(upper))
	for _, c := range upper {
		above[c.Name] = c
	}
	out, met := make([]corev1.Container, 0, len(lower)+len(upper)), map[string]bool{}
	for _, c := range lower {
		if top, ok := above[c.Name]; ok && !met[c.Name] {
			c = reconcileContainer(c, top)
			met[c.Name] = true
		}
		out = append(out, c)
	}
	for _, c := range upper {
		if !met[c.Name] {
			out = append(out, c)
		}
	}
	return out
}

// overlay returns upper with lower's fields where upper's are not set. It does
// not look into fields: an object replaces the object below it.
func overlay[T any](lower, upper T) T {
	from, to := reflect.ValueOf(lower), reflect.ValueOf(&upper).Elem()
	for i := range to.NumField() {
		if isUnset(to.Field(i)) {
			to.Field(i).Set(from.Field(i))
		}
	}
	return upper
}

func isUnset(v reflect.Value) bool {
	if k := v.Kind(); k == reflect.Slice || k == reflect.Map {
		return v.Len() == 0
	}
	return v.IsZero()
}

func joinMaps(lower, upper map[string]string) map[string]string {
	out := maps.Clone(lower)
	if out == nil {
		out = make(map[string]string, len(upper))
	}
	maps.Copy(out, upper)
	return out
}

// concat never shares its arguments' memory.
func concat[T any](a, b []T) []T {
	if len(a)+len(b) == 0 {
		return nil
	}
	return append(append(make([]T, 0, len(a)+len(b)), a...), b...)
}
