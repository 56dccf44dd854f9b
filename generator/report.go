package generator

import (
	"context"
	"errors"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"dagwright/dag"
	"dagwright/gitlab"
	"dagwright/store"
)

const (
	// reportBatch and reportLimit bound the statuses that are reported in one batch
	// and at the same time.
	reportBatch = 200
	reportLimit = 8
	// reportAge is how old a push may be and still be reported: what is older was
	// handled before statuses were switched on.
	reportAge = 24 * time.Hour
)

// tell calls what at once, at each change of a kind, and every few seconds, until ctx
// ends. Everything that dagwright reports to GitLab has such a loop, so that a slow
// GitLab delays neither the next push nor a preview.
func (g *Generator) tell(ctx context.Context, kind store.ChangeKind, what func(context.Context)) {
	if g.GitLab == nil {
		return
	}
	changes := g.Store.SubscribeTo(store.Kinds(kind))
	defer changes.Close()
	const retries = 5 * time.Second // what failed is due again from then on
	tick := time.NewTicker(retries)
	defer tick.Stop()
	for {
		what(ctx)
		if !awaitNews(ctx, changes, tick.C) {
			return
		}
	}
}

// report tells GitLab what happened to pushes, until ctx ends.
func (g *Generator) report(ctx context.Context) { g.tell(ctx, store.ChangePush, g.reportAll) }

// reportAll reports the results of pushes to GitLab, as statuses of the models' commits.
// What is reported is stored, so that a crash loses no status; reporting one twice
// changes nothing.
func (g *Generator) reportAll(ctx context.Context) {
	for ctx.Err() == nil {
		now := g.Now()
		pushes, err := g.Store.UnreportedPushes(ctx, now.Add(-reportAge), now, reportBatch)
		if err != nil {
			if ctx.Err() == nil {
				g.Logger.Error("read unreported pushes", "err", err)
			}
			return
		}
		if len(pushes) == 0 {
			return
		}
		reports := make([]store.Report, len(pushes))
		var workers errgroup.Group
		workers.SetLimit(reportLimit)
		for i, p := range pushes {
			workers.Go(func() error {
				reports[i] = g.reportPush(ctx, p)
				return nil
			})
		}
		_ = workers.Wait() // no worker fails: what goes wrong is a report
		if err := g.Store.WriteReports(ctx, reports); err != nil && ctx.Err() == nil {
			g.Logger.Error("write reports", "err", err)
			return
		}
	}
}

// reportPush tells one push's state.
func (g *Generator) reportPush(ctx context.Context, p store.Push) store.Report {
	done := store.Report{ID: p.ID, State: p.State}
	status, ok := g.status(p)
	if !ok {
		return done
	}
	// Only the newest push of a commit speaks for it: an older one may be
	// superseded while the commit is rendered.
	newest, err := g.Store.NewestOfCommit(ctx, p)
	if err == nil && !newest {
		return done
	}
	if err == nil {
		err = g.GitLab.SetStatus(ctx, reference(p), p.Commit, status)
	}
	switch {
	case err == nil:
		return done
	case errors.Is(err, dag.ErrInvalid), errors.Is(err, dag.ErrConflict):
		g.Logger.Warn("status of a commit is given up", "project", p.Project, "commit", p.Commit, "err", err)
		return done
	}
	if ctx.Err() == nil {
		g.Logger.Warn("set status of a commit", "project", p.Project, "commit", p.Commit, "err", err)
	}
	return store.Report{ID: p.ID, Failed: true}
}

// status is what a commit's status says; ok is false when there is nothing to say.
func (g *Generator) status(p store.Push) (s gitlab.Status, ok bool) {
	kind, known := g.kindOf(p.Branch)
	if !known || p.Deleted || g.OnlyPromoted {
		return s, false // an instance that renders nothing does not speak for the commit
	}
	s = gitlab.Status{Name: "dagwright/" + string(kind), Branch: p.Branch, TargetURL: g.dagURL(p.DAG),
		State: gitlab.StatusSuccess}
	switch p.State {
	case store.PushPending:
		s.State, s.Description, s.TargetURL = gitlab.StatusPending, or(p.Reason, "waits to be rendered"), ""
	case store.PushRendered:
		s.Description = "DAG " + string(p.DAG) + " is in the DAG repository at " + short(p.DAGCommit)
	case store.PushUnchanged:
		s.Description = "DAG " + string(p.DAG) + " is unchanged"
	case store.PushProposed:
		s.Description, s.TargetURL = "DAG "+string(p.DAG)+" waits for its merge request", p.MergeRequest
	case store.PushRefused:
		s.State, s.Description, s.TargetURL = gitlab.StatusFailed, p.Reason, ""
		if g.PublicURL != "" {
			s.TargetURL = g.PublicURL + "/models?project=" + url.QueryEscape(p.Project)
		}
	case store.PushSuperseded:
		s.State, s.Description, s.TargetURL = gitlab.StatusCanceled, p.Reason, ""
	default:
		return s, false
	}
	return s, true
}

// dagURL is where the pages show a DAG, "" where that is not known.
func (g *Generator) dagURL(id dag.ID) string {
	if g.PublicURL == "" || id == "" {
		return ""
	}
	return g.PublicURL + "/dags/" + url.PathEscape(string(id))
}
