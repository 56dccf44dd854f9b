package pod_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/executor/pod"
	"dagwright/podspec"
	"dagwright/reason"
	"dagwright/tasklog"
	"dagwright/test/cluster/clustertest"
)

// patience is how long these tests wait for what must happen; only a fault uses
// it up.
const patience = 5 * time.Minute

// runner is an executor with its events gathered by attempt.
type runner struct {
	*home
	x *pod.Executor

	done    chan struct{}
	mu      sync.Mutex
	events  map[dag.AttemptKey][]dag.AttemptEvent
	changed chan struct{}
}

func start(t *testing.T, h *home) *runner {
	t.Helper()
	r := &runner{home: h, events: map[dag.AttemptKey][]dag.AttemptEvent{}, changed: make(chan struct{})}
	r.open(t)
	return r
}

func (r *runner) open(t *testing.T) {
	t.Helper()
	r.x, r.done = r.home.open(t), make(chan struct{})
	go func(x *pod.Executor, done chan struct{}) {
		defer close(done)
		for e := range x.Events() {
			r.mu.Lock()
			r.events[e.Key] = append(r.events[e.Key], e)
			close(r.changed)
			r.changed = make(chan struct{})
			r.mu.Unlock()
		}
	}(r.x, r.done)
	if _, err := r.x.List(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// restart closes the executor and opens another on the same cluster and logs.
func (r *runner) restart(t *testing.T) {
	t.Helper()
	if err := r.x.Close(); err != nil {
		t.Fatal(err)
	}
	<-r.done
	r.open(t)
}

func (r *runner) start(t *testing.T, a executor.Attempt) {
	t.Helper()
	if err := r.x.Start(t.Context(), a); err != nil {
		t.Fatalf("Start: %v", err)
	}
}

// await returns the first event of an attempt that is as wanted.
func (r *runner) await(t *testing.T, key dag.AttemptKey, wanted func(dag.AttemptEvent) bool) dag.AttemptEvent {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		r.mu.Lock()
		changed, events := r.changed, slices.Clone(r.events[key])
		r.mu.Unlock()
		if i := slices.IndexFunc(events, wanted); i >= 0 {
			return events[i]
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("it did not happen; the events of %s are %+v", key.Task, events)
		}
	}
}

func (r *runner) awaitEnd(t *testing.T, key dag.AttemptKey) dag.AttemptEvent {
	t.Helper()
	return r.await(t, key, func(e dag.AttemptEvent) bool { return e.Phase == dag.AttemptEnded })
}

func (r *runner) awaitStart(t *testing.T, key dag.AttemptKey) dag.AttemptEvent {
	t.Helper()
	return r.await(t, key, func(e dag.AttemptEvent) bool { return e.Phase == dag.AttemptStarted })
}

func (r *runner) awaitWaiting(t *testing.T, key dag.AttemptKey, reason string) dag.AttemptEvent {
	t.Helper()
	return r.await(t, key, func(e dag.AttemptEvent) bool {
		return e.Phase == dag.AttemptWaiting && strings.Contains(e.Reason.String(), reason)
	})
}

// awaitLine waits for a line of an attempt's output.
func (r *runner) awaitLine(t *testing.T, key dag.AttemptKey, line string) {
	t.Helper()
	r.awaitLineFrom(t, key, 0, line)
}

// awaitLineFrom waits for a line of what an attempt's log has from an offset on. It
// returns an offset from which on other lines may follow.
func (r *runner) awaitLineFrom(t *testing.T, key dag.AttemptKey, offset int64, line string) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := r.logs.Follow(ctx, key, offset, func(at int64, lines []byte) error {
		offset = at
		for text := range strings.Lines(string(lines)) {
			if l := tasklog.ParseLine([]byte(text)); !l.Own && l.Text == line {
				return errFound
			}
		}
		return nil
	})
	if !errors.Is(err, errFound) {
		t.Fatalf("no line %q in the log of %s: %v", line, key.Task, err)
	}
	return offset
}

var errFound = errors.New("found")

