package pod

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"dagwright/podspec"
	"dagwright/reason"
)

// watcher keeps the instance's pods of one namespace, and passes on their
// events.
type watcher struct {
	namespace string
	pods      cache.SharedIndexInformer
	events    *cache.Reflector
	once      sync.Once
	running   sync.WaitGroup
}

func (x *Executor) newWatcher(namespace string) (*watcher, error) {
	ours := cache.NewFilteredListWatchFromClient(x.config.Client, "pods", namespace,
		func(o *metav1.ListOptions) { o.LabelSelector = x.config.Pods.Selector() })
	w := &watcher{
		namespace: namespace,
		pods:      cache.NewSharedIndexInformer(ours, &corev1.Pod{}, 0, cache.Indexers{}),
		events:    x.newEventWatch(namespace),
	}
	if err := w.pods.SetTransform(slimPod); err != nil {
		return nil, fmt.Errorf("watch pods: %w", err)
	}
	if _, err := w.pods.AddEventHandler(x.podHandler()); err != nil {
		return nil, fmt.Errorf("watch pods: %w", err)
	}
	if err := w.pods.SetWatchErrorHandlerWithContext(x.watchFailed); err != nil {
		return nil, fmt.Errorf("watch pods: %w", err)
	}
	return w, nil
}

// watchFailed notes that a watch broke off; the informer takes it up again by
// itself, also when too much has changed meanwhile (410 Gone).
func (x *Executor) watchFailed(_ context.Context, _ *cache.Reflector, err error) {
	if x.ctx.Err() == nil {
		x.config.Logger.Warn("watch of Kubernetes broke off, trying again", "err", err)
	}
}

const (
	// sayAfter is how long Kubernetes may be silent at the start before dagwright
	// says so, and sayEvery how often it is repeated.
	sayAfter = 2 * time.Second
	sayEvery = time.Minute
)

// Trouble says what keeps the executor from its work; zero when nothing does.
func (x *Executor) Trouble() reason.Reason {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s := x.silent; s != nil {
		return reason.New(reason.KubernetesAway, s.since.UTC().Format("2006-01-02 15:04:05 UTC"), s.why)
	}
	if x.away {
		return reason.New(reason.KubernetesNeverAnswered)
	}
	for _, pod := range x.foreign {
		return reason.New(reason.PodsOfAnotherDatabase, len(x.foreign), pod.Namespace, pod.Name)
	}
	return reason.Reason{}
}

// setAway notes whether Kubernetes is silent, and logs it.
func (x *Executor) setAway(away bool) {
	x.mu.Lock()
	was := x.away
	x.away = away
	x.mu.Unlock()
	switch {
	case away:
		x.config.Logger.Error("Kubernetes does not answer; no task is started or followed until it does")
	case was:
		x.config.Logger.Info("Kubernetes works again")
	}
}

// start starts to watch and waits until the pods are known. Without the right
// to read events there are only none in the logs.
func (w *watcher) start(ctx context.Context, x *Executor) error {
	w.once.Do(func() {
		w.running.Go(func() { w.pods.RunWithContext(x.ctx) })
		w.running.Go(func() { x.watchEvents(w.events) })
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	say := time.NewTimer(sayAfter)
	defer say.Stop()
	for !w.pods.HasSynced() {
		select {
		case <-say.C:
			x.setAway(true)
			say.Reset(sayEvery)
		case <-ctx.Done():
			return fmt.Errorf("wait for the pods of namespace %s: %w", w.namespace, ctx.Err())
		case <-x.ctx.Done():
			return errClosed
		case <-tick.C:
		}
	}
	x.setAway(false)
	return nil
}

// wait returns when the watching has ended.
func (w *watcher) wait() { w.running.Wait() }

func (w *watcher) list() []*corev1.Pod {
	var pods []*corev1.Pod
	for _, object := range w.pods.GetStore().List() {
		if pod, ok := object.(*corev1.Pod); ok {
			pods = append(pods, pod)
		}
	}
	return pods
}

// lookUp finds a pod as the informers know it; nil when they know none.
func (x *Executor) lookUp(namespace, name string) *corev1.Pod {
	for _, w := range x.watchers {
		if w.namespace != namespace {
			continue
		}
		object, ok, err := w.pods.GetStore().GetByKey(namespace + "/" + name)
		if pod, isPod := object.(*corev1.Pod); ok && err == nil && isPod {
			return pod
		}
	}
	return nil
}

// podHandler puts the attempts of changed pods into the queue. An attempt that
// nobody has asked for is taken up too: the scheduler says what happens to it.
func (x *Executor) podHandler() cache.ResourceEventHandlerFuncs {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { x.podChanged(object) },
		UpdateFunc: func(_, object any) { x.podChanged(object) },
		DeleteFunc: func(object any) { x.podDeleted(object) },
	}
}

func (x *Executor) podChanged(object any) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	key, _, ok := x.config.Pods.Read(pod)
	if !ok {
		x.noteForeign(pod)
		return
	}
	x.sweepLeft(pod)
	x.mu.Lock()
	known := x.attempts[key] != nil
	if !hasFinalizer(pod) {
		delete(x.gone, string(pod.UID)) // the informers know it now
	}
	x.mu.Unlock()
	if known {
		x.queue.Add(key)
	} else {
		x.adopt(pod)
	}
}

