package pod

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"dagwright/reason"
)

// watcher keeps the instance's pods of one namespace, and passes on their
// events.
type watcher struct {
	namespace string
	pods      cache.SharedIndexInformer
	events    cache.SharedIndexInformer
	once      sync.Once
	running   sync.WaitGroup
}

func (x *Executor) newWatcher(namespace string) (*watcher, error) {
	w := &watcher{namespace: namespace}
	w.pods = x.newInformer("pods", namespace, &corev1.Pod{},
		func(o *metav1.ListOptions) { o.LabelSelector = x.config.Pods.Selector() })
	w.events = x.newInformer("events", namespace, &corev1.Event{}, func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("involvedObject.kind", "Pod").String()
	})
	if err := w.pods.SetTransform(slimPod); err != nil {
		return nil, fmt.Errorf("watch pods: %w", err)
	}
	if err := w.events.SetTransform(slimEvent); err != nil {
		return nil, fmt.Errorf("watch events: %w", err)
	}
	if _, err := w.pods.AddEventHandler(x.podHandler()); err != nil {
		return nil, fmt.Errorf("watch pods: %w", err)
	}
	if _, err := w.events.AddEventHandler(x.eventHandler()); err != nil {
		return nil, fmt.Errorf("watch events: %w", err)
	}
	for _, informer := range []cache.SharedIndexInformer{w.pods, w.events} {
		if err := informer.SetWatchErrorHandlerWithContext(x.watchFailed); err != nil {
			return nil, fmt.Errorf("watch pods: %w", err)
		}
	}
	return w, nil
}

// newInformer returns an informer of the objects of one resource that pick selects.
func (x *Executor) newInformer(
	resource, namespace string, object runtime.Object, pick func(*metav1.ListOptions),
) cache.SharedIndexInformer {
	source := cache.NewFilteredListWatchFromClient(x.config.Client, resource, namespace, pick)
	return cache.NewSharedIndexInformer(source, object, 0, cache.Indexers{})
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
	if !x.away {
		return reason.Reason{}
	}
	return reason.New(reason.KubernetesNeverAnswered)
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
		w.running.Go(func() { w.events.RunWithContext(x.ctx) })
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
		return
	}
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

func (x *Executor) podDeleted(object any) {
	if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	key, _, ok := x.config.Pods.Read(pod)
	if !ok {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.gone, string(pod.UID))
	if t := x.attempts[key]; t != nil {
		t.deleted = pod.UID
		x.queue.Add(key)
	}
}

// slimPod keeps out of memory what nobody looks at.
func slimPod(object any) (any, error) {
	if pod, ok := object.(*corev1.Pod); ok {
		pod.ManagedFields = nil
		pod.Spec.Volumes, pod.Spec.Tolerations, pod.Spec.Affinity = nil, nil, nil
		for i := range pod.Spec.Containers {
			c := &pod.Spec.Containers[i]
			c.Env, c.EnvFrom, c.VolumeMounts, c.Command, c.Args = nil, nil, nil, nil, nil
		}
	}
	return object, nil
}
