package podspec

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// checkReferences holds the secrets and config maps that a pod refers to.
func (k checker) checkReferences(pod *corev1.Pod) {
	eachContainer(pod, k.checkContainerReferences)
	for i, v := range pod.Spec.Volumes {
		k.checkVolumeReferences(fmt.Sprintf("spec.volumes[%d]", i), v.VolumeSource)
	}
	for i, ref := range pod.Spec.ImagePullSecrets {
		k.checkSecret(fmt.Sprintf("spec.imagePullSecrets[%d]", i), ref.Name)
	}
}

func (k checker) checkContainerReferences(path string, c *corev1.Container) {
	for i, v := range c.Env {
		at := fmt.Sprintf("%s.env[%d]", path, i)
		if v.ValueFrom == nil {
			continue
		}
		if ref := v.ValueFrom.SecretKeyRef; ref != nil {
			k.checkSecret(at, ref.Name)
		}
		if ref := v.ValueFrom.ConfigMapKeyRef; ref != nil {
			k.checkConfigMap(at, ref.Name)
		}
	}
	for i, from := range c.EnvFrom {
		at := fmt.Sprintf("%s.envFrom[%d]", path, i)
		if from.SecretRef != nil {
			k.checkSecret(at, from.SecretRef.Name)
		}
		if from.ConfigMapRef != nil {
			k.checkConfigMap(at, from.ConfigMapRef.Name)
		}
	}
}

func (k checker) checkVolumeReferences(path string, v corev1.VolumeSource) {
	if v.Secret != nil {
		k.checkSecret(path, v.Secret.SecretName)
	}
	if v.ConfigMap != nil {
		k.checkConfigMap(path, v.ConfigMap.Name)
	}
	if v.CSI != nil && v.CSI.NodePublishSecretRef != nil {
		k.checkSecret(path, v.CSI.NodePublishSecretRef.Name)
	}
	if v.Projected == nil {
		return
	}
	for i, source := range v.Projected.Sources {
		at := fmt.Sprintf("%s.projected.sources[%d]", path, i)
		if source.Secret != nil {
			k.checkSecret(at, source.Secret.Name)
		}
		if source.ConfigMap != nil {
			k.checkConfigMap(at, source.ConfigMap.Name)
		}
	}
}

func (k checker) checkSecret(path, name string) {
	k.checkReference(path, "secret", name, k.policy.Secrets)
}

func (k checker) checkConfigMap(path, name string) {
	k.checkReference(path, "config map", name, k.policy.ConfigMaps)
}

func (k checker) checkReference(path, what, name string, allowed []string) {
	switch {
	case name == "":
		k.bad(path, "a reference to a %s needs its name", what)
	case allowed != nil && !Allows(allowed, name) && !k.unknown(name):
		k.bad(path, "%s %s: not in the instance's %ss %s", what, clip(name), what, listed(allowed))
	}
}
