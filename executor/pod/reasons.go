package pod

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"dagwright/podspec"
)

// maxReason bounds a reason: it is shown in tables.
const maxReason = 1000

// sentence joins a text with Kubernetes' own word and message, where there are
// some.
func sentence(text, reason, message string) string {
	message = strings.TrimSpace(message)
	switch {
	case reason == "" && message == "":
		return text
	case message == "":
		return text + ": " + reason
	case reason == "" || strings.Contains(message, reason):
		return clip(text + ": " + message)
	}
	return clip(text + ": " + reason + ": " + message)
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
func interruption(pod *corev1.Pod, at time.Time) (why string, lost bool) {
	if c := condition(pod, corev1.DisruptionTarget); c != nil && c.Status == corev1.ConditionTrue {
		return sentence(disruptions[c.Reason], c.Reason, c.Message), true
	}
	if text, ok := podReasons[pod.Status.Reason]; ok {
		return sentence(text, "", pod.Status.Message), true
	}
	if strings.HasPrefix(pod.Status.Reason, "OutOf") { // OutOfcpu, OutOfmemory, OutOfpods …
		return sentence("the node had no room for the pod", pod.Status.Reason, pod.Status.Message), true
	}
	// Both times are whole seconds. Within the same one it is not known which was
	// first; to run again is better than to call a success what was cut short.
	if asked := deletionAsked(pod); !asked.IsZero() && !at.Before(asked) {
		return "the pod was deleted from outside dagwright", true
	}
	return "", false
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
var disruptions = map[string]string{
	"PreemptionByScheduler":       "preempted by a pod of higher priority",
	"DeletionByTaintManager":      "deleted because of a taint of its node, which may be lost",
	"EvictionByEvictionAPI":       "evicted",
	"DeletionByPodGC":             "its node is gone",
	"TerminationByKubelet":        "ended by its node",
	corev1.PodReasonUnschedulable: "cannot be scheduled",
}

// podReasons are the reasons of a pod's status with which its node or the
// control plane says that it ended the pod for reasons of its own.
var podReasons = map[string]string{
	"Evicted":                  "evicted",
	"Preempting":               "preempted by a pod of higher priority",
	"NodeLost":                 "its node is lost",
	"NodeShutdown":             "its node was shut down",
	"Shutdown":                 "its node was shut down",
	"Terminated":               "its node was shut down",
	"NodeAffinity":             "the node did not fit the pod",
	"UnexpectedAdmissionError": "the node could not take the pod",
}

func deadlineExceeded(pod *corev1.Pod) string {
	if limit := pod.Spec.ActiveDeadlineSeconds; limit != nil {
		return fmt.Sprintf("ran longer than its active_deadline_seconds of %d", *limit)
	}
	return "ran longer than its active_deadline_seconds"
}

// exitReason says why the base container failed; bare when there is nothing to
// say but its exit status.
func exitReason(pod *corev1.Pod, o podspec.Options, end *corev1.ContainerStateTerminated) (reason string, bare bool) {
	switch end.Reason {
	case "OOMKilled":
		return "out of memory: the container was killed at its limit" + memoryLimit(pod, o.Base), false
	case "StartError", "ContainerCannotRun":
		return sentence("the container cannot be started", "", end.Message), false
	}
	return sentence(exitText(int(end.ExitCode), int(end.Signal)), "", end.Message), strings.TrimSpace(end.Message) == ""
}

func memoryLimit(pod *corev1.Pod, name string) string {
	for i := range pod.Spec.Containers {
		if c := &pod.Spec.Containers[i]; c.Name == name {
			if limit, ok := c.Resources.Limits[corev1.ResourceMemory]; ok {
				return " of " + limit.String()
			}
		}
	}
	return ""
}

// exitText names an exit status as shells do: 128 + n is signal n.
func exitText(code, signal int) string {
	if signal == 0 && code > 128 && code < 128+65 {
		signal = code - 128
	}
	if name := unix.SignalName(syscall.Signal(signal)); signal > 0 && name != "" {
		return fmt.Sprintf("killed by %s (exit code %d)", name, code)
	}
	return fmt.Sprintf("exit code %d", code)
}

func initExit(s *corev1.ContainerStatus) (code int, reason string) {
	end := s.State.Terminated
	text := "init container " + s.Name + ": "
	if end.Reason == "OOMKilled" {
		return int(end.ExitCode), text + "out of memory: it was killed at its limit"
	}
	return int(end.ExitCode), sentence(text+exitText(int(end.ExitCode), int(end.Signal)), "", end.Message)
}

// What every pod waits for on its way.
const (
	waitsForNode      = "waits for a node"
	waitsForKubelet   = "waits for its node to take it up"
	waitsForContainer = "the container is being created"
)

var dull = map[string]bool{waitsForNode: true, waitsForKubelet: true, waitsForContainer: true}

// waitingReason says what a container on a node waits for, and whether that is
// in vain.
func waitingReason(init, base *corev1.ContainerStatus) (waiting, doomed string) {
	s, prefix := base, ""
	if init != nil {
		s, prefix = init, "init container "+init.Name+": "
	}
	if s == nil || s.State.Waiting == nil {
		return waitsForKubelet, ""
	}
	w := s.State.Waiting
	switch w.Reason {
	case "", "ContainerCreating", "PodInitializing":
		return prefix + sentence(waitsForContainer, "", w.Message), ""
	case "InvalidImageName":
		return "", prefix + sentence("the image name is not valid", "", w.Message)
	case "ErrImageNeverPull":
		return "", prefix + sentence("the image is not on the node, and image_pull_policy is Never", "", w.Message)
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable":
		text := prefix + sentence("the image cannot be pulled", w.Reason, w.Message)
		if pullMayHeal(w.Reason, w.Message) {
			return text, ""
		}
		return "", text
	case "CreateContainerConfigError":
		text := prefix + sentence("the container's configuration is not complete", "", w.Message)
		if strings.Contains(w.Message, "runAsNonRoot") {
			return "", text
		}
		return text, "" // a secret or config map that is missing may still come
	}
	return prefix + sentence("the container is not started", w.Reason, w.Message), ""
}

// pullMayHeal tells a registry that is unavailable or busy, which is waited for, from
// an image that does not exist or must not be read. The message of a back-off may say
// no more than that there is one.
func pullMayHeal(reason, message string) bool {
	text := strings.ToLower(message)
	if reason == "ImagePullBackOff" && !containsAny(text, hopelessPulls) {
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
