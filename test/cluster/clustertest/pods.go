package clustertest

import (
	"context"
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	typedv1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/klog/v2"
)

// patience is how long a wait for the cluster may last before the test fails.
const patience = 3 * time.Minute

// ShellPod returns a pod, not yet made, that runs a shell script in busybox, as
// Pod Security "restricted" wants it.
func ShellPod(name, script string) *corev1.Pod {
	yes, no, grace := true, false, int64(2)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			RestartPolicy:                 corev1.RestartPolicyNever,
			TerminationGracePeriodSeconds: &grace,
			AutomountServiceAccountToken:  &no,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   &yes,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name:    "base",
				Image:   "localhost/busybox:1",
				Command: []string{"sh", "-c", script},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no,
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// FakeLabel is the label of all fake nodes, and the taint that keeps other pods from
// them. Its value is "true", except for a node of [Cluster.OwnFakeNode].
const FakeLabel = "dagwright.dev/fake"

// FakePod turns a pod into one that runs on a fake node for so long, and then
// ends with that exit code.
func FakePod(pod *corev1.Pod, run time.Duration, exitCode int) *corev1.Pod {
	metav1.SetMetaDataAnnotation(&pod.ObjectMeta, "dagwright.dev/fake-run", run.String())
	metav1.SetMetaDataAnnotation(&pod.ObjectMeta, "dagwright.dev/fake-exit-code", strconv.Itoa(exitCode))
	pod.Spec.NodeSelector = map[string]string{FakeLabel: "true"}
	pod.Spec.Tolerations = append(pod.Spec.Tolerations,
		corev1.Toleration{Key: FakeLabel, Operator: corev1.TolerationOpExists})
	return pod
}

// CreatePod makes a pod in the cluster's namespace.
func (c *Cluster) CreatePod(pod *corev1.Pod) *corev1.Pod {
	c.t.Helper()
	made, err := c.pods().Create(c.t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		c.t.Fatalf("create pod %s: %v", pod.Name, err)
	}
	return made
}

// WaitPod returns the pod of that name as soon as it is as wanted. It goes on
// through an outage of the API server.
func (c *Cluster) WaitPod(name string, wanted func(*corev1.Pod) bool) *corev1.Pod {
	c.t.Helper()
	return c.waitPod(metav1.ListOptions{FieldSelector: "metadata.name=" + name}, wanted)
}

// WaitLabelled is WaitPod for any of the pods that a label selector selects.
func (c *Cluster) WaitLabelled(selector string, wanted func(*corev1.Pod) bool) *corev1.Pod {
	c.t.Helper()
	return c.waitPod(metav1.ListOptions{LabelSelector: selector}, wanted)
}

func (c *Cluster) waitPod(which metav1.ListOptions, wanted func(*corev1.Pod) bool) *corev1.Pod {
	c.t.Helper()
	var last *corev1.Pod
	err := c.wait("pods", c.Namespace, which, &corev1.Pod{}, func(e watch.Event) bool {
		pod, ok := e.Object.(*corev1.Pod)
		if !ok || e.Type == watch.Deleted {
			return false
		}
		last = pod
		return wanted(pod)
	})
	if err != nil {
		c.t.Fatalf("wait for a pod with %s%s: %v; last seen: %+v", which.FieldSelector, which.LabelSelector, err, last)
	}
	return last
}

// wait watches some objects until an event about one of them is the one wanted.
func (c *Cluster) wait(resource, namespace string, which metav1.ListOptions, kind runtime.Object,
	wanted func(watch.Event) bool) error {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	// The watch's machinery would complain that it is ended.
	ctx = klog.NewContext(ctx, logr.Discard())
	source := cache.NewFilteredListWatchFromClient(c.Client.CoreV1().RESTClient(), resource, namespace,
		func(o *metav1.ListOptions) {
			o.FieldSelector, o.LabelSelector = which.FieldSelector, which.LabelSelector
		})
	_, err := watchtools.UntilWithSync(ctx, source, kind, nil, func(e watch.Event) (bool, error) { return wanted(e), nil })
	return err
}

// Running is for WaitPod: the pod's first container has started, or is over.
func Running(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodRunning || Ended(pod)
}

// Ended is for WaitPod: the pod has succeeded or failed.
func Ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// Log returns what a pod's only container wrote.
func (c *Cluster) Log(name string) string {
	c.t.Helper()
	stream, err := c.pods().GetLogs(name, &corev1.PodLogOptions{}).Stream(c.t.Context())
	if err != nil {
		c.t.Fatalf("read the log of pod %s: %v", name, err)
	}
	defer stream.Close()
	log, err := io.ReadAll(stream)
	if err != nil {
		c.t.Fatalf("read the log of pod %s: %v", name, err)
	}
	return string(log)
}

func (c *Cluster) pods() typedv1.PodInterface { return c.Client.CoreV1().Pods(c.Namespace) }

// removeFinalizers takes every finalizer off the pods of a namespace.
func removeFinalizers(ctx context.Context, pods typedv1.PodInterface) error {
	list, err := pods.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"finalizers": nil}})
	if err != nil {
		return err
	}
	for _, pod := range list.Items {
		if len(pod.Finalizers) == 0 {
			continue
		}
		_, err := pods.Patch(ctx, pod.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}
