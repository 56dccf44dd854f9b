package pod

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"dagwright/podspec"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// after is noon and some seconds, as Kubernetes writes it.
func after(seconds int) metav1.Time {
	return metav1.NewTime(noon.Add(time.Duration(seconds) * time.Second))
}

// onNode is a pod that was created and scheduled at noon, changed as a test
// wants it.
func onNode(change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{CreationTimestamp: after(0)},
		Spec: corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{
			Name: "base",
			Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(
				"32Mi")}},
		}}},
		Status: corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: after(0)},
		}},
	}
	if change != nil {
		change(p)
	}
	return p
}

// base is a pod whose base container is in a state.
func base(state corev1.ContainerState, change ...func(*corev1.Pod)) *corev1.Pod {
	return onNode(func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "base", State: state}}
		if state.Terminated != nil {
			p.Status.Phase = corev1.PodFailed
			if state.Terminated.ExitCode == 0 {
				p.Status.Phase = corev1.PodSucceeded
			}
		}
		for _, c := range change {
			c(p)
		}
	})
}

func waitsFor(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func ended(code int32, reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, Message: message, StartedAt: after(2), FinishedAt: after(9),
		ContainerID: "containerd://1",
	}}
}

func deletedAt(seconds int, grace int64) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		at := after(seconds + int(grace))
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &at, &grace
	}
}

func ready(status corev1.ConditionStatus) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: status})
	}
}

func disrupted(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason, Message: message,
		})
	}
}

func statusReason(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.Reason, p.Status.Message = reason, message }
}

func initState(state corev1.ContainerState) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.InitContainers = []corev1.Container{{Name: "fetch"}}
		p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "fetch", State: state}}
	}
}

// ending is an outcome as people read it, without its time.
type ending struct {
	exitCode int
	lost     bool
	reason   string
	bare     bool
}

func TestJudgeWaiting(t *testing.T) {
	t.Parallel()
	unscheduled := func(message string) *corev1.Pod {
		return onNode(func(p *corev1.Pod) {
			p.Spec.NodeName = ""
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
				Reason: "Unschedulable", Message: message}}
		})
	}
	tests := []struct {
		name    string
		pod     *corev1.Pod
		now     int // seconds after noon
		waiting string
		doomed  string
	}{
		{"unschedulable, with the scheduler's message", unscheduled("0/3 nodes are available: 3 Insufficient cpu."), 5,
			"no node can take the pod: 0/3 nodes are available: 3 Insufficient cpu.", ""},
		{"unschedulable for too long", unscheduled("0/3 nodes are available."), 60,
			"no node can take the pod: 0/3 nodes are available.",
			"not scheduled within 1m0s: no node can take the pod: 0/3 nodes are available."},
		{"being created", base(waitsFor("ContainerCreating", "")), 5, "the container is being created", ""},
		{"created for too long", base(waitsFor("ContainerCreating", "")), 120,
			"the container is being created", "not started within 2m0s: the container is being created"},
		{"an image that is not there",
			base(waitsFor("ErrImagePull", "failed to resolve reference: registry.example.com/x:1: not found")), 5, "",
			"the image cannot be pulled: ErrImagePull: failed to resolve reference: registry.example.com/x:1: not found"},
		{"an image behind a registry that is away",
			base(waitsFor("ErrImagePull", "dial tcp 192.0.2.1:443: connect: connection refused")), 5,
			"the image cannot be pulled: ErrImagePull: dial tcp 192.0.2.1:443: connect: connection refused", ""},
		{"a back-off that says nothing", base(waitsFor("ImagePullBackOff", `Back-off pulling image "x:1"`)), 5,
			`the image cannot be pulled: ImagePullBackOff: Back-off pulling image "x:1"`, ""},
		{"a back-off about an image that must not be read",
			base(waitsFor("ImagePullBackOff", `Back-off pulling image "x:1": ErrImagePull: 401 Unauthorized`)), 5, "",
			`the image cannot be pulled: ImagePullBackOff: Back-off pulling image "x:1": ErrImagePull: 401 Unauthorized`},
		{"an image name that is none", base(waitsFor("InvalidImageName", `couldn't parse image name "X::1"`)), 5, "",
			`the image name is not valid: couldn't parse image name "X::1"`},
		{"an image that is never pulled", base(waitsFor("ErrImageNeverPull", "")), 5, "",
			"the image is not on the node, and image_pull_policy is Never"},
		{"a secret that may still come", base(waitsFor("CreateContainerConfigError", `secret "db" not found`)), 5,
			`the container's configuration is not complete: secret "db" not found`, ""},
		{"an image that runs as root",
			base(waitsFor("CreateContainerConfigError", "container has runAsNonRoot and image will run as root")), 5, "",
			"the container's configuration is not complete: container has runAsNonRoot and image will run as root"},
		{"an init container that works, however long",
			base(waitsFor("PodInitializing", ""), initState(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})),
			9999,
			"init container fetch is running", ""},
		{"an init container that waits", base(waitsFor("PodInitializing", ""), initState(waitsFor("ContainerCreating", ""))),
			5,
			"init container fetch: the container is being created", ""},
	}
	o := podspec.Options{Base: "base", ScheduleTimeout: time.Minute, StartupTimeout: 2 * time.Minute}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := judge(slimmed(test.pod), o, false, after(test.now).Time)
			if v.waiting.String() != test.waiting || v.doomed.String() != test.doomed {
				t.Errorf("judge:\nwaiting %q, want %q\n doomed %q, want %q", v.waiting, test.waiting, v.doomed, test.doomed)
			}
			if v.over != nil || !v.startedAt.IsZero() {
				t.Errorf("judge = %+v, want neither a start nor an end", v)
			}
			if test.doomed == "" && !strings.HasPrefix(test.waiting, "init container fetch is") &&
				!v.again.After(after(test.now).Time) {
				t.Errorf("again = %v, want a time to look again", v.again)
			}
		})
	}
}