func task(name, script string) executor.Attempt {
	return executor.Attempt{
		Key:  dag.AttemptKey{DAG: "churn-model", Run: "manual__2026-01-31T03:00:00+00:00", Task: dag.TaskID(name), Try: 1},
		Task: dag.Task{ID: dag.TaskID(name), Image: busybox, Cmds: shell(script), Pod: map[string]any{}},
	}
}

// count is a script that writes n lines, one each half second, and ends with an
// exit code.
func count(n, code int) string {
	return fmt.Sprintf("i=0; while [ $i -lt %d ]; do echo line $i; i=$((i+1)); sleep 0.5; done; exit %d", n, code)
}

func counted(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

func (r *runner) wantLog(t *testing.T, key dag.AttemptKey, want string) {
	t.Helper()
	if text, sealed := r.output(t, key); text != want || !sealed {
		t.Errorf("the log of %s is %q, sealed %v, want %q; notes:\n%s", key.Task, text, sealed, want, r.notes(t, key))
	}
}

func wantEnd(t *testing.T, e dag.AttemptEvent, lost bool, reason string) {
	t.Helper()
	if e.Succeeded() || e.Lost != lost || e.Stopped || !strings.Contains(e.Reason.String(), reason) {
		t.Errorf("%s ended as %+v, want lost %v and a reason with %q", e.Key.Task, e, lost, reason)
	}
}

// podsOf lists the pods of the namespace that are of an attempt.
func (r *runner) podsOf(t *testing.T, key dag.AttemptKey) (pods []corev1.Pod) {
	t.Helper()
	list, err := r.Client.CoreV1().Pods(r.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list.Items {
		if k, _, ok := r.pods.Read(&p); ok && k == key {
			pods = append(pods, p)
		}
	}
	return pods
}

func TestWhyItDoesNotStart(t *testing.T) {
	t.Parallel()
	r := start(t, newHome(t, clustertest.Open(t)))

	big := task("big", "true")
	big.Task.Pod["container_resources"] = map[string]any{"requests": map[string]any{"cpu": "64"}}
	r.start(t, big)
	r.awaitWaiting(t, big.Key, "Insufficient cpu")
	if err := r.x.Stop(t.Context(), big.Key, time.Second); err != nil {
		t.Fatal(err)
	}
	if e := r.awaitEnd(t, big.Key); !e.Stopped {
		t.Errorf("a stopped pod without a node is reported as %+v", e)
	}

	late := task("late", "true")
	late.Task.Pod["container_resources"] = map[string]any{"requests": map[string]any{"cpu": "64"}}
	late.Task.Pod["schedule_timeout_seconds"] = 2
	r.start(t, late)
	wantEnd(t, r.awaitEnd(t, late.Key), false, "not scheduled within 2s: no node can take the pod: ")

	never := task("never", "true")
	never.Task.Image, never.Task.Pod["image_pull_policy"] = "localhost/absent:1", "Never"
	r.start(t, never)
	wantEnd(t, r.awaitEnd(t, never.Key), false, "the image is not on the node, and image_pull_policy is Never")

	away := task("away", "true")
	away.Task.Image = "localhost/absent:1" // nothing listens there
	r.start(t, away)
	r.awaitWaiting(t, away.Key, "the image cannot be pulled")
	away2 := r.podsOf(t, away.Key)
	if len(away2) != 1 {
		t.Errorf("an image behind a registry that is away is not waited for: %d pods", len(away2))
	}

	secret := task("secret", "echo $TOKEN")
	secret.Task.Pod["secrets"] = []any{map[string]any{"deploy_type": "env", "deploy_target": "TOKEN", "secret": "later",
		"key": "token"}}
	r.start(t, secret)
	r.awaitWaiting(t, secret.Key, `secret "later" not found`)
	created := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "later"}, StringData: map[string]string{"token": "here"}}
	if _, err := r.Client.CoreV1().Secrets(r.Namespace).Create(t.Context(), created, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if e := r.awaitEnd(t, secret.Key); !e.Succeeded() {
		t.Errorf("with its secret there it ended as %+v", e)
	}
	r.wantLog(t, secret.Key, "here\n")
}

func TestWhyItFailed(t *testing.T) {
	t.Parallel()
	r := start(t, newHome(t, clustertest.Open(t)))

	deadline := task("deadline", "echo begun; sleep 100")
	deadline.Task.Pod["active_deadline_seconds"] = 2
	message := task("message", "echo said; echo 'the date is bad' > /dev/termination-log; exit 3")
	// All to stderr: in what order a node writes what comes from two pipes is open.
	lines := task("lines", "exec >&2; echo one; echo two; echo three; echo; echo 'ValueError: bad date'; exit 4")
	init := task("init", "echo never")
	init.Task.Pod["init_containers"] = []any{map[string]any{
		"name": "fetch", "image": busybox, "command": []any{"sh", "-c", "echo fetching; exit 7"},
	}}
	init.Task.Pod["init_container_logs"] = true
	for _, a := range []executor.Attempt{deadline, message, lines, init} {
		r.start(t, a)
	}
	wantEnd(t, r.awaitEnd(t, deadline.Key), false, "ran longer than its active_deadline_seconds of 2")
	wantEnd(t, r.awaitEnd(t, message.Key), false, "exit code 3: the date is bad")
	wantEnd(t, r.awaitEnd(t, lines.Key), false, "exit code 4; the log ends: ")
	wantEnd(t, r.awaitEnd(t, lines.Key), false, "ValueError: bad date")
	wantEnd(t, r.awaitEnd(t, init.Key), false, "init container fetch: exit code 7")
	r.wantLog(t, init.Key, "fetching\n")
	if got, _ := r.lines(t, init.Key); !slices.ContainsFunc(got,
		func(l tasklog.Line) bool { return l.Container == "fetch" && l.Text == "fetching" }) {
		t.Errorf("the init container's line does not say whose it is: %+v", got)
	}
}

// TestOutOfMemory has the kernel kill a container. A busy node may hear of the container's end
// before it hears why, and then never says; another one is killed then.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	r := start(t, newHome(t, clustertest.Open(t)))
	const tries = 5
	for try := 1; ; try++ {
		oom := task(fmt.Sprint("oom-", try), "tail /dev/zero")
		oom.Task.Pod["container_resources"] = map[string]any{"limits": map[string]any{"memory": "32Mi"}}
		r.start(t, oom)
		e := r.awaitEnd(t, oom.Key)
		if try < tries && e.Reason.Code == reason.KilledByCode {
			continue
		}
		wantEnd(t, e, false, "out of memory: the container was killed at its limit of 32Mi")
		if notes := r.notes(t, oom.Key); !strings.Contains(notes, "Scheduled: ") ||
			!strings.Contains(notes, "out of memory") {
			t.Errorf("the log does not tell the pod's events and its end:\n%s", notes)
		}
		return
	}
}

