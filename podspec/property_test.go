package podspec_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"dagwright/dag"
	"dagwright/podspec"
)

// strict is an instance with nothing but what everybody gets.
var strict = podspec.Config{Instance: "dev", Namespace: "models-dev"}

// checkHarmless checks a pod against what no spec may ever get, written down here
// once more and independent of the code that is tested.
func checkHarmless(tb testing.TB, pod *corev1.Pod) {
	tb.Helper()
	s := pod.Spec
	want := func(ok bool, format string, args ...any) {
		tb.Helper()
		if !ok {
			tb.Errorf(format, args...)
		}
	}
	want(pod.Namespace == strict.Namespace, "namespace %q", pod.Namespace)
	want(s.ServiceAccountName == "" || s.ServiceAccountName == "default", "service account %q", s.ServiceAccountName)
	want(s.DeprecatedServiceAccount == "", "service account %q", s.DeprecatedServiceAccount)
	want(s.AutomountServiceAccountToken != nil && !*s.AutomountServiceAccountToken, "a token is mounted")
	want(!s.HostNetwork && !s.HostPID && !s.HostIPC, "a namespace of the host")
	want(s.NodeName == "", "node %q", s.NodeName)
	want(s.OS == nil || s.OS.Name == corev1.Linux, "another system")
	want(s.RestartPolicy == corev1.RestartPolicyNever, "restart policy %q", s.RestartPolicy)
	want(slices.Equal(pod.Finalizers, []string{podspec.Finalizer}), "finalizers %q", pod.Finalizers)
	want(len(pod.OwnerReferences) == 0 && len(s.EphemeralContainers) == 0, "owners or ephemeral containers")
	want(len(validation.IsDNS1123Label(pod.Name)) == 0, "name %q", pod.Name)
	for name, value := range pod.Labels {
		want(len(validation.IsQualifiedName(name)) == 0 && len(validation.IsValidLabelValue(value)) == 0, "label %s=%s",
			name, value)
	}
	for _, v := range s.Volumes {
		of := v.VolumeSource
		want(of.EmptyDir != nil || of.Secret != nil || of.ConfigMap != nil || of.DownwardAPI != nil || of.CSI != nil ||
			of.PersistentVolumeClaim != nil || of.Ephemeral != nil || of.Projected != nil || of.Image != nil, "volume %+v", v)
		want(of.HostPath == nil && of.NFS == nil, "volume %+v", v)
		if of.Projected != nil {
			for _, p := range of.Projected.Sources {
				want(p.ServiceAccountToken == nil && p.PodCertificate == nil, "projected token in %s", v.Name)
			}
		}
	}
	for _, c := range slices.Concat(s.InitContainers, s.Containers) {
		checkHarmlessContainer(tb, s.SecurityContext, c)
	}
	key, options, ok := strict.Read(pod)
	want(ok && key == fuzzKey && options.Base == s.Containers[0].Name, "Read gives %v %v %v", key, options, ok)
}

func checkHarmlessContainer(tb testing.TB, pod *corev1.PodSecurityContext, c corev1.Container) {
	tb.Helper()
	s := c.SecurityContext
	if pod == nil || s == nil {
		tb.Fatalf("container %s: no security context", c.Name)
	}
	bad := func(what string) { tb.Helper(); tb.Errorf("container %s: %s: %+v", c.Name, what, s) }
	if s.Privileged != nil && *s.Privileged {
		bad("privileged")
	}
	if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation {
		bad("may escalate")
	}
	nonRoot, user, seccomp := pod.RunAsNonRoot, pod.RunAsUser, pod.SeccompProfile
	if s.RunAsNonRoot != nil {
		nonRoot = s.RunAsNonRoot
	}
	if s.RunAsUser != nil {
		user = s.RunAsUser
	}
	if s.SeccompProfile != nil {
		seccomp = s.SeccompProfile
	}
	if nonRoot == nil || !*nonRoot || user != nil && *user == 0 {
		bad("may be root")
	}
	if seccomp == nil || seccomp.Type != corev1.SeccompProfileTypeRuntimeDefault &&
		seccomp.Type != corev1.SeccompProfileTypeLocalhost {
		bad("no seccomp")
	}
	if s.Capabilities == nil || !slices.Contains(s.Capabilities.Drop, "ALL") {
		bad("keeps capabilities")
	}
	for _, add := range s.Capabilities.Add {
		if add != "NET_BIND_SERVICE" {
			bad("adds a capability")
		}
	}
	if s.ProcMount != nil && *s.ProcMount != corev1.DefaultProcMount {
		bad("sees all of /proc")
	}
	if o := s.WindowsOptions; o != nil && o.HostProcess != nil && *o.HostProcess {
		bad("host process")
	}
	for _, p := range c.Ports {
		if p.HostPort != 0 {
			tb.Errorf("container %s: host port %d", c.Name, p.HostPort)
		}
	}
}

