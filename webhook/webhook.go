// Package webhook receives GitLab's events from project, group and system hooks:
// it checks who sent one, writes it down in the store and answers. What an event
// leads to is done by others, later, from what the store holds.
//
// Whatever is merely of no interest is answered with 200: GitLab disables a hook
// that answers 4xx.
package webhook

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"dagwright/dag"
	"dagwright/gitlab"
	"dagwright/store"
)

// Store is what the receiver needs of *store.Store.
type Store interface {
	// RecordPush writes a push down, durably, or finds that it is a repeat.
	RecordPush(ctx context.Context, p store.Push) (id int64, created bool, err error)
	// RecordSkip writes down a push that asks not to be rendered.
	RecordSkip(ctx context.Context, p store.Push) (id int64, created bool, err error)
	// WantSync says that the DAG repository has news.
	WantSync(ctx context.Context) error
	// WakePushes requeues pushes that wait for a commit's pipeline.
	WakePushes(ctx context.Context, project int64, commit string) (int64, error)
	// WantPreview asks for a preview on a model's merge request.
	WantPreview(ctx context.Context, p store.Preview) error
	// TouchProject says that a model's project is not what it was.
	TouchProject(ctx context.Context, id int64, path string, deleted bool) (known bool, err error)
}

var _ Store = (*store.Store)(nil)

// Config is what a receiver works with.
type Config struct {
	Store    Store
	Verifier gitlab.Verifier
	// DAGProject is the GitLab path of the DAG repository, such as
	// gbc/airflow-dev. Pushes to it become no DAG; those to DAGBranch want a
	// sync.
	DAGProject string
	// DAGBranch is the DAG repository's branch, "main" when empty.
	DAGBranch string
	// Branches of model repositories that become DAGs; the default for what is empty.
	Branches dag.Branches
	// Takes says whether models of the project at a path are taken; nil takes every
	// project's.
	Takes func(project string) bool
	// Previews has merge requests of models recorded, for a note on what the DAG
	// would become.
	Previews bool
	// MaxConcurrent bounds the bodies that are read at the same time; 8 when
	// zero.
	MaxConcurrent int
	// Wait bounds how long a request waits for its turn, and how long it may
	// take to send its body; 10 s each, GitLab's own limit, when zero.
	Wait time.Duration
	// Client tells the senders of requests apart, which share the places in which bodies
	// are read: by the address of the connection when nil.
	Client func(*http.Request) string
	// Answered is called with each answer: accepted, repeated, ignored, refused or failed.
	// It may be nil.
	Answered func(answer string)
	// Now is the clock; time.Now when nil.
	Now    func() time.Time
	Logger *slog.Logger
}

// MaxBody is the largest body that is read, in bytes. GitLab sends at most
// 25 MB.
const MaxBody = 25 << 20

// Receiver is the HTTP handler of the hook. It is safe for concurrent use.
type Receiver struct {
	Config
	turns *turns
}

var _ http.Handler = (*Receiver)(nil)

// New returns a receiver.
func New(c Config) *Receiver {
	if c.DAGBranch == "" {
		c.DAGBranch = "main"
	}
	c.Branches = c.Branches.OrDefault()
	if c.MaxConcurrent <= 0 {
		c.MaxConcurrent = 8
	}
	if c.Wait <= 0 {
		c.Wait = 10 * time.Second
	}
	if c.Client == nil {
		c.Client = sender
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return &Receiver{Config: c, turns: newTurns(c.MaxConcurrent)}
}

// ServeHTTP answers one delivery. Its order matters: the sender's headers are
// checked before a byte of the body is read, and nothing is written before the
// signature over the body was found right.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	a := r.receive(w, request)
	level := slog.LevelInfo
	if a.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	// Neither a header that may hold a secret is logged nor a.body.Error, which
	// may quote the body.
	r.Logger.Log(request.Context(), level, "hook answered", "status", a.status, "answer", a.body.Status,
		"reason", a.body.Reason, "push", a.body.Push, "project", a.project, "err", a.cause)
	if r.Answered != nil {
		r.Answered(a.word())
	}
	a.write(w)
}

