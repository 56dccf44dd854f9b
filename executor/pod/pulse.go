package pod

import (
	"context"
	"errors"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"dagwright/reason"
)

const (
	// pulseEvery is how often Kubernetes is asked whether it still answers, and pulseTime
	// how long one answer may take. Watches do not tell: they are silent while nothing
	// happens, and are taken up again without a word.
	pulseEvery = 5 * time.Second
	pulseTime  = 5 * time.Second
	// noPod is the name of no pod: those of attempts have a digest in theirs.
	noPod = "dagwright-pulse"
	// maxWhy bounds the words of what is wrong.
	maxWhy = 200
)

// silence says since when and why Kubernetes does not answer.
type silence struct {
	since time.Time
	why   reason.Reason
}

// feelPulse asks Kubernetes from time to time, until the executor ends. It reports that
// Kubernetes does not answer at the second failure in a row.
func (x *Executor) feelPulse() {
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	good, failures := x.config.Now(), 0 // when it answered last, and how often it has not since
	for {
		select {
		case <-x.ctx.Done():
			return
		case <-tick.C:
		}
		err := x.pulse()
		if x.ctx.Err() != nil {
			return
		}
		if err == nil {
			good, failures = x.config.Now(), 0
			x.setSilent(nil)
			continue
		}
		if failures++; failures > 1 {
			x.setSilent(&silence{since: good, why: whyAway(err)})
		}
	}
}

// pulse asks for a pod that is not there, as somebody who may read the pods of attempts.
func (x *Executor) pulse() error {
	ctx, cancel := context.WithTimeout(x.ctx, pulseTime)
	defer cancel()
	_, err := x.pods(x.config.Pods.Namespace).get(ctx, noPod)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// whyAway is what is wrong, without the address that was asked.
func whyAway(err error) reason.Reason {
	if errors.Is(err, context.DeadlineExceeded) {
		return reason.New(reason.NoAnswer, int(pulseTime.Seconds()))
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	why := []rune(err.Error())
	return reason.Of(string(why[:min(len(why), maxWhy)]))
}

// setSilent notes that Kubernetes does not answer any more, or does again when s is nil,
// and logs it once.
func (x *Executor) setSilent(s *silence) {
	x.mu.Lock()
	was := x.silent
	x.silent = s
	x.mu.Unlock()
	switch {
	case s != nil && was == nil:
		x.config.Logger.Error("Kubernetes does not answer; no task is started or followed until it does", "err",
			s.why.String())
	case s == nil && was != nil:
		x.config.Logger.Info("Kubernetes works again")
	}
}