var fuzzKey = dag.AttemptKey{DAG: "d", Run: "r", Task: "t", Try: 1}

// buildAll builds every task of a spec and returns how many pods came of it.
func buildAll(t *testing.T, source []byte) int {
	t.Helper()
	dags, err := dag.Parse("spec.yaml", source)
	if err != nil {
		return 0
	}
	built := 0
	for _, d := range dags {
		for _, task := range d.Tasks {
			pod, err := strict.Build(podspec.Input{Key: fuzzKey, Task: task, Env: task.Env, Source: d.Source})
			switch {
			case err == nil:
				built++
				checkHarmless(t, pod)
				if err := strict.Check(task); err != nil {
					t.Errorf("Check refuses what Build builds: %v", err)
				}
			case !errors.Is(err, dag.ErrInvalid) || pod != nil:
				t.Errorf("Build = %v, %v", pod, err)
			}
		}
	}
	return built
}

// FuzzBuild holds that no spec whatsoever makes a pod that does harm.
func FuzzBuild(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		f.Add(randomSpec(r))
	}
	f.Fuzz(func(t *testing.T, source []byte) { buildAll(t, source) })
}

// TestNoSpecDoesHarm throws dice over everything that a spec could try.
func TestNoSpecDoesHarm(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	built := 0
	const specs = 4000
	for range specs {
		source := randomSpec(r)
		built += buildAll(t, source)
		if t.Failed() {
			t.Fatalf("by the spec:\n%s", source)
		}
	}
	if built < specs/20 || built > specs*19/20 {
		t.Errorf("%d of %d specs were built; this shows little", built, specs)
	}
}

// podFragments are fields of a pod's spec, good and bad; containerFragments those
// of a container.
var (
	podFragments = []string{
		"hostNetwork: true", "hostNetwork: false", "hostPID: true", "hostIPC: true", "hostUsers: false", "nodeName: n",
		"os: {name: windows}", "os: {name: linux}",
		"serviceAccountName: admin", "serviceAccountName: default", "serviceAccount: admin",
		"automountServiceAccountToken: true", "automountServiceAccountToken: false",
		"restartPolicy: Always", "restartPolicy: Never", "securityContext: {}", "securityContext: {runAsUser: 0}",
		"securityContext: {runAsNonRoot: false}",
		"securityContext: {runAsUser: 5, seccompProfile: {type: Unconfined}}",
		"securityContext: {seccompProfile: {type: Localhost, localhostProfile: p}}",
		"securityContext: {windowsOptions: {hostProcess: true}}", "shareProcessNamespace: true", "priority: 1",
		"enableServiceLinks: true",
		"volumes: [{name: v, hostPath: {path: /}}]", "volumes: [{name: v, emptyDir: {}}]",
		"volumes: [{name: v, nfs: {server: s, path: /}}]",
		"volumes: [{name: v}]", "volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t}}]}}]",
		"volumes: [{name: v, emptyDir: {}, hostPath: {path: /}}]",
		"ephemeralContainers: [{name: e, image: busybox}]", "tolerations: [{operator: Exists}]",
		"hostAliases: [{ip: 10.0.0.1, hostnames: [h]}]",
	}
	containerFragments = []string{
		"image: busybox", "image: ''", "securityContext: {}", "securityContext: {privileged: true}",
		"securityContext: {privileged: false}",
		"securityContext: {allowPrivilegeEscalation: true}", "securityContext: {runAsUser: 0}",
		"securityContext: {runAsUser: 7, runAsNonRoot: false}",
		"securityContext: {capabilities: {add: [SYS_ADMIN]}}", "securityContext: {capabilities: {drop: [NET_RAW]}}",
		"securityContext: {capabilities: {add: [NET_BIND_SERVICE], drop: [ALL]}}",
		"securityContext: {procMount: Unmasked}", "securityContext: {seccompProfile: {type: Unconfined}}",
		"securityContext: {windowsOptions: {hostProcess: true}}",
		"ports: [{containerPort: 1, hostPort: 1}]", "ports: [{containerPort: 1}]", "volumeMounts: [{name: v, mountPath: /v}]",
		"command: [sh]",
		"resources: {limits: {memory: 1Gi}, requests: {memory: 2Gi}}", "restartPolicy: Always", "env: [{name: A, value: b}]",
	}
	metadataFragments = []string{
		"namespace: kube-system", "namespace: models-dev", "finalizers: [x/y]", "labels: {dag_id: x}", "labels: {a: b}",
		"labels: {dagwright/instance: x}",
		"annotations: {dagwright/attempt: x}", "ownerReferences: [{apiVersion: v1, kind: Pod, name: p, uid: u}]", "name: x",
	}
)

