// Package dag is the vocabulary of dagwright and its pure rules: what a DAG, a
// task, a run and a task instance are, which states they pass through, how a
// spec file is read, and which tasks may start next.
//
// It imports nothing of this module, does no input or output, and reads no
// clock, so every other package can speak its words. The words are Airflow's:
// https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/.
//
// A run and its task instances pass through these states:
//
//	run:   queued ──► running ──► success | failed
//
//	task:  none ──► queued ──► running ──► success | failed | skipped
//	         │        ▲           │
//	         │        └── up_for_retry
//	         └──► skipped | upstream_failed
//
// [Parse] is the only way in for a spec: what it returns has been validated.
package dag
