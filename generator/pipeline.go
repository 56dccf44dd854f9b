package generator

import (
	"context"
	"fmt"
	"time"

	"dagwright/gitlab"
	"dagwright/store"
)

// waitError says that a push waits for its pipeline or its image, or that the
// pipeline has failed.
type waitError struct {
	what   string // store.WaitsForPipeline or store.WaitsForImage
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
		return &waitError{what: store.WaitsForPipeline, failed: true,
			reason: fmt.Sprintf("the image was not built: %s; see %s", p.Detail, p.URL)}
	case gitlab.PipelineNone:
		return &waitError{what: store.WaitsForPipeline,
			reason: "waits for a pipeline of this commit, of which there is none yet"}
	}
	return &waitError{what: store.WaitsForPipeline, reason: "waits: " + p.Detail}
}

// pipelinePoll is how often a pipeline is asked for beside its events.
const pipelinePoll = 30 * time.Second

// awaitImages returns a waitError until the registry has every image. Images of
// other registries are not asked for. The rendered spec was held against the
// instance's policy before, so that nobody can have any address asked.
func (g *Generator) awaitImages(ctx context.Context, images []string) error {
	for _, image := range images {
		if !g.Registry.Knows(image) {
			continue
		}
		has, err := g.Registry.Has(ctx, image)
		if err != nil {
			return err
		}
		if !has {
			return &waitError{what: store.WaitsForImage,
				reason: fmt.Sprintf("waits for the image %s, which the registry does not have yet", image)}
		}
	}
	return nil
}

// waiting is the result of a push that waits. An event of the pipeline requeues it,
// and a refusal, too. The registry sends no events, and is asked
// more and more rarely: after 5 s, doubled with each try, a minute at most.
func (g *Generator) waiting(p store.Push, wait *waitError) store.PushResult {
	r := store.PushResult{ID: p.ID, State: store.PushPending, Reason: wait.reason, WaitsFor: wait.what}
	if wait.failed {
		r.State = store.PushRefused
		return r
	}
	pause := pipelinePoll
	if wait.what == store.WaitsForImage {
		pause = min(5*time.Second<<min(p.Tries, 10), time.Minute)
	}
	r.RetryAt = g.Now().Add(pause)
	return r
}
