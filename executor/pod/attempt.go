package pod

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"dagwright/dag"
	"dagwright/podspec"
	"dagwright/reason"
)

// attempt is what the executor knows of one attempt. The fields of the first
// group never change; those of the second are guarded by Executor.mu; the rest
// belongs to the worker that has the attempt's key, of which there is one at a
// time.
type attempt struct {
	key       dag.AttemptKey
	namespace string
	name      string
	begun     time.Time // when this executor first heard of it
	mayStart  func() bool

	stop      *time.Duration    // the grace of the wish to stop it; nil without
	repeat    bool              // report once more what is known
	forgotten bool              // its traces are to be removed
	ended     *dag.AttemptEvent // reported, or about to be
	deleted   types.UID         // the pod that the informer saw vanish

	options podspec.Options
	wanted  *corev1.Pod // what to create; nil when there is a pod
	pod     *corev1.Pod // as last seen; nil while none is known
	// tried says that a creation was asked for without a clear answer, so a pod
	// may exist.
	tried    bool
	deleting bool          // we have asked for the pod's deletion
	doomed   reason.Reason // why the pod was given up before it started
	waiting  reason.Reason // last reported
	started  *dag.AttemptEvent
	closing  bool    // its end is known; its log is being completed
	log      *keeper // set when the attempt is made
}

// intent is a copy of what others want of an attempt.
type intent struct {
	stop      *time.Duration
	repeat    bool
	forgotten bool
	ended     *dag.AttemptEvent
	deleted   types.UID
}

// intents takes what others want of the attempt.
func (x *Executor) intents(key dag.AttemptKey) (*attempt, intent) {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.attempts[key]
	if t == nil {
		return nil, intent{}
	}
	i := intent{stop: t.stop, repeat: t.repeat, forgotten: t.forgotten, ended: t.ended, deleted: t.deleted}
	t.repeat = false
	return t, i
}

// adopt returns the attempt of a pod that was found, making it if need be; nil
// when the pod is not a trace of an attempt of this instance.
func (x *Executor) adopt(pod *corev1.Pod) *attempt {
	key, o, ok := x.config.Pods.Read(pod)
	if !ok || !hasFinalizer(pod) {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.gone[string(pod.UID)] {
		return nil
	}
	t := x.attempts[key]
	if t == nil {
		t = &attempt{
			key: key, namespace: pod.Namespace, name: pod.Name, options: o,
			pod: pod, begun: x.config.Now(), repeat: true,
		}
		x.add(t)
	}
	if t.forgotten {
		return nil
	}
	return t
}

// add takes an attempt up. x.mu is held.
func (x *Executor) add(t *attempt) {
	t.log = newKeeper(x, t)
	x.attempts[t.key] = t
	x.byPod[t.namespace+"/"+t.name] = t
	x.queue.Add(t.key)
}

// drop is the end of an attempt. x.mu is held.
func (x *Executor) drop(t *attempt) {
	delete(x.attempts, t.key)
	delete(x.byPod, t.namespace+"/"+t.name)
}

// keeperOf returns what writes the log of a pod's attempt; nil without one.
func (x *Executor) keeperOf(namespace, pod string) *keeper {
	x.mu.Lock()
	defer x.mu.Unlock()
	if t := x.byPod[namespace+"/"+pod]; t != nil {
		return t.log
	}
	return nil
}

// listed is how List reports an attempt: as ended only when its log is whole.
func (x *Executor) listed(t *attempt, pod *corev1.Pod) dag.AttemptEvent {
	v := judge(pod, t.options, false, x.config.Now())
	x.mu.Lock()
	ended, working := t.ended, x.working
	x.mu.Unlock()
	if ended == nil && !working && v.over != nil && x.isSealed(t) {
		// It had ended before the restart, and nobody works on it yet.
		t.log.complete(v.over)
		ended = x.setEnd(t, *v.over, false)
	}
	if ended != nil {
		return *ended
	}
	e := dag.AttemptEvent{Key: t.key, Phase: dag.AttemptWaiting, At: t.begun, Reason: v.waiting, Hostname: pod.Name}
	if !v.startedAt.IsZero() {
		e.Phase, e.At, e.Reason = dag.AttemptStarted, v.startedAt, reason.Reason{}
	}
	return e
}

func (x *Executor) isSealed(t *attempt) bool {
	info, err := x.config.Logs.Stat(t.key)
	return err == nil && info.Sealed
}

func hasFinalizer(pod *corev1.Pod) bool {
	for _, f := range pod.Finalizers {
		if f == podspec.Finalizer {
			return true
		}
	}
	return false
}