// operatorNames spell fragments as the operator's arguments.
var operatorNames = map[string]string{
	"hostNetwork": "hostnetwork", "serviceAccountName": "service_account_name",
	"automountServiceAccountToken": "automount_service_account_token",
	"volumes":                      "volumes", "tolerations": "tolerations", "hostAliases": "host_aliases",
	"ports": "ports", "volumeMounts": "volume_mounts", "image": "image",
	"namespace": "namespace", "labels": "labels", "annotations": "annotations", "name": "name", "command": "cmds",
}

// randomSpec puts fragments together, most often few of them.
func randomSpec(r *rand.Rand) []byte {
	var b strings.Builder
	b.WriteString("d:\n  tasks:\n    - task_id: t\n      operator: " + dag.KubernetesPodOperator + "\n")
	fields := map[string]string{}
	if r.IntN(4) > 0 {
		fields["image"] = "busybox"
	}
	for _, list := range [][]string{podFragments, containerFragments, metadataFragments} {
		for _, fragment := range some(r, list) {
			name, value, _ := strings.Cut(fragment, ": ")
			if argument, ok := operatorNames[name]; ok {
				fields[argument] = value
			} else if name == "securityContext" {
				fields[[]string{"security_context", "container_security_context"}[r.IntN(2)]] = value
			}
		}
	}
	for _, argument := range []string{"pod_template_dict", "full_pod_spec"} {
		if r.IntN(2) == 0 {
			fields[argument] = randomPod(r)
		}
	}
	if r.IntN(3) == 0 {
		fields["init_containers"] = "[" + randomContainer(r, "i") + "]"
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(&b, "      %s: %s\n", name, fields[name])
	}
	return []byte(b.String())
}

func randomPod(r *rand.Rand) string {
	spec := some(r, podFragments)
	containers := []string{}
	for i := range r.IntN(3) {
		containers = append(containers, randomContainer(r, fmt.Sprintf("c%d", i)))
	}
	spec = append(spec, "containers: ["+strings.Join(containers, ", ")+"]")
	if r.IntN(4) == 0 {
		spec = append(spec, "initContainers: ["+randomContainer(r, "i")+"]")
	}
	return "{metadata: {" + strings.Join(some(r, metadataFragments), ", ") + "}, spec: {" + strings.Join(spec, ", ") + "}}"
}

func randomContainer(r *rand.Rand, name string) string {
	fields := append([]string{"name: " + name}, some(r, containerFragments)...)
	if !slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(f, "image") }) {
		fields = append(fields, "image: busybox")
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// some picks a few elements, none of a name twice.
func some(r *rand.Rand, list []string) []string {
	var out []string
	seen := map[string]bool{}
	for r.IntN(3) == 0 {
		fragment := list[r.IntN(len(list))]
		name, _, _ := strings.Cut(fragment, ":")
		if !seen[name] {
			seen[name] = true
			out = append(out, fragment)
		}
	}
	return out
}
