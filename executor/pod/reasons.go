package pod

import (
	"cmp"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"dagwright/podspec"
	"dagwright/reason"
)

// maxReason bounds a reason: it is shown in tables.
const maxReason = 1000

// sentence joins a text with Kubernetes' own word and message, where there are
// some.
func sentence(text, word, message string) string {
	message = strings.TrimSpace(message)
	switch {
	case word == "" && message == "":
		return text
	case message == "":
		return text + ": " + word
	case word == "" || strings.Contains(message, word):
		return clip(text + ": " + message)
	}
	return clip(text + ": " + word + ": " + message)
}

// because is a reason with Kubernetes' own word and message behind it, where there are
// some.
func because(code reason.Code, word, message string, args ...any) reason.Reason {
	message = clip(message)
	if word != "" && !strings.Contains(message, word) {
		args = append(args, word)
	}
	if message != "" {
		args = append(args, message)
	}
	return reason.New(code, args...)
}

// clip makes one line of a text and cuts it to what a table can show.
func clip(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "�")), " ")
	if len(s) <= maxReason {
		return s
	}
	return strings.ToValidUTF8(s[:maxReason], "") + "…"
}

// interruption tells whether the pod was ended from outside, which is the
// infrastructure's fault: evicted, preempted, deleted, its node gone. at is when
// its container ended: a pod that is deleted after its container's own end was
// not interrupted.
func interruption(pod *corev1.Pod, at time.Time) (why reason.Reason, lost bool) {
	if c := condition(pod, corev1.DisruptionTarget); c != nil && c.Status == corev1.ConditionTrue {
		return because(cmp.Or(disruptions[c.Reason], reason.Disrupted), c.Reason, c.Message), true
	}
	if code, ok := podReasons[pod.Status.Reason]; ok {
		return because(code, "", pod.Status.Message), true
	}
	if strings.HasPrefix(pod.Status.Reason, "OutOf") { // OutOfcpu, OutOfmemory, OutOfpods …
		return because(reason.NodeFull, pod.Status.Reason, pod.Status.Message), true
	}
	// Both times are whole seconds. Within the same one it is not known which was
	// first; to run again is better than to call a success what was cut short.
	if asked := deletionAsked(pod); !asked.IsZero() && !at.Before(asked) {
		return reason.New(reason.PodDeleted), true
	}
	return reason.Reason{}, false
}

// deletionAsked is when the pod's deletion was asked for; zero when it was not.
func deletionAsked(pod *corev1.Pod) time.Time {
	if pod.DeletionTimestamp == nil {
		return time.Time{}
	}
	asked := pod.DeletionTimestamp.Time
	if grace := pod.DeletionGracePeriodSeconds; grace != nil {
		asked = asked.Add(-time.Duration(*grace) * time.Second)
	}
	return asked
}

// disruptions are the reasons of the condition DisruptionTarget
// (https://kubernetes.io/docs/concepts/workloads/pods/disruptions/).
var disruptions = map[string]reason.Code{
	"PreemptionByScheduler":       reason.Preempted,
	"DeletionByTaintManager":      reason.Tainted,
	"EvictionByEvictionAPI":       reason.Evicted,
	"DeletionByPodGC":             reason.NodeGone,
	"TerminationByKubelet":        reason.EndedByNode,
	corev1.PodReasonUnschedulable: reason.Unschedulable,
}

// podReasons are the reasons of a pod's status with which its node or the
// control plane says that it ended the pod for reasons of its own.
var podReasons = map[string]reason.Code{
	"Evicted":                  reason.Evicted,
	"Preempting":               reason.Preempted,
	"NodeLost":                 reason.NodeLost,
	"NodeShutdown":             reason.NodeShutDown,
	"Shutdown":                 reason.NodeShutDown,
	"Terminated":               reason.NodeShutDown,
	"NodeAffinity":             reason.NodeUnfit,
	"UnexpectedAdmissionError": reason.NodeRefused,
}

func deadlineExceeded(pod *corev1.Pod) reason.Reason {
	if limit := pod.Spec.ActiveDeadlineSeconds; limit != nil {
		return reason.New(reason.DeadlineOf, *limit)
	}
	return reason.New(reason.Deadline)
}

// exitReason says why the base container failed; bare when there is nothing to
// say but its exit status.
func exitReason(pod *corev1.Pod, o podspec.Options, end *corev1.ContainerStateTerminated) (why reason.Reason,
	bare bool) {
	switch end.Reason {
	case "OOMKilled":
		return outOfMemory(pod, o.Base), false
	case "StartError", "ContainerCannotRun":
		return because(reason.ContainerFailed, "", end.Message), false
	}
	return exitStatus(end), strings.TrimSpace(end.Message) == ""
}