func TestJudgeEnd(t *testing.T) {
	t.Parallel()
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: after(2)}}
	failedPod := func(change ...func(*corev1.Pod)) *corev1.Pod {
		return onNode(func(p *corev1.Pod) {
			p.Status.Phase = corev1.PodFailed
			for _, c := range change {
				c(p)
			}
		})
	}
	deadline := func(p *corev1.Pod) {
		limit := int64(5)
		p.Spec.ActiveDeadlineSeconds, p.Status.Reason = &limit, "DeadlineExceeded"
	}
	tests := []struct {
		name string
		pod  *corev1.Pod
		ours bool
		now  int
		want ending
	}{
		{"success", base(ended(0, "Completed", "")), false, 10, ending{}},
		{"an exit code alone", base(ended(3, "Error", "")), false, 10,
			ending{exitCode: 3, reason: "exit code 3", bare: true}},
		{"an exit code with a termination message", base(ended(3, "Error", "bad date\n")), false, 10,
			ending{exitCode: 3, reason: "exit code 3: bad date"}},
		{"a signal", base(ended(137, "Error", "")), false, 10,
			ending{exitCode: 137, reason: "killed by SIGKILL (exit code 137)", bare: true}},
		{"out of memory", base(ended(137, "OOMKilled", "")), false, 10,
			ending{exitCode: 137, reason: "out of memory: the container was killed at its limit of 32Mi"}},
		{"out of memory with a good exit code is not a success", base(ended(0, "OOMKilled", "")), false, 10,
			ending{exitCode: 1, reason: "out of memory: the container was killed at its limit of 32Mi"}},
		{"a command that is not there", base(ended(128, "StartError", `exec: "nope": executable file not found in $PATH`)),
			false, 10,
			ending{exitCode: 128, reason: `the container cannot be started: exec: "nope": executable file not found in $PATH`}},
		{"a deadline", base(ended(137, "Error", ""), deadline), false, 10,
			ending{exitCode: 137, reason: "ran longer than its active_deadline_seconds of 5"}},
		{"a deadline before it ran", failedPod(deadline), false, 10,
			ending{exitCode: 1, reason: "ran longer than its active_deadline_seconds of 5"}},
		{"evicted", base(ended(137, "Error", ""), statusReason("Evicted", "The node was low on resource: memory.")), false,
			10,
			ending{exitCode: 137, lost: true, reason: "evicted: The node was low on resource: memory."}},
		{"evicted before it ran", failedPod(statusReason("Evicted", "The node had condition: [DiskPressure].")), false, 10,
			ending{exitCode: 1, lost: true, reason: "evicted: The node had condition: [DiskPressure]."}},
		{"preempted",
			base(ended(143, "Error", ""),
				disrupted("PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod"),
				deletedAt(5, 30)), false, 10,
			ending{exitCode: 143, lost: true,
				reason: "preempted by a pod of higher priority: PreemptionByScheduler: default-scheduler: preempting to accommodate a higher priority pod"}},
		{"its node is gone", failedPod(disrupted("DeletionByPodGC", "PodGC: node no longer exists")), false, 10,
			ending{exitCode: 1, lost: true, reason: "its node is gone: DeletionByPodGC: PodGC: node no longer exists"}},
		{"no room on the node", failedPod(statusReason("OutOfcpu", "Node didn't have enough resource: cpu")), false, 10,
			ending{exitCode: 1, lost: true,
				reason: "the node had no room for the pod: OutOfcpu: Node didn't have enough resource: cpu"}},
		{"deleted by somebody while it ran", base(ended(143, "Error", ""), deletedAt(5, 30)), false, 10,
			ending{exitCode: 143, lost: true, reason: "the pod was deleted from outside dagwright"}},
		{"deleted by somebody, and it said it was done", base(ended(0, "Completed", ""), deletedAt(5, 30)), false, 10,
			ending{lost: true, reason: "the pod was deleted from outside dagwright", exitCode: 1}},
		{"deleted by somebody after its end", base(ended(0, "Completed", ""), deletedAt(20, 30)), false, 21, ending{}},
		{"deleted by somebody in the second of its end", base(ended(0, "Completed", ""), deletedAt(9, 30)), false, 10,
			ending{lost: true, reason: "the pod was deleted from outside dagwright", exitCode: 1}},
		{"deleted by us", base(ended(143, "Error", ""), deletedAt(5, 30)), true, 10,
			ending{exitCode: 143, reason: "killed by SIGTERM (exit code 143)", bare: true}},
		{"deleted before it had a node", onNode(func(p *corev1.Pod) { p.Spec.NodeName = ""; deletedAt(5, 0)(p) }), false, 10,
			ending{lost: true, reason: "the pod was deleted from outside dagwright"}},
		{"deleted, and the node is away", base(running, deletedAt(5, 30), ready(corev1.ConditionFalse)), false, 66,
			ending{lost: true, reason: "node node-1 is lost: it did not confirm the end of the deleted pod"}},
		{"deleted, and the node says nothing", base(running, deletedAt(5, 30)), false, 336,
			ending{lost: true, reason: "node node-1 is lost: it did not confirm the end of the deleted pod"}},
		{"an init container failed", failedPod(initState(ended(7, "Error", "no such bucket"))), false, 10,
			ending{exitCode: 7, reason: "init container fetch: exit code 7: no such bucket"}},
		{"nobody says why", failedPod(), false, 10,
			ending{exitCode: 1, lost: true, reason: "the pod ended before its container ran"}},
	}
	o := podspec.Options{Base: "base", ScheduleTimeout: time.Minute, StartupTimeout: 2 * time.Minute}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := judge(slimmed(test.pod), o, test.ours, after(test.now).Time)
			if v.over == nil {
				t.Fatalf("judge = %+v, want an end", v)
			}
			got := *v.over
			if got.at.IsZero() || got.at.Before(v.startedAt) {
				t.Errorf("ended at %v, started at %v", got.at, v.startedAt)
			}
			told := ending{got.exitCode, got.lost, got.reason.String(), got.bare}
			if diff := cmp.Diff(test.want, told, cmp.AllowUnexported(ending{})); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJudgeRunning(t *testing.T) {
	t.Parallel()
	o := podspec.Options{Base: "base", ScheduleTimeout: time.Minute, StartupTimeout: time.Minute}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: after(2)}}
	v := judge(slimmed(base(running)), o, false, after(9999).Time)
	if !v.startedAt.Equal(after(2).Time) || v.over != nil || !v.doomed.IsZero() {
		t.Errorf("a running container is judged as %+v", v)
	}
	for name, c := range map[string]struct {
		pod   *corev1.Pod
		again int
	}{
		"its node is away":             {base(running, deletedAt(5, 30), ready(corev1.ConditionFalse)), 65},
		"its node is slow":             {base(running, deletedAt(5, 30), ready(corev1.ConditionTrue)), 335},
		"nobody knows":                 {base(running, deletedAt(5, 30)), 335},
		"it was not ready before, too": {base(corev1.ContainerState{}, deletedAt(5, 30), ready(corev1.ConditionFalse)), 335},
	} {
		v := judge(slimmed(c.pod), o, true, after(c.again-1).Time)
		if v.over != nil || !v.again.Equal(after(c.again).Time) {
			t.Errorf("%s: a container with time to end is judged as %+v, want a look after %d s", name, v, c.again)
		}
	}
	early := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: after(-1)}}
	if v := judge(slimmed(base(early)), o, false, after(3).Time); !v.startedAt.Equal(noon) {
		t.Errorf("started at %v, want not before the pod's creation", v.startedAt)
	}
}

