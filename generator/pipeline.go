package generator

import (
	"context"
	"fmt"
	"time"

	"dagwright/gitlab"
	"dagwright/store"
)

// waitError says that a push waits for its pipeline, or that the pipeline has
// failed.
type waitError struct {
	failed bool
	reason string
}

func (e *waitError) Error() string { return e.reason }

// awaitPipeline returns a waitError until the stages of the commit's pipeline
// that build its image have passed, where the model or the instance asks for it.
func (g *Generator) awaitPipeline(ctx context.Context, r Request, m Model) error {
	if g.GitLab == nil || or(m.WaitFor, g.Instance.WaitFor) != WaitPipeline {
		return nil
	}
	stages := m.WaitStages
	if stages == nil {
		stages = g.Instance.WaitStages
	}
	p, err := g.GitLab.StagesOf(ctx, projectReference(r.ProjectID, r.Project), r.Branch, r.Commit, stages)
	if err != nil {
		return err
	}
	switch p.State {
	case gitlab.PipelinePassed:
		return nil
	case gitlab.PipelineFailed:
		return &waitError{failed: true, reason: fmt.Sprintf("the image was not built: %s; see %s", p.Detail, p.URL)}
	case gitlab.PipelineNone:
		return &waitError{reason: "waits for a pipeline of this commit, of which there is none yet"}
	}
	return &waitError{reason: "waits: " + p.Detail}
}

// pipelinePoll is how often a pipeline is asked for beside its events.
const pipelinePoll = 30 * time.Second

// waiting is the result of a push that waits. It is looked at again when an event
// tells of the pipeline; a refusal, too.
func (g *Generator) waiting(p store.Push, wait *waitError) store.PushResult {
	r := store.PushResult{ID: p.ID, State: store.PushPending, Reason: wait.reason, WaitsFor: store.WaitsForPipeline}
	if wait.failed {
		r.State = store.PushRefused
		return r
	}
	r.RetryAt = g.Now().Add(pipelinePoll)
	return r
}
