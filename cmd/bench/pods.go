package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// cluster is a Kubernetes, a namespace of it, and a "dagwright serve" whose tasks
// are pods there. A bare client beside it shows what nobody can pass.
type cluster struct {
	*server
	client    kubernetes.Interface
	namespace string
}

const clusterVariable = "DAGWRIGHT_TEST_KUBECONFIG"

// withCluster calls steps one after the other with a cluster.
func (b *bench) withCluster(ctx context.Context, name string, steps ...func(context.Context, *bench, *cluster) error) (err error) {
	kubeconfig := os.Getenv(clusterVariable)
	if kubeconfig == "" {
		return fmt.Errorf("%s is not set; start a cluster with: export %s=\"$(make -s cluster-up)\"", clusterVariable, clusterVariable)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	c := &cluster{namespace: fmt.Sprintf("bench-%s-%d", name, os.Getpid())}
	if c.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if err := c.makeNamespace(ctx); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, c.deleteNamespace(context.WithoutCancel(ctx)))
	}()
	if c.server, err = b.serve(ctx, filepath.Join(b.dir, name), kubeconfig, c.namespace); err != nil {
		return err
	}
	for _, step := range steps {
		if err := step(ctx, b, c); err != nil {
			return errors.Join(err, c.stop())
		}
	}
	return c.stop()
}

func (c *cluster) makeNamespace(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.namespace}}
	if _, err := c.client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return err
	}
	for {
		// Without its service account, which a controller makes, pods are refused.
		if _, err := c.client.CoreV1().ServiceAccounts(c.namespace).Get(ctx, "default", metav1.GetOptions{}); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// deleteNamespace takes the finalizers off what dagwright has left running.
func (c *cluster) deleteNamespace(ctx context.Context) error {
	left, err := c.client.CoreV1().Pods(c.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(triggerers)
	for _, pod := range left.Items {
		g.Go(func() error {
			_, err := c.client.CoreV1().Pods(c.namespace).Patch(gctx, pod.Name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return err
		})
	}
	return errors.Join(g.Wait(), c.client.CoreV1().Namespaces().Delete(ctx, c.namespace, metav1.DeleteOptions{}))
}

// serve starts "dagwright serve" with the scheduler and the pages alone, on a DAG
// repository of its own.
func (b *bench) serve(ctx context.Context, home, kubeconfig, namespace string) (*server, error) {
	repository := filepath.Join(home, "airflow-dev.git")
	if err := git(ctx, ".", "init", "--quiet", "--bare", "--initial-branch=main", repository); err != nil {
		return nil, err
	}
	files := map[string]string{"secret": "bench", "dagwright.yml": strings.NewReplacer("HOME", home, "CONFIG", kubeconfig, "SPACE", namespace).Replace(`
listen: 127.0.0.1:0
auth: none
database: sqlite:HOME/dagwright.db
data: HOME
dag_repository: {url: HOME/airflow-dev.git, project: gbc/airflow-dev}
gitlab: {url: "http://127.0.0.1:9"}
webhook: {secret_files: [HOME/secret]}
models: {registry: localhost}
scheduler: {executor: kubernetes, poll: 1s, max_active_tasks: 5000}
kubernetes: {kubeconfig: CONFIG, namespace: SPACE, instance: SPACE, qps: 2000, burst: 4000, startup_timeout: 10m}
`)}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	specs := map[string]string{
		"one.yaml": podSpec("one", 1, ticking, ""), "chain.yaml": podSpec("chain", 2, ticking, ""),
		"lines.yaml": podSpec("lines", 1, `i=0; while [ $i -lt 40 ]; do echo "tick $i"; i=$((i+1)); sleep 0.1; done`, ""),
		"fake.yaml":  podSpec("fake", 1, "true", onFakeNode("1s")), "fakechain.yaml": podSpec("fakechain", 2, "true", onFakeNode("1s")),
		"stays.yaml": podSpec("stays", 1, "true", onFakeNode("1h")),
	}
	if err := pushSpecs(ctx, home+"-dags", repository, specs); err != nil {
		return nil, err
	}
	s, err := b.startServer(home, exec.Command(b.program, "serve", "--config", filepath.Join(home, "dagwright.yml"), "--run", "scheduler,ui", "--log-level", "warn"))
	if err != nil {
		return nil, err
	}
	return s, s.awaitDAGs(ctx, len(specs))
}

// ticking is a script that takes another time at each call, so that its end does
// not keep in step with the kubelet's looks.
const ticking = `echo begins; sleep 0.$(( (${AIRFLOW_CTX_DAG_RUN_ID#r} * 137) % 900 + 100 )); echo ends`

func onFakeNode(run string) string {
	return `
      get_logs: false
      log_events_on_startup: false
      annotations: {dagwright.dev/fake-run: "` + run + `", dagwright.dev/fake-exit-code: "0"}
      node_selector: {dagwright.dev/fake: "true"}
      tolerations: [{key: dagwright.dev/fake, operator: Exists}]`
}

// podSpec is a DAG with a chain of tasks that run a shell script.
func podSpec(id string, tasks int, script, more string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:\n  schedule: none\n  max_active_runs: 5000\n  max_active_tasks: 5000\n  tasks:\n", id)
	for i := range tasks {
		fmt.Fprintf(&b, `    - task_id: t%d
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: localhost/busybox:1
      cmds: [sh, -c]
      arguments: ['%s']
      container_resources: {requests: {cpu: 5m, memory: 8Mi}, limits: {memory: 32Mi}}%s
`, i+1, script, more)
		if i > 0 {
			fmt.Fprintf(&b, "      dependencies: [t%d]\n", i)
		}
	}
	return b.String()
}

// startRuns triggers runs, many at once.
func (c *cluster) startRuns(ctx context.Context, id string, first, n int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(triggerers)
	for i := range n {
		g.Go(func() error { return c.startRun(ctx, id, first+i) })
	}
	return g.Wait()
}

func (c *cluster) startRun(ctx context.Context, id string, n int) error {
	return c.call(ctx, http.MethodPost, "/dags/"+id+"/dagRuns", map[string]any{"dag_run_id": fmt.Sprintf("r%d", n), "logical_date": nil}, nil)
}

// outputOf returns when the lines of a task's output were written.
func (c *cluster) outputOf(ctx context.Context, id string, n int, task string) (times []time.Time, err error) {
	var log struct {
		Content []struct {
			Timestamp time.Time `json:"timestamp"`
			Logger    string    `json:"logger"`
		} `json:"content"`
	}
	path := fmt.Sprintf("/dags/%s/dagRuns/r%d/taskInstances/%s/logs/1?full_content=true", id, n, task)
	if err := c.call(ctx, http.MethodGet, path, nil, &log); err != nil {
		return nil, err
	}
	for _, line := range log.Content {
		if line.Logger != "dagwright" {
			times = append(times, line.Timestamp)
		}
	}
	if len(times) < 2 {
		return nil, fmt.Errorf("the log of %s has %d lines", path, len(times))
	}
	return times, nil
}

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
		if p, ok := event.Object.(*corev1.Pod); ok && len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].State.Terminated != nil {
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
	b.add(figure{Name: fmt.Sprintf("bare client: %d pods at once", b.n.burst), Unit: "/s", N: b.n.burst, Aim: "the floor", Median: float64(b.n.burst) / time.Since(began).Seconds()})
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
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/dags/lines/runs/r1/tasks/t1/log/stream?try=1&offset=0", nil)
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
	b.add(figure{Name: fmt.Sprintf("pod: %d one-task runs at once", b.n.burst), Unit: "/s", N: b.n.burst, Aim: "≥ 5", Median: float64(b.n.burst) / took.Seconds()})
	b.add(figure{Name: "pod: dagwright's CPU a task", Unit: "ms", N: b.n.burst, Aim: "≤ 10", Median: ms(after-before) / float64(b.n.burst)})
	b.add(figure{Name: "pod: dagwright's memory (PSS)", Unit: "MB", N: 1, Aim: "≤ 100", Median: mb})
	return nil
}

// fakePods measures pods of fake nodes: what the control plane takes, without
// containers.
func fakePods(ctx context.Context, b *bench) error {
	if out, err := exec.CommandContext(ctx, "test/cluster/cluster", "nodes", "10").CombinedOutput(); err != nil {
		return fmt.Errorf("make fake nodes: %w: %s", err, out)
	}
	return b.withCluster(ctx, "fake", bareFakes, fakesAtOnce, fakeChains, livePods)
}

// bareFakes creates pods with a bare client, and deletes each when it has ended,
// as dagwright does.
func bareFakes(ctx context.Context, b *bench, c *cluster) error {
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
				_, err := pods.Create(cctx, fakePod(i), metav1.CreateOptions{})
				return err
			})
		}
	}()
	deleters, dctx := errgroup.WithContext(ctx)
	deleters.SetLimit(triggerers)
	zero, ended := int64(0), map[string]bool{}
	for event := range watch.ResultChan() {
		p, ok := event.Object.(*corev1.Pod)
		if !ok || p.Status.Phase != corev1.PodSucceeded || ended[p.Name] {
			continue
		}
		ended[p.Name] = true
		deleters.Go(func() error { return pods.Delete(dctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: &zero}) })
		if len(ended) == b.n.fakes {
			break
		}
	}
	if err := errors.Join(creators.Wait(), deleters.Wait()); err != nil {
		return err
	}
	b.add(figure{Name: "fake nodes, bare client: pods created and finished", Unit: "/s", N: b.n.fakes, Aim: "the floor", Median: float64(b.n.fakes) / time.Since(began).Seconds()})
	return nil
}

