package podspec_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/podspec"
)

// fieldCase is a task with some fields, and what is wrong with it under the zero
// policy.
type fieldCase struct{ name, fields, want string }

func checkFields(t *testing.T, cases []fieldCase) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, reasons(t, build(t, podspec.Policy{}, task(t, tt.fields)))); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// TestStrict finds what Kubernetes would drop or refuse, each with its path.
func TestStrict(t *testing.T) {
	t.Parallel()
	checkFields(t, []fieldCase{
		{"misspelt field", "pod_template_dict: {spec: {containers: [{name: b, imagee: x}]}}",
			`pod_template_dict.spec.containers[0].imagee: unknown field; did you mean "image"?`},
		{"spelling of the client for Python", "tolerations: [{key: a, toleration_seconds: 60}]",
			`tolerations[0].toleration_seconds: unknown field; write tolerationSeconds: a plain mapping has Kubernetes' own names`},
		{"wrong case", "affinity: {NodeAffinity: {}}",
			`affinity.NodeAffinity: unknown field; write nodeAffinity: a plain mapping has Kubernetes' own names`},
		{"field of a neighbour", "pod_template_dict: {containers: [], spec: {containers: [{name: b, runAsNonRoot: true}]}}",
			"pod_template_dict.containers: unknown field; it belongs into spec\n" +
				"pod_template_dict.spec.containers[0].runAsNonRoot: unknown field; it belongs into securityContext"},
		{"field of the other security context", "container_security_context: {fsGroup: 1}",
			`container_security_context.fsGroup: unknown field`},
		{"unknown in an object of the client",
			"volumes: [{__type__: kubernetes.client.models.V1Volume, name: v, empty_dirr: {}}]",
			`volumes[0].emptyDirr: unknown field; did you mean "emptyDir"?`},
		{"unknown in items of a secret",
			"secrets: [{deploy_type: volume, deploy_target: /k, secret: s, items: [{key: a, paht: b}]}]",
			`secrets[0].items[0].paht: unknown field; did you mean "path"?`},
		{"number for a string", "pod_template_dict: {spec: {containers: [{name: b, env: [{name: A, value: 1}]}]}}",
			`pod_template_dict.spec.containers[0].env[0].value: must be a string, not a number; put it in quotes`},
		{"boolean in a label", "pod_template_dict: {metadata: {labels: {a: true}}}",
			`pod_template_dict.metadata.labels.a: must be a string, not a boolean; put it in quotes`},
		{"string for a number", `security_context: {runAsUser: "1000"}`,
			`security_context.runAsUser: must be a whole number, not a string`},
		{"template for a number", `security_context: {runAsUser: "{{ params.user }}"}`,
			`security_context.runAsUser: must be a whole number, not a string; a template always gives a string`},
		{"fraction", "security_context: {runAsUser: 1.5}",
			`security_context.runAsUser: must be a whole number, not a number`},
		{"too large", "ports: [{containerPort: 4294967296}]", `ports[0].containerPort: 4294967296 is too large`},
		{"string for a boolean", `container_security_context: {privileged: "false"}`,
			`container_security_context.privileged: must be true or false, not a string`},
		{"list for a mapping", "pod_template_dict: {spec: []}", `pod_template_dict.spec: must be a mapping, not a list`},
		{"mapping for a list", "pod_template_dict: {spec: {containers: {name: b}}}",
			`pod_template_dict.spec.containers: must be a list, not a mapping`},
		{"string for a list", "pod_template_dict: {spec: {containers: [{name: b, command: sh}]}}",
			`pod_template_dict.spec.containers[0].command: must be a list, not a string`},
		{"null in a list", "pod_template_dict: {spec: {containers: [null]}}",
			`pod_template_dict.spec.containers[0]: must not be null`},
		{"null in a mapping", "container_resources: {limits: {memory: null}}",
			`container_resources.limits.memory: must not be null`},
		{"no quantity", "container_resources: {limits: {memory: 2 Gigs}}",
			`container_resources.limits.memory: "2 Gigs" is not a quantity; write it like 500m or 2Gi`},
		{"negative quantity", "container_resources: {limits: {memory: -1}}",
			`container_resources.limits.memory: "-1" must not be negative`},
		{"boolean for a quantity", "container_resources: {limits: {memory: true}}",
			`container_resources.limits.memory: must be a quantity such as 500m or 2Gi, not a boolean`},
		{"numbers as quantities", "container_resources: {limits: {cpu: 1.5, memory: 1073741824}}", ""},
		{"port by name and number",
			"pod_template_dict: {spec: {containers: [{name: b, livenessProbe: {tcpSocket: {port: web}}, readinessProbe: {tcpSocket: {port: 80}}}]}}",
			""},
		{"what Kubernetes sets",
			"pod_template_dict: {metadata: {uid: a, finalizers: [x], ownerReferences: []}, spec: {containers: []}, status: {phase: Running}}",
			`pod_template_dict.metadata.finalizers: must not be set; a spec gives its pod a name, a namespace, labels and annotations` +
				"\n" +
				`pod_template_dict.metadata.ownerReferences: must not be set; a spec gives its pod a name, a namespace, labels and annotations` +
				"\n" +
				`pod_template_dict.metadata.uid: must not be set; a spec gives its pod a name, a namespace, labels and annotations` +
				"\n" +
				`pod_template_dict.status: must not be set: Kubernetes sets it`},
		{"a time that Kubernetes sets", "full_pod_spec: {metadata: {creationTimestamp: a}}",
			`full_pod_spec.metadata.creationTimestamp: must not be set: Kubernetes sets it`},
		{"another kind", "full_pod_spec: {kind: Job, apiVersion: batch/v1}",
			"full_pod_spec.apiVersion: \"batch/v1\": want v1\nfull_pod_spec.kind: \"Job\": want Pod"},
	})
}