// noteForeign remembers a pod of another database, for Trouble. Nothing is done to it.
func (x *Executor) noteForeign(pod *corev1.Pod) {
	if !x.config.Pods.Foreign(pod) {
		return
	}
	x.mu.Lock()
	first := len(x.foreign) == 0
	x.foreign[string(pod.UID)] = pod
	x.mu.Unlock()
	if first {
		x.config.Logger.Warn("pods of the same kubernetes.instance are of another database and are left alone; "+
			"give each instance a name of its own, or a restored database the old pods' end",
			"namespace", pod.Namespace, "pod", pod.Name)
	}
}

func (x *Executor) podDeleted(object any) {
	if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.foreign, string(pod.UID))
	key, _, ok := x.config.Pods.Read(pod)
	if !ok {
		return
	}
	delete(x.gone, string(pod.UID))
	if t := x.attempts[key]; t != nil {
		t.deleted = pod.UID
		x.queue.Add(key)
	}
}

// slimPod keeps of a pod what somebody looks at, so that thousands of pods fit into little
// memory. An attempt's own marks, by which it is recognised, are among that.
func slimPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	slim := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
		CreationTimestamp: pod.CreationTimestamp, DeletionTimestamp: pod.DeletionTimestamp,
		DeletionGracePeriodSeconds: pod.DeletionGracePeriodSeconds, Finalizers: pod.Finalizers,
		Labels: podspec.Marks(pod.Labels), Annotations: podspec.Marks(pod.Annotations),
	}}
	slim.Spec.NodeName, slim.Spec.ActiveDeadlineSeconds = pod.Spec.NodeName, pod.Spec.ActiveDeadlineSeconds
	slim.Spec.InitContainers = slimContainers(pod.Spec.InitContainers)
	slim.Spec.Containers = slimContainers(pod.Spec.Containers)
	slim.Status.Phase, slim.Status.Conditions = pod.Status.Phase, pod.Status.Conditions
	slim.Status.Reason, slim.Status.Message = pod.Status.Reason, pod.Status.Message
	slim.Status.InitContainerStatuses = slimStatuses(pod.Status.InitContainerStatuses)
	slim.Status.ContainerStatuses = slimStatuses(pod.Status.ContainerStatuses)
	return slim, nil
}

func slimContainers(all []corev1.Container) []corev1.Container {
	slim := make([]corev1.Container, len(all))
	for i := range all {
		slim[i] = corev1.Container{
			Name: all[i].Name, RestartPolicy: all[i].RestartPolicy,
			Resources: corev1.ResourceRequirements{Limits: all[i].Resources.Limits},
		}
	}
	return slim
}

func slimStatuses(all []corev1.ContainerStatus) []corev1.ContainerStatus {
	slim := make([]corev1.ContainerStatus, len(all))
	for i := range all {
		slim[i] = corev1.ContainerStatus{Name: all[i].Name, State: all[i].State, Started: all[i].Started}
	}
	return slim
}
