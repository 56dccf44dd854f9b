package podspec_test

import (
	"strings"
	"testing"

	"dagwright/dag"
	"dagwright/podspec"
)

func pod(spec string) string { return "pod_template_dict: {spec: {containers: [], " + spec + "}}" }

// TestOutside names things outside of the pod: under "restricted" each is refused
// unless the policy lists it, and an empty list refuses it at every level.
func TestOutside(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ list, name, fields, want string }{
		{"priority_classes", "system-cluster-critical", "priority_class_name: system-cluster-critical",
			`priority_class_name: priority class "system-cluster-critical": not in the instance's priority classes (none)`},
		{"runtime_classes", "fast", "runtime_class_name: fast",
			`runtime_class_name: runtime class "fast": not in the instance's runtime classes (none)`},
		{"schedulers", "mine", "schedulername: mine",
			`schedulername: scheduler "mine": not in the instance's schedulers (none)`},
		{"resource_claims", "gpu", pod("resourceClaims: [{name: a, resourceClaimName: gpu}]"),
			`resource claim "gpu": not in`},
		{"resource_claims", "gpus", pod("resourceClaims: [{name: a, resourceClaimTemplateName: gpus}]"),
			`resource claim "gpus": not in`},
		{"volume_claims", "others", "volumes: [{name: v, persistentVolumeClaim: {claimName: others}}]",
			`volumes[0]: volume claim "others": not in the instance's volume claims (none)`},
		{"storage_classes", "gold",
			"volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {storageClassName: gold, accessModes: [ReadWriteOnce]}}}}]",
			`storage class "gold": not in`},
		{"csi_drivers", "secrets-store.csi.k8s.io", "volumes: [{name: v, csi: {driver: secrets-store.csi.k8s.io}}]",
			`volumes[0]: CSI driver "secrets-store.csi.k8s.io": not in the instance's csi drivers (none)`},
		{"csi_attributes", "secretProviderClass=prod",
			"volumes: [{name: v, csi: {driver: d, volumeAttributes: {secretProviderClass: prod}}}]",
			`CSI attribute "secretProviderClass=prod": not in`},
		{"node_profiles", "open.json", "security_context: {seccompProfile: {type: Localhost, localhostProfile: open.json}}",
			`profile "open.json": not in`},
		{"labels", "app", "labels: {app: database}", `labels.app: label "app": not in the instance's labels (none)`},
		{"annotations", "vault.hashicorp.com/agent-inject", "annotations: {vault.hashicorp.com/agent-inject: 'true'}",
			`annotations.vault.hashicorp.com/agent-inject: annotation "vault.hashicorp.com/agent-inject": not in`},
		{"annotations", "sidecar.istio.io/inject",
			"pod_template_dict: {metadata: {annotations: {sidecar.istio.io/inject: 'false'}}}",
			`annotation "sidecar.istio.io/inject": not in`},
	} {
		t.Run(test.list+" "+test.name, func(t *testing.T) {
			t.Parallel()
			refused := func(p podspec.Policy) string {
				p = with(p, test.list, nil)
				return reasons(t, check(p, task(t, test.fields)))
			}
			others := opened(podspec.Policy{})
			if got := refused(others); !strings.Contains(got, test.want) {
				t.Errorf("left out under restricted: %q, want %q", got, test.want)
			}
			others.PodSecurity = "baseline"
			if got := refused(others); got != "" {
				t.Errorf("left out under baseline: %q", got)
			}
			if got := reasons(t, check(with(others, test.list, []string{}), task(t, test.fields))); !strings.Contains(got,
				test.want) {
				t.Errorf("an empty list under baseline: %q, want %q", got, test.want)
			}
			if got := reasons(t,
				check(with(opened(podspec.Policy{}), test.list, []string{test.name}), task(t, test.fields))); got != "" {
				t.Errorf("listed: %q", got)
			}
		})
	}
}

func check(p podspec.Policy, t dag.Task) error {
	return podspec.Config{Instance: "dev", Namespace: "models-dev", Policy: p}.Check(t)
}

// with is a policy with another value of one of its closed lists.
func with(p podspec.Policy, list string, names []string) podspec.Policy {
	*closedLists(&p)[list] = names
	return p
}

// TestRefusedFields sets what no spec may set, whatever the policy lists.
func TestRefusedFields(t *testing.T) {
	t.Parallel()
	ephemeral := func(spec string) string {
		return "volumes: [{name: v, ephemeral: {volumeClaimTemplate: {" + spec + "}}}]"
	}
	for name, test := range map[string]struct{ fields, want string }{
		"another's data": {ephemeral(
			"spec: {accessModes: [ReadWriteOnce], dataSource: {kind: PersistentVolumeClaim, name: other}}"),
			"dataSource: must not be set: a volume of a pod's own begins empty"},
		"data by reference": {ephemeral(
			"spec: {accessModes: [ReadWriteOnce], dataSourceRef: {kind: VolumeSnapshot, name: other, namespace: n}}"),
			"dataSourceRef: must not be set"},
		"a volume by name": {ephemeral("spec: {accessModes: [ReadWriteOnce], volumeName: pv-1}"),
			"volumeName: must not be set"},
		"labels of a claim": {ephemeral("metadata: {labels: {a: b}}, spec: {accessModes: [ReadWriteOnce]}"),
			"metadata: must not be set"},
		"a gate": {pod("schedulingGates: [{name: example.com/g}]"),
			"schedulingGates: must not be set: a task must not wait"},
		"trust of a cluster": {"volumes: [{name: v, projected: {sources: [{clusterTrustBundle: {name: b, path: p}}]}}]",
			"clusterTrustBundle: must not be set"},
		"all namespaces": {"affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, namespaceSelector: {matchLabels: {a: b}}}]}}",
			"namespaceSelector: must not be set: write namespaces"},
		"another namespace": {"affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, namespaces: [kube-system]}]}}",
			`namespace "kube-system": not in the instance's namespaces`},
		"a zone for itself": {"affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: topology.kubernetes.io/zone, labelSelector: {}}]}}",
			"a pod may keep others from its node only"},
	} {
		if got := reasons(t, check(opened(podspec.Policy{}), task(t, test.fields))); !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
