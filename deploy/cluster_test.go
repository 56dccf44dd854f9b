package deploy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dagwright/gitlab/gitlabtest"
	"dagwright/test/cluster/clustertest"

	"go.uber.org/goleak"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// A connection to the API server that a cancelled request still held when it was to
// be closed ends by itself later; its reader is client-go's.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"))
}

const chain = `
hello:
  schedule: null
  start_date: "2026-01-01"
  tasks:
    - task_id: first
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: localhost/busybox:1
      cmds: [sh, -c, 'echo "first says $GREETING"']
      container_resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 32Mi}}
    - task_id: second
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: localhost/busybox:1
      cmds: [sh, -c, 'echo second; ls /var/run/secrets/kubernetes.io || echo no token']
      container_resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 32Mi}}
      dependencies: [first]
`

// TestInstance applies the manifests as they are, except for names and addresses,
// to a real cluster. dagwright runs there as the image that the Dockerfile makes,
// with no rights but the manifests', on a read-only root file system, and starts
// a DAG's tasks as pods.
func TestInstance(t *testing.T) {
	t.Parallel()
	c := clustertest.Open(t)
	tasks := c.AnotherNamespace()
	gitlab := gitlabtest.New(t)
	gitlab.CreateProject("gbc/airflow-dev")
	gitlab.Commit("gbc/airflow-dev", "main", map[string]string{"hello.yaml": chain})

	makeSecret(t, c, gitlab.Token)
	caller := letServiceAccountIn(t, c)
	apply(t, c, strings.NewReplacer(
		// The identity provider is not there, which stops nobody but who signs in by it;
		// the test comes by a service account of its own.
		"      key_file:", "      kubernetes: {audiences: [dagwright]}\n      key_file:",
		"      - {groups: [platform-admins], role: admin}",
		"      - {service_accounts: ["+c.Namespace+"/caller], role: admin}",
		"dagwright-dev-tasks", tasks, "dagwright-dev", c.Namespace,
		"registry.example.com/dagwright:latest # your registry, and a version", c.DagwrightImage(),
		"registries: [registry.example.com]", "registries: [localhost]",
		"https://gitlab.example.com", c.Expose(gitlab.URL),
		// This cluster has no storage to claim.
		"persistentVolumeClaim: {claimName: dagwright}", "emptyDir: {}",
	))
	pod := c.WaitLabelled("app.kubernetes.io/name=dagwright", ready)
	cli := client{t: t, program: filepath.Join(t.TempDir(), "dagwright"),
		server: carrying(t, c.Forward(pod.Name, 8080), caller)}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", cli.program,
		"../cmd/dagwright").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}

	cli.waitForDAG("hello")
	cli.run("dags", "trigger", "hello", "--run-id", "r1", "--conf", `{"GREETING": "hello from the page"}`, "--wait")
	if got := cli.run("logs", "hello", "r1", "first"); !strings.Contains(got, "first says hello from the page") {
		t.Errorf("log of the first task:\n%s", got)
	}
	if got := cli.run("logs", "hello", "r1", "second"); !strings.Contains(got, "no token") {
		t.Errorf("a task's pod holds credentials of the cluster; its log:\n%s", got)
	}
	checkRights(t, c, tasks)
}

// letServiceAccountIn makes a service account and returns a token of it for
// dagwright, whose own account may ask the cluster about tokens, as docs/auth.md says.
func letServiceAccountIn(t *testing.T, c *clustertest.Cluster) string {
	t.Helper()
	core := c.Client.CoreV1().ServiceAccounts(c.Namespace)
	if _, err := core.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "caller"}},
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	asked := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"dagwright"}}}
	answer, err := core.CreateToken(t.Context(), "caller", asked, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: c.Namespace + "-reviews"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:auth-delegator"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "dagwright", Namespace: c.Namespace}},
	}
	bindings := c.Client.RbacV1().ClusterRoleBindings()
	if _, err := bindings.Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bindings.Delete(context.Background(), binding.Name, metav1.DeleteOptions{}) })
	return answer.Status.Token
}

