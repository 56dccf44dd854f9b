// Package cijob answers the jobs of models' pipelines that ask for their DAG. A job
// shows who it is with GitLab's ID token, so that no model repository holds a
// secret: the token says which project, branch and commit the job is of, and only
// that commit can be asked for.
//
// The job's push is written down like a hook's, and the answer is what happened to
// it: the request waits for the generator, which it meets in the store.
package cijob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"dagwright/dag"
	"dagwright/gitlab"
	"dagwright/store"
)

// Config is what a handler works with.
type Config struct {
	Store  *store.Store
	Tokens *gitlab.TokenVerifier
	// DAGProject is the GitLab path of the DAG repository, which is not a model.
	DAGProject string
	// Branches that become DAGs; the default for what is empty.
	Branches dag.Branches
	// Takes says whether models of the project at a path are taken; nil takes every
	// project's.
	Takes func(project string) bool
	// PublicURL is where people reach the pages, for links; may be empty.
	PublicURL string
	// Wait bounds how long a request waits for its result; 5 minutes when zero.
	Wait   time.Duration
	Logger *slog.Logger
}

// Handler is the HTTP handler. It is safe for concurrent use.
type Handler struct{ Config }

var _ http.Handler = (*Handler)(nil)

// New returns a handler.
func New(c Config) *Handler {
	c.Branches = c.Branches.OrDefault()
	if c.Wait <= 0 {
		c.Wait = 5 * time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return &Handler{c}
}

// Answer is the JSON that a job gets.
type Answer struct {
	Push int64 `json:"push"` // id of the recorded push
	// State is store.PushState, "pending" when Wait was over first.
	State        string `json:"state"`
	Reason       string `json:"reason,omitempty"`
	MergeRequest string `json:"merge_request,omitempty"`
	// DAGs are those of the branch, also when they are unchanged.
	DAGs []DAG `json:"dags"`
}

// DAG is one DAG's file, before and after.
type DAG struct {
	ID     dag.ID `json:"dag_id"`
	Path   string `json:"path"` // in the DAG repository
	Commit string `json:"commit"`
	URL    string `json:"url,omitempty"`
	Source string `json:"source"`
	// Previous is what Source replaced, "" for a new file. It is Source when
	// nothing changed.
	Previous string `json:"previous,omitempty"`
}

// problem is an error's JSON, in the shape of the API's.
type problem struct {
	Detail string `json:"detail"`
}

// ServeHTTP answers POST requests with a bearer token and no body.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		reply(w, http.StatusMethodNotAllowed, problem{"want POST"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.Wait)
	defer cancel()
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	job, err := h.Tokens.Verify(ctx, token)
	if err != nil {
		h.Logger.Info("CI job refused", "err", err)
		reply(w, http.StatusUnauthorized, problem{err.Error()})
		return
	}
	answer, err := h.generate(ctx, job)
	switch {
	case errors.Is(err, dag.ErrForbidden):
		h.Logger.Info("CI job refused", "project", job.Project, "err", err)
		reply(w, http.StatusForbidden, problem{err.Error()})
	case errors.Is(err, dag.ErrInvalid):
		reply(w, http.StatusUnprocessableEntity, problem{err.Error()})
	case errors.Is(err, store.ErrUnavailable):
		// The push may be recorded: to ask again is harmless, since one commit is one push.
		h.Logger.Warn("answer CI job", "project", job.Project, "commit", job.Commit, "err", err)
		w.Header().Set("Retry-After", "5")
		reply(w, http.StatusServiceUnavailable, problem{"the database does not answer now; run the job again"})
	case err != nil:
		h.Logger.Error("answer CI job", "project", job.Project, "commit", job.Commit, "err", err)
		reply(w, http.StatusInternalServerError, problem{"the push could not be recorded or followed; see the log"})
	default:
		h.Logger.Info("CI job answered", "project", job.Project, "commit", job.Commit, "push", answer.Push, "state",
			answer.State)
		reply(w, http.StatusOK, answer)
	}
}

// generate records the job's push and waits for what happens to it.
func (h *Handler) generate(ctx context.Context, job gitlab.Job) (Answer, error) {
	switch {
	case job.Project == h.DAGProject:
		return Answer{}, fmt.Errorf("project %s is the DAG repository and no model: %w", job.Project, dag.ErrInvalid)
	case h.Takes != nil && !h.Takes(job.Project):
		return Answer{}, fmt.Errorf(
			"project %s is in none of the groups and projects whose models this dagwright takes; its administrators name them in gitlab.groups and gitlab.projects: %w",
			job.Project, dag.ErrForbidden)
	case !h.Branches.Has(job.Branch):
		return Answer{}, fmt.Errorf("%s: %w", h.Branches.Refuse(job.Branch), dag.ErrInvalid)
	}
	changes := h.Store.SubscribeTo(finishedOf(job.Project))
	defer changes.Close()
	id, _, err := h.Store.RecordPush(ctx, store.Push{
		ProjectID: job.ProjectID, Project: job.Project, Branch: job.Branch, Commit: job.Commit, User: job.User,
		Via: store.ViaCI,
	})
	if err != nil {
		return Answer{}, err
	}
	p, err := h.follow(ctx, id, changes)
	if err != nil {
		return Answer{}, err
	}
	return h.answer(context.WithoutCancel(ctx), p)
}

// follow waits until a push is finished, or until ctx ends: then the push is
// still pending, which is an answer too.
func (h *Handler) follow(ctx context.Context, id int64, changes *store.Subscription) (store.Push, error) {
	for {
		found, err := h.Store.Pushes(context.WithoutCancel(ctx), store.PushFilter{ID: id, Limit: 1})
		if err != nil {
			return store.Push{}, err
		}
		if len(found) == 0 {
			return store.Push{}, fmt.Errorf("push %d: %w", id, dag.ErrNotFound)
		}
		if found[0].State != store.PushPending {
			return found[0], nil
		}
		if !awaitPush(ctx, changes) {
			return found[0], nil
		}
	}
}

// finishedOf wants the changes that may be the end of a push of a project. Nothing else
// that happens in the instance wakes a job that waits.
func finishedOf(project string) func(store.Change) bool {
	return func(c store.Change) bool {
		return c.Kind == store.ChangePush && c.Project == project && c.State != string(store.PushPending)
	}
}

// awaitPush returns when a push of the project was finished, and false when ctx has ended.
func awaitPush(ctx context.Context, changes *store.Subscription) bool {
	select {
	case <-ctx.Done():
		return false
	case <-changes.Lagged:
	case <-changes.C:
	}
	return true
}

func (h *Handler) answer(ctx context.Context, p store.Push) (Answer, error) {
	a := Answer{Push: p.ID, State: string(p.State), Reason: p.Reason, MergeRequest: p.MergeRequest, DAGs: []DAG{}}
	if p.State != store.PushRendered && p.State != store.PushUnchanged && p.State != store.PushProposed {
		return a, nil
	}
	specs, err := h.Store.SpecsOf(ctx, p.ProjectID, p.Branch)
	if err != nil {
		return Answer{}, err
	}
	for _, s := range specs {
		d := DAG{ID: s.DAG, Path: s.Path, Commit: s.DAGCommit, Source: s.Content, Previous: s.Previous}
		if h.PublicURL != "" {
			d.URL = h.PublicURL + "/dags/" + string(s.DAG)
		}
		a.DAGs = append(a.DAGs, d)
	}
	return a, nil
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a job that has gone needs no answer
}
