package pod

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// eventHandler writes the events of pods into the logs of their attempts.
func (x *Executor) eventHandler() cache.ResourceEventHandlerFuncs {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { x.eventSeen(object) },
		UpdateFunc: func(_, object any) { x.eventSeen(object) },
	}
}

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

// slimEvent keeps of an event what shows a later change of it.
func slimEvent(object any) (any, error) {
	e, ok := object.(*corev1.Event)
	if !ok {
		return object, nil
	}
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Name: e.Name, Namespace: e.Namespace, UID: e.UID, ResourceVersion: e.ResourceVersion,
			CreationTimestamp: e.CreationTimestamp,
		},
		InvolvedObject: corev1.ObjectReference{Name: e.InvolvedObject.Name, UID: e.InvolvedObject.UID},
		Reason:         e.Reason, Message: e.Message,
		FirstTimestamp: e.FirstTimestamp, LastTimestamp: e.LastTimestamp, EventTime: e.EventTime,
	}, nil
}