// TestQuota fills a quota: the second pod waits, says why, and runs when the
// first has ended.
func TestQuota(t *testing.T) {
	t.Parallel()
	r := start(t, newHome(t, clustertest.Open(t)))
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "one"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}},
	}
	if _, err := r.Client.CoreV1().ResourceQuotas(r.Namespace).Create(t.Context(), quota,
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	first, second := task("first", "trap 'exit 0' TERM; while :; do sleep 0.1; done"), task("second", "echo ran")
	r.start(t, first)
	r.awaitStart(t, first.Key)
	r.awaitQuotaFull(t, "one")
	r.start(t, second)
	r.awaitWaiting(t, second.Key, "waits for quota: ")
	if err := r.x.Stop(t.Context(), first.Key, time.Minute); err != nil {
		t.Fatal(err)
	}
	if e := r.awaitEnd(t, second.Key); !e.Succeeded() {
		t.Errorf("the second ended as %+v", e)
	}
	r.wantLog(t, second.Key, "ran\n")
}

// awaitQuotaFull waits until Kubernetes has counted as many pods as a quota allows:
// the first pods after a quota was made are let in before it is known everywhere.
func (r *runner) awaitQuotaFull(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	changes, err := r.Client.CoreV1().ResourceQuotas(r.Namespace).Watch(ctx,
		metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		t.Fatal(err)
	}
	defer changes.Stop()
	for change := range changes.ResultChan() {
		if quota, ok := change.Object.(*corev1.ResourceQuota); ok {
			used, hard := quota.Status.Used[corev1.ResourcePods], quota.Spec.Hard[corev1.ResourcePods]
			if used.Cmp(hard) == 0 {
				return
			}
		}
	}
	t.Fatalf("the watch of quota %s ended before it was full", name)
}

