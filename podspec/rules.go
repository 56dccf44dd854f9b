package podspec

import (
	"fmt"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
)

// checker checks a merged pod against the instance's policy.
type checker struct {
	*faults
	policy Policy
	// namespace is the instance's own.
	namespace string
	place     func(path string) string
	// templates says that strings have not been rendered yet.
	templates bool
}

// unknown reports whether only rendering can tell what a string is.
func (k checker) unknown(s string) bool { return k.templates && isTemplate(s) }

// bad reports a fault of a path in the merged pod.
func (k checker) bad(path, format string, args ...any) { k.add(k.place(path), format, args...) }

// check asks every rule.
func (k checker) check(pod *corev1.Pod) {
	k.checkReserved(pod)
	k.checkNamespace(pod)
	k.checkAccount(pod)
	k.checkImages(pod)
	k.checkReferences(pod)
	k.checkResources(pod)
	k.checkNodes(pod)
	k.checkFields(pod)
	k.checkOutside(pod)
	k.checkSecurity(pod)
	k.checkForm(pod)
}

// eachContainer visits the init containers and the containers of a pod with
// their paths.
func eachContainer(pod *corev1.Pod, visit func(path string, c *corev1.Container)) {
	for i := range pod.Spec.InitContainers {
		visit(fmt.Sprintf("spec.initContainers[%d]", i), &pod.Spec.InitContainers[i])
	}
	for i := range pod.Spec.Containers {
		visit(fmt.Sprintf("spec.containers[%d]", i), &pod.Spec.Containers[i])
	}
}

// checkReserved refuses what no spec may set, whatever the policy says.
func (k checker) checkReserved(pod *corev1.Pod) {
	s := pod.Spec
	if s.RestartPolicy != corev1.RestartPolicyNever {
		k.bad("spec.restartPolicy", "%s: a task's pod is never restarted (retries are the task's); remove it or write Never",
			clip(string(s.RestartPolicy)))
	}
	if s.NodeName != "" {
		k.bad("spec.nodeName",
			"a pod must not choose its node past the scheduler; select nodes with node_selector or affinity")
	}
	if s.DeprecatedServiceAccount != "" {
		k.bad("spec.serviceAccount", "is no longer in use; write serviceAccountName")
	}
	if len(s.EphemeralContainers) > 0 {
		k.bad("spec.ephemeralContainers", "must not be set: they are added to running pods only")
	}
	if s.OS != nil && s.OS.Name != corev1.Linux {
		k.bad("spec.os", "%s: only linux is supported", clip(string(s.OS.Name)))
	}
	if s.ActiveDeadlineSeconds != nil && *s.ActiveDeadlineSeconds < 1 {
		k.bad("spec.activeDeadlineSeconds", "must be at least 1; leave it out for no deadline")
	}
	if s.TerminationGracePeriodSeconds != nil && *s.TerminationGracePeriodSeconds < 0 {
		k.bad("spec.terminationGracePeriodSeconds", "must not be negative")
	}
}

func (k checker) checkNamespace(pod *corev1.Pod) {
	if ns := pod.Namespace; ns != k.namespace && !Allows(k.policy.Namespaces, ns) && !k.unknown(ns) {
		k.bad("metadata.namespace", "namespace %s: not in the instance's namespaces %s", clip(ns),
			listed(append([]string{k.namespace}, k.policy.Namespaces...)))
	}
}

// defaultAccount is the service account of a pod that names none.
const defaultAccount = "default"