func (r *Receiver) receive(w http.ResponseWriter, request *http.Request) answer {
	// A sender who trickles must lose its connection too when it is refused: the server
	// reads on a little after every answer.
	setReadDeadline(w, time.Now().Add(r.Wait))
	// 1. May the sender send at all?
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(http.StatusMethodNotAllowed, errors.New("want POST"))
	}
	check, err := r.Verifier.Check(request.Header, r.Now())
	if err != nil {
		return refuse(http.StatusUnauthorized, err)
	}
	if request.ContentLength > MaxBody {
		return refuse(http.StatusRequestEntityTooLarge, errTooLarge)
	}
	// 2. Wait for a turn, so that many large bodies do not add up.
	deadline := func(t time.Time) { setReadDeadline(w, t) }
	turn := r.turns.take(request.Context(), r.Client(request), r.Wait, deadline)
	if turn == nil {
		return refuse(http.StatusServiceUnavailable, errTooMany)
	}
	request.Body = turn.reader(request.Body)
	event, fault := r.read(w, request, check)
	switch lost := turn.giveBack(); {
	case fault != nil && lost:
		w.Header().Set("Connection", "close")
		return refuse(http.StatusServiceUnavailable, errTooSlow)
	case fault != nil:
		return *fault
	case event.Kind != gitlab.EventOther:
		// The body is at its end. The deadline must not strike while the store works:
		// it would cancel the request's context.
		deadline(time.Time{})
	}
	// 3. Act on it.
	switch event.Kind {
	case gitlab.EventPipeline:
		return r.wake(request.Context(), event.Pipeline)
	case gitlab.EventMergeRequest:
		return r.preview(request.Context(), event.MergeRequest)
	case gitlab.EventProject:
		return r.touch(request.Context(), event.Project)
	case gitlab.EventPush:
		return r.push(request.Context(), event.Push, request.Header.Get("Idempotency-Key"))
	}
	return ignore("", "events of this kind are of no interest")
}

var (
	errTooLarge = errors.New("the body is larger than 25 MiB")
	errTooMany  = errors.New("too many deliveries at once; try again later")
	errTooSlow  = errors.New("too many deliveries at once, of which this one came slowest; try again later")
)

// sender is the address of a request's connection, without the port.
func sender(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// push does what a push event asks for: at most one transaction.
func (r *Receiver) push(ctx context.Context, p gitlab.Push, delivery string) answer {
	switch {
	case p.Branch == "":
		return ignore(p.Project, "tags become no DAG")
	case p.Project == "":
		return refuse(http.StatusBadRequest, errors.New("parse push event: project.path_with_namespace is missing"))
	case p.Project == r.DAGProject && p.Branch != r.DAGBranch:
		return ignore(p.Project, "of the DAG repository, only branch "+r.DAGBranch+" is of interest")
	case p.Project == r.DAGProject:
		if err := r.Store.WantSync(ctx); err != nil {
			return broken(p.Project, err)
		}
		return accept(p.Project)
	case !r.takes(p.Project):
		return ignore(p.Project, notTaken)
	case !r.Branches.Has(p.Branch):
		return ignore(p.Project, r.Branches.Refuse(p.Branch))
	}
	return r.record(ctx, p, delivery)
}

// notTaken is shown to whoever looks at the hook of any project, so it names no
// group.
const notTaken = "the project is in none of the instance's gitlab.groups and gitlab.projects"

func (r *Receiver) takes(project string) bool { return r.Takes == nil || r.Takes(project) }

func (r *Receiver) record(ctx context.Context, p gitlab.Push, delivery string) answer {
	const maxDelivery = 200 // a UUID has 36
	if len(delivery) > maxDelivery {
		return refuse(http.StatusBadRequest, errors.New("the header Idempotency-Key is too long"))
	}
	push := store.Push{
		ProjectID: p.ProjectID, Project: p.Project, Branch: p.Branch,
		Before: p.Before, Commit: p.After, Deleted: p.Kind == gitlab.PushDeleted,
		Delivery: delivery, User: user(p), Title: p.Title, ReceivedAt: r.Now(), Via: store.ViaWebhook,
	}
	if p.SkipCI && !push.Deleted {
		return r.skip(ctx, p, push)
	}
	id, created, err := r.Store.RecordPush(ctx, push)
	if err != nil {
		return broken(p.Project, err)
	}
	if !created {
		return answer{status: http.StatusOK, body: reply{Status: "repeated", Push: id}, project: p.Project}
	}
	return answer{status: http.StatusAccepted, body: reply{Status: "accepted", Push: id}, project: p.Project}
}

// skip records a push that asks not to be rendered: unrecorded, the branch's head
// would look like one whose hook was lost.
func (r *Receiver) skip(ctx context.Context, p gitlab.Push, push store.Push) answer {
	push.Reason = store.SkippedByOption
	if gitlab.AsksForNoCI(p.Message) || gitlab.AsksForNoCI(p.Title) {
		push.Reason = store.SkippedByMessage
	}
	id, _, err := r.Store.RecordSkip(ctx, push)
	if err != nil {
		return broken(p.Project, err)
	}
	a := ignore(p.Project, push.Reason)
	a.body.Push = id
	return a
}

// user is who pushed: the login, or the name where the event has no login.
func user(p gitlab.Push) string {
	if p.UserUsername != "" {
		return p.UserUsername
	}
	return p.UserName
}