// TestForcedDeletion deletes a running pod by hand, with and without force: its
// end is seen, and it is the infrastructure's fault.
func TestForcedDeletion(t *testing.T) {
	t.Parallel()
	r := start(t, newHome(t, clustertest.Open(t)))
	for name, grace := range map[string]int64{"gently": 1, "by-force": 0} {
		a := task(name, "trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done")
		r.start(t, a)
		r.awaitLine(t, a.Key, "ready")
		if err := r.Client.CoreV1().Pods(r.Namespace).Delete(t.Context(),
			podspec.Name(podspec.Input{Key: a.Key, Task: a.Task}),
			metav1.DeleteOptions{GracePeriodSeconds: &grace}); err != nil {
			t.Fatal(err)
		}
		wantEnd(t, r.awaitEnd(t, a.Key), true, "the pod was deleted from outside dagwright")
		r.wantLog(t, a.Key, "ready\n")
	}
	waiting := task("waiting", "true")
	waiting.Task.Pod["container_resources"] = map[string]any{"requests": map[string]any{"cpu": "64"}}
	r.start(t, waiting)
	r.awaitWaiting(t, waiting.Key, "Insufficient cpu")
	if err := r.Client.CoreV1().Pods(r.Namespace).Delete(t.Context(),
		podspec.Name(podspec.Input{Key: waiting.Key, Task: waiting.Task}), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, r.awaitEnd(t, waiting.Key), true, "the pod was deleted from outside dagwright")
}

// TestStranger finds a pod under the attempt's name that somebody else made.
func TestStranger(t *testing.T) {
	t.Parallel()
	r := start(t, newHome(t, clustertest.Open(t)))
	a := task("taken", "true")
	r.CreatePod(clustertest.ShellPod(podspec.Name(podspec.Input{Key: a.Key, Task: a.Task}), "sleep 60"))
	r.start(t, a)
	wantEnd(t, r.awaitEnd(t, a.Key), false, "exists, and dagwright did not create it")
	if err := r.x.Forget(t.Context(), a.Key); err != nil {
		t.Fatal(err)
	}
	if err := r.x.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Client.CoreV1().Pods(r.Namespace).Get(t.Context(),
		podspec.Name(podspec.Input{Key: a.Key, Task: a.Task}), metav1.GetOptions{}); err != nil {
		t.Errorf("the stranger's pod was touched: %v", err)
	}
}

// TestFinishAction wants pods deleted or kept as their tasks say, without our
// finalizer, and a kept one to be in nobody's way.
func TestFinishAction(t *testing.T) {
	t.Parallel()
	r := start(t, newHome(t, clustertest.Open(t)))
	tests := []struct {
		action string
		code   int
		kept   bool
	}{
		{"delete_pod", 1, false}, {"keep_pod", 0, true},
		{"delete_succeeded_pod", 0, false}, {"delete_succeeded_pod", 1, true}, {"delete_active_pod", 0, true},
	}
	var attempts []executor.Attempt
	for i, test := range tests {
		a := task(fmt.Sprint("finish-", i), fmt.Sprint("exit ", test.code))
		a.Task.Pod["on_finish_action"] = test.action
		attempts = append(attempts, a)
		r.start(t, a)
	}
	for _, a := range attempts {
		r.awaitEnd(t, a.Key)
		if err := r.x.Forget(t.Context(), a.Key); err != nil {
			t.Fatal(err)
		}
	}
	r.restart(t)
	for i, test := range tests {
		pods := r.podsOf(t, attempts[i].Key)
		if kept := len(pods) == 1 && pods[0].DeletionTimestamp == nil; kept != test.kept {
			t.Errorf("%s after exit code %d: %d pods, want kept %v", test.action, test.code, len(pods), test.kept)
			continue
		}
		if test.kept && (len(pods[0].Finalizers) > 0 || pods[0].Labels["already_checked"] != "True") {
			t.Errorf("a kept pod has the finalizers %v and labels %v", pods[0].Finalizers, pods[0].Labels)
		}
	}
	// The run is deleted and asked for again: what was kept makes way.
	again := attempts[1]
	if err := r.logs.Remove(again.Key.DAG, again.Key.Run); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	delete(r.events, again.Key)
	r.mu.Unlock()
	r.start(t, again)
	if e := r.awaitEnd(t, again.Key); !e.Succeeded() {
		t.Errorf("asked for again it ended as %+v", e)
	}
}

