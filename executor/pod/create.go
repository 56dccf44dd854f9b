package pod

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"dagwright/dag"
	"dagwright/reason"
)

func (x *Executor) pods(namespace string) pods { return pods{x.config.Client, namespace} }

// create asks for the attempt's pod. An error means that it is to be asked for
// again.
func (x *Executor) create(ctx context.Context, t *attempt) error {
	if t.wanted == nil {
		return fmt.Errorf("pod %s has no definition to create it from: %w", t.name, dag.ErrConflict)
	}
	if x.isSealed(t) {
		x.end(t, outcome{at: x.config.Now(), lost: true, reason: reason.New(reason.EndedBefore)}, false)
		return nil
	}
	if !x.mayAsk(t) {
		if t.waiting.IsZero() {
			x.reportWaiting(t, reason.New(reason.WaitsInLine))
		}
		return nil
	}
	if t.mayStart != nil && !t.mayStart() {
		x.queue.AddAfter(t.key, firstPause)
		return nil
	}
	pod, err := x.pods(t.namespace).create(ctx, t.wanted,
		metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err == nil {
		x.created(t, pod)
		return nil
	}
	if apierrors.IsAlreadyExists(err) {
		return x.exists(ctx, t)
	}
	return x.refused(t, err)
}

// created takes over the pod that the API server has made.
func (x *Executor) created(t *attempt, pod *corev1.Pod) {
	t.pod, t.wanted = pod, nil
	x.passLine(t)
	x.reportWaiting(t, reason.New(reason.WaitsForNode))
}

// exists is about a name that is taken: by an earlier answer that was lost, by
// what was kept of an attempt of the same name, or by a stranger.
func (x *Executor) exists(ctx context.Context, t *attempt) error {
	found, err := x.live(ctx, t)
	switch {
	case err != nil:
		return err
	case found == nil:
		return fmt.Errorf("pod %s was there and is gone", t.name)
	case !x.isOurs(t, found):
		x.fail(t, reason.New(reason.PodIsForeign, t.namespace, t.name))
		return nil
	case x.sweeps(found):
		return fmt.Errorf("pod %s is of an earlier run and is about to be deleted", t.name)
	case !hasFinalizer(found):
		return x.replace(ctx, t, found)
	}
	x.created(t, found)
	return nil
}

// isOurs reports whether a pod is that of the attempt.
func (x *Executor) isOurs(t *attempt, pod *corev1.Pod) bool {
	key, _, ok := x.config.Pods.Read(pod)
	return ok && key == t.key
}

// replace deletes a pod that was kept of an attempt of the same name, one of a
// run that was deleted and asked for again.
func (x *Executor) replace(ctx context.Context, t *attempt, kept *corev1.Pod) error {
	zero := int64(0)
	err := x.pods(t.namespace).delete(ctx, kept.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &zero, Preconditions: metav1.NewUIDPreconditions(string(kept.UID)),
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete pod %s that was kept: %w", kept.Name, err)
	}
	return fmt.Errorf("pod %s is kept from an earlier run and is being deleted", kept.Name)
}

// live asks the API server itself for the pod; nil when there is none.
func (x *Executor) live(ctx context.Context, t *attempt) (*corev1.Pod, error) {
	pod, err := x.pods(t.namespace).get(ctx, t.name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read pod: %w", err)
	}
	return pod, nil
}

// refused sorts what the API server says to a creation. What cannot heal fails
// the attempt. What may heal is waited for: as long as it takes when the server
// is unavailable, and up to the task's startup timeout when it says no.
func (x *Executor) refused(t *attempt, err error) error {
	switch {
	case isQuota(err):
		x.reportWaiting(t, because(reason.WaitsForQuota, "", plain(err)))
		x.standInLine(t)
		return nil
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err),
		apierrors.IsForbidden(err) && !isRBAC(err):
		x.fail(t, because(reason.PodRefused, "", plain(err)))
		return nil
	case isRBAC(err), apierrors.IsUnauthorized(err), apierrors.IsNotFound(err):
		why := because(reason.PodForbidden, "", plain(err))
		if x.config.Now().Sub(t.begun) > t.options.StartupTimeout {
			x.fail(t, why)
			return nil
		}
		x.reportWaiting(t, why)
	default:
		t.tried = true
	}
	return fmt.Errorf("create pod: %w", err)
}

// plain is what the API server says, without the client's own words around it.
func plain(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Message
	}
	return err.Error()
}

// isQuota recognises the refusal of a ResourceQuota, for which Kubernetes has no
// reason of its own.
func isQuota(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota")
}

// isRBAC recognises the refusal of the authorizer: what it says begins with who
// may not do what, where an admission plugin speaks of the pod.
func isRBAC(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "cannot create resource")
}

// fail ends an attempt that has no pod.
func (x *Executor) fail(t *attempt, why reason.Reason) {
	x.mu.Lock()
	x.leave(t)
	x.mu.Unlock()
	x.closeLog(t, outcome{at: x.config.Now(), exitCode: 1, reason: reason.New(reason.NotStarted, why)}, false)
}