func outOfMemory(pod *corev1.Pod, name string) reason.Reason {
	for i := range pod.Spec.Containers {
		if c := &pod.Spec.Containers[i]; c.Name == name {
			if limit, ok := c.Resources.Limits[corev1.ResourceMemory]; ok {
				return reason.New(reason.OutOfMemoryOf, limit.String())
			}
		}
	}
	return reason.New(reason.OutOfMemory)
}

// exitStatus names an exit status as shells do: 128 + n is signal n.
func exitStatus(end *corev1.ContainerStateTerminated) reason.Reason {
	code, signal := int(end.ExitCode), int(end.Signal)
	if signal == 0 && code > 128 && code < 128+65 {
		signal = code - 128
	}
	if name := unix.SignalName(syscall.Signal(signal)); signal > 0 && name != "" {
		return because(reason.KilledByCode, "", end.Message, name, code)
	}
	return because(reason.ExitCode, "", end.Message, code)
}

func initExit(s *corev1.ContainerStatus) (code int, why reason.Reason) {
	end := s.State.Terminated
	why = exitStatus(end)
	if end.Reason == "OOMKilled" {
		why = reason.New(reason.InitOutOfMemory)
	}
	return int(end.ExitCode), reason.New(reason.InInit, s.Name, why)
}

// What every pod waits for on its way.
var dull = map[reason.Reason]bool{
	reason.New(reason.WaitsForNode):      true,
	reason.New(reason.WaitsForKubelet):   true,
	reason.New(reason.ContainerCreating): true,
}

// waitingReason says what a container on a node waits for, and whether that is
// in vain.
func waitingReason(init, base *corev1.ContainerStatus) (why reason.Reason, doomed bool) {
	s := cmp.Or(init, base)
	if s == nil || s.State.Waiting == nil {
		return reason.New(reason.WaitsForKubelet), false
	}
	why, doomed = waitingContainer(s.State.Waiting)
	if init != nil {
		why = reason.New(reason.InInit, init.Name, why)
	}
	return why, doomed
}

func waitingContainer(w *corev1.ContainerStateWaiting) (why reason.Reason, doomed bool) {
	switch w.Reason {
	case "", "ContainerCreating", "PodInitializing":
		return because(reason.ContainerCreating, "", w.Message), false
	case "InvalidImageName":
		return because(reason.ImageName, "", w.Message), true
	case "ErrImageNeverPull":
		return because(reason.ImageNeverPulled, "", w.Message), true
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable":
		return because(reason.ImagePull, w.Reason, w.Message), !pullMayHeal(w.Reason, w.Message)
	case "CreateContainerConfigError":
		// A secret or config map that is missing may still come.
		return because(reason.ContainerConfig, "", w.Message), strings.Contains(w.Message, "runAsNonRoot")
	}
	return because(reason.ContainerWaiting, w.Reason, w.Message), false
}

// pullMayHeal tells a registry that is unavailable or busy, which is waited for, from
// an image that does not exist or must not be read. The message of a back-off may say
// no more than that there is one.
func pullMayHeal(word, message string) bool {
	text := strings.ToLower(message)
	if word == "ImagePullBackOff" && !containsAny(text, hopelessPulls) {
		return true
	}
	return containsAny(text, healingPulls)
}

func containsAny(text string, signs []string) bool {
	return slices.ContainsFunc(signs, func(sign string) bool { return strings.Contains(text, sign) })
}

// hopelessPulls are what registries and container runtimes say of an image that
// is not there or must not be read, healingPulls what they say of faults that
// pass.
var (
	hopelessPulls = []string{
		"not found", "manifest unknown", "name unknown", "does not exist", "unauthorized", "authentication required",
		"authorization failed", "access denied", "forbidden", "no match for platform", "invalid reference",
	}
	healingPulls = []string{
		"timeout", "timed out", "deadline exceeded", "connection refused", "connection reset", "no such host",
		"temporary failure", "i/o error", "unexpected eof", ": eof", "network is unreachable", "no route to host",
		"too many requests", "toomanyrequests", "rate limit", "429", "500 internal", "502 bad", "503 service", "504 gateway",
		"tls handshake", "try again", "unavailable", "pull qps exceeded", "context canceled", "no space left",
	}
)
