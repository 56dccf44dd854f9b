package podspec

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// checkSecurity holds a pod against the policy's Pod Security level with
// Kubernetes' own checks, in their latest version. They are asked about one part
// of the pod at a time, so that a fault has a place.
func (k checker) checkSecurity(pod *corev1.Pod) {
	level := k.policy.level()
	if level == api.LevelPrivileged {
		return
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		k.add("", "Pod Security cannot be checked: %s", err)
		return
	}
	ask := func(metadata metav1.ObjectMeta, spec corev1.PodSpec) []policy.CheckResult {
		// With user namespaces Kubernetes would let a container be root. A cluster
		// without them ignores the field, and root would then be root.
		spec.HostUsers = nil
		var bad []policy.CheckResult
		for _, r := range evaluator.EvaluatePod(api.LevelVersion{Level: level, Version: api.LatestVersion()}, &metadata, &spec) {
			if !r.Allowed {
				bad = append(bad, r)
			}
		}
		return bad
	}
	found := false
	told := map[string]bool{}
	for _, part := range securityParts(pod) {
		for _, r := range ask(part.metadata, part.spec) {
			found = true
			if part.container && told[r.ForbiddenReason] {
				continue // the pod's own, which each container inherits
			}
			told[r.ForbiddenReason] = told[r.ForbiddenReason] || !part.container
			k.add(k.place(part.path), "Pod Security %q forbids it: %s", level, describe(r))
		}
	}
	if found {
		return
	}
	for _, r := range ask(pod.ObjectMeta, pod.Spec) {
		k.add("", "Pod Security %q forbids the pod: %s", level, describe(r))
	}
}

func describe(r policy.CheckResult) string {
	if r.ForbiddenDetail == "" {
		return r.ForbiddenReason
	}
	return fmt.Sprintf("%s (%s)", r.ForbiddenReason, r.ForbiddenDetail)
}

// securityPart is a pod with nothing in it but one part of another.
type securityPart struct {
	path      string
	metadata  metav1.ObjectMeta
	spec      corev1.PodSpec
	container bool
}

// securityParts takes a pod apart; what holds for the whole pod comes before its
// containers.
func securityParts(pod *corev1.Pod) []securityPart {
	s := pod.Spec
	parts := []securityPart{
		{path: "metadata.annotations", metadata: metav1.ObjectMeta{Annotations: pod.Annotations}},
		{path: "spec.hostNetwork", spec: corev1.PodSpec{HostNetwork: s.HostNetwork}},
		{path: "spec.hostPID", spec: corev1.PodSpec{HostPID: s.HostPID}},
		{path: "spec.hostIPC", spec: corev1.PodSpec{HostIPC: s.HostIPC}},
		{path: "spec.securityContext", spec: corev1.PodSpec{SecurityContext: s.SecurityContext}},
	}
	for i, v := range s.Volumes {
		parts = append(parts, securityPart{
			path: fmt.Sprintf("spec.volumes[%d]", i),
			spec: corev1.PodSpec{Volumes: []corev1.Volume{v}},
		})
	}
	eachContainer(pod, func(path string, c *corev1.Container) {
		add := func(field string, part corev1.Container) {
			part.Name = c.Name
			if part.SecurityContext == nil {
				part.SecurityContext = restrictedContext()
			}
			parts = append(parts, securityPart{path: path + field, container: true, spec: corev1.PodSpec{
				SecurityContext: s.SecurityContext, Containers: []corev1.Container{part},
			}})
		}
		add(".securityContext", corev1.Container{SecurityContext: c.SecurityContext})
		add(".ports", corev1.Container{Ports: c.Ports})
		add(".livenessProbe", corev1.Container{LivenessProbe: c.LivenessProbe})
		add(".readinessProbe", corev1.Container{ReadinessProbe: c.ReadinessProbe})
		add(".startupProbe", corev1.Container{StartupProbe: c.StartupProbe})
		add(".lifecycle", corev1.Container{Lifecycle: c.Lifecycle})
	})
	return parts
}

// restrictedContext is a container's security context that no level minds.
func restrictedContext() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		RunAsNonRoot:             new(true),
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}
