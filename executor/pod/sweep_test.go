package pod

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"dagwright/dag"
	"dagwright/podspec"
	"dagwright/tasklog"
)

// deletions records the deletions that an API server is asked for.
type deletions struct {
	mu      sync.Mutex
	sets    []string // label selectors of collections
	singles []string // names
	refuse  func(r *http.Request) *apierrors.StatusError
}

func (d *deletions) take(r *http.Request) *apierrors.StatusError {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse != nil {
		if err := d.refuse(r); err != nil {
			return err
		}
	}
	if selector := r.URL.Query().Get("labelSelector"); selector != "" {
		d.sets = append(d.sets, selector)
	} else {
		d.singles = append(d.singles, path.Base(r.URL.Path))
	}
	return nil
}

// count returns what was deleted since the last call.
func (d *deletions) count() (sets, singles []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sets, singles = d.sets, d.singles
	d.sets, d.singles = nil, nil
	slices.Sort(singles)
	return sets, singles
}

func isCollection(r *http.Request) bool { return r.URL.Query().Get("labelSelector") != "" }

// sweepConfig is the instance of these tests.
var sweepConfig = podspec.Config{Namespace: "tasks", Instance: "test"}

// ownPod is a pod of the instance that has ended, as its attempt's release leaves it.
func ownPod(t *testing.T, task, label string) corev1.Pod {
	t.Helper()
	key := dag.AttemptKey{DAG: "d", Run: "r", Task: dag.TaskID(task), Try: 1}
	pod, err := sweepConfig.Build(podspec.Input{Key: key, Task: dag.Task{ID: key.Task, Image: "busybox"}})
	if err != nil {
		t.Fatal(err)
	}
	pod.Finalizers, pod.UID, pod.Labels[podspec.DoneLabel] = nil, types.UID("uid of "+task), label
	return *pod
}

// setRunning makes a pod one whose attempt has not ended.
func setRunning(pod *corev1.Pod) {
	pod.Finalizers, pod.Spec.NodeName = []string{podspec.Finalizer}, "n"
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: podspec.BaseContainer,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
}

// withSweeper calls f in a bubble of time with an executor whose API server has some pods.
func withSweeper(t *testing.T, d *deletions, pods []corev1.Pod, f func(*testing.T, *Executor, *sweeper)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		logs, err := tasklog.Open(tasklog.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer logs.Close()
		server := &apiServer{delete: d.take, pods: pods}
		x, err := Open(Config{Client: server.client(t), Logs: logs, Pods: sweepConfig,
			Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		if _, err := x.List(t.Context()); err != nil {
			t.Fatal(err)
		}
		f(t, x, x.sweepers["tasks"])
	})
}

// release gives a sweeper so many pods, as if their attempts had been forgotten.
func release(x *Executor, s *sweeper, n int) {
	x.mu.Lock()
	x.releasing += n
	x.mu.Unlock()
	for i := range n {
		s.add(donePod{name: fmt.Sprint("p", i), uid: types.UID(fmt.Sprint("u", i)), label: s.label()})
	}
}

func leftOf(x *Executor) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.releasing
}

// TestSweepGathers wants a thousand pods that end together to be deleted by a few requests,
// no more than four a second, each of which selects what was labelled for it.
func TestSweepGathers(t *testing.T) {
	t.Parallel()
	d := &deletions{}
	withSweeper(t, d, nil, func(t *testing.T, x *Executor, s *sweeper) {
		release(x, s, 1000)
		time.Sleep(time.Second)
		synctest.Wait()
		sets, singles := d.count()
		if len(sets) != 4 || len(singles) > 0 || leftOf(x) != 0 {
			t.Fatalf("a thousand pods were deleted by %d collections and %d single requests; %d are left",
				len(sets), len(singles), leftOf(x))
		}
		for i, set := range sets {
			own := fmt.Sprintf("%s,dagwright/done in (%s%d)", sweepConfig.Selector(), s.prefix, i)
			if !strings.HasPrefix(set, strings.TrimSuffix(own, ")")) {
				t.Errorf("collection %d selects %q, want %q", i, set, own)
			}
		}
		release(x, s, 1)
		time.Sleep(time.Second)
		synctest.Wait()
		if sets, singles := d.count(); len(sets) > 0 || len(singles) != 1 {
			t.Errorf("one pod was deleted by %v and %v", sets, singles)
		}
		if label := s.label(); label == s.prefix+"0" {
			t.Errorf("the label %q is used again after its batch", label)
		}
	})
}

