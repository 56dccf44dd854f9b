package podspec

import (
	"fmt"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"dagwright/dag"
)

// checkForm finds what Kubernetes would refuse when the pod is created, as far
// as people get it wrong: names, labels, mounts. Found here it is an error of the
// spec, before any run.
func (k checker) checkForm(pod *corev1.Pod) {
	k.checkLabels(pod)
	k.checkContainerNames(pod)
	volumes := k.checkVolumes(pod)
	eachContainer(pod, func(path string, c *corev1.Container) {
		k.checkMounts(path, c, volumes)
		k.checkEnv(path, c)
		k.checkCommand(path, c)
	})
	for _, f := range []struct{ path, value string }{
		{"spec.hostname", pod.Spec.Hostname}, {"spec.subdomain", pod.Spec.Subdomain},
	} {
		if f.value != "" && !k.unknown(f.value) && len(validation.IsDNS1123Label(f.value)) > 0 {
			k.bad(f.path, "%s: want at most 63 lower-case letters, digits and '-'", clip(f.value))
		}
	}
}

func (k checker) checkLabels(pod *corev1.Pod) {
	for _, name := range sortedKeys(pod.Labels) {
		value, path := pod.Labels[name], "metadata.labels."+name
		if len(validation.IsQualifiedName(name)) > 0 {
			k.bad(path, "%s is not the key of a label; want letters, digits, '-', '_' and '.', perhaps after a domain and '/'",
				clip(name))
		}
		if !k.unknown(value) && len(validation.IsValidLabelValue(value)) > 0 {
			k.bad(path, "%s is not the value of a label; want at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends",
				clip(value))
		}
	}
	for _, name := range sortedKeys(pod.Annotations) {
		if len(validation.IsQualifiedName(strings.ToLower(name))) > 0 {
			k.bad("metadata.annotations."+name,
				"%s is not the key of an annotation; want letters, digits, '-', '_' and '.', perhaps after a domain and '/'",
				clip(name))
		}
	}
	k.checkOwnMarks(pod)
}

func (k checker) checkContainerNames(pod *corev1.Pod) {
	seen := map[string]bool{}
	eachContainer(pod, func(path string, c *corev1.Container) {
		switch {
		case k.unknown(c.Name):
			return
		case len(validation.IsDNS1123Label(c.Name)) > 0:
			k.bad(path+".name", "container name %s: want at most 63 lower-case letters, digits and '-'", clip(c.Name))
		case seen[c.Name]:
			k.bad(path+".name",
				"container name %s is taken already; the task's own container is the first one, whatever the template calls it",
				clip(c.Name))
		}
		seen[c.Name] = true
	})
}

func (k checker) checkVolumes(pod *corev1.Pod) map[string]bool {
	seen := map[string]bool{}
	for i, v := range pod.Spec.Volumes {
		path := fmt.Sprintf("spec.volumes[%d]", i)
		switch {
		case k.unknown(v.Name):
		case len(validation.IsDNS1123Label(v.Name)) > 0:
			k.bad(path, "volume name %s: want at most 63 lower-case letters, digits and '-'", clip(v.Name))
		case seen[v.Name]:
			k.bad(path, "volume name %s is taken already", clip(v.Name))
		}
		seen[v.Name] = true
		// Pod Security's checks look at one source and rely on there being no other.
		if n := countSet(v.VolumeSource); n != 1 {
			k.bad(path, "volume %s has %d sources; want exactly one, such as emptyDir: {}", clip(v.Name), n)
		}
	}
	return seen
}

// countSet counts the fields of a struct that are set.
func countSet(s any) int {
	v, n := reflect.ValueOf(s), 0
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			n++
		}
	}
	return n
}

func (k checker) checkMounts(path string, c *corev1.Container, volumes map[string]bool) {
	seen := map[string]bool{}
	for i, m := range c.VolumeMounts {
		at := fmt.Sprintf("%s.volumeMounts[%d]", path, i)
		switch {
		case k.unknown(m.Name) || k.unknown(m.MountPath):
		case !volumes[m.Name] && !k.anyUnknown(volumes):
			k.bad(at, "there is no volume %s; the pod's volumes are %s", clip(m.Name), listed(sortedKeys(volumes)))
		case m.MountPath == "":
			k.bad(at, "a mount needs mountPath")
		case seen[m.MountPath]:
			k.bad(at, "something is mounted at %s already", clip(m.MountPath))
		}
		seen[m.MountPath] = true
	}
}

func (k checker) anyUnknown(names map[string]bool) bool {
	for name := range names {
		if k.unknown(name) {
			return true
		}
	}
	return false
}

// nul is the character that no program can be given.
const nul = "\x00"

func (k checker) checkEnv(path string, c *corev1.Container) {
	for i, v := range c.Env {
		k.checkVariable(k.place(fmt.Sprintf("%s.env[%d]", path, i)), v.Name, v.Value)
	}
}

// checkGivenEnv holds the variables that come with an attempt: a name may have
// been rendered, a value be of the run's conf.
func (k checker) checkGivenEnv(env []dag.EnvVar) {
	for _, v := range env {
		k.checkVariable("env_vars", v.Name, v.Value)
	}
}

func (k checker) checkVariable(place, name, value string) {
	if !k.unknown(name) && len(validation.IsRelaxedEnvVarName(name)) > 0 {
		k.add(place, "%s is not a name for an environment variable", clip(name))
	}
	if strings.Contains(value, nul) {
		k.add(place, "the value of variable %s holds a NUL character", clip(name))
	}
}

func (k checker) checkCommand(path string, c *corev1.Container) {
	if strings.Contains(strings.Join(c.Args, ""), nul) {
		k.bad(path+".args", "holds a NUL character")
	}
	if strings.Contains(strings.Join(c.Command, ""), nul) {
		k.bad(path+".command", "holds a NUL character")
	}
}
