package gitlab

import (
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"

	"dagwright/dag"
)

// PushKind says what a push did to its ref.
type PushKind string

// The kinds of push. Whether history was rewritten cannot be known from an
// event; ancestry decides.
const (
	PushCreated PushKind = "created"
	PushUpdated PushKind = "pushed"
	PushDeleted PushKind = "deleted"
)

// Push is what dagwright keeps of a push event, see
// https://docs.gitlab.com/user/project/integrations/webhook_events/#push-events.
// The zero value of an optional field means that the event did not say.
type Push struct {
	ProjectID int64
	Project   string // path_with_namespace
	Ref       string // refs/heads/main, refs/tags/v1
	Branch    string // Ref without refs/heads/; "" for a tag
	Before    string // commit
	After     string // commit, or tag object; zeros when the ref was deleted
	Kind      PushKind

	UserName, UserUsername string
	// Message and Title are those of the head commit, cut at 64 KiB and 1 KiB.
	Message, Title string
	// Commits is the number of commits pushed; the event lists at most 20.
	Commits int64
	// SkipCI is set when the head commit's message has [skip ci] or [ci skip],
	// or the push was made with -o ci.skip. GitLab sends the event all the same.
	SkipCI bool

	GitHTTPURL, WebURL string
}

// ErrOtherEvent says that an event is not a push of a branch or tag.
var ErrOtherEvent = errors.New("not a push event")

const (
	maxName    = 1 << 10
	maxMessage = 64 << 10
)

// ParsePush reads a push event from its JSON body, keeping little of it in
// memory. Fields may be missing, null or unknown, except for project_id, ref and
// after. The error is dag.ErrInvalid, naming the field, for a body that is not such an
// event, and ErrOtherEvent when object_kind, or else event_name, names another kind. An
// error of r itself is wrapped.
func ParsePush(r io.Reader) (Push, error) {
	e := event{json: newJSONReader(r)}
	if c, err := e.json.peek(); err != nil {
		return Push{}, fmt.Errorf("parse push event: %w", err)
	} else if c != '{' {
		return Push{}, fmt.Errorf("parse push event: %w", e.json.errorf("want an object"))
	}
	err := e.json.object(e.field)
	if err == nil {
		err = e.json.end()
	}
	if err == nil {
		err = e.finish()
	}
	if err != nil {
		return Push{}, fmt.Errorf("parse push event: %w", err)
	}
	return e.push, nil
}

// event is a push event while it is read.
type event struct {
	json            *jsonReader
	push            Push
	objectKind      string
	eventName       string
	head            commit // the newest of the commits
	headIsAfter     bool
	skipOption      bool
	projectIDInside int64 // project.id, which repeats project_id
	object          objectAttributes
	path            string // path_with_namespace of a system event
}

type commit struct{ id, message, title string }

func (e *event) field(key string) (err error) {
	p := &e.push
	switch key {
	case "object_kind":
		e.objectKind, _, err = e.json.text(maxName)
	case "event_name":
		e.eventName, _, err = e.json.text(maxName)
	case "ref":
		err = e.name(key, &p.Ref)
	case "before":
		err = e.name(key, &p.Before)
	case "after":
		err = e.name(key, &p.After)
	case "user_name":
		p.UserName, _, err = e.json.text(maxName)
	case "user_username":
		p.UserUsername, _, err = e.json.text(maxName)
	case "project_id":
		p.ProjectID, err = e.json.integer()
	case "total_commits_count":
		p.Commits, err = e.json.integer()
	case "project":
		err = e.json.object(e.projectField)
	case "object_attributes":
		err = e.json.object(e.objectField)
	case "path_with_namespace":
		e.path, _, err = e.json.text(maxName)
	case "commits":
		err = e.json.array(e.commit)
	case "push_options":
		err = e.pushOptions()
	default:
		err = e.json.skip()
	}
	return err
}

// name reads a string that is of no use when it is cut.
func (e *event) name(key string, to *string) error {
	s, whole, err := e.json.text(maxName)
	if err == nil && !whole {
		err = fmt.Errorf("%s is longer than %d bytes: %w", key, maxName, dag.ErrInvalid)
	}
	*to = s
	return err
}

func (e *event) projectField(key string) (err error) {
	p := &e.push
	switch key {
	case "id":
		e.projectIDInside, err = e.json.integer()
	case "path_with_namespace":
		err = e.name("project."+key, &p.Project)
	case "git_http_url":
		p.GitHTTPURL, _, err = e.json.text(maxName)
	case "web_url":
		p.WebURL, _, err = e.json.text(maxName)
	default:
		err = e.json.skip()
	}
	return err
}

