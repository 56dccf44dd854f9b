package gitlab

import (
	"fmt"
	"io"

	"dagwright/dag"
)

// EventKind says what an event is about.
type EventKind string

// The kinds of event that dagwright acts on. Every other one is EventOther.
const (
	EventPush         EventKind = "push" // of a branch or tag
	EventPipeline     EventKind = "pipeline"
	EventMergeRequest EventKind = "merge_request"
	EventProject      EventKind = "project" // renamed, moved, changed, deleted
	EventOther        EventKind = "other"
)

// Event is what dagwright keeps of a hook's event. Only the field that Kind
// names is set.
type Event struct {
	Kind         EventKind
	Push         Push
	Pipeline     PipelineEvent
	MergeRequest MergeRequestEvent
	Project      ProjectEvent
}

// PipelineEvent says that a pipeline or one of its stages changed.
type PipelineEvent struct {
	ProjectID int64
	Project   string
	Ref       string // branch or tag
	Commit    string
	Status    string // GitLab's, such as running or success
}

// MergeRequestEvent says that a merge request changed.
type MergeRequestEvent struct {
	ProjectID int64 // of the project that the branch is to be merged into
	Project   string
	// SourceID is the project of the branch; another one in a fork.
	SourceID int64
	IID      int64
	Action   string // open, update, reopen, merge, close …
	Target   string // branch
	Commit   string // head of the source branch
}

// ProjectEvent says that a project has changed: system hooks for
// project_rename, project_transfer, project_update and project_destroy, and
// group hooks for the last.
type ProjectEvent struct {
	ID      int64
	Path    string
	Deleted bool
}

// ParseEvent reads any event from its JSON body, keeping little of it in
// memory. What is not acted on is EventOther, whatever it holds. The errors are
// those of ParsePush, but ErrOtherEvent.
func ParseEvent(r io.Reader) (Event, error) {
	e := event{json: newJSONReader(r)}
	c, err := e.json.peek()
	if err == nil && c != '{' {
		err = e.json.errorf("want an object")
	}
	if err == nil {
		err = e.json.object(e.field)
	}
	if err == nil {
		err = e.json.end()
	}
	if err != nil {
		return Event{}, fmt.Errorf("parse event: %w", err)
	}
	out, err := e.result()
	if err != nil {
		return Event{}, fmt.Errorf("parse %s event: %w", out.Kind, err)
	}
	return out, nil
}

// result makes the event of what was read.
func (e *event) result() (Event, error) {
	out := Event{Kind: e.kind()}
	switch out.Kind {
	case EventPush:
		err := e.finish()
		out.Push = e.push
		return out, err
	case EventPipeline:
		out.Pipeline = PipelineEvent{
			ProjectID: e.projectIDInside, Project: e.push.Project, Ref: e.object.ref, Commit: e.object.sha,
			Status: e.object.status,
		}
		return out, e.checkObject(out.Pipeline.Commit)
	case EventMergeRequest:
		out.MergeRequest = MergeRequestEvent{
			ProjectID: e.projectIDInside, Project: e.push.Project, SourceID: e.object.sourceID, IID: e.object.iid,
			Action: e.object.action, Target: e.object.target, Commit: e.object.lastCommit,
		}
		return out, e.checkObject(out.MergeRequest.Commit)
	case EventProject:
		out.Project = ProjectEvent{ID: e.push.ProjectID, Path: e.path, Deleted: e.eventName == "project_destroy"}
		if out.Project.ID <= 0 || checkProject(out.Project.Path) != nil {
			return out, fmt.Errorf("project_id or path_with_namespace is missing or wrong: %w", dag.ErrInvalid)
		}
	}
	return out, nil
}

// kind derives the kind from object_kind, or else from event_name.
func (e *event) kind() EventKind {
	name := e.objectKind
	if name == "" {
		name = e.eventName
	}
	switch name {
	case "push", "tag_push", "":
		return EventPush
	case "pipeline":
		return EventPipeline
	case "merge_request":
		return EventMergeRequest
	case "project_rename", "project_transfer", "project_update", "project_destroy":
		return EventProject
	}
	return EventOther
}

// checkObject checks what a pipeline or merge request must name.
func (e *event) checkObject(commit string) error {
	switch {
	case e.projectIDInside <= 0:
		return fmt.Errorf("project.id is missing or no positive number: %w", dag.ErrInvalid)
	case checkProject(e.push.Project) != nil:
		return fmt.Errorf("project.path_with_namespace: want group/project: %w", dag.ErrInvalid)
	case !isHash(commit):
		return fmt.Errorf("commit: want a hash, got %.80q: %w", commit, dag.ErrInvalid)
	}
	return nil
}

// objectAttributes is what is kept of object_attributes.
type objectAttributes struct {
	ref, sha, status           string // pipeline
	action, target, lastCommit string // merge request
	iid, sourceID              int64
}

func (e *event) objectField(key string) (err error) {
	o := &e.object
	switch key {
	case "ref":
		o.ref, _, err = e.json.text(maxName)
	case "sha":
		o.sha, _, err = e.json.text(maxName)
	case "status":
		o.status, _, err = e.json.text(maxName)
	case "action":
		o.action, _, err = e.json.text(maxName)
	case "target_branch":
		o.target, _, err = e.json.text(maxName)
	case "iid":
		o.iid, err = e.json.integer()
	case "source_project_id":
		o.sourceID, err = e.json.integer()
	case "last_commit":
		err = e.json.object(func(key string) (err error) {
			if key != "id" {
				return e.json.skip()
			}
			o.lastCommit, _, err = e.json.text(maxName)
			return err
		})
	default:
		err = e.json.skip()
	}
	return err
}
