package pod_test

import (
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/client-go/rest"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/executor/executortest"
	"dagwright/executor/pod"
	"dagwright/podspec"
	"dagwright/tasklog"
	"dagwright/test/cluster/clustertest"
)

// maxLog is the most that a log of the conformance suite holds.
const maxLog = 1 << 20

const busybox = "localhost/busybox:1"

// A connection to the API server that a cancelled request still held when it was to
// be closed ends by itself later; its reader is client-go's.
func TestMain(m *testing.M) {
	clustertest.SideBySide(4)
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"))
}

func TestConformance(t *testing.T) {
	executortest.Run(t, func(t *testing.T) executortest.Harness {
		h := newHome(t, clustertest.Open(t))
		var err error
		h.logs, err = tasklog.Open(tasklog.Config{Dir: filepath.Join(t.TempDir(), "logs"), MaxBytesPerTry: maxLog})
		if err != nil {
			t.Fatal(err)
		}
		shared := t.TempDir()
		if err := os.Chmod(shared, 0o777); err != nil {
			t.Fatal(err)
		}
		// Pods see the shared folder under its own path, which the usual policy
		// does not allow.
		h.pods.Policy.PodSecurity = "privileged"
		return executortest.Harness{
			Executor: h.open(t),
			Reopen:   func(t *testing.T) executor.Executor { return h.open(t) },
			Log:      h.output,
			Notes:    h.notes,
			Shell:    shell,
			Shared:   shared,
			MaxLog:   maxLog,
			GivenEnv: []string{
				"PATH", "HOSTNAME", "KUBERNETES_PORT", "KUBERNETES_PORT_443_TCP", "KUBERNETES_PORT_443_TCP_ADDR",
				"KUBERNETES_PORT_443_TCP_PORT",
				"KUBERNETES_PORT_443_TCP_PROTO", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT",
				"KUBERNETES_SERVICE_PORT_HTTPS",
			},
			Prepare: func(a *executor.Attempt) { withShared(a, shared) },
		}
	})
}

// shell runs a script. In a pod's command Kubernetes takes "$$" for "$".
func shell(script string) []string {
	return []string{"sh", "-c", strings.ReplaceAll(script, "$$", "$$$$")}
}

// withShared gives an attempt an image and the shared folder. Its command is
// not the first process of its namespace, which the kernel protects from
// signals that have no handler.
func withShared(a *executor.Attempt, shared string) {
	a.Task.Image = busybox
	a.Task.Pod = map[string]any{
		"pod_template_dict": map[string]any{
			"apiVersion": "v1", "kind": "Pod", "spec": map[string]any{"shareProcessNamespace": true},
		},
		"volumes":       []any{map[string]any{"name": "shared", "hostPath": map[string]any{"path": shared}}},
		"volume_mounts": []any{map[string]any{"name": "shared", "mountPath": shared}},
	}
}

// home is a namespace and a log folder that outlive an executor.
type home struct {
	*clustertest.Cluster
	client rest.Interface // of the executor; an administrator's at first
	pods   podspec.Config
	logs   *tasklog.Dir
}

func newHome(t testing.TB, c *clustertest.Cluster) *home {
	t.Helper()
	logs, err := tasklog.Open(tasklog.Config{Dir: filepath.Join(t.TempDir(), "logs")})
	if err != nil {
		t.Fatal(err)
	}
	return &home{
		Cluster: c, client: c.Client.CoreV1().RESTClient(), logs: logs,
		pods: podspec.Config{Instance: c.Namespace, Namespace: c.Namespace, StartupTimeout: 5 * time.Minute,
			Grace: 30 * time.Second,
			// What the fake nodes go by.
			Policy: podspec.Policy{Annotations: []string{"dagwright.dev/*"}}},
	}
}

// open opens an executor that is closed, if it is not yet, when the test ends.
func (h *home) open(t testing.TB) *pod.Executor {
	t.Helper()
	x, err := pod.Open(pod.Config{
		Client: h.client, Pods: h.pods, Logs: h.logs,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return x
}

// lines returns the lines of an attempt's log and whether it is sealed.
func (h *home) lines(t testing.TB, key dag.AttemptKey) (lines []tasklog.Line, sealed bool) {
	t.Helper()
	info, err := h.logs.Stat(key)
	if err != nil {
		return nil, false
	}
	r, err := h.logs.ReadAt(key, 0, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		lines = append(lines, tasklog.ParseLine([]byte(line)))
	}
	return lines, info.Sealed
}

func (h *home) output(t *testing.T, key dag.AttemptKey) (text string, sealed bool) {
	t.Helper()
	lines, sealed := h.lines(t, key)
	for _, l := range lines {
		if !l.Own {
			text += l.Text + "\n"
		}
	}
	return text, sealed
}

func (h *home) notes(t *testing.T, key dag.AttemptKey) (text string) {
	t.Helper()
	lines, _ := h.lines(t, key)
	for _, l := range lines {
		if l.Own {
			text += l.Text + "\n"
		}
	}
	return text
}
