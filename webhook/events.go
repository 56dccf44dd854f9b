package webhook

import (
	"context"

	"dagwright/gitlab"
	"dagwright/store"
)

// wake requeues the pushes that wait for a pipeline. Any event of the pipeline
// will do: the generator then asks GitLab for its state.
func (r *Receiver) wake(ctx context.Context, p gitlab.PipelineEvent) answer {
	woken, err := r.Store.WakePushes(ctx, p.ProjectID, p.Commit)
	if err != nil {
		return broken(p.Project, err)
	}
	if woken == 0 {
		return ignore(p.Project, "no push waits for this pipeline")
	}
	return accept(p.Project)
}

// preview records a merge request whose branch may become a DAG. A fork's branch
// is not looked at: its files are not the project's yet.
func (r *Receiver) preview(ctx context.Context, m gitlab.MergeRequestEvent) answer {
	switch {
	case !r.Previews:
		return ignore(m.Project, "previews are switched off")
	case m.Project == r.DAGProject:
		return ignore(m.Project, "the DAG repository is not a model")
	case !r.takes(m.Project):
		return ignore(m.Project, notTaken)
	case !r.Branches.Has(m.Target):
		return ignore(m.Project, "it is to be merged into a branch without a DAG: "+r.Branches.Refuse(m.Target))
	case m.SourceID != m.ProjectID:
		return ignore(m.Project, "merge requests from forks get no preview")
	case m.Action != "open" && m.Action != "reopen" && m.Action != "update":
		return ignore(m.Project, "the merge request has no new commit")
	}
	err := r.Store.WantPreview(ctx, store.Preview{
		ProjectID: m.ProjectID, Project: m.Project, MergeRequest: m.IID, Target: m.Target, Commit: m.Commit,
	})
	if err != nil {
		return broken(m.Project, err)
	}
	return accept(m.Project)
}

// touch records that a model's project was renamed, moved, changed or deleted.
func (r *Receiver) touch(ctx context.Context, p gitlab.ProjectEvent) answer {
	known, err := r.Store.TouchProject(ctx, p.ID, p.Path, p.Deleted)
	if err != nil {
		return broken(p.Path, err)
	}
	if !known {
		return ignore(p.Path, "the project has no DAG")
	}
	return accept(p.Path)
}
