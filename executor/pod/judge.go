package pod

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"dagwright/podspec"
	"dagwright/reason"
)

// How long after a deleted pod's grace period its node may take to say that the
// containers have ended, before it counts as lost: one that the control plane knows to
// be away, and one that may be only slow. The container of a slow one still runs.
const (
	unconfirmedAway = 30 * time.Second
	unconfirmedSlow = 5 * time.Minute
)

// verdict is what a pod's status means for its attempt.
type verdict struct {
	// waiting says what the base container waits for; zero once it has run.
	waiting reason.Reason
	// doomed says why the pod can never start; it must be deleted then.
	doomed reason.Reason
	// startedAt is when the base container started; zero before.
	startedAt time.Time
	// over is the end; nil before.
	over *outcome
	// again is when the verdict changes though nothing happens; zero for never.
	again time.Time
}

// outcome is how an attempt ended.
type outcome struct {
	at       time.Time
	exitCode int
	lost     bool          // the infrastructure's fault
	reason   reason.Reason // zero on success
	// bare says that the reason is no more than an exit status, of which the
	// last lines of the log may tell more.
	bare bool
}

// judge tells what a pod's status means. ours says that the executor itself has
// asked for the pod's deletion.
func judge(pod *corev1.Pod, o podspec.Options, ours bool, now time.Time) verdict {
	base := containerStatus(pod, o.Base)
	switch {
	case base != nil && base.State.Terminated != nil:
		return judgeTerminated(pod, o, ours, base.State.Terminated)
	case isTerminal(pod):
		return verdict{over: neverRan(pod, now)}
	case pod.DeletionTimestamp != nil:
		return judgeDeleted(pod, base, now)
	case base != nil && base.State.Running != nil:
		return verdict{startedAt: notBefore(base.State.Running.StartedAt.Time, pod)}
	}
	return judgePending(pod, o, base, now)
}

// isTerminal reports whether Kubernetes says that every container has ended for
// good.
func isTerminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func containerStatus(pod *corev1.Pod, name string) *corev1.ContainerStatus {
	for i := range pod.Status.ContainerStatuses {
		if s := &pod.Status.ContainerStatuses[i]; s.Name == name {
			return s
		}
	}
	return nil
}

// notBefore keeps times in order: Kubernetes reports whole seconds, and a
// container that could not be started at all reports none.
func notBefore(t time.Time, pod *corev1.Pod) time.Time {
	if created := pod.CreationTimestamp.Time; t.Before(created) {
		return created.UTC()
	}
	return t.UTC()
}

func judgeTerminated(pod *corev1.Pod, o podspec.Options, ours bool, end *corev1.ContainerStateTerminated) verdict {
	v := verdict{startedAt: notBefore(end.StartedAt.Time, pod)}
	v.over = &outcome{at: end.FinishedAt.Time.UTC(), exitCode: int(end.ExitCode)}
	if v.over.at.Before(v.startedAt) {
		v.over.at = v.startedAt
	}
	why, lost := reason.Reason{}, false
	if !ours {
		why, lost = interruption(pod, v.over.at)
	}
	switch {
	case lost:
		v.over.lost, v.over.reason = true, why
	case pod.Status.Reason == "DeadlineExceeded":
		v.over.reason = deadlineExceeded(pod)
	case end.ExitCode != 0 || end.Reason == "OOMKilled" || end.Reason == "Error":
		v.over.reason, v.over.bare = exitReason(pod, o, end)
	}
	if !v.over.reason.IsZero() && v.over.exitCode == 0 {
		v.over.exitCode = 1 // a failure must not look like a success
	}
	return v
}

// neverRan tells why a pod has ended without its base container having run.
func neverRan(pod *corev1.Pod, now time.Time) *outcome {
	out := &outcome{at: now, exitCode: 1}
	if why, lost := interruption(pod, now); lost {
		out.lost, out.reason = true, why
		return out
	}
	if pod.Status.Reason == "DeadlineExceeded" {
		out.reason = deadlineExceeded(pod)
		return out
	}
	if s := failedInit(pod); s != nil {
		out.exitCode, out.reason = initExit(s)
		return out
	}
	out.lost = true
	out.reason = because(reason.PodNeverRan, pod.Status.Reason, pod.Status.Message)
	return out
}