// TestForm finds what could not be created, and what would not be what it seems.
func TestForm(t *testing.T) {
	t.Parallel()
	checkFields(t, []fieldCase{
		{"value of a label", "labels: {team: risk and fraud}",
			`labels.team: "risk and fraud" is not the value of a label; want at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends`},
		{"key of a label", "labels: {a b: c}",
			`labels."a b": "a b" is not the key of a label; want letters, digits, '-', '_' and '.', perhaps after a domain and '/'`},
		{"key of an annotation", "annotations: {a/b/c: d}",
			`annotations.a/b/c: "a/b/c" is not the key of an annotation; want letters, digits, '-', '_' and '.', perhaps after a domain and '/'`},
		{"label by which pods are known", "labels: {dag_id: other}",
			`labels.dag_id: must not be set: pods are recognised by it`},
		{"label of ours", "labels: {dagwright/instance: prod}",
			`labels.dagwright/instance: must not be set: pods are recognised by it`},
		{"the same in a template", "pod_template_dict: {metadata: {labels: {run_id: x}}}",
			`pod_template_dict.metadata.labels.run_id: must not be set: pods are recognised by it`},
		{"the same in a template, beside others", "labels: {a: b}\nfull_pod_spec: {metadata: {labels: {run_id: x}}}",
			`full_pod_spec.metadata.labels.run_id: must not be set: pods are recognised by it`},
		{"annotation of ours", "annotations: {dagwright/options: x}",
			`annotations.dagwright/options: must not be set: annotations that begin with dagwright/ are dagwright's own`},
		{"two containers of one name", "pod_template_dict: {spec: {containers: [{name: a}, {name: base, image: busybox}]}}",
			`pod_template_dict.spec.containers[1].name: container name "base" is taken already; the task's own container is the first one, whatever the template calls it`},
		{"name of a container", "base_container_name: My_Container",
			`base_container_name: container name "My_Container": want at most 63 lower-case letters, digits and '-'`},
		{"name of a volume", "volumes: [{name: My_Volume, emptyDir: {}}]",
			`volumes[0]: volume name "My_Volume": want at most 63 lower-case letters, digits and '-'`},
		{"two volumes of one name",
			"volumes: [{name: v, emptyDir: {}}]\npod_template_dict: {spec: {volumes: [{name: v, emptyDir: {}}], containers: []}}",
			`volumes[0]: volume name "v" is taken already`},
		{"volume of two sources", "volumes: [{name: v, emptyDir: {}, configMap: {name: c}}]",
			`volumes[0]: volume "v" has 2 sources; want exactly one, such as emptyDir: {}`},
		{"mount of no volume", "volume_mounts: [{name: v, mountPath: /x}]",
			`volume_mounts[0]: there is no volume "v"; the pod's volumes are (none)`},
		{"mount without a path", "volumes: [{name: v, emptyDir: {}}]\nvolume_mounts: [{name: v}]",
			`volume_mounts[0]: a mount needs mountPath`},
		{"two mounts at one path",
			"volumes: [{name: v, emptyDir: {}}]\nvolume_mounts: [{name: v, mountPath: /x}]\nsecrets: [{deploy_type: volume, deploy_target: /x, secret: s}]",
			`secrets[0]: something is mounted at "/x" already`},
		{"name of a variable", "pod_template_dict: {spec: {containers: [{name: b, env: [{name: A=B, value: c}]}]}}",
			`pod_template_dict.spec.containers[0].env[0]: "A=B" is not a name for an environment variable`},
		{"a variable by value and by secret",
			"env_vars: {TOKEN: a}\nsecrets: [{deploy_type: env, deploy_target: token, secret: s, key: k}]",
			`secrets[0]: variable "TOKEN" is set by env_vars already; remove one of them`},
		{"a variable by two references",
			"env_vars: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]\nsecrets: [{deploy_type: env, deploy_target: A, secret: s, key: k}]",
			`secrets[0]: variable "A" is set by env_vars.A already; remove one of them`},
		{"host name", "hostname: My.Host", `hostname: "My.Host": want at most 63 lower-case letters, digits and '-'`},
		{"restarted pod", "pod_template_dict: {spec: {restartPolicy: Always, containers: []}}",
			`pod_template_dict.spec.restartPolicy: "Always": a task's pod is never restarted (retries are the task's); remove it or write Never`},
		{"ephemeral containers",
			"pod_template_dict: {spec: {ephemeralContainers: [{name: d, image: busybox}], containers: []}}",
			`pod_template_dict.spec.ephemeralContainers: must not be set: they are added to running pods only`},
		{"deadline of nothing", "active_deadline_seconds: 0",
			`active_deadline_seconds: must be at least 1; leave it out for no deadline`},
		{"negative grace period", "pod_template_dict: {spec: {terminationGracePeriodSeconds: -1, containers: []}}",
			`pod_template_dict.spec.terminationGracePeriodSeconds: must not be negative`},
		{"logs of no container", "container_logs: [base, sidecar]",
			`container_logs: there is no container "sidecar"; the pod's are base`},
		{"logs of one container twice", "container_logs: [base, base]", `container_logs: names container "base" twice`},
		{"logs of no init container", "init_container_logs: fetch",
			`init_container_logs: there is no container "fetch"; the pod's are (none)`},
		{"secret as files without a folder", "secrets: [{deploy_type: volume, secret: s}]",
			`secrets[0]: a secret as a volume needs deploy_target, the folder of its files`},
		{"secret as files with a key", "secrets: [{deploy_type: volume, deploy_target: /k, secret: s, key: k}]", ""},
		{"secret as variables with items", "secrets: [{deploy_type: env, secret: s, items: [{key: a, path: b}]}]",
			`secrets[0].items: means nothing for variables; it chooses the files of a volume`},
		{"secret's key without a variable", "secrets: [{deploy_type: env, secret: s, key: k}]",
			`secrets[0]: a secret's key needs deploy_target, the name of its variable`},
		{"variable without a secret's key", "secrets: [{deploy_type: env, deploy_target: A, secret: s}]", ""},
		{"resources by the names of old", "container_resources: {request_memory: 1Gi, limit_cpu: 2, limit_ephemeral_storage: 1Gi}",
			`container_resources.limit_cpu: unknown field; write limits: {cpu: …}
container_resources.limit_ephemeral_storage: unknown field; write limits: {ephemeral-storage: …}
container_resources.request_memory: unknown field; write requests: {memory: …}`},
	})
}

