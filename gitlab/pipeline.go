package gitlab

import (
	"context"
	"fmt"
	"slices"
	"strings"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// PipelineState says how far a commit's pipeline has come.
type PipelineState string

// The states of the stages that matter of a pipeline.
const (
	PipelineNone    PipelineState = "none" // there is no pipeline
	PipelineRunning PipelineState = "running"
	PipelinePassed  PipelineState = "passed"
	PipelineFailed  PipelineState = "failed"
)

// Pipeline is what happened to the stages that matter.
type Pipeline struct {
	State  PipelineState
	URL    string
	Detail string // the job that is waited for, or that failed
}

// StagesOf asks how far the newest pipeline of a branch's commit has come with
// the named stages, or, when none is named, as a whole. A stage passes when each
// of its jobs has succeeded, was skipped by its rules, waits for a person, or may
// fail. A pipeline without any job in the named stages counts as a whole.
func (c *Client) StagesOf(ctx context.Context, project, branch, commit string, stages []string) (Pipeline, error) {
	ctx, cancel, err := c.begin(ctx, project)
	if err != nil {
		return Pipeline{}, err
	}
	defer cancel()
	pipelines, _, err := c.api.Pipelines.ListProjectPipelines(project, &api.ListProjectPipelinesOptions{
		ListOptions: api.ListOptions{PerPage: 1}, SHA: &commit, Ref: &branch, OrderBy: new("id"), Sort: new("desc"),
	}, api.WithContext(ctx))
	if err != nil {
		return Pipeline{}, callError("list pipelines", project, err)
	}
	if len(pipelines) == 0 {
		return Pipeline{State: PipelineNone}, nil
	}
	newest := pipelines[0]
	whole := Pipeline{State: stateOf(newest.Status, false), URL: newest.WebURL,
		Detail: fmt.Sprintf("pipeline %d is %s", newest.ID, newest.Status)}
	if len(stages) == 0 || whole.State == PipelinePassed {
		return whole, nil
	}
	jobs, err := c.jobs(ctx, project, newest.ID)
	if err != nil {
		return Pipeline{}, err
	}
	return judge(whole, jobs, stages), nil
}

// jobs lists a pipeline's jobs, without those that were run again.
func (c *Client) jobs(ctx context.Context, project string, pipeline int64) ([]*api.Job, error) {
	options := &api.ListJobsOptions{ListOptions: api.ListOptions{PerPage: 100, Page: 1}}
	var all []*api.Job
	for options.Page != 0 {
		jobs, response, err := c.api.Jobs.ListPipelineJobs(project, pipeline, options, api.WithContext(ctx))
		if err != nil {
			return nil, callError("list jobs", project, err)
		}
		all = append(all, jobs...)
		options.Page = response.NextPage
	}
	return all, nil
}

// judge looks at the jobs of the stages that matter.
func judge(whole Pipeline, jobs []*api.Job, stages []string) Pipeline {
	out := Pipeline{State: PipelinePassed, URL: whole.URL}
	matter := 0
	for _, j := range jobs {
		// dagwright's own statuses are shown as jobs of the pipeline.
		if !slices.Contains(stages, j.Stage) || strings.HasPrefix(j.Name, "dagwright/") {
			continue
		}
		matter++
		state := stateOf(j.Status, j.AllowFailure)
		if state == PipelinePassed || out.State == PipelineFailed {
			continue
		}
		out.State, out.Detail = state, fmt.Sprintf("job %s of stage %s is %s", j.Name, j.Stage, j.Status)
	}
	if matter == 0 {
		return whole
	}
	return out
}

// stateOf sorts GitLab's states.
func stateOf(status string, mayFail bool) PipelineState {
	switch status {
	case "success", "skipped", "manual":
		return PipelinePassed
	case "failed", "canceled":
		if mayFail {
			return PipelinePassed
		}
		return PipelineFailed
	}
	return PipelineRunning
}