// commit reads one of the commits. They come oldest first, so the last one is
// the head, unless one is named as such.
func (e *event) commit() error {
	var c commit
	err := e.json.object(func(key string) (err error) {
		switch key {
		case "id":
			c.id, _, err = e.json.text(maxName)
		case "message":
			c.message, _, err = e.json.text(maxMessage)
		case "title":
			c.title, _, err = e.json.text(maxName)
		default:
			err = e.json.skip()
		}
		return err
	})
	if err != nil || e.headIsAfter {
		return err
	}
	e.head = c
	e.headIsAfter = c.id != "" && c.id == e.push.After
	return nil
}

// pushOptions reads {"ci":{"skip":true}}, as GitLab writes -o ci.skip, or a
// list of options as they were given.
func (e *event) pushOptions() error {
	if c, err := e.json.peek(); err != nil {
		return err
	} else if c == '[' {
		return e.json.array(func() error {
			option, _, err := e.json.text(maxName)
			e.skipOption = e.skipOption || option == "ci.skip"
			return err
		})
	}
	return e.json.object(func(key string) error {
		if key != "ci" {
			return e.json.skip()
		}
		return e.json.object(func(key string) error {
			if key != "skip" {
				return e.json.skip()
			}
			skip, err := e.json.truth()
			e.skipOption = skip
			return err
		})
	})
}

// skipCI is GitLab's own pattern for commit messages that want no pipeline.
var skipCI = regexp.MustCompile(`(?i)\[(ci[ _-]skip|skip[ _-]ci)\]`)

// AsksForNoCI reports whether the message of a push's head commit has [skip ci] or
// [ci skip], see https://docs.gitlab.com/ci/pipelines/#skip-a-pipeline.
func AsksForNoCI(message string) bool { return skipCI.MatchString(message) }

// finish checks what was read and derives the rest.
func (e *event) finish() error {
	kind := e.objectKind
	if kind == "" {
		kind = e.eventName
	}
	if kind != "" && kind != "push" && kind != "tag_push" {
		return fmt.Errorf("event %.80q: %w", kind, ErrOtherEvent)
	}
	p := &e.push
	if p.ProjectID == 0 {
		p.ProjectID = e.projectIDInside
	}
	p.Message, p.Title = e.head.message, e.head.title
	if p.Title == "" {
		p.Title, _, _ = strings.Cut(strings.TrimSpace(p.Message), "\n")
		p.Title = strings.ToValidUTF8(p.Title[:min(len(p.Title), maxName)], "")
	}
	p.SkipCI = e.skipOption || AsksForNoCI(p.Message) || AsksForNoCI(p.Title)
	return p.complete()
}

// complete checks the fields that name things and fills in Branch and Kind.
func (p *Push) complete() error {
	if p.ProjectID <= 0 || p.ProjectID == math.MaxInt64 { // which stands for all that are larger
		return fmt.Errorf("project_id is missing, or no positive number that a project can have: %w", dag.ErrInvalid)
	}
	if p.Project != "" {
		if err := checkProject(p.Project); err != nil {
			return fmt.Errorf("project.path_with_namespace: %w", err)
		}
	}
	if p.Ref == "" {
		return fmt.Errorf("ref is missing: %w", dag.ErrInvalid)
	}
	if err := checkRef(p.Ref); err != nil {
		return fmt.Errorf("ref: %w", err)
	}
	if p.After == "" {
		return fmt.Errorf("after is missing: %w", dag.ErrInvalid)
	}
	if !isHash(p.After) || p.Before != "" && !isHash(p.Before) {
		return fmt.Errorf("before and after: want commit hashes, got %.80q and %.80q: %w", p.Before, p.After, dag.ErrInvalid)
	}
	p.Branch, _ = strings.CutPrefix(p.Ref, "refs/heads/")
	if p.Branch == p.Ref {
		p.Branch = ""
	}
	switch {
	case !isZero(p.After) && isZero(p.Before):
		p.Kind = PushCreated
	case !isZero(p.After):
		p.Kind = PushUpdated
	case isZero(p.Before) && p.Before != "":
		return fmt.Errorf("before and after are both zero: %w", dag.ErrInvalid)
	default:
		p.Kind = PushDeleted
	}
	return nil
}
