package pod_test

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"dagwright/test/cluster/clustertest"
)

// outage is how long the API server is away in these tests: longer than the control
// plane waits for a node (node_grace in test/cluster/cluster), and than the pauses
// between the executor's requests take to grow to their limit.
const outage = 25 * time.Second

// fakeNodes is how many other nodes there are when one is lost.
const fakeNodes = 10

// TestPartsKilled kills each part of the cluster under a running pod and brings
// it back: the pod's end and all of its output are known, and nothing else
// happened to the attempt.
func TestPartsKilled(t *testing.T) {
	c := clustertest.OpenAlone(t)
	for _, part := range []clustertest.Part{clustertest.Etcd, clustertest.APIServer, clustertest.Kubelet,
		clustertest.Containerd} {
		t.Run(string(part), func(t *testing.T) {
			r := start(t, newHome(t, c.Within(t)))
			a, next := task("throughout", count(12, 4)), task("next", "echo afterwards")
			r.start(t, a)
			r.awaitLine(t, a.Key, "line 2")

			r.Kill(part)
			r.start(t, next) // asked for while the part is away
			r.Start(part)

			if e := r.awaitEnd(t, a.Key); e.ExitCode != 4 || e.Lost || e.Stopped {
				t.Errorf("it ended as %+v", e)
			}
			r.wantLog(t, a.Key, counted(12))
			if e := r.awaitEnd(t, next.Key); !e.Succeeded() {
				t.Errorf("what was asked for meanwhile ended as %+v", e)
			}
			if pods := r.podsOf(t, next.Key); len(pods) != 1 {
				t.Errorf("what was asked for meanwhile has %d pods", len(pods))
			}
		})
	}
}

// TestAPIServerAway takes the API server away for a while, in which one pod ends, one
// is asked for, and one is stopped.
func TestAPIServerAway(t *testing.T) {
	r := start(t, newHome(t, clustertest.OpenAlone(t)))
	ends, stopped, asked := task("ends", count(6, 5)), task("stopped", "echo ready; sleep 1000"), task("asked", "echo ran")
	r.start(t, ends)
	r.start(t, stopped)
	r.awaitLine(t, ends.Key, "line 1")
	r.awaitLine(t, stopped.Key, "ready")

	r.Stop(clustertest.APIServer)
	r.start(t, asked)
	if err := r.x.Stop(t.Context(), stopped.Key, time.Second); err != nil {
		t.Errorf("Stop while the API server is away: %v", err)
	}
	r.awaitWaiting(t, asked.Key, "waits for Kubernetes: ")
	<-time.After(outage) // an outage is a length of time
	r.Start(clustertest.APIServer)

	if e := r.awaitEnd(t, ends.Key); e.ExitCode != 5 || e.Lost {
		t.Errorf("what ended meanwhile ended as %+v", e)
	}
	r.wantLog(t, ends.Key, counted(6))
	if e := r.awaitEnd(t, asked.Key); !e.Succeeded() {
		t.Errorf("what was asked for meanwhile ended as %+v", e)
	}
	r.wantLog(t, asked.Key, "ran\n")
	if e := r.awaitEnd(t, stopped.Key); !e.Stopped {
		t.Errorf("what was stopped meanwhile ended as %+v", e)
	}
}

// TestNodeLost kills the kubelet for good: the control plane gives the node up
// and deletes its pods, but nobody is there to confirm that.
func TestNodeLost(t *testing.T) {
	r := start(t, newHome(t, clustertest.OpenAlone(t)))
	r.FakeNodes(fakeNodes) // else the only node is lost, and the control plane waits for it
	r.awaitHealthyNodes(t)
	a := task("lost", "echo ready; sleep 1000")
	a.Task.Pod["termination_grace_period"] = 1
	a.Task.Pod["tolerations"] = []any{map[string]any{
		"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1,
	}}
	r.start(t, a)
	r.awaitLine(t, a.Key, "ready")
	r.Kill(clustertest.Kubelet)
	wantEnd(t, r.awaitEnd(t, a.Key), true, "is lost: it did not confirm the end of the deleted pod")
	r.Start(clustertest.Kubelet)
	if text, sealed := r.output(t, a.Key); text != "ready\n" || !sealed {
		t.Errorf("the log is %q, sealed %v", text, sealed)
	}
}

// awaitHealthyNodes waits until the other nodes are in touch with the control
// plane again, which takes a while after an outage: when it believes all nodes
// to be away, it gives none of them up.
func (r *runner) awaitHealthyNodes(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		leases, err := r.Client.CoordinationV1().Leases("kube-node-lease").List(ctx, metav1.ListOptions{})
		fresh := 0
		for i := range leases.Items {
			if at := leases.Items[i].Spec.RenewTime; at != nil && time.Since(at.Time) < 15*time.Second {
				fresh++
			}
		}
		if err == nil && fresh > 1 && fresh == len(leases.Items) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%d of %d nodes are in touch with the control plane, %v", fresh, len(leases.Items), err)
		}
	}
}

// TestNodeDeleted deletes the node under a pod. The control plane looks for such pods
// twice or three times a minute, and does not believe it at first.
func TestNodeDeleted(t *testing.T) {
	t.Parallel()
	r := start(t, newHome(t, clustertest.Open(t)))
	node := r.OwnFakeNode()
	a := fake("orphan", "1h", 0)
	a.Task.Pod["node_selector"] = map[string]any{clustertest.FakeLabel: node}
	r.start(t, a)
	r.awaitStart(t, a.Key)
	if err := r.Client.CoreV1().Nodes().Delete(t.Context(), node, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, r.awaitEnd(t, a.Key), true, "its node is gone")
}
