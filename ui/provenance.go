package ui

import (
	"fmt"
	"strconv"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// provenancePart is where a DAG, or a run of it, is from: link by link, the model's
// commit first.
type provenancePart struct {
	Links []Fact
	Pods  []PodView // of a run
}

// PodView is the last link: one try of a task.
type PodView struct {
	store.ProvenanceTry
	State  StateView
	LogURL string
}

// provenancePart reads the chain of a run, or of the DAG's newest version when run
// is empty.
func (s *server) provenancePart(c echo.Context, h DAGHead, run dag.RunID) (part provenancePart, err error) {
	p, err := s.Store.Provenance(c.Request().Context(), h.ID, run)
	if err != nil {
		return part, fmt.Errorf("read provenance: %w", err)
	}
	add := func(name, value, href string) {
		if value != "" {
			part.Links = append(part.Links, Fact{name, value, href})
		}
	}
	add(say("Model commit"), joined(p.Source.Project, p.Source.Commit), s.commitURL(p.Source.Project, p.Source.Commit))
	if p.TemplateDigest != "" {
		add(say("Template"), p.Template+" "+shortCommit(p.TemplateDigest), "")
	}
	add(say("Promoted from"), joined(p.PromotedProject, p.PromotedCommit),
		s.commitURL(p.PromotedProject, p.PromotedCommit))
	if p.Spec != nil && p.Spec.Source == p.Source {
		add(say("Merge request"), p.Spec.MergeRequest, p.Spec.MergeRequest)
	}
	add(say("DAG repository commit"), joined(s.DAGProject, p.DAGCommit), s.commitURL(s.DAGProject, p.DAGCommit))
	add(say("DAG version"), strconv.Itoa(p.Version), dagURL(h.ID, "code?version="+strconv.Itoa(p.Version)))
	for _, t := range p.Tries {
		part.Pods = append(part.Pods, PodView{t, taskStateView(t.State), logURL(h.ID, run, t.Task, t.Try)})
	}
	return part, nil
}

// joined names a commit of a project, "" without a commit.
func joined(project, commit string) string {
	if commit == "" || project == "" {
		return shortCommit(commit)
	}
	return project + "@" + shortCommit(commit)
}
