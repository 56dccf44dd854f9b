package deploy_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dagwright/deploy"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// TestRights is the whole list: what is not here dagwright must not have.
func TestRights(t *testing.T) {
	t.Parallel()
	want := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"},
			Verbs: []string{"create", "get", "list", "watch", "patch", "delete", "deletecollection"}},
		{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"get", "list", "watch"}},
	}
	var got []rbacv1.PolicyRule
	for _, object := range objects(t) {
		switch o := object.(type) {
		case *rbacv1.Role:
			got = append(got, o.Rules...)
		case *rbacv1.ClusterRole, *rbacv1.ClusterRoleBinding:
			t.Errorf("%T: want no rights in the whole cluster", o)
		case *rbacv1.RoleBinding:
			subject := rbacv1.Subject{Kind: "ServiceAccount", Name: "dagwright", Namespace: "dagwright-dev"}
			if diff := cmp.Diff([]rbacv1.Subject{subject}, o.Subjects); diff != "" {
				t.Errorf("who has the rights (-want +got):\n%s", diff)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rights (-want +got):\n%s", diff)
	}
}

// TestRestricted checks the pod against Pod Security "restricted", and for what that
// does not demand: a read-only root file system.
func TestRestricted(t *testing.T) {
	t.Parallel()
	deployment := find[*appsv1.Deployment](t)
	template := deployment.Spec.Template
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	results := evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec)
	if result := policy.AggregateCheckResults(results); !result.Allowed {
		t.Errorf("Pod Security restricted: %s", result.ForbiddenDetail())
	}
	for _, container := range template.Spec.Containers {
		readOnly := container.SecurityContext.ReadOnlyRootFilesystem
		if readOnly == nil || !*readOnly {
			t.Errorf("container %s: want readOnlyRootFilesystem", container.Name)
		}
	}
	if deployment.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType || *deployment.Spec.Replicas != 1 {
		t.Errorf("strategy %s with %d replicas: two dagwrights could run at once", deployment.Spec.Strategy.Type,
			*deployment.Spec.Replicas)
	}
}

// TestNamespaces wants every object in one of the instance's namespaces, and
// those held to "restricted".
func TestNamespaces(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, object := range objects(t) {
		if namespace, ok := object.(*corev1.Namespace); ok {
			known[namespace.Name] = namespace.Labels["pod-security.kubernetes.io/enforce"] == "restricted"
			continue
		}
		meta, ok := object.(metav1.Object)
		if !ok || !known[meta.GetNamespace()] {
			t.Errorf("%T %s is in namespace %q, which is not made before it, or is not restricted", object, meta.GetName(),
				meta.GetNamespace())
		}
	}
	if len(known) != 2 {
		t.Errorf("got namespaces %v, want two", known)
	}
}

// TestNetworkPolicy wants the addresses where clusters have their API, their
// nodes and their metadata out of the reach of tasks, and the world in it.
func TestNetworkPolicy(t *testing.T) {
	t.Parallel()
	spec := networkPolicy(t, "dagwright-dev-tasks").Spec
	if !slices.Contains(spec.PolicyTypes, networkingv1.PolicyTypeIngress) || len(spec.Ingress) > 0 {
		t.Error("want nobody to reach a task's pod")
	}
	for address, want := range map[string]bool{
		"10.96.0.1": false, "10.43.0.1": false, "172.20.0.1": false, "192.168.49.2": false, // APIs
		"169.254.169.254": false, "fd00:ec2::254": false, "100.100.100.200": false, // metadata
		"10.244.0.17": false,
		"8.8.8.8":     true, "2001:4860:4860::8888": true,
	} {
		if got := reaches(t, spec, address); got != want {
			t.Errorf("a task reaches %s: %t, want %t", address, got, want)
		}
	}
}

// reaches evaluates the address blocks of a policy, as its documentation says:
// https://kubernetes.io/docs/concepts/services-networking/network-policies/.
func reaches(t *testing.T, spec networkingv1.NetworkPolicySpec, address string) bool {
	t.Helper()
	ip := netip.MustParseAddr(address)
	for _, rule := range spec.Egress {
		for _, peer := range rule.To {
			if peer.IPBlock == nil || !netip.MustParsePrefix(peer.IPBlock.CIDR).Contains(ip) {
				continue
			}
			excepted := func(cidr string) bool { return netip.MustParsePrefix(cidr).Contains(ip) }
			if !slices.ContainsFunc(peer.IPBlock.Except, excepted) {
				return true
			}
		}
	}
	return false
}

// TestOwnNetworkPolicy wants nobody but the ingress controller to reach dagwright,
// least of all a task, and the cloud's metadata out of its reach.
func TestOwnNetworkPolicy(t *testing.T) {
	t.Parallel()
	spec := networkPolicy(t, "dagwright-dev").Spec
	if len(spec.PodSelector.MatchLabels)+len(spec.PodSelector.MatchExpressions) > 0 || len(spec.PolicyTypes) != 2 {
		t.Error("want it to hold for every pod, both ways")
	}
	for _, rule := range spec.Ingress {
		if len(rule.From) != 1 || len(rule.Ports) != 1 {
			t.Fatalf("want each rule to name who comes, and to which port: %+v", rule)
		}
		if from := rule.From[0].NamespaceSelector; from == nil ||
			from.MatchLabels[corev1.LabelMetadataName] != "ingress-nginx" {
			t.Errorf("let in: %+v", rule.From[0])
		}
	}
	for address, want := range map[string]bool{
		"10.96.0.1": true, "192.168.49.2": true, "8.8.8.8": true, "fd12::1": true,
		"169.254.169.254": false, "fd00:ec2::254": false, "100.100.100.200": false,
	} {
		if got := reaches(t, spec, address); got != want {
			t.Errorf("dagwright reaches %s: %t, want %t", address, got, want)
		}
	}
}

