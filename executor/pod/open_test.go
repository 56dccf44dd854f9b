package pod

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/podspec"
)

// TestUnwatchedNamespace asks for a pod in a namespace that the policy allows by a pattern
// only: nobody would hear of its end.
func TestUnwatchedNamespace(t *testing.T) {
	t.Parallel()
	logs := openLogs(t)
	defer logs.Close()
	policy := podspec.Policy{Namespaces: []string{"team-*", "team-b"}}
	x, err := Open(Config{Client: (&apiServer{}).client(t), Logs: logs,
		Pods: podspec.Config{Namespace: "tasks", Instance: "test", Policy: policy}})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for namespace, fault := range map[string]string{"team-a": "namespace team-a is not watched", "team-b": ""} {
		key := dag.AttemptKey{DAG: "d", Run: "r", Task: dag.TaskID(namespace), Try: 1}
		err := x.Start(t.Context(), executor.Attempt{Key: key, Task: dag.Task{
			ID: key.Task, Image: "busybox", Pod: map[string]any{"namespace": namespace}}})
		switch {
		case fault == "" && err != nil:
			t.Errorf("%s: %v", namespace, err)
		case fault != "" && (!errors.Is(err, dag.ErrInvalid) || !strings.Contains(err.Error(), fault)):
			t.Errorf("%s: %v, want %s", namespace, err, fault)
		}
	}
}

// TestDialLimits wants requests to be bounded only where the configuration says so.
func TestDialLimits(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	err := os.WriteFile(file, []byte(`{"kind": "Config", "current-context": "c",
		"contexts": [{"name": "c", "context": {"cluster": "c"}}],
		"clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}]}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	client, err := Dial(Access{Kubeconfig: file})
	if err != nil {
		t.Fatal(err)
	}
	if limiter := client.GetRateLimiter(); limiter != nil {
		t.Errorf("without a bound there are %v requests a second", limiter.QPS())
	}
	if client, err = Dial(Access{Kubeconfig: file, QPS: 50, Burst: 100}); err != nil {
		t.Fatal(err)
	}
	if limiter := client.GetRateLimiter(); limiter == nil || limiter.QPS() != 50 {
		t.Errorf("the bound is %v, want 50 requests a second", limiter)
	}
}
