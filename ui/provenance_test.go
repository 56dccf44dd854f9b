package ui

import (
	"net/http"
	"testing"

	"dagwright/dag"
	"dagwright/store"
)

// TestProvenanceIsShown follows a DAG and a run of it back to the model's commit.
func TestProvenanceIsShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := newDAG("churn-model", "run_model")
	d.Tasks[0].Pod = map[string]any{"annotations": map[string]any{
		dag.AnnotationTemplate: "default.yaml.tmpl@sha256:0123456789abcdef",
		dag.AnnotationPromoted: "gbc/airflow-dev@fedcba9876543210",
	}}
	s.save(d)
	r := s.run("churn-model", "one")
	s.start(r, dag.TaskInstance{Task: "run_model", State: dag.TaskRunning, Try: 1, MaxTries: 1, StartedAt: now,
		Hostname: "run-model-abc"})
	chain := []string{
		">Source<", "gbc/risk/churn model@3f2a9c1d", "default.yaml.tmpl 01234567", "gbc/airflow-dev@fedcba98",
		"https://gitlab.example.com/gbc/airflow-dev/-/commit/dag-repo-commit-1",
	}
	p := s.get(http.StatusOK, "/dags/churn-model/details")
	p.wants(t, chain...)
	p.lacks(t, "run-model-abc")
	s.get(http.StatusOK, runURL(r.DAG, r.ID)).wants(t,
		append(chain, "run-model-abc", "registry.example.com/churn:3f2a9c1")...)

	s.sync(store.Sync{Commit: "c",
		Changed: []store.SpecFile{{Path: "dags/hand.yaml", Blob: "h", Source: "hand: {}",
			DAGs: []*dag.DAG{{ID: "hand", Timezone: "UTC"}}}}})
	s.get(http.StatusOK, "/dags/hand/details").lacks(t, "Model commit", "Template", "Promoted from")
}
