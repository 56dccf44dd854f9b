package clustertest

import (
	"context"
	"flag"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// variable names the kubeconfig; "test/cluster/cluster env" prints it.
const variable = "DAGWRIGHT_TEST_KUBECONFIG"

const howToStart = `start one with: export ` + variable + `="$(make -s cluster-up)"`

// Cluster is the test suite's Kubernetes, and one namespace of it that belongs
// to one test. Its methods fail that test; they may be called from several
// goroutines only if the test waits for them.
type Cluster struct {
	// Kubeconfig is the path of an administrator's kubeconfig.
	Kubeconfig string
	// Config is what Kubeconfig says. It is the test's own copy.
	Config *rest.Config
	// Client is an administrator's client, without limits to its rate.
	Client kubernetes.Interface
	// Namespace exists, with its default service account, until the test ends. Pod
	// Security is not enforced in it.
	Namespace string

	t testing.TB
}

// SideBySide lets n tests of a package run at once, unless -parallel says otherwise.
// It is for the TestMain of tests that wait for the cluster, or for other processes, more
// than they compute.
func SideBySide(n int) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given || n <= runtime.GOMAXPROCS(0) {
		return
	}
	if err := flag.Set("test.parallel", strconv.Itoa(n)); err != nil {
		panic(err) // the package testing has no such flag any more
	}
}

// Open returns the cluster with a fresh namespace for t. Other tests use the
// cluster at the same time.
func Open(t testing.TB) *Cluster {
	t.Helper()
	return open(t, lockShared)
}

// OpenAlone is Open for a test that breaks the cluster: it waits until no other
// test has it, and keeps others waiting until t ends. A test opens the cluster
// once only, or it would wait for itself; its subtests have it by [Cluster.Within].
func OpenAlone(t testing.TB) *Cluster {
	t.Helper()
	return open(t, lockAlone)
}

// Within returns the cluster with a fresh namespace for t, a subtest of the test that has
// opened it.
func (c *Cluster) Within(t testing.TB) *Cluster {
	t.Helper()
	sub := &Cluster{Kubeconfig: c.Kubeconfig, Config: rest.CopyConfig(c.Config), Client: c.Client, t: t}
	sub.Namespace = sub.newNamespace()
	return sub
}

func open(t testing.TB, mode lockMode) *Cluster {
	t.Helper()
	kubeconfig := os.Getenv(variable)
	if kubeconfig == "" {
		t.Fatalf("no Kubernetes for the tests: %s is not set; %s", variable, howToStart)
	}
	lock(t, kubeconfig+".lock", mode)
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatalf("no Kubernetes for the tests: %v; %s", err, howToStart)
	}
	c := &Cluster{Kubeconfig: kubeconfig, Config: config, t: t, Client: newClient(t, config)}
	c.Namespace = c.newNamespace()
	return c
}

func newClient(t testing.TB, config *rest.Config) *kubernetes.Clientset {
	t.Helper()
	unlimited := rest.CopyConfig(config)
	unlimited.QPS = -1
	closeConnections(t, unlimited)
	client, err := kubernetes.NewForConfig(unlimited)
	if err != nil {
		t.Fatalf("connect to Kubernetes: %v", err)
	}
	return client
}

// closeConnections closes the connections of a configuration's clients when
// the test ends. client-go keeps one transport for all of them, with goroutines
// that would count as leaks.
func closeConnections(t testing.TB, config *rest.Config) {
	t.Helper()
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatalf("connect to Kubernetes: %v", err)
	}
	t.Cleanup(func() { utilnet.CloseIdleConnectionsFor(transport) })
}

// AnotherNamespace makes one more namespace for the test, and returns its name.
func (c *Cluster) AnotherNamespace() string {
	c.t.Helper()
	return c.newNamespace()
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// newNamespace makes a namespace that is named after the test, for people who watch.
func (c *Cluster) newNamespace() string {
	c.t.Helper()
	name := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(c.t.Name()), "-"), "-")
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: name[:min(len(name), 40)] + "-"}}
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	namespace, err := c.Client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
	if err != nil {
		c.t.Fatalf("no Kubernetes for the tests: %v; %s", err, howToStart)
	}
	c.t.Cleanup(func() { c.deleteNamespace(namespace.Name) })
	// Without its service account, which a controller makes, pods are refused.
	added := func(e watch.Event) bool { return e.Type == watch.Added }
	account := metav1.ListOptions{FieldSelector: "metadata.name=default"}
	if err := c.wait("serviceaccounts", namespace.Name, account, &corev1.ServiceAccount{}, added); err != nil {
		c.t.Fatalf("wait for the default service account: %v", err)
	}
	return namespace.Name
}

// deleteNamespace begins a namespace's deletion. What a test left behind must not
// hold it up: neither a pod that takes its time to end, nor a finalizer.
func (c *Cluster) deleteNamespace(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pods := c.Client.CoreV1().Pods(name)
	grace := int64(1)
	if err := pods.DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &grace},
		metav1.ListOptions{}); err != nil {
		c.t.Errorf("delete the pods of namespace %s: %v", name, err)
	}
	if err := removeFinalizers(ctx, pods); err != nil {
		c.t.Errorf("remove the finalizers in namespace %s: %v", name, err)
	}
	if err := c.Client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		c.t.Errorf("delete namespace %s: %v", name, err)
	}
}