// judgeDeleted is about a pod that is being deleted and whose containers have
// not been reported as ended. Its node should do so within the grace period.
func judgeDeleted(pod *corev1.Pod, base *corev1.ContainerStatus, now time.Time) verdict {
	v := verdict{}
	if base != nil && base.State.Running != nil {
		v.startedAt = notBefore(base.State.Running.StartedAt.Time, pod)
	}
	if pod.Spec.NodeName == "" {
		why, _ := interruption(pod, now)
		v.over = &outcome{at: now, lost: true, reason: why}
		return v
	}
	if limit := pod.DeletionTimestamp.Add(patienceWithNode(pod, base)); now.Before(limit) {
		v.waiting, v.again = reason.New(reason.PodDeleting), limit
		return v
	}
	v.over = &outcome{at: now, lost: true, reason: reason.New(reason.NodeSilent, pod.Spec.NodeName)}
	return v
}

// patienceWithNode is how long a deleted pod's node may be silent. Of the pods of a node
// that is away, the control plane says that they are not ready any more (MarkPodsNotReady
// of its node lifecycle controller), and of no other container that runs without probes.
func patienceWithNode(pod *corev1.Pod, base *corev1.ContainerStatus) time.Duration {
	ready := condition(pod, corev1.PodReady)
	ran := base != nil && base.State.Running != nil
	if ran && ready != nil && ready.Status != corev1.ConditionTrue {
		return unconfirmedAway
	}
	return unconfirmedSlow
}

// judgePending is about a pod whose base container has not started.
func judgePending(pod *corev1.Pod, o podspec.Options, base *corev1.ContainerStatus, now time.Time) verdict {
	scheduled := condition(pod, corev1.PodScheduled)
	if pod.Spec.NodeName == "" {
		v := verdict{waiting: reason.New(reason.WaitsForNode), again: pod.CreationTimestamp.Add(o.ScheduleTimeout)}
		if scheduled != nil && scheduled.Message != "" {
			v.waiting = reason.New(reason.NoNode, scheduled.Message)
		}
		return v.doomAfter(now, reason.New(reason.NotScheduledWithin, o.ScheduleTimeout, v.waiting))
	}
	v := verdict{again: pod.CreationTimestamp.Add(o.StartupTimeout)}
	if scheduled != nil {
		v.again = scheduled.LastTransitionTime.Add(o.StartupTimeout)
	}
	init := currentInit(pod)
	if init != nil && init.State.Running != nil {
		// An init container that works is not a pod that does not start.
		return verdict{waiting: reason.New(reason.InitRunning, init.Name)}
	}
	why, doomed := waitingReason(init, base)
	if doomed {
		v.doomed = why
		return v
	}
	v.waiting = why
	return v.doomAfter(now, reason.New(reason.NotStartedWithin, o.StartupTimeout, why))
}

// doomAfter dooms the pod when the time of v.again has come.
func (v verdict) doomAfter(now time.Time, why reason.Reason) verdict {
	if !now.Before(v.again) {
		v.doomed, v.again = why, time.Time{}
	}
	return v
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == kind {
			return c
		}
	}
	return nil
}

// currentInit is the init container at which the pod has come to a halt; nil
// when all have ended well.
func currentInit(pod *corev1.Pod) *corev1.ContainerStatus {
	for i := range pod.Status.InitContainerStatuses {
		s := &pod.Status.InitContainerStatuses[i]
		done := s.State.Terminated != nil && s.State.Terminated.ExitCode == 0
		sidecar := s.Started != nil && *s.Started && s.State.Running != nil && isSidecar(pod, s.Name)
		if !done && !sidecar {
			return s
		}
	}
	return nil
}

// isSidecar reports whether an init container is one that goes on beside the
// others (restartPolicy: Always).
func isSidecar(pod *corev1.Pod, name string) bool {
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		if c.Name == name {
			return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		}
	}
	return false
}

func failedInit(pod *corev1.Pod) *corev1.ContainerStatus {
	for i := range pod.Status.InitContainerStatuses {
		if s := &pod.Status.InitContainerStatuses[i]; s.State.Terminated != nil && s.State.Terminated.ExitCode != 0 {
			return s
		}
	}
	return nil
}