// TestCheckLeavesTemplatesOpen lets pass what only rendering can tell, and
// nothing else.
func TestCheckLeavesTemplatesOpen(t *testing.T) {
	t.Parallel()
	c := podspec.Config{Instance: "dev", Namespace: "models-dev", Policy: opened(podspec.Policy{
		Registries: []string{"registry.example.com"}, MaxResources: map[string]string{"memory": "1Gi"},
		RequireLimits: []string{"memory"},
		Secrets:       []string{"a"}, ConfigMaps: []string{"a"}, NodeSelector: map[string]string{"pool": "models"},
	})}
	open := task(t, `image: "{{ params.image }}"
namespace: "{{ params.namespace }}"
labels: {team: "{{ params.team }} of the bank"}
node_selector: {pool: "{{ params.pool }}"}
hostname: "{{ params.Host }}"
base_container_name: "{{ params.base }}"
container_logs: ["{{ params.base }}"]
configmaps: ["{{ params.settings }}"]
env_from: [{secretRef: {name: "{% if true %}a{% endif %}"}}]
container_resources: {limits: {memory: "{{ params.memory }}"}, requests: {memory: 512Mi}}
volumes: [{name: "{{ params.volume }}", emptyDir: {}}]
volume_mounts: [{name: data, mountPath: "/{# where #}data"}]
pod_template_dict: {spec: {containers: [{name: base, env: [{name: "{{ params.name }}", value: a}]}]}}
`)
	if err := c.Check(open); err != nil {
		t.Errorf("Check refuses what is not rendered yet: %v", err)
	}
	if _, err := c.Build(podspec.Input{Task: open}); err == nil {
		t.Error("Build takes templates for values")
	}
	closed := task(t, `image: "{{ params.image }}"
namespace: other
container_resources: {limits: {memory: "{{ params.memory }}"}, requests: {memory: 2Gi}}
volumes: [{name: "{{ params.volume }}", hostPath: {path: "{{ params.path }}"}}]
`)
	want := `namespace: namespace "other": not in the instance's namespaces models-dev
container_resources: requests of the pod's containers come to 2Gi of memory; the instance allows 1Gi at most
volumes[0]: Pod Security "restricted" forbids it: restricted volume types (volume "{{ params.volume }}" uses restricted volume type "hostPath")`
	if diff := cmp.Diff(want, reasons(t, c.Check(closed))); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}
