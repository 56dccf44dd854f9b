package pod

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"dagwright/dag"
	"dagwright/reason"
)

// callTime bounds one request to the API server.
const callTime = 30 * time.Second

// slowCall is how long requests must have failed before attempts report it.
const slowCall = 3 * time.Second

// handle looks at an attempt as a whole and does what is missing. It is called
// for every piece of news, never twice at a time for the same attempt, and again
// after a pause when something could not be done.
func (x *Executor) handle(key dag.AttemptKey) {
	t, want := x.intents(key)
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(x.ctx, callTime)
	defer cancel()
	if err := x.advance(ctx, t, want); err != nil {
		x.retry(t, err)
		return
	}
	x.queue.Forget(key)
}

// retry looks at the attempt again after a pause.
func (x *Executor) retry(t *attempt, err error) {
	if x.ctx.Err() != nil {
		return
	}
	failures := x.queue.NumRequeues(t.key)
	x.logger(t.key).Debug("request failed, trying again", "err", err, "failures", failures)
	if failures > 0 && x.config.Now().Sub(t.begun) > slowCall && t.started == nil {
		x.reportWaiting(t, because(reason.WaitsForKubernetes, "", err.Error()))
	}
	x.queue.AddRateLimited(t.key)
}

func (x *Executor) advance(ctx context.Context, t *attempt, want intent) error {
	if want.repeat {
		x.report(t, want.ended)
	}
	if want.ended != nil {
		if want.forgotten {
			return x.release(ctx, t)
		}
		return nil
	}
	x.see(t)
	if t.pod == nil {
		return x.withoutPod(ctx, t, want)
	}
	x.passLine(t)
	return x.withPod(ctx, t, want)
}

// report tells once more what is known of the attempt.
func (x *Executor) report(t *attempt, ended *dag.AttemptEvent) {
	switch {
	case t.started != nil:
		x.send(*t.started)
	case ended == nil:
		x.send(x.waitingEvent(t, t.waiting))
	}
	if ended != nil {
		x.send(*ended)
	}
}

// see takes the newest state of the attempt's pod from the informer.
func (x *Executor) see(t *attempt) {
	found := x.lookUp(t.namespace, t.name)
	if found == nil {
		return
	}
	key, _, ok := x.config.Pods.Read(found)
	if !ok || key != t.key || x.isGone(found) {
		return
	}
	if t.pod == nil && !hasFinalizer(found) {
		return // what is left of an earlier attempt of that name
	}
	if t.pod != nil && t.pod.UID != found.UID {
		return
	}
	t.pod, t.wanted = found, nil
}

func (x *Executor) isGone(pod *corev1.Pod) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.gone[string(pod.UID)]
}

func (x *Executor) withoutPod(ctx context.Context, t *attempt, want intent) error {
	if t.closing {
		return nil
	}
	if want.stop == nil {
		return x.create(ctx, t)
	}
	if t.tried {
		// A creation may have been carried out though its answer was lost.
		found, err := x.live(ctx, t)
		if err != nil {
			return err
		}
		if found != nil && x.isOurs(t, found) {
			t.pod, t.wanted = found, nil
			return x.withPod(ctx, t, want)
		}
	}
	x.end(t, outcome{at: x.config.Now(), exitCode: int(exitTerm), reason: reason.New(reason.StoppedBeforePod)}, true)
	return nil
}

// exitTerm is the exit status of a process that SIGTERM ended, as shells give
// it; it stands for an attempt that was stopped before it had one of its own.
const exitTerm = 128 + 15

func (x *Executor) withPod(ctx context.Context, t *attempt, want intent) error {
	if want.deleted == t.pod.UID {
		x.vanished(t, want)
		return nil
	}
	ours := want.stop != nil || !t.doomed.IsZero()
	v := judge(t.pod, t.options, ours, x.config.Now())
	x.reportVerdict(t, v)
	if v.over != nil {
		x.finish(t, *v.over, want)
		return nil
	}
	if !v.doomed.IsZero() && t.doomed.IsZero() {
		t.doomed = v.doomed
	}
	if !v.again.IsZero() {
		x.queue.AddAfter(t.key, max(v.again.Sub(x.config.Now()), time.Second))
	}
	if (want.stop != nil || !t.doomed.IsZero()) && !t.deleting {
		return x.remove(ctx, t, want)
	}
	return nil
}

// reportVerdict tells what is new about the attempt and starts to read the
// output of containers that have some.
func (x *Executor) reportVerdict(t *attempt, v verdict) {
	x.follow(t)
	switch {
	case !v.startedAt.IsZero() && t.started == nil:
		t.started = &dag.AttemptEvent{Key: t.key, Phase: dag.AttemptStarted, At: v.startedAt, Hostname: t.name}
		x.send(*t.started)
	case !v.waiting.IsZero() && t.started == nil:
		x.reportWaiting(t, v.waiting)
	}
}

// dullTime is how long an attempt may take for what every attempt goes through
// before that counts as waiting, and is reported and stored.
const dullTime = 2 * time.Second

func (x *Executor) reportWaiting(t *attempt, why reason.Reason) {
	if why == t.waiting {
		return
	}
	if left := t.begun.Add(dullTime).Sub(x.config.Now()); left > 0 && dull[why] {
		x.queue.AddAfter(t.key, left)
		return
	}
	t.waiting = why
	x.send(x.waitingEvent(t, why))
}

func (x *Executor) waitingEvent(t *attempt, why reason.Reason) dag.AttemptEvent {
	return dag.AttemptEvent{Key: t.key, Phase: dag.AttemptWaiting, At: x.config.Now(), Reason: why, Hostname: t.name}
}

// vanished ends an attempt whose pod is gone although it had our finalizer:
// somebody has removed that by force.
func (x *Executor) vanished(t *attempt, want intent) {
	x.finish(t, outcome{
		at: x.config.Now(), lost: true,
		reason: reason.New(reason.PodGone),
	}, want)
}

// finish takes an outcome as the attempt's end once its log is whole.
func (x *Executor) finish(t *attempt, out outcome, want intent) {
	stopped := want.stop != nil && (out.lost || out.exitCode != 0)
	switch {
	case stopped:
		out.lost = false
		if out.exitCode == 0 {
			out.exitCode = exitTerm
		}
		if out.reason.IsZero() {
			out.reason = reason.New(reason.Stopped)
		} else {
			out.reason = reason.New(reason.Stopped, out.reason)
		}
	case !t.doomed.IsZero():
		out = outcome{at: out.at, exitCode: 1, reason: t.doomed}
	}
	x.closeLog(t, out, stopped)
}

// end reports the end of an attempt whose log is sealed.
func (x *Executor) end(t *attempt, out outcome, stopped bool) { x.send(*x.setEnd(t, out, stopped)) }

func (x *Executor) setEnd(t *attempt, out outcome, stopped bool) *dag.AttemptEvent {
	e := dag.AttemptEvent{
		Key: t.key, Phase: dag.AttemptEnded, At: out.at, ExitCode: out.exitCode,
		Lost: out.lost, Stopped: stopped, Reason: out.reason, Hostname: t.name,
	}
	x.mu.Lock()
	t.ended = &e
	x.leave(t)
	x.wakeLine(t.namespace)
	x.mu.Unlock()
	return &e
}
