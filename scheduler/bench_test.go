package scheduler

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/macro"
)

// specOf is a spec as the generator writes it, with templates of which some are its own.
func specOf(i int) []byte {
	return fmt.Appendf(nil, `# Generated from gbc/team%02[2]d/model-%05[1]d at 3f2a9c1 (main).
model-%05[1]d:
  description: Nightly scoring of model-%05[1]d
  schedule: "0 6 * * *"
  start_date: "2026-01-01"
  timezone: Europe/Moscow
  catchup: false
  is_paused_upon_creation: true
  max_active_runs: 1
  tags: [scoring, model-%05[1]d]
  default_args: {owner: team%02[2]d, retries: 1, retry_delay: 300}
  params: {SCORING_DATE: ""}
  tasks:
    - task_id: run_model
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: registry.example.com/gbc/team%02[2]d/model-%05[1]d:3f2a9c1
      cmds: [python, main.py]
      env_vars:
        LOGICAL_DATE: "{{ ds }}"
        SCORING_DATE: "{{ dag_run.conf.get('SCORING_DATE', params.SCORING_DATE) }}"
        DAG_RUN_CONF: "{{ dag_run.conf | tojson }}"
        BUCKET: "{{ var.value.bucket }}/{{ ds_nodash }}/team%02[2]d"
        TABLE: "scores_%05[1]d_{{ ds_nodash }}"
      container_resources: {requests: {cpu: 500m, memory: 1Gi}, limits: {memory: 2Gi}}
      annotations: {dagwright/project: gbc/team%02[2]d/model-%05[1]d, dagwright/ref: main, dagwright/commit: 3f2a9c1}
`, i, i%50)
}

// BenchmarkParseSpecs reads 2,000 specs in turn without a look at their templates and with one,
// and tells the ratio of what the two take of the CPU, which is independent of the machine's
// load. It may be 1.3 at most.
func BenchmarkParseSpecs(b *testing.B) {
	const size, most = 2000, 1.3
	sources := make([][]byte, size)
	for i := range sources {
		sources[i] = specOf(i)
	}
	read := func(p dag.Parser) time.Duration {
		began := userTime(b)
		for i, source := range sources {
			if _, err := p.Parse(fmt.Sprintf("dags/model-%05d.yaml", i), source); err != nil {
				b.Fatal(err)
			}
		}
		return userTime(b) - began
	}
	var plain, checked time.Duration
	for b.Loop() {
		templates, variables := macro.New(), macro.New() // which know nothing, as after a start
		plain += read(dag.Parser{CheckSchedule: CheckSchedule})
		checked += read(dag.Parser{CheckSchedule: CheckSchedule, CheckTask: templates.Check,
			CheckDAG: func(d *dag.DAG) error {
				return variables.CheckVariables(d, func(*dag.DAG, string) (string, error) { return "", nil })
			}})
	}
	ratio := float64(checked) / float64(plain)
	b.ReportMetric(ratio, "×plain")
	if ratio > most {
		b.Errorf("specs with templates take %.2f times what they take without a look at these, of %.1f at most", ratio, most)
	}
}

// userTime is what the process has taken of the CPU outside of the kernel.
func userTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano())
}
