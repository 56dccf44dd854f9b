package podspec_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"dagwright/dag"
	"dagwright/podspec"
)

// TestSafeLabels holds Airflow's rule for the values of labels; the wanted values
// are those of its make_safe_label_value (cncf.kubernetes 10.25), except for a text
// of punctuation alone.
func TestSafeLabels(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a":           "a",
		"churn-model": "churn-model",
		"A.b_c-D":     "A.b_c-D",
		"manual__2026-11-23T19:23:13.982876+00:00": "manual__2026-11-23T192313.9828760000-97faa61fc",
		"scheduled__2026-01-31T03:00:00+00:00":     "scheduled__2026-01-31T0300000000-f449ff530",
		strings.Repeat("a", 63):                    strings.Repeat("a", 63),
		strings.Repeat("a", 64):                    strings.Repeat("a", 53) + "-014842d48",
		"-a-":                                      "a-9ad117707",
		"a b":                                      "ab-0cc9cd4dd",
		"mödel":                                    "mdel-29b373b30",
		"группа.task":                              "task-489bdcd17",
		"a-\n":                                     "a-b4072d313",
		strings.Repeat("x", 52) + "-" + strings.Repeat("y", 20): strings.Repeat("x", 52) + "--01e3ebc07",
		strings.Repeat("x", 60) + "...":                         strings.Repeat("x", 53) + "-893925405",
		"_":                                                     "b14a7b805", // Airflow: -b14a7b805
	} {
		pod, err := generous.Build(podspec.Input{
			Key: dag.AttemptKey{DAG: "d", Run: dag.RunID(text), Task: "t", Try: 1}, Task: dag.Task{Image: "busybox"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := pod.Labels["run_id"]; got != want || len(validation.IsValidLabelValue(got)) > 0 {
			t.Errorf("label of %q is %q, want %q", text, got, want)
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	key := dag.AttemptKey{DAG: "churn-model", Run: "r", Task: "group.run_model", Try: 1}
	metadata := func(name string) map[string]any { return map[string]any{"metadata": map[string]any{"name": name}} }
	for _, tt := range []struct {
		name string
		pod  map[string]any
		want string
	}{
		{"of DAG and task", nil, "churn-model-group-run-model"},
		{"its own", map[string]any{"name": "Score: Now!"}, "score-now"},
		{"of the template", map[string]any{"pod_template_dict": metadata("tmpl")}, "tmpl"},
		{"of the full pod", map[string]any{"pod_template_dict": metadata("tmpl"), "full_pod_spec": metadata("full")}, "full"},
		{"its own first", map[string]any{"name": "own", "full_pod_spec": metadata("full")}, "own"},
		{"no letter in it", map[string]any{"name": "***"}, "churn-model-group-run-model"},
		{"cut", map[string]any{"name": strings.Repeat("a", 51) + "-" + strings.Repeat("b", 40)}, strings.Repeat("a", 51)},
	} {
		got := podspec.Name(podspec.Input{Key: key, Task: dag.Task{Pod: tt.pod}})
		words, digits := got[:len(got)-11], got[len(got)-11:]
		if words != tt.want || !regexp.MustCompile(`^-[0-9a-f]{10}$`).MatchString(digits) {
			t.Errorf("%s: name %q, want %q and 10 digits", tt.name, got, tt.want)
		}
	}
	for n := 1; n <= 75; n++ {
		got := podspec.Name(podspec.Input{Key: key, Task: dag.Task{Pod: map[string]any{"name": strings.Repeat("a", n)}}})
		if want := min(n, 52) + 11; len(got) != want || len(validation.IsDNS1123Label(got)) > 0 {
			t.Errorf("a name of %d letters becomes %q, of %d; want %d", n, got, len(got), want)
		}
	}
	if got := podspec.Name(podspec.Input{Key: dag.AttemptKey{DAG: "_", Task: "_"}}); len(
		validation.IsDNS1123Label(got)) > 0 {
		t.Errorf("name %q without a word is not a label", got)
	}
}

// FuzzName holds that a name is valid, and that two keys never share one: here a
// key and each of those that are nearly it.
func FuzzName(f *testing.F) {
	f.Add("churn-model", "manual__2026-11-23T19:23:13+00:00", "run_model", 1, "")
	f.Add("_", "r", "..", 0, "---")
	f.Add(strings.Repeat("A", 250), "", strings.Repeat("é", 100), -1, strings.Repeat("a-", 100))
	f.Fuzz(func(t *testing.T, dagID, run, task string, try int, own string) {
		name := func(k dag.AttemptKey) string {
			return podspec.Name(podspec.Input{Key: k, Task: dag.Task{Pod: map[string]any{"name": own}}})
		}
		k := dag.AttemptKey{DAG: dag.ID(dagID), Run: dag.RunID(run), Task: dag.TaskID(task), Try: try}
		got := name(k)
		if len(validation.IsDNS1123Label(got)) > 0 || got != name(k) {
			t.Fatalf("name %q is not an RFC 1123 label, or not always the same", got)
		}
		for _, other := range []dag.AttemptKey{
			{DAG: k.DAG, Run: k.Run, Task: k.Task, Try: k.Try + 1},
			{DAG: k.DAG + "-", Run: k.Run, Task: k.Task, Try: k.Try},
			{DAG: k.DAG, Run: k.Run + "x", Task: k.Task, Try: k.Try},
			{DAG: k.DAG + "-" + dag.ID(k.Task), Run: k.Run, Task: "", Try: k.Try},
			{DAG: k.DAG, Run: dag.RunID(k.Task), Task: dag.TaskID(k.Run), Try: k.Try},
		} {
			if other != k && name(other) == got {
				t.Errorf("%+v and %+v share the name %q", k, other, got)
			}
		}
	})
}

// TestEnvironment holds which variables a container gets, and that it gets them
// as they are.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	own := task(t, `env_vars: {A: task, B: task, C: task}
secrets: [{deploy_type: env, deploy_target: SECRET, secret: s, key: k}, {deploy_type: env, deploy_target: CONF, secret: s, key: k}]
init_containers: [{name: i, image: busybox, env: [{name: A, value: init}]}]
pod_template_dict:
  spec:
    containers:
      - {name: base, env: [{name: A, value: template}, {name: T, value: "$(A) $$ 5$"}]}
      - {name: sidecar, image: busybox, env: [{name: B, value: own}, {name: RUN, value: own}]}
`)
	env := []dag.EnvVar{
		{Name: "A", Value: "task"}, {Name: "B", Value: "of the run"}, {Name: "C", Value: "task"},
		{Name: "RUN", Value: "$(A)$$(B)$$$"}, {Name: "CONF", Value: "5$ $x"},
	}
	pod, err := generous.Build(podspec.Input{Key: dag.AttemptKey{DAG: "d", Run: "r", Task: "t", Try: 1},
		Task: own, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "k",
	}}
	for container, want := range map[*corev1.Container][]corev1.EnvVar{
		&pod.Spec.Containers[0]: {
			{Name: "T", Value: "$(A) $$ 5$"}, {Name: "SECRET", ValueFrom: secret},
			{Name: "A", Value: "task"}, {Name: "B", Value: "of the run"}, {Name: "C", Value: "task"},
			{Name: "RUN", Value: "$$(A)$$$$(B)$$$$$$"}, {Name: "CONF", Value: "5$ $x"},
		},
		&pod.Spec.Containers[1]: {
			{Name: "B", Value: "of the run"}, {Name: "RUN", Value: "$$(A)$$$$(B)$$$$$$"}, {Name: "CONF", Value: "5$ $x"},
		},
		&pod.Spec.InitContainers[0]: {{Name: "A", Value: "init"}},
	} {
		if diff := cmp.Diff(want, container.Env); diff != "" {
			t.Errorf("environment of %s (-want +got):\n%s", container.Name, diff)
		}
	}
}

// TestGivenEnvironment refuses what rendering or a run's conf can bring in and no
// container can be given.
func TestGivenEnvironment(t *testing.T) {
	t.Parallel()
	_, err := generous.Build(podspec.Input{
		Key:  dag.AttemptKey{DAG: "d", Run: "r", Task: "t", Try: 1},
		Task: dag.Task{Image: "busybox", Cmds: []string{"sh", "-c", "echo \x00"}, Arguments: []string{"\x00"}},
		Env: []dag.EnvVar{{Name: "A=B", Value: "secret"}, {Name: "A", Value: "secret\x00"}, {Name: "ÄÖ", Value: ""},
			{Name: "FINE", Value: "\n"}},
	})
	want := `arguments: holds a NUL character
cmds: holds a NUL character
env_vars: "A=B" is not a name for an environment variable
env_vars: the value of variable "A" holds a NUL character
env_vars: "ÄÖ" is not a name for an environment variable`
	if diff := cmp.Diff(want, reasons(t, err)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// TestSource refuses a task that claims to be of another commit than its DAG.
func TestSource(t *testing.T) {
	t.Parallel()
	in := podspec.Input{
		Key:    dag.AttemptKey{DAG: "d", Run: "r", Task: "t", Try: 1},
		Task:   task(t, "annotations: {dagwright/project: gbc/m, dagwright/ref: main, dagwright/commit: abc}"),
		Source: dag.Source{Project: "gbc/m", Branch: "main", Commit: "abc"},
	}
	pod, err := generous.Build(in)
	if err != nil || pod.Annotations["dagwright/commit"] != "abc" {
		t.Fatalf("Build = %v, %v", pod, err)
	}
	in.Source.Commit = "def"
	_, err = generous.Build(in)
	want := `annotations.dagwright/commit: "abc" differs from the DAG's own "def"; all tasks of a DAG are of one commit`
	if diff := cmp.Diff(want, reasons(t, err)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}
