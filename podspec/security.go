package podspec

import (
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// evaluator holds Kubernetes' own checks, which have no state.
var evaluator = sync.OnceValues(func() (policy.Evaluator, error) {
	return policy.NewEvaluator(policy.DefaultChecks(), nil)
})

// checkSecurity checks a pod against the policy's Pod Security level, in its
// latest version. A pod that breaks it is checked part by part, so that each
// fault has a place.
func (k checker) checkSecurity(pod *corev1.Pod) {
	whole := k.violations(pod.ObjectMeta, pod.Spec)
	if len(whole) == 0 {
		return
	}
	found := false
	ofPod := map[string]bool{}
	for _, part := range securityParts(pod) {
		for _, r := range k.violations(part.metadata, part.spec) {
			if part.container && ofPod[r.ForbiddenReason] {
				continue // each container inherits the pod's own
			}
			found, ofPod[r.ForbiddenReason] = true, ofPod[r.ForbiddenReason] || !part.container
			k.bad(part.path, "Pod Security %q forbids it: %s", k.policy.level(), describe(r))
		}
	}
	if found {
		return
	}
	for _, r := range whole {
		k.add("", "Pod Security %q forbids the pod: %s", k.policy.level(), describe(r))
	}
}

// violations asks Kubernetes' checks about a pod.
func (k checker) violations(metadata metav1.ObjectMeta, spec corev1.PodSpec) []policy.CheckResult {
	all, err := evaluator()
	if err != nil {
		return []policy.CheckResult{{ForbiddenReason: "it cannot be checked", ForbiddenDetail: err.Error()}}
	}
	// With user namespaces Kubernetes would let a container be root. A cluster
	// without them ignores the field, and root would then be root.
	spec.HostUsers = nil
	spec.EphemeralContainers = nil // refused in any case
	var bad []policy.CheckResult
	for _, r := range all.EvaluatePod(api.LevelVersion{Level: k.policy.level(), Version: api.LatestVersion()},
		&metadata, &spec) {
		if !r.Allowed {
			bad = append(bad, r)
		}
	}
	return bad
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
