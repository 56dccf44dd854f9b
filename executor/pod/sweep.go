package pod

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"dagwright/podspec"
)

const (
	// sweepPause is how long pods that are done are gathered, so how often at most their
	// deletion is asked for.
	sweepPause = 250 * time.Millisecond
	// mostSwept is how many pods one request is to delete. The API server deletes them one
	// after the other before it answers.
	mostSwept = 250
	// sweepTime bounds that request.
	sweepTime = time.Minute
	// deletesAtOnce is how many pods are deleted at once where each takes a request.
	deletesAtOnce = 8
)

// sweeper deletes the pods of ended attempts in one namespace, many with one request (ADR
// 93). Such a pod has no finalizer any more and carries podspec.DoneLabel. The label's value
// is random and of one batch only, so the request cannot hit a pod that somebody has made or
// labelled without knowing it.
type sweeper struct {
	x       *Executor
	watcher *watcher
	prefix  string        // of the labels that this process gives out
	wake    chan struct{} // has room for one

	mu      sync.Mutex
	batch   int // the number in the present label
	given   int // how often that label was given out
	waiting []donePod
	busy    []donePod // whose deletion is being asked for
	single  bool      // dagwright may not delete collections
}

// donePod is a pod that is to be deleted.
type donePod struct {
	name string
	uid  types.UID
	// label is the value of its podspec.DoneLabel; empty when an earlier process set it.
	label string
}

func newSweeper(x *Executor, w *watcher) *sweeper {
	return &sweeper{x: x, watcher: w, prefix: rand.Text() + "-", wake: make(chan struct{}, 1)}
}

// label returns the value of podspec.DoneLabel for a pod that is done.
func (s *sweeper) label() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.given++; s.given > mostSwept {
		s.batch, s.given = s.batch+1, 1
	}
	return s.prefix + strconv.Itoa(s.batch)
}

// add takes a pod that is labelled and has no finalizer of ours.
func (s *sweeper) add(p ...donePod) {
	s.mu.Lock()
	s.waiting = append(s.waiting, p...)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// sweepLeft takes a pod that an earlier process labelled and did not come to delete.
func (x *Executor) sweepLeft(pod *corev1.Pod) {
	label := pod.Labels[podspec.DoneLabel]
	s := x.sweepers[pod.Namespace]
	if s == nil || label == "" || strings.HasPrefix(label, s.prefix) || hasFinalizer(pod) ||
		pod.DeletionTimestamp != nil {
		return
	}
	s.add(donePod{name: pod.Name, uid: pod.UID})
}

// sweeps reports whether a pod is about to be deleted by a sweeper.
func (x *Executor) sweeps(pod *corev1.Pod) bool {
	s := x.sweepers[pod.Namespace]
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	isIt := func(p donePod) bool { return p.uid == pod.UID }
	return slices.ContainsFunc(s.waiting, isIt) || slices.ContainsFunc(s.busy, isIt)
}

// run deletes what comes until the executor ends.
func (s *sweeper) run() {
	pause, hurry := sweepPause, s.x.closing
	for {
		select {
		case <-s.x.ctx.Done():
			return
		case <-s.wake:
		}
		s.rest(pause, hurry)
		pods := s.take()
		if err := s.sweep(pods); err != nil {
			if s.x.ctx.Err() == nil {
				s.x.config.Logger.Warn("delete ended pods, trying again", "err", err, "namespace", s.watcher.namespace)
			}
			s.add(pods...)
			pause, hurry = min(2*pause, lastPause), nil
			continue
		}
		s.x.tracesGone(s.swept(pods))
		pause, hurry = sweepPause, s.x.closing
	}
}

// rest waits, and no longer than until hurry is closed.
func (s *sweeper) rest(pause time.Duration, hurry <-chan struct{}) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-s.x.ctx.Done():
	case <-timer.C:
	case <-hurry:
	}
}

// take takes the pods that have waited longest. What is labelled from now on is of another
// batch.
func (s *sweeper) take() []donePod {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.waiting), mostSwept)
	s.busy = slices.Clone(s.waiting[:n])
	s.waiting = slices.Delete(s.waiting, 0, n)
	s.batch, s.given = s.batch+1, 0
	if len(s.waiting) > 0 {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return s.busy
}

// swept returns how many of the pods were those of forgotten attempts.
func (s *sweeper) swept(pods []donePod) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = nil
	for _, p := range pods {
		if p.label != "" {
			n++
		}
	}
	return n
}

// sweep deletes pods. An error means that some may be left.
func (s *sweeper) sweep(pods []donePod) error {
	ctx, cancel := context.WithTimeout(s.x.ctx, sweepTime)
	defer cancel()
	var labels []string
	for _, p := range pods {
		if p.label != "" && !slices.Contains(labels, p.label) {
			labels = append(labels, p.label)
		}
	}
	if len(pods) == 1 || len(labels) == 0 || !s.mayCollect(labels) {
		return s.deleteEach(ctx, pods)
	}
	selector := s.x.config.Pods.Selector() + "," + podspec.DoneLabel + " in (" + strings.Join(labels, ",") + ")"
	err := s.x.pods(s.watcher.namespace).deleteAll(ctx, selector)
	switch {
	case apierrors.IsForbidden(err):
		s.setSingle(err)
		return s.deleteEach(ctx, pods)
	case err != nil:
		return fmt.Errorf("delete pods: %w", err)
	}
	left := slices.DeleteFunc(slices.Clone(pods), func(p donePod) bool { return p.label != "" })
	return s.deleteEach(ctx, left)
}

// mayCollect reports whether one request may delete what has the labels: dagwright has the
// right to, and no pod has them that is not a pod of an attempt that is done.
func (s *sweeper) mayCollect(labels []string) bool {
	s.mu.Lock()
	single := s.single
	s.mu.Unlock()
	if single {
		return false
	}
	for _, pod := range s.watcher.list() {
		if !slices.Contains(labels, pod.Labels[podspec.DoneLabel]) {
			continue
		}
		if _, _, ok := s.x.config.Pods.Read(pod); !ok || hasFinalizer(pod) {
			s.x.config.Logger.Warn("a pod carries the label of ended pods, and is none", "namespace", pod.Namespace,
				"pod", pod.Name, "label", podspec.DoneLabel)
			return false
		}
	}
	return true
}

// setSingle notes that pods must be deleted one by one.
func (s *sweeper) setSingle(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.single = true
	s.x.config.Logger.Warn("without the right to deletecollection, ended pods are deleted one by one", "err", err,
		"namespace", s.watcher.namespace)
}

// deleteEach deletes pods by name, each only if it still is the one that is meant.
func (s *sweeper) deleteEach(ctx context.Context, pods []donePod) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(deletesAtOnce)
	for _, p := range pods {
		g.Go(func() error { return s.x.deletePod(ctx, s.watcher.namespace, p.name, p.uid, nil) })
	}
	return g.Wait()
}
