package podspec_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"dagwright/dag"
	"dagwright/macro"
	"dagwright/podspec"
)

var update = flag.Bool("update", false, "write the golden files again")

// generous is an instance that allows what the golden specs ask for.
var generous = podspec.Config{
	Instance: "dev", Namespace: "dagwright-dev", Grace: 20 * time.Second,
	Policy: opened(podspec.Policy{
		Namespaces: []string{"models"}, ServiceAccounts: []string{"default", "scorer"}, ServiceAccountToken: true,
	}),
}

// opened allows every name that a policy has left out of its closed lists.
func opened(p podspec.Policy) podspec.Policy {
	for _, list := range closedLists(&p) {
		if *list == nil {
			*list = []string{"*"}
		}
	}
	return p
}

// closedLists are the lists that allow nothing when they are left out.
func closedLists(p *podspec.Policy) map[string]*[]string {
	return map[string]*[]string{
		"priority_classes": &p.PriorityClasses, "runtime_classes": &p.RuntimeClasses, "schedulers": &p.Schedulers,
		"resource_claims": &p.ResourceClaims, "volume_claims": &p.VolumeClaims, "storage_classes": &p.StorageClasses,
		"csi_drivers": &p.CSIDrivers, "csi_attributes": &p.CSIAttributes, "node_profiles": &p.NodeProfiles,
		"labels": &p.Labels, "annotations": &p.Annotations,
	}
}

const runID = "manual__2026-11-23T19:23:13.982876+00:00"

// inputs parses a spec and renders its tasks for one try.
func inputs(tb testing.TB, file string, source []byte) []podspec.Input {
	tb.Helper()
	dags, err := dag.Parse(file, source)
	if err != nil {
		tb.Fatal(err)
	}
	var all []podspec.Input
	for _, d := range dags {
		for i := range d.Tasks {
			all = append(all, input(tb, d, &d.Tasks[i]))
		}
	}
	return all
}

func input(tb testing.TB, d *dag.DAG, t *dag.Task) podspec.Input {
	tb.Helper()
	run := dag.Run{DAG: d.ID, ID: runID, Conf: map[string]any{},
		LogicalDate: time.Date(2026, 11, 23, 19, 23, 13, 982876000, time.UTC)}
	rendered, err := macro.New().Render(tb.Context(), macro.Context{DAG: d, Run: run, Task: t, Try: 2, MaxTries: 3})
	if err != nil {
		tb.Fatal(err)
	}
	env := append(append([]dag.EnvVar(nil), rendered.Env...),
		dag.EnvVar{Name: "REGION", Value: "eu"}, // the run's conf
		dag.EnvVar{Name: "AIRFLOW_CTX_DAG_ID", Value: string(d.ID)})
	return podspec.Input{
		Key:  dag.AttemptKey{DAG: d.ID, Run: runID, Task: t.ID, Try: 2},
		Task: rendered, Env: env, Source: d.Source, Version: 7,
	}
}

// TestGolden holds whole pods.
func TestGolden(t *testing.T) {
	t.Parallel()
	specs, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(specs) == 0 {
		t.Fatalf("no specs in testdata: %v", err)
	}
	for _, file := range specs {
		if strings.HasSuffix(file, ".pod.yaml") {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			for _, in := range inputs(t, file, source) {
				pod, err := generous.Build(in)
				if err != nil {
					t.Fatal(err)
				}
				out.WriteString(podYAML(t, pod))
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".pod.yaml", out.String())
		})
	}
}

// podYAML writes a pod as people read it.
func podYAML(tb testing.TB, pod *corev1.Pod) string {
	tb.Helper()
	text, err := json.Marshal(pod)
	if err != nil {
		tb.Fatal(err)
	}
	var plain map[string]any
	if err := json.Unmarshal(text, &plain); err != nil {
		tb.Fatal(err)
	}
	delete(plain, "status")
	var out strings.Builder
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(plain); err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; write it again with -update):\n%s", file, diff)
	}
}

