package clustertest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dagwright/test/cluster/clustertest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// A connection to the API server that a cancelled request still held when it was to
// be closed ends by itself later; its reader is client-go's.
func TestMain(m *testing.M) {
	clustertest.SideBySide(4)
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"))
}

// TestPartsComeBack kills each part under a running pod. The pod goes on, its
// log is whole, and the cluster runs a new pod afterwards.
func TestPartsComeBack(t *testing.T) {
	all := clustertest.OpenAlone(t)
	for _, part := range []clustertest.Part{
		clustertest.Etcd, clustertest.APIServer, clustertest.ControllerManager,
		clustertest.Scheduler, clustertest.Kubelet, clustertest.Containerd,
	} {
		t.Run(string(part), func(t *testing.T) {
			c := all.Within(t)
			c.CreatePod(clustertest.ShellPod("throughout", countTo(6)+"; exit 4"))
			c.WaitPod("throughout", clustertest.Running)

			c.Kill(part)
			c.Start(part)

			pod := c.WaitPod("throughout", clustertest.Ended)
			checkEnd(t, pod, 4)
			checkLog(t, c, "throughout", 6)
			c.CreatePod(clustertest.ShellPod("afterwards", "true"))
			checkEnd(t, c.WaitPod("afterwards", clustertest.Ended), 0)
		})
	}
}

// TestAPIServerOutage stops the API server for longer than its clients' first
// patience, while a pod runs and ends.
func TestAPIServerOutage(t *testing.T) {
	c := clustertest.OpenAlone(t)
	c.CreatePod(clustertest.ShellPod("unseen", countTo(3)+"; exit 5"))
	c.WaitPod("unseen", clustertest.Running)

	c.Stop(clustertest.APIServer)
	// An outage is a length of time, and there is no one to ask when it is over.
	<-time.After(20 * time.Second)
	if _, err := c.Client.CoreV1().Pods(c.Namespace).Get(t.Context(), "unseen", metav1.GetOptions{}); err == nil {
		t.Error("the API server answers while it is stopped")
	}
	c.Start(clustertest.APIServer)

	checkEnd(t, c.WaitPod("unseen", clustertest.Ended), 5)
	checkLog(t, c, "unseen", 3)
}

// TestManyPods wants more pods at once than a node takes by default (110).
func TestManyPods(t *testing.T) {
	t.Parallel()
	c := clustertest.Open(t)
	for i := range 40 {
		c.CreatePod(clustertest.ShellPod(fmt.Sprintf("p%d", i), "echo $((1+1))"))
	}
	for i := range 40 {
		name := fmt.Sprintf("p%d", i)
		checkEnd(t, c.WaitPod(name, clustertest.Ended), 0)
		if got := c.Log(name); got != "2\n" {
			t.Errorf("log of %s: got %q", name, got)
		}
	}
}

func TestModelImage(t *testing.T) {
	t.Parallel()
	c := clustertest.Open(t)
	model := filepath.Join(t.TempDir(), "churn")
	if err := os.Mkdir(model, 0o755); err != nil {
		t.Fatal(err)
	}
	// The process's own number makes an image that no earlier test has made.
	program := fmt.Sprintf("import os, sqlite3, ssl\nprint(os.getuid(), os.getcwd(), %d)\n", os.Getpid())
	if err := os.WriteFile(filepath.Join(model, "main.py"), []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	pod := clustertest.ShellPod("model", "")
	pod.Spec.Containers[0].Image = c.ModelImage(model)
	pod.Spec.Containers[0].Command = []string{"python3", "main.py"}
	c.CreatePod(pod)
	checkEnd(t, c.WaitPod("model", clustertest.Ended), 0)
	if diff := cmp.Diff(fmt.Sprintf("65532 /app %d\n", os.Getpid()), c.Log("model")); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestFakePods(t *testing.T) {
	t.Parallel()
	c := clustertest.Open(t)
	c.FakeNodes(2)
	pod := clustertest.FakePod(clustertest.ShellPod("fake", "exit 1"), 50*time.Millisecond, 3)
	pod.Finalizers = []string{"dagwright.dev/test"}
	c.CreatePod(pod)
	checkEnd(t, c.WaitPod("fake", clustertest.Ended), 3)
	if c.Log("fake") == "" {
		t.Error("a fake pod has no log")
	}
}

// TestPodsReachTheAPIServer runs a program in a pod with in-cluster credentials.
func TestPodsReachTheAPIServer(t *testing.T) {
	t.Parallel()
	c := clustertest.Open(t)
	const program = `
import os, ssl, urllib.request
home = "/var/run/secrets/kubernetes.io/serviceaccount/"
request = urllib.request.Request("https://" + os.environ["KUBERNETES_SERVICE_HOST"] + "/version",
    headers={"Authorization": "Bearer " + open(home + "token").read()})
context = ssl.create_default_context(cafile=home + "ca.crt")
print(urllib.request.urlopen(request, context=context, timeout=20).status)
`
	pod := clustertest.ShellPod("inside", "")
	yes := true
	pod.Spec.AutomountServiceAccountToken = &yes
	pod.Spec.Containers[0].Image = "localhost/python:3.11"
	pod.Spec.Containers[0].Command = []string{"python3", "-c", program}
	c.CreatePod(pod)
	checkEnd(t, c.WaitPod("inside", clustertest.Ended), 0)
	if got := c.Log("inside"); got != "200\n" {
		t.Errorf("the API server's answer inside a pod: %q", got)
	}
}

// TestConfigOf is to be the service account, and not the administrator.
func TestConfigOf(t *testing.T) {
	t.Parallel()
	c := clustertest.Open(t)
	meta := metav1.ObjectMeta{Name: "reader"}
	role := &rbacv1.Role{ObjectMeta: meta,
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}}}
	if _, err := c.Client.RbacV1().Roles(c.Namespace).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "default", Namespace: c.Namespace}},
	}
	if _, err := c.Client.RbacV1().RoleBindings(c.Namespace).Create(t.Context(), binding,
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(c.ConfigOf("default"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Pods(c.Namespace).List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("list pods, which the role allows: %v", err)
	}
	_, err = client.CoreV1().Pods(c.Namespace).Create(t.Context(), clustertest.ShellPod("p", "true"),
		metav1.CreateOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("create a pod, which the role does not allow: got error %v, want Forbidden", err)
	}
}

// countTo is a shell script that prints a line a second.
func countTo(n int) string {
	return fmt.Sprintf("for i in $(seq %d); do echo line $i; sleep 1; done", n)
}

func checkEnd(t *testing.T, pod *corev1.Pod, exitCode int32) {
	t.Helper()
	if len(pod.Status.ContainerStatuses) != 1 || pod.Status.ContainerStatuses[0].State.Terminated == nil {
		t.Fatalf("pod %s has not ended: %+v", pod.Name, pod.Status)
	}
	status := pod.Status.ContainerStatuses[0]
	if got := status.State.Terminated.ExitCode; got != exitCode || status.RestartCount != 0 {
		t.Errorf("pod %s ended with %d after %d restarts, want %d: %+v", pod.Name, got, status.RestartCount, exitCode,
			status.State)
	}
}

func checkLog(t *testing.T, c *clustertest.Cluster, name string, lines int) {
	t.Helper()
	var want strings.Builder
	for i := range lines {
		fmt.Fprintf(&want, "line %d\n", i+1)
	}
	if diff := cmp.Diff(want.String(), c.Log(name)); diff != "" {
		t.Errorf("log of pod %s (-want +got):\n%s", name, diff)
	}
}
