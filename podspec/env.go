package podspec

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"dagwright/dag"
)

// setEnv gives the containers their environment. The base container gets all of
// env, as it is and in its order, after what templates and references add; the
// other containers get what the run adds, its conf and context, and not the
// task's own variables. Init containers prepare the pod and keep to their own.
//
// A name that env has counts over the same name in a template or a reference.
func setEnv(pod *corev1.Pod, task, env []dag.EnvVar) {
	own := make(map[dag.EnvVar]bool, len(task))
	for _, v := range task {
		own[v] = true
	}
	var run []dag.EnvVar
	for _, v := range env {
		if !own[v] {
			run = append(run, v)
		}
	}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		if i == 0 {
			c.Env = withEnv(c.Env, env)
		} else {
			c.Env = withEnv(c.Env, run)
		}
	}
}

// withEnv adds literal variables to those of a spec. Of several with one name the
// last one stays, which is the one that counts in Kubernetes, too.
func withEnv(spec []corev1.EnvVar, env []dag.EnvVar) []corev1.EnvVar {
	all := make([]corev1.EnvVar, 0, len(spec)+len(env))
	all = append(all, spec...)
	for _, v := range env {
		all = append(all, corev1.EnvVar{Name: v.Name, Value: literal(v.Value)})
	}
	last := make(map[string]int, len(all))
	for i, v := range all {
		last[v.Name] = i
	}
	out := all[:0]
	for i, v := range all {
		if last[v.Name] == i {
			out = append(out, v)
		}
	}
	return out
}

// literal writes a value so that the container gets it as it is. Kubernetes puts
// other variables in for $(NAME) and makes one dollar sign of two.
func literal(value string) string {
	if strings.Contains(value, "$(") || strings.Contains(value, "$$") {
		return strings.ReplaceAll(value, "$", "$$")
	}
	return value
}
