package review_test

import (
	"strings"
	"testing"

	"dagwright/review"
)

// TestWordsOfATask has a row for each thing of a task that may change.
func TestWordsOfATask(t *testing.T) {
	t.Parallel()
	const operator = "airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator"
	spec := func(fields string) string {
		return "d:\n  tasks:\n    - {task_id: a, operator: " + operator + ", image: i}\n    - {task_id: t, operator: " +
			operator + ", image: i" + fields + "}\n"
	}
	before := review.Load("dags/d.yaml", "", spec(""))
	base := review.Load("dags/d.yaml", spec(""), spec("")).Plain(now)
	if before.Plain(now) == base {
		t.Error("a new DAG reads as an unchanged one")
	}
	for fields, want := range map[string]string{
		", env_vars: {A: b}":            "The environment variables of the task t change.",
		", retries: 1":                  "The number of retries of the task t changes from 0 to 1.",
		", cmds: [x]":                   "The command of the task t",
		", arguments: [x]":              "The command of the task t",
		", dependencies: [a]":           "What the task t waits for changes.",
		", labels: {a: b}":              "Of the pod of the task t changes: labels.",
		", annotations: {a: b}":         "",
		", labels: {a: b}, hostname: x": "Of the pod of the task t changes: hostname, labels.",
	} {
		for way, c := range map[string]review.Change{
			"there":     review.Load("dags/d.yaml", spec(""), spec(fields)),
			"away":      review.Load("dags/d.yaml", spec(fields), spec("")),
			"unchanged": review.Load("dags/d.yaml", spec(fields), spec(fields)),
		} {
			got, wanted := strings.ReplaceAll(c.Plain(now), "`", ""), want
			if way == "away" {
				wanted = strings.ReplaceAll(want, "from 0 to 1", "from 1 to 0")
			}
			if way == "unchanged" {
				wanted = ""
			}
			if n := strings.Count(got, "of the task t") + strings.Count(got, "the task t waits"); wanted == "" && n > 0 ||
				wanted != "" && (n != 1 || !strings.Contains(got, wanted)) {
				t.Errorf("%s %s: %q in\n%s", fields, way, wanted, got)
			}
		}
	}
}
