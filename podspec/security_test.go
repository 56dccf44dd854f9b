package podspec_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/podspec"
)

// TestPodSecurity holds every check of Pod Security: the level that minds it, and
// the words.
func TestPodSecurity(t *testing.T) {
	t.Parallel()
	in := func(fields string) string { return "pod_template_dict: {spec: {containers: [], " + fields + "}}" }
	for _, tt := range []struct {
		name   string
		fields string
		// restricted and baseline are the faults at these levels.
		restricted, baseline string
	}{
		{"host network", "hostnetwork: true",
			`hostnetwork: Pod Security "restricted" forbids it: host namespaces (hostNetwork=true)`,
			`hostnetwork: Pod Security "baseline" forbids it: host namespaces (hostNetwork=true)`},
		{"host processes", in("hostPID: true"),
			`pod_template_dict.spec.hostPID: Pod Security "restricted" forbids it: host namespaces (hostPID=true)`,
			`pod_template_dict.spec.hostPID: Pod Security "baseline" forbids it: host namespaces (hostPID=true)`},
		{"host IPC", in("hostIPC: true"),
			`pod_template_dict.spec.hostIPC: Pod Security "restricted" forbids it: host namespaces (hostIPC=true)`,
			`pod_template_dict.spec.hostIPC: Pod Security "baseline" forbids it: host namespaces (hostIPC=true)`},
		{"privileged", "container_security_context: {privileged: true, allowPrivilegeEscalation: false}",
			`container_security_context: Pod Security "restricted" forbids it: privileged (container "base" must not set securityContext.privileged=true)`,
			`container_security_context: Pod Security "baseline" forbids it: privileged (container "base" must not set securityContext.privileged=true)`},
		{"privileged init container", "init_containers: [{name: i, image: busybox, securityContext: {privileged: true}}]",
			`init_containers[0].securityContext: Pod Security "restricted" forbids it: privileged (container "i" must not set securityContext.privileged=true)`,
			`init_containers[0].securityContext: Pod Security "baseline" forbids it: privileged (container "i" must not set securityContext.privileged=true)`},
		{"added capability", "container_security_context: {capabilities: {add: [SYS_ADMIN]}}",
			`container_security_context: Pod Security "restricted" forbids it: unrestricted capabilities (container "base" must not include "SYS_ADMIN" in securityContext.capabilities.add)`,
			`container_security_context: Pod Security "baseline" forbids it: non-default capabilities (container "base" must not include "SYS_ADMIN" in securityContext.capabilities.add)`},
		{"kept capabilities", "container_security_context: {capabilities: {drop: [NET_RAW]}}",
			`container_security_context: Pod Security "restricted" forbids it: unrestricted capabilities (container "base" must set securityContext.capabilities.drop=["ALL"])`,
			""},
		{"host path", "volumes: [{name: v, hostPath: {path: /}}]",
			`volumes[0]: Pod Security "restricted" forbids it: restricted volume types (volume "v" uses restricted volume type "hostPath")`,
			`volumes[0]: Pod Security "baseline" forbids it: hostPath volumes (volume "v")`},
		{"NFS", "volumes: [{name: ok, emptyDir: {}}, {name: v, nfs: {server: s, path: /}}]",
			`volumes[1]: Pod Security "restricted" forbids it: restricted volume types (volume "v" uses restricted volume type "nfs")`,
			""},
		{"host path in a template, beside others",
			"volumes: [{name: ok, emptyDir: {}}]\n" + in("volumes: [{name: a, emptyDir: {}}, {name: v, hostPath: {path: /}}]"),
			`pod_template_dict.spec.volumes[1]: Pod Security "restricted" forbids it: restricted volume types (volume "v" uses restricted volume type "hostPath")`,
			`pod_template_dict.spec.volumes[1]: Pod Security "baseline" forbids it: hostPath volumes (volume "v")`},
		{"host port", "ports: [{containerPort: 80, hostPort: 80}]",
			`ports: Pod Security "restricted" forbids it: hostPort (container "base" uses hostPort 80)`,
			`ports: Pod Security "baseline" forbids it: hostPort (container "base" uses hostPort 80)`},
		{"probe of another host",
			"pod_template_dict: {spec: {containers: [{name: b, livenessProbe: {httpGet: {host: 169.254.169.254, port: 80}}}]}}",
			`pod_template_dict.spec.containers[0].livenessProbe: Pod Security "restricted" forbids it: probe or lifecycle host (container "base" uses probe or lifecycle host "169.254.169.254")`,
			`pod_template_dict.spec.containers[0].livenessProbe: Pod Security "baseline" forbids it: probe or lifecycle host (container "base" uses probe or lifecycle host "169.254.169.254")`},
		{"hook to another host",
			"pod_template_dict: {spec: {containers: [{name: b, lifecycle: {preStop: {httpGet: {host: h, port: 80}}}}]}}",
			`pod_template_dict.spec.containers[0].lifecycle: Pod Security "restricted" forbids it: probe or lifecycle host (container "base" uses probe or lifecycle host "h")`,
			`pod_template_dict.spec.containers[0].lifecycle: Pod Security "baseline" forbids it: probe or lifecycle host (container "base" uses probe or lifecycle host "h")`},
		{"AppArmor", "security_context: {appArmorProfile: {type: Unconfined}}",
			`security_context: Pod Security "restricted" forbids it: forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")`,
			`security_context: Pod Security "baseline" forbids it: forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")`},
		{"AppArmor by annotation", "annotations: {container.apparmor.security.beta.kubernetes.io/base: unconfined}",
			`annotations: Pod Security "restricted" forbids it: forbidden AppArmor profile (annotation must not set AppArmor profile type to "container.apparmor.security.beta.kubernetes.io/base="unconfined"")`,
			`annotations: Pod Security "baseline" forbids it: forbidden AppArmor profile (annotation must not set AppArmor profile type to "container.apparmor.security.beta.kubernetes.io/base="unconfined"")`},
		{"SELinux", "security_context: {seLinuxOptions: {type: spc_t}}",
			`security_context: Pod Security "restricted" forbids it: seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t")`,
			`security_context: Pod Security "baseline" forbids it: seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t")`},
		{"procMount", "container_security_context: {procMount: Unmasked}",
			`container_security_context: Pod Security "restricted" forbids it: procMount (container "base" must not set securityContext.procMount to "Unmasked")`,
			`container_security_context: Pod Security "baseline" forbids it: procMount (container "base" must not set securityContext.procMount to "Unmasked")`},
		{"seccomp of the pod", "security_context: {seccompProfile: {type: Unconfined}}",
			`security_context: Pod Security "restricted" forbids it: seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")`,
			`security_context: Pod Security "baseline" forbids it: seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")`},
		{"seccomp of a container", "container_security_context: {seccompProfile: {type: Unconfined}}",
			`container_security_context: Pod Security "restricted" forbids it: seccompProfile (container "base" must not set securityContext.seccompProfile.type to "Unconfined")`,
			`container_security_context: Pod Security "baseline" forbids it: seccompProfile (container "base" must not set securityContext.seccompProfile.type to "Unconfined")`},
		{"sysctls", "security_context: {sysctls: [{name: kernel.msgmax, value: \"1\"}]}",
			`security_context: Pod Security "restricted" forbids it: forbidden sysctls (kernel.msgmax)`,
			`security_context: Pod Security "baseline" forbids it: forbidden sysctls (kernel.msgmax)`},
		{"Windows host process", "security_context: {windowsOptions: {hostProcess: true}}",
			"security_context.windowsOptions: must not be set: only linux is supported\n" +
				`security_context: Pod Security "restricted" forbids it: hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)`,
			"security_context.windowsOptions: must not be set: only linux is supported\n" +
				`security_context: Pod Security "baseline" forbids it: hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)`},
		{"privilege escalation", "container_security_context: {allowPrivilegeEscalation: true}",
			`container_security_context: Pod Security "restricted" forbids it: allowPrivilegeEscalation != false (container "base" must set securityContext.allowPrivilegeEscalation=false)`,
			""},
		{"root of the pod", "security_context: {runAsNonRoot: false}",
			`security_context: Pod Security "restricted" forbids it: runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)`,
			""},
		{"root in a container", "container_security_context: {runAsNonRoot: false}",
			`container_security_context: Pod Security "restricted" forbids it: runAsNonRoot != true (container "base" must not set securityContext.runAsNonRoot=false)`,
			""},
		{"user 0", "security_context: {runAsUser: 0}",
			`security_context: Pod Security "restricted" forbids it: runAsUser=0 (pod must not set runAsUser=0)`, ""},
		{"user 0 in a container", "container_security_context: {runAsUser: 0}",
			`container_security_context: Pod Security "restricted" forbids it: runAsUser=0 (container "base" must not set runAsUser=0)`,
			""},
		{"root in a user namespace", "container_security_context: {runAsUser: 0}\n" + in("hostUsers: false"),
			`container_security_context: Pod Security "restricted" forbids it: runAsUser=0 (container "base" must not set runAsUser=0)`,
			""},
		{"another system", in("os: {name: windows}"),
			`pod_template_dict.spec.os: "windows": only linux is supported`,
			`pod_template_dict.spec.os: "windows": only linux is supported`},
		{"what restricted allows",
			`container_security_context: {capabilities: {add: [NET_BIND_SERVICE], drop: [ALL]}, runAsUser: 1000, seccompProfile: {type: Localhost, localhostProfile: p}}
security_context: {sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: "80"}]}
volumes: [{name: a, emptyDir: {}}, {name: b, csi: {driver: d}}, {name: c, downwardAPI: {}}, {name: e, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce]}}}}]`,
			"", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for level, want := range map[string]string{"": tt.restricted, "restricted": tt.restricted, "baseline": tt.baseline,
				"unknown": tt.restricted} {
				p := podspec.Policy{PodSecurity: level}
				if diff := cmp.Diff(want, reasons(t, build(t, p, task(t, tt.fields)))); diff != "" {
					t.Errorf("faults at level %q (-want +got):\n%s", level, diff)
				}
			}
		})
	}
}

// TestPrivileged allows at the level privileged what the others forbid.
func TestPrivileged(t *testing.T) {
	t.Parallel()
	fields := "hostnetwork: true\ncontainer_security_context: {privileged: true}\nvolumes: [{name: v, hostPath: {path: /}}]"
	if err := build(t, podspec.Policy{PodSecurity: "privileged"}, task(t, fields)); err != nil {
		t.Error(err)
	}
}
