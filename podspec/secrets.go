package podspec

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"dagwright/dag"
)

// secret is one of Airflow's Secret objects
// (airflow.providers.cncf.kubernetes.secret.Secret).
type secret struct {
	DeployType   string             `json:"deploy_type"`
	DeployTarget string             `json:"deploy_target"`
	Secret       string             `json:"secret"`
	Key          string             `json:"key"`
	Items        []corev1.KeyToPath `json:"items"`
}

// addSecrets gives the base container the secrets that the task refers to: as
// one variable, as a variable for each key, or as files.
func (o *operatorPod) addSecrets(t dag.Task) {
	var secrets []secret
	if v, ok := t.Pod["secrets"]; !ok || !o.decode("secrets", v, &secrets) {
		return
	}
	for i, s := range secrets {
		o.addSecret(i, s)
	}
}

func (o *operatorPod) addSecret(i int, s secret) {
	argument := fmt.Sprintf("secrets[%d]", i)
	ref := corev1.LocalObjectReference{Name: s.Secret}
	switch {
	case s.DeployType == "volume" && s.DeployTarget == "":
		o.faults.add(argument, "a secret as a volume needs deploy_target, the folder of its files")
	case s.DeployType == "volume": // a key means nothing here, as in Airflow
		o.addSecretVolume(i, s)
	case len(s.Items) > 0:
		o.faults.add(argument+".items", "means nothing for variables; it chooses the files of a volume")
	case s.DeployTarget == "" && s.Key != "":
		o.faults.add(argument, "a secret's key needs deploy_target, the name of its variable")
	case s.Key == "": // all of it, whatever the target says, as in Airflow
		o.addEnvFrom(argument, corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: ref}})
	default:
		c := base(o.pod)
		o.places[fmt.Sprintf("%s.env[%d]", basePath, len(c.Env))] = argument
		c.Env = append(c.Env, corev1.EnvVar{
			// Airflow writes these names in capitals, too.
			Name:      strings.ToUpper(s.DeployTarget),
			ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: ref, Key: s.Key}},
		})
	}
}

// addSecretVolume mounts a secret. Airflow gives the volume a random name; here
// it has the same one each time.
func (o *operatorPod) addSecretVolume(i int, s secret) {
	name := fmt.Sprintf("secretvol-%d", i)
	argument := fmt.Sprintf("secrets[%d]", i)
	o.places[fmt.Sprintf("spec.volumes[%d]", len(o.pod.Spec.Volumes))] = argument
	o.pod.Spec.Volumes = append(o.pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: s.Secret, Items: s.Items},
	}})
	c := base(o.pod)
	o.places[fmt.Sprintf("%s.volumeMounts[%d]", basePath, len(c.VolumeMounts))] = argument
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: s.DeployTarget, ReadOnly: true})
}
