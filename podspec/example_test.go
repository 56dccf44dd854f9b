package podspec_test

import (
	"fmt"

	"dagwright/dag"
	"dagwright/podspec"
)

func ExampleConfig_Build() {
	c := podspec.Config{Instance: "prod", Namespace: "models"}
	pod, err := c.Build(podspec.Input{
		Key:  dag.AttemptKey{DAG: "churn-model", Run: "manual__2026-01-31T06:00:00+00:00", Task: "run_model", Try: 1},
		Task: dag.Task{Image: "registry.example.com/gbc/risk/churn-model:3f2a9c1", Cmds: []string{"python", "main.py"}},
		Env:  []dag.EnvVar{{Name: "SCORING_DATE", Value: "2026-01-31"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(pod.Namespace, pod.Name)
	fmt.Println(pod.Labels["run_id"])
	fmt.Println(pod.Spec.Containers[0].Env)
	// Output:
	// models churn-model-run-model-3ddb2721de
	// manual__2026-01-31T0600000000-1b50a6a54
	// [{SCORING_DATE 2026-01-31 nil}]
}

func ExampleConfig_Check() {
	c := podspec.Config{Instance: "prod", Namespace: "models", Policy: podspec.Policy{
		Registries: []string{"registry.example.com/gbc"},
	}}
	fmt.Println(c.Check(dag.Task{Image: "registry.evil/x", Pod: map[string]any{"hostnetwork": true}}))
	// Output:
	// image: image "registry.evil/x": not in the instance's registries registry.example.com/gbc
	// hostnetwork: Pod Security "restricted" forbids it: host namespaces (hostNetwork=true)
}
