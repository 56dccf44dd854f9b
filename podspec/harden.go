package podspec

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
)

// fill sets what a spec leaves open so that the pod keeps to the policy and ends
// as a task must. It changes nothing that the spec has set.
func (c Config) fill(pod *corev1.Pod) {
	if pod.Namespace == "" {
		pod.Namespace = c.Namespace
	}
	spec := &pod.Spec
	if spec.RestartPolicy == "" {
		spec.RestartPolicy = corev1.RestartPolicyNever
	}
	// Without this every service of the namespace adds variables.
	if spec.EnableServiceLinks == nil {
		spec.EnableServiceLinks = new(false)
	}
	if spec.AutomountServiceAccountToken == nil {
		spec.AutomountServiceAccountToken = new(false)
	}
	if spec.TerminationGracePeriodSeconds == nil && c.Grace > 0 {
		spec.TerminationGracePeriodSeconds = new(int64(c.Grace.Seconds()))
	}
	for name, value := range c.Policy.NodeSelector {
		if _, set := spec.NodeSelector[name]; !set {
			if spec.NodeSelector == nil {
				spec.NodeSelector = map[string]string{}
			}
			spec.NodeSelector[name] = value
		}
	}
	if c.Policy.level() == api.LevelRestricted {
		restrict(spec)
	}
}

// restrict fills in what Pod Security "restricted" wants to see written. The
// containers inherit what is set on the pod.
func restrict(spec *corev1.PodSpec) {
	if spec.SecurityContext == nil {
		spec.SecurityContext = &corev1.PodSecurityContext{}
	}
	s := spec.SecurityContext
	if s.RunAsNonRoot == nil {
		s.RunAsNonRoot = new(true)
	}
	if s.SeccompProfile == nil {
		s.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	for i := range spec.Containers {
		restrictContainer(&spec.Containers[i])
	}
	for i := range spec.InitContainers {
		restrictContainer(&spec.InitContainers[i])
	}
}

func restrictContainer(c *corev1.Container) {
	if c.SecurityContext == nil {
		c.SecurityContext = &corev1.SecurityContext{}
	}
	s := c.SecurityContext
	if s.AllowPrivilegeEscalation == nil {
		s.AllowPrivilegeEscalation = new(false)
	}
	if s.Capabilities == nil {
		s.Capabilities = &corev1.Capabilities{}
	}
	if len(s.Capabilities.Drop) == 0 {
		s.Capabilities.Drop = []corev1.Capability{"ALL"}
	}
}