// TestTrustedProxies wants the example to trust single addresses: in a network of
// pods there are tasks, which could then say that they are anybody.
func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	var c struct {
		Auth struct {
			TrustedProxies []string `json:"trusted_proxies"`
		} `json:"auth"`
	}
	if err := yaml.Unmarshal([]byte(find[*corev1.ConfigMap](t).Data["dagwright.yml"]), &c); err != nil {
		t.Fatal(err)
	}
	for _, text := range c.Auth.TrustedProxies {
		if p := netip.MustParsePrefix(text); p.Bits() != p.Addr().BitLen() || p.Addr().IsPrivate() {
			t.Errorf("the example trusts %s", text)
		}
	}
	if len(c.Auth.TrustedProxies) == 0 {
		t.Error("the example shows no proxy")
	}
}

// TestSecondInstance runs the documented command for a second instance, up to kubectl.
// It wants every object that the files have, and nothing that is of the first one.
func TestSecondInstance(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(deploy.Kubernetes, "kubernetes/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := deploy.Kubernetes.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(content, []byte("---\n")) {
			t.Errorf("%s does not begin with ---", file)
		}
	}
	stream := documentedStream(t)
	for line := range strings.Lines(string(stream)) {
		if mention := regexp.MustCompile(`(?i)(^|[^a-z])dev([^a-z]|$)`).FindString(line); mention != "" &&
			!strings.HasPrefix(strings.TrimSpace(line), "#") {
			t.Errorf("the second instance has a name of the first one: %s", line)
		}
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(stream), 4096)
	found := map[string]bool{}
	for {
		var object struct {
			Kind     string            `json:"kind"`
			Metadata metav1.ObjectMeta `json:"metadata"`
			Data     map[string]string `json:"data"`
		}
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found[object.Kind+" "+object.Metadata.Namespace+"/"+object.Metadata.Name] = true
		config, ok := object.Data["dagwright.yml"]
		for _, want := range []string{
			"environment: PROD\n", "production: true\n", "instance: prod\n", "namespace: dagwright-prod-tasks\n",
			"client_id: dagwright-prod\n", "project: gbc/airflow-prod\n", "/gbc/airflow-prod.git\n",
		} {
			if ok && !strings.Contains(config, want) {
				t.Errorf("the configuration lacks %q", want)
			}
		}
	}
	if len(found) != len(objects(t)) || len(found) < 14 {
		t.Errorf("the stream has %d objects, the files %d: %v", len(found), len(objects(t)), found)
	}
	for _, name := range []string{
		"Namespace /dagwright-prod", "Namespace /dagwright-prod-tasks", "ServiceAccount dagwright-prod/dagwright",
		"NetworkPolicy dagwright-prod/dagwright", "ConfigMap dagwright-prod/dagwright",
	} {
		if !found[name] {
			t.Errorf("the stream lacks %s", name)
		}
	}
}

// documentedStream is what docs/kubernetes.md hands to kubectl for a second instance.
func documentedStream(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile("(?s)```sh\n(sed [^`]*) \\| kubectl apply -f -\n```").FindStringSubmatch(string(text))
	if command == nil {
		t.Fatal("docs/kubernetes.md has no command for a second instance")
	}
	sh := exec.CommandContext(t.Context(), "sh", "-c", command[1])
	sh.Dir = ".."
	stream, err := sh.Output()
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// networkPolicy is the only one of a namespace.
func networkPolicy(t *testing.T, namespace string) *networkingv1.NetworkPolicy {
	t.Helper()
	var found *networkingv1.NetworkPolicy
	for _, object := range objects(t) {
		if p, ok := object.(*networkingv1.NetworkPolicy); ok && p.Namespace == namespace {
			if found != nil {
				t.Fatalf("two policies in %s", namespace)
			}
			found = p
		}
	}
	if found == nil {
		t.Fatalf("no policy in %s", namespace)
	}
	return found
}

// find returns the only object of a kind.
func find[T runtime.Object](t *testing.T) T {
	t.Helper()
	var found []T
	for _, object := range objects(t) {
		if o, ok := object.(T); ok {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("got %d objects of type %T, want one", len(found), *new(T))
	}
	return found[0]
}

// objects decodes all manifests strictly: an unknown or doubled field fails the
// test.
func objects(t *testing.T) []runtime.Object {
	t.Helper()
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	var all []runtime.Object
	for _, text := range documents(t, nil) {
		object, _, err := decoder.Decode([]byte(text), nil, nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		all = append(all, object)
	}
	return all
}

// documents returns the YAML documents of all manifests, in their order.
func documents(t *testing.T, replace *strings.Replacer) []string {
	t.Helper()
	files, err := fs.Glob(deploy.Kubernetes, "kubernetes/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, file := range files {
		content, err := deploy.Kubernetes.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if replace != nil {
			content = []byte(replace.Replace(string(content)))
		}
		reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
		for {
			document, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			all = append(all, string(document))
		}
	}
	return all
}