// TestKeepOnKill stops an attempt whose pod is to be kept.
func TestKeepOnKill(t *testing.T) {
	t.Parallel()
	r := start(t, newHome(t, clustertest.Open(t)))
	a := task("kept", "trap 'echo ended; exit 1' TERM; echo ready; while :; do sleep 0.1; done")
	a.Task.Pod["on_kill_action"] = "keep_pod"
	r.start(t, a)
	r.awaitLine(t, a.Key, "ready")
	if err := r.x.Stop(t.Context(), a.Key, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if e := r.awaitEnd(t, a.Key); !e.Stopped {
		t.Errorf("it ended as %+v", e)
	}
	r.wantLog(t, a.Key, "ready\nended\n")
	if err := r.x.Forget(t.Context(), a.Key); err != nil {
		t.Fatal(err)
	}
	r.restart(t)
	if pods := r.podsOf(t, a.Key); len(pods) != 1 || pods[0].DeletionTimestamp != nil || len(pods[0].Finalizers) > 0 {
		t.Errorf("the pod was not kept: %+v", pods)
	}
}

// TestSideContainer keeps the logs of two containers apart, and does not wait
// for the second.
func TestSideContainer(t *testing.T) {
	t.Parallel()
	r := start(t, newHome(t, clustertest.Open(t)))
	a := task("sides", "echo mine; sleep 1; echo done")
	a.Task.Pod["container_logs"] = true
	a.Task.Pod["pod_template_dict"] = map[string]any{"apiVersion": "v1", "kind": "Pod",
		"spec": map[string]any{"containers": []any{
			map[string]any{"name": "base", "image": busybox},
			map[string]any{"name": "side", "image": busybox, "command": []any{"sh", "-c", "echo theirs; sleep 600"}},
		}}}
	r.start(t, a)
	if e := r.awaitEnd(t, a.Key); !e.Succeeded() {
		t.Fatalf("it ended as %+v", e)
	}
	lines, _ := r.lines(t, a.Key)
	for _, want := range []struct{ container, text string }{{"", "mine"}, {"", "done"}, {"side", "theirs"}} {
		if !slices.ContainsFunc(lines,
			func(l tasklog.Line) bool { return !l.Own && l.Container == want.container && l.Text == want.text }) {
			t.Errorf("no line %q of container %q in %+v", want.text, want.container, lines)
		}
	}
}

// TestNoRights runs with a service account that may do nothing: the reason is shown,
// and when the right comes the pod runs.
func TestNoRights(t *testing.T) {
	t.Parallel()
	h := newHome(t, clustertest.Open(t))
	h.withAccount(t, "dagwright", "pods: get list watch delete patch", "pods/log: get")
	r := start(t, h)
	a := task("allowed", "echo ran")
	r.start(t, a)
	r.awaitWaiting(t, a.Key, "dagwright may not create the pod: ")
	h.allow(t, "dagwright", "pods: create")
	if e := r.awaitEnd(t, a.Key); !e.Succeeded() {
		t.Errorf("it ended as %+v", e)
	}
	r.wantLog(t, a.Key, "ran\n")
}
