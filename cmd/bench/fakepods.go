package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// fakePods measures pods of fake nodes: what the control plane takes, without
// containers.
func fakePods(ctx context.Context, b *bench) error {
	if out, err := exec.CommandContext(ctx, "test/cluster/cluster", "nodes", "10").CombinedOutput(); err != nil {
		return fmt.Errorf("make fake nodes: %w: %s", err, out)
	}
	return b.withCluster(ctx, "fake", bareFakes(twoWrites), bareFakes(sameWrites), fakesAtOnce, fakeChains, livePods)
}

// bareClient is what a client without any scheduler does for a pod.
type bareClient struct {
	name       string
	finalizers []string
	// log says that each pod has a log, a file.
	log bool
}

var (
	// twoWrites creates a pod and deletes it.
	twoWrites = bareClient{name: "bare client with two writes"}
	// sameWrites does what dagwright must do at least to lose no end and no log.
	sameWrites = bareClient{
		name: "bare client with finalizer, log and delete", finalizers: []string{"dagwright.dev/bench"}, log: true,
	}
)

// bareFakes returns a measure that creates pods with a bare client, and deletes each when it
// has ended.
func bareFakes(bare bareClient) func(context.Context, *bench, *cluster) error {
	return func(ctx context.Context, b *bench, c *cluster) error {
		pods := c.client.CoreV1().Pods(c.namespace)
		watch, err := pods.Watch(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		defer watch.Stop()
		began := time.Now()
		creators, cctx := errgroup.WithContext(ctx)
		creators.SetLimit(triggerers)
		go func() {
			for i := range b.n.fakes {
				creators.Go(func() error {
					pod := fakePod(i)
					pod.Finalizers = bare.finalizers
					_, err := pods.Create(cctx, pod, metav1.CreateOptions{})
					return err
				})
			}
		}()
		finishers, fctx := errgroup.WithContext(ctx)
		finishers.SetLimit(triggerers)
		ended := map[string]bool{}
		for event := range watch.ResultChan() {
			p, ok := event.Object.(*corev1.Pod)
			if !ok || p.Status.Phase != corev1.PodSucceeded || ended[p.Name] {
				continue
			}
			ended[p.Name] = true
			finishers.Go(func() error { return bare.finish(fctx, b, c, p.Name) })
			if len(ended) == b.n.fakes {
				break
			}
		}
		if err := errors.Join(creators.Wait(), finishers.Wait()); err != nil {
			return err
		}
		b.add(figure{Name: "fake nodes, " + bare.name + ": pods created and finished", Unit: "/s", N: b.n.fakes,
			Aim: "a floor", Median: float64(b.n.fakes) / time.Since(began).Seconds()})
		return nil
	}
}

// finish writes the log of a pod that has ended, and removes the pod.
func (bare bareClient) finish(ctx context.Context, b *bench, c *cluster, name string) error {
	pods := c.client.CoreV1().Pods(c.namespace)
	if bare.log {
		if err := os.WriteFile(filepath.Join(b.dir, name+".log"), []byte("ended\n"), 0o600); err != nil {
			return err
		}
	}
	if len(bare.finalizers) > 0 {
		if _, err := pods.Patch(ctx, name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`),
			metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	return pods.Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
}

func fakePod(n int) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("fake-%d", n),
			Annotations: map[string]string{"dagwright.dev/fake-run": "1s", "dagwright.dev/fake-exit-code": "0"}},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, NodeSelector: map[string]string{"dagwright.dev/fake": "true"},
			Tolerations: []corev1.Toleration{{Key: "dagwright.dev/fake", Operator: corev1.TolerationOpExists}},
			Containers:  []corev1.Container{{Name: "base", Image: "localhost/busybox:1"}},
		},
	}
}

func fakesAtOnce(ctx context.Context, b *bench, c *cluster) error {
	before, err := c.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := c.startRuns(ctx, "fake", 0, b.n.fakes); err != nil {
		return err
	}
	if err := c.awaitEnded(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := c.cpu()
	if err != nil {
		return err
	}
	b.add(figure{Name: "fake nodes: pods created and finished", Unit: "/s", N: b.n.fakes,
		Aim: "≥ 70 % of finalizer, log and delete; ≥ 45 % of two writes", Median: float64(b.n.fakes) / took.Seconds()})
	b.add(figure{Name: "fake nodes: CPU of dagwright a pod task", Unit: "ms", N: b.n.fakes, Aim: "≤ 4",
		Median: ms(after-before) / float64(b.n.fakes)})
	return nil
}

// fakeChains measures from the moment in which a watch shows the end of a task's
// pod to the one in which it shows the next task's, beside the time that the API
// server needs for a creation.
func fakeChains(ctx context.Context, b *bench, c *cluster) error {
	watch, err := c.client.CoreV1().Pods(c.namespace).Watch(ctx, metav1.ListOptions{LabelSelector: "dag_id=fakechain"})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	ended, created := map[string]time.Time{}, map[string]time.Time{}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for event := range watch.ResultChan() {
			p, ok := event.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			mu.Lock()
			run, now := p.Labels["run_id"], time.Now()
			switch {
			case p.Labels["task_id"] == "t2" && created[run].IsZero():
				created[run] = now
			case p.Labels["task_id"] == "t1" && len(p.Status.ContainerStatuses) > 0 &&
				p.Status.ContainerStatuses[0].State.Terminated != nil && ended[run].IsZero():
				ended[run] = now
			}
			mu.Unlock()
		}
	}()
	for i := range b.n.pods {
		if err := c.startRun(ctx, "fakechain", i); err != nil {
			return err
		}
	}
	if err := c.awaitEnded(ctx); err != nil {
		return err
	}
	watch.Stop()
	<-watched
	var gaps, answers []float64
	for run, at := range ended {
		if next := created[run]; !next.IsZero() {
			gaps = append(gaps, ms(next.Sub(at)))
		}
	}
	zero := int64(0)
	for i := range b.n.pods {
		pod, began := fakePod(100_000+i), time.Now()
		if _, err := c.client.CoreV1().Pods(c.namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			return err
		}
		answers = append(answers, ms(time.Since(began)))
		if err := c.client.CoreV1().Pods(c.namespace).Delete(ctx, pod.Name,
			metav1.DeleteOptions{GracePeriodSeconds: &zero}); err != nil {
			return err
		}
	}
	b.stats("fake nodes: task's end seen → next pod seen", "p95 < 15 + answer", gaps)
	b.stats("fake nodes: the API server's answer to a creation", "", answers)
	return nil
}

// livePods measures dagwright's memory while many pods are alive.
func livePods(ctx context.Context, b *bench, c *cluster) error {
	if err := c.startRuns(ctx, "stays", 0, b.n.live); err != nil {
		return err
	}
	for running := 0; running < b.n.live; {
		pods, err := c.client.CoreV1().Pods(c.namespace).List(ctx, metav1.ListOptions{
			LabelSelector: "dag_id=stays", FieldSelector: "status.phase=Running", ResourceVersion: "0",
		})
		if err != nil {
			return err
		}
		running = len(pods.Items)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	mb, err := c.pss()
	if err != nil {
		return err
	}
	b.add(figure{Name: fmt.Sprintf("fake nodes: memory (PSS) at %d live pods", b.n.live), Unit: "MB", N: 1,
		Aim: "≤ 120 at 3000", Median: mb})
	return nil
}
