package podspec

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
)

// names is what an instance allows of one kind of name.
type names struct {
	key     string // in the policy
	what    string // one of them, for people
	allowed []string
}

// checkName refuses a name that the instance does not allow. A list that is left
// out allows nothing under Pod Security "restricted", and anything otherwise.
func (k checker) checkName(path, name string, n names) {
	open := n.allowed == nil && k.policy.level() != api.LevelRestricted
	if name == "" || open || Allows(n.allowed, name) || k.unknown(name) {
		return
	}
	k.bad(path, "%s %s: not in the instance's %s %s", n.what, clip(name), strings.ReplaceAll(n.key, "_", " "),
		listed(n.allowed))
}

// checkOutside checks what a pod names outside of itself against the policy's
// lists: drivers, claims, classes, schedulers, and the labels and annotations by
// which others in the cluster act on it.
func (k checker) checkOutside(pod *corev1.Pod) {
	p, s := k.policy, pod.Spec
	if s.RuntimeClassName != nil {
		k.checkName("spec.runtimeClassName", *s.RuntimeClassName, names{"runtime_classes", "runtime class", p.RuntimeClasses})
	}
	if s.SchedulerName != corev1.DefaultSchedulerName {
		k.checkName("spec.schedulerName", s.SchedulerName, names{"schedulers", "scheduler", p.Schedulers})
	}
	k.checkName("spec.priorityClassName", s.PriorityClassName,
		names{"priority_classes", "priority class", p.PriorityClasses})
	for i, c := range s.ResourceClaims {
		for _, name := range []*string{c.ResourceClaimName, c.ResourceClaimTemplateName} {
			if name != nil {
				k.checkName(fmt.Sprintf("spec.resourceClaims[%d]", i), *name,
					names{"resource_claims", "resource claim", p.ResourceClaims})
			}
		}
	}
	for i := range s.Volumes {
		k.checkVolumeNames(fmt.Sprintf("spec.volumes[%d]", i), s.Volumes[i].VolumeSource)
	}
	k.checkMetadata(pod)
	k.checkProfiles(pod)
	k.checkNeighbours(s)
}

func (k checker) checkVolumeNames(path string, v corev1.VolumeSource) {
	p := k.policy
	if v.PersistentVolumeClaim != nil {
		k.checkName(path, v.PersistentVolumeClaim.ClaimName, names{"volume_claims", "volume claim", p.VolumeClaims})
	}
	if v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil {
		if class := v.Ephemeral.VolumeClaimTemplate.Spec.StorageClassName; class != nil {
			k.checkName(path, *class, names{"storage_classes", "storage class", p.StorageClasses})
		}
	}
	if v.CSI == nil {
		return
	}
	k.checkName(path, v.CSI.Driver, names{"csi_drivers", "CSI driver", p.CSIDrivers})
	for _, key := range sortedKeys(v.CSI.VolumeAttributes) {
		k.checkName(path, key+"="+v.CSI.VolumeAttributes[key], names{"csi_attributes", "CSI attribute", p.CSIAttributes})
	}
}

// checkMetadata is about the labels that services and NetworkPolicies select pods
// by, and the annotations that make others change a pod.
func (k checker) checkMetadata(pod *corev1.Pod) {
	for _, name := range sortedKeys(pod.Labels) {
		if !slices.Contains(identityLabels, name) && !strings.HasPrefix(name, ownPrefix) { // those have a rule of their own
			k.checkName("metadata.labels."+name, name, names{"labels", "label", k.policy.Labels})
		}
	}
	for _, name := range sortedKeys(pod.Annotations) {
		if !strings.HasPrefix(name, ownPrefix) {
			k.checkName("metadata.annotations."+name, name, names{"annotations", "annotation", k.policy.Annotations})
		}
	}
}

// checkProfiles is about profiles of seccomp and AppArmor that are files of a node.
func (k checker) checkProfiles(pod *corev1.Pod) {
	check := func(path string, seccomp *corev1.SeccompProfile, armor *corev1.AppArmorProfile) {
		list := names{"node_profiles", "profile", k.policy.NodeProfiles}
		if seccomp != nil && seccomp.LocalhostProfile != nil {
			k.checkName(path+".seccompProfile", *seccomp.LocalhostProfile, list)
		}
		if armor != nil && armor.LocalhostProfile != nil {
			k.checkName(path+".appArmorProfile", *armor.LocalhostProfile, list)
		}
	}
	if c := pod.Spec.SecurityContext; c != nil {
		check("spec.securityContext", c.SeccompProfile, c.AppArmorProfile)
	}
	eachContainer(pod, func(path string, c *corev1.Container) {
		if c.SecurityContext != nil {
			check(path+".securityContext", c.SecurityContext.SeccompProfile, c.SecurityContext.AppArmorProfile)
		}
	})
}

// checkNeighbours is about pods beside which a pod wants to be, or not: their
// namespaces, and the labels of nodes that tell what "beside" means. Nobody may
// keep others' pods from more than one node.
func (k checker) checkNeighbours(s corev1.PodSpec) {
	for i, c := range s.TopologySpreadConstraints {
		k.checkNodeLabel(fmt.Sprintf("spec.topologySpreadConstraints[%d]", i), c.TopologyKey)
	}
	if s.Affinity == nil {
		return
	}
	term := func(path string, t corev1.PodAffinityTerm) {
		k.checkNodeLabel(path, t.TopologyKey)
		for _, ns := range t.Namespaces {
			if ns != k.namespace && !Allows(k.policy.Namespaces, ns) && !k.unknown(ns) {
				k.bad(path, "namespace %s: not in the instance's namespaces %s", clip(ns),
					listed(append([]string{k.namespace}, k.policy.Namespaces...)))
			}
		}
	}
	if a := s.Affinity.PodAffinity; a != nil {
		eachTerm("spec.affinity.podAffinity", a.RequiredDuringSchedulingIgnoredDuringExecution,
			a.PreferredDuringSchedulingIgnoredDuringExecution, term)
	}
	if a := s.Affinity.PodAntiAffinity; a != nil {
		eachTerm("spec.affinity.podAntiAffinity", a.RequiredDuringSchedulingIgnoredDuringExecution,
			a.PreferredDuringSchedulingIgnoredDuringExecution, term)
		for i, t := range a.RequiredDuringSchedulingIgnoredDuringExecution {
			if k.policy.level() == api.LevelRestricted && t.TopologyKey != corev1.LabelHostname && !k.unknown(t.TopologyKey) {
				k.bad(fmt.Sprintf("spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[%d].topologyKey",
					i),
					"%s: a pod may keep others from its node only, which is %s", clip(t.TopologyKey), corev1.LabelHostname)
			}
		}
	}
}

// eachTerm visits the terms of an affinity to pods.
func eachTerm(path string, required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm,
	visit func(string, corev1.PodAffinityTerm)) {
	for i, t := range required {
		visit(fmt.Sprintf("%s.requiredDuringSchedulingIgnoredDuringExecution[%d]", path, i), t)
	}
	for i, t := range preferred {
		visit(fmt.Sprintf("%s.preferredDuringSchedulingIgnoredDuringExecution[%d].podAffinityTerm", path, i),
			t.PodAffinityTerm)
	}
}
