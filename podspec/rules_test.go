package podspec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/podspec"
)

// task is a task with the given fields, in YAML, beside its image.
func task(tb testing.TB, fields string) dag.Task {
	tb.Helper()
	var b strings.Builder
	b.WriteString("d:\n  tasks:\n    - task_id: t\n      operator: " + dag.KubernetesPodOperator + "\n")
	if !strings.Contains("\n"+fields, "\nimage:") {
		b.WriteString("      image: registry.example.com/gbc/model:1\n")
	}
	for line := range strings.Lines(fields) {
		b.WriteString("      " + line)
	}
	dags, err := dag.Parse("spec.yaml", []byte(b.String()))
	if err != nil {
		tb.Fatal(err)
	}
	return dags[0].Tasks[0]
}

// build builds a pod of a task that has nothing to render.
func build(tb testing.TB, p podspec.Policy, t dag.Task) error {
	tb.Helper()
	c := podspec.Config{Instance: "dev", Namespace: "models-dev", Policy: opened(p)}
	pod, err := c.Build(podspec.Input{Key: dag.AttemptKey{DAG: "d", Run: "r", Task: "t", Try: 1}, Task: t, Env: t.Env})
	if (pod == nil) == (err == nil) {
		tb.Errorf("Build gives pod %v and error %v, want one of them", pod, err)
	}
	if checked := c.Check(t); reasons(tb, checked) != reasons(tb, err) {
		tb.Errorf("Check and Build differ over a task without templates:\n%v\n%v", checked, err)
	}
	return err
}