// TestSweepWithoutRight has no right to delete collections, which is tried once, and an
// API server that refuses for a while.
func TestSweepWithoutRight(t *testing.T) {
	t.Parallel()
	forbidden, busy := 0, 3
	d := &deletions{refuse: func(r *http.Request) *apierrors.StatusError {
		switch {
		case isCollection(r):
			forbidden++
			return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("cannot deletecollection"))
		case busy > 0:
			busy--
			return apierrors.NewInternalError(errors.New("no leader"))
		}
		return nil
	}}
	withSweeper(t, d, nil, func(t *testing.T, x *Executor, s *sweeper) {
		for range 2 {
			release(x, s, 3)
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		_, singles := d.count()
		singles = slices.Compact(singles)
		if diff := cmp.Diff([]string{"p0", "p1", "p2"}, singles); diff != "" || leftOf(x) != 0 {
			t.Errorf("%d are left; deleted (-want +got):\n%s", leftOf(x), diff)
		}
		if forbidden != 1 {
			t.Errorf("%d collections were asked for without the right to", forbidden)
		}
	})
}

// TestSweepLeft finds what an earlier process has labelled and not deleted. A pod that has
// the label and is not of an attempt, or is not done, stays.
func TestSweepLeft(t *testing.T) {
	t.Parallel()
	left, kept := ownPod(t, "left", "EARLIER-3"), ownPod(t, "kept", "")
	delete(kept.Labels, podspec.DoneLabel)
	foreign := ownPod(t, "foreign", "EARLIER-3")
	foreign.Name = "foreign"
	other := ownPod(t, "other", "EARLIER-3")
	other.Labels["dagwright/instance"] = "other"
	running := ownPod(t, "running", "EARLIER-3")
	setRunning(&running)
	going := ownPod(t, "going", "EARLIER-3")
	going.DeletionTimestamp, going.Finalizers = &metav1.Time{Time: time.Now()}, []string{"example.com/theirs"}
	d := &deletions{}
	withSweeper(t, d, []corev1.Pod{left, kept, foreign, other, running, going},
		func(t *testing.T, _ *Executor, _ *sweeper) {
			time.Sleep(time.Second)
			synctest.Wait()
			sets, singles := d.count()
			if diff := cmp.Diff([]string{left.Name}, singles); diff != "" || len(sets) > 0 {
				t.Errorf("collections %v; deleted by name (-want +got):\n%s", sets, diff)
			}
		})
}

// TestSweepAmongForeign has a pod that carries the label of the present batch and is not of
// an attempt: what is done is deleted by name then.
func TestSweepAmongForeign(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*corev1.Pod){
		"of another name": func(p *corev1.Pod) { p.Name = "foreign" },
		"not done":        setRunning,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			foreign := ownPod(t, "foreign", "later")
			change(&foreign)
			d := &deletions{}
			withSweeper(t, d, []corev1.Pod{foreign}, func(t *testing.T, x *Executor, s *sweeper) {
				for _, pod := range s.watcher.list() {
					labelled := pod.DeepCopy()
					labelled.Labels[podspec.DoneLabel] = s.prefix + "0"
					if err := s.watcher.pods.GetStore().Update(labelled); err != nil {
						t.Fatal(err)
					}
				}
				release(x, s, 2)
				time.Sleep(time.Second)
				synctest.Wait()
				sets, singles := d.count()
				if diff := cmp.Diff([]string{"p0", "p1"}, singles); diff != "" || len(sets) > 0 {
					t.Errorf("collections %v; deleted by name (-want +got):\n%s", sets, diff)
				}
			})
		})
	}
}
