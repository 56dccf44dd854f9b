package dag_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
)

const faultySpec = `d:
  default_args:
    volumes:
      - {name: shared, hostPath: {path: /}}
  task_groups:
    - {group_name: g, default_args: {namespace: other}}
  tasks:
    - task_id: a
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: busybox
      labels: {example.com/team: risk}
      volume_mounts:
        - {__type__: kubernetes.client.models.V1VolumeMount, name: shared, mount_path: /x}
      task_group_name: g
      env_vars:
        - {name: A, value: b}
        - {name: B, value_from: {secret_key_ref: {name: s, key: k}}}
      pod_template_dict:
        spec:
          containers:
            - name: base
              imagee: busybox
`

// TestCheckTaskFaults gives each fault that a hook finds the place of the value
// that it is about.
func TestCheckTaskFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"none", nil, ""},
		{"argument", &dag.SpecError{Path: "image", Reason: "why"}, "f.yaml:10:14: d.tasks[0].image: why"},
		{"deep in a plain mapping", &dag.SpecError{Path: "pod_template_dict.spec.containers[0].imagee", Reason: "why"},
			"f.yaml:22:23: d.tasks[0].pod_template_dict.spec.containers[0].imagee: why"},
		{"of an object of the client", &dag.SpecError{Path: "volume_mounts[0].mountPath", Reason: "why"},
			"f.yaml:13:88: d.tasks[0].volume_mounts[0].mountPath: why"},
		{"deeper than the file",
			&dag.SpecError{Path: "pod_template_dict.spec.containers[0].securityContext.privileged", Reason: "why"},
			"f.yaml:21:15: d.tasks[0].pod_template_dict.spec.containers[0].securityContext.privileged: why"},
		{"an element by its name", &dag.SpecError{Path: "env_vars.B", Reason: "why"},
			"f.yaml:17:11: d.tasks[0].env_vars.B: why"},
		{"a key with dots", &dag.SpecError{Path: "labels.example.com/team", Reason: "why"},
			"f.yaml:11:15: d.tasks[0].labels.example.com/team: why"},
		{"inherited from the DAG", &dag.SpecError{Path: "volumes[0].hostPath", Reason: "why"},
			"f.yaml:4:34: d.default_args.volumes[0].hostPath: why"},
		{"inherited from a group", &dag.SpecError{Path: "namespace", Reason: "why"},
			"f.yaml:6:49: d.task_groups[0].default_args.namespace: why"},
		{"nowhere in the file", &dag.SpecError{Path: "service_account_name", Reason: "why"},
			"f.yaml:8:7: d.tasks[0].service_account_name: why"},
		{"without a path", &dag.SpecError{Reason: "why"}, "f.yaml:8:7: d.tasks[0]: why"},
		{"several", dag.SpecErrors{{Path: "namespace", Reason: "one"}, {Path: "image", Reason: "two"}},
			"f.yaml:6:49: d.task_groups[0].default_args.namespace: one\nf.yaml:10:14: d.tasks[0].image: two"},
		{"of another type", errors.New("why"), "f.yaml:8:7: d.tasks[0]: why"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := dag.Parser{CheckTask: func(dag.Task) error { return tt.err }}
			_, err := p.Parse("f.yaml", []byte(faultySpec))
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCheckTaskSeesGoodTasks asks the hook about each task once. Of one that could not be
// read whole, what the hook says of other arguments counts, and nothing else.
func TestCheckTaskSeesGoodTasks(t *testing.T) {
	t.Parallel()
	var asked []dag.Task
	p := dag.Parser{CheckTask: func(t dag.Task) error {
		asked = append(asked, t)
		return nil
	}}
	if _, err := p.Parse("f.yaml", []byte(faultySpec)); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 || asked[0].ID != "g.a" || asked[0].Image != "busybox" || asked[0].Pod["namespace"] != "other" {
		t.Errorf("the hook was asked about %+v, want the whole task once", asked)
	}
	p.CheckTask = func(dag.Task) error {
		return dag.SpecErrors{{Path: "image", Reason: "wrong image"}, {Path: "retries", Reason: "wrong too"},
			{Path: "cmds", Reason: "missing"}, {Reason: "wrong in all"}}
	}
	_, err := p.Parse("f.yaml", []byte(faultySpec+"      retries: x\n"))
	if err == nil || !strings.Contains(err.Error(), "wrong image") || strings.Contains(err.Error(), "wrong too") ||
		strings.Contains(err.Error(), "missing") || strings.Contains(err.Error(), "in all") ||
		!strings.Contains(err.Error(), "must be a whole number") {
		t.Errorf("a task that cannot be read whole: %v", err)
	}
}

// TestCheckDAGFaults gives each fault that a hook finds in a DAG as a whole the place of
// the value that it is about, in the file in which that stands.
func TestCheckDAGFaults(t *testing.T) {
	t.Parallel()
	const spec = `churn:
  tags: [scoring, night]
  default_args: {owner: risk}
  tasks:
    - {task_id: a, operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator, image: "x:1", owner: ops}
    - {task_id: b, operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator, image: "x:1"}
`
	for _, tt := range []struct{ path, want string }{
		{"tags[1]", "dags/a.yaml:2:19: churn.tags[1]: is closed"},
		{"tasks[0].owner", "dags/a.yaml:5:122: churn.tasks[0].owner: is closed"},
		{"tasks[1].owner", "dags/a.yaml:3:25: churn.default_args.owner: is closed"},
		{"description", "dags/a.yaml:2:3: churn.description: is closed"},
		{"", "dags/a.yaml:2:3: churn: is closed"},
	} {
		p := dag.Parser{CheckDAG: func(*dag.DAG) error { return &dag.SpecError{Path: tt.path, Reason: "is closed"} }}
		if _, err := p.Parse("dags/a.yaml", []byte(spec)); err == nil || err.Error() != tt.want {
			t.Errorf("%q: %v, want %s", tt.path, err, tt.want)
		}
	}
}