// TestPolicy holds each rule of the policy: what it forbids, and that it allows
// what it says.
func TestPolicy(t *testing.T) {
	t.Parallel()
	var (
		registries = podspec.Policy{Registries: []string{"registry.example.com/gbc", "docker.io/library", "registry:5000/"}}
		ceilings   = podspec.Policy{MaxResources: map[string]string{"cpu": "4", "memory": "8Gi", "nvidia.com/gpu": "1"}}
		required   = podspec.Policy{RequireLimits: []string{"memory"}, RequireRequests: []string{"cpu"}}
		nodes      = podspec.Policy{
			NodeSelector: map[string]string{"pool": "models"}, NodeLabels: []string{"disk", "topology.kubernetes.io/*"},
			Tolerations: []string{"spot"}, PriorityClasses: []string{"batch-*"},
		}
		refs = podspec.Policy{Secrets: []string{"churn-*"}, ConfigMaps: []string{"common"}}
	)
	const sidecar = `pod_template_dict:
  spec:
    containers:
      - {name: base}
      - {name: sidecar, image: "%s"}
`
	for _, tt := range []struct {
		name   string
		policy podspec.Policy
		fields string
		want   string
	}{
		{"nothing asked for", podspec.Policy{}, "", ""},

		{"own namespace", podspec.Policy{}, "namespace: models-dev", ""},
		{"another namespace", podspec.Policy{}, "namespace: kube-system",
			`namespace: namespace "kube-system": not in the instance's namespaces models-dev`},
		{"an allowed namespace", podspec.Policy{Namespaces: []string{"team-*"}}, "namespace: team-risk", ""},
		{"namespace in a template", podspec.Policy{Namespaces: []string{"a"}},
			"pod_template_dict: {metadata: {namespace: b}}",
			`pod_template_dict.metadata.namespace: namespace "b": not in the instance's namespaces models-dev, a`},
		{"namespace that the operator overrides", podspec.Policy{},
			"namespace: models-dev\npod_template_dict: {metadata: {namespace: b}}", ""},

		{"default account", podspec.Policy{}, "service_account_name: default", ""},
		{"another account", podspec.Policy{}, "service_account_name: admin",
			`service_account_name: service account "admin": not in the instance's service accounts default`},
		{"an allowed account", podspec.Policy{ServiceAccounts: []string{"scorer"}}, "service_account_name: scorer", ""},
		{"an account must be named", podspec.Policy{ServiceAccounts: []string{"scorer"}}, "",
			`service_account_name: is not set, so that the pod would run as "default"; the instance's service accounts are scorer`},
		{"the account's old name", podspec.Policy{ServiceAccounts: []string{"*"}},
			"pod_template_dict: {spec: {serviceAccount: admin, containers: []}}",
			`pod_template_dict.spec.serviceAccount: is no longer in use; write serviceAccountName`},
		{"a token", podspec.Policy{}, "automount_service_account_token: true",
			`automount_service_account_token: the instance gives pods no token of their service account; remove it or write false`},
		{"an allowed token", podspec.Policy{ServiceAccountToken: true}, "automount_service_account_token: true", ""},
		{"a projected token", podspec.Policy{},
			"volumes: [{name: v, projected: {sources: [{configMap: {name: c}}, {serviceAccountToken: {path: t}}]}}]",
			`volumes[0].projected.sources[1]: the instance gives pods no token or certificate of their service account; remove it`},
		{"a projected certificate", podspec.Policy{},
			"volumes: [{name: v, projected: {sources: [{podCertificate: {signerName: s, keyType: RSA3072}}]}}]",
			`volumes[0].projected.sources[0]: the instance gives pods no token or certificate of their service account; remove it`},
		{"an allowed projected token", podspec.Policy{ServiceAccountToken: true},
			"volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t}}]}}]", ""},

		{"an allowed registry", registries, "image: registry.example.com/gbc/risk/model@sha256:" + strings.Repeat("0", 64),
			""},
		{"the registry's path itself", registries, "image: registry.example.com/gbc", ""},
		{"an image of Docker Hub's library", registries, "image: busybox", ""},
		{"the same, written out", registries, "image: index.docker.io/library/busybox:1", ""},
		{"a registry with a port", registries, "image: registry:5000/anything", ""},
		{"a path that only begins alike", registries, "image: registry.example.com/gbcevil/model",
			`image: image "registry.example.com/gbcevil/model": not in the instance's registries registry.example.com/gbc, docker.io/library, registry:5000/`},
		{"a host that only begins alike", registries, "image: registry.example.com.evil.org/gbc/model",
			`image: image "registry.example.com.evil.org/gbc/model": not in the instance's registries registry.example.com/gbc, docker.io/library, registry:5000/`},
		{"a user of Docker Hub", registries, "image: evil/model",
			`image: image "evil/model": not in the instance's registries registry.example.com/gbc, docker.io/library, registry:5000/`},
		{"no registry at all", podspec.Policy{Registries: []string{}}, "image: busybox",
			`image: image "busybox": not in the instance's registries (none)`},
		{"no reference", podspec.Policy{}, "image: Registry.example.com/GBC",
			`image: image "Registry.example.com/GBC": invalid reference format: repository name (GBC) must be lowercase; want a reference such as registry.example.com/gbc/model:1.2`},
		{"a sidecar's image", registries, strings.Replace(sidecar, "%s", "registry.evil/x", 1),
			`pod_template_dict.spec.containers[1].image: image "registry.evil/x": not in the instance's registries registry.example.com/gbc, docker.io/library, registry:5000/`},
		{"an init container's image", registries, "init_containers: [{name: i, image: registry.evil/x}]",
			`init_containers[0].image: image "registry.evil/x": not in the instance's registries registry.example.com/gbc, docker.io/library, registry:5000/`},
		{"an image as a volume", registries, "volumes: [{name: v, image: {reference: registry.evil/x}}]",
			`volumes[0].image.reference: image "registry.evil/x": not in the instance's registries registry.example.com/gbc, docker.io/library, registry:5000/`},
		{"a template's image that the operator overrides", registries,
			"image: registry.example.com/gbc/m\n" +
				`pod_template_dict: {spec: {containers: [{name: base, image: registry.evil/x}]}}`, ""},
		{"a container without an image", podspec.Policy{}, strings.Replace(sidecar, "%s", "", 1),
			`pod_template_dict.spec.containers[1].image: a container needs an image`},

		{"below the ceilings", ceilings,
			"container_resources: {limits: {cpu: 4, memory: 8Gi, nvidia.com/gpu: 1}, requests: {cpu: 500m}}", ""},
		{"above a ceiling", ceilings, "container_resources: {limits: {memory: 9Gi}}",
			`container_resources: limits of the pod's containers come to 9Gi of memory; the instance allows 8Gi at most`},
		{"a request above a ceiling", ceilings, "container_resources: {requests: {cpu: 5}}",
			`container_resources: requests of the pod's containers come to 5 of cpu; the instance allows 4 at most`},
		{"an unusual resource", ceilings, "container_resources: {limits: {nvidia.com/gpu: 2}}",
			`container_resources: limits of the pod's containers come to 2 of nvidia.com/gpu; the instance allows 1 at most`},
		{"containers together", ceilings, `container_resources: {limits: {memory: 5Gi}}
pod_template_dict:
  spec:
    containers:
      - {name: base}
      - {name: sidecar, image: busybox, resources: {limits: {memory: 4Gi}}}`,
			`container_resources: limits of the pod's containers come to 9Gi of memory; the instance allows 8Gi at most`},
		{"an init container, alone", ceilings,
			"container_resources: {limits: {memory: 5Gi}}\ninit_containers: [{name: i, image: busybox, resources: {limits: {memory: 8Gi}}}]",
			""},
		{"an init container that stays", ceilings,
			"container_resources: {limits: {memory: 5Gi}}\ninit_containers: [{name: i, image: busybox, restartPolicy: Always, resources: {limits: {memory: 4Gi}}}]",
			`container_resources: limits of the pod's containers come to 9Gi of memory; the instance allows 8Gi at most`},
		{"for the whole pod", ceilings, "pod_template_dict: {spec: {resources: {limits: {cpu: 5}}, containers: []}}",
			`pod_template_dict.spec.resources: limits of the pod are 5 of cpu; the instance allows 4 at most`},
		{"claims beside ceilings", ceilings,
			"pod_template_dict: {spec: {resourceClaims: [{name: gpu, resourceClaimName: c}], containers: []}}",
			`pod_template_dict.spec.resourceClaims: the instance has ceilings for resources, which claims would pass by; remove them`},
		{"required", required, "container_resources: {limits: {memory: 1Gi}, requests: {cpu: 1}}", ""},
		{"required for the whole pod", required,
			"pod_template_dict: {spec: {resources: {limits: {memory: 1Gi}, requests: {cpu: 1}}, containers: []}}", ""},
		{"required and missing", required, "container_resources: {limits: {cpu: 1}}",
			`container_resources: container "base" has no limit of memory; the instance requires one: limits: {memory: …}`},
		{"required of each container", required,
			"container_resources: {limits: {memory: 1Gi, cpu: 1}}\ninit_containers: [{name: i, image: busybox}]",
			`init_containers[0].resources: container "i" has no limit of memory; the instance requires one: limits: {memory: …}` +
				"\n" +
				`init_containers[0].resources: container "i" has no request of cpu; the instance requires one: requests: {cpu: …}`},
		{"a request above its limit", podspec.Policy{},
			"container_resources: {limits: {memory: 1Gi}, requests: {memory: 2Gi}}",
			`container_resources: requests 2Gi of memory, but its limit is 1Gi; a request must not be above its limit`},

		{"nodes within the policy", nodes, `node_selector: {pool: models, disk: ssd}
tolerations: [{key: spot, operator: Exists}]
priority_class_name: batch-low
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: Exists}]}]}}}`,
			""},
		{"against the forced selector", nodes, "node_selector: {pool: others}",
			`node_selector.pool: "others": the instance's node selector wants "models"`},
		{"another node label", nodes, "node_selector: {gpu: a100}",
			`node_selector.gpu: node label "gpu": not in the instance's node labels disk, topology.kubernetes.io/*`},
		{"another node label, as affinity", nodes, `affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: gpu, operator: Exists}]}]}
    preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: cpu, operator: Exists}]}}]`,
			`affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0]: node label "gpu": not in the instance's node labels disk, topology.kubernetes.io/*` +
				"\n" +
				`affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0]: node label "cpu": not in the instance's node labels disk, topology.kubernetes.io/*`},
		{"a node by its name", podspec.Policy{},
			"affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [n]}]}]}}}",
			`affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields: a pod must not choose its node by name; select nodes by their labels`},
		{"a node past the scheduler", podspec.Policy{}, "pod_template_dict: {spec: {nodeName: n, containers: []}}",
			`pod_template_dict.spec.nodeName: a pod must not choose its node past the scheduler; select nodes with node_selector or affinity`},
		{"another taint", nodes, "tolerations: [{key: spot, operator: Exists}, {key: gpu, operator: Exists}]",
			`tolerations[1]: taint "gpu": not in the instance's tolerations spot`},
		{"every taint", nodes, "tolerations: [{operator: Exists}]",
			`tolerations[0]: taint "": not in the instance's tolerations spot`},
		{"every taint, allowed", podspec.Policy{Tolerations: []string{"*"}}, "tolerations: [{operator: Exists}]", ""},
		{"another priority class", nodes, "priority_class_name: system-node-critical",
			`priority_class_name: priority class "system-node-critical": not in the instance's priority classes batch-*`},

		{"allowed references", refs, "secrets: [{deploy_type: env, secret: churn-db}]\nconfigmaps: [common]", ""},
		{"a secret as variables", refs, "secrets: [{deploy_type: env, secret: churn-a}, {deploy_type: env, secret: other}]",
			`secrets[1]: secret "other": not in the instance's secrets churn-*`},
		{"a secret as one variable", refs, "secrets: [{deploy_type: env, deploy_target: A, secret: other, key: k}]",
			`secrets[0]: secret "other": not in the instance's secrets churn-*`},
		{"a secret as files", refs, "secrets: [{deploy_type: volume, deploy_target: /k, secret: other}]",
			`secrets[0]: secret "other": not in the instance's secrets churn-*`},
		{"a secret in env_vars", refs,
			"env_vars: [{name: A, value: b}, {name: B, valueFrom: {secretKeyRef: {name: other, key: k}}}]",
			`env_vars.B: secret "other": not in the instance's secrets churn-*`},
		{"a secret in env_from", refs, "env_from: [{secretRef: {name: other}}]",
			`env_from[0]: secret "other": not in the instance's secrets churn-*`},
		{"a secret in a volume", refs, "volumes: [{name: v, secret: {secretName: other}}]",
			`volumes[0]: secret "other": not in the instance's secrets churn-*`},
		{"a secret in a projected volume", refs, "volumes: [{name: v, projected: {sources: [{secret: {name: other}}]}}]",
			`volumes[0].projected.sources[0]: secret "other": not in the instance's secrets churn-*`},
		{"a secret of a CSI driver", refs, "volumes: [{name: v, csi: {driver: d, nodePublishSecretRef: {name: other}}}]",
			`volumes[0]: secret "other": not in the instance's secrets churn-*`},
		{"a pull secret", refs, "image_pull_secrets: other",
			`image_pull_secrets[0]: secret "other": not in the instance's secrets churn-*`},
		{"a secret in a template", refs,
			"env_from: [{secretRef: {name: churn-a}}]\npod_template_dict: {spec: {containers: [{name: b, envFrom: [{secretRef: {name: other}}]}]}}",
			`pod_template_dict.spec.containers[0].envFrom[0]: secret "other": not in the instance's secrets churn-*`},
		{"a secret in an init container", refs,
			"init_containers: [{name: i, image: busybox, env: [{name: A, valueFrom: {secretKeyRef: {name: other, key: k}}}]}]",
			`init_containers[0].env[0]: secret "other": not in the instance's secrets churn-*`},
		{"a config map", refs, "configmaps: [common, other]",
			`configmaps[1]: config map "other": not in the instance's config maps common`},
		{"a config map in env_vars", refs, "env_vars: [{name: B, valueFrom: {configMapKeyRef: {name: other, key: k}}}]",
			`env_vars.B: config map "other": not in the instance's config maps common`},
		{"a config map in volumes", refs,
			"volumes: [{name: v, configMap: {name: other}}, {name: w, projected: {sources: [{configMap: {name: other}}]}}]",
			`volumes[0]: config map "other": not in the instance's config maps common` + "\n" +
				`volumes[1].projected.sources[0]: config map "other": not in the instance's config maps common`},
		{"a reference without a name", podspec.Policy{}, "env_from: [{configMapRef: {optional: true}}]",
			`env_from[0]: a reference to a config map needs its name`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, reasons(t, build(t, tt.policy, task(t, tt.fields)))); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}