// TestRead finds on a pod what Build wrote, and nothing on other pods.
func TestRead(t *testing.T) {
	t.Parallel()
	build := func() *corev1.Pod {
		pod, err := generous.Build(podspec.Input{
			Key: dag.AttemptKey{DAG: "d", Run: runID, Task: "t", Try: 1},
			Task: dag.Task{Image: "busybox", Pod: map[string]any{
				"termination_grace_period": 5, "startup_timeout_seconds": float64(90), "on_kill_action": "keep_pod",
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return pod
	}
	key, options, ok := generous.Read(build())
	if want := (dag.AttemptKey{DAG: "d", Run: runID, Task: "t", Try: 1}); !ok || key != want {
		t.Errorf("Read gives %v %v, want %v", key, ok, want)
	}
	want := podspec.Options{
		OnFinish: "delete_pod", KeepOnKill: true, Base: "base", Logs: []string{"base"}, Events: true,
		ScheduleTimeout: 90 * time.Second, StartupTimeout: 90 * time.Second, ExplicitGrace: true,
	}
	if diff := cmp.Diff(want, options); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	selector, err := labels.Parse(generous.Selector())
	if err != nil || !selector.Matches(labels.Set(build().Labels)) || selector.Matches(labels.Set{"dagwright/instance": "dev"}) {
		t.Errorf("selector %q does not select our pods alone (%v)", generous.Selector(), err)
	}
	own := generous
	own.Database = "0123456789abcdef"
	for name, c := range map[string]struct {
		label      string
		ours, them bool
	}{
		"its own":      {"0123456789abcdef", true, false},
		"from earlier": {"", true, false},
		"foreign":      {"fedcba9876543210", false, true},
	} {
		pod := build()
		pod.Labels["dagwright/database"] = c.label
		if _, _, ok := own.Read(pod); ok != c.ours || own.Foreign(pod) != c.them {
			t.Errorf("a pod with the database label %s: ours %v, foreign %v", name, ok, own.Foreign(pod))
		}
	}
	for name, change := range map[string]func(*corev1.Pod){
		"of another instance": func(p *corev1.Pod) { p.Labels["dagwright/instance"] = "prod" },
		"of another manager":  func(p *corev1.Pod) { p.Labels["app.kubernetes.io/managed-by"] = "helm" },
		"no attempt":          func(p *corev1.Pod) { delete(p.Annotations, "dagwright/attempt") },
		"no options":          func(p *corev1.Pod) { delete(p.Annotations, "dagwright/options") },
		"another attempt":     func(p *corev1.Pod) { p.Annotations["dagwright/attempt"] = `{"dag":"d","run":"r","task":"t","try":2}` },
		"another name":        func(p *corev1.Pod) { p.Name = "d-t-0123456789" },
		"nothing at all":      func(p *corev1.Pod) { *p = corev1.Pod{} },
	} {
		pod := build()
		change(pod)
		if key, options, ok := generous.Read(pod); ok || key != (dag.AttemptKey{}) || !cmp.Equal(options, podspec.Options{}) {
			t.Errorf("a pod %s is read as ours: %v", name, key)
		}
	}
}

// TestBuildLeavesItsInputAlone builds twice: nothing of the first pod's memory
// may be in the task or in the second pod.
func TestBuildLeavesItsInputAlone(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("testdata/template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	in := inputs(t, "template.yaml", source)[0]
	before, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	first, err := generous.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	want := podYAML(t, first)
	first.Labels["who"], first.Spec.Containers[0].Command[0], first.Spec.NodeSelector["who"] = "x", "x", "x"
	second, err := generous.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, podYAML(t, second)); diff != "" {
		t.Errorf("second pod (-want +got):\n%s", diff)
	}
	if after, _ := json.Marshal(in); string(after) != string(before) {
		t.Errorf("the input has changed:\n%s\n%s", before, after)
	}
}

// TestStoredTask builds from a task that has been through JSON, as the store
// keeps it.
func TestStoredTask(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("testdata/operator.yaml")
	if err != nil {
		t.Fatal(err)
	}
	in := inputs(t, "operator.yaml", source)[0]
	want, err := generous.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(in.Task)
	if err != nil {
		t.Fatal(err)
	}
	in.Task = dag.Task{}
	if err := json.Unmarshal(text, &in.Task); err != nil {
		t.Fatal(err)
	}
	got, err := generous.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(podYAML(t, want), podYAML(t, got)); diff != "" {
		t.Errorf("pod of a stored task (-parsed +stored):\n%s", diff)
	}
}

// reasons lists what is wrong, a line each.
func reasons(tb testing.TB, err error) string {
	tb.Helper()
	if err == nil {
		return ""
	}
	if !errors.Is(err, dag.ErrInvalid) {
		tb.Errorf("error %v is not an ErrInvalid", err)
	}
	return err.Error()
}
