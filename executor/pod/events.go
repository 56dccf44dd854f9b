package pod

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/tools/cache"
)

// newEventWatch returns what watches the events of a namespace's pods. Kubernetes cannot
// select those of our own pods alone.
func (x *Executor) newEventWatch(namespace string) *cache.Reflector {
	source := cache.NewFilteredListWatchFromClient(x.config.Client, "events", namespace, func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("involvedObject.kind", "Pod").String()
	})
	return cache.NewReflector(source, &corev1.Event{}, eventSink{x}, 0)
}

// mostEventPause bounds the growing pause before a watch of events that failed is tried again:
// dagwright may lack the right to it for good.
const mostEventPause = time.Minute

// watchEvents watches events until the executor ends.
func (x *Executor) watchEvents(events *cache.Reflector) {
	for pause := firstPause; x.ctx.Err() == nil; pause = min(2*pause, mostEventPause) {
		if err := events.ListAndWatchWithContext(x.ctx); err != nil {
			x.watchFailed(x.ctx, events, err)
		} else {
			pause = firstPause
		}
		select {
		case <-x.ctx.Done():
		case <-time.After(pause):
		}
	}
}

// eventSink writes the events of pods into the logs of their attempts, and keeps none:
// what a log has already, its keeper knows.
type eventSink struct{ x *Executor }

// Add takes a new event.
func (s eventSink) Add(object any) error {
	s.x.eventSeen(object)
	return nil
}

// Update takes an event that has happened again.
func (s eventSink) Update(object any) error { return s.Add(object) }

// Delete is for an event whose time is over.
func (s eventSink) Delete(any) error { return nil }

// Replace takes all events that there are.
func (s eventSink) Replace(all []any, _ string) error {
	for _, object := range all {
		s.x.eventSeen(object)
	}
	return nil
}

// Resync does nothing: nothing is kept.
func (s eventSink) Resync() error { return nil }

func (x *Executor) eventSeen(object any) {
	event, ok := object.(*corev1.Event)
	if !ok {
		return
	}
	// The pods' own watch may be behind this one.
	pod := x.lookUp(event.Namespace, event.InvolvedObject.Name)
	if pod != nil && pod.UID != event.InvolvedObject.UID {
		return
	}
	if k := x.keeperOf(event.Namespace, event.InvolvedObject.Name); k != nil && k.options.Events {
		k.note(eventTime(event), sentence(event.Reason, "", event.Message))
	}
}

// eventTime is when an event happened last.
func eventTime(e *corev1.Event) time.Time {
	for _, t := range []time.Time{e.LastTimestamp.Time, e.EventTime.Time, e.FirstTimestamp.Time} {
		if !t.IsZero() {
			return t
		}
	}
	return e.CreationTimestamp.Time
}