func fakePod(n int) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("fake-%d", n), Annotations: map[string]string{"dagwright.dev/fake-run": "1s", "dagwright.dev/fake-exit-code": "0"}},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, NodeSelector: map[string]string{"dagwright.dev/fake": "true"},
			Tolerations: []corev1.Toleration{{Key: "dagwright.dev/fake", Operator: corev1.TolerationOpExists}},
			Containers:  []corev1.Container{{Name: "base", Image: "localhost/busybox:1"}},
		},
	}
}

func fakesAtOnce(ctx context.Context, b *bench, c *cluster) error {
	began := time.Now()
	if err := c.startRuns(ctx, "fake", 0, b.n.fakes); err != nil {
		return err
	}
	if err := c.awaitEnded(ctx); err != nil {
		return err
	}
	b.add(figure{Name: "fake nodes: pods created and finished", Unit: "/s", N: b.n.fakes, Aim: "≥ 90 % of the floor", Median: float64(b.n.fakes) / time.Since(began).Seconds()})
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
			case p.Labels["task_id"] == "t1" && len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].State.Terminated != nil && ended[run].IsZero():
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
		if err := c.client.CoreV1().Pods(c.namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &zero}); err != nil {
			return err
		}
	}
	b.stats("fake nodes: task's end seen → next pod seen", "p95 < 30 + answer", gaps)
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
	b.add(figure{Name: fmt.Sprintf("fake nodes: memory (PSS) at %d live pods", b.n.live), Unit: "MB", N: 1, Median: mb})
	return nil
}
