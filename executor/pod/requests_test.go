package pod_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"dagwright/dag"
	"dagwright/podspec"
	"dagwright/test/cluster/clustertest"
)

// counter counts the requests that an executor makes for its pods: all but those that list
// and watch, and that which asks whether Kubernetes answers.
type counter struct {
	mu    sync.Mutex
	count map[string]int
}

// counted lets the executor's requests be counted.
func (h *home) counted(t *testing.T) *counter {
	t.Helper()
	c := &counter{count: map[string]int{}}
	config := rest.CopyConfig(h.Config)
	config.QPS = -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			c.take(r)
			return next.RoundTrip(r)
		})
	})
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	h.client = client.CoreV1().RESTClient()
	return c
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (c *counter) take(r *http.Request) {
	kind := r.Method
	switch {
	case strings.HasSuffix(r.URL.Path, "/log"):
		kind = "log"
	case r.Method == http.MethodGet && (strings.HasSuffix(r.URL.Path, "s") || strings.HasSuffix(r.URL.Path, "-pulse")):
		return // a list, a watch, or the pulse
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[kind]++
}

func (c *counter) counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.count)
}

// TestRequests counts what tasks cost the API server: one request creates a pod, one takes
// off its finalizer, few delete all pods that end together, and the log is read twice at
// most once its container has ended: to its end, and once more to be sure of that.
func TestRequests(t *testing.T) {
	t.Parallel()
	h := newHome(t, clustertest.Open(t))
	h.FakeNodes(fakeNodes)
	count := h.counted(t)
	r := start(t, h)
	const fakes = 40
	var keys []dag.AttemptKey
	for i := range fakes {
		a := fake(fmt.Sprint("fake-", i), "1s", 0)
		r.start(t, a)
		keys = append(keys, a.Key)
	}
	printing := task("printing", "echo begun; echo ended")
	r.start(t, printing)
	keys = append(keys, printing.Key)
	for _, key := range keys {
		if e := r.awaitEnd(t, key); !e.Succeeded() {
			t.Fatalf("%s ended as %+v", key.Task, e)
		}
	}
	for _, key := range keys {
		if err := r.x.Forget(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	r.wantLog(t, printing.Key, "begun\nended\n")
	r.awaitNoPods(t)
	got := count.counts()
	logs, deletions := got["log"], got[http.MethodDelete]
	delete(got, "log")
	delete(got, http.MethodDelete)
	if want := map[string]int{http.MethodPost: len(keys), http.MethodPatch: len(keys)}; !maps.Equal(got, want) {
		t.Errorf("requests: %v, want %v", got, want)
	}
	if logs > 3 || deletions > len(keys)/4 {
		t.Errorf("%d requests for a log and %d for %d deletions", logs, deletions, len(keys))
	}
}

// awaitNoPods waits until the namespace has no pods.
func (r *runner) awaitNoPods(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	pods := r.Client.CoreV1().Pods(r.Namespace)
	for {
		list, err := pods.List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Items) == 0 {
			return
		}
		changes, err := pods.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
		if err != nil {
			t.Fatal(err)
		}
		for change := range changes.ResultChan() {
			if change.Type == watch.Deleted {
				break
			}
		}
		changes.Stop()
	}
}

// TestSweep deletes ended pods, in one half without the right to delete collections. A pod of
// somebody else stays that carries the labels of an ended pod.
func TestSweep(t *testing.T) {
	t.Parallel()
	for name, verbs := range map[string]string{
		"as a collection": "create get list watch patch delete deletecollection",
		"one by one":      "create get list watch patch delete",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, clustertest.Open(t))
			h.FakeNodes(fakeNodes)
			h.withAccount(t, "dagwright", "pods: "+verbs, "pods/log: get", "events: get list watch")
			r := start(t, h)
			stranger := clustertest.ShellPod("stranger", "sleep 60")
			stranger.Labels = map[string]string{"app.kubernetes.io/managed-by": "dagwright",
				"dagwright/instance": h.pods.Instance, podspec.DoneLabel: "EARLIER-1"}
			r.CreatePod(stranger)
			attempts := []dag.AttemptKey{}
			for i := range 4 {
				a := fake(fmt.Sprint("fake-", i), "0s", 0)
				r.start(t, a)
				attempts = append(attempts, a.Key)
			}
			for _, key := range attempts {
				r.awaitEnd(t, key)
			}
			for _, key := range attempts {
				if err := r.x.Forget(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.x.Close(); err != nil {
				t.Fatal(err)
			}
			list, err := r.Client.CoreV1().Pods(r.Namespace).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if len(list.Items) != 1 || list.Items[0].Name != "stranger" || list.Items[0].DeletionTimestamp != nil {
				t.Errorf("left are %+v, want the stranger", list.Items)
			}
		})
	}
}

// TestSweptAfterCrash labels an ended pod as a process does that is killed before it deletes
// the pod: the next one deletes it.
func TestSweptAfterCrash(t *testing.T) {
	t.Parallel()
	h := newHome(t, clustertest.Open(t))
	h.FakeNodes(fakeNodes)
	r := start(t, h)
	a := fake("crashed", "0s", 0)
	r.start(t, a)
	r.awaitEnd(t, a.Key)
	if err := r.x.Close(); err != nil {
		t.Fatal(err)
	}
	name := podspec.Name(podspec.Input{Key: a.Key, Task: a.Task})
	patch := `{"metadata": {"finalizers": null, "labels": {"` + podspec.DoneLabel + `": "EARLIER-1"}}}`
	if _, err := r.Client.CoreV1().Pods(r.Namespace).Patch(t.Context(), name, types.MergePatchType, []byte(patch),
		metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	<-r.done
	r.open(t)
	r.awaitNoPods(t)
}
