package podspec

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// checkResources checks what a pod asks for against the policy, and its requests
// against its limits.
func (k checker) checkResources(pod *corev1.Pod) {
	whole := pod.Spec.Resources
	eachContainer(pod, func(path string, c *corev1.Container) {
		k.checkRequests(path+".resources", c.Resources)
		k.checkRequired(path+".resources", c, whole)
	})
	if whole != nil {
		k.checkRequests("spec.resources", *whole)
	}
	if len(k.policy.MaxResources) == 0 {
		return
	}
	k.checkCeilings(pod)
	if len(pod.Spec.ResourceClaims) > 0 {
		k.bad("spec.resourceClaims", "the instance has ceilings for resources, which claims would pass by; remove them")
	}
}

// checkRequests holds Kubernetes' rule that a limit covers its request.
func (k checker) checkRequests(path string, r corev1.ResourceRequirements) {
	for _, name := range sortedKeys(r.Requests) {
		request := r.Requests[name]
		limit, ok := r.Limits[name]
		if ok && !isPending(request) && !isPending(limit) && request.Cmp(limit) > 0 {
			k.bad(path, "requests %s of %s, but its limit is %s; a request must not be above its limit", request.String(), name,
				limit.String())
		}
	}
}

// checkRequired wants the limits and requests that the policy requires, from the
// container or for the whole pod.
func (k checker) checkRequired(path string, c *corev1.Container, whole *corev1.ResourceRequirements) {
	if whole == nil {
		whole = &corev1.ResourceRequirements{}
	}
	for _, name := range k.policy.RequireLimits {
		if !has(name, c.Resources.Limits, whole.Limits) {
			k.bad(path, "container %s has no limit of %s; the instance requires one: limits: {%s: …}", clip(c.Name), name, name)
		}
	}
	for _, name := range k.policy.RequireRequests {
		if !has(name, c.Resources.Requests, c.Resources.Limits, whole.Requests, whole.Limits) {
			k.bad(path, "container %s has no request of %s; the instance requires one: requests: {%s: …}", clip(c.Name),
				name, name)
		}
	}
}

func has(name string, lists ...corev1.ResourceList) bool {
	for _, list := range lists {
		if _, ok := list[corev1.ResourceName(name)]; ok {
			return true
		}
	}
	return false
}

// checkCeilings adds up what a pod asks for.
func (k checker) checkCeilings(pod *corev1.Pod) {
	for _, name := range sortedKeys(k.policy.MaxResources) {
		most, err := resource.ParseQuantity(k.policy.MaxResources[name])
		if err != nil {
			k.add("", "the instance's max_resources.%s is not a quantity", name)
			continue
		}
		for _, kind := range []string{"limits", "requests"} {
			amount := func(r corev1.ResourceRequirements) resource.Quantity {
				if kind == "limits" {
					return r.Limits[corev1.ResourceName(name)]
				}
				return r.Requests[corev1.ResourceName(name)]
			}
			if sum := containersTotal(pod, amount); sum.Cmp(most) > 0 {
				k.bad(basePath+".resources", "%s of the pod's containers come to %s of %s; the instance allows %s at most", kind,
					sum.String(), name, most.String())
			}
			if whole := pod.Spec.Resources; whole != nil {
				if own := known(amount(*whole)); own.Cmp(most) > 0 {
					k.bad("spec.resources", "%s of the pod are %s of %s; the instance allows %s at most", kind, own.String(), name,
						most.String())
				}
			}
		}
	}
}

// containersTotal adds up one amount as Kubernetes' scheduler does: the
// containers and the restartable init containers run together, each other init
// container alone after the restartable ones that stand before it.
func containersTotal(pod *corev1.Pod, amount func(corev1.ResourceRequirements) resource.Quantity) resource.Quantity {
	var sidecars, most resource.Quantity
	for _, c := range pod.Spec.InitContainers {
		own := known(amount(c.Resources))
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			sidecars.Add(own)
			own = resource.Quantity{}
		}
		own.Add(sidecars)
		most = larger(most, own)
	}
	together := sidecars.DeepCopy()
	for _, c := range pod.Spec.Containers {
		together.Add(known(amount(c.Resources)))
	}
	return larger(most, together)
}

func larger(a, b resource.Quantity) resource.Quantity {
	if b.Cmp(a) > 0 {
		return b
	}
	return a
}

// isPending reports whether a quantity stands for one that only rendering can
// tell.
func isPending(q resource.Quantity) bool { return q.Sign() < 0 }

// known counts a pending quantity as nothing.
func known(q resource.Quantity) resource.Quantity {
	if isPending(q) {
		return resource.Quantity{}
	}
	return q.DeepCopy()
}