func (k checker) checkAccount(pod *corev1.Pod) {
	account, allowed := pod.Spec.ServiceAccountName, k.policy.ServiceAccounts
	if allowed == nil {
		allowed = []string{defaultAccount}
	}
	switch {
	case account == "" && !Allows(allowed, defaultAccount):
		k.add("service_account_name", "is not set, so that the pod would run as %q; the instance's service accounts are %s",
			defaultAccount, listed(allowed))
	case account != "" && !Allows(allowed, account) && !k.unknown(account):
		k.bad("spec.serviceAccountName", "service account %s: not in the instance's service accounts %s", clip(account),
			listed(allowed))
	}
	if k.policy.ServiceAccountToken {
		return
	}
	if token := pod.Spec.AutomountServiceAccountToken; token != nil && *token {
		k.bad("spec.automountServiceAccountToken",
			"the instance gives pods no token of their service account; remove it or write false")
	}
	for i, v := range pod.Spec.Volumes {
		if v.Projected == nil {
			continue
		}
		for j, source := range v.Projected.Sources {
			if source.ServiceAccountToken != nil || source.PodCertificate != nil {
				k.bad(fmt.Sprintf("spec.volumes[%d].projected.sources[%d]", i, j),
					"the instance gives pods no token or certificate of their service account; remove it")
			}
		}
	}
}

func (k checker) checkImages(pod *corev1.Pod) {
	eachContainer(pod, func(path string, c *corev1.Container) { k.checkImage(path+".image", c.Image) })
	for i, v := range pod.Spec.Volumes {
		if v.Image != nil {
			k.checkImage(fmt.Sprintf("spec.volumes[%d].image.reference", i), v.Image.Reference)
		}
	}
}

func (k checker) checkImage(path, image string) {
	if k.unknown(image) {
		return
	}
	if image == "" {
		k.bad(path, "a container needs an image")
		return
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		k.bad(path, "image %s: %s; want a reference such as registry.example.com/gbc/model:1.2", clip(image), err)
		return
	}
	if k.policy.Registries != nil && !fromRegistry(k.policy.Registries, named.Name()) {
		k.bad(path, "image %s: not in the instance's registries %s", clip(image), listed(k.policy.Registries))
	}
}

// checkNodes is about how a pod finds its node.
func (k checker) checkNodes(pod *corev1.Pod) {
	s := pod.Spec
	for _, label := range sortedKeys(s.NodeSelector) {
		path := "spec.nodeSelector." + label
		if forced, ok := k.policy.NodeSelector[label]; ok {
			if value := s.NodeSelector[label]; value != forced && !k.unknown(value) {
				k.bad(path, "%s: the instance's node selector wants %s", clip(value), clip(forced))
			}
			continue
		}
		k.checkNodeLabel(path, label)
	}
	if s.Affinity != nil && s.Affinity.NodeAffinity != nil {
		k.checkNodeAffinity(s.Affinity.NodeAffinity)
	}
	for i, t := range s.Tolerations {
		if k.policy.Tolerations != nil && !Allows(k.policy.Tolerations, t.Key) && !k.unknown(t.Key) {
			k.bad(fmt.Sprintf("spec.tolerations[%d]", i), "taint %s: not in the instance's tolerations %s", clip(t.Key),
				listed(k.policy.Tolerations))
		}
	}
}

func (k checker) checkNodeLabel(path, label string) {
	if k.policy.NodeLabels != nil && !Allows(k.policy.NodeLabels, label) {
		k.bad(path, "node label %s: not in the instance's node labels %s", clip(label), listed(k.policy.NodeLabels))
	}
}

func (k checker) checkNodeAffinity(a *corev1.NodeAffinity) {
	const path = "spec.affinity.nodeAffinity"
	if required := a.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
		for i, term := range required.NodeSelectorTerms {
			k.checkTerm(fmt.Sprintf("%s.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[%d]", path, i), term)
		}
	}
	for i, preferred := range a.PreferredDuringSchedulingIgnoredDuringExecution {
		k.checkTerm(fmt.Sprintf("%s.preferredDuringSchedulingIgnoredDuringExecution[%d].preference", path, i),
			preferred.Preference)
	}
}

func (k checker) checkTerm(path string, term corev1.NodeSelectorTerm) {
	for i, e := range term.MatchExpressions {
		k.checkNodeLabel(fmt.Sprintf("%s.matchExpressions[%d]", path, i), e.Key)
	}
	if len(term.MatchFields) > 0 {
		k.bad(path+".matchFields", "a pod must not choose its node by name; select nodes by their labels")
	}
}
