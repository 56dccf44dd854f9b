package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// realPods measures pods of the real node.
func realPods(ctx context.Context, b *bench) error {
	return b.withCluster(ctx, "real", barePods, podOneByOne, podChains, podLines, podsAtOnce)
}

// barePod is a pod as a bare client makes it: begun and ended are its lines' times.
type barePod struct{ asked, begun, ended, seen time.Time }

// runBare creates a pod and returns when a watch has shown its end.
func (c *cluster) runBare(ctx context.Context, n int) (barePod, error) {
	no, yes := false, true
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("bare-%d", n)},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &no,
			SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes},
			Containers: []corev1.Container{{
				Name: "base", Image: "localhost/busybox:1", Command: []string{"sh", "-c", ticking},
				Env: []corev1.EnvVar{{Name: "AIRFLOW_CTX_DAG_RUN_ID", Value: fmt.Sprintf("r%d", n)}},
			}},
		},
	}
	pods := c.client.CoreV1().Pods(c.namespace)
	watch, err := pods.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + pod.Name})
	if err != nil {
		return barePod{}, err
	}
	defer watch.Stop()
	out := barePod{asked: time.Now()}
	if _, err := pods.Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return out, err
	}
	for event := range watch.ResultChan() {
		if p, ok := event.Object.(*corev1.Pod); ok && len(p.Status.ContainerStatuses) > 0 &&
			p.Status.ContainerStatuses[0].State.Terminated != nil {
			out.seen = time.Now()
			break
		}
	}
	text, err := pods.GetLogs(pod.Name, &corev1.PodLogOptions{Timestamps: true}).DoRaw(ctx)
	if err != nil {
		return out, err
	}
	for line := range strings.Lines(string(text)) {
		word, _, _ := strings.Cut(line, " ")
		at, err := time.Parse(time.RFC3339Nano, word)
		if err != nil {
			return out, err
		}
		if out.begun.IsZero() {
			out.begun = at
		}
		out.ended = at
	}
	zero := int64(0)
	return out, pods.Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &zero})
}

func barePods(ctx context.Context, b *bench, c *cluster) error {
	var starts, ends, gaps []float64
	var before barePod
	for i := range b.n.pods {
		p, err := c.runBare(ctx, i)
		if err != nil {
			return err
		}
		starts, ends = append(starts, ms(p.begun.Sub(p.asked))), append(ends, ms(p.seen.Sub(p.ended)))
		if i%2 == 1 { // created as soon as the end of the one before was seen
			gaps = append(gaps, ms(p.begun.Sub(before.ended)))
		}
		before = p
	}
	b.stats("bare client: created → container started", "the floor", starts)
	b.stats("bare client: container's end → seen", "the floor", ends)
	b.stats("bare client: container's end → next one started", "the floor", gaps)
	began := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	for i := range b.n.burst {
		g.Go(func() error { _, err := c.runBare(gctx, 1000+i); return err })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	b.add(figure{Name: fmt.Sprintf("bare client: %d pods at once", b.n.burst), Unit: "/s", N: b.n.burst, Aim: "the floor",
		Median: float64(b.n.burst) / time.Since(began).Seconds()})
	return nil
}

// awaitRun waits for the end of a run and returns when it was seen.
func (c *cluster) awaitRun(ctx context.Context, id string, n int) (time.Time, error) {
	err := c.until(ctx, func() (bool, error) {
		var run struct{ State string }
		err := c.call(ctx, http.MethodGet, fmt.Sprintf("/dags/%s/dagRuns/r%d", id, n), nil, &run)
		if run.State == "failed" {
			return false, fmt.Errorf("run r%d of %s failed", n, id)
		}
		return run.State == "success", err
	})
	return time.Now(), err
}

func podOneByOne(ctx context.Context, b *bench, c *cluster) error {
	var starts, ends []float64
	for i := range b.n.pods {
		asked := time.Now()
		if err := c.startRun(ctx, "one", i); err != nil {
			return err
		}
		seen, err := c.awaitRun(ctx, "one", i)
		if err != nil {
			return err
		}
		lines, err := c.outputOf(ctx, "one", i, "t1")
		if err != nil {
			return err
		}
		starts, ends = append(starts, ms(lines[0].Sub(asked))), append(ends, ms(seen.Sub(lines[len(lines)-1])))
	}
	b.stats("pod: trigger → container started", "≤ 500", starts)
	b.stats("pod: container's end → run marked success", "floor + 50", ends)
	return nil
}

func podChains(ctx context.Context, b *bench, c *cluster) error {
	var gaps []float64
	for i := range b.n.pods / 2 {
		if err := c.startRun(ctx, "chain", i); err != nil {
			return err
		}
		if _, err := c.awaitRun(ctx, "chain", i); err != nil {
			return err
		}
		first, err1 := c.outputOf(ctx, "chain", i, "t1")
		second, err2 := c.outputOf(ctx, "chain", i, "t2")
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		gaps = append(gaps, ms(second[0].Sub(first[len(first)-1])))
	}
	b.stats("pod: container's end → next one started", "floor + 100", gaps)
	return nil
}

// podLines measures from a line's writing to its coming over SSE.
func podLines(ctx context.Context, b *bench, c *cluster) error {
	if err := c.startRun(ctx, "lines", 1); err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet,
		c.url+"/dags/lines/runs/r1/tasks/t1/log/stream?try=1&offset=0", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var seen []time.Time
	for lines := bufio.NewReader(response.Body); ; {
		line, err := lines.ReadString('\n')
		for range strings.Count(line, "tick ") {
			seen = append(seen, time.Now())
		}
		if errors.Is(err, io.EOF) || len(seen) == 40 {
			break
		}
		if err != nil {
			return err
		}
	}
	if _, err := c.awaitRun(ctx, "lines", 1); err != nil {
		return err
	}
	written, err := c.outputOf(ctx, "lines", 1, "t1")
	if err != nil {
		return err
	}
	var late []float64
	for i := range min(len(written), len(seen)) {
		late = append(late, ms(seen[i].Sub(written[i])))
	}
	if len(late) < 40 {
		return fmt.Errorf("%d of 40 lines came over SSE", len(late))
	}
	b.stats("pod: first line written → seen over SSE", "≤ 300", late[:1])
	// Lines that were written before the stream could begin count as the first.
	b.stats("pod: line written → seen over SSE", "p95 ≤ 300", late[10:])
	return nil
}

// podsAtOnce triggers a burst of runs and measures what it costs.
func podsAtOnce(ctx context.Context, b *bench, c *cluster) error {
	before, err := c.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := c.startRuns(ctx, "one", 1000, b.n.burst); err != nil {
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
	mb, err := c.pss()
	if err != nil {
		return err
	}
	b.add(figure{Name: fmt.Sprintf("pod: %d one-task runs at once", b.n.burst), Unit: "/s", N: b.n.burst, Aim: "≥ 5",
		Median: float64(b.n.burst) / took.Seconds()})
	b.add(figure{Name: "pod: dagwright's CPU a task", Unit: "ms", N: b.n.burst, Aim: "≤ 10",
		Median: ms(after-before) / float64(b.n.burst)})
	b.add(figure{Name: "pod: dagwright's memory (PSS)", Unit: "MB", N: 1, Aim: "≤ 100", Median: mb})
	return nil
}
