package api

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// provenanceAnswer is the chain that ends in a version of a DAG or, where a run is
// asked for, in the run's pods: the model's commit, the template, the commit of the
// DAG repository, the version. What a spec that was written by hand does not have is
// empty.
type provenanceAnswer struct {
	DAG            dag.ID `json:"dag_id"`
	Project        string `json:"project"`
	ProjectID      int64  `json:"project_id,omitempty"`
	Branch         string `json:"branch"`
	Commit         string `json:"commit"`
	Model          string `json:"model,omitempty"`
	ModelPath      string `json:"model_path,omitempty"`
	Template       string `json:"template"`
	TemplateDigest string `json:"template_digest"` // SHA-256
	// PromotedFrom is null for a version that was not promoted.
	PromotedFrom *promotedFrom `json:"promoted_from"`
	Path         string        `json:"path"`
	DAGCommit    string        `json:"dag_commit"`
	MergeRequest string        `json:"merge_request,omitempty"`
	UpdatedAt    time.Time     `json:"updated_at"`
	Version      int           `json:"version_number"`
	// Run is null when no run was asked for.
	Run *provenanceRun `json:"dag_run"`
}

// promotedFrom is the DAG repository that a version was promoted from.
type promotedFrom struct {
	Project string `json:"project"`
	Commit  string `json:"dag_commit"`
}

// provenanceRun is a run with its pods, one for each try.
type provenanceRun struct {
	ID    dag.RunID       `json:"dag_run_id"`
	State dag.RunState    `json:"state"`
	Pods  []provenancePod `json:"pods"`
}

// provenancePod is one try of one task. PodName is the machine's name where tasks
// are local processes.
type provenancePod struct {
	Task    dag.TaskID    `json:"task_id"`
	Try     int           `json:"try_number"`
	State   dag.TaskState `json:"state"`
	Image   string        `json:"image"`
	PodName string        `json:"pod_name"`
}

// getProvenance follows a DAG, or the run that dag_run_id names, back to where it is
// from.
func (s *server) getProvenance(c echo.Context) error {
	q := readQuery(c)
	run := dag.RunID(q.str("dag_run_id"))
	if err := q.err(); err != nil {
		return err
	}
	id := dagID(c)
	p, err := s.Store.Provenance(c.Request().Context(), id, run)
	if err != nil && run != "" {
		return missingRun(err, id, run)
	}
	if err != nil {
		return missingDAG(err, id)
	}
	return c.JSON(http.StatusOK, newProvenanceAnswer(p))
}

func newProvenanceAnswer(p store.Provenance) provenanceAnswer {
	a := provenanceAnswer{
		DAG: p.DAG, Project: p.Source.Project, Branch: p.Source.Branch, Commit: p.Source.Commit, Template: p.Template,
		TemplateDigest: p.TemplateDigest, Path: p.Path, DAGCommit: p.DAGCommit, UpdatedAt: p.SeenAt, Version: p.Version,
	}
	if p.Spec != nil {
		a.ProjectID, a.Model, a.ModelPath = p.Spec.ProjectID, p.Spec.Model, p.Spec.ModelPath
	}
	if p.Spec != nil && p.Spec.Source == p.Source {
		a.MergeRequest = p.Spec.MergeRequest
	}
	if p.PromotedCommit != "" {
		a.PromotedFrom = &promotedFrom{p.PromotedProject, p.PromotedCommit}
	}
	if p.Run == nil {
		return a
	}
	a.Run = &provenanceRun{ID: p.Run.ID, State: p.Run.State, Pods: []provenancePod{}}
	for _, t := range p.Tries {
		a.Run.Pods = append(a.Run.Pods,
			provenancePod{Task: t.Task, Try: t.Try, State: t.State, Image: t.Image, PodName: t.Host})
	}
	return a
}
