package pod

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"dagwright/podspec"
)

// remove ends a pod that is not wanted any more. Thanks to the finalizer it
// stays readable until its end is known.
func (x *Executor) remove(ctx context.Context, t *attempt, want intent) error {
	if t.options.KeepOnKill && want.stop != nil && t.pod.DeletionTimestamp == nil && t.pod.Spec.NodeName != "" {
		if err := x.expire(ctx, t); err != nil {
			return err
		}
		t.deleting = true
		return nil
	}
	var grace *int64 // nil: the pod's own
	if want.stop != nil && !t.options.ExplicitGrace {
		grace = seconds(*want.stop)
	}
	if err := x.deletePod(ctx, t.namespace, t.name, t.pod.UID, grace); err != nil {
		return err
	}
	t.deleting = true
	// The informer reports the deletion; this covers a pod without a node, of which nothing
	// more is reported.
	x.queue.AddAfter(t.key, time.Second)
	return nil
}

// seconds rounds a grace period up, and to one second at least: 0 would mean to
// Kubernetes that nobody waits for the containers.
func seconds(d time.Duration) *int64 {
	s := max(int64(math.Ceil(d.Seconds())), 1)
	return &s
}

// deletePod asks for a pod's deletion; a grace of nil is the pod's own. That it is gone
// already is not an error, nor that another has its name.
func (x *Executor) deletePod(ctx context.Context, namespace, name string, uid types.UID, grace *int64) error {
	err := x.pods(namespace).delete(ctx, name, metav1.DeleteOptions{
		GracePeriodSeconds: grace, Preconditions: metav1.NewUIDPreconditions(string(uid)),
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete pod: %w", err)
	}
	return nil
}

// expire lets the kubelet end a pod that is to be kept (on_kill_action:
// keep_pod): its active deadline is the one thing that can be set later.
func (x *Executor) expire(ctx context.Context, t *attempt) error {
	return x.patch(ctx, t, map[string]any{"spec": map[string]any{"activeDeadlineSeconds": 1}})
}

// release removes the traces of an attempt whose end is safe: the finalizer, and then
// the pod, unless it is to be kept. One request takes off the finalizer and labels a pod
// that is to be deleted, so a release that was cut short is found by the one or the other.
func (x *Executor) release(ctx context.Context, t *attempt) error {
	left := 1 // traces, once the finalizer is gone
	if t.pod != nil {
		swept, err := x.releasePod(ctx, t)
		if err != nil {
			return err
		}
		if swept {
			left = 0 // the sweeper counts it
		}
	}
	x.mu.Lock()
	if t.pod != nil {
		x.gone[string(t.pod.UID)] = true
	}
	x.drop(t)
	x.mu.Unlock()
	x.tracesGone(left)
	return nil
}

// tracesGone counts forgotten attempts of which nothing is left.
func (x *Executor) tracesGone(n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n == 0 {
		return
	}
	x.releasing -= n
	if x.releasing == 0 {
		close(x.released)
		x.released = make(chan struct{})
	}
}

// releasePod takes the finalizer off a pod. swept says that the sweeper has the pod now,
// and deletes it.
func (x *Executor) releasePod(ctx context.Context, t *attempt) (swept bool, err error) {
	x.see(t)
	s := x.sweepers[t.namespace]
	if !hasFinalizer(t.pod) {
		label, done := t.pod.Labels[podspec.DoneLabel]
		if done { // by a request whose answer was lost
			s.add(donePod{name: t.name, uid: t.pod.UID, label: label})
		}
		return done, nil
	}
	metadata := map[string]any{
		"uid": t.pod.UID, "$deleteFromPrimitiveList/finalizers": []string{podspec.Finalizer},
	}
	change := map[string]any{"metadata": metadata}
	switch {
	case t.pod.DeletionTimestamp != nil || x.isDeleted(t):
		return false, x.patch(ctx, t, change)
	case !deletes(t):
		// Airflow marks so the pods that it is done with.
		metadata["labels"] = map[string]any{"already_checked": "True"}
		return false, x.patch(ctx, t, change)
	}
	label := s.label()
	metadata["labels"] = map[string]any{podspec.DoneLabel: label}
	if err := x.patch(ctx, t, change); err != nil {
		return false, err
	}
	s.add(donePod{name: t.name, uid: t.pod.UID, label: label})
	return true, nil
}

func (x *Executor) isDeleted(t *attempt) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return t.deleted == t.pod.UID
}

// deletes reports whether on_finish_action deletes the pod of an ended attempt.
func deletes(t *attempt) bool {
	if t.ended.Stopped {
		return !t.options.KeepOnKill
	}
	switch t.options.OnFinish {
	case "keep_pod":
		return false
	case "delete_succeeded_pod":
		return t.ended.Succeeded()
	case "delete_active_pod":
		return isActive(t.pod)
	}
	return true
}

// isActive reports whether a container of the pod may still run. The pod's phase shows
// that later, when its node has cleaned up behind the containers.
func isActive(pod *corev1.Pod) bool {
	if isTerminal(pod) {
		return false
	}
	for i := range pod.Status.ContainerStatuses {
		if pod.Status.ContainerStatuses[i].State.Terminated == nil {
			return true
		}
	}
	return len(pod.Status.ContainerStatuses) == 0
}

// patch changes the attempt's pod. That the pod is gone, or is another one of
// its name, is not an error.
func (x *Executor) patch(ctx context.Context, t *attempt, change map[string]any) error {
	body, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	err = x.pods(t.namespace).patch(ctx, t.name, types.StrategicMergePatchType, body)
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("change pod: %w", err)
	}
	return nil
}