// slimmed is a pod as the informers keep it.
func slimmed(pod *corev1.Pod) *corev1.Pod {
	slim, err := slimPod(pod)
	if err != nil {
		panic(err)
	}
	return slim.(*corev1.Pod) //nolint:forcetypeassert // it is what slimPod makes of a pod
}

// TestSlimPod wants what thousands of live pods hold in memory to be small, and their marks
// to be there.
func TestSlimPod(t *testing.T) {
	t.Parallel()
	pod := ownPod(t, "marked", "LABEL-1")
	pod.Labels["app"], pod.Annotations["kubectl.kubernetes.io/last-applied-configuration"] = "x", "{}"
	pod.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "dagwright"}}
	slim := slimmed(&pod)
	wantKey, wantOptions, _ := sweepConfig.Read(&pod)
	key, options, ok := sweepConfig.Read(slim)
	if !ok || key != wantKey || !cmp.Equal(options, wantOptions) {
		t.Errorf("the marks are %+v and %+v, %v, want %+v and %+v", key, options, ok, wantKey, wantOptions)
	}
	wantMarks := []int{3, 2}
	if got := []int{len(slim.Labels), len(slim.Annotations)}; !slices.Equal(got, wantMarks) ||
		slim.Labels[podspec.DoneLabel] != "LABEL-1" {
		t.Errorf("labels %v, annotations %v", slim.Labels, slim.Annotations)
	}
	if slim.ManagedFields != nil || slim.Spec.Containers[0].Image != "" || slim.UID != pod.UID {
		t.Errorf("kept is %+v", slim)
	}
}
