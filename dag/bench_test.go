package dag_test

import (
	"testing"

	"dagwright/dag"
)

const generated = `# Generated from gbc/risk/churn-model at 3f2a9c1 (main).
churn-model:
  description: Nightly scoring of churn-model
  schedule: "0 6 * * *"
  start_date: "2026-01-01"
  timezone: Europe/Moscow
  catchup: false
  is_paused_upon_creation: true
  max_active_runs: 1
  tags: [scoring, churn-model]
  default_args: {owner: risk-team, retries: 1, retry_delay: 300}
  params: {SCORING_DATE: ""}
  tasks:
    - task_id: run_model
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: registry.example.com/gbc/risk/churn-model:3f2a9c1
      cmds: [python, main.py]
      env_vars:
        LOGICAL_DATE: "{{ ds }}"
        SCORING_DATE: "{{ dag_run.conf.get('SCORING_DATE', params.SCORING_DATE) }}"
        DAG_RUN_CONF: "{{ dag_run.conf | tojson }}"
      container_resources: {requests: {cpu: 500m, memory: 1Gi}, limits: {memory: 2Gi}}
      annotations: {dagwright/project: gbc/risk/churn-model, dagwright/ref: main, dagwright/commit: 3f2a9c1}
`

func BenchmarkParse(b *testing.B) {
	source := []byte(generated)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dag.Parse("churn-model.yaml", source); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	d, m := states("ssssr")
	d.Tasks[5].TriggerRule = dag.AllSuccess
	b.ReportAllocs()
	for b.Loop() {
		if v, _ := dag.Decide(d, "last", m); v != dag.Wait {
			b.Fatal(v)
		}
	}
}
