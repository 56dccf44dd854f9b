package generator

import (
	"context"
	"errors"
	"time"

	"dagwright/dag"
	"dagwright/store"
)

// promote carries out the promotions that people ask for, until ctx ends. It is a
// loop of its own: the next instance's repository may be slow, and no push waits
// for it.
func (g *Generator) promote(ctx context.Context) {
	if g.Promoter == nil {
		return
	}
	changes := g.Store.SubscribeTo(promotionWanted)
	defer changes.Close()
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		retry.Reset(g.promoteAll(ctx))
		if !awaitNews(ctx, changes, retry.C) {
			return
		}
	}
}

func promotionWanted(c store.Change) bool {
	return c.Kind == store.ChangePromotion && c.State == string(store.PromotionPending)
}

// promoteAll carries out what is due and returns how long to wait for the rest.
func (g *Generator) promoteAll(ctx context.Context) time.Duration {
	const whenBroken, whenIdle = 5 * time.Second, time.Hour
	due, _, err := g.Store.PendingPromotions(ctx, g.Now())
	for _, p := range due {
		if ctx.Err() != nil {
			return whenIdle
		}
		if err = g.Store.FinishPromotion(ctx, g.promoteOne(ctx, p)); err != nil {
			break
		}
	}
	var next time.Time
	if err == nil {
		_, next, err = g.Store.PendingPromotions(ctx, g.Now())
	}
	switch {
	case err != nil:
		if ctx.Err() == nil {
			g.Logger.Error("carry out promotions", "err", err)
		}
		return whenBroken
	case next.IsZero():
		return whenIdle
	}
	return max(100*time.Millisecond, next.Sub(g.Now()))
}

// promoteOne carries out one promotion. What may heal is tried again: after 5 s,
// doubled with each try, 5 minutes at most.
func (g *Generator) promoteOne(ctx context.Context, p store.Promotion) store.PromotionResult {
	r, err := g.tryPromotion(ctx, p)
	r.ID = p.ID
	switch {
	case err == nil:
	case errors.Is(err, dag.ErrInvalid), errors.Is(err, dag.ErrNotFound), errors.Is(err, dag.ErrConflict):
		r.State, r.Reason = store.PromotionRefused, err.Error()
	default:
		r.State, r.Reason, r.RetryAt = store.PromotionPending, err.Error(), g.Now().Add(retryAfter(p.Tries))
	}
	if ctx.Err() == nil {
		g.Logger.Info("promotion handled", "promotion", p.ID, "dag", p.DAG, "state", r.State, "merge_request", r.MergeRequest,
			"err", err)
	}
	return r
}

func (g *Generator) tryPromotion(ctx context.Context, p store.Promotion) (r store.PromotionResult, err error) {
	if _, err := g.Repo.Fetch(ctx); err != nil {
		return r, err
	}
	taken, err := g.Promoter.Take(p.DAG, p.Path, p.DAGCommit, p.By.User)
	if err != nil {
		return r, err
	}
	if !p.Dry {
		r.State = store.PromotionProposed
		if r.MergeRequest, err = g.Promoter.Propose(ctx, taken); err == nil && r.MergeRequest == "" {
			r.State = store.PromotionUnchanged
		}
		return r, err
	}
	c, err := g.Promoter.Compare(ctx, taken)
	if err != nil {
		return r, err
	}
	r.State, r.Reason = store.PromotionCompared, c.Diff()
	if r.Reason == "" {
		r.State = store.PromotionUnchanged
	}
	return r, nil
}