// carrying is a server in front of an address that adds a token to each request, and
// the address of that. Without the token nobody is let in.
func carrying(t *testing.T, address, token string) string {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/api/v2/dags", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token the API answers %s", answer.Status)
	}
	http.DefaultClient.CloseIdleConnections()
	transport := &http.Transport{}
	server := httptest.NewServer(&httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Header.Set("Authorization", "Bearer "+token)
	}})
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	return server.URL
}

// client is dagwright's own, on this side of a forwarded port.
type client struct {
	t               *testing.T
	program, server string
}

func (c client) run(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("dagwright %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func (c client) try(args ...string) (string, error) {
	cmd := exec.CommandContext(c.t.Context(), c.program, append(args, "--server", c.server)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w\n%s%s", err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// waitForDAG asks until the first fetch of the DAG repository is over.
func (c client) waitForDAG(id string) {
	c.t.Helper()
	deadline := time.After(time.Minute)
	for {
		_, err := c.try("dags", "show", id)
		if err == nil {
			return
		}
		select {
		case <-deadline:
			c.t.Fatalf("wait for DAG %s: %v", id, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func ready(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// checkRights asks the cluster itself what dagwright's account may do, beside
// what it has just done.
func checkRights(t *testing.T, c *clustertest.Cluster, tasks string) {
	t.Helper()
	account, err := kubernetes.NewForConfig(c.ConfigOf("dagwright"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		namespace, verb, resource, subresource string
		want                                   bool
	}{
		{tasks, "create", "pods", "", true},
		{tasks, "get", "pods", "log", true},
		{tasks, "watch", "events", "", true},
		{tasks, "deletecollection", "pods", "", true},
		{tasks, "update", "pods", "", false},
		{tasks, "create", "pods", "exec", false},
		{tasks, "create", "events", "", false},
		{tasks, "get", "secrets", "", false},
		{tasks, "get", "configmaps", "", false},
		{tasks, "create", "serviceaccounts", "token", false},
		{c.Namespace, "create", "pods", "", false},
		{c.Namespace, "get", "secrets", "", false},
		{"", "list", "pods", "", false},
		{"", "list", "nodes", "", false},
		{"", "list", "namespaces", "", false},
	} {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: test.namespace, Verb: test.verb, Resource: test.resource, Subresource: test.subresource,
			},
		}}
		review, err := account.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), review,
			metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := review.Status.Allowed; got != test.want {
			t.Errorf("may %s %s/%s in namespace %q: %t, want %t", test.verb, test.resource, test.subresource, test.namespace,
				got, test.want)
		}
	}
}

// apply applies the manifests with server-side apply, which wants known fields
// only.
func apply(t *testing.T, c *clustertest.Cluster, replace *strings.Replacer) {
	t.Helper()
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.Client.Discovery()))
	yes := true
	options := metav1.PatchOptions{FieldManager: "test", Force: &yes, FieldValidation: metav1.FieldValidationStrict}
	for _, document := range documents(t, replace) {
		var object unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		kind := object.GroupVersionKind()
		mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		namespaced := client.Resource(mapping.Resource).Namespace(object.GetNamespace())
		if _, err := namespaced.Patch(t.Context(), object.GetName(), types.ApplyPatchType, body, options); err != nil {
			t.Errorf("apply %s %s: %v", kind.Kind, object.GetName(), err)
		}
	}
}

func makeSecret(t *testing.T, c *clustertest.Cluster, token string) {
	t.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "dagwright"},
		StringData: map[string]string{
			"airflow-dev-token": token, "gitlab-token": token, "webhook-secret": "hook",
			"oidc-secret": "secret", "session-key": strings.Repeat("k", 32),
		},
	}
	if _, err := c.Client.CoreV1().Secrets(c.Namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
