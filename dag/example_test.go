package dag_test

import (
	"fmt"

	"dagwright/dag"
)

func ExampleParse() {
	dags, err := dag.Parse("churn-model.yaml", []byte(`
churn-model:
  schedule: "0 6 * * *"
  timezone: Europe/Moscow
  tasks:
    - task_id: run_model
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: registry.example.com/churn-model:1
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	d := dags[0]
	fmt.Println(d.ID, d.Schedule.Expr, d.Schedule.Timezone, d.Tasks[0].ID, d.Tasks[0].RetryDelay)
	// Output: churn-model 0 6 * * * Europe/Moscow run_model 5m0s
}

func ExampleParse_faults() {
	_, err := dag.Parse("churn-model.yaml", []byte(`churn-model:
  scheduel: "@daily"
  tasks:
    - task_id: run_model
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: registry.example.com/churn-model:1
      dependencies: [load]
`))
	fmt.Println(err)
	// Output:
	// churn-model.yaml:2:3: churn-model.scheduel: unknown key "scheduel"; did you mean "schedule"?
	// churn-model.yaml:7:22: churn-model.tasks[0].dependencies[0]: there is no task or task group "load"
}

func ExampleDecide() {
	d := &dag.DAG{Tasks: []dag.Task{
		{ID: "train_model", TriggerRule: dag.AllSuccess},
		{ID: "evaluate_model", TriggerRule: dag.AllSuccess, Upstream: []dag.TaskID{"train_model"}},
	}}
	verdict, why := dag.Decide(d, "evaluate_model", map[dag.TaskID]dag.TaskState{"train_model": dag.TaskRunning})
	fmt.Println(verdict, "-", why)
	// Output: wait - waits for train_model (running)
}
