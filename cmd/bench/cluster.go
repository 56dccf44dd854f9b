package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// errNoCluster leaves a measure out.
var errNoCluster = errors.New("no Kubernetes")

// withCluster calls steps one after the other with a cluster.
func (b *bench) withCluster(ctx context.Context, name string,
	steps ...func(context.Context, *bench, *cluster) error) (err error) {
	kubeconfig := os.Getenv(clusterVariable)
	if kubeconfig == "" {
		return fmt.Errorf("%w: start one with: export %s=\"$(make -s cluster-up)\"", errNoCluster, clusterVariable)
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
			_, err := c.client.CoreV1().Pods(c.namespace).Patch(gctx, pod.Name, types.MergePatchType,
				[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
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
	files := map[string]string{"secret": "bench",
		"dagwright.yml": strings.NewReplacer("HOME", home, "CONFIG", kubeconfig, "SPACE", namespace).Replace(`
listen: 127.0.0.1:0
auth: none
database: sqlite:HOME/dagwright.db
data: HOME
dag_repository: {url: HOME/airflow-dev.git, project: gbc/airflow-dev}
gitlab: {url: "http://127.0.0.1:9", groups: [gbc]}
webhook: {secret_files: [HOME/secret]}
models: {registry: localhost}
scheduler: {executor: kubernetes, poll: 1s, max_active_tasks: 5000}
kubernetes: {kubeconfig: CONFIG, namespace: SPACE, instance: SPACE, startup_timeout: 10m, policy: {annotations: ["dagwright.dev/*"]}}
`)}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	specs := map[string]string{
		"one.yaml": podSpec("one", 1, ticking, ""), "chain.yaml": podSpec("chain", 2, ticking, ""),
		"lines.yaml":     podSpec("lines", 1, `i=0; while [ $i -lt 40 ]; do echo "tick $i"; i=$((i+1)); sleep 0.1; done`, ""),
		"fake.yaml":      podSpec("fake", 1, "true", onFakeNode("1s")),
		"fakechain.yaml": podSpec("fakechain", 2, "true", onFakeNode("1s")),
		"stays.yaml":     podSpec("stays", 1, "true", onFakeNode("1h")),
	}
	if err := pushSpecs(ctx, home+"-dags", repository, specs); err != nil {
		return nil, err
	}
	s, err := b.startServer(home,
		exec.Command(b.program, "serve", "--config", filepath.Join(home, "dagwright.yml"), "--run", "scheduler,ui",
			"--log-level", "warn"))
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
	return c.call(ctx, http.MethodPost, "/dags/"+id+"/dagRuns",
		map[string]any{"dag_run_id": fmt.Sprintf("r%d", n), "logical_date": nil}, nil)
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
