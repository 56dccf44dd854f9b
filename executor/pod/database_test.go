package pod_test

import (
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"dagwright/dag"
	"dagwright/podspec"
	"dagwright/reason"
	"dagwright/test/cluster/clustertest"
)

// TestAnotherDatabase opens a second executor of the same name on a database of its own:
// it leaves the pods of the first alone, says so, and the first loses nothing.
func TestAnotherDatabase(t *testing.T) {
	t.Parallel()
	h := newHome(t, clustertest.Open(t))
	h.pods.Database = "aaaaaaaaaaaaaaaa"
	first := start(t, h)
	a := task("mine", "while ! [ -e /tmp/go ]; do sleep 0.2; done")
	first.start(t, a)
	first.await(t, a.Key, func(e dag.AttemptEvent) bool { return e.Phase == dag.AttemptStarted })

	other := *h
	other.pods.Database = "bbbbbbbbbbbbbbbb"
	x := other.open(t)
	defer x.Close()
	found, err := x.List(t.Context())
	if err != nil || len(found) != 0 {
		t.Errorf("the second finds %v, %v; want nothing", found, err)
	}
	name := podspec.Name(podspec.Input{Key: a.Key, Task: a.Task})
	if why, want := x.Trouble(), reason.New(reason.PodsOfAnotherDatabase, 1, h.Namespace, name); why != want {
		t.Errorf("the second says %q, want %q", why, want)
	}
	if err := x.Stop(t.Context(), a.Key, 0); err != nil {
		t.Error(err)
	}
	if err := x.Forget(t.Context(), a.Key); err != nil {
		t.Error(err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	if why := first.x.Trouble(); !why.IsZero() {
		t.Errorf("the first says %q", why)
	}
	pod, err := h.Client.CoreV1().Pods(h.Namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil || pod.DeletionTimestamp != nil {
		t.Errorf("the first one's pod was touched: %v, %v", pod, err)
	}
	if err := first.x.Stop(t.Context(), a.Key, 0); err != nil {
		t.Fatal(err)
	}
	first.awaitEnd(t, a.Key)
}

// TestMayStart creates no pod as long as another dagwright may have taken over.
func TestMayStart(t *testing.T) {
	t.Parallel()
	r := start(t, newHome(t, clustertest.Open(t)))
	a := task("held", "true")
	var asked atomic.Int64
	a.MayStart = func() bool {
		n := asked.Add(1)
		if n <= 3 {
			pods, err := r.Client.CoreV1().Pods(r.Namespace).List(t.Context(), metav1.ListOptions{})
			if err != nil || len(pods.Items) > 0 {
				t.Errorf("pods before the executor may start any: %d, %v", len(pods.Items), err)
			}
		}
		return n > 3
	}
	r.start(t, a)
	if e := r.awaitEnd(t, a.Key); e.Lost || e.ExitCode != 0 {
		t.Errorf("the end is %+v", e)
	}
}
