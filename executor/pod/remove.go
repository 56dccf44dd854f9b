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
	if err := x.delete(ctx, t, grace); err != nil {
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

// delete asks for the pod's deletion. That it is gone already is not an error.
func (x *Executor) delete(ctx context.Context, t *attempt, grace *int64) error {
	err := x.pods(t.namespace).delete(ctx, t.name, metav1.DeleteOptions{
		GracePeriodSeconds: grace, Preconditions: metav1.NewUIDPreconditions(string(t.pod.UID)),
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

// release removes the traces of an attempt whose end is safe: the pod, unless it
// is to be kept, and the finalizer. The finalizer goes last, so a release that
// was cut short is found and done again.
func (x *Executor) release(ctx context.Context, t *attempt) error {
	if t.pod != nil {
		if err := x.releasePod(ctx, t); err != nil {
			return err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if t.pod != nil {
		x.gone[string(t.pod.UID)] = true
	}
	x.drop(t)
	x.releasing--
	if x.releasing == 0 {
		close(x.released)
		x.released = make(chan struct{})
	}
	return nil
}

func (x *Executor) releasePod(ctx context.Context, t *attempt) error {
	x.see(t)
	if !hasFinalizer(t.pod) {
		return nil
	}
	metadata := map[string]any{
		"uid": t.pod.UID, "$deleteFromPrimitiveList/finalizers": []string{podspec.Finalizer},
	}
	if t.pod.DeletionTimestamp == nil && !x.isDeleted(t) {
		if deletes(t) {
			var grace *int64
			if isTerminal(t.pod) {
				grace = new(int64) // nothing runs that could be waited for
			}
			if err := x.delete(ctx, t, grace); err != nil {
				return err
			}
		} else {
			// Airflow marks so the pods that it is done with.
			metadata["labels"] = map[string]any{"already_checked": "True"}
		}
	}
	return x.patch(ctx, t, map[string]any{"metadata": metadata})
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
